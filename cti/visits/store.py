"""Where are the return visits kept, and who works on them?

`origin` is unique: whatever plans a visit again changes nothing. A visit that nobody holds is
`open`; whether it is planned, waiting or due follows from the time. Each attempt is a row of its
own, of which a customer has one open at a time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    Row,
    Select,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Update,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from cti.db.audit import audit
from cti.db.audit import record as audited
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.errors import Refused
from cti.presence.states import AgentState, Interval, Source
from cti.visits.abandoned import Abandons
from cti.visits.record import (
    CALLED_US,
    FREE_OF_CAPS,
    HELD,
    OPEN,
    PERSON,
    PLANNED_LATE,
    Kind,
    Outcome,
    Owed,
    State,
    Try,
    Visit,
    next_look,
)

_ID: Final = String(32)
_CODE: Final = String(24)
_NOT_OVER: Final = text("ended_at IS NULL")
_FREE: Final = text("state = 'open'")
_HELD: Final = text("held_by IS NOT NULL")
_BUSY: Final = text("state IN ('claimed', 'in_attempt')")
LONGEST: Final = timedelta(days=1)
"""No attempt lasts longer."""
_AT_ONCE: Final = 500
"""So many rows are written by one statement."""

visits: Final = Table(
    "visits",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", _CODE, nullable=False),
    Column("origin", String(160), nullable=False, unique=True),
    Column("customer", ForeignKey("customers.id"), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("purpose", _CODE, nullable=False),
    Column("period", String(32), nullable=False),
    Column("event", _ID, index=True),
    Column("campaign", _ID, index=True),
    Column("department", String(64), nullable=False),
    Column("form", String(64), nullable=False),
    Column("script", String(64), nullable=False),
    Column("channels", JSON, nullable=False),
    Column("by", _CODE, nullable=False),
    Column("at", Time),
    Column("state", _CODE, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("give_up_at", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("appointment_at", Instant),
    Column("owner", _ID),
    Column("held_by", _ID),
    Column("lease_until", Instant),
    Column("dial_at", Instant),
    Column("epoch", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("explanations", Integer, nullable=False),
    Column("avoid_agent", _ID),
    Column("avoid_daypart", _CODE),
    Column("look_at", Instant, nullable=False),
    Column("warned", SmallInteger, nullable=False),
    Column("breached", Boolean, nullable=False),
    Column("breach_cause", _CODE, nullable=False),
    Column("fallback_sent", Boolean, nullable=False),
    Column("outcome", _CODE),
    Column("note", Text, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("merged_into", _ID, index=True),
    Column("ended_by", _ID),
    Column("ended_at", Instant),
    Column("opened_at", Instant, nullable=False),
    Index(
        "ix_visits_free",
        "owner",
        "due_at",
        "next_at",
        "id",
        sqlite_where=_FREE,
        postgresql_where=_FREE,
    ),
    Index(
        "uq_visits_held_customer",
        "customer",
        unique=True,
        sqlite_where=_HELD,
        postgresql_where=_HELD,
    ),
    Index(
        "uq_visits_busy",
        "held_by",
        unique=True,
        sqlite_where=_BUSY,
        postgresql_where=_BUSY,
    ),
    Index(
        "ix_visits_appointments",
        "appointment_at",
        sqlite_where=text("appointment_at IS NOT NULL AND ended_at IS NULL"),
        postgresql_where=text("appointment_at IS NOT NULL AND ended_at IS NULL"),
    ),
    Index("ix_visits_open", "due_at", "id", sqlite_where=_NOT_OVER, postgresql_where=_NOT_OVER),
    Index("ix_visits_look", "look_at", sqlite_where=_NOT_OVER, postgresql_where=_NOT_OVER),
    Index("ix_visits_customer", "customer", "due_at"),
    Index("ix_visits_period", "rule", "period", "state"),
    Index(
        "ix_visits_planned",
        "id",
        sqlite_where=text("state = 'open' AND event IS NULL"),
        postgresql_where=text("state = 'open' AND event IS NULL"),
    ),
    Index(
        "ix_visits_made",
        "ended_at",
        sqlite_where=text("state = 'done'"),
        postgresql_where=text("state = 'done'"),
    ),
)
_PERSON: Final = bindparam("person", type_=_ID)
_BUSY_OF: Final = (
    select(visits.c.id).where(visits.c.held_by == _PERSON, text("visits." + _BUSY.text)).limit(1)
)
"""What `person` works on."""
"""One row per visit that we owe; what its columns mean stands at `record.Visit`.

A customer has one that is held at a time; a person works on one, and may owe the record of
others.
"""

tries: Final = Table(
    "visit_attempts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("visit", ForeignKey("visits.id"), nullable=False, index=True),
    Column("customer", _ID, nullable=False),
    Column("number", String(64), nullable=False),
    Column("agent", _ID, nullable=False),
    Column("purpose", _CODE, nullable=False),
    Column("daypart", _CODE, nullable=False),
    Column("day", Date, nullable=False),
    Column("allowed", String(32), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("outcome", _CODE),
    Column("counts", Boolean, nullable=False),
    Column("call", _ID),
    Column("customer_first", Boolean, nullable=False),
    Column("abandoned", Boolean, nullable=False),
    Index("ix_visit_attempts_customer", "customer", "began_at"),
    Index("ix_visit_attempts_ended", "ended_at"),
    Index("ix_visit_attempts_agent", "agent", "began_at"),
    Index(
        "uq_visit_attempts_live",
        "customer",
        unique=True,
        sqlite_where=_NOT_OVER,
        postgresql_where=_NOT_OVER,
    ),
)
"""One row per attempt; `day` is that of the customer's clock. One lives per customer."""

plan_days: Final = Table(
    "visit_plan_days",
    metadata,
    Column("day", Date, primary_key=True),
    Column("policy", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)
"""The days of which everything that is owed by the calendar was kept, and by which rules."""

_OWE: Final[Mapping[str, Any]] = {
    "sqlite": sqlite.insert(visits).on_conflict_do_nothing().returning(visits.c.id),
    "postgresql": postgresql.insert(visits).on_conflict_do_nothing().returning(visits.c.id),
}


_CLAIMED: Final = text("visits.state = 'claimed'")


GIVEN_BACK: Final = ("visit_given_back", "visit_passed_on")
"""Deeds of the audit by which somebody says that a visit is not for him."""

_FIRST: Final = "customer_first"
"""Only one transaction at a time judges whether another customer may be rung first."""


_BY_NOW: Final = bindparam("now", type_=Instant)
_ANYTHING: Final = select(literal(1).label("one")).where(
    or_(
        exists().where(tries.c.ended_at.is_(None)),
        exists().where(_CLAIMED, visits.c.dial_at <= _BY_NOW),
        exists().where(_CLAIMED, visits.c.lease_until <= _BY_NOW),
        exists().where(visits.c.ended_at.is_(None), visits.c.look_at <= _BY_NOW),
    )
)


class VisitStore:
    """Return visits in the database. Instants are aware UTC."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- what is owed

    async def owe(self, conn: Connection, owed: Sequence[Owed], now: datetime, policy: str) -> int:
        """Keep visits that are owed, in the transaction of `conn`; give how many are new.

        What has its origin already is left as it is.
        """
        kept = 0
        for start in range(0, len(owed), _AT_ONCE):
            rows = [_fresh(one, now, policy) for one in owed[start : start + _AT_ONCE]]
            kept += len((await conn.execute(_OWE[self._db.dialect], rows)).all())
        return kept

    # -- reading

    async def get(self, visit: str) -> Visit | None:
        """Find one by its id."""
        async with self._db.read() as conn:
            row = (await conn.execute(select(visits).where(visits.c.id == visit))).first()
        return None if row is None else visit_of(row)

    async def by_origin(self, origin: str) -> Visit | None:
        """Find one by what it is owed for."""
        async with self._db.read() as conn:
            found = await _many(conn, select(visits).where(visits.c.origin == origin))
        return found[0] if found else None

    async def owned(self, person: str, now: datetime, limit: int) -> list[Visit]:
        """Give what somebody works on, and what is his and due, the earliest deadline first."""
        async with self._db.read() as conn:
            held = await _many(conn, select(visits).where(visits.c.held_by == person))
            due = await _many(
                conn, _due(select(visits), visits, visits.c.owner == person, now).limit(limit)
            )
        return [*held, *due]

    async def held(self, person: str) -> list[Visit]:
        """Give what somebody works on."""
        async with self._db.read() as conn:
            return await _many(conn, select(visits).where(visits.c.held_by == person))

    async def anything(self, now: datetime) -> bool:
        """Tell whether an attempt is open, or time has brought something to do with a visit."""
        return bool(await self._db.ask(_ANYTHING, {"now": now}))

    async def open_tries(self) -> list[Try]:
        """Give the attempts that are not over, oldest first."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(tries).where(tries.c.ended_at.is_(None)).order_by(tries.c.began_at)
            )
            return [try_of(row) for row in found]

    async def tries_of(self, customer: str, since: datetime) -> list[Try]:
        """Give the attempts at a customer since an instant, and those of his open visits."""
        open_ones = select(visits.c.id).where(
            visits.c.customer == customer, visits.c.ended_at.is_(None)
        )
        async with self._db.read() as conn:
            return await _tries(
                conn,
                tries.c.customer == customer,
                or_(tries.c.began_at >= since, tries.c.visit.in_(open_ones)),
            )

    async def tries_at(self, visit: str) -> list[Try]:
        """Give the attempts of one visit, in order."""
        async with self._db.read() as conn:
            return await _tries(conn, tries.c.visit == visit)

    async def given_back(self, some: Collection[str], since: datetime) -> dict[str, frozenset[str]]:
        """Give who gave each of some visits back since an instant, or did not pick up for it.

        Read from the audit and the attempts; visits that nobody gave back are left out.
        """
        wanted, found = sorted(some), dict[str, set[str]]()
        async with self._db.read() as conn:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                said = await conn.execute(
                    select(audit.c.about, audit.c.who).where(
                        audit.c.about.in_([f"visit:{one}" for one in part]),
                        audit.c.what.in_(GIVEN_BACK),
                        audit.c.at >= since,
                    )
                )
                missed = await conn.execute(
                    select(tries.c.visit, tries.c.agent).where(
                        tries.c.visit.in_(part),
                        tries.c.outcome == Outcome.AGENT_NO_SHOW.value,
                        tries.c.began_at >= since,
                    )
                )
                for visit, person in [*map(tuple, said), *map(tuple, missed)]:
                    found.setdefault(visit.removeprefix("visit:"), set()).add(person)
        return {visit: frozenset(people) for visit, people in found.items()}

    async def due_with(self, customers: Collection[str], now: datetime) -> list[Visit]:
        """Give the visits of customers whose time has come and on which nobody works."""
        if not customers:
            return []
        async with self._db.read() as conn:
            return await _many(
                conn,
                select(visits)
                .where(
                    visits.c.customer.in_(sorted(customers)),
                    visits.c.state == OPEN,
                    visits.c.from_at <= now,
                )
                .order_by(visits.c.due_at, visits.c.id),
            )

    # -- claims

    async def claim_next(
        self,
        person: str,
        now: datetime,
        lease: timedelta,
        *,
        supervisor: bool,
        but: Collection[str] = (),
    ) -> Visit | None:
        """Claim what somebody should do next, `but` not these; None: nothing is due for him.

        Appointments come first; then his own, then what is nobody's, by deadline. A visit whose
        customer is being worked with waits. Of those who ask at once, each gets another one.
        Raises `Refused`: visit_busy (he works on one), visit_customer_busy (ask again).
        """
        claimed = _claimed(supervisor) if not but else _claiming(supervisor=supervisor, but=but)
        given = {"person": person, "now": now, "until": now + lease}
        async with self._db.write() as conn:
            try:
                row = (await conn.execute(claimed, given)).first()
            except IntegrityError as fault:
                raise _customer_busy() from fault
            if row is not None:
                return visit_of(row)
            if await conn.scalar(_BUSY_OF, {"person": person}) is not None:
                raise Refused("visit_busy", "finish the visit that you have taken first")
        return None

    async def claim(self, visit: str, person: str, now: datetime, lease: timedelta) -> Visit:
        """Claim one visit.

        Raises `Refused`: no_visit, visit_over, visit_taken, visit_busy, visit_customer_busy.
        """
        async with self._db.write() as conn:
            if await conn.scalar(_BUSY_OF, {"person": person}) is not None:
                raise Refused("visit_busy", "finish the visit that you have taken first")
            known = await _locked(conn, visit)
            if known.is_over:
                raise Refused("visit_over", "this visit has ended")
            if known.state != OPEN:
                raise Refused("visit_taken", "somebody works on it", by=known.held_by)
            return await _take(conn, known, person, now, lease)

    async def let_go(self, visit: Visit, values: Mapping[str, Any]) -> bool:
        """Give a claimed visit back, changed by `values`; False when it is held no longer."""
        async with self._db.write() as conn:
            return await _moved(conn, visit, (State.CLAIMED,), {**_free(visit), **values})

    async def give_back(self, visit: Visit, person: str, at: datetime, policy: str) -> bool:
        """Let somebody give his claimed visit back, as the audit tells; False: held no longer."""
        async with self._db.write() as conn:
            if not await _moved(conn, visit, (State.CLAIMED,), _free(visit)):
                return False
            about = f"visit:{visit.id}"
            await audited(
                conn, at=at, who=person, what="visit_given_back", about=about, policy=policy
            )
        return True

    async def will_dial(self, visit: Visit, at: datetime | None) -> None:
        """Let a claimed visit be dialled by itself at an instant; None: let it wait for a key."""
        async with self._db.write() as conn:
            await _moved(conn, visit, (State.CLAIMED,), {"dial_at": at})

    async def to_dial(self, now: datetime) -> list[Visit]:
        """Give what is to be dialled by itself now."""
        async with self._db.read() as conn:
            return await _many(
                conn,
                select(visits).where(_CLAIMED, visits.c.dial_at <= now),
            )

    async def dialling(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> list[Interval]:
        """Give when visits were dialled for people, as states that meet a time (21.4 point 4)."""
        async with self._db.read() as conn:
            found = await conn.execute(
                select(tries.c.id, tries.c.agent, tries.c.began_at, tries.c.ended_at).where(
                    tries.c.agent.in_(sorted(people)),
                    tries.c.allowed != CALLED_US,
                    tries.c.began_at.between(began - LONGEST, ended),
                    or_(tries.c.ended_at.is_(None), tries.c.ended_at >= began),
                )
            )
            return [
                Interval(
                    person=row.agent,
                    state=AgentState.SYSTEM_DIALLED_VISIT,
                    began_at=row.began_at,
                    ended_at=row.ended_at,
                    source=Source.CALLS,
                    cause=row.id,
                )
                for row in found
            ]

    async def lapse(self, now: datetime) -> int:
        """Let claims whose lease is over go; give how many."""
        over = (_CLAIMED, visits.c.lease_until <= now)
        async with self._db.read() as conn:
            if await conn.scalar(select(visits.c.id).where(*over).limit(1)) is None:
                return 0
        async with self._db.write() as conn:
            found = await _many(conn, select(visits).where(*over).with_for_update())
            for one in found:
                await _moved(conn, one, (State.CLAIMED,), _free(one))
        return len(found)

    async def behind(self, now: datetime, limit: int) -> list[Visit]:
        """Give what is open and has to be looked at: warned of, breached, given up."""
        async with self._db.read() as conn:
            return await _many(
                conn,
                select(visits)
                .where(visits.c.ended_at.is_(None), visits.c.look_at <= now)
                .order_by(visits.c.look_at)
                .limit(limit),
            )

    # -- attempts

    async def begin(
        self,
        visit: Visit,
        made: Try,
        day: date,
        *,
        since: datetime | None = None,
        allowed: Callable[[Abandons], bool] = lambda _: True,
    ) -> None:
        """Write an attempt down before anything is dialled; the visit is then in_attempt.

        Where the customer is rung first, `allowed` is asked, alone, with what was counted `since`.
        Raises `Refused`: visit_not_held (not his any more), visit_customer_busy (another
        attempt at this customer lives), visit_abandon_cap (he may not be rung first).
        """
        row = {name: getattr(made, name) for name in Try.__dataclass_fields__}
        row |= {"day": day, "outcome": None}
        to = {"state": State.IN_ATTEMPT.value, "dial_at": None, "lease_until": None}
        try:
            async with self._db.write() as conn:
                if made.customer_first and since is not None:
                    await self._db.alone(conn, _FIRST)
                    if not allowed(await _abandons(conn, since)):
                        raise Refused("visit_abandon_cap", "too many customers met nobody")
                if not await _moved(conn, visit, (State.CLAIMED,), to):
                    raise not_held()
                await conn.execute(insert(tries).values(row))
        except IntegrityError as fault:
            raise Refused(
                "visit_customer_busy", "another call to this customer is under way"
            ) from fault

    async def lives(self, conn: Connection, attempt: str) -> bool:
        """Tell, in the transaction of `conn`, whether an attempt may still be sent."""
        query = select(tries.c.id).where(tries.c.id == attempt, tries.c.ended_at.is_(None))
        return await conn.scalar(query.with_for_update()) is not None

    async def end_try(
        self,
        conn: Connection,
        made: Try,
        outcome: Outcome | None,
        at: datetime,
        *,
        call: str | None = None,
        abandoned: bool = False,
    ) -> bool:
        """Write down what became of an attempt; False when that is known already.

        Without `outcome` it was answered: what the agent says, or has said, counts.
        """
        known = tries.c.outcome if outcome is None else outcome.value
        values: dict[str, Any] = {"ended_at": at, "outcome": known, "call": call}
        values["abandoned"] = abandoned
        if outcome is not None:
            values["counts"] = outcome not in FREE_OF_CAPS
        done = await conn.execute(
            update(tries).where(tries.c.id == made.id, tries.c.ended_at.is_(None)).values(values)
        )
        return bool(done.rowcount)

    async def abandons(self, since: datetime) -> Abandons:
        """Count who answered since an instant, and who of them met nobody."""
        async with self._db.read() as conn:
            return await _abandons(conn, since)

    async def says(self, conn: Connection, attempt: str, outcome: Outcome) -> None:
        """Let the agent say what became of an attempt that was picked up."""
        await conn.execute(
            update(tries)
            .where(tries.c.id == attempt)
            .values(outcome=outcome.value, counts=outcome not in FREE_OF_CAPS)
        )

    async def move(
        self,
        conn: Connection,
        visit: Visit,
        values: Mapping[str, Any],
        *,
        of: Sequence[str] = HELD,
    ) -> bool:
        """Change a visit that stands in one of some states and was not passed on meanwhile."""
        return await _moved(conn, visit, of, values)


def not_held() -> Refused:
    """Say that somebody does not hold a visit, or no longer."""
    return Refused("visit_not_held", "take it first: you do not hold it, or no longer")


@cache
def _claimed(supervisor: bool) -> Update:
    return _claiming(supervisor=supervisor)


def _claiming(*, supervisor: bool, but: Collection[str] = ()) -> Update:
    """Let `person`, if he works on nothing at `now`, hold his next visit `until` an instant."""
    wanted = _choices(supervisor=supervisor, but=but)
    first = [each.limit(1).with_for_update(skip_locked=True).scalar_subquery() for each in wanted]
    busy = visits.alias("busy")
    works = exists().where(busy.c.held_by == _PERSON, text("busy." + _BUSY.text))
    return (
        update(visits)
        .where(visits.c.id == func.coalesce(*first), visits.c.state == OPEN, ~works)
        .values(
            state=State.CLAIMED.value,
            held_by=_PERSON,
            lease_until=bindparam("until", type_=Instant),
            epoch=visits.c.epoch + 1,
        )
        .returning(*visits.c)
    )


def _choices(*, supervisor: bool, but: Collection[str] = ()) -> Iterator[Select[Any]]:
    """Give where to look for the next visit of `person` at `now`, in order (precedence of 21.2)."""
    wanted, others = visits.alias("wanted"), visits.alias("others")
    of, now = wanted.c, bindparam("now", type_=Instant)
    alone = ~exists().where(others.c.customer == of.customer, others.c.held_by.is_not(None))
    mine, nobodys = of.owner == _PERSON, of.owner.is_(None)
    tried = or_(of.avoid_agent.is_(None), of.avoid_agent != _PERSON)
    terms = [alone, tried] if supervisor else [alone, tried, of.by != "supervisor"]
    terms += [of.id.not_in(sorted(but))] if but else []
    yield (
        select(of.id)
        .where(
            of.appointment_at <= now,
            of.ended_at.is_(None),
            of.state == OPEN,
            of.next_at <= now,
            or_(mine, nobodys),
            *terms,
        )
        .order_by(of.appointment_at, of.id)
    )
    yield _due(select(of.id), wanted, mine, now).where(*terms)
    yield _due(select(of.id), wanted, nobodys, now).where(*terms)


def _due(
    asked: Select[Any],
    table: FromClause,
    whose: ColumnElement[bool],
    now: ColumnElement[datetime] | datetime,
) -> Select[Any]:
    # Both, and in this order, so that each database goes along the index; else it sorts all.
    of = table.c
    next_at = func.coalesce(of.next_at, of.next_at)
    return (
        asked.with_hint(table, "INDEXED BY ix_visits_free", "sqlite")
        .where(text(f"{table.description}.state = 'open'"), whose, next_at <= now)
        .order_by(of.owner, of.due_at, of.next_at, of.id)
    )


def _customer_busy() -> Refused:
    return Refused(
        "visit_customer_busy", "somebody works with this customer, or you on another visit"
    )


async def _take(
    conn: Connection, known: Visit, person: str, now: datetime, lease: timedelta
) -> Visit:
    values = {
        "state": State.CLAIMED.value,
        "held_by": person,
        "lease_until": now + lease,
        "epoch": known.epoch + 1,
    }
    try:
        taken = await _moved(conn, known, (OPEN,), values)
    except IntegrityError as fault:
        raise _customer_busy() from fault
    if not taken:
        raise Refused("visit_taken", "somebody was faster")
    return replace(
        known,
        state=State.CLAIMED,
        held_by=person,
        lease_until=now + lease,
        epoch=known.epoch + 1,
    )


async def _moved(
    conn: Connection, visit: Visit, of: Sequence[str], values: Mapping[str, Any]
) -> bool:
    done = await conn.execute(
        update(visits)
        .where(visits.c.id == visit.id, visits.c.state.in_(of), visits.c.epoch == visit.epoch)
        .values(**values)
    )
    return bool(done.rowcount)


async def _abandons(conn: Connection, since: datetime) -> Abandons:
    """Count calls that we dialled, by whatever mode; who called us himself is not one of them."""
    ours = tries.c.allowed != CALLED_US
    person = tries.c.outcome.in_([one.value for one in PERSON])
    over = await conn.execute(
        select(
            func.count().filter(or_(tries.c.abandoned, person)).label("answered"),
            func.count().filter(tries.c.abandoned).label("abandoned"),
        ).where(tries.c.ended_at >= since, ours)
    )
    row = over.one()
    under_way = select(func.count()).where(tries.c.ended_at.is_(None), tries.c.customer_first)
    return Abandons(
        answered=row.answered,
        abandoned=row.abandoned,
        under_way=int(await conn.scalar(under_way) or 0),
    )


def _free(visit: Visit) -> dict[str, Any]:
    return {
        "state": OPEN,
        "held_by": None,
        "lease_until": None,
        "dial_at": None,
        "epoch": visit.epoch + 1,
    }


async def _many(conn: Connection, query: Select[Any]) -> list[Visit]:
    return [visit_of(row) for row in await conn.execute(query)]


async def _tries(conn: Connection, *where: ColumnElement[bool]) -> list[Try]:
    found = await conn.execute(select(tries).where(*where).order_by(tries.c.began_at, tries.c.id))
    return [try_of(row) for row in found]


async def _locked(conn: Connection, visit: str) -> Visit:
    found = await _many(conn, select(visits).where(visits.c.id == visit).with_for_update())
    if not found:
        raise Refused("no_visit", "there is no such visit")
    return found[0]


def _fresh(owed: Owed, now: datetime, policy: str) -> dict[str, Any]:
    warned, again = next_look(owed.from_at, owed.due_at, owed.give_up_at, now)
    return {
        "id": new_id(now),
        "kind": owed.kind.value,
        "origin": owed.origin,
        "customer": owed.customer,
        "rule": owed.rule,
        "purpose": owed.purpose,
        "period": owed.period,
        "event": owed.event,
        "campaign": owed.campaign,
        "department": owed.department,
        "form": owed.form,
        "script": owed.script,
        "channels": list(owed.channels),
        "by": owed.by,
        "at": owed.at,
        "state": OPEN,
        "from_at": owed.from_at,
        "due_at": owed.due_at,
        "give_up_at": owed.give_up_at,
        "next_at": owed.appointment_at or owed.from_at,
        "appointment_at": owed.appointment_at,
        "owner": owed.owner,
        "held_by": None,
        "lease_until": None,
        "dial_at": None,
        "epoch": 0,
        "attempts": 0,
        "explanations": 0,
        "avoid_agent": None,
        "avoid_daypart": None,
        "look_at": again,
        "warned": warned,
        "breached": owed.due_at <= now,
        "breach_cause": PLANNED_LATE if owed.due_at <= now else "",
        "fallback_sent": False,
        "outcome": None,
        "note": "",
        "zone": owed.zone,
        "policy": policy,
        "merged_into": None,
        "ended_by": None,
        "ended_at": None,
        "opened_at": now,
    }


def visit_of(row: Row[Any]) -> Visit:
    """Read a row of `visits`."""
    values = dict(row._mapping)
    values["kind"] = Kind(row.kind)
    values["channels"] = tuple(row.channels)
    values["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Visit(**values)


def try_of(row: Row[Any]) -> Try:
    """Read a row of `tries`."""
    values = dict(row._mapping)
    del values["day"]
    values["outcome"] = Outcome(row.outcome) if row.outcome else None
    return Try(**values)


MOVES: Final = (
    "purpose",
    "period",
    "department",
    "form",
    "script",
    "channels",
    "by",
    "at",
    "from_at",
    "due_at",
    "give_up_at",
    "zone",
)
"""What a plan may change of a visit that nobody has begun."""
_NOT_BEGUN: Final = (
    text("visits.state = 'open'"),
    visits.c.kind == Kind.VISIT.value,
    text("coalesce(visits.campaign, '') = ''"),
    visits.c.attempts == 0,
    visits.c.explanations == 0,
    visits.c.appointment_at.is_(None),
)


class PlanStore:
    """What plans ask of the visits: which days are planned, what stands there, what is moved."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # -- days

    async def planned_days(self, since: date, until: date) -> set[date]:
        """Give the days that were planned, from a day to another, both included."""
        wanted = select(plan_days.c.day).where(plan_days.c.day >= since, plan_days.c.day <= until)
        async with self._db.read() as conn:
            return set((await conn.execute(wanted)).scalars())

    async def first(self) -> date | None:
        """Give the earliest day that was ever planned; None: none ever was."""
        async with self._db.read() as conn:
            found: date | None = await conn.scalar(select(func.min(plan_days.c.day)))
        return found

    async def last(self) -> tuple[str, datetime] | None:
        """Give by which rules a day was planned last, and when; None: none ever was."""
        wanted = select(plan_days).order_by(plan_days.c.at.desc(), plan_days.c.day.desc()).limit(1)
        async with self._db.read() as conn:
            row = (await conn.execute(wanted)).first()
        return (row.policy, row.at) if row else None

    async def day_done(self, conn: Connection, day: date, policy: str, now: datetime) -> None:
        """Note that a day is planned."""
        await self.forget_days(conn, day, day)
        await conn.execute(insert(plan_days).values(day=day, policy=policy, at=now))

    async def forget_days(self, conn: Connection, since: date, until: date) -> None:
        """Let days be planned again."""
        await conn.execute(
            delete(plan_days).where(plan_days.c.day >= since, plan_days.c.day <= until)
        )

    # -- what stands there

    async def of_events(self, events: Sequence[str]) -> list[Visit]:
        """Give the visits that are owed after some events."""
        async with self._db.read() as conn:
            return await _many(conn, select(visits).where(visits.c.event.in_(events)))

    async def known(self, origins: Sequence[str]) -> set[str]:
        """Give those of some origins for which a visit is there."""
        wanted = select(visits.c.origin).where(visits.c.origin.in_(origins))
        async with self._db.read() as conn:
            return set((await conn.execute(wanted)).scalars())

    async def recent(self, customers: Sequence[str], rule: str, since: datetime) -> set[str]:
        """Give those of some customers who have a visit of a rule that began since an instant."""
        wanted = select(visits.c.customer).where(
            visits.c.customer.in_(customers),
            visits.c.due_at >= since,
            visits.c.rule == rule,
            visits.c.from_at >= since,
        )
        async with self._db.read() as conn:
            return set((await conn.execute(wanted)).scalars())

    async def of_cycles(self, after: str, limit: int) -> list[Visit]:
        """Give what a plan owes without an event and nobody has begun, by id, behind one."""
        wanted = (
            select(visits)
            .where(*_NOT_BEGUN, text("visits.event IS NULL"), visits.c.id > after)
            .order_by(visits.c.id)
            .limit(limit)
        )
        async with self._db.read() as conn:
            return await _many(conn, wanted)

    # -- moving, cancelling, giving

    async def move(
        self, conn: Connection, visit: Visit, owed: Owed, now: datetime, policy: str
    ) -> bool:
        """Let a visit that nobody has begun be as it is owed now; False when it is begun.

        Why a deadline was missed stays, unless there is another one that may still be kept.
        """
        fresh = _fresh(owed, now, policy)
        time = ("next_at", "look_at", "warned", "breached", "breach_cause")
        values = {name: fresh[name] for name in (*MOVES, *time, "policy")}
        if visit.breached and fresh["breached"]:
            values["breach_cause"] = visit.breach_cause
        return await self._change(conn, visit, values)

    async def cancel(self, conn: Connection, visit: Visit, now: datetime) -> bool:
        """Cancel a visit that nobody has begun; False when it is begun."""
        values = {"state": State.CANCELLED.value, "ended_at": now}
        return await self._change(conn, visit, values)

    async def _change(self, conn: Connection, visit: Visit, values: Mapping[str, Any]) -> bool:
        done = await conn.execute(
            update(visits)
            .where(visits.c.id == visit.id, visits.c.epoch == visit.epoch, *_NOT_BEGUN)
            .values(**values)
        )
        return bool(done.rowcount)

    async def cancel_others(self, conn: Connection, rules: Sequence[str], now: datetime) -> int:
        """Cancel what nobody has begun of rules that are none of these; give how many."""
        n, rule = 0, ""
        while rule := await _next_rule(conn, rule):
            if rule not in rules:
                done = await conn.execute(
                    update(visits)
                    .where(visits.c.rule == rule, *_NOT_BEGUN)
                    .values(state=State.CANCELLED.value, ended_at=now)
                )
                n += done.rowcount
        return n

    async def ownerless(self, until: datetime, due_until: datetime, limit: int) -> list[Visit]:
        """Give what is nobody's, begins by an instant and is due by another, by deadline."""
        wanted = (
            select(visits)
            .where(
                _FREE,
                visits.c.owner.is_(None),
                visits.c.from_at <= until,
                visits.c.due_at <= due_until,
            )
            .order_by(visits.c.due_at, visits.c.id)
            .limit(limit)
        )
        async with self._db.read() as conn:
            return await _many(conn, wanted)

    async def loads(self, people: Sequence[str]) -> dict[str, int]:
        """Count the customers whose open visits are each person's."""
        wanted = (
            select(visits.c.owner, func.count(visits.c.customer.distinct()).label("n"))
            .where(_FREE, visits.c.owner.in_(people))
            .group_by(visits.c.owner)
        )
        async with self._db.read() as conn:
            return {row.owner: row.n for row in await conn.execute(wanted)}

    async def give(self, conn: Connection, owners: Mapping[str, str]) -> int:
        """Give visits that are nobody's to people, by id; give how many were."""
        n, whose = 0, dict[str, list[str]]()
        for visit, person in owners.items():
            whose.setdefault(person, []).append(visit)
        for person, some in whose.items():
            done = await conn.execute(
                update(visits)
                .where(visits.c.id.in_(some), visits.c.owner.is_(None), visits.c.state == OPEN)
                .values(owner=person)
            )
            n += done.rowcount
        return n

    async def last_agents(self, customers: Sequence[str]) -> dict[str, str]:
        """Give who called each customer last."""
        place = func.row_number().over(
            partition_by=tries.c.customer, order_by=tries.c.began_at.desc()
        )
        ranked = (
            select(tries.c.customer, tries.c.agent, place.label("place"))
            .where(tries.c.customer.in_(customers))
            .subquery()
        )
        async with self._db.read() as conn:
            rows = await conn.execute(select(ranked).where(ranked.c.place == 1))
            return {row.customer: row.agent for row in rows}

    # -- figures

    async def counts(
        self, rules: Sequence[str], since: str = ""
    ) -> list[tuple[str, str, str, bool, int]]:
        """Count visits by (rule, period, state, breached), of some rules from a period on."""
        keys = (visits.c.rule, visits.c.period, visits.c.state, visits.c.breached)
        wanted = (
            select(*keys, func.count())
            .where(visits.c.rule.in_(rules), visits.c.period >= since)
            .group_by(*keys)
        )
        async with self._db.read() as conn:
            return [tuple(row) for row in await conn.execute(wanted)]

    async def made(self, since: datetime, until: datetime) -> list[Visit]:
        """Give the visits that were made from an instant to before another, in order."""
        wanted = (
            select(visits)
            .where(
                text("visits.state = 'done'"),
                visits.c.ended_at >= since,
                visits.c.ended_at < until,
            )
            .order_by(visits.c.ended_at, visits.c.id)
        )
        async with self._db.read() as conn:
            return await _many(conn, wanted)

    async def tried(self, since: datetime) -> list[tuple[str, str, bool]]:
        """Give (agent, rule, made) of each visit that an agent tried since an instant, once."""
        wanted = (
            select(tries.c.agent, visits.c.rule, visits.c.state)
            .join(visits, visits.c.id == tries.c.visit)
            .where(tries.c.began_at >= since)
            .group_by(tries.c.agent, visits.c.id, visits.c.rule, visits.c.state)
        )
        async with self._db.read() as conn:
            rows = await conn.execute(wanted)
            return [(row.agent, row.rule, row.state == State.DONE.value) for row in rows]

    # -- one customer

    async def tell(self, customer: str) -> Mapping[str, Any]:
        """Give all visits of a customer with their attempts, to be given away."""
        async with self._db.read() as conn:
            some = await conn.execute(select(visits).where(visits.c.customer == customer))
            made = await conn.execute(select(tries).where(tries.c.customer == customer))
            return {
                "visits.json": [dict(row._mapping) for row in some],
                "attempts.json": [dict(row._mapping) for row in made],
            }

    async def forget(self, conn: Connection, customer: str, now: datetime) -> None:
        """Forget what was said to a customer; what is still owed to him is owed no more.

        Counts stay. Raises `Refused` (customer_on_call) while he is being dialled.
        """
        his = visits.c.customer == customer
        dialled = select(visits.c.id).where(his, visits.c.state == State.IN_ATTEMPT.value)
        if await conn.scalar(dialled.limit(1)) is not None:
            raise Refused("customer_on_call", "he is being called: wait for the end")
        await conn.execute(
            update(visits)
            .where(his, visits.c.ended_at.is_(None))
            .values(
                state=State.CANCELLED.value,
                held_by=None,
                lease_until=None,
                dial_at=None,
                ended_at=now,
            )
        )
        await conn.execute(update(visits).where(his).values(note=""))
        await conn.execute(update(tries).where(tries.c.customer == customer).values(number=""))


async def _next_rule(conn: Connection, after: str) -> str:
    """Give the next rule by which anything was ever owed; empty: there is none."""
    found = await conn.scalar(select(func.min(visits.c.rule)).where(visits.c.rule > after))
    return str(found or "")
