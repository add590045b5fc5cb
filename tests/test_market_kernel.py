"""The simulated market: the kernel beside its twin, and the rules of the model one by one."""

import hashlib
import math
from collections.abc import Sequence
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes, market
from kernels.dtypes import Reals, Records
from monitor.simulate.regimes import BASE, REGIMES, Regime, distances
from tests import naive_market
from tests.naive_market import Asset, Impact, Shock
from tests.streams import examples
from tests.test_jit import uncompiled

ASSETS = 2
# Midnight; half a minute before funding, before the American open, and before its stir ends.
STARTS = (1_767_571_200, 1_767_599_970, 1_767_619_770, 1_767_620_370)
START_S = STARTS[0] + 2  # neither asset opens positions for the next 58 s
QUIET_S = 58
SCALES = ((100.0, 1e6), (0.02, 3e9))  # US dollars per coin, coins
EMPTY = msgspec.structs.replace(BASE, at_risk_ratio=0.0)
AGENT_FIELDS = (
    "log_vol",
    "speed",
    "hurry",
    "thin",
    "appetite",
    "leaving",
    "interest",
    "interest_drift",
    "trend",
    "lean",
    "funding_ratio",
    "deep",
)
PROGRAM = """
import numba
from tests.test_market_kernel import digest
assert numba.config.DISABLE_JIT
print(digest())
"""


class Rig:
    """The kernel's arrays over two assets; coins at risk are over an asset's open interest."""

    def __init__(self, regime: Regime, start_s: int = START_S) -> None:
        self.second = start_s
        self.regime = regime
        self.agents = np.zeros(ASSETS, dtypes.agents_dtype)
        self.agents["scale_usd"], self.agents["coins"] = np.array(SCALES).T
        self.agents["interest"] = 1.0
        self.agents["deep"] = 1.0
        self.longs = np.zeros((ASSETS, market.BINS))
        self.shorts = np.zeros((ASSETS, market.BINS))

    def live(
        self, normals: Reals, common: Reals, shocks: Sequence[Shock] = (), chunk: int = 10**9
    ) -> Records:
        """The tape of so many seconds as there are random numbers, cut into chunks."""
        rows = np.zeros(len(shocks), dtypes.shock_dtype)
        for row, shock in zip(rows, shocks, strict=True):
            for name in dtypes.shock_dtype.names or ():
                row[name] = getattr(shock, name)
        tape = np.zeros((len(normals), ASSETS), dtypes.tape_dtype)
        away, weights = distances()
        for at in range(0, len(normals), chunk):
            part = slice(at, at + chunk)
            market.live(
                self.second + at,
                tape[part],
                self.agents,
                self.regime.record(),
                rows,
                normals[part],
                common[part],
                self.longs,
                self.shorts,
                away,
                weights,
            )
        self.second += len(normals)
        return tape

    def twin(self) -> naive_market.Market:
        """The twin in the same state."""
        assets = []
        for a, agent in enumerate(self.agents):
            asset = Asset(float(agent["scale_usd"]), float(agent["coins"]))
            for name in AGENT_FIELDS:
                setattr(asset, name, float(agent[name]))
            asset.all = Impact(
                *(
                    float(agent[name])
                    for name in ("worth", "passing_perp", "passing_spot", "basis_mean")
                )
            )
            asset.forced = Impact(
                *(
                    float(agent[name])
                    for name in ("forced_worth", "forced_perp", "forced_spot", "forced_basis")
                )
            )
            asset.mark_bin = here = int(agent["mark_bin"])
            for side, ring, way, name in (
                (asset.longs, self.longs, -1, "long"),
                (asset.shorts, self.shorts, 1, "short"),
            ):
                side.waiting = float(agent[f"waiting_{name}"])
                side.own = float(agent[f"waiting_{name}_own"])
                for k in range(market.BINS):
                    place = here + way * k
                    if ring[a, place % market.BINS] > 0.0:
                        side.coins[place] = float(ring[a, place % market.BINS])
            assets.append(asset)
        away, weights = distances()
        return naive_market.Market(self.regime, assets, away.tolist(), weights.tolist())

    def at_risk(self) -> Reals:
        """Coins in the rings and with the engines: assets x (longs, shorts)."""
        longs = self.longs.sum(axis=1) + self.agents["waiting_long"]
        return np.stack([longs, self.shorts.sum(axis=1) + self.agents["waiting_short"]], axis=1)


def filled(regime: Regime, seed: int, start_s: int = START_S, most: float = 3e-4) -> Rig:
    """A market with positions close to the mark, in some state that it may well get into."""
    rng, rig = Random(seed), Rig(regime, start_s)
    for a, g in enumerate(rig.agents):
        for k in range(1, 250):
            rig.longs[a, -k % market.BINS] = most * rng.random()
            rig.shorts[a, k % market.BINS] = most * rng.random()
        for name, deviation in (
            ("log_vol", 0.5),
            ("appetite", 0.7),
            ("leaving", 0.7),
            ("interest_drift", 0.05),
            ("trend", 0.02),
            ("lean", 1.0),
        ):
            g[name] = rng.gauss(0.0, deviation)
        g["hurry"] = rng.expovariate(0.2)
        g["thin"] = -rng.expovariate(2.0)
        g["interest"] = rng.uniform(0.5, 1.2)
        g["deep"] = rng.choice((1.0, 1.0, 3.0))
    return rig


def dice(seed: int, seconds: int) -> tuple[Reals, Reals]:
    """Random numbers of so many seconds: by asset, and of all assets."""
    random = np.random.default_rng(seed)
    normals = random.standard_normal((seconds, ASSETS, market.NORMALS))
    return normals, random.standard_normal((seconds, 2))


def still(seconds: int) -> tuple[Reals, Reals]:
    """The same where nothing happens by chance."""
    return np.zeros((seconds, ASSETS, market.NORMALS)), np.zeros((seconds, 2))


def assert_same(tape: Records, rows: list[list[naive_market.Row]], rtol: float = 1e-9) -> None:
    """Every field of every second and asset is what the twin says."""
    for name in dtypes.tape_dtype.names or ():
        expected = np.array([[row[name] for row in second] for second in rows])
        # What cancels out is as exact as what it is made of.
        least = 1e-12 * np.abs(expected).max(axis=0).max(initial=1e-9)
        np.testing.assert_allclose(tape[name], expected, rtol=rtol, atol=least, err_msg=name)


shocks_of = st.lists(
    st.builds(
        Shock,
        second=st.sampled_from(STARTS).flatmap(lambda s: st.integers(s - 30, s + 90)),
        asset=st.integers(-1, ASSETS - 1),
        duration_s=st.integers(1, 120),
        move=st.floats(-0.08, 0.08),
        deep=st.sampled_from((1.0, 1.0, 4.0)),
        excitement=st.sampled_from((0.0, 0.5, 4.0)),
    ),
    max_size=6,
)
regimes = st.sampled_from(list(REGIMES.values()))
seeds = st.integers(0, 2**32)


@examples(60)
@given(regimes, seeds, st.sampled_from(STARTS), shocks_of)
def test_the_kernel_is_its_twin(
    regime: Regime, seed: int, start_s: int, shocks: list[Shock]
) -> None:
    """Two minutes of any market, from any state, are those of the twin in every field."""
    rig = filled(regime, seed, start_s)
    normals, common = dice(seed, 125)
    expected = rig.twin().live(start_s, shocks, normals.tolist(), common.tolist())
    assert_same(rig.live(normals, common, shocks), expected)


CRASH = (
    Shock(START_S + 60, -1, 120, -0.04, excitement=0.5),
    Shock(START_S + 330, 1, 40, 0.12, deep=2.0),
)


def crash(seconds: int, chunk: int = 10**9) -> Records:
    """A market that falls, of which one asset rises again after five minutes."""
    return filled(REGIMES["stress"], 5).live(*dice(5, seconds), CRASH, chunk)


def test_the_kernel_is_its_twin_through_a_crash() -> None:
    """Ten minutes of a crash and a squeeze are those of the twin, both ladders at work."""
    normals, common = dice(5, 600)
    twin = filled(REGIMES["stress"], 5).twin()
    tape = crash(600)
    assert_same(tape, twin.live(START_S, CRASH, normals.tolist(), common.tolist()))
    assert (tape["endogenous_long"].sum(axis=0) > 0.0).all()
    assert tape["endogenous_short"].sum(axis=0)[1] > 0.0


@examples(10)
@given(st.integers(1, 300))
def test_chunks_change_nothing(chunk: int) -> None:
    """However time is cut, the tape is the same to the last bit."""
    assert crash(300, chunk).tobytes() == crash(300).tobytes()


def digest() -> str:
    """Digest of the tape of a crash."""
    return hashlib.sha256(crash(600).tobytes()).hexdigest()


def test_the_tape_is_byte_equal_compiled_and_not() -> None:
    """Compilation changes no bit of the tape."""
    found = uncompiled("-c", PROGRAM)
    assert found.stderr == b""
    assert found.stdout.decode().strip() == digest()


@examples(30)
@given(regimes, seeds, shocks_of)
def test_forced_flow_has_an_endogenous_part(
    regime: Regime, seed: int, shocks: list[Shock]
) -> None:
    """The endogenous part is never negative and never more than the whole."""
    tape = filled(regime, seed).live(*dice(seed, 300), shocks)
    for position in ("long", "short"):
        forced, own = tape[f"forced_{position}"], tape[f"endogenous_{position}"]
        assert (forced >= 0.0).all()
        assert (own >= -1e-12 * forced.max()).all()
        assert (own <= forced + 1e-12 * forced.max()).all()


@examples(30)
@given(regimes, seeds, st.floats(-0.08, 0.08))
def test_every_forced_coin_lay_at_risk(regime: Regime, seed: int, move: float) -> None:
    """While none are opened, what was forced is what rings and engines hold less."""
    rig = filled(regime, seed)
    before = rig.at_risk()
    tape = rig.live(*dice(seed, QUIET_S), [Shock(START_S, -1, 20, move)])
    forced = np.stack([tape["forced_long"].sum(axis=0), tape["forced_short"].sum(axis=0)], axis=1)
    lost = (before - rig.at_risk()) * rig.agents["coins"][:, None]
    np.testing.assert_allclose(forced, lost, rtol=1e-9, atol=1e-9 * rig.agents["coins"].max())


@examples(10)
@given(regimes, seeds, shocks_of)
def test_without_positions_there_is_no_forced_flow(
    regime: Regime, seed: int, shocks: list[Shock]
) -> None:
    """Where nothing is at risk, no shock forces an order."""
    rig = Rig(msgspec.structs.replace(regime, at_risk_ratio=0.0))
    tape = rig.live(*dice(seed, 400), shocks)
    assert not tape["forced_long"].any()
    assert not tape["forced_short"].any()
    assert not rig.at_risk().any()


def test_positions_are_opened_once_a_minute_on_both_sides() -> None:
    """Longs break below the mark and shorts above, at the distances of their leverage."""
    rig = Rig(BASE)
    rig.live(*still(QUIET_S))
    assert not rig.at_risk().any()
    rig.live(*still(1))
    pace = 0.02 * BASE.at_risk_ratio
    assert rig.at_risk() == pytest.approx(np.array([[pace, pace], [0.0, 0.0]]))
    away = distances()[0]
    assert set(np.flatnonzero(rig.shorts[0])) == {math.floor(d / market.BIN) for d in away}
    below = {math.floor(-d / market.BIN) % market.BINS for d in away}
    assert set(np.flatnonzero(rig.longs[0])) == below


@pytest.mark.parametrize(("position", "sign"), [("long", -1.0), ("short", 1.0)])
def test_forced_orders_move_price_their_way(position: str, sign: float) -> None:
    """Forced longs push the price down and forced shorts up, perp before spot, and no further."""
    rig = Rig(BASE)
    rig.agents[f"waiting_{position}"][0] = 0.01
    tape = rig.live(*still(QUIET_S))
    moved = {leg: sign * np.log(tape[leg] / rig.agents["scale_usd"]) for leg in ("perp", "spot")}
    forced = tape[f"forced_{position}"][:, 0] > 0.0
    assert forced[:8].all()
    assert (moved["perp"][:8, 0] > moved["spot"][:8, 0]).all()
    assert (np.diff(moved["perp"][:8, 0]) > 0.0).all()
    assert (sign * tape["taker"][forced, 0] > 0.0).all()
    assert moved["perp"][:, 1] == pytest.approx(np.zeros(QUIET_S))


def test_legs_meet_again() -> None:
    """After a push on the perp alone the legs come together, second by second, and stay."""
    rig = Rig(EMPTY)
    rig.agents["passing_perp"] = -0.02
    tape = rig.live(*still(900))
    apart = np.log(tape["perp"] / tape["spot"])
    assert (np.diff(apart, axis=0) > -1e-14).all()
    assert apart[0] == pytest.approx(-0.02, rel=0.05)
    assert apart[-1] == pytest.approx(0.0, abs=1e-6)


def endogenous(coins: float, move: float) -> tuple[float, float]:
    """Forced and endogenous part when worth falls: so many coins lie 1 % down, few 2 % down."""
    swift = msgspec.structs.replace(EMPTY, overshoot_ratio=0.0, leaving=0.0, engine_ratio=0.1)
    rig = Rig(swift)
    rig.longs[:, -20 % market.BINS] = coins
    rig.longs[:, -40 % market.BINS] = 1e-3 * coins
    tape = rig.live(*still(QUIET_S), [Shock(START_S, -1, 10, move)])
    forced, own = (tape[f"{kind}_long"][:, 0].sum() for kind in ("forced", "endogenous"))
    return float(forced / SCALES[0][1] / coins), float(own / SCALES[0][1] / coins)


def test_endogenous_is_what_worth_alone_had_not_reached() -> None:
    """Coins that worth reaches are not endogenous; those that forced flow takes it to are."""
    assert endogenous(1e-5, -0.012) == pytest.approx((1.0, 0.0), abs=1e-12)
    assert endogenous(1e-5, -0.03) == pytest.approx((1.001, 0.0), abs=1e-12)
    assert endogenous(0.02, -0.012) == pytest.approx((1.001, 0.001), abs=5e-5)
