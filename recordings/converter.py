"""Which recordings become smaller, and when does what the PBX wrote go? By the house's rules.

    1. what is older than `opus_after` is written as Opus, read back, and only then noted
    2. what the PBX wrote stays beside it for `original_kept`, then goes, unless something holds it

Length and hash of both stay known. Broken off anywhere, it is done again.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from cti.clock import Clock
from cti.errors import CtiError, Refused
from cti.house import RecordingRules
from recordings.audio import looked
from recordings.opus import converted, fits
from recordings.record import Hold, Original, Recording
from recordings.storage import Put, Storage
from recordings.store import RecordingStore

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 60.0
AT_ONCE: Final = 50
REST: Final = 0.05
"""Seconds between two files: calls come first."""


class Holds(Protocol):
    """What holds recordings now (`recordings.keeper.Keeper.holds`)."""

    async def __call__(
        self, calls: Collection[str], recordings: Collection[str] = ()
    ) -> Mapping[str, list[Hold]]:
        """Give it by call, and by recording."""
        ...


class Converter:
    """Makes recordings smaller, one after the other. `run` is its one task."""

    def __init__(
        self,
        store: RecordingStore,
        storage: Storage,
        *,
        holds: Holds,
        house: Callable[[], RecordingRules],
        clock: Clock,
        scratch: Path,
        turn: asyncio.Lock | None = None,
    ) -> None:
        """`turn` is had by whoever puts a content into the storage until its row is stored."""
        self._store, self._storage, self._holds = store, storage, holds
        self._house, self._clock, self._scratch = house, clock, scratch
        self._turn = turn or asyncio.Lock()
        self._left = set[str]()
        """Those that cannot be Opus: not tried again by this process."""

    async def run(self) -> None:
        """Convert and drop for ever; a fault is told and tried again. Ends by being cancelled."""
        told = False
        while True:
            try:
                await self.look()
                told = False
            except CtiError as fault:
                if not told:
                    log.error("recordings_not_converted", code=fault.code, why=str(fault))
                told = True
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> tuple[int, int]:
        """Convert and drop all that is due; count both. Doing it again does nothing."""
        return await self._convert_all(), await self._drop_all()

    # -- converting

    async def _convert_all(self) -> int:
        done, after = 0, ""
        while self._house().opus:
            before = self._clock.now() - self._house().opus_after
            some = await self._store.convertible(before, after, AT_ONCE)
            if not some:
                break
            after = some[-1].id
            for one in some:
                if one.id not in self._left:
                    done += await self._convert(one)
                    await asyncio.sleep(REST)
        if done:
            log.info("recordings_converted", converted=done)
        return done

    async def _convert(self, one: Recording) -> bool:
        async with self._turn:
            try:
                made = await asyncio.to_thread(self._made, one)
            except Refused as fault:
                self._left.add(one.id)
                log.warning("recording_not_converted", recording=one.id, code=fault.code)
                return False
            if made is None:
                self._left.add(one.id)
                return False
            put, duration_ms = made
            now = self._clock.now()
            original = Original(
                recording=one.id,
                place=one.place,
                key_id=one.key_id,
                sha256=one.sha256,
                size=one.size,
                format=one.format,
                duration_ms=one.duration_ms or 0,
                converted_at=now,
            )
            if await self._store.converted(original, put, duration_ms):
                return True
            if not await self._store.sharing(put.place):  # it was deleted meanwhile
                await asyncio.to_thread(self._storage.forget, put.place)
            return False

    def _made(self, one: Recording) -> tuple[Put, int] | None:
        """Put the Opus of a recording into the storage; None where it cannot be one."""
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._storage.open(one.place) as reader:
            sound = looked(reader.read, reader.size, one.source)
            if not fits(sound):
                return None
            with converted(sound, reader.read, self._scratch) as (made, content):
                return self._storage.put(content), made.duration_ms

    # -- dropping

    async def _drop_all(self) -> int:
        now, done, after = self._clock.now(), 0, ""
        kept: timedelta = self._house().original_kept
        while some := await self._store.old_originals(now - kept, after, AT_ONCE):
            after = some[-1][0].id
            calls = {one.call for one, _ in some if one.call}
            holding = await self._holds(calls, [one.id for one, _ in some])
            for one, original in some:
                if one.id in holding or (one.call or "") in holding:
                    continue
                await self._store.drop_original(original, now)
                done += 1
        async with self._turn:
            for place in await self._store.dropped_places():
                with suppress(FileNotFoundError):
                    await asyncio.to_thread(self._storage.forget, place)
                await self._store.emptied(place)
        if done:
            log.info("originals_dropped", dropped=done)
        return done
