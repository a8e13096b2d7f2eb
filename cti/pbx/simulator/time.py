"""What happens when? The simulated PBX's own time, and the lives that wait in it.

Nothing here sleeps or runs in a task: what is due happens in order, each thing at exactly its own
instant, so that Timestamps are right however busy the machine is. `speed` says how fast that time
goes against the clock's; at 0 it stands until `passes` moves it, and a test waits for nothing.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from cti.clock import Clock

SECOND: Final = 1_000_000
STAMP: Final = 61
"""Microseconds from one event to the next: Asterisk's own are 10 to 1000 apart."""


@dataclass(slots=True, eq=False)
class Timer:
    """Something that will happen unless it is called off."""

    do: Callable[[], None] | None

    def off(self) -> None:
        """Call it off; once it has happened this changes nothing."""
        self.do = None


class Timeline:
    """Simulated time in microseconds since 1970, and what is to happen in it."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock, self.speed = clock, speed
        self._zero = round(clock.now().timestamp() * SECOND)
        self._mark, self._skipped = clock.monotonic(), 0
        self.at = self._zero
        self._due: list[tuple[int, int, Timer]] = []
        self._serial = 0
        self._busy = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def now(self) -> int:
        """Give the instant that the clock has reached; `at` may stand behind it, never before."""
        passed = (self._clock.monotonic() - self._mark) * self.speed
        return self._zero + self._skipped + int(passed * SECOND)

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock, then stand at the present.

        From within something that happens this does nothing: that is at its own instant.
        """
        self._until(self.now())

    def stamp(self) -> str:
        """Give a Timestamp for one event; no two are the same."""
        self.at += STAMP
        return f"{self.at // SECOND}.{self.at % SECOND:06d}"

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Let something happen that many simulated seconds from the instant that is reached."""
        timer = Timer(do)
        self._serial += 1
        heapq.heappush(self._due, (self.at + round(seconds * SECOND), self._serial, timer))
        self._arm()
        return timer

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Follow the clock from now on."""
        self._loop = loop
        self._arm()

    def end(self) -> None:
        """Stand still for good, and forget what was to happen."""
        self._loop = None
        self._due.clear()
        self._disarm()

    async def passes(self, seconds: float) -> None:
        """Let simulated time pass at once; what falls due meanwhile happens at its instant."""
        self._skipped += round(seconds * SECOND)
        self._until(self.now())
        await asyncio.sleep(0)  # so that what was written goes out

    def _until(self, instant: int) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            while self._due and self._due[0][0] <= instant:
                due, _, timer = heapq.heappop(self._due)
                self.at = max(self.at, due)
                if (do := timer.do) is not None:
                    timer.do = None
                    do()
            self.at = max(self.at, instant)
        finally:
            self._busy = False
            self._arm()

    def _arm(self) -> None:
        self._disarm()
        if self._loop is None or not self._due or self.speed <= 0:
            return
        wait = (self._due[0][0] - self.now()) / SECOND / self.speed
        self._alarm = self._loop.call_later(max(wait, 0.0), self.catch_up)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


T = TypeVar("T")
Life = Generator[float | None, object, T]
"""Waits by `word = yield seconds`: the next word said to it, or None when the seconds are over.

`yield None` waits for a word alone.
"""


class Living:
    """Leads one life: hands it the words that are said to it, one after the other."""

    def __init__(self, time: Timeline, life: Life[None]) -> None:
        self._time, self._life = time, life
        self._words: deque[object] = deque()
        self._timer: Timer | None = None
        self._busy = False
        self.over = False

    def begin(self) -> None:
        """Let the life begin."""
        self._lead([None])

    def say(self, word: object) -> None:
        """Say something to it; what is said to the dead is lost."""
        if self._busy:
            self._words.append(word)
        elif not self.over:
            self._lead([word])

    def end(self) -> None:
        """Let it vanish without another word."""
        self.over = True
        self._words.clear()
        self._silence()
        if not self._busy:
            self._life.close()

    def _lead(self, words: list[object]) -> None:
        self._words.extend(words)
        self._busy = True
        try:
            while self._words and not self.over:
                self._silence()
                wait = self._life.send(self._words.popleft())
                if wait is not None and not self._words:
                    self._timer = self._time.after(wait, self._late)
        except StopIteration:
            self.over = True
        finally:
            self._busy = False

    def _late(self) -> None:
        self._lead([None])

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.off()
            self._timer = None
