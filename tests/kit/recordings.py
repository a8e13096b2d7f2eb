"""Recordings with real sound, served: May's call, Bo's call, a transfer of both, a voicemail.

Nobody collects here: the sound is put where a collector would have put it.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from cti.clock import Clock, SetClock
from cti.db.engine import Database
from cti.db.schema import new_id
from cti.house import RecordingRules
from recordings.audio import measured
from recordings.listening import Concerned, Listening
from recordings.record import Kind, NamedBy, Pause, Recording, State
from recordings.routes import RecordingRoom
from recordings.seal import Keys
from recordings.storage import LocalFolder
from recordings.store import RecordingStore, pauses
from tests.kit.sound import stairs, wav
from tests.kit.web import BO, CAST, MAY, NOON

BEGAN = datetime(2026, 11, 22, 2, tzinfo=UTC)
SPEECH = wav(stairs(60))
NAMES = {person.id: person.name for person in CAST} | {"c-wang": "王小明"}


@dataclass
class Archive:
    """Recordings, with what is asked of the other rooms told by the test."""

    store: RecordingStore
    storage: LocalFolder
    clock: Clock
    db: Database
    folder: Path
    concerned: dict[str, set[str]] = field(default_factory=dict)
    ask: Concerned | None = None
    """What tells whose calls they are; else what the test says in `concerned`."""
    rules: RecordingRules = field(default_factory=RecordingRules)
    listening: Listening = field(init=False)

    def __post_init__(self) -> None:
        self.listening = Listening(
            self.store, self.storage, concerned=self._concerned, rules=self._rules, clock=self.clock
        )

    @property
    def room(self) -> RecordingRoom:
        return RecordingRoom(self.listening, who=lambda one: NAMES.get(one, one), customers=_names)

    async def keeps(
        self, file: bytes = SPEECH, name: str = "a.wav", minute: int = 0, **known: Any
    ) -> Recording:
        """Put a file where a collector would put it; give what is known of it."""
        put = self.storage.put([file])
        found = measured(lambda at, length: file[at : at + length], len(file), name)
        began = BEGAN + timedelta(minutes=minute)
        made = Recording(
            id=new_id(began),
            pbx="main",
            kind=Kind.CALL,
            state=State.LINKED,
            source=f"/var/spool/asterisk/monitor/{minute}-{name}",
            call="call-may",
            named_by=NamedBy.EVENT,
            agent="6001",
            person=MAY.id,
            began=began,
            ended=began + timedelta(milliseconds=found.sound.duration_ms),
            duration_ms=found.sound.duration_ms,
            size=put.size,
            sha256=put.sha256,
            format=str(found.sound.codec),
            rate=found.sound.rate,
            channels=found.sound.channels,
            silence_share=found.silence_share,
            place=put.place,
            key_id=put.key_id,
            seen_at=began,
        )
        made = replace(made, **known)
        await self.store.keep([made], {made.id: found.peaks})
        return made

    async def pauses(self, one: Pause) -> None:
        """Let a call's recording have been paused."""
        async with self.db.write() as conn:
            row = {column.name: getattr(one, column.name) for column in pauses.columns}
            await conn.execute(insert(pauses).values(row))

    async def _concerned(self, calls: Collection[str]) -> Mapping[str, Collection[str]]:
        if self.ask is not None:
            return await self.ask(calls)
        return {call: self.concerned.get(call, set()) for call in calls}

    def _rules(self) -> RecordingRules:
        return self.rules


async def _names(customers: Collection[str]) -> Mapping[str, str]:
    return {one: NAMES[one] for one in customers if one in NAMES}


@asynccontextmanager
async def archive(
    db: Database, folder: Path, clock: Clock | None = None, keys: Keys | None = None
) -> AsyncIterator[Archive]:
    """An empty archive."""
    storage = LocalFolder(folder, keys)
    storage.begin(used=False)
    yield Archive(RecordingStore(db), storage, clock or SetClock(NOON), db, folder)


BO_CALL: dict[str, Any] = {"call": "call-bo", "agent": "6002", "person": BO.id}
