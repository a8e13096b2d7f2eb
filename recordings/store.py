"""Keeps recordings: what is known of each, its peaks, pauses, markers and holds.

The sound lies in the storage; `place` says where. A row is known by its `mark`: the PBX and the
file's name with its take, or the call that should have one. So the same may be kept any number
of times.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, first_id, metadata
from cti.errors import Refused
from recordings.record import (
    Consent,
    Gone,
    Hold,
    Kind,
    Marker,
    NamedBy,
    Original,
    Pause,
    Recording,
    State,
    Told,
    Why,
    may_become,
)

_ID: Final = String(32)
_ODD_CLOCK: Final = timedelta(days=1)
"""So far may the PBX's clock be before ours where a row is looked for by its id."""
AT_ONCE: Final = 500
"""So many are asked for in one statement."""

recordings: Final = Table(
    "recordings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("mark", String(64), nullable=False, unique=True),
    Column("pbx", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("source_key", String(64), nullable=False, index=True),
    Column("take", Integer, nullable=False),
    Column("source_size", BigInteger, nullable=False),
    Column("source_changed", BigInteger, nullable=False),
    Column("call", _ID, index=True),
    Column("named_by", String(16)),
    Column("channel", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("person", _ID),
    Column("customer", _ID),
    Column("began", Instant),
    Column("ended", Instant),
    Column("duration_ms", BigInteger),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("format", String(16), nullable=False),
    Column("rate", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("left", String(16), nullable=False),
    Column("silence_share", Float),
    Column("peaks", LargeBinary),
    Column("place", String(200), nullable=False, index=True),
    Column("key_id", String(64)),
    Column("mended", Boolean, nullable=False),
    Column("fault", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("linked_at", Instant),
    Column("gone_at", Instant),
    Column("gone_reason", Text, nullable=False),
    Column("gone_policy", String(64), nullable=False),
    Index("ix_recordings_state_id", "state", "id"),
    Index("ix_recordings_customer_id", "customer", "id"),
    Index("ix_recordings_person_id", "person", "id"),
)
"""One row per file, or per call that should have one. Two rows may name one `place`: storage is
by content, and the same content is kept once."""

pauses: Final = Table(
    "recording_pauses",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("call", _ID, nullable=False, index=True),
    Column("recording", _ID),
    Column("began", Instant, nullable=False),
    Column("ended", Instant),
    Column("person", _ID, nullable=False),
    Column("why", String(16), nullable=False),
    Column("until", Instant),
)
"""By call, for the pause is there before the file is. At `until` it ends by itself."""

consents: Final = Table(
    "recording_consents",
    metadata,
    Column("call", _ID, primary_key=True),
    Column("told", String(16), nullable=False),
    Column("refused_at", Instant),
    Column("refused_by", _ID),
)
"""How the customer of a call was told of the recording, and whether he refused (REC-08)."""

originals: Final = Table(
    "recording_originals",
    metadata,
    Column("recording", _ID, primary_key=True),
    Column("place", String(200), nullable=False, index=True),
    Column("key_id", String(64)),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("format", String(16), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("converted_at", Instant, nullable=False),
    Column("dropped_at", Instant),
)
"""What the PBX wrote, where what is kept was made of it. `place` is empty once it was dropped."""

markers: Final = Table(
    "recording_markers",
    metadata,
    Column("id", _ID, primary_key=True),
    Column(
        "recording",
        _ID,
        ForeignKey("recordings.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("at_ms", BigInteger, nullable=False),
    Column("person", _ID, nullable=False),
    Column("text", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
)

holds: Final = Table(
    "recording_holds",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("call", _ID, nullable=False, index=True),
    Column("why", String(32), nullable=False),
    Column("ref", String(64), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("person", _ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("recording", _ID, index=True),
)
"""Holds are the call's: recordings that come later are held as well. What belongs to no call is
held by itself: then `call` is empty."""

cursors: Final = Table(
    "recording_cursors",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("call", _ID, nullable=False),
)
"""How far the calls that are over were looked at."""

_PLAIN: Final = tuple(one.name for one in fields(Recording))
_MARKER: Final = tuple(one.name for one in fields(Marker))
_COLUMNS: Final = tuple(recordings.c[name] for name in _PLAIN)
_HOLD: Final = tuple(one.name for one in fields(Hold))
_LINK: Final = ("call", "named_by", "agent", "person", "customer")


class Put(Protocol):
    """What the storage says that it keeps (`recordings.storage.Put`)."""

    @property
    def place(self) -> str:
        """Where."""
        ...

    @property
    def size(self) -> int:
        """Bytes before encryption."""
        ...

    @property
    def sha256(self) -> str:
        """The hash before encryption."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key, if it is sealed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tomb:
    """What a tombstone says: when a sound was deleted, why, by which rules, by whom."""

    at: datetime
    reason: Gone
    policy: str
    who: str
    why: str = ""
    """What a person said to it."""
    address: str = ""


class RecordingStore:
    """Recordings in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- reading

    async def get(self, recording: str) -> Recording:
        """Give one recording. Raises `Refused` (no_such_recording)."""
        found = await self._all(select(*_COLUMNS).where(recordings.c.id == recording))
        if not found:
            raise Refused("no_such_recording", "there is no such recording")
        return found[0]

    async def peaks(self, recording: str) -> bytes | None:
        """Give the peaks of one recording; None while they are not known."""
        async with self._db.read() as conn:
            found: bytes | None = await conn.scalar(
                select(recordings.c.peaks).where(recordings.c.id == recording)
            )
            return found

    async def of_call(self, call: str) -> list[Recording]:
        """Give the recordings of a call, in the order in which they began."""
        return (await self.of_calls([call])).get(call, [])

    async def of_calls(self, calls: Collection[str]) -> dict[str, list[Recording]]:
        """Give the recordings of many calls, by call."""
        found: dict[str, list[Recording]] = {}
        asked = sorted(set(calls))
        for start in range(0, len(asked), AT_ONCE):
            some = recordings.c.call.in_(asked[start : start + AT_ONCE])
            for one in await self._all(select(*_COLUMNS).where(some).order_by(recordings.c.id)):
                found.setdefault(str(one.call), []).append(one)
        for of_one in found.values():
            of_one.sort(key=lambda one: (one.began or one.seen_at, one.id))
        return found

    async def of_customer(
        self, customer: str, before: str | None = None, limit: int = 50
    ) -> list[Recording]:
        """Give a customer's recordings, newest first, from before the recording `before` on."""
        return await self._page(recordings.c.customer == customer, before, limit)

    async def of_person(
        self, person: str, before: str | None = None, limit: int = 50
    ) -> list[Recording]:
        """Give an agent's recordings, newest first, from before the recording `before` on."""
        return await self._page(recordings.c.person == person, before, limit)

    async def missing(self, before: str | None = None, limit: int = 50) -> list[Recording]:
        """Give the calls' recordings that nobody can hear (REC-07): missing, or damaged.

        Newest first, from before the row `before` on.
        """
        damaged = (recordings.c.state == State.DAMAGED.value) & recordings.c.call.is_not(None)
        return await self._page(
            (recordings.c.state == State.MISSING.value) | damaged, before, limit
        )

    async def orphans(self, before: str | None = None, limit: int = 50) -> list[Recording]:
        """Give what belongs to no call, newest first, from before the recording `before` on."""
        nobodys = (recordings.c.state == State.DAMAGED.value) & recordings.c.call.is_(None)
        return await self._page((recordings.c.state == State.ORPHAN.value) | nobodys, before, limit)

    async def kept(self, before: str | None = None, limit: int = 50) -> list[Recording]:
        """Give what has sound, newest first, from before the recording `before` on."""
        return await self._page(recordings.c.place != "", before, limit)

    async def counts(self) -> dict[State, int]:
        """Count the recordings of each state, without those whose sound is away."""
        async with self._db.read() as conn:
            rows = await conn.execute(
                select(recordings.c.state, func.count().label("n"))
                .where(recordings.c.gone_at.is_(None))
                .group_by(recordings.c.state)
            )
            return {State(row.state): row.n for row in rows}

    async def unlinked(
        self, states: Collection[State], since: datetime | None = None, limit: int = AT_ONCE
    ) -> list[Recording]:
        """Give what is kept and belongs to no call, oldest first, first seen since an instant."""
        asked = select(*_COLUMNS).where(
            recordings.c.state.in_(sorted(state.value for state in states)),
            recordings.c.call.is_(None),
            recordings.c.gone_at.is_(None),
        )
        if since is not None:
            asked = asked.where(recordings.c.id >= first_id(since))
        return await self._all(asked.order_by(recordings.c.id).limit(limit))

    async def latest(self, pbx: str, sources: Collection[str]) -> dict[str, Recording]:
        """Give the latest take of each file that a PBX named, by its name."""
        found: dict[str, Recording] = {}
        keys = {_source_key(pbx, source): source for source in sources}
        asked = sorted(keys)
        for start in range(0, len(asked), AT_ONCE):
            some = recordings.c.source_key.in_(asked[start : start + AT_ONCE])
            asked_of: Select[Any] = select(*_COLUMNS, recordings.c.source_key).where(some)
            async with self._db.read() as conn:
                for row in await conn.execute(asked_of.order_by(recordings.c.take)):
                    found[keys[row.source_key]] = _recording(row)
        return found

    async def sharing(self, place: str) -> int:
        """Count what lies at a place, originals too: the last that goes takes it along."""
        async with self._db.read() as conn:
            kept = and_(recordings.c.place == place, recordings.c.gone_at.is_(None))
            also = and_(originals.c.place == place, originals.c.dropped_at.is_(None))
            found = [await conn.scalar(select(func.count()).where(one)) for one in (kept, also)]
            return sum(one or 0 for one in found)

    async def pauses_of(self, call: str) -> list[Pause]:
        """Give the pauses of a call, in order."""
        async with self._db.read() as conn:
            asked = select(pauses).where(pauses.c.call == call).order_by(pauses.c.began)
            return [_pause(row) for row in await conn.execute(asked)]

    async def open_pauses(self) -> list[Pause]:
        """Give the pauses that nobody has ended, in order."""
        async with self._db.read() as conn:
            asked = select(pauses).where(pauses.c.ended.is_(None)).order_by(pauses.c.began)
            return [_pause(row) for row in await conn.execute(asked)]

    async def consents_of(self, calls: Collection[str]) -> dict[str, Consent]:
        """Give how the customers of calls were told, and who refused, by call."""
        found: dict[str, Consent] = {}
        asked = sorted(set(calls))
        async with self._db.read() as conn:
            for start in range(0, len(asked), AT_ONCE):
                some = consents.c.call.in_(asked[start : start + AT_ONCE])
                for row in await conn.execute(select(consents).where(some)):
                    found[row.call] = _consent(row)
        return found

    async def markers_of(self, recording: str) -> list[Marker]:
        """Give the markers of a recording, in the order of the sound."""
        async with self._db.read() as conn:
            asked = select(markers).where(markers.c.recording == recording)
            rows = await conn.execute(asked.order_by(markers.c.at_ms, markers.c.id))
            return [Marker(**row._mapping) for row in rows]

    async def holds_of(self, call: str) -> list[Hold]:
        """Give the holds of a call, those that are over too, in order."""
        async with self._db.read() as conn:
            asked = select(holds).where(holds.c.call == call).order_by(holds.c.since)
            return [Hold(**row._mapping) for row in await conn.execute(asked)]

    # -- writing

    async def keep(
        self, some: Sequence[Recording], peaks: Mapping[str, bytes] | None = None
    ) -> list[Recording]:
        """Keep recordings as they now are, in one transaction; give them as they are stored.

        A row that is there by its mark keeps its id and when it was first seen, and a link that
        was made by stronger evidence; a state that may not follow is not taken. `peaks` are by
        the id that was given. What a call has is no longer missing. What is gone stays gone.
        """
        drawn = peaks or {}
        async with self._db.write() as conn:
            await self._db.alone(conn, "recordings")
            there = await _there(conn, [mark_of(one) for one in some])
            told = [_told(one, there.get(mark_of(one))) for one in some]
            new: dict[str, dict[str, Any]] = {}
            for given, one in zip(some, told, strict=True):
                mark = mark_of(given)
                if mark in there and there[mark].gone_at:
                    continue
                row = _row(one)
                if given.id in drawn:
                    row["peaks"] = drawn[given.id]
                if mark in there:
                    same = recordings.c.mark == mark
                    await conn.execute(update(recordings).where(same).values(row))
                else:
                    new[mark] = {"peaks": None} | row
            if new:
                await conn.execute(insert(recordings), list(new.values()))
            await _drop_awaited(conn, told)
        return told

    async def sealed_otherwise(
        self, key_id: str | None, after: str = "", limit: int = AT_ONCE
    ) -> list[Recording]:
        """Give what is kept and not sealed with a key (None: not open), from after `after` on."""
        other = recordings.c.key_id.is_distinct_from(key_id)
        asked = select(*_COLUMNS).where(
            other,
            recordings.c.place != "",
            recordings.c.gone_at.is_(None),
            recordings.c.id > after,
        )
        return await self._all(asked.order_by(recordings.c.id).limit(limit))

    async def moved(self, place: str, to: str, key_id: str | None) -> None:
        """Note that what lay at a place lies at another, or is sealed with another key."""
        async with self._db.write() as conn:
            await conn.execute(
                update(recordings)
                .where(recordings.c.place == place, recordings.c.gone_at.is_(None))
                .values(place=to, key_id=key_id)
            )
            await conn.execute(
                update(originals)
                .where(originals.c.place == place, originals.c.dropped_at.is_(None))
                .values(place=to, key_id=key_id)
            )

    async def used(self) -> bool:
        """Say whether anything was ever stored."""
        async with self._db.read() as conn:
            asked = select(recordings.c.id).where(recordings.c.place != "").limit(1)
            return await conn.scalar(asked) is not None

    async def mark(self, one: Marker, address: str = "") -> None:
        """Keep a comment beside a recording, and that it was made (REC-06)."""
        async with self._db.write() as conn:
            await conn.execute(insert(markers).values({f: getattr(one, f) for f in _MARKER}))
            await audit.record(
                conn,
                at=one.made_at,
                who=one.person,
                what="recording_marked",
                about=f"recording:{one.recording}",
                after={"at_ms": one.at_ms, "text": one.text},
                address=address,
            )

    async def unmark(self, one: Marker, *, who: str, at: datetime, address: str = "") -> bool:
        """Let a comment go; what it said is in the audit. False: it was gone already."""
        async with self._db.write() as conn:
            done = await conn.execute(delete(markers).where(markers.c.id == one.id))
            if done.rowcount:
                await audit.record(
                    conn,
                    at=at,
                    who=who,
                    what="recording_unmarked",
                    about=f"recording:{one.recording}",
                    before={"at_ms": one.at_ms, "text": one.text, "person": one.person},
                    address=address,
                )
            return bool(done.rowcount)

    async def begin_pause(self, one: Pause, address: str = "") -> None:
        """Keep that a call is not recorded from now on, and the audit of it."""
        async with self._db.write() as conn:
            await conn.execute(insert(pauses).values(_fields(one)))
            await audit.record(
                conn,
                at=one.began,
                who=one.person,
                what="recording_paused",
                about=f"call:{one.call}",
                after={"pause": one.id, "why": one.why.value, "until": one.until},
                address=address,
            )

    async def end_pause(
        self,
        one: Pause,
        at: datetime,
        *,
        who: str,
        what: str = "recording_resumed",
        reason: str = "",
        address: str = "",
    ) -> None:
        """Keep that a call is recorded again, or is over; one that is ended stays as it is."""
        async with self._db.write() as conn:
            open_still = (pauses.c.id == one.id) & pauses.c.ended.is_(None)
            done = await conn.execute(update(pauses).where(open_still).values(ended=at))
            if done.rowcount:
                await audit.record(
                    conn,
                    at=at,
                    who=who,
                    what=what,
                    about=f"call:{one.call}",
                    after={"pause": one.id},
                    reason=reason,
                    address=address,
                )

    async def refuse(
        self, call: str, told: Told, *, who: str, at: datetime, address: str = ""
    ) -> Consent:
        """Keep that a customer does not want to be recorded, once; give what is kept."""
        async with self._db.write() as conn:
            there = await _consent_of(conn, call)
            if there and there.refused_at:
                return there
            one = Consent(
                call=call, told=there.told if there else told, refused_at=at, refused_by=who
            )
            await _keep_consent(conn, one, there)
            await _note_consent(conn, one, "recording_refused", who, at, address)
            return one

    async def agree(
        self, call: str, *, who: str, at: datetime, address: str = ""
    ) -> Consent | None:
        """Keep that a customer has agreed after all; give what is kept, None: nothing is."""
        async with self._db.write() as conn:
            there = await _consent_of(conn, call)
            if there is None or there.refused_at is None:
                return there
            now = replace(there, refused_at=None, refused_by=None)
            await _keep_consent(conn, now, there)
            await _note_consent(conn, now, "recording_agreed", who, at, address)
            return now

    async def tell(self, some: Iterable[Consent]) -> None:
        """Keep how the customers of calls were told; what they refused stays."""
        async with self._db.write() as conn:
            for one in some:
                there = await _consent_of(conn, one.call)
                if there is None or there.told is not one.told:
                    await _keep_consent(conn, replace(there or one, told=one.told), there)

    async def note(
        self,
        what: str,
        about: Mapping[str, Mapping[str, Any]],
        *,
        who: str,
        at: datetime,
        reason: str = "",
        address: str = "",
    ) -> None:
        """Note in the audit that somebody heard, took away or listed recordings (REC-06).

        `about` are the things, as `KIND:ID`, each with what is to be known of it.
        """
        async with self._db.write() as conn:
            for thing, known in about.items():
                await audit.record(
                    conn,
                    at=at,
                    who=who,
                    what=what,
                    about=thing,
                    after=known,
                    reason=reason,
                    address=address,
                )

    async def move_cursor(self, name: str, at: datetime, call: str) -> None:
        """Write down how far calls were looked at."""
        async with self._db.write() as conn:
            done = await conn.execute(
                update(cursors).where(cursors.c.name == name).values(at=at, call=call)
            )
            if not done.rowcount:
                await conn.execute(insert(cursors).values(name=name, at=at, call=call))

    async def cursor(self, name: str) -> tuple[datetime, str] | None:
        """Tell how far calls were looked at: an end, and the call that ended then."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(cursors).where(cursors.c.name == name))).first()
            return (row.at, row.call) if row else None

    async def drop(self, some: Collection[str]) -> None:
        """Let rows go that await what was never recorded; a row that has sound stays."""
        async with self._db.write() as conn:
            await conn.execute(
                delete(recordings).where(recordings.c.id.in_(some), recordings.c.sha256 == "")
            )

    # -- keeping by rule

    async def old(self, before: datetime, after: str = "", limit: int = 200) -> list[Recording]:
        """Give what has sound that ended before an instant, by id, from after `after` on."""
        asked = select(*_COLUMNS).where(
            recordings.c.id > after,
            recordings.c.place != "",
            recordings.c.gone_at.is_(None),
            func.coalesce(recordings.c.ended, recordings.c.seen_at) <= before,
        )
        return await self._all(asked.order_by(recordings.c.id).limit(limit))

    async def sampled_from(
        self, began: datetime, ended: datetime, least: timedelta
    ) -> list[tuple[str, str | None, str]]:
        """Give (recording, call, agent) of calls that began in a time and can be heard."""
        asked = select(recordings.c.id, recordings.c.call, recordings.c.person).where(
            recordings.c.id >= first_id(began - _ODD_CLOCK),
            recordings.c.kind == Kind.CALL.value,
            recordings.c.state == State.LINKED.value,
            recordings.c.began >= began,
            recordings.c.began < ended,
            recordings.c.duration_ms >= least // timedelta(milliseconds=1),
            recordings.c.place != "",
            recordings.c.gone_at.is_(None),
            recordings.c.person.is_not(None),
        )
        async with self._db.read() as conn:
            rows = await conn.execute(asked.order_by(recordings.c.id))
            return [(row.id, row.call, row.person) for row in rows]

    async def held(
        self, calls: Collection[str], now: datetime, some: Collection[str] = ()
    ) -> dict[str, list[Hold]]:
        """Give what holds some calls' recordings by hand now, by call, and some others, by id."""
        async with self._db.read() as conn:
            return await _held(conn, calls, now, some)

    async def hold(self, one: Hold, address: str = "") -> None:
        """Keep that a person holds a call's recordings, and the audit of it."""
        async with self._db.write() as conn:
            await self._db.alone(conn, "recordings")
            await conn.execute(insert(holds).values({name: getattr(one, name) for name in _HOLD}))
            await audit.record(
                conn,
                at=one.since,
                who=one.person,
                what="recordings_held",
                about=f"call:{one.call}" if one.call else f"recording:{one.recording}",
                after={"hold": one.id, "until": one.until},
                reason=one.reason,
                address=address,
            )

    async def lift(
        self, hold: str, *, who: str, at: datetime, reason: str, address: str = ""
    ) -> None:
        """End a hold, and keep the audit of it.

        Raises `Refused` (no_hold): there is none that holds still.
        """
        async with self._db.write() as conn:
            await self._db.alone(conn, "recordings")
            row = (await conn.execute(select(holds).where(holds.c.id == hold))).first()
            if row is None or (row.until is not None and row.until <= at):
                raise Refused("no_hold", "there is no such hold, or it is over")
            await conn.execute(update(holds).where(holds.c.id == hold).values(until=at))
            await audit.record(
                conn,
                at=at,
                who=who,
                what="recordings_released",
                about=f"call:{row.call}" if row.call else f"recording:{row.recording}",
                before={"hold": hold, "until": row.until},
                reason=reason,
                address=address,
            )

    async def bury(self, some: Collection[str], tomb: Tomb) -> list[Recording]:
        """Put tombstones over recordings, in one transaction; give those that got one.

        What somebody holds, or is gone already, gets none. The file is still there: `buried`
        gives its place, `emptied` notes that it is away.
        """
        async with self._db.write() as conn:
            return await self._bury(conn, recordings.c.id.in_(sorted(some)), tomb)

    async def _bury(
        self, conn: Connection, which: ColumnElement[bool], tomb: Tomb
    ) -> list[Recording]:
        await self._db.alone(conn, "recordings")
        asked = select(*_COLUMNS).where(which, recordings.c.gone_at.is_(None))
        found = [_recording(row) for row in await conn.execute(asked.order_by(recordings.c.id))]
        held = await _held(
            conn, {one.call for one in found if one.call}, tomb.at, [one.id for one in found]
        )
        gone = [one for one in found if one.call not in held and one.id not in held]
        ids = [one.id for one in gone]
        said = {"gone_at": tomb.at, "gone_reason": tomb.reason.value, "gone_policy": tomb.policy}
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            these = recordings.c.id.in_(part)
            await conn.execute(update(recordings).where(these).values(said | {"peaks": None}))
            await conn.execute(delete(markers).where(markers.c.recording.in_(part)))
            with_it = originals.c.recording.in_(part) & originals.c.dropped_at.is_(None)
            await conn.execute(update(originals).where(with_it).values(dropped_at=tomb.at))
        for one in gone:
            await _note_burial(conn, one, tomb)
        return gone

    async def buried(self, limit: int = 200) -> list[str]:
        """Give the places whose recordings all are gone, and whose files may be there still."""
        asked = select(recordings.c.place).where(
            recordings.c.place != "",
            recordings.c.gone_at.is_not(None),
            ~_needed(recordings.c.place),
        )
        async with self._db.read() as conn:
            found = list((await conn.execute(asked.distinct().limit(limit))).scalars())
        return found + await self.dropped_places(limit - len(found))

    async def emptied(self, place: str) -> None:
        """Note that the file at a place is away."""
        async with self._db.write() as conn:
            await conn.execute(
                update(recordings)
                .where(recordings.c.place == place, recordings.c.gone_at.is_not(None))
                .values(place="", key_id=None)
            )
            await conn.execute(
                update(originals)
                .where(originals.c.place == place, originals.c.dropped_at.is_not(None))
                .values(place="", key_id=None)
            )

    # -- what was made smaller

    async def original(self, recording: str) -> Original | None:
        """Give what the PBX wrote of a recording that was converted; None where it was not."""
        async with self._db.read() as conn:
            asked = select(originals).where(originals.c.recording == recording)
            row = (await conn.execute(asked)).first()
            return Original(**row._mapping) if row else None

    async def convertible(
        self, before: datetime, after: str = "", limit: int = AT_ONCE
    ) -> list[Recording]:
        """Give what can be heard, ended before an instant and is not Opus, from `after` on."""
        asked = select(*_COLUMNS).where(
            recordings.c.id > after,
            recordings.c.place != "",
            recordings.c.gone_at.is_(None),
            recordings.c.format.not_in(["", "ogg"]),
            recordings.c.duration_ms > 0,
            recordings.c.state.in_([State.LINKED.value, State.ORPHAN.value]),
            func.coalesce(recordings.c.ended, recordings.c.seen_at) <= before,
        )
        return await self._all(asked.order_by(recordings.c.id).limit(limit))

    async def converted(self, original: Original, put: Put, duration_ms: int) -> bool:
        """Note that a recording is Opus from now on, and what it was made of.

        False: it is gone, or another by now, and nothing was changed.
        """
        as_it_was = and_(
            recordings.c.id == original.recording,
            recordings.c.place == original.place,
            recordings.c.gone_at.is_(None),
        )
        now = {"place": put.place, "key_id": put.key_id, "sha256": put.sha256, "size": put.size}
        now |= {"format": "ogg", "duration_ms": duration_ms}
        async with self._db.write() as conn:
            await self._db.alone(conn, "recordings")
            done = await conn.execute(update(recordings).where(as_it_was).values(now))
            if not done.rowcount:
                return False
            same = originals.c.recording == original.recording
            await conn.execute(delete(originals).where(same))
            await conn.execute(insert(originals).values(_fields(original)))
            await audit.record(
                conn,
                at=original.converted_at,
                who="cti",
                what="recording_converted",
                about=f"recording:{original.recording}",
                before={
                    "sha256": original.sha256,
                    "size": original.size,
                    "duration_ms": original.duration_ms,
                    "format": original.format,
                },
                after={"sha256": put.sha256, "size": put.size, "duration_ms": duration_ms},
            )
            return True

    async def old_originals(
        self, before: datetime, after: str = "", limit: int = AT_ONCE
    ) -> list[tuple[Recording, Original]]:
        """Give what was converted before an instant and is there twice, from `after` on."""
        asked = (
            select(*_COLUMNS, *(column.label(f"o_{column.name}") for column in originals.c))
            .join(originals, originals.c.recording == recordings.c.id)
            .where(
                recordings.c.id > after,
                originals.c.dropped_at.is_(None),
                originals.c.converted_at <= before,
            )
        )
        async with self._db.read() as conn:
            rows = await conn.execute(asked.order_by(recordings.c.id).limit(limit))
            names = [column.name for column in originals.c]
            return [
                (
                    _recording(row),
                    Original(**{name: row._mapping[f"o_{name}"] for name in names}),
                )
                for row in rows
            ]

    async def drop_original(self, one: Original, at: datetime) -> None:
        """Note that what the PBX wrote is to go, and the audit of it."""
        async with self._db.write() as conn:
            there = (originals.c.recording == one.recording) & originals.c.dropped_at.is_(None)
            done = await conn.execute(update(originals).where(there).values(dropped_at=at))
            if done.rowcount:
                await audit.record(
                    conn,
                    at=at,
                    who="cti",
                    what="recording_original_dropped",
                    about=f"recording:{one.recording}",
                    before={"sha256": one.sha256, "size": one.size, "format": one.format},
                )

    async def dropped_places(self, limit: int = AT_ONCE) -> list[str]:
        """Give the places of originals that are to go, and that nothing else needs."""
        asked = select(originals.c.place).where(
            originals.c.place != "",
            originals.c.dropped_at.is_not(None),
            ~_needed(originals.c.place),
        )
        async with self._db.read() as conn:
            return list((await conn.execute(asked.distinct().limit(max(0, limit)))).scalars())

    async def originals_sealed_otherwise(
        self, key_id: str | None, limit: int = AT_ONCE
    ) -> list[str]:
        """Give the places of originals that are not sealed with a key (None: not open)."""
        asked = select(originals.c.place).where(
            originals.c.key_id.is_distinct_from(key_id),
            originals.c.place != "",
            originals.c.dropped_at.is_(None),
        )
        async with self._db.read() as conn:
            return list((await conn.execute(asked.distinct().limit(limit))).scalars())

    # -- one customer

    async def all_of_customer(self, customer: str, calls: Collection[str]) -> list[Recording]:
        """Give everything of a customer, and of calls that are his, the oldest first."""
        found = dict[str, Recording]()
        for which in _his(customer, calls):
            for one in await self._all(select(*_COLUMNS).where(which)):
                found[one.id] = one
        return [found[one] for one in sorted(found)]

    async def erase(
        self, conn: Connection, customer: str, calls: Collection[str], tomb: Tomb
    ) -> list[Recording]:
        """Put tombstones over everything of a customer, and forget whose it was; give them.

        In the transaction of `conn`. The PBX's name of a file may hold his number: it is
        forgotten, and the file still known when it is seen again. Raises `Refused`
        (customer_held) when somebody holds something of it.
        """
        gone = list[Recording]()
        for which in _his(customer, calls):
            asked = select(recordings.c.id, recordings.c.call).where(which)
            found = (await conn.execute(asked)).all()
            await self._db.alone(conn, "recordings")
            calls_of = {row.call for row in found if row.call}
            if held := await _held(conn, calls_of, tomb.at, [row.id for row in found]):
                raise Refused("customer_held", "somebody holds his calls", calls=sorted(held))
            gone += await self._bury(conn, which, tomb)
            nobodys = {"customer": None, "source": "", "channel": ""}
            await conn.execute(update(recordings).where(which).values(nobodys))
        return gone

    # -- asking

    async def _page(
        self, where: ColumnElement[bool], before: str | None, limit: int
    ) -> list[Recording]:
        asked = select(*_COLUMNS).where(where)
        if before:
            asked = asked.where(recordings.c.id < before)
        return await self._all(asked.order_by(recordings.c.id.desc()).limit(limit))

    async def _all(self, asked: Select[Any]) -> list[Recording]:
        async with self._db.read() as conn:
            return [_recording(row) for row in await conn.execute(asked)]


def mark_of(one: Recording) -> str:
    """Give what a row is known by: its file and take, or the call that should have a file."""
    if one.source:
        return _hash(one.pbx, one.source, str(one.take))
    return _hash("call", str(one.call))


def _source_key(pbx: str, source: str) -> str:
    return _hash(pbx, source)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _told(given: Recording, there: Recording | None) -> Recording:
    """Join what is given with what is stored."""
    if there is None:
        return given
    if there.gone_at:
        return there
    one = replace(given, id=there.id, seen_at=there.seen_at)
    if not may_become(there.state, given.state):
        one = replace(one, state=there.state)
    if _strength(there) > _strength(given):
        one = replace(one, **{name: getattr(there, name) for name in _LINK})
    if one.call and one.state in (State.STORED, State.ORPHAN):
        one = replace(one, state=State.LINKED)
    return one


def _strength(one: Recording) -> int:
    ranks = [None, NamedBy.OVERLAP, NamedBy.NAME, NamedBy.EVENT]
    return ranks.index(one.named_by)


async def _there(conn: Connection, marks: Sequence[str]) -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    for start in range(0, len(marks), AT_ONCE):
        some = recordings.c.mark.in_(marks[start : start + AT_ONCE])
        wanted: Select[Any] = select(*_COLUMNS, recordings.c.mark).where(some)
        for row in await conn.execute(wanted):
            found[row.mark] = _recording(row)
    return found


def _his(customer: str, calls: Collection[str]) -> Iterator[ColumnElement[bool]]:
    """Ask for everything of a customer, in pieces that a statement bears."""
    yield recordings.c.customer == customer
    asked = sorted(calls)
    for start in range(0, len(asked), AT_ONCE):
        yield recordings.c.call.in_(asked[start : start + AT_ONCE])


async def _held(
    conn: Connection, calls: Collection[str], now: datetime, some: Collection[str] = ()
) -> dict[str, list[Hold]]:
    """Give what holds calls, by call, and recordings by themselves, by id."""
    found: dict[str, list[Hold]] = {}
    for column, wanted in ((holds.c.call, calls), (holds.c.recording, some)):
        asked = sorted(wanted)
        for start in range(0, len(asked), AT_ONCE):
            these = select(holds).where(
                column.in_(asked[start : start + AT_ONCE]),
                holds.c.until.is_(None) | (holds.c.until > now),
            )
            for row in await conn.execute(these.order_by(holds.c.since)):
                found.setdefault(row.recording or row.call, []).append(Hold(**row._mapping))
    return found


def _needed(place: ColumnElement[str]) -> ColumnElement[bool]:
    """Ask whether something that is alive lies at a place."""
    alive, kept = recordings.alias("alive"), originals.alias("kept")
    sound = select(alive.c.id).where(alive.c.place == place, alive.c.gone_at.is_(None))
    original = select(kept.c.recording).where(kept.c.place == place, kept.c.dropped_at.is_(None))
    return sound.exists() | original.exists()


async def _note_burial(conn: Connection, one: Recording, tomb: Tomb) -> None:
    known = {"sha256": one.sha256, "size": one.size, "call": one.call, "ended": one.ended}
    await audit.record(
        conn,
        at=tomb.at,
        who=tomb.who,
        what="recording_deleted",
        about=f"recording:{one.id}",
        before=known,
        after={"reason": tomb.reason.value},
        reason=tomb.why,
        policy=tomb.policy,
        address=tomb.address,
    )


async def _drop_awaited(conn: Connection, told: Iterable[Recording]) -> None:
    """Let calls that have a recording no longer await or miss one."""
    marks = sorted({_hash("call", one.call) for one in told if one.source and one.call})
    for start in range(0, len(marks), AT_ONCE):
        some = recordings.c.mark.in_(marks[start : start + AT_ONCE])
        await conn.execute(delete(recordings).where(some))


def _row(one: Recording) -> dict[str, Any]:
    row = {name: getattr(one, name) for name in _PLAIN}
    return row | {
        "mark": mark_of(one),
        "source_key": _source_key(one.pbx, one.source),
        "kind": one.kind.value,
        "state": one.state.value,
        "named_by": one.named_by and one.named_by.value,
    }


def _fields(one: Pause | Consent | Original) -> dict[str, Any]:
    told = {field.name: getattr(one, field.name) for field in fields(one)}
    return {name: str(it) if isinstance(it, Why | Told) else it for name, it in told.items()}


def _consent(row: Row[Any]) -> Consent:
    return Consent(**dict(row._mapping) | {"told": Told(row.told)})


async def _consent_of(conn: Connection, call: str) -> Consent | None:
    row = (await conn.execute(select(consents).where(consents.c.call == call))).first()
    return _consent(row) if row else None


async def _keep_consent(conn: Connection, one: Consent, there: Consent | None) -> None:
    if there is None:
        await conn.execute(insert(consents).values(_fields(one)))
    else:
        await conn.execute(update(consents).where(consents.c.call == one.call).values(_fields(one)))


async def _note_consent(
    conn: Connection, one: Consent, what: str, who: str, at: datetime, address: str
) -> None:
    await audit.record(
        conn,
        at=at,
        who=who,
        what=what,
        about=f"call:{one.call}",
        after={"told": one.told.value},
        address=address,
    )


def _pause(row: Row[Any]) -> Pause:
    return Pause(**dict(row._mapping) | {"why": Why(row.why)})


def _recording(row: Row[Any]) -> Recording:
    told = {name: row._mapping[name] for name in _PLAIN}
    by = told["named_by"]
    return Recording(
        **told
        | {
            "kind": Kind(told["kind"]),
            "state": State(told["state"]),
            "named_by": NamedBy(by) if by else None,
        }
    )
