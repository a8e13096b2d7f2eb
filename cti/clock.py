"""What time is it? The only place that asks, so that tests can own the answer."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds from some fixed point, for durations alone."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Give the machine's time, aware, UTC."""
        return datetime.now(UTC)  # noqa: TID251  the one place

    def monotonic(self) -> float:
        """Give the machine's monotone seconds."""
        return time.monotonic()


class SetClock:
    """A clock that stands until it is told to go on."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.seconds = 0.0

    def now(self) -> datetime:
        """Give the instant that was set."""
        return self.at

    def monotonic(self) -> float:
        """Give the seconds passed since the beginning."""
        return self.seconds

    def go(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by
        self.seconds += by.total_seconds()
