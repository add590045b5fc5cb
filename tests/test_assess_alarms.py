import math

import msgspec

from monitor.assess.alarms import NS, TIERS, read
from monitor.assess.months import Alarm, Ending
from monitor.detect.ladder import REFILLED
from monitor.detect.verdict import Kind, State, Verdict
from monitor.events import Position
from tests import samples

START_S = 1_700_000_000
SECONDS = 10_000
ASSETS = ("BTC", "ETH")


def said(
    at_s: float,
    state: State,
    *,
    asset: str = "BTC",
    position: Position = Position.LONG,
    kind: Kind = Kind.CASCADE,
    reason: str = "",
    chance: float = math.nan,
) -> Verdict:
    """A verdict at a second of the month."""
    verdict = samples.verdict(asset=asset)
    return msgspec.structs.replace(
        verdict,
        position=position,
        kind=kind,
        state=state,
        reason=reason,
        detected_ns=START_S * NS + int(at_s * NS),
        evidence=msgspec.structs.replace(verdict.evidence, rewave_probability=chance),
    )


def heard(*verdicts: Verdict) -> tuple[dict[str, tuple[Alarm, ...]], tuple[Ending, ...]]:
    """What the month's reader makes of them."""
    return read(verdicts, ASSETS, START_S * NS, SECONDS)


def test_a_whole_episode_is_one_alarm_of_each_tier() -> None:
    """Each tier's alarm ends with the episode, but for ONSET, which ends with its pause."""
    alarms, endings = heard(
        said(100.5, State.NOTICE, kind=Kind.PRESSURE),
        said(150.0, State.BUILDING, kind=Kind.PRESSURE),
        said(200.9, State.ONSET, kind=Kind.PRESSURE),  # the end of the pressure alert
        said(200.9, State.ONSET),
        said(261.0, State.CASCADING),
        said(900.0, State.EXHAUSTING, chance=0.4),
        said(2900.0, State.EXHAUSTED, chance=0.15),
    )
    assert alarms == {
        "NOTICE": (Alarm(0, 100, 2900),),
        "BUILDING": (Alarm(0, 150, 2900),),
        "EPISODE": (Alarm(0, 200, 2900),),
        "ONSET": (Alarm(0, 200, 900),),
    }
    assert endings == (
        Ending(0, 200, 900, "EXHAUSTING", 0.4),
        Ending(0, 200, 2900, "EXHAUSTED", 0.15),
    )


def test_a_bucket_filled_again_is_another_alarm_of_every_tier_but_the_episode() -> None:
    """A wave is told whether it comes after a pause or within the cascade, after a lull."""
    alarms, endings = heard(
        said(200.0, State.ONSET),
        said(261.0, State.CASCADING),
        said(700.0, State.CASCADING, reason=REFILLED),
        said(900.0, State.EXHAUSTING),
        said(1000.0, State.CASCADING, reason=REFILLED),
        said(2000.0, State.EXHAUSTING),
        said(2900.0, State.EXHAUSTED),
    )
    below = (Alarm(0, 200, 700), Alarm(0, 700, 1000), Alarm(0, 1000, 2900))
    assert alarms == {
        "NOTICE": below,
        "BUILDING": below,
        "EPISODE": (Alarm(0, 200, 2900),),
        "ONSET": (Alarm(0, 200, 700), Alarm(0, 700, 900), Alarm(0, 1000, 2000)),
    }
    assert [(e.onset, e.second) for e in endings] == [(200, 900), (200, 2000), (200, 2900)]


def test_a_pause_that_is_revoked_raises_nothing() -> None:
    """Where flow resumes without filling the bucket the episode goes on and no alarm is new."""
    alarms, _ = heard(
        said(200.0, State.ONSET),
        said(900.0, State.EXHAUSTING),
        said(1000.0, State.CASCADING),
        said(1900.0, State.EXHAUSTING),
        said(2900.0, State.EXHAUSTED),
    )
    assert alarms["ONSET"] == (Alarm(0, 200, 900),)
    assert alarms["NOTICE"] == alarms["EPISODE"] == (Alarm(0, 200, 2900),)


def test_a_wave_of_an_older_episode_is_an_alarm_of_the_month() -> None:
    """The episode was raised before the month, its next wave in it."""
    alarms, _ = heard(
        said(-50.0, State.ONSET),
        said(40.0, State.CASCADING, reason=REFILLED),
        said(900.0, State.EXHAUSTED),
    )
    assert alarms["EPISODE"] == ()
    assert alarms["ONSET"] == alarms["NOTICE"] == (Alarm(0, 40, 900),)


def test_skipped_tiers_are_reached_all_the_same() -> None:
    """An ONSET out of the quiet is a NOTICE and a BUILDING of the same second."""
    alarms, endings = heard(said(50.0, State.ONSET), said(700.0, State.FIZZLED))
    assert alarms == {tier: (Alarm(0, 50, 700),) for tier in TIERS}
    assert [(e.state, math.isnan(e.probability)) for e in endings] == [("FIZZLED", True)]


def test_pressure_that_goes_away_is_an_alarm_of_its_tier_alone() -> None:
    """A NOTICE that turns quiet raised no ONSET and ended no episode."""
    alarms, endings = heard(said(50.0, State.NOTICE), said(800.0, State.QUIET))
    assert alarms == {"NOTICE": (Alarm(0, 50, 800),), "BUILDING": (), "EPISODE": (), "ONSET": ()}
    assert endings == ()


def test_ladders_are_numbered_by_asset_and_position() -> None:
    """Longs come before shorts, in the order of the month's assets; others are passed over."""
    alarms, _ = heard(
        said(10.0, State.ONSET, asset="ETH", position=Position.SHORT),
        said(10.0, State.ONSET, asset="ETH"),
        said(20.0, State.ONSET, position=Position.SHORT),
        said(30.0, State.ONSET, asset="MARKET"),
    )
    assert [alarm.ladder for alarm in alarms["ONSET"]] == [2, 3, 1]


def test_an_alarm_that_never_ended_lasts_to_the_month_s_end() -> None:
    """What is open when the month is over is active to its last second."""
    alarms, endings = heard(said(50.0, State.ONSET), said(SECONDS + 1.0, State.EXHAUSTED))
    assert alarms["ONSET"] == (Alarm(0, 50, SECONDS),)
    assert endings == ()


def test_what_was_raised_before_the_month_is_none_of_its_alarms() -> None:
    """An episode that was open at the start ends in it, but was not raised in it."""
    alarms, endings = heard(
        said(-50.0, State.NOTICE), said(40.0, State.ONSET), said(900.0, State.EXHAUSTED)
    )
    assert alarms["NOTICE"] == ()
    assert alarms["ONSET"] == (Alarm(0, 40, 900),)
    assert [e.onset for e in endings] == [40]
    alarms, endings = heard(said(-50.0, State.ONSET), said(900.0, State.EXHAUSTED))
    assert alarms["ONSET"] == ()
    assert [e.onset for e in endings] == [-50]


def test_a_new_onset_after_the_end_is_a_new_alarm() -> None:
    """Every episode is an alarm of its own."""
    alarms, _ = heard(
        said(50.0, State.ONSET),
        said(900.0, State.EXHAUSTED),
        said(1000.0, State.ONSET),
        said(2000.0, State.UNCONFIRMED),
    )
    assert alarms["ONSET"] == (Alarm(0, 50, 900), Alarm(0, 1000, 2000))
