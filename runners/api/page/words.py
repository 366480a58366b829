"""Words: how the page writes times and amounts. Everything is text or safe markup made of our own figures.

A time is a ``<time>`` element with its RFC 3339 moment. What is said relative to now (``data-since``,
``data-until``) is written here for whoever has no scripts, and kept current by the page's own script with the
same words; ``live`` rendering leaves it empty, so that an update differs only where the fleet does.
"""

from datetime import UTC, datetime
from itertools import cycle

from markupsafe import Markup, escape

from runners.wire.times import Time, rfc3339, unix_seconds

MINUTE = 60
HOUR = 3600
DAY = 86_400


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 5 s``, ``2 h 5 min``, ``3 d 4 h``: two figures at most, never below 0."""
    whole = int(max(0.0, seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return _two(whole // MINUTE, "min", whole % MINUTE, "s")
    if whole < DAY:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
    return _two(whole // DAY, "d", whole % DAY // HOUR, "h")


def span(seconds: float) -> str:
    """A measured time: ``0.3 s`` where tenths tell something, else as ``duration``."""
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)  # noqa: PLR2004 - tenths tell less above


class Times:
    """Writes moments as seen at one reading.

    Args:
        now: Unix seconds of the reading.
        live: leave to the script what depends on now.
    """

    def __init__(self, now: float, *, live: bool) -> None:
        self._now = now
        self._live = live

    def since(self, moment: Time) -> Markup:
        """How long ago it was."""
        text = "" if self._live else duration(self._now - unix_seconds(moment))
        return Markup('<time datetime="{}" data-since>{}</time>').format(moment, text)

    def until(self, moment: Time) -> Markup:
        """How long until then; ``now`` when that is over."""
        left = unix_seconds(moment) - self._now
        text = "" if self._live else f"in {duration(left)}" if left > 0 else "now"
        return Markup('<time datetime="{}" data-until>{}</time>').format(moment, text)

    def clock(self, moment: Time) -> Markup:
        """The time of day, UTC; with its day when that is another than today."""
        day, _, rest = moment.partition("T")
        today = rfc3339(self._now).partition("T")[0]
        text = rest[:8] if day == today else f"{_day(moment)} {rest[:5]}"
        return Markup('<time datetime="{}">{}</time>').format(moment, text)


def code(text: str) -> Markup:
    """A sentence of our own notes with its `words` set as code; everything is escaped first."""
    pieces = str(escape(text)).split("`")
    return Markup("").join(
        Markup(f"<code>{piece}</code>" if odd else piece)  # noqa: S704 - escaped above
        for piece, odd in zip(pieces, cycle((False, True)))
    )


def usd(amount: float) -> str:
    """``$1,234.50``; cents are enough for people."""
    return f"${amount:,.2f}"


def _two(first: int, word: str, second: int, small: str) -> str:
    return f"{first} {word} {second} {small}" if second else f"{first} {word}"


def _day(moment: Time) -> str:
    return datetime.fromtimestamp(unix_seconds(moment), tz=UTC).strftime("%b %d")
