"""Which venues are collected from, given the names that the registry knows.

The configuration does not import the venues; whoever holds the registry hands its names over.
"""

import difflib
from collections.abc import Sequence

from monitor.config.problems import join
from monitor.config.sections import Config, VenueOptions
from monitor.errors import ConfigError


def venue_problems(config: Config, known: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the venues' names, one line each."""
    problems = []
    for name in config.venues:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean {join('venues', close[0])}?"
                if close
                else f"known: {' '.join(known)}"
            )
            problems.append(f"{join('venues', name)}: unknown venue; {hint}")
    if not _enabled(config, known):
        problems.append("venues: expected at least one enabled, was none")
    return tuple(problems)


def venue_options(config: Config, known: Sequence[str]) -> dict[str, VenueOptions]:
    """The options of each venue to collect from, in the registry's order.

    Raises:
        ConfigError: A name is unknown, or no venue is enabled.
    """
    problems = venue_problems(config, known)
    if problems:
        raise ConfigError("; ".join(problems))
    return _enabled(config, known)


def _enabled(config: Config, known: Sequence[str]) -> dict[str, VenueOptions]:
    options = {name: config.venues.get(name, VenueOptions()) for name in known}
    return {name: option for name, option in options.items() if option.enabled}
