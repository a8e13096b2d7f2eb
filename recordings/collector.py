"""From the PBX's files to recordings: finds them, keeps them, has them linked.

It relies on no single event. A file that is closed and time wake it; a sweep finds what was not
heard of. What is done may be broken off anywhere and is done again:

    1. follow    calls that live or were over of late: which files did the PBX name?
    2. sweep     what is in the spools that is not kept as it now is?
    3. keep      what nobody writes any more: into the storage, read back, then a row
    4. link      what is stored, to its call; and judge which call has none

The PBX's files are read; they are never renamed, never deleted.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import structlog

from cti.clock import Clock
from cti.db.schema import new_id
from cti.errors import CtiError
from cti.house import House
from recordings import names, rules
from recordings.intake import Taken, is_whole, take
from recordings.linker import Calls, File, Linker
from recordings.names import Named, Side
from recordings.record import Recording, State
from recordings.rules import Room
from recordings.spool import Ears, Found, Source, SourceGone, Spool, mark
from recordings.storage import Storage, StorageUnavailable
from recordings.store import RecordingStore

log = structlog.get_logger(__name__)
T = TypeVar("T")

EVERY: Final = 1.0
"""Seconds between two looks when nothing wakes it."""
GATHER: Final = 0.1
"""Files that are closed within so many seconds are dealt with together."""
SWEEP_EVERY: Final = 10.0
SWEEP_SHARE: Final = 20
"""A sweep may take one part in so many of the time."""
DEEP_EVERY: Final = timedelta(seconds=15)
ROOM_EVERY: Final = timedelta(seconds=10)
AT_ONCE: Final = 64
BATCHES: Final = 16
WORKERS: Final = 3
STORAGE: Final = "storage"
KEEPING: Final = "keeping"
_GB: Final = 1_000_000_000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Waiting:
    """A recording's files that are not kept yet, by their sides."""

    spool: Source
    named: Named
    files: dict[Side, Found] = field(default_factory=dict)
    closed: set[Side] = field(default_factory=set)
    since: datetime = _NEVER
    """When the files were first seen as they are."""

    def sees(self, side: Side, found: Found, now: datetime, *, closed: bool) -> None:
        """Take over how a file is now."""
        if self.files.get(side) != found:
            self.files[side], self.since = found, now
            self.closed.discard(side)
        if closed:
            self.closed.add(side)

    def still(self, now: datetime) -> timedelta:
        """Say for how long nobody has written, by our clock or by the file system's."""
        written = datetime.fromtimestamp(self.changed / 1e9, UTC)
        return max(now - self.since, now - written)

    @property
    def file(self) -> File:
        """The PBX, and what it calls the file of both sides."""
        return self.spool.pbx, names.stored(self.named.whole)

    @property
    def size(self) -> int:
        """The bytes of all its files."""
        return sum(found.size for found in self.files.values())

    @property
    def changed(self) -> int:
        """When one of its files was last written, in nanoseconds."""
        return max(found.changed for found in self.files.values())


@dataclass(slots=True)
class Figures:
    """What was done, and how all stands, for who asks."""

    kept: int = 0
    bytes: int = 0
    waiting: int = 0
    free: dict[str, int] = field(default_factory=dict)
    """Bytes that are free in the storage, and where each PBX writes."""
    room: Room = Room.OK
    """The worst of them."""
    troubles: dict[str, str] = field(default_factory=dict)
    """What does not work now: `storage`, `keeping`, `database`, or a spool's name."""

    def parts(self) -> dict[str, str]:
        """Say how all stands, for the readiness of the daemon (LINE-12).

        Little room hinders nothing yet: the log, `/metrics` and the page of what is missing tell.
        """
        said = {f"recordings {what}": why for what, why in self.troubles.items()}
        if self.room is Room.FULL:
            free = {what: f"{free / _GB:.1f} GB" for what, free in self.free.items()}
            room = ", ".join(f"{what} {left}" for what, left in free.items())
            said["recordings room"] = f"{self.room.value}: free are {room}"
        return said or {"recordings": "ok"}


class Collector:
    """Collects the recordings of all spools. `run` is the one task that does."""

    def __init__(
        self,
        store: RecordingStore,
        storage: Storage,
        spools: Sequence[Source],
        *,
        calls: Calls,
        house: Callable[[], House],
        clock: Clock,
        stop_below: int,
    ) -> None:
        """`stop_below`: nothing is kept while the storage has fewer bytes free (REC-02)."""
        self.figures = Figures()
        self.turn = asyncio.Lock()
        """Had from a content's way into the storage until its row is stored: nobody may let the
        same content go meanwhile."""
        self._store, self._storage, self._spools = store, storage, spools
        self._house, self._clock, self._stop_below = house, clock, stop_below
        self._linker = Linker(store, calls, {spool.pbx for spool in spools}, house=house)
        self._waiting = dict[File, Waiting]()
        self._done = set[int]()
        self._ready = self._stopped = False
        self._clear_since: datetime | None = None
        self._deep_at = self._room_at = _NEVER
        self._sweep_at = dict[str, float]()
        self._wake = asyncio.Event()
        self._threads = ThreadPoolExecutor(WORKERS, "recordings")
        self._ears = {one.name: Ears(one) for one in spools if isinstance(one, Spool)}

    async def run(self) -> None:
        """Collect for ever; a fault is told and tried again. Ends by being cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for spool in self._spools:
                    if spool.name in self._ears:
                        tasks.create_task(self._hear(spool), name=f"ears {spool.name}")
                while True:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), EVERY)
                        await asyncio.sleep(GATHER)
                    self._wake.clear()
                    try:
                        await self.look()
                    except CtiError as fault:
                        self._tell("database", fault)
                    else:
                        self._tell("database", None)
        finally:
            self.close()

    def close(self) -> None:
        """Hear no more; what a thread is about is finished, and found again if it was in vain."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for ears in self._ears.values():
            ears.close()
        for spool in self._spools:
            spool.close()

    async def look(self) -> None:
        """Do all that is to be done now. Doing it again does nothing."""
        now = self._clock.now()
        deep = now - self._deep_at >= DEEP_EVERY
        await self._linker.follow(now, deep=deep)
        await self._see_room(now)
        for spool in self._spools:
            await self._sweep(spool, now)
        await self._keep_all()
        await self._linker.link(self._clock.now(), deep=deep)
        await self._judge(now, deep=deep)

    async def _judge(self, now: datetime, *, deep: bool) -> None:
        """Let nothing be missing while something keeps us from collecting it."""
        if self.figures.troubles or self._stopped:
            self._clear_since = None
        elif self._clear_since is None:
            self._clear_since = now
        if deep:
            self._deep_at = now
            if self._clear_since is not None:
                await self._linker.judge(now, self._clear_since)

    # -- what is there

    async def _hear(self, spool: Source) -> None:
        async for path in self._ears[spool.name].closed():
            if path is None:
                self._sweep_at.pop(spool.name, None)
            else:
                now = self._clock.now()
                for found in await self._in_thread(spool.family, path):
                    self._see(spool, found, now, closed=found.path == path)
            self._wake.set()

    async def _sweep(self, spool: Source, now: datetime) -> None:
        """Look through a spool when it is time for it."""
        began = self._clock.monotonic()
        if began < self._sweep_at.get(spool.name, began):
            return
        before = {file for file, one in self._waiting.items() if one.spool is spool}
        self._sweep_at[spool.name] = began + SWEEP_EVERY
        try:
            swept = await self._in_thread(spool.sweep, self._done)
        except OSError as fault:
            self._tell(spool.name, fault)
            return
        self._tell(spool.name, None)
        self._sweep_at[spool.name] = began + max(
            SWEEP_EVERY, (self._clock.monotonic() - began) * SWEEP_SHARE
        )
        if ears := self._ears.get(spool.name):
            ears.follow(swept.folders)
        there = {self._see(spool, found, now, closed=spool.whole) for found in swept.found}
        for file in before - there:
            self._waiting.pop(file, None)  # the PBX took it away
        await self._forget_kept(spool, there - before)

    def _see(self, spool: Source, found: Found, now: datetime, *, closed: bool) -> File:
        named = spool.named(found, self._house().zone)
        one = Waiting(spool=spool, named=named)
        if mark(spool, found) not in self._done:
            one = self._waiting.setdefault(one.file, one)
            one.sees(named.side, found, now, closed=closed)
        return one.file

    async def _forget_kept(self, spool: Source, fresh: set[File]) -> None:
        """Let go of what an earlier process has kept as it still is."""
        kept = await self._store.latest(spool.pbx, [source for _, source in fresh])
        for file in fresh & self._waiting.keys():
            waiting, one = self._waiting[file], kept.get(file[1])
            if one and (one.source_size, one.source_changed) == (waiting.size, waiting.changed):
                self._let_go(waiting, waiting.files)

    def _let_go(self, one: Waiting, read: Mapping[Side, Found]) -> None:
        """Wait no more for files that are kept as they were read, unless they changed since."""
        self._done |= {mark(one.spool, found) for found in read.values()}
        if one.files == read and self._waiting.get(one.file) is one:
            del self._waiting[one.file]

    # -- keeping

    async def _keep_all(self) -> None:
        """Keep what is finished, the newest first, until nothing is, or nothing can be kept.

        After some batches the rest is left to the next look: calls end meanwhile.
        """
        batch, left = list[Waiting](), BATCHES
        for one in sorted(self._waiting.values(), key=lambda one: -one.changed):
            if self._ready and not self._stopped and await self._is_finished(one):
                batch.append(one)
            if len(batch) >= (1 if KEEPING in self.figures.troubles else AT_ONCE):
                await self._keep_batch(batch)
                batch, left = [], left - 1
            if not left:
                self._wake.set()
                break
        if batch:
            await self._keep_batch(batch)
        self.figures.waiting = len(self._waiting)
        if not self._waiting:
            self._tell(KEEPING, None)

    async def _is_finished(self, one: Waiting) -> bool:
        still = one.still(self._clock.now())
        closed = one.closed == one.files.keys()
        writes = self._linker.writes(one.file)
        if rules.finished(closed=closed, whole=False, still=still, writes=writes):
            return True
        if not rules.finished(closed=closed, whole=True, still=still, writes=writes):
            return False
        with suppress(SourceGone):
            path = next(iter(one.files.values())).path
            return await self._in_thread(is_whole, one.spool, path)
        return False

    async def _keep_batch(self, batch: Sequence[Waiting]) -> None:
        async with self.turn:
            await self._keep(batch)

    async def _keep(self, batch: Sequence[Waiting]) -> None:
        """Keep some recordings: their sound side by side, then their rows in one transaction."""
        read = {id(one): dict(one.files) for one in batch}
        async with asyncio.TaskGroup() as tasks:
            taking = [(one, tasks.create_task(self._take(one))) for one in batch]
        taken = [(one, told) for one, task in taking if (told := task.result())]
        by_pbx = {one.spool.pbx for one, _ in taken}
        there = {
            pbx: await self._store.latest(
                pbx, [one.file[1] for one, _ in taken if one.spool.pbx == pbx]
            )
            for pbx in by_pbx
        }
        now, rows, peaks, replaced = self._clock.now(), list[Recording](), dict[str, bytes](), []
        for one, told in taken:
            before = there[one.spool.pbx].get(one.file[1])
            row = _row(one, told, before, now)
            rows.append(row)
            peaks[row.id] = told.peaks
            if before and before.place and before.id == row.id and before.place != row.place:
                replaced.append(before.place)
        stored = await self._store.keep(await self._linker.with_calls(rows, now), peaks)
        replaced += [row.place for row, one in zip(rows, stored, strict=True) if one.gone_at]
        if taken:
            self._tell(KEEPING, None)
        for one, told in taken:
            self._let_go(one, read[id(one)])
            self.figures.kept += 1
            self.figures.bytes += told.put.size
        for place in replaced:
            if not await self._store.sharing(place):
                await self._in_thread(self._storage.forget, place)

    async def _take(self, one: Waiting) -> Taken | None:
        paths = {side: found.path for side, found in one.files.items()}
        try:
            return await self._in_thread(take, one.spool, paths, self._storage)
        except SourceGone as fault:
            log.info("recording_not_ready", pbx=one.spool.pbx, why=str(fault))
            one.closed.clear()
        except StorageUnavailable as fault:
            self._ready = False
            self._tell(KEEPING, fault)
        return None

    # -- room

    async def _see_room(self, now: datetime) -> None:
        """Make the storage ready, and see how much room there is (LINE-12, REC-02)."""
        if self._ready and now - self._room_at < ROOM_EVERY:
            return
        self._room_at = now
        try:
            if not self._ready:
                await self._in_thread(self._begin, await self._store.used())
            free = await self._in_thread(self._storage.room)
        except StorageUnavailable as fault:
            self._ready = False
            self._tell(STORAGE, fault)
            return
        self._ready = True
        self._tell(STORAGE, None)
        self.figures.free = {} if free is None else {STORAGE: free}
        for spool in self._spools:
            with suppress(OSError):
                if (left := await self._in_thread(spool.room)) is not None:
                    self.figures.free[spool.name] = left
        self._judge_room(free)

    def _begin(self, used: bool) -> None:
        self._storage.begin(used=used)

    def _judge_room(self, free: int | None) -> None:
        low, before = self._house().recordings.min_free_gb * _GB, self.figures.room
        self._stopped = rules.room(free, low, self._stop_below) is Room.FULL
        found = [rules.room(one, low, self._stop_below) for one in self.figures.free.values()]
        self.figures.room = max(found, key=list(Room).index, default=Room.OK)
        if self.figures.room is Room.OK and before is not Room.OK:
            log.info("recordings_recovered", what="room")
        elif self.figures.room is not before:
            log.warning("recordings_room", room=self.figures.room.value, free=self.figures.free)

    # -- help

    async def _in_thread(self, act: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act, *given)

    def _tell(self, what: str, fault: Exception | None) -> None:
        """Tell a trouble once when it begins, and once when it is over."""
        before = self.figures.troubles.get(what)
        if fault is None:
            if self.figures.troubles.pop(what, None) is not None:
                log.info("recordings_recovered", what=what)
            return
        why = fault.strerror if isinstance(fault, OSError) else getattr(fault, "what", "")
        self.figures.troubles[what] = why or str(fault)
        if before is None:
            code = fault.code if isinstance(fault, CtiError) else "spool"
            log.error("recordings_trouble", what=what, code=code, why=self.figures.troubles[what])


def _row(one: Waiting, told: Taken, before: Recording | None, now: datetime) -> Recording:
    """Give the row of what was kept: the one that awaited it, or that it changes, or a new one."""
    sound = told.sound
    changed = datetime.fromtimestamp(told.changed / 1e9, UTC)
    message = names.message(one.files[one.named.side].note) if one.named.side in one.files else None
    length = timedelta(milliseconds=sound.duration_ms if sound else 0)
    began = (message.began if message else None) or changed - length
    pbx, source = one.file
    row = Recording(
        id=new_id(now),
        pbx=pbx,
        kind=one.named.kind,
        state=State.DAMAGED if told.fault else State.STORED,
        source=source,
        source_size=told.size,
        source_changed=told.changed,
        channel=message.channel if message else "",
        began=began,
        ended=began + length if message and message.began else changed,
        duration_ms=sound.duration_ms if sound else None,
        size=told.put.size,
        sha256=told.put.sha256,
        format=sound.codec.value if sound else "",
        rate=sound.rate if sound else 0,
        channels=sound.channels if sound else 0,
        left=told.left,
        silence_share=told.silence_share,
        place=told.put.place,
        key_id=told.put.key_id,
        mended=told.mended,
        fault=told.fault,
        seen_at=now,
    )
    if before is None:
        return row
    if before.sha256 and rules.is_new_take(before, began):
        return replace(row, take=before.take + 1)
    return replace(row, id=before.id, take=before.take, call=before.call, seen_at=before.seen_at)
