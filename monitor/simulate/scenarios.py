"""Scenarios by name: what the market does, and which venues misbehave meanwhile.

Nobody scripts a cascade. A market is crowded, and then worth falls from outside: whose positions
break of it, when and how many, is the market's affair and another one with every seed.
"""

from typing import Final

import msgspec

from monitor.errors import ConfigError
from monitor.simulate.agents import AgentMarket, Move
from monitor.simulate.faults import Fault, FaultKind
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.regimes import BASE, REGIMES, Regime, Shocks

ONSET_S = 120  # second of the market at which the first fall begins
# A fall of one asset, and of all with it; then buyers come, and it is over.
FALL: Final = Move(second=0, duration_s=200, ratio=-0.06, excitement=0.3)
FALL_OF_ALL: Final = Move(second=0, duration_s=180, ratio=-0.004)
RETURN: Final = Move(second=400, duration_s=600, ratio=0.015)
SECOND_WAVE_S = 900  # the second fall begins so long after the first

_NO_SHOCKS: Final = Shocks(per_day=0.0, common_per_day=0.0)
CALM: Final = msgspec.structs.replace(BASE, shocks=_NO_SHOCKS)
CROWDED: Final = msgspec.structs.replace(REGIMES["crowded"], shocks=_NO_SHOCKS)


class Scenario(msgspec.Struct, frozen=True):
    """One scenario.

    Attributes:
        name: What it is asked for by.
        summary: What happens in it, in a sentence.
        waves: How many falls of the asset there are.
        faults: What is broken from the start.
    """

    name: str
    summary: str
    waves: int = 1
    faults: tuple[Fault, ...] = ()

    @property
    def regime(self) -> Regime:
        """How its market behaves; nothing comes from outside but the falls."""
        return CROWDED if self.waves else CALM

    def moves(self, asset: str, onset_s: int) -> tuple[Move, ...]:
        """What comes from outside, the first fall at second `onset_s`."""
        own = (msgspec.structs.replace(move, asset=asset) for move in (FALL, RETURN))
        each = (*own, FALL_OF_ALL)
        return tuple(
            msgspec.structs.replace(move, second=onset_s + wave * SECOND_WAVE_S + move.second)
            for wave in range(self.waves)
            for move in each
        )

    def market(
        self, seed: int, epoch_ns: int, *, asset: str = "BTC", onset_s: int = ONSET_S
    ) -> AgentMarket:
        """Its market, with the falls of `asset`, the first one at second `onset_s`.

        Raises:
            ConfigError: The asset is not one of the watched ones.
        """
        if asset not in {known.name for known in WATCHED}:
            known = " ".join(known.name for known in WATCHED)
            raise ConfigError(f"asset: expected one of {known}; was {asset!r}")
        moves = self.moves(asset, onset_s)
        return AgentMarket(seed, epoch_ns, WATCHED + OTHERS, self.regime, moves)


SCENARIOS = (
    Scenario("calm", "prices wander, an order is forced now and then", waves=0),
    Scenario("cascade", "one asset falls, and its crowded longs break"),
    Scenario("two-waves", "it falls again a quarter of an hour later", waves=2),
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
