"""How do many small changes become few durable commits?

One task commits whatever has gathered. What was put is never lost while the program runs: when
the database cannot be written it waits here, in order, and is tried again.

    put  ->  gathered batches  ->  one transaction  ->  after(result)
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from cti.errors import CommitUnknown, StoreUnavailable

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")

GATHER: Final = timedelta(milliseconds=50)
"""So long a change may wait for others, if nobody waits for it."""
AT_ONCE: Final = 1_000
LIMIT: Final = 20_000
REFUSED: Final = (SQLAlchemyError, ValueError, ArithmeticError)
"""What a driver raises for a value that it cannot store, as half a character or 2**70."""
BACK_OFF: Final = (timedelta(milliseconds=200), timedelta(seconds=5))


class Writer(Generic[T, R]):
    """Commits what was put, in order, and never splits what was put together.

    `apply` writes items in one transaction and must bear the same items twice: after a commit
    of unknown fate they are applied again. `after` is told its result once, right after the
    commit. A batch that the database refuses for good (not: cannot take now) is set aside alone,
    counted and given to `on_refused`; the others go on.

    What somebody waits for is put `soon`, and takes all with it that was put before; the rest
    gathers for a while, so that there are fewer commits.

    Full means that `limit` items wait: then `put` takes nothing and raises. Whoever feeds the
    writer waits for `room` first, so that the pressure goes back to where items come from.
    """

    def __init__(
        self,
        apply: Callable[[list[T]], Awaitable[R]],
        *,
        after: Callable[[R], None] = lambda _result: None,
        on_trouble: Callable[[StoreUnavailable], None] = lambda _fault: None,
        on_recovered: Callable[[], None] = lambda: None,
        on_refused: Callable[[Sequence[T], Exception], None] = lambda _batch, _fault: None,
        gather: timedelta = GATHER,
        at_once: int = AT_ONCE,
        limit: int = LIMIT,
        back_off: tuple[timedelta, timedelta] = BACK_OFF,
    ) -> None:
        self._apply, self._after = apply, after
        self._on_trouble, self._on_recovered = on_trouble, on_recovered
        self._on_refused = on_refused
        self._gather = gather.total_seconds()
        self._at_once, self._limit = at_once, limit
        self._first_wait, self._longest_wait = (wait.total_seconds() for wait in back_off)
        self._batches: deque[list[T]] = deque()
        self._arrived, self._moved, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._soon = asyncio.Event()
        self._stopping = self._troubled = False
        self.waiting = 0
        """Items not yet stored."""
        self.refused = 0
        """Items that were set aside for good."""

    @property
    def full(self) -> bool:
        """Whether `put` would refuse."""
        return self.waiting >= self._limit

    @property
    def troubled(self) -> bool:
        """Whether the last try failed."""
        return self._troubled

    def put(self, batch: Sequence[T], *, soon: bool = True) -> None:
        """Take items to be stored in one transaction, after all that was put before.

        `soon`: somebody waits for it. Never waits. Raises `StoreUnavailable` (store_full) and
        takes nothing when full.
        """
        if self.full:
            raise StoreUnavailable(
                f"{self.waiting} changes wait to be stored: no more are taken",
                "see why the database cannot be written; cti goes on by itself",
                code="store_full",
            )
        if batch:
            self._batches.append(list(batch))
            self.waiting += len(batch)
            self._arrived.set()
            if soon:
                self._soon.set()

    def pending(self) -> list[T]:
        """Give the items that are not yet stored, in order."""
        return [item for batch in self._batches for item in batch]

    async def room(self) -> None:
        """Wait until `put` would take something."""
        while self.full:
            await self._movement()

    async def settled(self) -> None:
        """Wait until all that was put has been stored (or set aside)."""
        while self.waiting:
            await self._movement()

    async def run(self) -> None:
        """Store what comes, until `stop`. The one task that does; give it to a TaskGroup."""
        while True:
            while not self._batches:
                if self._stopping:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            await self._gathered()
            count = self._next()
            if count == len(self._batches):
                self._soon.clear()
            await self._store(count)

    async def stop(self, within: timedelta) -> int:
        """Store what waits, then let `run` end. Give how many items could not be stored.

        When the deadline passes, `run` is to be cancelled by whoever runs it.
        """
        self._stopping = True
        self._soon.set()
        self._hurry.set()
        self._arrived.set()
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self.settled()
        except TimeoutError:
            log.error("writer_stopped_early", unsaved=self.waiting)
        return self.waiting

    async def _gathered(self) -> None:
        """Let more come, until somebody waits for it."""
        if self._soon.is_set() or self._stopping:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self._gather):
                await self._soon.wait()

    def _next(self) -> int:
        """Count the batches that fit into one transaction: at least one."""
        items = 0
        for count, batch in enumerate(self._batches):
            items += len(batch)
            if count and items > self._at_once:
                return count
        return len(self._batches)

    async def _store(self, count: int) -> None:
        """Store the first `count` batches, however long it takes."""
        wait = self._first_wait
        while True:
            batches = [self._batches[place] for place in range(count)]
            try:
                result = await self._apply([item for batch in batches for item in batch])
            except (StoreUnavailable, CommitUnknown) as fault:
                self._trouble(fault)
                await self._pause(wait)
                wait = min(wait * 2, self._longest_wait)
            except REFUSED as fault:
                if count == 1:
                    return self._set_aside(fault)
                count = 1  # find the one that cannot be stored
            else:
                return self._stored(count, result)

    def _stored(self, count: int, result: R) -> None:
        self._drop(count)
        if self._troubled:
            self._troubled = False
            log.info("store_recovered", waiting=self.waiting)
            self._on_recovered()
        self._after(result)

    def _set_aside(self, fault: Exception) -> None:
        batch = self._drop(1)
        self.refused += len(batch)
        log.error(
            "store_refused", items=len(batch), fault=type(getattr(fault, "orig", fault)).__name__
        )
        self._on_refused(batch, fault)

    def _drop(self, count: int) -> list[T]:
        gone = [item for _ in range(count) for item in self._batches.popleft()]
        self.waiting -= len(gone)
        self._moved.set()
        return gone

    def _trouble(self, fault: StoreUnavailable | CommitUnknown) -> None:
        if isinstance(fault, CommitUnknown):
            log.warning("commit_unknown", waiting=self.waiting)
        elif not self._troubled:
            self._troubled = True
            log.error("store_trouble", code=fault.code, fault=fault.what, todo=fault.todo)
            self._on_trouble(fault)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try; a stop makes it come at once, but only the first time."""
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return
        self._hurry.clear()

    async def _movement(self) -> None:
        self._moved.clear()
        await self._moved.wait()
