"""What the detector says: one change of one state, with its evidence.

Verdicts are functions of the log alone; the broker's rate budgets, retries and versions come
later and elsewhere.
"""

import enum

import msgspec

from monitor.events import Position


class State(enum.StrEnum):
    """Where a ladder stands, or how an episode ended."""

    QUIET = "QUIET"
    NOTICE = "NOTICE"
    BUILDING = "BUILDING"
    ONSET = "ONSET"
    CASCADING = "CASCADING"
    EXHAUSTING = "EXHAUSTING"
    EXHAUSTED = "EXHAUSTED"
    FIZZLED = "FIZZLED"
    UNCONFIRMED = "UNCONFIRMED"


class Phase(enum.StrEnum):
    """Where an alert's life stands."""

    START = "start"
    UPDATE = "update"
    END = "end"


class Kind(enum.StrEnum):
    """What an alert is about; the last word of its topic."""

    PRESSURE = "pressure"
    CASCADE = "cascade"
    AFTERMATH = "aftermath"
    REENTRY = "reentry"
    FEED = "feed"
    REPORT = "report"


class Severity(enum.StrEnum):
    """How much an alert asks of its reader."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class Baseline(enum.StrEnum):
    """What an asset's own scale rests on."""

    PRIOR = "prior"  # less than a day of its own samples: a conservative guess
    PARTIAL = "partial"  # one to fourteen days: guess and own quantile blended
    OWN = "own"  # fourteen days of its own samples


class Evidence(msgspec.Struct, frozen=True):
    """The numbers a verdict rests on; NaN is "not known", and `unknown` says why.

    Of the market, shares are of all open interest in US dollars, prices are an index that was 1
    when it was first seen, and orders, dollars and venues are those of all watched assets.

    Attributes:
        pressure_ratio: Bucket over the asset's own scale, g / u (dimensionless).
        scale_ratio: The asset's own scale u, as a share of open interest.
        baseline: What the scale rests on.
        forced_60s_ratio: Forced coins of the last 60 s over open interest.
        forced_ratio: Forced coins since the episode's onset over open interest.
        forced_usd: Forced US dollars since the episode's onset, as observed.
        orders: Forced orders since the episode's onset, as observed.
        largest_usd: Largest of them, US dollars.
        venues: Forced US dollars of the last 5 minutes by venue, as observed.
        price: Perp price of the asset, US dollars.
        trigger_move_ratio: Price move from the extreme of the 15 minutes before onset to it.
        move_ratio: Price move since onset.
        range_ratio: Distance from onset price to the episode's extreme.
        seconds_since_extreme: Age of the episode's extreme, seconds.
        open_interest_base: Open interest, coins, one-sided.
        open_interest_change_5m_ratio: Its chain-linked change over 5 minutes.
        open_interest_slope_ratio_per_s: Its Theil-Sen slope over 180 s.
        open_interest_age_s: Age of its value (median over contracts, weighted by size).
        price_z: Strongest of the 60-s and 300-s price moves, in forced direction, in sigmas.
        taker_z: Taker imbalance over 60 s, in forced direction, in sigmas.
        basis_z: Perp against spot, in forced direction, in sigmas.
        depth_ratio: Depth of the deepest band reached over its own hour's mean.
        half_life_s: Half-life of the forced flow's decay.
        rewave_probability: Chance of another wave within 30 minutes, from the published
            table; set only in EXHAUSTING and EXHAUSTED.
        breadth_ratio: Part of the watch list's open interest (US dollars) that lies in assets
            pressed in the same position of late, the asset itself among them.
        breadth_assets: How many assets those are.
        confirmers: Names of the confirmers that hold.
        evaluable: How many of the confirmers could be evaluated.
        confirmers_of: How many confirmers there are.
        wave: Number of the wave, from 1.
        follows: Episode that this one follows; empty when none.
        unknown: Field name -> why it is NaN.
    """

    pressure_ratio: float
    scale_ratio: float
    baseline: Baseline
    forced_60s_ratio: float
    forced_ratio: float
    forced_usd: float
    orders: int
    largest_usd: float
    venues: dict[str, float]
    price: float
    trigger_move_ratio: float
    move_ratio: float
    range_ratio: float
    seconds_since_extreme: float
    open_interest_base: float
    open_interest_change_5m_ratio: float
    open_interest_slope_ratio_per_s: float
    open_interest_age_s: float
    price_z: float
    taker_z: float
    basis_z: float
    depth_ratio: float
    half_life_s: float
    rewave_probability: float
    breadth_ratio: float
    breadth_assets: float
    confirmers: tuple[str, ...]
    evaluable: int
    confirmers_of: int
    wave: int
    follows: str
    unknown: dict[str, str]


class Coverage(msgspec.Struct, frozen=True):
    """How complete the data behind a verdict was.

    Attributes:
        classes: Venue -> completeness class of its liquidation stream.
        missing: Streams that should have flowed and did not, as "venue/session".
        lower_bound: Whether a venue behind the totals publishes only a sample, so that
            USD totals are lower bounds.
    """

    classes: dict[str, str]
    missing: tuple[str, ...]
    lower_bound: bool


class Verdict(msgspec.Struct, frozen=True):
    """One change of state of one ladder.

    Attributes:
        id: Of this message; the same log gives the same id, so receivers may drop repeats.
        episode_id: Of the alert's life, equal from start to end.
        phase: Start, update or end of that life.
        kind: Pressure (before onset) or cascade (from onset on).
        severity: How much it asks of its reader.
        asset: The asset, or "MARKET".
        position: Whose positions are being closed.
        event_ns: Market time of what decided it: an order's event time, or a second.
        detected_ns: Market time on our clock at which it was decided.
        state: State entered.
        previous_state: State left.
        reason: One sentence with the rule that held, for a person.
        evidence: The numbers.
        coverage: How complete they are.
    """

    id: str
    episode_id: str
    phase: Phase
    kind: Kind
    severity: Severity
    asset: str
    position: Position
    event_ns: int
    detected_ns: int
    state: State
    previous_state: State
    reason: str
    evidence: Evidence
    coverage: Coverage
