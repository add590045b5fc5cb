"""A tape made by hand for the tests of what venues show, and doors to a single show of it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.dtypes import (
    FULL_TAPE,
    LIQUIDATION,
    ROWS_OF_ASSET,
    Records,
    tape_dtype,
)
from monitor.simulate.incidents import NEVER
from monitor.simulate.negatives import Negative
from monitor.simulate.observation import VENUES, Observed, Observer, Observing

START = 1_700_006_400  # 00:00 UTC
NS = 1_000_000_000
CALM = Observing(rates=NEVER)


def tape(
    seconds: int, assets: int = 2, *, burst: int | None = None, stress: float = 0.0
) -> Records:
    """A walk of prices, some forced orders now and then, and a burst of longs of asset 0."""
    dice = np.random.default_rng(7)
    shape = (seconds, assets)
    made = np.zeros(shape, tape_dtype)
    made["spot"] = 1000.0 * np.exp(np.cumsum(dice.normal(0.0, 1e-4, shape), axis=0))
    made["perp"] = made["spot"] * 1.0005
    made["mark"] = made["spot"] * 1.0003
    made["interest"] = 2e6 * (1.0 + 1e-6 * np.arange(seconds))[:, None]
    for name in ("forced_long", "forced_short"):
        made[name] = np.where(dice.random(shape) < 0.05, dice.lognormal(2.0, 1.0, shape), 0.0)
    if burst is not None:
        made["forced_long"][burst : burst + 60, 0] += 120.0
    made["depth_usd"] = 1e7
    made["taker"] = dice.normal(0.0, 50.0, shape)
    made["spot_taker"] = dice.normal(0.0, 30.0, shape)
    made["volume"] = 500.0
    made["stress"] = stress
    return made


def observer(
    config: Observing = CALM, assets: int = 2, negatives: Sequence[Negative] = (), seed: int = 3
) -> Observer:
    """An observer with a seed."""
    return Observer(assets, np.random.default_rng(seed), config, negatives)


def shown(
    made: Records, config: Observing = CALM, negatives: Sequence[Negative] = (), seed: int = 3
) -> Observed:
    """A whole tape, shown at once, and what arrives within five minutes after it."""
    return parts(made, config, (len(made), 300), negatives, seed)


def parts(
    made: Records,
    config: Observing,
    lengths: Sequence[int],
    negatives: Sequence[Negative] = (),
    seed: int = 3,
) -> Observed:
    """A tape, and a quiet end without any orders, shown in parts of these lengths."""
    quiet = np.repeat(made[-1:], sum(lengths) - len(made), axis=0)
    for name in ("forced_long", "forced_short", "stress"):
        quiet[name] = 0.0
    whole = np.concatenate((made, quiet))
    one = observer(config, made.shape[1], negatives, seed)
    found, start = [], 0
    for length in lengths:
        found.append(one.chunk(whole[start : start + length].copy(), START + start))
        start += length
    bases = np.cumsum([0, *(len(part.events) for part in found[:-1])])
    offsets = [part.offsets[:-1] + base for part, base in zip(found, bases, strict=True)]
    total = sum(len(part.events) for part in found)
    return Observed(
        START,
        np.concatenate([part.events for part in found]),
        np.concatenate([part.connections for part in found]),
        np.concatenate([*offsets, np.array([total])]),
        np.concatenate([part.depths for part in found]),
    )


def full(config: Observing = CALM) -> Observing:
    """The same, but every venue prints every order."""
    venues = tuple(
        type(venue)(venue.name, venue.share, FULL_TAPE, 500, venue.poll_s, venue.reach_bp)
        for venue in VENUES
    )
    return changed(config, venues=venues)


def changed(config: Observing, **fields: Any) -> Observing:
    """A configuration with other values."""
    values = {name: getattr(config, name) for name in config.__struct_fields__}
    return Observing(**{**values, **fields})


def of(events: Records, kind: int, row: int | None = None) -> Records:
    """Events of a kind, and of a row."""
    chosen = events["kind"] == kind
    if row is not None:
        chosen &= events["row"] == row
    found: Records = events[chosen]
    return found


def orders(events: Records, venue: int | None = None) -> Records:
    """Forced orders, of a venue."""
    found = of(events, LIQUIDATION)
    return found if venue is None else found[found["row"] % ROWS_OF_ASSET == venue]


def by_event(events: Records) -> list[tuple[Any, ...]]:
    """What orders say of themselves, sorted: all but when they were received."""
    names = ("event_ns", "row", "position", "a", "b")
    return sorted(zip(*(events[name].tolist() for name in names), strict=True))
