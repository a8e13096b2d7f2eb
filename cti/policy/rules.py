"""Which of the files that were loaded is in force at an instant? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Somebody loaded a house file. `begins_at` is the beginning of its day, None: at once."""

    n: int
    at: datetime
    who: str
    version: str
    effective_from: date | None
    begins_at: datetime | None

    def waits(self, at: datetime) -> bool:
        """Tell whether its day is still to come."""
        return self.begins_at is not None and self.begins_at > at


def in_force(loads: Sequence[Load], at: datetime) -> Load | None:
    """Give what is in force at an instant; `loads` are in the order of loading.

    The file that was loaded last counts, from its day on; until then stays what was in force
    when it was loaded. A file that waits is thus withdrawn by loading another. The very first
    counts at once, for there is nothing else (requirement section 23).
    """
    for one in reversed(loads):
        if not one.waits(at):
            return one
        at = min(at, one.at)
    return loads[0] if loads else None


def waiting(loads: Sequence[Load], at: datetime) -> Load | None:
    """Give what was loaded last and waits for its day, None when nothing does."""
    last = loads[-1] if loads else None
    return last if last and last.waits(at) and last != in_force(loads, at) else None
