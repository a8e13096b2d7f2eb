"""Where is the roster kept, with everything that people clicked on it?

Each deed is one transaction: it takes the room's lock, reads, lets the rules judge, writes by
conditional updates, and appends the audit row and the roster's next version. So of two people
who decide the same thing one wins, and the other is told (`Refused`).
"""

import json
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Integer,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from cti.clock import Clock, SystemClock
from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, metadata, new_id
from cti.duty import plan, requests, rules
from cti.duty.plan import Gap, Lack, Slot
from cti.duty.requests import Answer, Away, Kind, Leave, Swap, SwapState
from cti.duty.rules import Assignment, By, DutySet, DutyState, Handover, HandoverState
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Person, Right, Role
from cti.presence.states import Interval
from cti.value import value

BEFORE: Final = timedelta(days=2)
"""A duty that began longer ago is over: a shift and its relief last a day each at most."""
AFTER: Final = timedelta(days=1)
TITLE_LIMIT: Final = 120
BODY_LIMIT: Final = 4000
NOTES_LIMIT: Final = 2000
SHOWN_MOST: Final = 200
"""Rows of a list that only ever grows."""

assignments: Final = Table(
    "duty_assignments",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("person", String(26), nullable=False, index=True),
    Column("role", String(16), nullable=False),
    Column("department", String(64), nullable=False),
    Column("day", Date, nullable=False, index=True),
    Column("shift", String(64), nullable=False),
    Column("starts", Instant, nullable=False, index=True),
    Column("ends", Instant, nullable=False),
    Column("relieved_by", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("clock_in", Instant),
    Column("clock_out", Instant),
    Column("offered_at", Instant),
    Column("handed_over_at", Instant),
    Column("took_over_at", Instant),
    Column("excused_from", Instant),
    Column("published_at", Instant),
    Column("removed_at", Instant),
    Column("dropping", Boolean, nullable=False),
    Column("swap", String(26), nullable=False),
    Column("version", Integer, nullable=False),
)
versions: Final = Table(
    "duty_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False, index=True),
)
plans: Final = Table(
    "duty_plans",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("week", Date, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", String(26), nullable=False),
)
gaps: Final = Table(
    "duty_gaps",
    metadata,
    Column("plan", String(26), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("lack", String(16), nullable=False),
    Column("department", String(64), nullable=False),
    Column("began", Instant, nullable=False),
    Column("ended", Instant, nullable=False),
    Column("staff", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("shift", String(64), nullable=False),
)
swaps: Final = Table(
    "duty_swaps",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("asker", String(26), nullable=False, index=True),
    Column("peer", String(26), nullable=False, index=True),
    Column("first", String(26), nullable=False),
    Column("back", String(26), nullable=False),
    Column("month", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("asked_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", String(26), nullable=False),
    Column("why", Text, nullable=False),
)
leaves: Final = Table(
    "duty_leaves",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("person", String(26), nullable=False, index=True),
    Column("assignment", String(26), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("asked_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", String(26), nullable=False),
    Column("why", Text, nullable=False),
)
aways: Final = Table(
    "duty_away",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("person", String(26), nullable=False, index=True),
    Column("assignment", String(26), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Instant, nullable=False, index=True),
    Column("began_at", Instant),
    Column("until_at", Instant),
    Column("ended_at", Instant),
    Column("decided_by", String(26), nullable=False),
    Column("why", Text, nullable=False),
)
handovers: Final = Table(
    "duty_handovers",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("assignment", String(26), nullable=False, unique=True),
    Column("person", String(26), nullable=False),
    Column("notes", Text, nullable=False),
    Column("open_items", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("offered_at", Instant, nullable=False, index=True),
    Column("to_assignment", String(26), nullable=False),
    Column("to_person", String(26), nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", String(26), nullable=False),
    Column("why", Text, nullable=False),
)
notices: Final = Table(
    "duty_notices",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("by", String(26), nullable=False),
    Column("title", String(TITLE_LIMIT), nullable=False),
    Column("body", Text, nullable=False),
)
reads: Final = Table(
    "duty_notice_reads",
    metadata,
    Column("notice", String(26), primary_key=True),
    Column("person", String(26), primary_key=True),
    Column("at", Instant, nullable=False),
)
checklists: Final = Table(
    "duty_checklists",
    metadata,
    Column("assignment", String(26), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("person", String(26), nullable=False),
    Column("items", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
seats: Final = Table(
    "duty_chat_seats",
    metadata,
    Column("assignment", String(26), primary_key=True),
    Column("day", Date, nullable=False, index=True),
    Column("shift", String(64), nullable=False),
    Column("by", String(26), nullable=False),
    Column("at", Instant, nullable=False),
)

_STORED: Final = [one.name for one in fields(Assignment) if one.name != "state"]
_COLUMNS: Final = [assignments.c[name] for name in _STORED]


@value
class Plan:
    """The last publication of a week, and what it lacked."""

    week: date
    version: int
    at: datetime
    by: str
    gaps: tuple[Gap, ...]


@value
class Notice:
    """What everybody should know, and who has read it when."""

    id: str
    at: datetime
    by: str
    title: str
    body: str
    reads: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Pick:
    """One assignment as it stood on the page that somebody clicked on."""

    id: str
    version: int


@dataclass(slots=True)
class Deed:
    """One transaction of somebody's: its connection, its instant, and what it writes down."""

    conn: Connection
    at: datetime
    by: By
    policy: str

    @property
    def who(self) -> str:
        """Who does it."""
        return self.by.person.id

    async def note(
        self,
        what: str,
        about: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """Write it into the audit log."""
        await audit.record(
            self.conn,
            at=self.at,
            who=self.who,
            what=what,
            about=about,
            before=before,
            after=after,
            reason=reason,
            policy=self.policy,
            address=self.by.address,
        )

    async def changed(self) -> int:
        """Give the roster its next version."""
        last = await self.conn.scalar(select(func.max(versions.c.version)))
        version = int(last or 0) + 1
        await self.conn.execute(insert(versions).values(version=version, at=self.at))
        return version

    async def put(self, one: Assignment) -> Assignment:
        """Store a new assignment."""
        await self.conn.execute(insert(assignments).values(_row(one)))
        return one

    async def set(self, one: Assignment, **facts: Any) -> None:
        """Change an assignment that nobody else has changed. Raises `Refused` (duty_changed)."""
        done = await self.conn.execute(
            update(assignments)
            .where(assignments.c.id == one.id, assignments.c.version == one.version)
            .values(**facts, version=one.version + 1)
        )
        if not done.rowcount:
            raise _changed()


class DutyStore:
    """The duty room's records. `house` and `people` are asked anew each time.

    Every deed may raise `StoreUnavailable` and `CommitUnknown`; what it refuses is told with it.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock | None = None,
        *,
        house: Callable[[], House],
        people: Callable[[], Directory],
    ) -> None:
        self._db, self._clock = db, clock or SystemClock()
        self._house, self._people = house, people

    async def duty_at(self, at: datetime, department: str = "") -> DutySet:
        """Tell who was on duty at an instant, by the roster as it was then (MISS-02)."""
        return (await self.duty_and_roster(at, department))[0]

    async def duty_and_roster(
        self, at: datetime, department: str = ""
    ) -> tuple[DutySet, Sequence[Assignment]]:
        """Give the answer of `duty_at`, and every assignment that may bear on it, drafts too."""
        async with self._db.read() as conn:
            roster = await self._around(conn, at, at)
            version = await conn.scalar(
                select(func.max(versions.c.version)).where(versions.c.at <= at)
            )
        duty = rules.on_duty(
            roster,
            at,
            department,
            stay_until_relieved=self._stay,
            own_supervisor=self._own_supervisor,
            version=str(version or 0),
        )
        return duty, roster

    async def away(self, person: str, began: datetime, ended: datetime) -> Sequence[Interval]:
        """Give approved breaks and times called away that touch a time, as states."""
        async with self._db.read() as conn:
            found = await self._aways(conn, began, ended, aways.c.person == person)
        intervals = [one.interval() for one in found]
        return [
            one
            for one in intervals
            if one and one.began_at <= ended and (one.ended_at is None or one.ended_at > began)
        ]

    async def roster(
        self, began: datetime, ended: datetime, people: Collection[str] = ()
    ) -> Sequence[Assignment]:
        """Give the published assignments that touch a time, in order of their beginning.

        `people` are those who are asked for; none named: everybody.
        """
        async with self._db.read() as conn:
            found = await self._around(conn, began, ended, people)
        now = self._clock.now()
        return [one for one in found if one.counts(now) and one.starts < ended and one.ends > began]

    async def around(self, at: datetime) -> Sequence[Assignment]:
        """Give every assignment that may bear on an instant, drafts too."""
        async with self._db.read() as conn:
            return await self._around(conn, at, at)

    async def week(self, week: date) -> Sequence[Assignment]:
        """Give a week's plan with its drafts; what was taken out is not in it."""
        async with self._db.read() as conn:
            return [one for one in await self._week(conn, week) if one.removed_at is None]

    async def plan(self, week: date) -> Plan | None:
        """Give the last publication of a week."""
        async with self._db.read() as conn:
            last = select(plans).where(plans.c.week == week).order_by(plans.c.version.desc())
            if (row := (await conn.execute(last.limit(1))).first()) is None:
                return None
            found = await conn.execute(select(gaps).where(gaps.c.plan == row.id).order_by(gaps.c.n))
            lacks = tuple(_gap(gap) for gap in found)
        return Plan(week=row.week, version=row.version, at=row.at, by=row.by, gaps=lacks)

    async def lacks(self, week: date) -> list[Gap]:
        """Tell what a week's plan lacks, by the rules of now."""
        async with self._db.read() as conn:
            return await self._lacks(conn, week)

    async def _lacks(self, conn: Connection, week: date) -> list[Gap]:
        """Hold a week's plan against the rules; shifts of the days beside it may reach into it."""
        beside = assignments.c.day.between(
            week - timedelta(days=1), week + timedelta(days=plan.DAYS)
        )
        return plan.gaps(
            await self._read(conn, beside),
            week,
            self._house(),
            own_supervisor=bool(self._own_supervisor),
        )

    async def add(self, by: By, person: str, shift: str, days: Collection[date]) -> None:
        """Plan somebody on a shift of some days, as drafts.

        Raises `Refused`: duty_bad_input, duty_past, duty_overlap.
        """
        async with self._deed(by) as deed:
            who = self._worker(person)
            if not days:
                raise Refused("duty_bad_input", "no day was chosen")
            for day in sorted(days):
                one = self._planned(who, day, shift, deed.at)
                await self._free(deed, one)
                await deed.put(one)
            after = {"person": person, "shift": shift, "days": sorted(days)}
            await deed.note("duty_add", f"person:{person}", after=after)

    async def remove(self, by: By, picks: Sequence[Pick]) -> None:
        """Take assignments out: drafts at once, published ones when the week is published.

        Raises `Refused`: duty_bad_input, duty_changed, duty_begun.
        """
        async with self._deed(by) as deed:
            for one in await self._picked(deed, picks):
                await self._drop(deed, one)
                await deed.note("duty_remove", f"duty:{one.id}", before=_facts(one))

    async def keep(self, by: By, picks: Sequence[Pick]) -> None:
        """Leave in the plan what was to be taken out. Raises `Refused` as `remove` does."""
        async with self._deed(by) as deed:
            for one in await self._picked(deed, picks):
                if one.dropping:
                    kept = replace(one, dropping=False)
                    await self._free(deed, kept)
                    await deed.set(one, dropping=False)
                    await deed.note("duty_keep", f"duty:{one.id}", before=_facts(one))

    async def move(self, by: By, picks: Sequence[Pick], day: date, shift: str) -> None:
        """Move assignments to another day or shift, as drafts.

        Raises `Refused`: duty_bad_input, duty_changed, duty_begun, duty_past, duty_overlap.
        """
        async with self._deed(by) as deed:
            for one in await self._picked(deed, picks):
                await self._drop(deed, one)
                moved = self._planned(self._worker(one.person), day, shift, deed.at)
                await self._free(deed, moved)
                await deed.put(moved)
                await deed.note(
                    "duty_move", f"duty:{one.id}", before=_facts(one), after=_facts(moved)
                )

    async def copy_week(self, by: By, week: date) -> int:
        """Plan a week as the week before, where people are free; give how many were added."""
        async with self._deed(by) as deed:
            before = await self._week(deed.conn, week - timedelta(days=plan.DAYS))
            there = await self._week(deed.conn, week)
            house, people = self._house(), self._people().people
            active = {key for key, one in people.items() if one.may(Right.OWN_WORK)}
            added = [
                self._planned(people[slot.person], slot.day, slot.shift, deed.at)
                for slot in plan.copied(before, there, house, active)
                if self._ahead(slot, deed.at)
            ]
            for one in added:
                await deed.put(one)
            if not added:
                raise Refused("duty_nothing_new", "nothing of the week before is missing here")
            await deed.note("duty_copy_week", f"week:{week}", after={"added": len(added)})
        return len(added)

    async def publish(self, by: By, week: date) -> Plan:
        """Put a week's drafts in force, with what the plan lacks written down beside it.

        Shifts that are over stay drafts. Raises `Refused` (duty_nothing_new).
        """
        async with self._deed(by) as deed:
            roster = await self._week(deed.conn, week)
            drafts = [one for one in roster if one.published_at is None and one.ends > deed.at]
            dropped = [one for one in roster if one.dropping and one.removed_at is None]
            if not drafts and not dropped:
                raise Refused("duty_nothing_new", "nothing has changed since the last publication")
            for one in drafts:
                await deed.set(one, published_at=deed.at)
            for one in dropped:
                gone = deed.at if one.starts > deed.at else None  # what has begun is not undone
                await deed.set(one, dropping=False, removed_at=gone)
            version = await deed.changed()
            found = await self._lacks(deed.conn, week)
            made = Plan(week=week, version=version, at=deed.at, by=deed.who, gaps=tuple(found))
            await _keep_plan(deed, made)
            after = {"version": version, "added": len(drafts), "removed": len(dropped)}
            await deed.note("duty_publish", f"week:{week}", after=after | {"gaps": len(found)})
        return made

    async def call_in(self, by: By, person: str, shift: str) -> None:
        """Put somebody on duty now, outside the plan, until the end of a shift of today.

        After midnight that is the night shift of yesterday, until it is over.

        Raises `Refused`: duty_bad_input, duty_past, duty_overlap.
        """
        async with self._deed(by) as deed:
            one = self._of_now(self._worker(person), shift, deed.at)
            one = replace(
                one,
                source="extra",
                starts=max(one.starts, deed.at),
                published_at=deed.at,
            )
            await self._free(deed, one)
            await deed.put(one)
            await deed.changed()
            await deed.note("duty_call_in", f"duty:{one.id}", after=_facts(one))

    async def excuse(self, by: By, assignment: str, reason: str) -> None:
        """Let somebody go from a shift, now or to come.

        Raises `Refused`: duty_reason_missing, duty_own_request, duty_gone, duty_past,
        duty_leave_holiday, duty_leave_swapped.
        """
        async with self._deed(by) as deed:
            reason = requests.checked_reason(reason)
            one = await self._one(deed, assignment)
            _not_own(deed, one.person)
            house = self._house()
            requests.check_leave(one, deed.at, house.calendar, house.shifts)
            await self._excuse(deed, one)
            await deed.note("duty_excuse", f"duty:{one.id}", before=_facts(one), reason=reason)

    async def clock_in(self, by: By) -> Assignment:
        """Say that one has come. Raises `Refused` (duty_no_shift, duty_clocked)."""
        async with self._deed(by) as deed:
            one = rules.to_clock_in(await self._own(deed), deed.at)
            came = one.clock_in or deed.at
            await deed.set(one, clock_in=came, clock_out=None)
            await deed.changed()
            await deed.note("duty_clock_in", f"duty:{one.id}", after={"clock_in": came})
        return one

    async def clock_out(self, by: By) -> Assignment:
        """Say that one goes; a shift that another relieves is then offered for hand-over.

        Who is not relieved stays on duty (SHIFT-04). Raises `Refused` (duty_no_shift).
        """
        async with self._deed(by) as deed:
            one = rules.to_clock_out(await self._own(deed), deed.at)
            facts: dict[str, Any] = {"clock_out": deed.at}
            arrive = self._house().shifts.arrive_before
            if one.relieved_by and not one.handed_over_at and deed.at >= one.ends - arrive:
                await self._offer(deed, one, "", "")
                facts["offered_at"] = one.offered_at or deed.at
            await deed.set(one, **facts)
            await self._end_all(deed, one.person)
            await deed.changed()
            await deed.note("duty_clock_out", f"duty:{one.id}", after=facts)
        return one

    async def ask_swap(self, by: By, first: str, back: str, reason: str) -> str:
        """Ask a colleague to work one's shift `first` for their shift `back`; give the swap's id.

        Raises `Refused`: duty_reason_missing, duty_not_yours, and as `requests.check_swap` does.
        """
        async with self._deed(by) as deed:
            reason = requests.checked_reason(reason)
            mine, theirs = await self._one(deed, first), await self._one(deed, back)
            if mine.person != deed.who:
                raise _not_yours()
            month = requests.swap_month(mine, theirs)
            await self._check_swap(deed, mine, theirs, month)
            row = {
                "id": new_id(deed.at),
                "asker": mine.person,
                "peer": theirs.person,
                "first": mine.id,
                "back": theirs.id,
                "month": month,
                "reason": reason,
                "state": SwapState.REQUESTED.value,
                "asked_at": deed.at,
                "decided_by": "",
                "why": "",
            }
            await deed.conn.execute(insert(swaps).values(row))
            await deed.note("duty_swap_ask", f"swap:{row['id']}", after=row, reason=reason)
        return str(row["id"])

    async def answer_swap(self, by: By, swap: str, *, yes: bool) -> None:
        """Accept or decline a colleague's wish. Raises `Refused` (duty_not_yours, duty_decided)."""
        async with self._deed(by) as deed:
            found = await self._swap(deed, swap)
            if found.peer != deed.who:
                raise _not_yours()
            state = SwapState.ACCEPTED_BY_PEER if yes else SwapState.REFUSED
            await self._decide(deed, swaps, swap, SwapState.REQUESTED, state)
            await deed.note("duty_swap_answer", f"swap:{swap}", after={"state": state})

    async def withdraw_swap(self, by: By, swap: str) -> None:
        """Take one's wish back before it is decided. Raises `Refused` as `answer_swap` does."""
        async with self._deed(by) as deed:
            found = await self._swap(deed, swap)
            if found.asker != deed.who:
                raise _not_yours()
            await self._decide(deed, swaps, swap, found.state, SwapState.REFUSED, open_only=True)
            await deed.note("duty_swap_withdraw", f"swap:{swap}")

    async def decide_swap(self, by: By, swap: str, *, yes: bool, why: str = "") -> None:
        """Approve or refuse a swap that the colleague has accepted; then the shifts change hands.

        Raises `Refused`: duty_own_request, duty_decided, duty_reason_missing (to refuse), and as
        `requests.check_swap` does.
        """
        async with self._deed(by) as deed:
            why = requests.checked_reason(why, needed=not yes)
            found = await self._swap(deed, swap)
            _not_own(deed, found.asker, found.peer)
            state = SwapState.APPROVED if yes else SwapState.REFUSED
            if yes:
                await self._check_swap(deed, found.first, found.back, found.month)
            await self._decide(deed, swaps, swap, SwapState.ACCEPTED_BY_PEER, state, why)
            if yes:
                await self._exchange(deed, found)
            await deed.note("duty_swap_decide", f"swap:{swap}", after={"state": state}, reason=why)

    async def ask_leave(self, by: By, assignment: str, reason: str) -> None:
        """Ask for leave. What the house does not give is kept as refused, and raised.

        Raises `Refused`: duty_reason_missing, duty_not_yours, duty_asked, and as
        `requests.check_leave` does.
        """
        refused: Refused | None = None
        async with self._deed(by) as deed:
            reason = requests.checked_reason(reason)
            one = await self._one(deed, assignment)
            if one.person != deed.who:
                raise _not_yours()
            house = self._house()
            try:
                requests.check_leave(one, deed.at, house.calendar, house.shifts)
            except Refused as fault:
                refused = fault
            open_one = select(leaves.c.id).where(
                leaves.c.assignment == one.id, leaves.c.state == Answer.REQUESTED
            )
            if (await deed.conn.execute(open_one)).first():
                raise Refused("duty_asked", "leave for this shift has been asked for already")
            row = {
                "id": new_id(deed.at),
                "person": one.person,
                "assignment": one.id,
                "reason": reason,
                "state": (Answer.REFUSED if refused else Answer.REQUESTED).value,
                "asked_at": deed.at,
                "decided_at": deed.at if refused else None,
                "decided_by": "",
                "why": refused.code if refused else "",
            }
            await deed.conn.execute(insert(leaves).values(row))
            await deed.note("duty_leave_ask", f"leave:{row['id']}", after=row, reason=reason)
        if refused:
            raise refused

    async def decide_leave(self, by: By, leave: str, *, yes: bool, why: str = "") -> None:
        """Approve or refuse leave.

        Raises `Refused`: duty_own_request, duty_decided, duty_reason_missing (to refuse), and as
        `requests.check_leave` does.
        """
        async with self._deed(by) as deed:
            why = requests.checked_reason(why, needed=not yes)
            row = (await deed.conn.execute(select(leaves).where(leaves.c.id == leave))).first()
            if row is None:
                raise _gone()
            _not_own(deed, row.person)
            state = Answer.APPROVED if yes else Answer.REFUSED
            await self._decide(deed, leaves, leave, Answer.REQUESTED, state, why)
            if yes:
                one, house = await self._one(deed, row.assignment), self._house()
                requests.check_leave(one, deed.at, house.calendar, house.shifts)
                await self._excuse(deed, one)
            await deed.note(
                "duty_leave_decide", f"leave:{leave}", after={"state": state}, reason=why
            )

    async def ask_break(self, by: By, minutes: int, reason: str = "") -> bool:
        """Ask for a break; tell whether it has begun.

        It begins at once where the house needs no approval, and for who may approve. Raises
        `Refused`: duty_no_shift, duty_too_long, and as `requests.check_break` does.
        """
        async with self._deed(by) as deed:
            reason = requests.checked_reason(reason, needed=False)
            one = rules.to_clock_out(await self._own(deed), deed.at)
            until = await self._check_break(deed, one, minutes)
            at_once = self._needs_nobody(by.person)
            await self._go_away(
                deed,
                one,
                kind=Kind.BREAK,
                minutes=minutes,
                reason=reason,
                state=Answer.APPROVED if at_once else Answer.REQUESTED,
                until=until if at_once else None,
            )
        return at_once

    async def decide_break(self, by: By, away: str, *, yes: bool, why: str = "") -> None:
        """Grant a break, which then begins, or refuse it with the reason.

        Raises `Refused`: duty_decided, duty_gone, duty_no_shift, duty_reason_missing (to
        refuse), and as `requests.check_break` does.
        """
        async with self._deed(by) as deed:
            why = requests.checked_reason(why, needed=not yes)
            row = (await deed.conn.execute(select(aways).where(aways.c.id == away))).first()
            if row is None:
                raise _gone()
            facts: dict[str, Any] = {}
            if yes:
                one = await self._one(deed, row.assignment)
                rules.to_clock_out([one], deed.at)
                until = await self._check_break(deed, one, row.minutes, but=away)
                facts = {"began_at": deed.at, "until_at": until}
            state = Answer.APPROVED if yes else Answer.REFUSED
            done = await deed.conn.execute(
                update(aways)
                .where(aways.c.id == away, aways.c.state == Answer.REQUESTED)
                .values(state=state.value, decided_by=deed.who, why=why, **facts)
            )
            if not done.rowcount:
                raise _decided()
            await deed.note("duty_break_decide", f"away:{away}", after={"state": state}, reason=why)

    async def call_away(self, by: By, assignment: str, reason: str) -> None:
        """Call somebody on duty away from the phone, until it is ended.

        Raises `Refused`: duty_reason_missing, duty_gone, duty_no_shift, duty_break_running.
        """
        async with self._deed(by) as deed:
            reason = requests.checked_reason(reason)
            one = await self._one(deed, assignment)
            rules.to_clock_out([one], deed.at)
            if any(each.holds(deed.at) for each in await self._running(deed, one.person)):
                raise Refused("duty_break_running", "this person is away already")
            await self._go_away(
                deed, one, kind=Kind.CALLED_AWAY, minutes=0, reason=reason, state=Answer.APPROVED
            )

    async def end_away(self, by: By, away: str) -> None:
        """Say that a break, or being called away, is over; a break asked for is taken back.

        Raises `Refused`: duty_gone, duty_not_yours, duty_decided (it is over already).
        """
        async with self._deed(by) as deed:
            row = (await deed.conn.execute(select(aways).where(aways.c.id == away))).first()
            if row is None:
                raise _gone()
            if row.person != deed.who and not by.person.may(Right.REVIEW):
                raise _not_yours()
            done = await deed.conn.execute(
                update(aways)
                .where(aways.c.id == away, aways.c.ended_at.is_(None))
                .where(aways.c.state != Answer.REFUSED)
                .values(ended_at=deed.at)
            )
            if not done.rowcount:
                raise _decided()
            await deed.note("duty_away_end", f"away:{away}", after={"ended_at": deed.at})

    async def offer(self, by: By, notes: str, open_items: str) -> None:
        """Offer one's shift for hand-over; once more changes what is passed on.

        Raises `Refused`: duty_no_shift, duty_no_relief, duty_too_early, duty_too_long,
        duty_decided.
        """
        notes, open_items = requests.cleaned(notes), requests.cleaned(open_items)
        for text in (notes, open_items):
            if len(text) > NOTES_LIMIT:
                raise Refused("duty_too_long", f"at most {NOTES_LIMIT}", limit=NOTES_LIMIT)
        async with self._deed(by) as deed:
            one = self._outgoing(await self._own(deed), deed.at)
            rules.check_offer(one, deed.at, self._house().shifts.arrive_before)
            await self._offer(deed, one, notes, open_items)
            await deed.set(one, offered_at=one.offered_at or deed.at)
            await deed.changed()
            await deed.note("duty_offer", f"duty:{one.id}", after={"open_items": open_items})

    async def accept(self, by: By, handover: str) -> None:
        """Take over a shift; with that the outgoing duty ends (SHIFT-04).

        Raises `Refused`: duty_gone, duty_decided, duty_may_not_accept.
        """
        async with self._deed(by) as deed:
            row = await self._handover(deed, handover)
            outgoing = await self._one(deed, row.assignment)
            incoming = rules.to_accept(await self._own(deed), outgoing, deed.at)
            await self._hand(
                deed,
                handover,
                state=HandoverState.ACCEPTED.value,
                to_assignment=incoming.id,
                to_person=incoming.person,
            )
            await deed.set(outgoing, handed_over_at=deed.at)
            await deed.set(incoming, took_over_at=incoming.took_over_at or deed.at)
            await deed.changed()
            await deed.note("duty_accept", f"duty:{outgoing.id}", after={"to": incoming.id})

    async def let_go(self, by: By, assignment: str, why: str) -> None:
        """Make an exception: nobody need be awaited any more, the duty ends (SHIFT-04).

        Raises `Refused`: duty_reason_missing, duty_own_request, duty_gone, duty_no_relief,
        duty_decided.
        """
        async with self._deed(by) as deed:
            why = requests.checked_reason(why)
            one = await self._one(deed, assignment)
            _not_own(deed, one.person)
            if (
                not one.relieved_by
                or one.handed_over_at
                or not self._still_on(one, await self._around(deed.conn, deed.at, deed.at), deed.at)
            ):
                raise Refused("duty_no_relief", "this duty waits for nobody")
            row = await self._offer(deed, one, "", "")
            await self._hand(deed, row, state=HandoverState.EXCEPTION.value, why=why)
            ends = rules.excepted_at(one, deed.at)
            await deed.set(one, handed_over_at=ends, offered_at=one.offered_at or deed.at)
            await deed.changed()
            after = {"handed_over_at": ends}
            await deed.note("duty_exception", f"duty:{one.id}", after=after, reason=why)

    async def post(self, by: By, title: str, body: str) -> None:
        """Tell everybody something. Raises `Refused` (duty_reason_missing, duty_too_long)."""
        title, body = requests.cleaned(title).replace("\n", " "), requests.cleaned(body)
        if not title or not body:
            raise Refused("duty_reason_missing", "a notice has a title and a text")
        if len(title) > TITLE_LIMIT or len(body) > BODY_LIMIT:
            raise Refused("duty_too_long", "the notice is too long", limit=BODY_LIMIT)
        async with self._deed(by) as deed:
            row = {"id": new_id(deed.at), "at": deed.at, "by": deed.who}
            await deed.conn.execute(insert(notices).values(**row, title=title, body=body))
            await deed.note("duty_notice", f"notice:{row['id']}", after={"title": title})

    async def read(self, by: By, notice: str) -> None:
        """Note that somebody has read a notice; again changes nothing (SHIFT-05, ORG-06).

        Raises `Refused` (duty_gone).
        """
        async with self._deed(by) as deed:
            if await deed.conn.scalar(select(notices.c.id).where(notices.c.id == notice)) is None:
                raise _gone()
            mine = (reads.c.notice == notice, reads.c.person == deed.who)
            if await deed.conn.scalar(select(reads.c.at).where(*mine)) is None:
                row = {"notice": notice, "person": deed.who, "at": deed.at}
                await deed.conn.execute(insert(reads).values(row))
                await deed.note("duty_notice_read", f"notice:{notice}")

    async def notices(self) -> Sequence[Notice]:
        """Give the last notices, newest first, with who has read each."""
        async with self._db.read() as conn:
            found = (
                await conn.execute(select(notices).order_by(notices.c.id.desc()).limit(SHOWN_MOST))
            ).all()
            ids = [row.id for row in found]
            read = (await conn.execute(select(reads).where(reads.c.notice.in_(ids)))).all()
        return [
            Notice(
                id=row.id,
                at=row.at,
                by=row.by,
                title=row.title,
                body=row.body,
                reads={one.person: one.at for one in read if one.notice == row.id},
            )
            for row in found
        ]

    async def check_off(self, by: By, assignment: str, kind: str, items: Collection[str]) -> None:
        """Keep which items of a checklist are done; again takes the place of before.

        Raises `Refused`: duty_bad_input, duty_not_yours, duty_gone.
        """
        known = rules.CHECKLISTS.get(kind, ())
        if not known or not set(items) <= set(known):
            raise Refused("duty_bad_input", "there is no such checklist or item")
        async with self._deed(by) as deed:
            one = await self._one(deed, assignment)
            if one.person != deed.who:
                raise _not_yours()
            done = [item for item in known if item in items]
            key = (checklists.c.assignment == one.id, checklists.c.kind == kind)
            await deed.conn.execute(delete(checklists).where(*key))
            row = {"assignment": one.id, "kind": kind, "person": deed.who, "at": deed.at}
            await deed.conn.execute(insert(checklists).values(**row, items=json.dumps(done)))
            await deed.note("duty_checklist", f"duty:{one.id}", after={"kind": kind, "done": done})

    async def checked(self, assignment: str) -> Mapping[str, Sequence[str]]:
        """Give what is ticked on the checklists of an assignment, by kind."""
        wanted = select(checklists).where(checklists.c.assignment == assignment)
        async with self._db.read() as conn:
            return {row.kind: json.loads(row.items) for row in await conn.execute(wanted)}

    async def seat(self, by: By, assignment: str, *, give: bool) -> None:
        """Give somebody the chat seat of their shift, or take it back (SHIFT-19).

        Raises `Refused`: duty_gone, duty_seat_full.
        """
        async with self._deed(by) as deed:
            one = await self._one(deed, assignment)
            await deed.conn.execute(delete(seats).where(seats.c.assignment == one.id))
            if give:
                same = (seats.c.day == one.day, seats.c.shift == one.shift)
                taken = await deed.conn.scalar(select(func.count()).select_from(seats).where(*same))
                if int(taken or 0) >= (most := self._house().shifts.chat_seats):
                    raise Refused("duty_seat_full", f"{most} per shift", seats=most)
                row = {"assignment": one.id, "day": one.day, "shift": one.shift}
                await deed.conn.execute(insert(seats).values(**row, by=deed.who, at=deed.at))
            await deed.note("duty_seat", f"duty:{one.id}", after={"seat": give})

    async def seats(self, first: date, last: date) -> Collection[str]:
        """Give the assignments that have a chat seat on some days."""
        wanted = select(seats.c.assignment).where(seats.c.day.between(first, last))
        async with self._db.read() as conn:
            return frozenset((await conn.execute(wanted)).scalars())

    async def swaps(self, person: str = "", *, open_only: bool = False) -> Sequence[Swap]:
        """Give swaps, newest first: somebody's, or all; those not decided only, if asked for."""
        wanted = select(swaps).order_by(swaps.c.id.desc()).limit(SHOWN_MOST)
        if person:
            wanted = wanted.where(or_(swaps.c.asker == person, swaps.c.peer == person))
        if open_only:
            wanted = wanted.where(swaps.c.state.in_(_OPEN_SWAPS))
        async with self._db.read() as conn:
            rows = (await conn.execute(wanted)).all()
            shifts = await self._by_id(conn, {key for row in rows for key in (row.first, row.back)})
        return [_swap(row, shifts) for row in rows]

    async def leaves(self, person: str = "", *, open_only: bool = False) -> Sequence[Leave]:
        """Give leave that was asked for, newest first: somebody's, or all."""
        wanted = select(leaves).order_by(leaves.c.id.desc()).limit(SHOWN_MOST)
        if person:
            wanted = wanted.where(leaves.c.person == person)
        if open_only:
            wanted = wanted.where(leaves.c.state == Answer.REQUESTED)
        async with self._db.read() as conn:
            rows = (await conn.execute(wanted)).all()
            shifts = await self._by_id(conn, {row.assignment for row in rows})
        return [_leave(row, shifts[row.assignment]) for row in rows]

    async def away_at(self, at: datetime) -> Sequence[Away]:
        """Give the breaks and times called away that hold at an instant, or are asked for."""
        async with self._db.read() as conn:
            found = await self._aways(conn, at, at)
        waiting = [one for one in found if one.state is Answer.REQUESTED and one.ended_at is None]
        return waiting + [one for one in found if one.holds(at)]

    async def handovers(self, at: datetime) -> Sequence[Handover]:
        """Give the hand-overs of the last days, newest first."""
        wanted = (
            select(handovers)
            .where(handovers.c.offered_at >= at - BEFORE, handovers.c.offered_at <= at)
            .order_by(handovers.c.id.desc())
        )
        async with self._db.read() as conn:
            rows = (await conn.execute(wanted)).all()
            shifts = await self._by_id(conn, {row.assignment for row in rows})
        return [_handover(row, shifts[row.assignment]) for row in rows]

    @asynccontextmanager
    async def _deed(self, by: By) -> AsyncIterator[Deed]:
        async with self._db.write() as conn:
            await self._db.alone(conn, "duty")
            yield Deed(conn, self._clock.now(), by, self._house().version)

    @property
    def _stay(self) -> bool:
        return self._house().shifts.stay_until_relieved

    @property
    def _own_supervisor(self) -> str:
        return rules.own_supervisor(self._people().people.values())

    async def _around(
        self, conn: Connection, began: datetime, ended: datetime, people: Collection[str] = ()
    ) -> list[Assignment]:
        near = assignments.c.starts.between(began - BEFORE, ended + AFTER)
        whose = [assignments.c.person.in_(people)] if people else []
        return await self._read(conn, near, *whose)

    async def _week(self, conn: Connection, week: date) -> list[Assignment]:
        last = week + timedelta(days=plan.DAYS - 1)
        return await self._read(conn, assignments.c.day.between(week, last))

    async def _by_id(self, conn: Connection, ids: Collection[str]) -> dict[str, Assignment]:
        return {one.id: one for one in await self._read(conn, assignments.c.id.in_(ids))}

    async def _own(self, deed: Deed) -> list[Assignment]:
        return await self._around(deed.conn, deed.at, deed.at, {deed.who})

    async def _one(self, deed: Deed, assignment: str) -> Assignment:
        found = await self._read(deed.conn, assignments.c.id == assignment)
        if not found or not found[0].counts(deed.at):
            raise _gone()
        return found[0]

    async def _read(self, conn: Connection, *conditions: Any) -> list[Assignment]:
        """Read assignments, each with the state that it has now beside the others that are read."""
        wanted = select(*_COLUMNS).where(*conditions)
        rows = await conn.execute(wanted.order_by(assignments.c.starts, assignments.c.id))
        found, now, stay = [_assignment(row) for row in rows], self._clock.now(), self._stay
        return [
            replace(one, state=state) if state and state is not DutyState.PLANNED else one
            for one, state in zip(found, rules.states(found, now, stay=stay), strict=True)
        ]

    async def _picked(self, deed: Deed, picks: Sequence[Pick]) -> list[Assignment]:
        if not picks:
            raise Refused("duty_bad_input", "nothing was chosen")
        found = await self._by_id(deed.conn, {pick.id for pick in picks})
        for pick in picks:
            one = found.get(pick.id)
            if one is None or one.version != pick.version or one.removed_at is not None:
                raise _changed()
            if one.published_at is not None and (one.starts <= deed.at or one.clock_in):
                raise Refused("duty_begun", "this shift has begun")
        return [found[pick.id] for pick in picks]

    async def _drop(self, deed: Deed, one: Assignment) -> None:
        if one.published_at is not None:
            await deed.set(one, dropping=True)
            return
        same = (assignments.c.id == one.id, assignments.c.version == one.version)
        await deed.conn.execute(delete(assignments).where(*same))

    def _worker(self, person: str) -> Person:
        found = self._people().by_id(person)
        if found is None or not found.may(Right.OWN_WORK):
            raise Refused("duty_bad_input", "nobody with this name works on shifts")
        return found

    def _of_now(self, who: Person, shift: str, at: datetime) -> Assignment:
        """Make a draft of a shift of yesterday that still runs, or else of today's."""
        today = at.astimezone(self._house().zone).date()
        try:
            return self._planned(who, today - timedelta(days=1), shift, at)
        except Refused as fault:
            if fault.code != "duty_past":
                raise
        return self._planned(who, today, shift, at)

    def _planned(self, who: Person, day: date, shift: str, at: datetime) -> Assignment:
        """Make a draft. Raises `Refused` (duty_bad_input, duty_past)."""
        house = self._house()
        kind = plan.shift_type(house, shift)
        starts, ends = plan.shift_times(kind, day, house.zone)
        if ends <= at:
            raise Refused("duty_past", "this shift is over")
        return Assignment(
            id=new_id(at),
            person=who.id,
            role=Role.SUPERVISOR if who.role in rules.SUPERVISING else Role.AGENT,
            department=who.department,
            day=day,
            shift=shift,
            starts=starts,
            ends=ends,
            relieved_by=kind.relieved_by,
            source="plan",
            state=DutyState.PLANNED,
        )

    def _ahead(self, slot: Slot, at: datetime) -> bool:
        house = self._house()
        return plan.shift_times(house.shifts.types[slot.shift], slot.day, house.zone)[1] > at

    async def _free(self, deed: Deed, one: Assignment) -> None:
        """Refuse a second shift at the same time (duty_overlap)."""
        near = await self._around(deed.conn, one.starts, one.ends, {one.person})
        others = [each for each in near if not each.excused(deed.at)]
        if plan.overlapping(others, one.person, one.starts, one.ends, but={one.id}):
            raise Refused("duty_overlap", "this person has another shift at that time")

    async def _check_swap(
        self, deed: Deed, first: Assignment, back: Assignment, month: date
    ) -> None:
        counted = [
            int(
                await deed.conn.scalar(
                    select(func.count())
                    .select_from(swaps)
                    .where(swaps.c.month == month, swaps.c.state == SwapState.APPROVED)
                    .where(or_(swaps.c.asker == person, swaps.c.peer == person))
                )
                or 0
            )
            for person in (first.person, back.person)
        ]
        ends = (min(first.starts, back.starts), max(first.ends, back.ends))
        roster = await self._around(deed.conn, *ends, {first.person, back.person})
        requests.check_swap(first, back, deed.at, self._house(), counted=counted, roster=roster)

    async def _exchange(self, deed: Deed, swap: Swap) -> None:
        """Take both shifts out and put them in with each other's person (SHIFT-10)."""
        earlier = min(swap.first, swap.back, key=lambda one: one.starts)
        for one, other in ((swap.first, swap.back), (swap.back, swap.first)):
            await deed.set(one, removed_at=deed.at, swap=swap.id)
            fresh = replace(
                one,
                id=new_id(deed.at),
                person=other.person,
                role=other.role,
                source="swap" if one is earlier else "pay_back",
                published_at=deed.at,
                dropping=False,
                swap=swap.id,
                version=1,
            )
            await deed.put(fresh)
        await deed.changed()

    async def _swap(self, deed: Deed, swap: str) -> Swap:
        row = (await deed.conn.execute(select(swaps).where(swaps.c.id == swap))).first()
        if row is None:
            raise _gone()
        return _swap(row, await self._by_id(deed.conn, {row.first, row.back}))

    async def _decide(
        self,
        deed: Deed,
        table: Table,
        key: str,
        was: str,
        state: str,
        why: str = "",
        *,
        open_only: bool = False,
    ) -> None:
        """Change the state of a wish that still stands. Raises `Refused` (duty_decided)."""
        if open_only and was not in _OPEN_SWAPS:
            raise _decided()
        done = await deed.conn.execute(
            update(table)
            .where(table.c.id == key, table.c.state == str(was))
            .values(state=str(state), decided_at=deed.at, decided_by=deed.who, why=why)
        )
        if not done.rowcount:
            raise _decided()

    async def _excuse(self, deed: Deed, one: Assignment) -> None:
        await deed.set(one, excused_from=deed.at)
        await self._end_all(deed, one.person)
        await deed.changed()

    def _needs_nobody(self, person: Person) -> bool:
        """Tell whether somebody may leave the post without asking (SHIFT-07, ORG-02)."""
        asks = self._house().shifts.leave_post_needs_approval
        return not asks or person.may(Right.REVIEW) or person.id == self._own_supervisor

    async def _check_break(
        self, deed: Deed, one: Assignment, minutes: int, *, but: str = ""
    ) -> datetime:
        roster = await self._around(deed.conn, deed.at, deed.at)
        found = await self._aways(deed.conn, deed.at, deed.at)
        away = [each for each in found if each.id != but]
        if any(
            each.person == one.person and each.state is Answer.REQUESTED and each.ended_at is None
            for each in away
        ):
            raise Refused("duty_asked", "a break has been asked for already")
        return requests.check_break(one, deed.at, minutes, self._house(), roster=roster, away=away)

    async def _go_away(
        self,
        deed: Deed,
        one: Assignment,
        *,
        kind: Kind,
        minutes: int,
        reason: str,
        state: Answer,
        until: datetime | None = None,
    ) -> None:
        begins = state is Answer.APPROVED
        row = {
            "id": new_id(deed.at),
            "person": one.person,
            "assignment": one.id,
            "kind": kind.value,
            "minutes": minutes,
            "reason": reason,
            "state": state.value,
            "asked_at": deed.at,
            "began_at": deed.at if begins else None,
            "until_at": until,
            "decided_by": deed.who if begins else "",
            "why": "",
        }
        await deed.conn.execute(insert(aways).values(row))
        await deed.note(f"duty_{kind}", f"away:{row['id']}", after=row, reason=reason)

    async def _aways(
        self, conn: Connection, began: datetime, ended: datetime, *conditions: Any
    ) -> list[Away]:
        """Read breaks around a time, each ended by the end of its duty at the latest."""
        near = aways.c.asked_at.between(began - BEFORE, ended)
        rows = (await conn.execute(select(aways).where(near, *conditions))).all()
        roster = await self._around(conn, began, ended) if rows else []
        asked = {row.assignment for row in rows}
        ends = {
            one.id: rules.until(one, roster, ended, stay=self._stay)
            for one in roster
            if one.id in asked
        }
        return [_away(row, ends.get(row.assignment)) for row in rows]

    async def _running(self, deed: Deed, person: str) -> list[Away]:
        return await self._aways(deed.conn, deed.at, deed.at, aways.c.person == person)

    async def _end_all(self, deed: Deed, person: str) -> None:
        """End what somebody was away for, and take back what was asked."""
        await deed.conn.execute(
            update(aways)
            .where(aways.c.person == person, aways.c.ended_at.is_(None))
            .values(ended_at=deed.at)
        )

    def _still_on(self, one: Assignment, roster: Iterable[Assignment], at: datetime) -> bool:
        state = rules.seen(one, roster, at, stay=self._stay)
        return state in (DutyState.STARTED, DutyState.HANDING_OVER)

    def _outgoing(self, mine: Sequence[Assignment], at: datetime) -> Assignment:
        """Find the shift that somebody hands over: the earliest that waits for its relief."""
        came = [one for one in mine if one.counts(at) and one.clock_in and not one.excused(at)]
        waiting = [one for one in came if one.relieved_by and not one.handed_over_at]
        recent = [one for one in waiting if one.ends > at - AFTER]
        if not recent:
            raise Refused("duty_no_relief", "no shift of yours is to be handed over")
        return recent[0]

    async def _offer(self, deed: Deed, one: Assignment, notes: str, open_items: str) -> str:
        """Offer a hand-over, or change what is passed on with it; give its id."""
        known = select(handovers).where(handovers.c.assignment == one.id)
        if (row := (await deed.conn.execute(known)).first()) is not None:
            if row.state != HandoverState.OFFERED:
                raise _decided()
            if notes or open_items:
                texts = {"notes": notes, "open_items": open_items}
                await deed.conn.execute(
                    update(handovers).where(handovers.c.id == row.id).values(texts)
                )
            return str(row.id)
        fresh = {
            "id": new_id(deed.at),
            "assignment": one.id,
            "person": one.person,
            "notes": notes,
            "open_items": open_items,
            "state": HandoverState.OFFERED.value,
            "offered_at": deed.at,
            "to_assignment": "",
            "to_person": "",
            "decided_by": "",
            "why": "",
        }
        await deed.conn.execute(insert(handovers).values(fresh))
        return str(fresh["id"])

    async def _handover(self, deed: Deed, handover: str) -> Row[Any]:
        wanted = select(handovers).where(handovers.c.id == handover)
        if (row := (await deed.conn.execute(wanted)).first()) is None:
            raise _gone()
        return row

    async def _hand(self, deed: Deed, handover: str, **facts: Any) -> None:
        done = await deed.conn.execute(
            update(handovers)
            .where(handovers.c.id == handover, handovers.c.state == HandoverState.OFFERED)
            .values(**facts, decided_at=deed.at, decided_by=deed.who)
        )
        if not done.rowcount:
            raise _decided()


_OPEN_SWAPS: Final = (SwapState.REQUESTED, SwapState.ACCEPTED_BY_PEER)


def _changed() -> Refused:
    return Refused("duty_changed", "somebody has changed this meanwhile: look again")


def _decided() -> Refused:
    return Refused("duty_decided", "this has been decided already")


def _gone() -> Refused:
    return Refused("duty_gone", "this is no longer in the plan")


def _not_yours() -> Refused:
    return Refused("duty_not_yours", "this is somebody else's")


def _not_own(deed: Deed, *people: str) -> None:
    if deed.who in people:
        raise Refused("duty_own_request", "nobody decides on a wish of their own")


def _row(one: Assignment) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _STORED} | {"role": one.role.value}


def _facts(one: Assignment) -> dict[str, Any]:
    return {"person": one.person, "day": one.day, "shift": one.shift, "source": one.source}


def _assignment(row: Row[Any]) -> Assignment:
    given: dict[str, Any] = dict(zip(_STORED, row, strict=True))
    return Assignment(**given | {"role": Role(given["role"])}, state=DutyState.PLANNED)


def _gap(row: Row[Any]) -> Gap:
    names = ("department", "began", "ended", "staff", "wanted", "shift")
    return Gap(lack=Lack(row.lack), **{name: getattr(row, name) for name in names})


async def _keep_plan(deed: Deed, made: Plan) -> None:
    key = new_id(deed.at)
    row = {"id": key, "week": made.week, "version": made.version, "at": made.at, "by": made.by}
    await deed.conn.execute(insert(plans).values(row))
    rows = [
        asdict(gap) | {"plan": key, "n": n, "lack": gap.lack.value}
        for n, gap in enumerate(made.gaps)
    ]
    if rows:
        await deed.conn.execute(insert(gaps), rows)


def _swap(row: Row[Any], shifts: Mapping[str, Assignment]) -> Swap:
    names = (
        "id",
        "asker",
        "peer",
        "month",
        "reason",
        "asked_at",
        "decided_at",
        "decided_by",
        "why",
    )
    return Swap(
        **{name: getattr(row, name) for name in names},
        first=shifts[row.first],
        back=shifts[row.back],
        state=SwapState(row.state),
    )


def _leave(row: Row[Any], shift: Assignment) -> Leave:
    names = ("id", "person", "reason", "asked_at", "decided_at", "decided_by", "why")
    given = {name: getattr(row, name) for name in names}
    return Leave(**given, shift=shift, state=Answer(row.state))


def _away(row: Row[Any], duty_ends: datetime | None) -> Away:
    names = [one.name for one in fields(Away) if one.name not in ("kind", "state", "until_at")]
    known = [end for end in (row.until_at, duty_ends) if end is not None]
    return Away(
        **{name: getattr(row, name) for name in names},
        kind=Kind(row.kind),
        state=Answer(row.state),
        until_at=min(known, default=None),
    )


_OF_SHIFT: Final = ("shift", "relieved_by", "ends", "state")


def _handover(row: Row[Any], shift: Assignment) -> Handover:
    names = [one.name for one in fields(Handover) if one.name not in _OF_SHIFT]
    return Handover(
        **{name: getattr(row, name) for name in names},
        shift=shift.shift,
        relieved_by=shift.relieved_by,
        ends=shift.ends,
        state=HandoverState(row.state),
    )
