"""Keeps calls: every call, offer, queue visit and talk, and what must be told of them.

Rows are upserts by our own ids, so the same may be kept any number of times. A live call is
one row with its evidence, so that a new process can go on with it; its parts are written when
it is over.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Insert,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from cti.calls.offers import AgentOffer
from cti.calls.record import (
    LINE_TEST,
    AnsweredCall,
    CallRecord,
    DialledByUs,
    DialledCall,
    Direction,
    MissedCall,
    OfferOutcome,
    Outcome,
    OverCall,
    RecordedCall,
    RecordedTalk,
    SaidRecord,
    WholeCall,
    announced,
)
from cti.calls.tally import SLOT_S, MissedLine, Part, Tally, Wanted
from cti.db import together
from cti.db.engine import Database
from cti.db.schema import Instant, metadata
from cti.errors import Refused
from cti.log import clean
from cti.presence.states import Interval, talk_of

_ID = String(32)
CALLER_TEXT: Final = 128
"""So many characters of what a caller sent are kept."""
LONGEST_TEST: Final = timedelta(minutes=2)
"""No line test's call lives longer: ringing, and some seconds of listening."""
TOGETHER: Final = timedelta(seconds=1)
"""Both ends of one call end so close to each other."""
_BOOT, _LEG, _NAME, _PATH = 128, 150, 200, 1000

calls: Final = Table(
    "calls",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("pbx", String(32), nullable=False),
    Column("boot", String(_BOOT), nullable=False),
    Column("direction", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("caller", Text),
    Column("caller_name", Text),
    Column("raw", JSON),
    Column("number", String(64), index=True),
    Column("dialled", Text),
    Column("channel", Text, nullable=False),
    Column("began", Instant, index=True),
    Column("seen_at", Instant, nullable=False, index=True),
    Column("ended_at", Instant),
    Column("outcome", String(16)),
    Column("reason", String(32)),
    Column("agent", Text),
    Column("device", Text),
    Column("agent_leg", Text),
    Column("person", _ID, index=True),
    Column("answered_at", Instant),
    Column("rang_at", Instant),
    Column("rings", Integer),
    Column("ring_ms", BigInteger),
    Column("wait_ms", BigInteger),
    Column("talk_ms", BigInteger),
    Column("ended_by", String(16)),
    Column("queues", JSON, nullable=False),
    Column("recordings", JSON, nullable=False),
    Column("customer", _ID, index=True),
    Column("house", String(64), nullable=False),
    Column("approximate", Boolean, nullable=False),
    Column("over", Boolean, nullable=False),
    Column("merged_into", _ID),
    Column("evidence", Text),
    Column("purpose", String(16), index=True),
    Column("said", JSON),
    Column("far_outcome", String(32)),
    Column("far_picked_at", Instant),
    Column("slot", Integer),
    Index("ix_calls_live", "over"),
    Index("ix_calls_outcome_seen_at", "outcome", "seen_at"),
    Index(
        "ix_calls_reports",
        "direction",
        "over",
        "merged_into",
        "slot",
        "outcome",
        "person",
        "seen_at",
        "rings",
        "ring_ms",
        "wait_ms",
        "reason",
        "dialled",
        "id",
    ),
)
"""One row per call. `caller` and `caller_name` are cleaned, `raw` is what was sent where it
differs (escaped, bounded); `number` is the customer's in its normal form; `house` the version
of the rules by which the call was judged; `purpose` why we made the call ourselves, and `said`
what our part of the dialplan said in it, as [topic, word, code]; `far` is the customer's phone
in an outbound call. `slot` is the number of the five minutes in which it began: in the order of
`ix_calls_reports`, which has all that a report counts, calls come by time without being sorted.
A line test has none: no report counts it."""

offers: Final = Table(
    "offers",
    metadata,
    Column("call", _ID, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("person", _ID, index=True),
    Column("devices", JSON, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("began", Instant),
    Column("rang_at", Instant),
    Column("ended_at", Instant),
    Column("ring_ms", BigInteger),
    Column("outcome", String(32)),
)

visits: Final = Table(
    "queue_visits",
    metadata,
    Column("call", _ID, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("joined_at", Instant),
    Column("left_at", Instant),
    Column("abandoned", Boolean, nullable=False),
    Index("ix_queue_visits_queue", "queue", "call"),
)

talks: Final = Table(
    "talks",
    metadata,
    Column("call", _ID, ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("person", _ID, index=True),
    Column("began_at", Instant),
    Column("ended_at", Instant),
)

legs: Final = Table(
    "legs",
    metadata,
    Column("pbx", String(32), primary_key=True),
    Column("boot", String(_BOOT), primary_key=True),
    Column("uniqueid", String(_LEG), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("call", _ID, ForeignKey("calls.id", ondelete="CASCADE"), nullable=False, index=True),
)
"""Which call a channel belonged to. Counters restart at boot, so a Uniqueid alone names nothing."""

gaps: Final = Table(
    "link_gaps",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("pbx", String(32), nullable=False),
    Column("lost_at", Instant, nullable=False),
    Column("back_at", Instant),
    Column("cause", Text, nullable=False),
    Column("restarted", Boolean, nullable=False),
)
"""When a PBX was not heard."""

heard: Final = Table(
    "pbx_heard",
    metadata,
    Column("pbx", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
)
"""Until when a PBX was heard, give or take some seconds: a process that is killed says no more."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("audience", _ID, nullable=False, index=True),
    Column("call", _ID, nullable=False),
    sqlite_autoincrement=True,
)
"""What must be told: numbered hints to one person's screens."""


epoch: Final = Table("outbox_epoch", metadata, Column("id", _ID, primary_key=True))
"""One row: names this numbering, so that a screen sees when the database is another."""


_FORGET: Final = {
    table: delete(table).where(table.c.call == bindparam("over"))
    for table in (offers, visits, talks)
}
_INSERT: Final = {table: insert(table) for table in _FORGET}
_MERGE: Final = (
    update(calls)
    .where(calls.c.id == bindparam("old"))
    .values(merged_into=bindparam("into"), over=True, state="ended", evidence=None)
)
_TELL: Final = insert(outbox).returning(outbox.c.seq, sort_by_parameter_order=True)
_CONTACTS: Final = (
    select(
        calls.c.id,
        calls.c.began,
        calls.c.seen_at,
        calls.c.direction,
        calls.c.outcome,
        calls.c.reason,
        calls.c.rings,
        calls.c.agent,
        calls.c.person,
        calls.c.talk_ms,
    )
    .where(
        calls.c.number == bindparam("whose"),
        calls.c.over.is_(True),
        calls.c.merged_into.is_(None),
        calls.c.id != bindparam("but"),
    )
    .order_by(calls.c.seen_at.desc())
    .limit(bindparam("most"))
)
_OVER: Final = (
    calls.c.direction == "inbound",
    calls.c.purpose.is_(None),
    calls.c.over.is_(True),
    calls.c.merged_into.is_(None),
)
"""Customers' calls that are over: line tests are none."""
_MISSED: Final = (calls.c.outcome == "missed", calls.c.seen_at >= bindparam("since"), *_OVER)
_MISSED_OVER: Final = (
    select(calls.c.id, calls.c.seen_at, calls.c.ended_at)
    .where(*_MISSED)
    .order_by(calls.c.seen_at, calls.c.id)
)
_MISSED_SINCE: Final = select(calls).where(*_MISSED)
_RUNG_SINCE: Final = (
    select(offers.c.call, offers.c.person)
    .join(calls, calls.c.id == offers.c.call)
    .where(*_MISSED, offers.c.rang_at.is_not(None), offers.c.person.is_not(None))
    .order_by(offers.c.call, offers.c.rang_at, offers.c.n)
)
_UNANSWERED: Final = (
    select(calls.c.seen_at)
    .where(
        calls.c.over.is_(False),
        calls.c.direction == "inbound",
        calls.c.answered_at.is_(None),
        calls.c.merged_into.is_(None),
        calls.c.seen_at >= bindparam("since"),
    )
    .order_by(calls.c.seen_at)
    .limit(1)
)
_UNANSWERED_OF: Final = _UNANSWERED.where(calls.c.number == bindparam("whose"))
_DAY: Final = (
    select(
        calls.c.outcome,
        calls.c.reason,
        func.count().label("n"),
        func.sum(case((calls.c.rings <= bindparam("standard"), 1), else_=0)).label("kept"),
        func.sum(case((calls.c.rings.is_not(None), 1), else_=0)).label("known"),
        func.sum(calls.c.talk_ms).label("talk_ms"),
        func.count(calls.c.talk_ms).label("talked"),
    )
    .where(calls.c.seen_at >= bindparam("start"), calls.c.seen_at < bindparam("end"), *_OVER)
    .group_by(calls.c.outcome, calls.c.reason)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """One call as it must be kept. `evidence` is for a call that still lives."""

    record: CallRecord
    number: str | None
    house: str
    offers: Sequence[AgentOffer]
    person: str | None = None
    talkers: Sequence[str | None] = ()
    """Person of each talk of the record."""
    customer: str | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which a PBX was not heard; the same `id` is kept again when it is over."""

    id: str
    pbx: str
    lost_at: datetime
    back_at: datetime | None
    cause: str
    restarted: bool = False


@dataclass(slots=True, kw_only=True)
class Batch:
    """What one turn of the reader leaves to be stored, in one transaction with others."""

    at: datetime
    calls: list[Keeping] = field(default_factory=list)
    merges: list[tuple[str, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    tell: list[tuple[str, str]] = field(default_factory=list)
    """(person, call) whose screens must look again."""
    heard: dict[str, datetime] = field(default_factory=dict)
    """Until when a PBX was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One earlier call of a number, as a card shows it."""

    call: str
    at: datetime
    direction: str
    outcome: str | None
    reason: str | None
    rings: int | None
    agent: str | None
    person: str | None
    talk_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a day went so far: inbound calls that are over."""

    answered: int
    missed: int
    within_standard: int
    counted: int
    """Answered calls whose ring count is known."""
    by_reason: dict[str, int]
    talk_ms: int | None = None
    """How long they talked, in the mean; None as long as it is known of no call."""


Told = list[tuple[int, str, str]]
"""(seq, person, call) of each hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One inbound call at one entry. `code` is None unless our line test met it there."""

    call: str
    began: datetime
    code: str | None


class CallStore:
    """Calls in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, batches: Iterable[Batch]) -> Told:
        """Store batches in one transaction; return the numbered hints, in order.

        The same call may be kept any number of times; of several states in one go the last
        is written.
        """
        batches, dialect = list(batches), self._db.dialect
        latest = {keeping.record.id: keeping for batch in batches for keeping in batch.calls}
        rows = {
            calls: [_call_row(keeping) for keeping in latest.values()],
            gaps: [_gap_row(gap) for batch in batches for gap in batch.gaps],
            heard: [{"pbx": p, "at": at} for batch in batches for p, at in batch.heard.items()],
        }
        tell = [(batch.at, who, call) for batch in batches for who, call in batch.tell]
        *_, numbers = await self._db.run(
            [
                *_upserts(rows, dialect),
                *_parts([k for k in latest.values() if k.record.over], dialect),
                (
                    _MERGE,
                    [{"old": old, "into": into} for b in batches for old, into in b.merges],
                ),
                (_TELL, [{"at": at, "audience": who, "call": call} for at, who, call in tell]),
            ],
        )
        return [(seq, who, call) for seq, (_, who, call) in zip(numbers, tell, strict=True)]

    async def forget_told(self, before: datetime) -> None:
        """Drop hints older than an instant: nobody asks for them any more."""
        async with self._db.write() as conn:
            await conn.execute(delete(outbox).where(outbox.c.at < before))

    async def live(self, pbx: str) -> list[str]:
        """Give the evidence of each call of a PBX that was not over when we stopped."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(calls.c.evidence)
                .where(calls.c.over.is_(False), calls.c.pbx == pbx, calls.c.evidence.is_not(None))
                .order_by(calls.c.id)
            )
            return [row.evidence for row in found]

    async def unheard(self, pbx: str, fresh: str) -> Gap | None:
        """Give the gap that began when we stopped; None for a PBX that was never heard.

        A process that was killed wrote down no gap: then it is a new one, with the id `fresh`.
        """
        async with self._db.read() as conn:
            row = (
                await conn.execute(
                    select(gaps)
                    .where(gaps.c.pbx == pbx, gaps.c.back_at.is_(None))
                    .order_by(gaps.c.lost_at.desc())
                    .limit(1)
                )
            ).first()
            if row is not None:
                return Gap(**row._mapping)
            until = await conn.scalar(select(heard.c.at).where(heard.c.pbx == pbx))
        if until is None:
            return None
        return Gap(id=fresh, pbx=pbx, lost_at=until, back_at=None, cause="cti was not running")

    async def contacts(self, number: str, but: str, limit: int = 5) -> list[Contact]:
        """Give the last calls of a number that are over, newest first, without call `but`."""
        found = await self._db.ask(_CONTACTS, {"whose": number, "but": but, "most": limit})
        return [
            Contact(
                call=row.id,
                at=row.began or row.seen_at,
                direction=row.direction,
                outcome=row.outcome,
                reason=row.reason,
                rings=row.rings,
                agent=row.agent,
                person=row.person,
                talk_ms=row.talk_ms,
            )
            for row in found
        ]

    async def day(self, start: datetime, end: datetime, standard: int) -> Day:
        """Count the inbound calls of a day (aware instants, end excluded) that are over.

        Our own line tests are none of them.
        """
        rows = await self._db.ask(_DAY, {"start": start, "end": end, "standard": standard})
        answered = [row for row in rows if row.outcome == Outcome.ANSWERED]
        missed = [row for row in rows if row.outcome == Outcome.MISSED]
        talked = sum(row.talked for row in answered)
        return Day(
            answered=sum(row.n for row in answered),
            missed=sum(row.n for row in missed),
            within_standard=sum(row.kept or 0 for row in answered),
            counted=sum(row.known or 0 for row in answered),
            by_reason={row.reason: row.n for row in missed if row.reason},
            talk_ms=sum(int(row.talk_ms or 0) for row in answered) // talked if talked else None,
        )

    async def epoch(self, fresh: str) -> str:
        """Give the name of this numbering; `fresh` becomes it in a new database."""
        async with self._db.write() as conn:
            found = await conn.scalar(select(epoch.c.id))
            if found is None:
                await conn.execute(insert(epoch).values(id=fresh))
            return found or fresh

    async def recent(self, limit: int) -> Told:
        """Give the last hints, oldest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(outbox.c.seq, outbox.c.audience, outbox.c.call)
                .order_by(outbox.c.seq.desc())
                .limit(limit)
            )
            return [(row.seq, row.audience, row.call) for row in reversed(found.all())]

    async def choose(self, call: str, customer: str | None) -> bool:
        """Tie a call to a customer that a person chose; False when there is no such call."""
        async with self._db.write() as conn:
            done = await conn.execute(
                update(calls).where(calls.c.id == call).values(customer=customer)
            )
            return bool(done.rowcount)

    async def rows_of(self, wanted: Iterable[str]) -> list[dict[str, Any]]:
        """Give the calls to which channels belong, and all others of their PBX in between.

        Each with `legs` (channel id to channel name) and `talked` (devices that talked with the
        customer). Oldest first.
        """
        ids, names = set[str](), sorted(wanted)
        async with self._db.read() as conn:
            for start in range(0, len(names), 500):
                some = names[start : start + 500]
                found = await conn.execute(select(legs.c.call).where(legs.c.uniqueid.in_(some)))
                ids |= set(found.scalars())
            if not ids:
                return []
            spanned = [
                row
                for start in range(0, len(ids), 500)
                for row in await conn.execute(
                    select(calls.c.seen_at, calls.c.pbx).where(
                        calls.c.id.in_(sorted(ids)[start : start + 500])
                    )
                )
            ]
            times = [row.seen_at for row in spanned]
            span = (
                calls.c.seen_at.between(min(times), max(times))
                & calls.c.pbx.in_({row.pbx for row in spanned})
                & calls.c.merged_into.is_(None)
            )
            rows = await conn.execute(select(calls).where(span).order_by(calls.c.seen_at))
            records = {row.id: dict(row._mapping) | {"legs": {}, "talked": set()} for row in rows}
            for part in await conn.execute(_of(legs, span)):
                records[part.call]["legs"][part.uniqueid] = part.channel
            for part in await conn.execute(_of(talks, span)):
                records[part.call]["talked"].add(part.device)
        return list(records.values())

    async def missed_over(self, since: datetime) -> list[OverCall]:
        """Give the missed inbound calls seen first since an instant that are over, oldest first."""
        return [
            OverCall(call=row.id, seen_at=row.seen_at, ended_at=row.ended_at or row.seen_at)
            for row in await self._db.ask(_MISSED_OVER, {"since": since})
        ]

    async def unanswered(self, since: datetime, number: str | None = None) -> datetime | None:
        """Give when the oldest inbound call was first seen that lives and nobody has answered.

        Calls first seen before `since` do not count, nor those of others than `number`.
        """
        asked = _UNANSWERED if number is None else _UNANSWERED_OF
        found = await self._db.ask(asked, {"since": since, "whose": number})
        return found[0].seen_at if found else None

    async def answered_redial(self, number: str, since: datetime, until: datetime) -> str | None:
        """Give the first inbound call of a number that was answered in a time (ends included)."""
        async with self._db.read() as conn:
            found: str | None = await conn.scalar(
                select(calls.c.id)
                .where(
                    calls.c.number == number,
                    calls.c.direction == "inbound",
                    calls.c.outcome == Outcome.ANSWERED,
                    calls.c.merged_into.is_(None),
                    calls.c.answered_at.between(since, until),
                )
                .order_by(calls.c.answered_at)
                .limit(1)
            )
        return found

    async def whole(self, call: str) -> WholeCall | None:
        """Give a stored call with its parts, and whether its PBX was unheard for a part of it."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(calls).where(calls.c.id == call))).first()
            if row is None:
                return None
            parts = {
                table: [
                    dict(part._mapping)
                    for part in await conn.execute(
                        select(table).where(table.c.call == call).order_by(*table.primary_key)
                    )
                ]
                for table in (offers, visits, talks, legs)
            }
            gap = await conn.scalar(
                select(gaps.c.id)
                .where(
                    gaps.c.pbx == row.pbx,
                    gaps.c.lost_at <= (row.ended_at or row.seen_at),
                    gaps.c.back_at.is_(None) | (gaps.c.back_at >= row.seen_at),
                )
                .limit(1)
            )
        return WholeCall(
            row=dict(row._mapping),
            offers=parts[offers],
            visits=parts[visits],
            talks=parts[talks],
            legs=parts[legs],
            in_gap=gap is not None,
        )

    async def missed_since(self, since: datetime) -> list[MissedCall]:
        """Give the missed inbound calls that began at an instant or later and are over."""
        rows = await self._db.ask(_MISSED_SINCE, {"since": since})
        rung: dict[str, dict[str, None]] = {}
        if rows:  # a call's parts stand before it is over
            for row in await self._db.ask(_RUNG_SINCE, {"since": since}):
                rung.setdefault(row.call, {})[row.person] = None
        missed = [
            MissedCall(
                call=row.id,
                number=row.number,
                at=row.ended_at or row.seen_at,
                reason=row.reason or "",
                dialled=row.dialled or "",
                queues=tuple(row.queues),
                rung=tuple(rung.get(row.id, ())),
            )
            for row in rows
        ]
        return sorted(missed, key=lambda one: (one.at, one.call))

    async def answered_with(self, numbers: Iterable[str], since: datetime) -> list[AnsweredCall]:
        """Give the calls with these numbers in which one of us talked, at an instant or later.

        Oldest first; also those that are going on. Our own line tests are none of them.
        """
        at = func.coalesce(calls.c.answered_at, calls.c.ended_at, calls.c.seen_at)
        wanted, found = sorted(set(numbers)), list[AnsweredCall]()
        async with self._db.read() as conn:
            for start in range(0, len(wanted), 500):
                rows = await conn.execute(
                    select(calls.c.id, calls.c.number, calls.c.person, at.label("at")).where(
                        calls.c.number.in_(wanted[start : start + 500]),
                        calls.c.outcome == Outcome.ANSWERED,
                        calls.c.direction != Direction.INTERNAL,
                        calls.c.purpose.is_(None),
                        calls.c.merged_into.is_(None),
                        at >= since,
                    )
                )
                found += [
                    AnsweredCall(call=row.id, number=row.number, at=row.at, person=row.person)
                    for row in rows
                ]
        return sorted(found, key=lambda one: (one.at, one.call))

    async def talks_of(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> list[Interval]:
        """Give the talks of people with customers that meet a time, of calls that are over.

        As intervals of `on_call`, with the call as the cause; `Desk.talks` has those of live calls.
        """
        async with self._db.read() as conn:
            done = await conn.execute(
                select(talks, calls.c.id, calls.c.ended_at.label("over_at"))
                .join(calls, calls.c.id == talks.c.call)
                .where(
                    talks.c.person.in_(sorted(people)),
                    calls.c.direction != Direction.INTERNAL,
                    talks.c.began_at <= ended,
                    func.coalesce(talks.c.ended_at, calls.c.ended_at) >= began,
                )
            )
            return [
                talk_of(row.person, row.id, row.began_at, row.ended_at or row.over_at)
                for row in done
            ]

    async def spoke_in(self, wanted: Collection[str]) -> dict[str, set[str]]:
        """Give the people who spoke in some calls that are over, by call."""
        asked = select(talks.c.call, talks.c.person).where(
            talks.c.call.in_(sorted(wanted)), talks.c.person.is_not(None)
        )
        found: dict[str, set[str]] = {}
        async with self._db.read() as conn:
            for row in await conn.execute(asked.distinct()):
                found.setdefault(row.call, set()).add(row.person)
        return found

    async def dialled_by_us(self, began: datetime, ended: datetime) -> list[DialledByUs]:
        """Give the calls towards customers that are over and rang in a time; none rings an hour."""
        until = func.coalesce(calls.c.answered_at, calls.c.ended_at)
        async with self._db.read() as conn:
            found = await conn.execute(
                select(
                    calls.c.id, calls.c.pbx, calls.c.channel, calls.c.seen_at, until.label("until")
                )
                .where(
                    calls.c.seen_at.between(began - timedelta(hours=1), ended),
                    calls.c.direction == Direction.OUTBOUND,
                    calls.c.over.is_(True),
                    until >= began,
                )
                .order_by(calls.c.seen_at)
            )
            return [
                DialledByUs(
                    call=row.id,
                    pbx=row.pbx,
                    channel=row.channel,
                    began=row.seen_at,
                    until=row.until,
                )
                for row in found
            ]

    async def dialled(self, channels: Collection[str]) -> dict[str, DialledCall]:
        """Give what became of channels that we dialled, by channel id, of calls that are over."""
        joined = select(func.min(talks.c.began_at)).where(talks.c.call == calls.c.id)
        async with self._db.read() as conn:
            found = await conn.execute(
                select(legs.c.uniqueid, calls, joined.scalar_subquery().label("joined_at"))
                .join(calls, calls.c.id == legs.c.call)
                .where(legs.c.uniqueid.in_(sorted(channels)), calls.c.over.is_(True))
            )
            return {
                row.uniqueid: DialledCall(
                    call=row.id,
                    began=row.began,
                    ended_at=row.ended_at,
                    outcome=row.far_outcome and OfferOutcome(row.far_outcome),
                    picked_at=row.far_picked_at,
                    said=_words(row.said),
                    approximate=row.approximate,
                    joined_at=row.joined_at,
                )
                for row in found
            }

    async def arrivals(self, pbx: str, entry: str, since: datetime) -> list[Arrival]:
        """Give the inbound calls that came in at an entry since an instant, oldest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(calls.c.id, calls.c.began, calls.c.said)
                .where(
                    calls.c.pbx == pbx,
                    calls.c.direction == Direction.INBOUND,
                    calls.c.dialled == entry,
                    calls.c.began >= since,
                    calls.c.merged_into.is_(None),
                )
                .order_by(calls.c.began)
            )
            return [
                Arrival(call=row.id, began=row.began, code=_code(_words(row.said))) for row in found
            ]

    async def is_test(self, call: str) -> bool:
        """Tell whether a call that is over is a line test's: never a missed call (LINE-07).

        So it is if our part of the dialplan said so; or if nobody answered it, and it came in at
        the entry of a test call of ours while that was out, and went as that went: the word was
        missed, or that part is not at the entry.
        """
        async with self._db.read() as conn:
            row = (await conn.execute(select(calls).where(calls.c.id == call))).first()
            if row is None or row.purpose == LINE_TEST:
                return row is not None
            if row.direction != Direction.INBOUND or row.ended_at is None:
                return False
            found = await conn.scalars(
                select(calls.c.said).where(
                    calls.c.purpose == LINE_TEST,
                    calls.c.pbx == row.pbx,
                    calls.c.direction != Direction.INBOUND,
                    calls.c.seen_at.between(row.seen_at - LONGEST_TEST, row.seen_at),
                    calls.c.ended_at.between(row.ended_at - TOGETHER, row.ended_at + TOGETHER),
                )
            )
            missed = row.outcome == Outcome.MISSED
            return missed and any(_entry(said) == row.dialled for said in found)

    async def mark_test(self, out: str) -> None:
        """Let the calls that came of a test call of ours be tests too, as `is_test` knows them."""
        async with self._db.write() as conn:
            own = (await conn.execute(select(calls).where(calls.c.id == out))).first()
            if own is None or own.ended_at is None or own.purpose != LINE_TEST:
                return
            await conn.execute(
                update(calls)
                .where(
                    calls.c.pbx == own.pbx,
                    calls.c.direction == Direction.INBOUND,
                    calls.c.outcome == Outcome.MISSED,
                    calls.c.dialled == _entry(own.said),
                    calls.c.seen_at.between(own.seen_at, own.ended_at),
                    calls.c.ended_at.between(own.ended_at - TOGETHER, own.ended_at + TOGETHER),
                )
                .values(purpose=LINE_TEST, slot=None)
            )

    async def came_in(self, entry: str, spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
        """Count the calls that came in at an entry in each of some times; tests do not count."""
        counts = []
        async with self._db.read() as conn:
            for began, ended in spans:
                found = await conn.scalar(
                    select(func.count())
                    .select_from(calls)
                    .where(
                        calls.c.direction == Direction.INBOUND,
                        calls.c.dialled == entry,
                        calls.c.purpose.is_(None),
                        calls.c.began >= began,
                        calls.c.began < ended,
                        calls.c.merged_into.is_(None),
                    )
                )
                counts.append(int(found or 0))
        return counts

    async def last_came_in(self, entry: str) -> datetime | None:
        """Tell when the last call that is no test came in at an entry."""
        async with self._db.read() as conn:
            found: datetime | None = await conn.scalar(
                select(calls.c.began)
                .where(
                    calls.c.direction == Direction.INBOUND,
                    calls.c.dialled == entry,
                    calls.c.purpose.is_(None),
                    calls.c.began.is_not(None),
                )
                .order_by(calls.c.began.desc())
                .limit(1)
            )
            return found

    async def recorded(self, since: datetime, also: Collection[str] = ()) -> list[RecordedCall]:
        """Give the calls first seen at an instant or later, all that live, and `also` these."""
        found = await self._recorded(or_(calls.c.seen_at >= since, calls.c.over.is_(False)))
        missed = sorted(set(also) - {one.call for one in found})
        for start in range(0, len(missed), 500):
            found += await self._recorded(calls.c.id.in_(missed[start : start + 500]))
        return found

    async def recorded_on(self, pbx: str, uniqueid: str) -> list[RecordedCall]:
        """Give the calls that are over and had a channel with a Uniqueid."""
        some = select(legs.c.call).where(legs.c.pbx == pbx, legs.c.uniqueid == uniqueid)
        return await self._recorded(calls.c.id.in_(some), legs)

    async def recorded_between(
        self, pbx: str, began: datetime, ended: datetime
    ) -> list[RecordedCall]:
        """Give the calls of a PBX that meet a time; none lasts longer than a day."""
        return await self._recorded(
            and_(
                calls.c.pbx == pbx,
                calls.c.seen_at.between(began - timedelta(days=1), ended),
                or_(calls.c.ended_at.is_(None), calls.c.ended_at >= began),
            )
        )

    async def _recorded(self, where: ColumnElement[bool], *also: Table) -> list[RecordedCall]:
        asked = select(calls).where(where, calls.c.merged_into.is_(None))
        async with self._db.read() as conn:
            rows = (await conn.execute(asked.order_by(calls.c.seen_at, calls.c.id))).all()
            parts: dict[Table, dict[str, list[Row[Any]]]] = {one: {} for one in (talks, *also)}
            ids = [row.id for row in rows]
            for start in range(0, len(ids), 500):
                for table, found in parts.items():
                    some = select(table).where(table.c.call.in_(ids[start : start + 500]))
                    for part in await conn.execute(some.order_by(*table.primary_key)):
                        found.setdefault(part.call, []).append(part)
        return [
            _recorded_call(row, *(found.get(row.id, ()) for found in parts.values()))
            for row in rows
        ]

    async def directions(self, some: Collection[str]) -> dict[str, str]:
        """Give the directions of calls, by call."""
        wanted, found = sorted(some), dict[str, str]()
        async with self._db.read() as conn:
            for start in range(0, len(wanted), 500):
                asked = select(calls.c.id, calls.c.direction).where(
                    calls.c.id.in_(wanted[start : start + 500])
                )
                found |= {row.id: row.direction for row in await conn.execute(asked)}
        return found

    async def of_customer(
        self, customer: str, numbers: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Give all that is stored of a customer's calls, the oldest first.

        His are those that name him, and those of `numbers` that name nobody.
        """
        asked = select(*_TOLD).where(_of_customer(customer, numbers), calls.c.merged_into.is_(None))
        async with self._db.read() as conn:
            rows = await conn.execute(asked.order_by(calls.c.seen_at, calls.c.id))
            return [dict(row._mapping) for row in rows]

    async def forget_customer(
        self, conn: AsyncConnection, customer: str, numbers: Collection[str] = ()
    ) -> list[str]:
        """Let a customer's calls forget whose they were, in the transaction of `conn`.

        What is counted stays. Gives the calls. Raises `Refused` (customer_on_call) while one
        lives.
        """
        his = _of_customer(customer, numbers)
        rows = (await conn.execute(select(calls.c.id, calls.c.over).where(his))).all()
        if not all(row.over for row in rows):
            raise Refused("customer_on_call", "the customer is in a call now: wait for its end")
        ids = [row.id for row in rows]
        nobodys = {"caller": None, "caller_name": None, "raw": None, "number": None}
        outbound = calls.c.direction == Direction.OUTBOUND.value
        for start in range(0, len(ids), 500):
            some = calls.c.id.in_(ids[start : start + 500])
            dialled = select(calls.c.id).where(some, outbound)
            leaves = offers.c.call.in_(dialled) & offers.c.person.is_(None)
            nothing: dict[str, Any] = {"agent": "", "devices": [], "channels": []}
            await conn.execute(update(offers).where(leaves).values(nothing))
            # a channel may be named by what it dials: Local/13800138000@…
            await conn.execute(update(legs).where(legs.c.call.in_(dialled)).values(channel=""))
            await conn.execute(update(calls).where(some, outbound).values(dialled=None))
            await conn.execute(
                update(calls).where(some).values(nobodys | {"recordings": [], "customer": None})
            )
        return ids

    async def tally(
        self, wanted: Wanted, parts: Collection[Part], *, standard: int, late: int
    ) -> list[Tally]:
        """Count inbound calls that are over, apart by `parts`.

        `standard` and `late` are the ring counts of the house's standard and of an apology.
        """
        source: Any = calls
        if "rung" in parts:
            source = (
                select(calls, offers.c.person.label("rung"))
                .join(offers, offers.c.call == calls.c.id)
                .where(*_wanted(wanted), offers.c.rang_at.is_not(None))
                .with_only_columns(
                    *(calls.c[name] for name in _COUNTED), offers.c.person.label("rung")
                )
                .distinct()
                .subquery()
            )
        of = source.c
        kinds = [of[part] for part in parts]
        asked = select(
            *kinds,
            func.count().label("calls"),
            func.count(of.rings).label("known"),
            _sum(case((of.rings <= standard, 1), else_=0)).label("within"),
            _sum(case((of.rings >= late, 1), else_=0)).label("late"),
            _sum(of.ring_ms).label("ring_ms"),
            _sum(of.wait_ms).label("wait_ms"),
        )
        if source is calls:
            asked = asked.where(*_wanted(wanted))
        async with self._db.read() as conn:
            found = await conn.execute(asked.group_by(*kinds))
            return [_tally(row._mapping) for row in found]

    async def incoming(self, wanted: Wanted) -> list[Tally]:
        """Count inbound calls that are over, by five minutes, and nothing else of them."""
        slot = calls.c.slot
        asked = select(slot, func.count().label("calls")).where(*_wanted(wanted)).group_by(slot)
        async with self._db.read() as conn:
            found = await conn.execute(asked)
            return [
                Tally(at=datetime.fromtimestamp(row.slot * SLOT_S, UTC), calls=row.calls)
                for row in found
            ]

    async def missed(
        self, wanted: Wanted, limit: int, before: tuple[datetime, str] | None = None
    ) -> list[MissedLine]:
        """List missed calls, newest first; `before` is (instant, id) of the last one known."""
        terms = _wanted(replace(wanted, outcome=Outcome.MISSED))
        if before is not None:
            at, call = before
            terms.append(or_(calls.c.seen_at < at, and_(calls.c.seen_at == at, calls.c.id < call)))
        order = (calls.c.slot.desc(), calls.c.seen_at.desc(), calls.c.id.desc())
        async with self._db.read() as conn:
            asked = select(calls).where(*terms).order_by(*order).limit(limit)
            rows = (await conn.execute(asked)).all()
            rung: dict[str, list[str]] = {row.id: [] for row in rows}
            for start in range(0, len(rows), 500):
                some = [row.id for row in rows[start : start + 500]]
                asked_parts = select(offers).where(
                    offers.c.call.in_(some), offers.c.rang_at.is_not(None)
                )
                for part in await conn.execute(asked_parts.order_by(offers.c.n)):
                    if (who := part.person or part.agent) not in rung[part.call]:
                        rung[part.call].append(who)
        return [
            MissedLine(
                call=row.id,
                at=row.seen_at,
                number=row.number,
                caller=row.caller,
                line=row.dialled,
                queues=row.queues,
                reason=row.reason,
                rings=row.rings,
                wait_ms=row.wait_ms,
                rung=rung[row.id],
            )
            for row in rows
        ]


def _recorded_call(
    row: Row[Any], talked: Iterable[Row[Any]], had: Iterable[Row[Any]] = ()
) -> RecordedCall:
    names = {row.number, row.caller, row.dialled, row.agent, *row.queues}
    talked = list(talked)
    return RecordedCall(
        call=row.id,
        pbx=row.pbx,
        direction=Direction(row.direction),
        began=row.seen_at,
        ended=row.ended_at,
        over=row.over,
        answered=row.outcome == Outcome.ANSWERED,
        talk_ms=row.talk_ms,
        agent=row.agent or "",
        person=row.person,
        customer=row.customer,
        is_test=row.purpose == LINE_TEST,
        files=tuple(row.recordings),
        channel=row.channel,
        names=frozenset(filter(None, names | {one.agent for one in talked})),
        talks=tuple(
            RecordedTalk(agent=one.agent, person=one.person, began=one.began_at, ended=one.ended_at)
            for one in talked
        ),
        legs=tuple(one.uniqueid for one in had),
        line=row.dialled or "",
        announced=announced(_words(row.said)),
    )


def _of_customer(customer: str, numbers: Collection[str]) -> ColumnElement[bool]:
    nobodys = calls.c.customer.is_(None) & calls.c.number.in_(sorted(numbers))
    return (calls.c.customer == customer) | nobodys


def _words(said: Sequence[Sequence[str]] | None) -> tuple[SaidRecord, ...]:
    return tuple(SaidRecord(topic=t, word=w, code=c, at=None) for t, w, c in said or ())


def _entry(said: Sequence[Sequence[str]]) -> str:
    """Give the entry at which a test call of ours must come in."""
    return next((c for t, w, c in said if (t, w) == (LINE_TEST, "out")), "")


def _code(said: Iterable[SaidRecord]) -> str | None:
    return next(
        (one.code for one in said if one.topic == LINE_TEST and one.word == "arrived"), None
    )


def _wanted(wanted: Wanted) -> list[ColumnElement[bool]]:
    """Ask for the calls of a report, in the order of their index."""
    terms = [
        calls.c.direction == "inbound",
        calls.c.over.is_(True),
        calls.c.merged_into.is_(None),
        calls.c.slot >= _slot(wanted.began),
        calls.c.slot <= _slot(wanted.ended - _MOMENT),
    ]
    if wanted.began.timestamp() % SLOT_S:
        terms.append(calls.c.seen_at >= wanted.began)
    if wanted.ended.timestamp() % SLOT_S:
        terms.append(calls.c.seen_at < wanted.ended)
    if wanted.outcome is not None:
        terms.append(calls.c.outcome == wanted.outcome.value)
    if wanted.person is not None:
        terms.append(calls.c.person == wanted.person)
    if wanted.reason is not None:
        terms.append(calls.c.reason == wanted.reason)
    if wanted.rung is not None:
        rang = (offers.c.person == wanted.rung) & offers.c.rang_at.is_not(None)
        terms.append(exists().where(offers.c.call == calls.c.id, rang))
    if wanted.where is not None:
        queued = exists().where(visits.c.queue == wanted.where, visits.c.call == calls.c.id)
        terms.append(or_(calls.c.dialled == wanted.where, queued))
    return terms


def _slot(at: datetime) -> int:
    return int(at.timestamp()) // SLOT_S


def _sum(column: Any) -> Any:
    return func.coalesce(func.sum(column), 0)


_MOMENT: Final = timedelta(microseconds=1)
_TOLD: Final = tuple(
    calls.c[name]
    for name in (
        *("id", "pbx", "direction", "caller", "caller_name", "number", "dialled"),
        *("began", "seen_at", "answered_at", "ended_at", "outcome", "reason", "agent", "person"),
        *("rings", "ring_ms", "wait_ms", "talk_ms", "ended_by", "queues", "over"),
    )
)
"""What is told of a customer's call when his calls are given away."""
_COUNTED: Final = ("id", "rings", "ring_ms", "wait_ms")


def _tally(row: Mapping[Any, Any]) -> Tally:
    slot = row.get("slot")
    return Tally(
        person=row.get("person") or row.get("rung"),
        reason=row.get("reason"),
        at=None if slot is None else datetime.fromtimestamp(slot * SLOT_S, UTC),
        calls=row["calls"],
        known=row["known"],
        within=int(row["within"]),
        late=int(row["late"]),
        ring_ms=int(row["ring_ms"]),
        wait_ms=int(row["wait_ms"]),
    )


def _of(parts: Table, span: ColumnElement[bool]) -> Select[Any]:
    """Ask for the parts of calls of a span."""
    return select(parts).join(calls, calls.c.id == parts.c.call).where(span)


def _upserts(rows: Mapping[Table, Sequence[dict[str, Any]]], dialect: str) -> list[together.Step]:
    """Insert rows, or bring those that are there up to date, by primary key."""
    return [(_upsert(table, tuple(some[0]), dialect), some) for table, some in rows.items() if some]


@cache
def _upsert(table: Table, names: tuple[str, ...], dialect: str) -> Insert:
    keys = [column.name for column in table.primary_key]
    others = [name for name in names if name not in keys]
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        set_ = {name: _newer(table, name, lite.excluded[name]) for name in others}
        return lite.on_conflict_do_update(index_elements=keys, set_=set_)
    post = postgresql.insert(table)
    set_ = {name: _newer(table, name, post.excluded[name]) for name in others}
    return post.on_conflict_do_update(index_elements=keys, set_=set_)


def _newer(table: Table, name: str, given: Any) -> Any:
    """Let a person's choice of the customer stand; everything else takes the newer state."""
    if table is calls and name == "customer":
        return func.coalesce(given, table.c[name])
    return given


def _call_row(keeping: Keeping) -> dict[str, Any]:
    record = keeping.record
    by = record.answered_by
    return {
        "id": record.id,
        "pbx": record.pbx,
        "boot": _cut(record.boot, _BOOT),
        "direction": record.direction.value,
        "state": record.state.value,
        "caller": _cleaned(record.caller),
        "caller_name": _cleaned(record.caller_name),
        "raw": _raw(record),
        "number": keeping.number,
        "dialled": _cleaned(record.dialled),
        "channel": _cut(record.channel),
        "began": record.began,
        "seen_at": record.began or record.seen_at,
        "ended_at": record.ended_at,
        "outcome": record.outcome and record.outcome.value,
        "reason": record.reason and record.reason.value,
        "agent": _cut(by.agent) if by else None,
        "device": _cut(by.device) if by else None,
        "agent_leg": _cut(by.leg, _LEG) if by else None,
        "person": keeping.person,
        "answered_at": record.answered_at,
        "rang_at": record.rang_at,
        "rings": record.rings,
        "ring_ms": record.ring_ms,
        "wait_ms": record.wait_ms,
        "talk_ms": record.talk_ms,
        "ended_by": record.ended_by and record.ended_by.value,
        "queues": [_cut(queue) for queue in record.queues],
        "recordings": [_cut(file, _PATH) for file in record.recordings],
        "customer": keeping.customer,
        "house": keeping.house,
        "approximate": record.approximate,
        "over": record.over,
        "evidence": None if record.over else keeping.evidence,
        "purpose": record.purpose,
        "far_outcome": record.far and record.far.outcome and record.far.outcome.value,
        "far_picked_at": record.far and record.far.picked_at,
        "said": [[one.topic, one.word, one.code] for one in record.said] or None,
        "slot": _slot(began)
        if (began := record.began or record.seen_at) and record.purpose is None
        else None,
    }


def _cut(text: str, limit: int = _NAME) -> str:
    """Make a text of the PBX's fit to be stored: a database may refuse what a wire bears."""
    return clean(text, limit)[:limit]


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean(text, CALLER_TEXT)


def _raw(record: CallRecord) -> dict[str, str] | None:
    """Keep what a caller sent where cleaning changed it: as ASCII with escapes, bounded."""
    sent = {"caller": record.caller, "caller_name": record.caller_name}
    return {
        key: text[:CALLER_TEXT].encode("unicode_escape").decode("ascii")
        for key, text in sent.items()
        if text is not None and text != _cleaned(text)
    } or None


def _parts(done: Sequence[Keeping], dialect: str) -> list[together.Step]:
    """Write the parts of calls that are over, anew."""
    rows: dict[Table, list[dict[str, Any]]] = {offers: [], visits: [], talks: []}
    for keeping in done:
        _part_rows(keeping, rows)
    ids = [{"over": keeping.record.id} for keeping in done]
    return [
        *((_FORGET[table], ids) for table in rows),
        *((_INSERT[table], some) for table, some in rows.items()),
        *_upserts({legs: [row for k in done for row in _leg_rows(k.record)]}, dialect),
    ]


def _part_rows(keeping: Keeping, rows: dict[Table, list[dict[str, Any]]]) -> None:
    record = keeping.record
    for n, offer in enumerate(keeping.offers):
        rows[offers].append(
            {
                "call": record.id,
                "n": n,
                "agent": _cut(offer.agent),
                "person": offer.person,
                "devices": [_cut(phone.device) for phone in offer.phones],
                "channels": [_cut(phone.channel) for phone in offer.phones],
                "began": offer.began,
                "rang_at": offer.rang_at,
                "ended_at": offer.ended_at,
                "ring_ms": offer.ring_ms,
                "outcome": offer.outcome and offer.outcome.value,
            }
        )
    for n, visit in enumerate(record.visits):
        rows[visits].append(
            {
                "call": record.id,
                "n": n,
                "queue": _cut(visit.queue),
                "joined_at": visit.joined_at,
                "left_at": visit.left_at,
                "abandoned": visit.abandoned,
            }
        )
    talkers = list(keeping.talkers) + [None] * len(record.talks)
    for n, talk in enumerate(record.talks):
        rows[talks].append(
            {
                "call": record.id,
                "n": n,
                "agent": _cut(talk.phone.agent),
                "device": _cut(talk.phone.device),
                "person": talkers[n],
                "began_at": talk.began_at,
                "ended_at": talk.ended_at,
            }
        )


def _leg_rows(record: CallRecord) -> list[dict[str, Any]]:
    return [
        {
            "pbx": record.pbx,
            "boot": _cut(record.boot, _BOOT),
            "uniqueid": _cut(leg, _LEG),
            "channel": _cut(channel),
            "call": record.id,
        }
        for leg, channel in record.legs
    ]


def _gap_row(gap: Gap) -> dict[str, Any]:
    return {
        "id": gap.id,
        "pbx": gap.pbx,
        "lost_at": gap.lost_at,
        "back_at": gap.back_at,
        "cause": _cut(gap.cause),
        "restarted": gap.restarted,
    }
