"""Open interest: is it fresh, is it flat, and is that known at all."""

import math

from monitor.parameters import Parameters


def interest_flat(
    slope: float, steepest: float, age_s: float, parameters: Parameters
) -> bool | None:
    """Whether open interest has stopped falling.

    Args:
        slope: Theil-Sen slope of the last three minutes, as a ratio per second.
        steepest: Most negative slope seen in the episode; NaN when none was.
        age_s: Age of the value.
        parameters: `flat_ratio` of the steepest still counts as flat, as does anything
            within `flat_slope_ratio_per_s` of zero.

    Returns:
        None where it cannot be told: the value is stale, or too few points changed.
    """
    if math.isnan(slope) or not age_s <= parameters.interest_age_s:
        return None
    least = -parameters.flat_slope_ratio_per_s
    if not math.isnan(steepest):
        least = min(least, parameters.flat_ratio * steepest)
    return slope >= least
