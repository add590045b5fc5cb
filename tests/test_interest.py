import math

import pytest

from monitor.detect.interest import interest_flat
from monitor.parameters import Parameters

NAN = math.nan


@pytest.mark.parametrize(
    ("slope", "steepest", "age_s", "flat"),
    [
        (-1.2e-5, -1e-4, 1.0, True),  # an eighth of the steepest is the bound
        (-1.21e-5, -1e-4, 1.0, False),
        (5e-5, -1e-4, 1.0, True),
        (-1e-6, NAN, 1.0, True),  # nothing steeper was seen: within a millionth a second
        (-1.1e-6, NAN, 1.0, False),
        (-1e-6, -2e-6, 1.0, True),
        (0.0, -1e-4, 45.0, True),
        (0.0, -1e-4, 45.1, None),
        (0.0, -1e-4, NAN, None),
        (NAN, -1e-4, 1.0, None),
        (NAN, NAN, NAN, None),
    ],
)
def test_flat_is_fresh_and_far_from_the_steepest(
    slope: float, steepest: float, age_s: float, flat: bool | None
) -> None:
    """Stale or unknown open interest is neither flat nor falling: it cannot be told."""
    assert interest_flat(slope, steepest, age_s, Parameters()) is flat
