"""Where do events wait for the one who reads them, and what if he is slow?

    Link ── put ──▶ Inbox ── take ──▶ the switchboard
             ▲
             the seam: every event of a PBX passes here, once, in order, already believed.
             A durable journal stands between: `Link(on_frames=journal.put)`, which writes
             down and then calls `inbox.put`; nothing else changes.

The reader is woken at once by what is `urgent`; of anything else he is told after `gather`
seconds, for what a PBX says of one moment comes in pieces, and each waking costs more than most
pieces.

A waiting frame costs about 0.6 KB. At `warn_at` the operator is told. At `limit` nothing more is
taken: `put` says False, the link drops itself on purpose, and the resync after its return heals
the gap, which is better than a PBX that runs out of memory for us.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from cti.pbx.aside import SetAside
from cti.pbx.frames import Frame
from cti.pbx.reader import sound

log = structlog.get_logger(__name__)

SETTLE: Final = 0.04
"""Seconds in which frames of a PBX gather that no ringing phone waits for."""


class Inbox:
    """The bounded queue of one PBX, with one consumer.

    `given` and `taken` count frames for ever. A link tells its state between two calls of `put`,
    so that `given` at that moment is the place of the change in the stream.
    """

    def __init__(
        self,
        aside: SetAside,
        *,
        warn_at: int = 20_000,
        limit: int = 100_000,
        gather: float = 0.0,
        urgent: Callable[[Frame], bool] = lambda _frame: True,
    ) -> None:
        self.aside = aside
        self._gather, self._urgent = gather, urgent
        self.warn_at = warn_at
        self.limit = limit
        self.given = 0
        self.taken = 0
        self.high = 0
        self.overflows = 0
        self._pieces = deque[list[Frame]]()
        self._some = asyncio.Event()
        self._later: asyncio.TimerHandle | None = None
        self._warned = False

    @property
    def waiting(self) -> int:
        """How many frames wait now."""
        return self.given - self.taken

    def put(self, frames: list[Frame]) -> bool:
        """Take frames in. False: there is no room, and none of these was kept."""
        waiting = self.given - self.taken + len(frames)
        if waiting > self.limit:
            self.overflows += 1
            log.error("inbox_full", pbx=self.aside.pbx, waiting=self.waiting, limit=self.limit)
            return False
        self.given += len(frames)
        if waiting > self.high:
            self.high = waiting
        if waiting >= self.warn_at and not self._warned:
            self._warned = True
            log.warning("inbox_filling", pbx=self.aside.pbx, waiting=waiting, limit=self.limit)
        self._pieces.append(frames)
        if not self._gather or any(map(self._urgent, frames)):
            self._some.set()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(self._gather, self._some.set)
        return True

    async def take(self, at_most: int = 2_000) -> list[Frame]:
        """Wait for events; give what has gathered, in order, without those that are not sound.

        Stops after `at_most`, or a read's worth more, so that the loop breathes. Cancelled, it
        has taken nothing.
        """
        while True:
            await self.some()
            if good := self.take_now(at_most):
                return good
            await asyncio.sleep(0)

    async def some(self) -> None:
        """Wait until there are events to be taken now. Takes nothing."""
        await self._some.wait()

    def take_now(self, at_most: int = 2_000) -> list[Frame]:
        """Give what has gathered by now, as `take` does; none when there is nothing sound."""
        frames = list[Frame]()
        while self._pieces and len(frames) < at_most:
            frames += self._pieces.popleft()
        if not self._pieces:
            self._some.clear()
            if self._later is not None:
                self._later.cancel()
                self._later = None
        self.taken += len(frames)
        if self.waiting < self.warn_at // 2:
            self._warned = False
        return sound(frames, self.aside)
