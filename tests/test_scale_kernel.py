"""The own scale against its twin, and what it promises of every tape."""

import math
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes, quantile, scale
from kernels.dtypes import Reals
from monitor.detect import snapshot
from monitor.detect.scale import Scales
from monitor.parameters import Parameters
from tests import tape
from tests.naive_scale import Rules, Sample, Scale
from tests.streams import examples
from tests.test_jit import uncompiled

NAN = math.nan
DAY_S = 86_400.0
FADE = math.exp(-1.0 / 7.0)
# A power of the ratio of the histogram's bins.
FACTOR = 1.02**-150
USUAL = Rules()
QUARTERS = Rules(sample_s=900.0)


class Rig:
    """Scales of some assets by the kernel, and the arrays that it reads."""

    def __init__(self, rules: Rules, assets: int = 1) -> None:
        self.bins = np.zeros((assets, quantile.BINS))
        self.mass = np.zeros(assets)
        self.sampled_s = np.zeros(assets)
        self.falls = np.zeros(assets, dtypes.fall_dtype)
        self.rules = np.zeros(1, dtypes.scale_dtype)
        for name, value in rules._asdict().items():
            self.rules[name] = value
        self.assets = np.zeros(assets, dtypes.asset_dtype)
        self.assets["scale"] = rules.prior
        self.pressure = np.zeros(2 * assets, dtypes.pressure_dtype)

    def renew(self, samples: Sequence[Sample], frozen: Sequence[bool] = ()) -> Reals:
        """Take one sample of each asset; the scales that stand then."""
        self.assets["interest"] = [one.interest for one in samples]
        self.assets["interest_index"] = [one.chain for one in samples]
        self.assets["frozen"] = list(frozen) or [False] * len(samples)
        self.pressure["share_60s"] = [share for one in samples for share in one.shares_60s]
        self.pressure["share_total"] = [total for one in samples for total in one.totals]
        scale.renew(
            self.bins,
            self.mass,
            self.sampled_s,
            self.falls,
            self.assets,
            self.pressure,
            self.rules,
        )
        found: Reals = self.assets["scale"].copy()
        return found

    def age_s(self, seconds: float) -> None:
        """Say how long the assets have been observed."""
        self.sampled_s[:] = seconds

    def fade(self) -> None:
        """Let what was seen fade."""
        scale.fade(self.bins, self.mass, self.falls, FADE)

    def own(self, row: int = 0) -> float:
        """An asset's own scale."""
        return float(scale.own(self.bins, self.mass, row, self.falls, self.rules))

    def usual(self, row: int = 0) -> float:
        """The quantile that it leans on."""
        q = float(self.rules["quantile"][0])
        return float(quantile.quantile(self.bins, self.mass, row, q))

    def fallen(self, row: int = 0) -> tuple[float, float]:
        """What was printed and what fell in busy quarter hours."""
        return float(self.falls["printed"][row]), float(self.falls["fallen"][row])


def share(place: float) -> float:
    """A share well within a bin of the histogram, for a place between 0 and 1."""
    return 1e-7 * math.pow(1.02, round(400 * place) + 0.3)


def samples(seed: int, count: int, *, print_ratio: float = 0.3, lost: float = 0.0) -> list[Sample]:
    """A random tape: quiet, with bursts in which open interest falls by what is not printed."""
    dice, totals, index = Random(seed), [0.0, 0.0], 1.0
    made = []
    for _ in range(count):
        shares = [share(0.5 * dice.random()) for _ in range(2)]
        if dice.random() < 0.3:
            position, fall = dice.randrange(2), 0.02 * dice.random()
            shares[position] = share(dice.uniform(0.5, 1.0))
            totals[position] += print_ratio * fall * dice.uniform(0.5, 1.5)
            index *= 1.0 - fall
        index *= 1.0 + 0.002 * (dice.random() - 0.5)
        known = dice.random() >= lost
        interest = 5.0 if known else dice.choice((NAN, 0.0))
        made.append(Sample(interest, (shares[0], shares[1]), (totals[0], totals[1]), index))
    return made


def scaled(of: Sequence[Sample], factor: float) -> list[Sample]:
    """The same tape of venues that print another part of what happens."""
    return [
        one._replace(
            shares_60s=(factor * one.shares_60s[0], factor * one.shares_60s[1]),
            totals=(factor * one.totals[0], factor * one.totals[1]),
        )
        for one in of
    ]


def lived(of: Sequence[Sample], rules: Rules = USUAL, days: float = 99.0) -> Rig:
    """What is left of a tape, of an asset that was observed so long before."""
    rig = Rig(rules)
    rig.age_s(days * DAY_S)
    for one in of:
        rig.renew([one])
    return rig


def burst(printed: float, fallen: float, count: int = 40) -> list[Sample]:
    """Quarter hours, a sample each, that all print as much while open interest falls alike."""
    return [
        Sample(5.0, (share(0.5), share(0.5)), (printed * k, 0.0), (1.0 - fallen) ** k)
        for k in range(count)
    ]


places = st.integers(0, 400).map(lambda place: share(place / 400.0))
Pair = tuple[float, float]
Step = tuple[float, Pair, Pair, float, bool, bool]

shares_60s = st.one_of(places, places, places, st.sampled_from((0.0, NAN)))
steps = st.tuples(
    st.sampled_from((5.0, 5.0, 5.0, 5.0, 5.0, 5.0, NAN, 0.0)),  # open interest
    st.tuples(shares_60s, shares_60s),
    st.tuples(st.sampled_from((0.0, 3.1e-6, 2.7e-3)), st.sampled_from((0.0, 5.3e-5))),
    st.sampled_from((0.0, 0.004, 0.03, -0.004, NAN, -3.0)),  # fall of its index
    st.booleans(),  # frozen
    st.sampled_from((False, False, False, False, True)),  # faded afterwards
)


@given(
    tapes=st.lists(st.tuples(steps, steps), max_size=60),
    days=st.sampled_from((0.0, 0.995, 1.0, 7.3, 14.0)),
    rules=st.fixed_dictionaries(
        {
            "sample_s": st.sampled_from((100.0, 300.0, 400.0, 1000.0)),
            "least": st.sampled_from((1e-6, 4e-5)),
            "most": st.sampled_from((5e-3, 6e-5)),
            "least_fallen": st.sampled_from((0.01, 0.05)),
            "most_lean": st.sampled_from((1.0, 2.0, 100.0)),
        }
    ).map(lambda told: Rules(**told)),
)
@examples(150)
def test_kernel_and_twin_agree(tapes: list[tuple[Step, Step]], days: float, rules: Rules) -> None:
    """Whatever is sampled, known or not, frozen or not, faded or not: the same scales."""
    rig, twins = Rig(rules, 2), [Scale(rules), Scale(rules)]
    rig.age_s(days * DAY_S)
    expected = [rules.prior, rules.prior]
    totals, indices = [[0.0, 0.0], [0.0, 0.0]], [1.0, 1.0]
    for twin in twins:
        twin.sampled_s = days * DAY_S
    for step in tapes:
        now, frozen = [], []
        for row, one in enumerate(step):
            interest, shares, added, fall, held, _ = one
            totals[row] = [a + b for a, b in zip(totals[row], added, strict=True)]
            index = indices[row] * (1.0 - fall)
            # A chain that was not known goes on where it was.
            indices[row] = indices[row] if math.isnan(index) or index > 1e3 else index
            now.append(Sample(interest, shares, (totals[row][0], totals[row][1]), index))
            frozen.append(held)
        found = rig.renew(now, frozen)
        for row, twin in enumerate(twins):
            twin.renew(now[row])
            expected[row] = expected[row] if frozen[row] else twin.scale()
        assert found.tolist() == pytest.approx(expected, rel=1e-9)
        if any(one[-1] for one in step):
            rig.fade()
            for twin in twins:
                twin.fade(FADE)
    assert rig.sampled_s.tolist() == [twin.sampled_s for twin in twins]
    for row, twin in enumerate(twins):
        assert rig.fallen(row) == pytest.approx(twin.fallen(), rel=1e-9, abs=1e-15)
        assert rig.own(row) == pytest.approx(twin.own(), rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("most_lean", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("print_ratio", [3e-3, 0.05, 5.0])
def test_the_scale_stays_near_its_quantile(
    seed: int, most_lean: float, print_ratio: float
) -> None:
    """However little or much is printed, u is within a factor of the quantile."""
    rules = Rules(most_lean=most_lean, most=1.0)
    rig = lived(samples(seed, 120, print_ratio=print_ratio), rules)
    usual = rig.usual()
    slack = 1.0 + 1e-12
    assert usual / most_lean / slack <= rig.own() <= usual * most_lean * slack
    if print_ratio == 3e-3:
        assert rig.own() == pytest.approx(usual / most_lean, rel=1e-12)
    if print_ratio == 5.0:
        assert rig.own() == pytest.approx(usual * most_lean, rel=1e-12)


def test_the_scale_leans_on_what_is_printed_of_a_fall() -> None:
    """Between quantile and usual print of a fall of a tenth of a percent u is the middle."""
    rig = lived(burst(printed=2e-5, fallen=2e-3), QUARTERS)
    usual, printed = rig.usual(), 1e-5
    assert rig.own() == pytest.approx(math.sqrt(usual * printed), rel=1e-9)
    assert 1.2 * usual < rig.own() < printed / 1.2


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("faded", [False, True])
def test_the_scale_follows_the_part_that_is_printed(seed: int, faded: bool) -> None:
    """With every print multiplied by a constant, u is multiplied by it, to the last digits."""
    rules = Rules(least=1e-9, most=1.0)
    tape = samples(seed, 200, lost=0.03)
    whole, part = lived(tape, rules), lived(scaled(tape, FACTOR), rules)
    if faded:
        whole.fade()
        part.fade()
    assert whole.own() != pytest.approx(whole.usual(), rel=0.01)  # it does lean
    assert part.own() / whole.own() == pytest.approx(FACTOR, rel=1e-9)
    ratio = float(part.assets["scale"][0] / whole.assets["scale"][0])
    assert ratio == pytest.approx(FACTOR, rel=1e-9)


def test_a_dead_market_has_the_least_scale() -> None:
    """Where the quantile is no more than the least scale, nothing lifts it by leaning."""
    rig = lived(burst(1e-3, 2e-3), QUARTERS)
    assert rig.own() == pytest.approx(QUARTERS.most_lean * rig.usual(), rel=1e-12)
    rig.rules["least"] = 1.01 * rig.usual()
    assert rig.own() == rig.rules["least"][0]
    assert Rig(QUARTERS).own() == QUARTERS.least


def test_no_bound_enters_what_the_scale_leans_on() -> None:
    """What bounds u alone leaves the falls as they were, so that u follows once it is free."""
    tape = samples(3, 200)
    free = lived(tape, Rules(least=1e-9, most=1.0))
    bound = lived(tape, Rules(least=1e-2, most=2e-2))
    assert bound.own() == 1e-2
    assert bound.fallen() == free.fallen()
    bound.rules["least"], bound.rules["most"] = 1e-9, 1.0
    assert bound.own() == free.own()
    assert free.fallen()[0] > 0.0


@pytest.mark.parametrize(("count", "leans"), [(10, False), (12, True)])
def test_too_little_fallen_tells_nothing(count: int, leans: bool) -> None:
    """Until open interest has fallen by a percent in all, the quantile stands alone."""
    rig = lived(burst(printed=3e-4, fallen=1e-3, count=count), QUARTERS)
    assert (rig.fallen()[1] >= QUARTERS.least_fallen) is leans
    assert (rig.own() == rig.usual()) is not leans


@pytest.mark.parametrize("fallen", [0.0, -1e-3])
def test_without_a_fall_the_quantile_stands_alone(fallen: float) -> None:
    """Where open interest stood or grew while orders were printed, nothing is leaned on."""
    rig = lived(burst(printed=3e-4, fallen=fallen), QUARTERS)
    assert rig.fallen()[0] > 0.0
    assert rig.own() == rig.usual()


def test_what_grew_counts_against_what_fell() -> None:
    """Falls are summed with their sign: churn of open interest is not a fall."""
    up_and_down = [1.0, 0.99] * 20
    tape = [
        one._replace(chain=index) for one, index in zip(burst(3e-4, 0.0), up_and_down, strict=True)
    ]
    rig = lived(tape, QUARTERS)
    assert abs(rig.fallen()[1]) < 0.012
    assert rig.fallen()[0] == pytest.approx(39 * 3e-4)


@pytest.mark.parametrize("interest", [0.0, -1.0, NAN])
def test_unknown_open_interest_is_no_sample(interest: float) -> None:
    """Where open interest is not known the asset's time stands still, and nothing is added."""
    tape = samples(1, 50)
    rig = lived(tape, days=3.0)
    before = (rig.bins.tobytes(), rig.mass[0], rig.sampled_s[0], rig.fallen(), rig.own())
    rig.renew([tape[-1]._replace(interest=interest)])
    assert (rig.bins.tobytes(), rig.mass[0], rig.sampled_s[0], rig.fallen(), rig.own()) == before


def test_unknown_open_interest_breaks_the_quarter_hour() -> None:
    """A quarter hour with a hole is not looked at; the next one begins behind the hole."""
    steps = burst(3e-4, 1e-3, 9)
    rules = Rules(sample_s=300.0, quantile=0.5)
    whole = lived(steps, rules)
    assert whole.fallen() == pytest.approx((6 * 3e-4, 2 * (1.0 - 0.999**3)))
    holed = lived([*steps[:2], steps[2]._replace(interest=NAN), *steps[3:]], rules)
    assert holed.fallen() == pytest.approx((3 * 3e-4, 1.0 - 0.999**3))
    assert holed.falls["begun"][0] == 1
    assert holed.falls["long_then"][0] == steps[6].totals[0]


def test_a_quiet_quarter_hour_is_not_looked_at() -> None:
    """Only where a position printed at least the usual minute does a fall count."""
    usual = lived(burst(0.0, 1e-3), QUARTERS).usual()
    below, above = (lived(burst(k * usual, 1e-3), QUARTERS) for k in (0.99, 1.01))
    assert below.fallen() == (0.0, 0.0)
    assert above.fallen() == pytest.approx((39 * 1.01 * usual, 39 * 1e-3))
    both = [
        one._replace(totals=(0.6 * one.totals[0], 0.6 * one.totals[0]))
        for one in burst(usual, 1e-3)
    ]
    assert lived(both, QUARTERS).fallen() == (0.0, 0.0)


def test_without_a_usual_print_no_fall_counts() -> None:
    """While the usual minute prints nothing, no quarter hour is one in which much was printed."""
    silent = [one._replace(shares_60s=(0.0, 0.0)) for one in burst(1e-4, 1e-3)]
    rig = lived(silent, QUARTERS)
    assert rig.fallen() == (0.0, 0.0)
    assert rig.own() == QUARTERS.least


def test_what_an_episode_holds_is_held() -> None:
    """A frozen asset's scale stays as it is, while what it rests on goes on."""
    tape = samples(2, 60)
    rig = lived(tape[:30])
    held = float(rig.assets["scale"][0])
    for one in tape[30:]:
        assert rig.renew([one], [True]).tolist() == [held]
    free = lived(tape)
    assert rig.own() == free.own() != held
    assert rig.fallen() == free.fallen()
    assert rig.renew([tape[-1]._replace(interest=NAN)]).tolist() == pytest.approx([rig.own()])


def test_the_prior_gives_way_to_what_leans() -> None:
    """A young asset's scale is blended from the prior and its own u, the leaning one."""
    rig = lived(burst(1e-5, 1e-3), QUARTERS)
    found = []
    for days in (0.9, 1.0, 7.5, 14.0, 50.0):
        rig.age_s(days * DAY_S)
        found.append(
            float(scale.scale(rig.bins, rig.mass, rig.sampled_s, rig.falls, 0, rig.rules))
        )
    prior, own = QUARTERS.prior, rig.own()
    assert found == pytest.approx([prior, prior, math.sqrt(prior * own), own, own])


def test_falls_fade_as_samples_do() -> None:
    """What is old counts less in the print ratio as in the quantile; alone it changes neither."""
    old, new = burst(1e-5, 1e-3), burst(2e-5, 5e-4)
    rig = lived(old, QUARTERS)
    before, own = rig.fallen(), rig.own()
    for _ in range(3):
        rig.fade()
    assert rig.fallen() == pytest.approx([FADE**3 * value for value in before])
    assert rig.own() == pytest.approx(own)
    rig.falls["begun"] = 0
    for one in new:
        rig.renew([one])
    assert rig.fallen()[0] == pytest.approx(FADE**3 * before[0] + 39 * 2e-5)


def test_falls_outlive_a_restart() -> None:
    """A snapshot carries what was printed, what fell, and the quarter hour under way."""
    core = tape.engine()
    made = np.zeros(1, dtypes.fall_dtype)
    made[0] = (0.03, 0.2, 1, 410.0, 5e-3, 6e-3, 0.97)
    core.scales.falls[1] = made[0]
    restored = tape.engine()
    snapshot.restore(restored, snapshot.take(core))
    assert restored.scales.falls.tobytes() == core.scales.falls.tobytes()
    assert restored.scales.falls[1].tolist() == made[0].tolist()


def test_the_parameters_reach_the_kernel() -> None:
    """Every rule of the scale is the parameter of its name."""
    told = Parameters(
        prior_scale_ratio=1e-4,
        least_scale_ratio=2e-6,
        most_scale_ratio=4e-3,
        scale_quantile=0.9,
        scale_days=7.0,
        scale_fall_ratio=0.002,
        least_fallen_ratio=0.03,
        most_lean=3.0,
    )
    rules = Scales(1, told).rules
    assert {name: float(rules[name][0]) for name in dtypes.scale_dtype.names or ()} == {
        "prior": 1e-4,
        "least": 2e-6,
        "most": 4e-3,
        "quantile": 0.9,
        "days": 7.0,
        "sample_s": 10.0,
        "fade": math.exp(-1.0 / 168.0),
        "fall": 0.002,
        "least_fallen": 0.03,
        "most_lean": 3.0,
    }


def test_an_hour_fades_all_that_was_seen() -> None:
    """Each hour lets samples and falls fade by the same factor."""
    scales = Scales(1, Parameters())
    scales.sample(np.array([[1e-4, 1e-5]]))
    scales.falls["printed"], scales.falls["fallen"] = 0.02, 0.1
    scales.age_hour()
    fade = math.exp(-1.0 / (24.0 * 14.0))
    assert scales.mass[0] == pytest.approx(2.0 * fade)
    assert scales.falls["printed"][0] == pytest.approx(0.02 * fade)
    assert scales.falls["fallen"][0] == pytest.approx(0.1 * fade)


def test_the_scales_rules_hold_without_compilation() -> None:
    """The twin's equal, and all of the above, hold in the interpreter too."""
    here = f"tests/{__name__.rpartition('.')[2]}.py"
    found = uncompiled(
        "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "not compilation", here
    )
    assert found.returncode == 0, found.stdout.decode()
