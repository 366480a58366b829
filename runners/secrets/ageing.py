"""When a credential that ends should have been replaced already: late, though it still works.

Whoever is told then has time to act: eight minutes for a token of GitHub's hour, a week for one of Fly's.
"""

from runners.model.timing import Timing

# Periods of credentials that pass before a GitHub token which was not renewed is called late.
PERIODS_LATE = 4
FLY_LATE_S = 7 * 86_400.0

_UNITS = (
    (2 * 86_400.0, 86_400.0, "days"),
    (2 * 3_600.0, 3_600.0, "h"),
    (120.0, 60.0, "min"),
    (0.0, 1.0, "s"),
)


def late_below(timing: Timing) -> float:
    """Seconds of life below which a GitHub token is late.

    It is renewed at ``token_refresh_margin``, with up to a period until the publisher looks and one until we
    read; two more are a failed pass of each.
    """
    margin = timing.token_refresh_margin
    return max(margin / 2, margin - PERIODS_LATE * timing.credentials_period)


def in_words(seconds: float) -> str:
    """A time in the unit that suits it; ``3 days ago`` for one that is over."""
    size = abs(seconds)
    unit, word = next((unit, word) for least, unit, word in _UNITS if size >= least)
    return f"{size / unit:.0f} {word}" + (" ago" if seconds < 0 else "")
