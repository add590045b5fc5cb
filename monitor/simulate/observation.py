"""How simulated venues show a simulated market: the values, and the object with the state.

A chunk of the tape goes in, what was received meanwhile comes out, in the order in which it was
received; what is still under way comes out of a later chunk. Cutting a month into other chunks
changes nothing but where it is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from kernels.arrival import STEP_BITS, arrange
from kernels.dtypes import (
    BANDS_BP,
    FULL_TAPE,
    LARGEST_OF_SECOND,
    LATEST_OF_SECOND,
    ROWS_OF_ASSET,
    Reals,
    Records,
    event_dtype,
    showing_dtype,
    shown_row_dtype,
    shown_venue_dtype,
)
from kernels.observation import show
from monitor.simulate import dice
from monitor.simulate.incidents import Incident, Natural, Rates
from monitor.simulate.negatives import Negative
from monitor.simulate.troubles import Troubles

NS: Final = 1_000_000_000
_WORDS: Final = event_dtype.itemsize // 8
# Orders of one contract and second that there is room for; what is beyond waits a second.
_MOST_ORDERS: Final = 1024
# Rows of an asset and second in calm times, with some to spare.
_ROWS: Final = 16


class ShownVenue(msgspec.Struct, frozen=True):
    """One venue of the model.

    Attributes:
        name: Whose rules these are.
        share: Its part of forced orders, open interest, volume and depth.
        rule: `FULL_TAPE`, `LARGEST_OF_SECOND` or `LATEST_OF_SECOND`.
        push_ms: How often a full tape is sent.
        poll_s: How often its open interest is asked for.
        reach_bp: How far from the mid its book goes.
    """

    name: str
    share: float
    rule: int
    push_ms: int
    poll_s: int
    reach_bp: int


# Shares are a judgement. Sampling rules and pushes are in the vendors' pages; polls and reach
# are those of the real venue modules.
VENUES: Final = (
    ShownVenue("binance", 0.50, LARGEST_OF_SECOND, 1000, 10, 25),
    ShownVenue("bybit", 0.30, FULL_TAPE, 500, 2, 100),
    ShownVenue("okx", 0.20, LATEST_OF_SECOND, 1000, 5, 50),
)


class Observing(msgspec.Struct, frozen=True):
    """How venues show a tape. Ratios unless a name ends in a unit; all judgements.

    Attributes:
        venues: The three venues.
        order_sigma: Standard deviation of the logarithm of an order's size.
        order_most: The largest order, in means; whales are another matter.
        split_noise: How far a venue's part of a second's coins is off its share, at most.
        scale: Factor on all printed forced orders; a detector must not notice it.
        thin_full: Whether a full tape prints the largest order of a second only, too.
        delay_ms: Median delay of a stream.
        delay_sigma: Of its logarithm, from second to second.
        delay_memory: Correlation of a venue's delay from second to second.
        delay_stress: How many medians full stress adds.
        delay_tail: Chance that a venue is slow for a second.
        delay_tail_times: How many delays that adds, at most.
        jitter_ms: What one contract adds, at most; also what disorders streams among themselves.
        stall_per_s: Chance a second that a contract's stream stalls, at full stress (it goes
            with the square of stress).
        stall_s: Shortest and longest stall; everything comes when it ends, part of it later
            than 30 s.
        half_spread: Of a quote.
        quote_noise: Standard deviation of a venue's price around the tape's.
        quote_memory: Its correlation from second to second.
        trade_noise: How far a venue's part of taker flow is off its share, at most.
        mark_every_s: How often a mark comes.
        interest_noise: Standard deviation of a venue's part of open interest.
        interest_memory: Its correlation from poll to poll.
        interest_fails: Part of polls that fail at full stress.
        interest_old: Part of polls that repeat the last value at full stress.
        depth_profile: Part of the depth within 1 % that lies within 10, 25, 50 and 100 bp.
        depth_noise: Standard deviation of a book around it.
        depth_memory: Its correlation from second to second.
        depth_lost: Part of seconds without a book.
        depth_lost_stress: What full stress adds to it.
        skew_s: How far a wrong clock is off.
        before_s: An order that is older than its connection by this does not count.
        rates: How often connections break, overlap and venues fall silent.
    """

    venues: tuple[ShownVenue, ...] = VENUES
    order_sigma: float = 1.3
    order_most: float = 20.0
    split_noise: float = 0.7
    scale: float = 1.0
    thin_full: bool = False
    delay_ms: float = 80.0
    delay_sigma: float = 0.35
    delay_memory: float = 0.9
    delay_stress: float = 6.0
    delay_tail: float = 0.005
    delay_tail_times: float = 10.0
    jitter_ms: float = 20.0
    stall_per_s: float = 5e-4
    stall_s: tuple[float, float] = (20.0, 60.0)
    half_spread: float = 0.5e-4
    quote_noise: float = 0.3e-4
    quote_memory: float = 0.9
    trade_noise: float = 0.5
    mark_every_s: int = 3
    interest_noise: float = 1e-4
    interest_memory: float = 0.98
    interest_fails: float = 0.5
    interest_old: float = 0.1
    depth_profile: tuple[float, float, float, float] = (0.12, 0.32, 0.60, 1.0)
    depth_noise: float = 0.1
    depth_memory: float = 0.95
    depth_lost: float = 0.05
    depth_lost_stress: float = 0.3
    skew_s: int = 2
    before_s: int = 5
    rates: Rates = Rates()


@dataclass(frozen=True)
class Mix:
    """How the assets of a world differ in what venues show of them; float64.

    Attributes:
        shares: Each venue's part of forced orders, open interest, volume and depth (assets x
            venues); rows add up to one.
        printed: Part of forced coins that venues tell of at all (assets).
        order_share: Mean forced order, share of open interest (assets).
    """

    shares: Reals
    printed: Reals
    order_share: Reals


# Forced orders are sized in dollars, not in shares of open interest: about ten thousand.
ORDER_USD: Final = 10_000.0
LEAST_PRINTED: Final = 0.15
# How closely an asset's venues follow the usual mix (concentration of a Dirichlet law).
MIX_CONCENTRATION: Final = 8.0
# At the 3e-5 to 1.5e-4 a second that a cascade forces, 10 to 50 orders on all venues together.
USUAL_ORDER_SHARE: Final = 3e-6


def alike(assets: int, venues: Sequence[ShownVenue] = VENUES) -> Mix:
    """All assets as the venues' usual parts say, everything printed."""
    return Mix(
        np.tile([venue.share for venue in venues], (assets, 1)),
        np.ones(assets),
        np.full(assets, USUAL_ORDER_SHARE),
    )


def various(interest_usd: Reals, generator: np.random.Generator) -> Mix:
    """Assets as different as real ones: other venues, other coverage, other sizes of orders.

    Venues tell of a few percent to most of what they force: totals of one day have differed by a
    factor of six between a venue's own word and its public tape, and prints make 1 to 30 % of
    the fall of open interest.
    """
    usual = np.array([venue.share for venue in VENUES])
    return Mix(
        generator.dirichlet(MIX_CONCENTRATION * usual, len(interest_usd)),
        np.exp(generator.uniform(np.log(LEAST_PRINTED), 0.0, len(interest_usd))),
        ORDER_USD / interest_usd,
    )


@dataclass(frozen=True)
class Observed:
    """What was received while a chunk ran.

    Attributes:
        second: Market second at which the chunk starts.
        events: Rows of `event_dtype`, by received time; row is 4 x asset + place.
        connections: Connection of each row (int32); 0 for answers to polls.
        offsets: Row at which each second starts, by received time, and the number of rows
            (int64, seconds + 1).
        depths: US dollars within each band, both sides (seconds, contracts, bands); NaN where
            no book was shown.
    """

    second: int
    events: Records
    connections: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    depths: Reals


class Observer:
    """Shows chunk after chunk of one world's tape.

    Attributes:
        incidents: What has befallen the venues so far, without the injected negatives.
    """

    def __init__(
        self,
        assets: int,
        generator: np.random.Generator,
        config: Observing | None = None,
        negatives: Sequence[Negative] = (),
        mix: Mix | None = None,
    ) -> None:
        self.incidents: list[Incident] = []
        self._config = config = config or Observing()
        self._assets = assets
        root = int(generator.integers(1 << 62))
        self._natural = Natural(root, config.rates, len(config.venues))
        self._troubles = Troubles(assets, len(config.venues), negatives)
        self._params = _params(config)
        self._venues = _venues(config, generator)
        self._rows = np.zeros(assets * ROWS_OF_ASSET, shown_row_dtype)
        for name in ("seed_orders", "seed_arrivals", "seed_quotes"):
            self._rows[name] = dice.seeds(len(self._rows), generator)
        self._tell_apart(mix or alike(assets, config.venues))
        self._usual = np.zeros((assets, 2))
        self._books = np.zeros((assets * ROWS_OF_ASSET, len(BANDS_BP)))
        self._table = dice.normal_table()
        self._profile = np.array(config.depth_profile)
        self._times = np.zeros(_MOST_ORDERS, np.int64)
        self._coins = np.zeros(_MOST_ORDERS)
        self._positions = np.zeros(_MOST_ORDERS, np.int64)
        self._made = np.zeros(0, event_dtype)
        self._made_connections = np.zeros(0, np.int32)
        self._places = np.zeros(0, np.int64)
        self._waiting = 0

    def chunk(self, tape: Records, second: int) -> Observed:
        """Show the next seconds of the tape (seconds x assets), which start at `second`.

        Chunks follow one another without a gap. Some 900 seconds are quickest: what is made of
        them stays in the processor's cache.
        """
        seconds = len(tape)
        if not self._rows["lot"].any():
            self._round(tape)
        incidents = self._natural.between(second, second + seconds)
        known = set(self.incidents)
        self.incidents.extend(one for one in incidents if one not in known)
        trouble = self._troubles.between(second, seconds, incidents)
        most = self._assets * (2 + len(self._venues) * (4 + 3 * _MOST_ORDERS))
        self._grow(self._waiting + most + seconds * self._assets * _ROWS)
        depths = np.empty((seconds, len(self._rows), len(BANDS_BP)))
        progress = np.array([0, self._waiting, 0])
        while True:
            show(
                tape,
                trouble.flags,
                trouble.releases,
                trouble.numbers,
                trouble.whales,
                trouble.bursts,
                second,
                self._params,
                self._venues,
                self._rows,
                self._usual,
                self._books,
                self._profile,
                self._table,
                self._times,
                self._coins,
                self._positions,
                self._made,
                self._made_connections,
                depths,
                progress,
            )
            if progress[0] == seconds:
                break
            self._grow(2 * len(self._made))
        return self._arranged(second, seconds, int(progress[1]), depths)

    def _arranged(self, second: int, seconds: int, made: int, depths: Reals) -> Observed:
        start_ns, end_ns = second * NS, (second + seconds) * NS
        received = int((self._made["received_ns"][:made] < end_ns).sum())
        events = np.empty(received, event_dtype)
        connections = np.empty(received, np.int32)
        offsets = np.empty(seconds + 1, np.int64)
        arrange(
            self._made.view(np.int64).reshape(-1, _WORDS),
            self._made_connections,
            made,
            start_ns,
            end_ns,
            np.empty((end_ns - start_ns >> STEP_BITS) + 2, np.int64),
            self._places,
            events.view(np.int64).reshape(-1, _WORDS),
            connections,
            offsets,
        )
        self._waiting = made - received
        return Observed(second, events, connections, offsets, depths)

    def _grow(self, room: int) -> None:
        if room > len(self._made):
            made, connections = self._made, self._made_connections
            self._made = np.empty(room, event_dtype)
            self._made_connections = np.empty(room, np.int32)
            self._made[: len(made)] = made
            self._made_connections[: len(made)] = connections
            self._places = np.empty(room, np.int64)

    def _tell_apart(self, mix: Mix) -> None:
        for place in range(mix.shares.shape[1]):
            self._rows["share"][place::ROWS_OF_ASSET] = mix.shares[:, place]
        self._rows["printed"] = np.repeat(mix.printed, ROWS_OF_ASSET)
        self._rows["order_share"] = np.repeat(mix.order_share, ROWS_OF_ASSET)

    def _round(self, tape: Records) -> None:
        """Venues tell open interest to about seven digits."""
        interest = np.repeat(tape["interest"][0], ROWS_OF_ASSET)
        self._rows["lot"] = 10.0 ** (np.floor(np.log10(interest)) - 7)


def _params(config: Observing) -> Records:
    params = np.zeros(1, showing_dtype)
    for name in showing_dtype.names or ():
        stem, _, unit = name.rpartition("_")
        if unit == "ns":
            seconds = getattr(config, f"{stem}_s", None)
            params[name] = getattr(config, f"{stem}_ms") * 1e6 if seconds is None else seconds * NS
        elif name.startswith("stall_") and name != "stall_per_s":
            params[name] = config.stall_s[name == "stall_most_s"]
        else:
            params[name] = getattr(config, name)
    return params


def _venues(config: Observing, generator: np.random.Generator) -> Records:
    venues = np.zeros(len(config.venues), shown_venue_dtype)
    for line, venue in zip(venues, config.venues, strict=True):
        thin = config.thin_full and venue.rule == FULL_TAPE
        line["rule"] = LARGEST_OF_SECOND if thin else venue.rule
        line["push_ns"] = venue.push_ms * 1_000_000
        line["poll_s"] = venue.poll_s
        line["reach"] = sum(band <= venue.reach_bp for band in BANDS_BP)
    venues["seed"] = dice.seeds(len(venues), generator)
    return venues
