"""Hard negatives: things put into a month that look like a cascade and are none.

One has raised an ONSET when such an alarm was detected between its start and ten minutes after
its end, on either ladder of its asset, no true episode of 0.3 % or more explains the alarm, and
the same month without anything put into it has no such alarm within ten minutes of it. One whose
time holds such an episode, or an alarm of that other month, and that raised nothing else, is left
out: there the market itself was no negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kernels.dtypes import Records
from monitor.assess.months import Alarm, Month
from monitor.assess.truth import RULES, Rules

AFTER_S: Final = 600


@dataclass(frozen=True)
class Verdicts:
    """What the injections of one kind did.

    Attributes:
        injected: How many.
        left_out: Those whose time held a true episode, or an alarm that came without them, too,
            and that raised nothing else.
        raised: Those that raised an ONSET.
    """

    injected: int = 0
    left_out: int = 0
    raised: int = 0

    def __add__(self, other: "Verdicts") -> "Verdicts":
        return Verdicts(
            self.injected + other.injected,
            self.left_out + other.left_out,
            self.raised + other.raised,
        )


def negatives(
    month: Month,
    episodes: Records,
    alarms: Sequence[Alarm],
    rules: Rules = RULES,
    without: Sequence[Alarm] = (),
) -> dict[str, Verdicts]:
    """What a month's injections did, by kind.

    Args:
        month: With its injections.
        episodes: Its true episodes.
        alarms: Its ONSETs.
        rules: Which episodes explain an alarm.
        without: ONSETs of the same month with nothing put into it.
    """
    found: dict[str, Verdicts] = {}
    counted = episodes[episodes["share"] >= rules.minor_share]
    for injection in month.injections:
        explaining = [
            (int(e["ladder"]), int(e["onset"]), int(e["end"]))
            for e in counted[counted["ladder"] // 2 == injection.asset]
        ]
        last = injection.end + AFTER_S
        mine = [
            alarm
            for alarm in alarms
            if alarm.ladder // 2 == injection.asset
            and injection.start <= alarm.detected <= last
            and not any(
                ladder == alarm.ladder and _meets(alarm, onset, end, rules)
                for ladder, onset, end in explaining
            )
        ]
        raised = any(not _anyway(alarm, without) for alarm in mine)
        busy = bool(mine) or any(
            onset <= last and end >= injection.start for _, onset, end in explaining
        )
        so_far = found.get(injection.kind, Verdicts())
        found[injection.kind] = so_far + Verdicts(1, int(busy and not raised), int(raised))
    return found


def _anyway(alarm: Alarm, without: Sequence[Alarm]) -> bool:
    """Whether there is such an alarm without an injection, too."""
    return any(
        other.ladder == alarm.ladder and abs(other.detected - alarm.detected) <= AFTER_S
        for other in without
    )


def _meets(alarm: Alarm, onset: int, end: int, rules: Rules) -> bool:
    """Whether an alarm meets an episode."""
    early = onset - rules.lead_s <= alarm.detected < onset <= alarm.ended
    return early or onset <= alarm.detected <= end
