"""Where is kept what return visits brought: records, opinions, promises, work, campaigns?

Whatever a person does is in the audit, in the same transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    distinct,
    false,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from cti.db.audit import record as audited
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata
from cti.errors import Refused
from cti.results.record import (
    Campaign,
    Opinion,
    OpinionKind,
    OpinionState,
    Promise,
    Record,
    Score,
    Selection,
    WorkItem,
    WorkKind,
)

_ID: Final = String(32)
_CODE: Final = String(24)
_NAME: Final = String(64)
_IN_ONE: Final = 500
_UNDONE: Final = text("done_at IS NULL")
PROGRAM: Final = "cti"
"""Who cancels a reminder."""

records: Final = Table(
    "visit_records",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("visit", ForeignKey("visits.id"), nullable=False, unique=True),
    Column("customer", _ID, nullable=False),
    Column("rule", _NAME, nullable=False),
    Column("campaign", _ID),
    Column("period", _ID, nullable=False),
    Column("agent", _ID, nullable=False),
    Column("channel", _CODE, nullable=False),
    Column("place", String(120), nullable=False),
    Column("at", Instant, nullable=False),
    Column("form", _NAME, nullable=False),
    Column("policy", _NAME, nullable=False),
    Column("answers", JSON, nullable=False),
    Column("satisfaction", _CODE),
    Column("identity", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("call", _ID, index=True),
    Column("talk_ms", Integer),
    Column("recorded", Boolean, nullable=False),
    Column("gap", Text, nullable=False),
    Column("effective", Boolean, nullable=False),
    Column("signed_by", _ID),
    Column("signed_at", Instant),
    Column("signed_note", Text, nullable=False),
    Index(None, "agent", "at"),
    Index(None, "customer", "at"),
    Index(None, "rule", "period"),
    Index(None, "campaign"),
    Index(None, "at", "id"),
)
"""One row per visit that was made; what its columns mean stands at `record.Record`."""

opinions: Final = Table(
    "visit_opinions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("record", ForeignKey("visit_records.id"), nullable=False, index=True),
    Column("visit", _ID, nullable=False),
    Column("customer", _ID, nullable=False, index=True),
    Column("kind", _CODE, nullable=False),
    Column("text", Text, nullable=False),
    Column("department", _NAME, nullable=False),
    Column("state", _CODE, nullable=False),
    Column("major", Boolean, nullable=False),
    Column("answer", Text, nullable=False),
    Column("answered_by", _ID),
    Column("answered_at", Instant),
    Column("at", Instant, nullable=False),
    Index(None, "state", "id"),
)
promises: Final = Table(
    "visit_promises",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("record", ForeignKey("visit_records.id"), nullable=False, index=True),
    Column("visit", _ID, nullable=False),
    Column("customer", _ID, nullable=False, index=True),
    Column("agent", _ID, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
)
scores: Final = Table(
    "visit_scores",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("record", ForeignKey("visit_records.id"), nullable=False, index=True),
    Column("visit", _ID, nullable=False),
    Column("customer", _ID, nullable=False, index=True),
    Column("agent", _ID, nullable=False),
    Column("role", _ID, nullable=False),
    Column("person", _NAME, nullable=False),
    Column("score", _CODE, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "at"),
)
work: Final = Table(
    "work_items",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", _CODE, nullable=False),
    Column("origin", String(160), nullable=False, unique=True),
    Column("visit", _ID, index=True),
    Column("customer", _ID, index=True),
    Column("department", _NAME, nullable=False),
    Column("owner", _ID),
    Column("channel", _CODE, nullable=False),
    Column("text", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("done_by", _ID),
    Column("done_at", Instant),
    Column("note", Text, nullable=False),
    Index("ix_work_items_open", "due_at", "id", sqlite_where=_UNDONE, postgresql_where=_UNDONE),
    Index(None, "done_at", "id"),
)
campaigns: Final = Table(
    "visit_campaigns",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("purpose", _CODE, nullable=False),
    Column("selection", JSON, nullable=False),
    Column("form", _NAME, nullable=False),
    Column("script", _NAME, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("made_by", _ID, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("visits", Integer, nullable=False),
    Column("conclusion", Text, nullable=False),
    Column("concluded_by", _ID),
    Column("concluded_at", Instant),
)

selections: Final = Table(
    "visit_selections",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("criteria", JSON, nullable=False),
    Column("made_by", _ID, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("changed_by", _ID, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("used_by", _ID),
    Column("used_at", Instant),
)

_OPEN_WORK: Final[Mapping[str, Any]] = {
    "sqlite": sqlite.insert(work).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(work).on_conflict_do_nothing(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something, when, from which address, under which rules: for the audit."""

    person: str
    at: datetime
    address: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which work a list shows. Empty is any; `after` is the last item of the page before."""

    kind: str = ""
    owner: str = ""
    """A person, or `nobody`."""
    unowned: bool = False
    """Besides, what is nobody's."""
    department: str = ""
    """What is nobody's is of this department, or of none."""
    done: bool = False
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Records counted: all, effective ones, customers, and how content they were."""

    records: int
    effective: int
    customers: int
    satisfied: int
    neutral: int
    dissatisfied: int
    unsigned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Praise:
    """How content customers were with one person in a role: how many said what."""

    role: str
    person: str
    satisfied: int
    neutral: int
    dissatisfied: int


class ResultStore:
    """What visits brought, in the database. Instants are aware UTC."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # -- what a visit brought

    async def keep(
        self,
        conn: Connection,
        record: Record,
        items: Sequence[Opinion],
        promised: Sequence[Promise],
        by: By,
        of_persons: Sequence[Score] = (),
    ) -> None:
        """Keep a record with all that belongs to it, in the transaction of `conn`.

        Raises `Refused` (visit_recorded): the visit has one.
        """
        if await conn.scalar(select(records.c.id).where(records.c.visit == record.visit)):
            raise Refused("visit_recorded", "this visit has its record")
        await conn.execute(insert(records).values(_row(record)))
        if items:
            await conn.execute(insert(opinions), [_row(one) for one in items])
        if promised:
            await conn.execute(insert(promises), [_row(one) for one in promised])
        if of_persons:
            await conn.execute(insert(scores), [_row(one) for one in of_persons])
        told = {"satisfaction": record.satisfaction, "effective": record.effective}
        await _say(conn, by, "visit_recorded", f"visit:{record.visit}", after=told)

    async def open_work(self, conn: Connection, items: Sequence[WorkItem]) -> None:
        """Keep work that is owed, in the transaction of `conn`; what is known stays as it is."""
        if items:
            await conn.execute(_OPEN_WORK[self.db.dialect], [_row(one) for one in items])

    async def remind(
        self, conn: Connection, events: Mapping[str, str], wanted: Sequence[WorkItem], now: datetime
    ) -> int:
        """Let the reminders of events be as they are wanted; give how many are new or changed.

        `events` says whose each is, by id. What is not wanted any more is cancelled; wanted
        again, it is open again (V15). What a person ticked off stays, whoever has the rest keeps
        it. A reminder whose day is over is not begun.
        """
        known = await _reminders(conn, events, [one.origin for one in wanted])
        fresh = [one for one in wanted if one.origin not in known and one.due_at > now]
        await self.open_work(conn, fresh)
        stay = [(known.pop(one.origin), one) for one in wanted if one.origin in known]
        changes = {was.id: _moved(was, one, now) for was, one in stay}
        changes |= {
            one.id: {"done_by": PROGRAM, "done_at": now}
            for one in known.values()
            if one.done_at is None
        }
        for item, values in changes.items():
            if values:
                await conn.execute(update(work).where(work.c.id == item).values(values))
        return len(fresh) + sum(map(bool, changes.values()))

    async def remind_no_more(self, conn: Connection, stay: Collection[str], now: datetime) -> int:
        """Cancel what is open of reminders that are none of these, by id; give how many."""
        theirs = [work.c.origin.startswith(f"reminder:{one}:", autoescape=True) for one in stay]
        done = await conn.execute(
            update(work)
            .where(work.c.kind == WorkKind.REMINDER.value, work.c.done_at.is_(None))
            .where(~or_(false(), *theirs))
            .values(done_by=PROGRAM, done_at=now)
        )
        return done.rowcount

    # -- reading

    async def of_visit(self, visit: str) -> Record | None:
        """Find the record of a visit."""
        found = await self._records(records.c.visit == visit, limit=1)
        return found[0] if found else None

    async def get(self, record: str) -> Record | None:
        """Find a record by its id."""
        found = await self._records(records.c.id == record, limit=1)
        return found[0] if found else None

    async def of_customer(self, customer: str, limit: int) -> list[Record]:
        """Give the last records of a customer, newest first."""
        return await self._records(records.c.customer == customer, limit=limit)

    async def page(self, *, unsigned: bool, after: str, limit: int) -> list[Record]:
        """Give records, newest first, from behind the record `after` on."""
        where: list[ColumnElement[bool]] = [records.c.signed_at.is_(None)] if unsigned else []
        if after:
            where.append(records.c.id < after)
        return await self._records(*where, limit=limit)

    async def opinions_of(self, some: Collection[str]) -> list[Opinion]:
        """Give the opinions in some records, in order."""
        return await self._opinions(opinions.c.record.in_(sorted(some)[:_IN_ONE]))

    async def opinions_in(self, state: OpinionState, limit: int) -> list[Opinion]:
        """Give the opinions in a state, the oldest first."""
        return await self._opinions(opinions.c.state == state.value, limit=limit)

    async def promises_of(self, record: str) -> list[Promise]:
        """Give the promises of a record."""
        async with self.db.read() as conn:
            found = await conn.execute(select(promises).where(promises.c.record == record))
            return [Promise(**row._mapping) for row in found]

    async def scores_of(self, record: str) -> list[Score]:
        """Give the scores of persons in a record, in order."""
        async with self.db.read() as conn:
            found = await conn.execute(
                select(scores).where(scores.c.record == record).order_by(scores.c.id)
            )
            return [Score(**row._mapping) for row in found]

    async def work(self, wanted: Wanted, limit: int) -> list[WorkItem]:
        """Give work: what is open by due time, what is done the newest first."""
        where: list[ColumnElement[bool]] = [
            work.c.done_at.is_not(None) if wanted.done else work.c.done_at.is_(None)
        ]
        if wanted.kind:
            where.append(work.c.kind == wanted.kind)
        if wanted.owner:
            where.append(_whose(wanted))
        order = (work.c.done_at.desc(), work.c.id) if wanted.done else (work.c.due_at, work.c.id)
        async with self.db.read() as conn:
            if wanted.after:
                place = (await conn.execute(select(work).where(work.c.id == wanted.after))).first()
                if place is not None:
                    where.append(_behind(place, done=wanted.done))
            query = select(work).where(*where).order_by(*order).limit(limit)
            return [_work(row) for row in await conn.execute(query)]

    async def work_of(self, visit: str) -> list[WorkItem]:
        """Give the work that a visit left."""
        async with self.db.read() as conn:
            found = await conn.execute(
                select(work).where(work.c.visit == visit).order_by(work.c.id)
            )
            return [_work(row) for row in found]

    async def open_work_of(self, person: str) -> int:
        """Count the open work that is somebody's."""
        mine = (work.c.done_at.is_(None), work.c.owner == person)
        async with self.db.read() as conn:
            found = await conn.scalar(select(func.count()).select_from(work).where(*mine))
        return int(found or 0)

    async def item(self, item: str) -> WorkItem | None:
        """Find a work item by its id."""
        async with self.db.read() as conn:
            row = (await conn.execute(select(work).where(work.c.id == item))).first()
        return None if row is None else _work(row)

    # -- figures

    async def effective_ones(
        self, since: datetime, until: datetime, *, agent: str = ""
    ) -> list[tuple[str, str, datetime]]:
        """Give (agent, customer, when) of each effective visit of a time; of one agent, or all."""
        wanted = (
            select(records.c.agent, records.c.customer, records.c.at)
            .where(records.c.effective.is_(True), records.c.at >= since, records.c.at < until)
            .order_by(records.c.at)
        )
        wanted = wanted.where(records.c.agent == agent) if agent else wanted
        async with self.db.read() as conn:
            return [tuple(row) for row in await conn.execute(wanted)]

    async def sum_of(
        self,
        *,
        agent: str = "",
        campaign: str = "",
        rule: tuple[str, str] = ("", ""),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sum:
        """Count records: of an agent, a campaign, a rule in a period, a time."""
        where: list[ColumnElement[bool]] = []
        where += [records.c.agent == agent] if agent else []
        where += [records.c.campaign == campaign] if campaign else []
        where += [records.c.rule == rule[0], records.c.period == rule[1]] if rule[0] else []
        where += [records.c.at >= since] if since else []
        where += [records.c.at < until] if until else []
        async with self.db.read() as conn:
            rows = (await conn.execute(_counted(where))).all()
            customers = await conn.scalar(
                select(func.count(distinct(records.c.customer))).where(*where)
            )
        of = {row.satisfaction: row.n for row in rows}
        return Sum(
            records=sum(of.values()),
            effective=sum(row.effective or 0 for row in rows),
            customers=int(customers or 0),
            satisfied=of.get("satisfied", 0),
            neutral=of.get("neutral", 0),
            dissatisfied=of.get("dissatisfied", 0),
            unsigned=sum(row.unsigned or 0 for row in rows),
        )

    async def heard(
        self,
        *,
        agent: str = "",
        campaign: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int,
    ) -> list[Opinion]:
        """Give the opinions that an agent or a campaign heard in a time, oldest first."""
        query = select(opinions).join(records, records.c.id == opinions.c.record)
        query = query.where(records.c.agent == agent) if agent else query
        query = query.where(records.c.campaign == campaign) if campaign else query
        query = query.where(records.c.at >= since) if since else query
        query = query.where(records.c.at < until) if until else query
        async with self.db.read() as conn:
            found = await conn.execute(query.order_by(opinions.c.id).limit(limit))
            return [_opinion(row) for row in found]

    async def praise(self, since: datetime, until: datetime, *, agent: str = "") -> list[Praise]:
        """Count the scores of each person in a time, in all calls or those of an agent."""
        where = [scores.c.at >= since, scores.c.at < until]
        where += [scores.c.agent == agent] if agent else []
        named = (scores.c.role, scores.c.person)
        counts = [
            func.count().filter(scores.c.score == one).label(one)
            for one in ("satisfied", "neutral", "dissatisfied")
        ]
        asked = select(*named, *counts).where(*where).group_by(*named).order_by(*named)
        async with self.db.read() as conn:
            return [Praise(**row._mapping) for row in await conn.execute(asked)]

    # -- what people do

    async def tick(self, item: str, by: By, note: str) -> WorkItem:
        """Let somebody say that work is done: no_work, work_done."""
        async with self.db.write() as conn:
            known = await _locked(conn, item)
            if known.done_at is not None:
                raise Refused("work_done", "this is done already", by=known.done_by)
            values = {"done_by": by.person, "done_at": by.at, "note": note}
            await conn.execute(update(work).where(work.c.id == item).values(values))
            await _say(conn, by, "work_done", f"work:{item}", after={"done": True}, reason=note)
        return known

    async def untick(self, item: str, by: By, reason: str) -> WorkItem:
        """Let somebody say that work is not done after all: no_work, work_open."""
        async with self.db.write() as conn:
            known = await _locked(conn, item)
            if known.done_at is None:
                raise Refused("work_open", "this is not done yet")
            values = {"done_by": None, "done_at": None}
            await conn.execute(update(work).where(work.c.id == item).values(values))
            told = {"done_by": known.done_by, "done_at": str(known.done_at)}
            await _say(conn, by, "work_undone", f"work:{item}", before=told, reason=reason)
        return known

    async def assign(self, item: str, by: By, owner: str | None, *, any_ones: bool) -> WorkItem:
        """Give open work to somebody, or to nobody: no_work, work_done.

        Unless it may be `any_ones`, it must be nobody's or his who does this: work_not_yours.
        """
        async with self.db.write() as conn:
            known = await _locked(conn, item)
            if known.done_at is not None:
                raise Refused("work_done", "this is done already", by=known.done_by)
            if not any_ones and known.owner not in (None, by.person):
                raise Refused("work_not_yours", "this is for somebody else", by=known.owner)
            await conn.execute(update(work).where(work.c.id == item).values(owner=owner))
            told = {"owner": known.owner}
            await _say(
                conn, by, "work_assigned", f"work:{item}", before=told, after={"owner": owner}
            )
        return known

    async def sign(self, record: str, by: By, note: str, *, signed: bool) -> Record:
        """Sign a slip, or take the signature back (CB-25): no_visit_record, visit_signed,
        visit_unsigned."""
        async with self.db.write() as conn:
            known = await self._signable(conn, record, signed=signed)
            values = {
                "signed_by": by.person if signed else None,
                "signed_at": by.at if signed else None,
                "signed_note": note if signed else "",
            }
            await conn.execute(update(records).where(records.c.id == record).values(values))
            what = "visit_signed" if signed else "visit_unsigned"
            await _say(
                conn,
                by,
                what,
                f"visit:{known.visit}",
                before={"signed_by": known.signed_by},
                after={"signed_by": values["signed_by"]},
                reason=note,
            )
        return known

    async def _signable(self, conn: Connection, record: str, *, signed: bool) -> Record:
        query = select(records).where(records.c.id == record).with_for_update()
        row = (await conn.execute(query)).first()
        if row is None:
            raise Refused("no_visit_record", "there is no such record")
        known = _record(row)
        if signed and known.signed_at is not None:
            raise Refused("visit_signed", "this slip is signed", by=known.signed_by)
        if not signed and known.signed_at is None:
            raise Refused("visit_unsigned", "this slip is not signed")
        return known

    async def decide(
        self,
        opinion: str,
        by: By,
        *,
        state: OpinionState,
        department: str,
        answer: str,
        major: bool,
    ) -> Opinion:
        """Pass an opinion on, or write down what its department answers: no_opinion."""
        answered = state is OpinionState.ANSWERED
        values = {
            "state": state.value,
            "department": department,
            "answer": answer,
            "major": major,
            "answered_by": by.person if answered else None,
            "answered_at": by.at if answered else None,
        }
        async with self.db.write() as conn:
            query = select(opinions).where(opinions.c.id == opinion).with_for_update()
            row = (await conn.execute(query)).first()
            if row is None:
                raise Refused("no_opinion", "there is no such item")
            known = _opinion(row)
            await conn.execute(update(opinions).where(opinions.c.id == opinion).values(values))
            named = ("state", "department", "answer", "major")
            await _say(
                conn,
                by,
                "opinion_decided",
                f"visit:{known.visit}",
                before={key: getattr(known, key) for key in named},
                after={key: values[key] for key in named},
            )
        return known

    # -- campaigns

    async def add_campaign(self, conn: Connection, campaign: Campaign, by: By) -> None:
        """Keep a campaign, in the transaction of `conn`."""
        await conn.execute(insert(campaigns).values(_row(campaign)))
        told = {"name": campaign.name, "visits": campaign.visits}
        await _say(conn, by, "campaign_made", f"campaign:{campaign.id}", after=told)

    async def campaign(self, campaign: str) -> Campaign | None:
        """Find a campaign by its id."""
        async with self.db.read() as conn:
            query = select(campaigns).where(campaigns.c.id == campaign)
            row = (await conn.execute(query)).first()
        return None if row is None else Campaign(**row._mapping)

    async def campaigns(self, limit: int) -> list[Campaign]:
        """Give the newest campaigns."""
        async with self.db.read() as conn:
            query = select(campaigns).order_by(campaigns.c.id.desc()).limit(limit)
            return [Campaign(**row._mapping) for row in await conn.execute(query)]

    async def conclude(self, campaign: str, by: By, conclusion: str) -> None:
        """Write down what a campaign showed (CB-06): no_campaign."""
        values = {
            "conclusion": conclusion,
            "concluded_by": by.person,
            "concluded_at": by.at,
        }
        async with self.db.write() as conn:
            done = await conn.execute(
                update(campaigns).where(campaigns.c.id == campaign).values(values)
            )
            if not done.rowcount:
                raise Refused("no_campaign", "there is no such campaign")
            await _say(conn, by, "campaign_concluded", f"campaign:{campaign}", reason=conclusion)

    # -- saved selections

    async def selections(self) -> list[Selection]:
        """Give all saved selections, by name."""
        async with self.db.read() as conn:
            found = await conn.execute(select(selections).order_by(selections.c.name))
            return [Selection(**row._mapping) for row in found]

    async def selection(self, selection: str) -> Selection | None:
        """Find a saved selection by its id."""
        async with self.db.read() as conn:
            row = (await conn.execute(_selected(selection))).first()
        return None if row is None else Selection(**row._mapping)

    async def save_selection(self, saved: Selection, by: By) -> None:
        """Keep a selection under its name, new or changed: selection_named (another has it)."""
        try:
            async with self.db.write() as conn:
                row = (await conn.execute(_selected(saved.id).with_for_update())).first()
                if row is None:
                    await conn.execute(insert(selections).values(_row(saved)))
                else:
                    values = {
                        "name": saved.name,
                        "criteria": saved.criteria,
                        "changed_by": by.person,
                        "changed_at": by.at,
                    }
                    of = selections.c.id == saved.id
                    await conn.execute(update(selections).where(of).values(values))
                await _say(
                    conn,
                    by,
                    "selection_saved" if row is None else "selection_changed",
                    f"selection:{saved.id}",
                    before=None if row is None else {"name": row.name, **row.criteria},
                    after={"name": saved.name, **saved.criteria},
                )
        except IntegrityError as fault:
            raise Refused("selection_named", "another selection has this name") from fault

    async def delete_selection(self, selection: str, by: By) -> None:
        """Delete a saved selection: no_selection. Campaigns made of it keep its criteria."""
        async with self.db.write() as conn:
            row = (await conn.execute(_selected(selection).with_for_update())).first()
            if row is None:
                raise Refused("no_selection", "there is no such selection")
            await conn.execute(delete(selections).where(selections.c.id == selection))
            told = {"name": row.name, **row.criteria}
            await _say(conn, by, "selection_deleted", f"selection:{selection}", before=told)

    async def use_selection(self, conn: Connection, selection: str, by: By, campaign: str) -> None:
        """Note that a campaign was made of a selection, in the transaction of `conn`."""
        values = {"used_by": by.person, "used_at": by.at}
        await conn.execute(update(selections).where(selections.c.id == selection).values(values))
        told = {"campaign": campaign}
        await _say(conn, by, "selection_used", f"selection:{selection}", after=told)

    # -- forgetting

    async def tell(self, customer: str) -> Mapping[str, Any]:
        """Give the records of a customer's visits, what he said, and the work that it left."""
        async with self.db.read() as conn:
            return {
                f"{name}.json": [
                    dict(row._mapping)
                    for row in await conn.execute(select(table).where(table.c.customer == customer))
                ]
                for name, table in (
                    ("records", records),
                    ("opinions", opinions),
                    ("promises", promises),
                    ("scores", scores),
                    ("work", work),
                )
            }

    async def forget(self, conn: Connection, customer: str, now: datetime | None = None) -> None:
        """Let what visits brought forget a customer, in the transaction of `conn`.

        Figures stay; what he said, and what was said to him, goes.
        """
        del now  # figures keep their own times
        for table, values in (
            (records, {"answers": {}, "note": "", "place": "", "gap": "", "signed_note": ""}),
            (opinions, {"text": "", "answer": ""}),
            (promises, {"text": ""}),
            (work, {"text": "", "note": ""}),
        ):
            await conn.execute(update(table).where(table.c.customer == customer).values(**values))

    # -- helpers

    async def _records(self, *where: ColumnElement[bool], limit: int) -> list[Record]:
        query = select(records).where(*where).order_by(records.c.id.desc()).limit(limit)
        async with self.db.read() as conn:
            return [_record(row) for row in await conn.execute(query)]

    async def _opinions(
        self, *where: ColumnElement[bool], limit: int | None = None
    ) -> list[Opinion]:
        query = select(opinions).where(*where).order_by(opinions.c.id).limit(limit)
        async with self.db.read() as conn:
            return [_opinion(row) for row in await conn.execute(query)]


def _selected(selection: str) -> Select[Any]:
    return select(selections).where(selections.c.id == selection)


def _counted(where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    return (
        select(
            records.c.satisfaction,
            func.count().label("n"),
            func.count().filter(records.c.effective.is_(True)).label("effective"),
            func.count().filter(records.c.signed_at.is_(None)).label("unsigned"),
        )
        .where(*where)
        .group_by(records.c.satisfaction)
    )


async def _reminders(
    conn: Connection, events: Mapping[str, str], origins: Sequence[str]
) -> dict[str, WorkItem]:
    """Give the reminders of events by origin, which ends with the event's id."""
    found = await conn.execute(
        select(work)
        .where(
            work.c.kind == WorkKind.REMINDER.value,
            or_(work.c.customer.in_(set(events.values())), work.c.origin.in_(origins)),
        )
        .with_for_update()
    )
    some = [_work(row) for row in found]
    return {one.origin: one for one in some if one.origin.rpartition(":")[2] in events}


def _moved(was: WorkItem, wanted: WorkItem, now: datetime) -> dict[str, Any]:
    """Give what changes at a reminder that is wanted otherwise; empty: nothing."""
    cancelled = was.done_by == PROGRAM and wanted.due_at > now
    if was.done_at is not None and not cancelled:
        return {}
    if (was.done_at, was.due_at, was.text) == (None, wanted.due_at, wanted.text):
        return {}
    return {
        "due_at": wanted.due_at,
        "text": wanted.text,
        "done_by": None,
        "done_at": None,
    }


def _whose(wanted: Wanted) -> ColumnElement[bool]:
    nobodys: ColumnElement[bool] = work.c.owner.is_(None)
    if wanted.owner == "nobody":
        return nobodys
    his = work.c.owner == wanted.owner
    if wanted.department:
        nobodys &= work.c.department.in_(("", wanted.department))
    return or_(his, nobodys) if wanted.unowned else his


def _behind(place: Row[Any], *, done: bool) -> ColumnElement[bool]:
    """Say which work stands behind a place of its list."""
    column, at = (work.c.done_at, place.done_at) if done else (work.c.due_at, place.due_at)
    further = column < at if done else column > at
    return or_(further, and_(column == at, work.c.id > place.id))


async def _locked(conn: Connection, item: str) -> WorkItem:
    row = (await conn.execute(select(work).where(work.c.id == item).with_for_update())).first()
    if row is None:
        raise Refused("no_work", "there is no such work")
    return _work(row)


async def _say(
    conn: Connection,
    by: By,
    what: str,
    about: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    await audited(
        conn,
        at=by.at,
        who=by.person,
        what=what,
        about=about,
        before=before,
        after=after,
        reason=reason,
        policy=by.policy,
        address=by.address,
    )


def _row(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def _record(row: Row[Any]) -> Record:
    values = dict(row._mapping)
    values["answers"] = {
        name: tuple(said) if isinstance(said, list) else said for name, said in row.answers.items()
    }
    return Record(**values)


def _opinion(row: Row[Any]) -> Opinion:
    values = dict(row._mapping)
    values["kind"], values["state"] = OpinionKind(row.kind), OpinionState(row.state)
    return Opinion(**values)


def _work(row: Row[Any]) -> WorkItem:
    return WorkItem(**{**row._mapping, "kind": WorkKind(row.kind)})
