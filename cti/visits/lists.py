"""Which visits does a page show, and how do they stand altogether? Reads what `store` keeps."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, update

from cti.db.audit import audit
from cti.db.audit import record as audited
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.errors import Refused
from cti.visits.record import COVERED, OPEN, PROMISE_RULE, State, Try, Visit
from cti.visits.store import tries, try_of, visit_of, visits

RISK: Final = 80
"""Of its time, in percent: what is open for longer is at risk (requirement 21.2.5)."""

_OPEN: Final = text("visits.state = 'open'")
_NOT_OVER: Final = text("visits.ended_at IS NULL")
_WRAP_UP: Final = visits.c.state == State.WRAP_UP


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something, when, from which address, under which rules: for the audit."""

    person: str
    at: datetime
    address: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which visits a list shows. Empty is any; `after` is the last one of the page before.

    `state`: `open` is all that has not ended; `risk` shows only what is late or nearly so.
    """

    state: str = "open"
    rule: str = ""
    period: str = ""
    owner: str = ""
    campaign: str = ""
    risk: bool = False
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """How the visits of one rule and period stand (V10). `at_risk`: 80 % of its time is over."""

    rule: str
    period: str
    due: int = 0
    done: int = 0
    covered: int = 0
    """Done, unreachable or refused."""
    open: int = 0
    """Still to be covered: also wrong numbers, and what a person has to decide."""
    cancelled: int = 0
    merged: int = 0
    breached: int = 0
    at_risk: int = 0
    causes: tuple[tuple[str, int], ...] = ()
    """Why those were breached that were, the most frequent first."""

    @property
    def share(self) -> float | None:
        """What part of those that count is covered; None: none counts."""
        counted = self.due - self.cancelled - self.merged
        return self.covered / counted if counted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day of the calendar: visits that become due in it, and times that customers named."""

    day: date
    due: int
    appointments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that was done to a visit, from the audit; `who` is a person or `cti`."""

    at: datetime
    who: str
    what: str
    reason: str


class VisitLists:
    """Visits as pages show them. Instants are aware UTC."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # -- an agent's

    async def mine(self, person: str, limit: int) -> list[Visit]:
        """Give what somebody works on, then what is his, the earliest due first."""
        mine = and_(_OPEN, visits.c.owner == person)
        async with self.db.read() as conn:
            held = await _all(conn, select(visits).where(visits.c.held_by == person))
            own = select(visits).where(mine).order_by(visits.c.due_at, visits.c.id).limit(limit)
            return [*held, *await _all(conn, own)]

    async def free(
        self, now: datetime, limit: int, *, supervisor: bool, after: str = ""
    ) -> list[Visit]:
        """Give what is nobody's and may be made now, the earliest due first."""
        query = select(visits).where(_OPEN, visits.c.owner.is_(None), visits.c.next_at <= now)
        query = query if supervisor else query.where(visits.c.by != "supervisor")
        async with self.db.read() as conn:
            return await _page(conn, query, after, limit)

    async def next_appointment(self, person: str, now: datetime) -> datetime | None:
        """Give when somebody has his next appointment with a customer."""
        async with self.db.read() as conn:
            found: datetime | None = await conn.scalar(
                select(func.min(visits.c.appointment_at)).where(
                    visits.c.appointment_at >= now - timedelta(hours=1),
                    visits.c.ended_at.is_(None),
                    visits.c.owner == person,
                )
            )
        return found

    # -- a supervisor's

    async def find(self, wanted: Wanted, limit: int) -> list[Visit]:
        """Give visits for a list, the earliest due first."""
        query = select(visits)
        if wanted.state == "open":
            query = query.where(visits.c.ended_at.is_(None))
        elif wanted.state:
            query = query.where(visits.c.state == wanted.state)
        for name in ("rule", "period", "campaign"):
            if said := getattr(wanted, name):
                query = query.where(visits.c[name] == said)
        if wanted.owner:
            owner = None if wanted.owner == "nobody" else wanted.owner
            query = query.where(visits.c.owner == owner)
        if wanted.risk:
            query = query.where(or_(visits.c.breached.is_(True), visits.c.warned >= RISK))
        async with self.db.read() as conn:
            return await _page(conn, query, wanted.after, limit)

    async def coverage(self, rules: Collection[str], since: str) -> list[Cover]:
        """Count the visits of some rules by period, from a period on (V10)."""
        found = list[Cover]()
        async with self.db.read() as conn:
            for rule in sorted(rules):
                of_rule = and_(visits.c.rule == rule, visits.c.period >= since)
                rows = (await conn.execute(_counted(of_rule))).all()
                found += _covers(rule, rows)
        return found

    async def covered_by(self, campaign: str) -> Cover:
        """Count the visits of a campaign."""
        async with self.db.read() as conn:
            rows = (await conn.execute(_counted(visits.c.campaign == campaign))).all()
        covers = _covers(campaign, [_as_period(row, "") for row in rows])
        return covers[0] if covers else Cover(rule=campaign, period="")

    async def promised(self, since: datetime, until: datetime, now: datetime) -> tuple[int, int]:
        """Count what was promised to customers for a time and is due by now, and what was kept.

        Kept is what was covered before its deadline; what was cancelled or merged counts nothing.
        """
        periods = {f"{at:%Y-%m}" for at in (since - timedelta(days=1), until + timedelta(days=1))}
        over = visits.c.state.in_(COVERED)
        wanted = select(
            func.count().filter(or_(over, visits.c.due_at <= now)),
            func.count().filter(over, visits.c.breached.is_(False)),
        ).where(
            visits.c.rule == PROMISE_RULE,
            visits.c.period.in_(sorted(periods)),
            visits.c.due_at >= since,
            visits.c.due_at < until,
            visits.c.state.not_in((State.CANCELLED, State.MERGED)),
        )
        async with self.db.read() as conn:
            due, kept = (await conn.execute(wanted)).one()
        return due, kept

    async def unrecorded(self) -> int:
        """Count the visits that were made and whose record is still owed."""
        wanted = select(func.count()).where(text("held_by IS NOT NULL"), _WRAP_UP)
        async with self.db.read() as conn:
            return int(await conn.scalar(wanted) or 0)

    async def load(self, until: datetime) -> dict[str | None, tuple[int, int]]:
        """Count what each person has open, and what of that is due until an instant."""
        due = func.count().filter(visits.c.due_at < until)
        async with self.db.read() as conn:
            found = await conn.execute(
                select(visits.c.owner, func.count().label("n"), due.label("due"))
                .where(_NOT_OVER)
                .group_by(visits.c.owner)
            )
            return {row.owner: (row.n, row.due) for row in found}

    async def days(self, edges: Sequence[tuple[date, datetime, datetime]]) -> list[Day]:
        """Count what becomes due, and which appointments there are, on each of some days."""
        found = list[Day]()
        async with self.db.read() as conn:
            for day, since, until in edges:
                due = and_(visits.c.due_at >= since, visits.c.due_at < until)
                n = await conn.scalar(select(func.count()).where(due, visits.c.ended_at.is_(None)))
                named = await conn.scalar(
                    select(func.count()).where(
                        visits.c.appointment_at >= since,
                        visits.c.appointment_at < until,
                        visits.c.ended_at.is_(None),
                    )
                )
                found.append(Day(day=day, due=int(n or 0), appointments=int(named or 0)))
        return found

    async def appointments(self, since: datetime, until: datetime, limit: int) -> list[Visit]:
        """Give the visits for which customers named a time, in its order."""
        query = (
            select(visits)
            .where(
                visits.c.appointment_at >= since,
                visits.c.appointment_at < until,
                visits.c.ended_at.is_(None),
            )
            .order_by(visits.c.appointment_at, visits.c.id)
            .limit(limit)
        )
        async with self.db.read() as conn:
            return await _all(conn, query)

    # -- one visit

    async def tries_of(self, visit: str) -> list[Try]:
        """Give the attempts of a visit, in order."""
        query = select(tries).where(tries.c.visit == visit).order_by(tries.c.began_at, tries.c.id)
        async with self.db.read() as conn:
            return [try_of(row) for row in await conn.execute(query)]

    async def deeds(self, visit: str) -> list[Deed]:
        """Give what people did to a visit, oldest first."""
        async with self.db.read() as conn:
            found = await conn.execute(
                select(audit).where(audit.c.about == f"visit:{visit}").order_by(audit.c.seq)
            )
            return [Deed(at=row.at, who=row.who, what=row.what, reason=row.reason) for row in found]

    # -- what people change

    async def change(
        self, visit: str, by: By, what: str, values: Mapping[str, Any], reason: str
    ) -> Visit:
        """Change a visit that nobody works on: no_visit, visit_over, visit_taken."""
        async with self.db.write() as conn:
            query = select(visits).where(visits.c.id == visit).with_for_update()
            row = (await conn.execute(query)).first()
            if row is None:
                raise Refused("no_visit", "there is no such visit")
            known = visit_of(row)
            if known.is_over and known.state != State.WRONG_NUMBER:
                raise Refused("visit_over", "this visit has ended")
            if known.state not in (OPEN, State.NEEDS_DECISION, State.WRONG_NUMBER):
                raise Refused("visit_taken", "somebody works on it", by=known.held_by)
            changed = {**values, "epoch": known.epoch + 1}
            await conn.execute(update(visits).where(visits.c.id == visit).values(changed))
            await audited(
                conn,
                at=by.at,
                who=by.person,
                what=what,
                about=f"visit:{visit}",
                before={name: _plain(getattr(known, name)) for name in values},
                after={name: _plain(said) for name, said in values.items()},
                reason=reason,
                policy=by.policy,
                address=by.address,
            )
        return known


def _plain(one: Any) -> Any:
    return one.isoformat() if isinstance(one, datetime) else one


def _counted(where: ColumnElement[bool]) -> Select[Any]:
    late = visits.c.breached.is_(True)
    risky = and_(visits.c.ended_at.is_(None), visits.c.warned >= RISK, visits.c.breached.is_(False))
    return (
        select(
            visits.c.period,
            visits.c.state,
            visits.c.breach_cause,
            func.count().label("n"),
            func.count().filter(late).label("late"),
            func.count().filter(risky).label("risky"),
        )
        .where(where)
        .group_by(visits.c.period, visits.c.state, visits.c.breach_cause)
    )


@dataclass(frozen=True, slots=True)
class _Row:
    period: str
    state: str
    breach_cause: str
    n: int
    late: int
    risky: int


def _as_period(row: Any, period: str) -> _Row:
    return _Row(period, row.state, row.breach_cause, row.n, row.late, row.risky)


def _covers(rule: str, rows: Sequence[Any]) -> list[Cover]:
    periods = sorted({row.period for row in rows}, reverse=True)
    return [_cover(rule, one, [row for row in rows if row.period == one]) for one in periods]


def _cover(rule: str, period: str, rows: Sequence[Any]) -> Cover:
    def of(*states: str) -> int:
        return sum(row.n for row in rows if row.state in states)

    due, covered = sum(row.n for row in rows), of(*COVERED)
    cancelled, merged = of(State.CANCELLED), of(State.MERGED)
    causes = dict[str, int]()
    for row in rows:
        if row.late:
            causes[row.breach_cause] = causes.get(row.breach_cause, 0) + row.late
    return Cover(
        rule=rule,
        period=period,
        due=due,
        done=of(State.DONE),
        covered=covered,
        open=due - covered - cancelled - merged,
        cancelled=cancelled,
        merged=merged,
        breached=sum(row.late for row in rows),
        at_risk=sum(row.risky for row in rows),
        causes=tuple(sorted(causes.items(), key=lambda one: (-one[1], one[0]))),
    )


async def _page(conn: Connection, query: Select[Any], after: str, limit: int) -> list[Visit]:
    if after:
        place = (await conn.execute(select(visits).where(visits.c.id == after))).first()
        if place is not None:
            query = query.where(
                or_(
                    visits.c.due_at > place.due_at,
                    and_(visits.c.due_at == place.due_at, visits.c.id > place.id),
                )
            )
    return await _all(conn, query.order_by(visits.c.due_at, visits.c.id).limit(limit))


async def _all(conn: Connection, query: Select[Any]) -> list[Visit]:
    return [visit_of(row) for row in await conn.execute(query)]
