"""How is a recording drawn? From peaks to the paths of an SVG, and times to places on it. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cti.errors import Refused
from cti.value import value
from recordings.record import Pause, Why

WIDTH: Final = 800
HEIGHT: Final = 32
"""Of one side, in the units of the drawing."""
QUIETEST: Final = 48
"""A recording whose loudest level is below this is drawn as quiet as it is."""

_TIME: Final = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):([0-5]\d)(?:[.,](\d{1,3}))?", re.ASCII)


@value
class Gap:
    """A time in a recording in which nothing was recorded, and who asked for that."""

    from_ms: int
    to_ms: int
    person: str
    why: Why
    x: int
    width: int


def paths(peaks: bytes, channels: int) -> list[str]:
    """Give the path of each side: a bar for each peak, the loudest as high as there is room."""
    count = len(peaks) // channels if channels else 0
    if not count:
        return []
    loudest = max(QUIETEST, *peaks)
    sides = [peaks[side * count : (side + 1) * count] for side in range(channels)]
    return [_path(side, loudest) for side in sides]


def _path(peaks: Sequence[int], loudest: int) -> str:
    middle, count = HEIGHT // 2, len(peaks)
    bars = []
    for at, level in enumerate(peaks):
        half = level * middle // loudest
        if half:
            bars.append(f"M{at * WIDTH // count} {middle - half}v{2 * half}")
    return f"M0 {middle}h{WIDTH}" + "".join(bars)


def gaps(pauses: Sequence[Pause], began: datetime | None, duration_ms: int) -> list[Gap]:
    """Give the pauses that fall into a recording; one without an end lasts to its end."""
    if began is None or not duration_ms:
        return []
    found = []
    for pause in pauses:
        first = _ms(pause.began - began)
        last = _ms(pause.ended - began) if pause.ended else duration_ms
        first, last = max(0, first), min(duration_ms, last)
        if first < last:
            x = place(first, duration_ms)
            width = max(1, place(last, duration_ms) - x)
            found.append(
                Gap(
                    from_ms=first,
                    to_ms=last,
                    person=pause.person,
                    why=pause.why,
                    x=x,
                    width=width,
                )
            )
    return found


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def place(at_ms: int, duration_ms: int) -> int:
    """Give where on the drawing a moment is."""
    return min(WIDTH, at_ms * WIDTH // duration_ms) if duration_ms else 0


def clock(ms: int) -> str:
    """Write a moment of a recording as `m:ss` or `h:mm:ss`."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def read_clock(text: str) -> int:
    """Read such a moment, in milliseconds. Raises `Refused` (marker_time)."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise Refused("marker_time", "write a moment as 1:05")
    hours, minutes, seconds, rest = found.groups()
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int((rest or "").ljust(3, "0") or 0)
