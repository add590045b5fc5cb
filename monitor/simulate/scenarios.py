"""Scenarios by name: what the market does, and which venues misbehave meanwhile."""

import msgspec

from monitor.errors import ConfigError
from monitor.simulate.cascade import Cascade
from monitor.simulate.faults import Fault, FaultKind
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.scripted import ScriptedMarket

ONSET_S = 120  # second of the market at which the first cascade starts
SECOND_WAVE_S = 700  # the second one starts so long after the first, and goes less far


class Scenario(msgspec.Struct, frozen=True):
    """One scenario.

    Attributes:
        name: What it is asked for by.
        summary: What happens in it, in a sentence.
        waves: How many cascades of the asset there are.
        faults: What is broken from the start.
    """

    name: str
    summary: str
    waves: int = 1
    faults: tuple[Fault, ...] = ()

    def market(
        self, seed: int, epoch_ns: int, *, asset: str = "BTC", onset_s: int = ONSET_S
    ) -> ScriptedMarket:
        """Its market, with the cascades in `asset`, the first one at second `onset_s`.

        Raises:
            ConfigError: The asset is not one of the watched ones.
        """
        if asset not in {known.name for known in WATCHED}:
            known = " ".join(known.name for known in WATCHED)
            raise ConfigError(f"asset: expected one of {known}; was {asset!r}")
        first = Cascade(asset=asset, onset_s=onset_s)
        second = Cascade(
            asset=asset,
            onset_s=onset_s + SECOND_WAVE_S,
            fall_ratio=0.04,
            interest_ratio=0.05,
            forced_ratio=0.015,
        )
        return ScriptedMarket(seed, epoch_ns, WATCHED + OTHERS, (first, second)[: self.waves])


SCENARIOS = (
    Scenario("calm", "prices wander, a few small orders are forced everywhere", waves=0),
    Scenario("cascade", "longs of one asset are forced in three surges, for eight minutes"),
    Scenario("two-waves", "a second cascade follows the first one's low", waves=2),
    Scenario(
        "silent-venue",
        "a cascade, while OKX acknowledges every subscription and sends nothing",
        faults=(Fault(FaultKind.ACK_NO_DATA, "okx"),),
    ),
    Scenario(
        "muted-venue",
        "a cascade, while Binance sends everything but liquidations",
        faults=(Fault(FaultKind.MUTE, "binance"),),
    ),
)


def scenario(name: str) -> Scenario:
    """The scenario of that name.

    Raises:
        ConfigError: There is none; names those that exist.
    """
    for known in SCENARIOS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in SCENARIOS)
    raise ConfigError(f"scenario: expected one of {names}; was {name!r}")
