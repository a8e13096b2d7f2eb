"""Which visits does the house owe today? The shell: from events and customers to visits.

Everything is found by index, in batches, and kept under its origin: planned twice, by other
rules, after a crash or with a clock that was set, nothing is doubled.

    1. rules     other rules than last time: look again at what they may change (V18)
    2. events    what happened to customers, and what was moved or cancelled (V15)
    3. days      today and the days to come, each once: birthdays and cycles
    4. changed   birthdays of customers whose record was changed since
    5. share     what begins today is given to who is on duty
    6. quota     on its day, what the last month lacks is proposed to the penalties (CB-23)
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from cti.clock import Clock
from cti.customers.events import KINDS, Event
from cti.customers.rules import Customer
from cti.customers.store import CustomerStore, EventStore
from cti.db import audit
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.duty.rules import DutyState
from cti.errors import CtiError, Refused
from cti.house import House
from cti.house_visits import VisitRule
from cti.people.rules import Directory, Right
from cti.visits import owed
from cti.visits.allocation import Hand, Sharing, allocate
from cti.visits.owed import Reminding, Windows
from cti.visits.quota import is_old_member, month_before
from cti.visits.reckoner import Effective, Lines, Reckoner, Roster, is_agent
from cti.visits.record import Owed, Visit
from cti.visits.store import MOVES, PlanStore, VisitStore

log = structlog.get_logger(__name__)

EVERY: Final = 180.0
"""Seconds between two plans."""
AFTER_TROUBLE: Final = 30.0
AT_ONCE: Final = 500
"""So many customers or events make one transaction."""
AHEAD: Final = 2
"""So many days to come are planned: tomorrow, and where it is tomorrow already."""
SHUT_DAYS: Final = 14
"""No house rests for longer."""
LAPSES_MOST: Final = 40
"""So many times a customer without a service is remembered."""
ABILITY_DAYS: Final = 90
OVERLAP: Final = timedelta(minutes=10)
"""What was changed so shortly before the last plan is looked at again."""
PROGRAM: Final = "cti"
_DAY: Final = timedelta(days=1)
_AWAY: Final = (DutyState.EXCUSED, DutyState.ABSENT)

Remind = Callable[[Connection, Sequence[Event], Sequence[Reminding], datetime], Awaitable[int]]
"""Lets the work for others that events bring be as it is now; gives how many are new or changed."""
RemindNoMore = Callable[[Connection, Collection[str], datetime], Awaitable[int]]
"""Cancels what is open of reminders that are none of these, by id; gives how many."""


class Penalties(Protocol):
    """What is asked of the penalties (`cti.penalties.store.PenaltyStore`)."""

    async def propose_shortfall(
        self, person: str, month: date, lacking: int, *, at: datetime, note: str
    ) -> str | None:
        """Propose what visits cost that somebody did not make, once."""
        ...


@dataclass(slots=True)
class Planned:
    """What a plan did: how many visits are new, moved, cancelled, given to somebody."""

    owed: int = 0
    moved: int = 0
    cancelled: int = 0
    given: int = 0
    reminders: int = 0
    """Reminders that are new, moved or cancelled."""
    late: int = 0
    """Not owed any more when they became known."""
    days: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Say it for people."""
        told = [
            f"visits: {self.owed} new, {self.moved} moved, {self.cancelled} cancelled, "
            f"{self.given} given to somebody, {self.late} too late; "
            f"{self.reminders} reminders new or changed"
        ]
        return [*told, *([f"days: {', '.join(self.days)}"] if self.days else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The stores that a plan asks."""

    db: Database
    customers: CustomerStore
    events: EventStore
    visits: VisitStore
    plans: PlanStore
    duty: Roster
    penalties: Penalties | None = None
    remind: Remind | None = None
    remind_no_more: RemindNoMore | None = None
    effective: Effective | None = None
    """Without it every visit that was made counts as effective."""
    shortfalls: Lines | None = None


class Planner:
    """Plans the visits of a house. `run` is the one task that does."""

    def __init__(
        self,
        asked: Asked,
        *,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._asked, self._house, self._people, self._clock = asked, house, people, clock
        self.reckoner = Reckoner(
            made=self._made,
            customers=asked.customers,
            roster=asked.duty,
            house=house,
            people=people,
            lines=asked.shortfalls,
        )
        """Counts the quota, for this plan as for the pages."""
        self._looked: datetime | None = None
        self._counted: date | None = None

    async def run(self) -> None:
        """Plan again and again; a fault is told and tried again. Ends by being cancelled."""
        while True:
            pause = EVERY
            try:
                await self.once()
                await self.count()
            except CtiError as fault:
                log.warning("plan_waits", code=fault.code, why=fault.what)
                pause = AFTER_TROUBLE
            except Exception:
                log.exception("plan_failed")
                pause = AFTER_TROUBLE
            await asyncio.sleep(pause)

    async def once(self, *, dry: bool = False) -> Planned:
        """Plan everything that is to be planned now; `dry` only counts. Raises the stores' faults.

        Each batch is whole by itself: broken off anywhere, the next plan goes on.
        """
        plan = _Plan(self._asked, self._house(), self._clock.now(), dry=dry)
        last = await self._asked.plans.last()
        if last is not None and last[0] != plan.house.version and not dry:
            await plan.other_rules()
        await plan.events()
        await plan.days()
        since = self._looked or (last[1] if last else None)
        if since is not None:
            await plan.changed_birthdays(since - OVERLAP)
        if not dry:
            await plan.share(self._people())
            await plan.note()
            self._looked = plan.now
        return plan.done

    async def _made(
        self, since: datetime, until: datetime, *, agent: str = ""
    ) -> Sequence[tuple[str, str, datetime]]:
        if self._asked.effective is not None:
            return await self._asked.effective(since, until, agent=agent)
        return [
            (one.ended_by, one.customer, one.ended_at)
            for one in await self._asked.plans.made(since, until)
            if one.ended_by and one.ended_at and agent in ("", one.ended_by)
        ]

    async def count(self) -> int:
        """Propose what the last month lacks, from its day of counting on; give how many lines.

        A month in which nothing was planned yet is not counted.
        """
        house, penalties = self._house(), self._asked.penalties
        now = self._clock.now()
        day = now.astimezone(house.zone).date()
        month, quota = month_before(day), house.visits.quota
        if penalties is None or not quota.per_month or day.day < quota.count_on_day:
            return 0
        if self._counted == month or not await self._asked.plans.planned_days(month, month):
            return 0
        proposed = 0
        for one in await self.reckoner.month(month):
            if one.lacking:
                note = f"{one.made} of {one.target} visits in {month:%Y-%m}"
                with suppress(Refused):  # whoever has left meanwhile
                    found = await penalties.propose_shortfall(
                        one.person, month, one.lacking, at=now, note=note
                    )
                    proposed += found is not None
        self._counted = month
        return proposed


class _Plan:
    """One plan: a house, an instant, and what was done."""

    def __init__(self, asked: Asked, house: House, now: datetime, *, dry: bool) -> None:
        self._asked, self.house, self.now, self._dry = asked, house, now, dry
        self._windows, self.done = Windows(house), Planned()
        self.today = now.astimezone(house.zone).date()

    # -- 1. other rules

    async def other_rules(self) -> None:
        """Let everything be looked at again that other rules may change."""
        rules, plans = self.house.visits, self._asked.plans
        async with self._asked.db.write() as conn:
            self.done.cancelled += await plans.cancel_others(conn, list(rules.rules), self.now)
            if self._asked.remind_no_more is not None:
                stay = {one.id for one in rules.reminders}
                self.done.reminders += await self._asked.remind_no_more(conn, stay, self.now)
            await plans.forget_days(conn, self.today, date.max)
            for kind in KINDS:
                since = self.today - timedelta(days=self._reach(kind))
                await self._asked.events.look_again(conn, kind, since)
        await self._cycles_again()

    def _reach(self, kind: str) -> int:
        """Give how many days after its event anything may still be owed for it."""
        rules = self.house.visits
        visits = [
            rule.offset + (rule.deadline or rules.deadline) + rules.give_up_after.days
            for rule in rules.rules.values()
            if rule.event == kind
        ]
        work = [one.offset for one in rules.reminders if one.event == kind]
        return max([0, *visits, *work]) + 1

    async def _cycles_again(self) -> None:
        """Let visits without event be as the rules say now; their day stays."""
        after = ""
        while page := await self._asked.plans.of_cycles(after, AT_ONCE):
            after = page[-1].id
            customers = await self._asked.customers.some({one.customer for one in page})
            wanted = [
                (visit, self._again(visit, customers[visit.customer]))
                for visit in page
                if visit.customer in customers and visit.rule in self.house.visits.rules
            ]
            async with self._asked.db.write() as conn:
                for visit, one in wanted:
                    await self._as_owed(conn, visit, one)

    def _again(self, visit: Visit, customer: Customer) -> Owed | None:
        rule = self.house.visits.rules[visit.rule]
        day = visit.from_at.astimezone(_zone_of(self.house, customer)).date()
        first = day - timedelta(days=rule.offset)
        found = owed.of_turn(
            self.house,
            rule,
            customer,
            first,
            self._windows,
            began=first,
            department=visit.department,
            owner=visit.owner,
        )
        if found is None:
            return None
        return replace(found, origin=visit.origin, period=visit.period)

    async def _as_owed(self, conn: Connection, visit: Visit, one: Owed | None) -> None:
        """Move or cancel a visit that nobody has begun, if it is owed otherwise."""
        plans = self._asked.plans
        if one is None:
            self.done.cancelled += await plans.cancel(conn, visit, self.now)
        elif any(getattr(visit, name) != getattr(one, name) for name in MOVES):
            version = self.house.version
            self.done.moved += await plans.move(conn, visit, one, self.now, version)

    # -- 2. events

    async def events(self) -> None:
        """Look at each event that no plan has seen as it is."""
        after = ""
        while page := await self._asked.events.stale(AT_ONCE, after):
            after = page[-1].id
            await self._events(page)

    async def _events(self, page: Sequence[Event]) -> None:
        customers = await self._asked.customers.some({one.customer for one in page})
        standing = dict[str, list[Visit]]()
        for visit in await self._asked.plans.of_events([one.id for one in page]):
            standing.setdefault(str(visit.event), []).append(visit)
        wanted = {
            event.id: {
                one.origin: one
                for one in owed.of_event(
                    self.house, event, customers[event.customer], self._windows
                )
            }
            for event in page
        }
        known = {visit.origin for some in standing.values() for visit in some}
        fresh = self._in_time(
            one for some in wanted.values() for name, one in some.items() if name not in known
        )
        if self._dry:
            self.done.owed += len(fresh)
            return
        async with self._asked.db.write() as conn:
            await self._keep(conn, fresh)
            for event, some in standing.items():
                for visit in some:
                    if not visit.is_over:
                        await self._as_owed(conn, visit, wanted[event].get(visit.origin))
            if self._asked.remind is not None:
                work = [one for event in page for one in owed.reminders_of(self.house, event)]
                self.done.reminders += await self._asked.remind(conn, page, work, self.now)
            await self._asked.events.seen(conn, page)

    def _in_time(self, some: Iterable[Owed]) -> list[Owed]:
        """Leave out what is given up already when it becomes known."""
        found = list(some)
        good = [one for one in found if one.give_up_at > self.now]
        self.done.late += len(found) - len(good)
        return good

    async def _keep(self, conn: Connection, some: Sequence[Owed]) -> None:
        version = self.house.version
        self.done.owed += await self._asked.visits.owe(conn, some, self.now, version)

    # -- 3. days

    async def days(self) -> None:
        """Plan each day that is not planned yet, from as far back as it may still be made."""
        rules = self.house.visits
        back = max(rules.deadline, rules.give_up_after.days)
        first, last = self.today - back * _DAY, self.today + AHEAD * _DAY
        planned = await self._asked.plans.planned_days(first, last)
        began = await self._asked.plans.first() or self.today
        first = max(first, min(began, self.today))  # nothing is owed of days before the first plan
        for n in range((last - first).days + 1):
            if (day := first + n * _DAY) not in planned:
                await self._day(day)

    async def _day(self, day: date) -> None:
        await self._birthdays(day)
        for rule in self.house.visits.rules.values():
            if rule.every is not None:
                await self._cycle(rule, day)
        self.done.days.append(day.isoformat())
        if not self._dry:
            async with self._asked.db.write() as conn:
                await self._asked.plans.day_done(conn, day, self.house.version, self.now)

    async def _birthdays(self, day: date, since: datetime | None = None) -> None:
        if not any(rule.event == "birthday" for rule in self.house.visits.rules.values()):
            return
        for month, number, lunar in owed.birthdays_on(day):
            after = ""
            while page := await self._asked.customers.born_on(
                month, number, lunar=lunar, after=after, limit=AT_ONCE, since=since
            ):
                after = page[-1].id
                await self._fresh(
                    one
                    for customer in page
                    for one in owed.of_birthday(self.house, customer, day, self._windows)
                )

    async def _fresh(self, some: Iterable[Owed]) -> None:
        """Keep what is not there yet."""
        found = self._in_time(some)
        if not found:
            return
        known = await self._asked.plans.known([one.origin for one in found])
        new = [one for one in found if one.origin not in known]
        if self._dry:
            self.done.owed += len(new)
        elif new:
            async with self._asked.db.write() as conn:
                await self._keep(conn, new)

    async def _cycle(self, rule: VisitRule, day: date) -> None:
        kind = rule.population.partition(":")[0]
        if kind == "no_service_since":
            await self._lapses(rule, day)
        elif kind == "top":
            await self._top(rule, day)
        else:
            await self._turns(rule, day)

    async def _turns(self, rule: VisitRule, day: date) -> None:
        """Plan those of a population whose turn it is."""
        assert rule.every is not None  # noqa: S101  asked before
        turn = owed.turn_on(rule.every, day)
        of = {"clients": "clients", "households_of_area": "areas"}.get(rule.population, "members")
        areas = await self._asked.events.supervisors() if of == "areas" else {}
        after = turn.low, ""
        while page := await self._asked.customers.spread_over(
            turn.low, turn.high, of=of, after=after, limit=AT_ONCE
        ):
            after = page[-1].spread, page[-1].id
            if rule.population == "old_members":
                page = [one for one in page if is_old_member(one, day)]
            await self._of_turn(rule, page, day, turn.began, areas)

    async def _of_turn(
        self,
        rule: VisitRule,
        page: Sequence[Customer],
        day: date,
        began: date,
        areas: Mapping[str, str],
        departments: Mapping[str, str] | None = None,
    ) -> None:
        """Plan some customers, but for those who had such a visit in the last half period."""
        assert rule.every is not None  # noqa: S101  asked before
        first, after = owed.period_of(rule.every, day)
        half = datetime.combine(day - (after - first) / 2, time(), self.house.zone)
        had = await self._asked.plans.recent([one.id for one in page], rule.id, half)
        await self._fresh(
            one
            for customer in page
            if customer.id not in had
            if (
                one := owed.of_turn(
                    self.house,
                    rule,
                    customer,
                    day,
                    self._windows,
                    began=began,
                    department=(departments or {}).get(customer.id, ""),
                    owner=areas.get(customer.area),
                )
            )
        )

    async def _lapses(self, rule: VisitRule, day: date) -> None:
        """Plan customers whose last service was so long ago, on its very day."""
        assert rule.every is not None  # noqa: S101  asked before
        began, _after = owed.period_of(rule.every, day)
        for served in owed.days_without(rule, day, LAPSES_MOST):
            after = ""
            while page := await self._asked.events.of_day(owed.SERVED, served, after, AT_ONCE):
                after = page[-1].id
                ids = {one.customer for one in page}
                last = await self._asked.events.latest(ids, owed.SERVED, day)
                some = await self._asked.customers.some(
                    {customer for customer in ids if last.get(customer) == served}
                )
                await self._of_turn(rule, list(some.values()), day, began, {})

    async def _top(self, rule: VisitRule, day: date) -> None:
        """Plan who spent most in each department in the period before, on the first day of one.

        So are all customers of the tiers that the rule names besides (CB-RETAIL-01).
        """
        assert rule.every is not None  # noqa: S101  asked before
        began, _after = owed.period_of(rule.every, day)
        if day != began:
            return
        first, _ = owed.period_of(rule.every, began - _DAY)
        count = int(rule.population.split(":")[1])
        best = await self._asked.events.spent_most(first, began - _DAY, count)
        some = await self._asked.customers.some({customer for _department, customer in best})
        departments = {customer: department for department, customer in reversed(best)}
        await self._of_turn(rule, list(some.values()), day, began, {}, departments)
        after = ""
        while rule.also_tiers and (
            page := await self._asked.customers.of_tiers(
                rule.also_tiers, after=after, limit=AT_ONCE
            )
        ):
            after = page[-1].id
            others = [one for one in page if one.id not in some]
            await self._of_turn(rule, others, day, began, {})

    # -- 4. changed

    async def changed_birthdays(self, since: datetime) -> None:
        """Plan the birthdays of these days of whose record was changed since an instant."""
        for n in range(AHEAD + 1):
            await self._birthdays(self.today + n * _DAY, since)

    # -- 5. share

    async def share(self, people: Directory) -> None:
        """Give what begins today to who is on duty (CB-13 to CB-16)."""
        began = datetime.combine(self.today, time(), self.house.zone)
        ends = began + _DAY
        hands = await self._hands(people, began, ends)
        before = -1
        while hands and self.done.given != before:
            before = self.done.given
            some = await self._asked.plans.ownerless(ends, ends + self._longest(), AT_ONCE)
            sharing = await self._sharing(some, began, ends)
            given = allocate(some, hands, sharing)
            async with self._asked.db.write() as conn:
                self.done.given += await self._asked.plans.give(conn, given)
            if len(some) < AT_ONCE:
                return
            hands = await self._hands(people, began, ends)

    def _longest(self) -> timedelta:
        """Give how long after its first day a visit may be due, holidays included."""
        rules = self.house.visits
        days = [one.deadline for one in rules.rules.values() if one.deadline is not None]
        return timedelta(days=max([*days, rules.deadline]) + SHUT_DAYS)

    async def _sharing(self, some: Sequence[Visit], began: datetime, ends: datetime) -> Sharing:
        how, ids = self.house.visits.allocate, sorted({one.customer for one in some})
        customers = await self._asked.customers.some(ids)
        last = await self._asked.plans.last_agents(ids) if how == "owner" else {}
        owners = {one: customers[one].owner or last.get(one, "") for one in ids}
        wait = frozenset(one.id for one in some if one.due_at > ends)
        back = await self._asked.visits.given_back([one.id for one in some], began)
        return Sharing(how=how, owners=owners, may_wait=wait, given_back=back)

    async def _hands(self, people: Directory, began: datetime, ends: datetime) -> list[Hand]:
        """Give who is on duty today and may make visits; without a roster, everybody may."""
        roster = await self._asked.duty.roster(began, ends)
        on_duty = {
            one.person: one.supervises
            for one in roster
            if one.state not in _AWAY and one.ends > self.now
        }
        if not roster:
            on_duty = {one.id: not is_agent(one) for one in people.with_right(Right.OWN_WORK)}
        loads = await self._asked.plans.loads(sorted(on_duty))
        able = await self._abilities()
        return [
            Hand(
                person=person.id,
                load=loads.get(person.id, 0),
                supervisor=on_duty[person.id],
                department=person.department,
                ability=able.get(person.id, {}),
            )
            for person in map(people.by_id, sorted(on_duty))
            if person is not None and person.may(Right.OWN_WORK)
        ]

    async def _abilities(self) -> dict[str, dict[str, Fraction]]:
        if self.house.visits.allocate != "by_ability":
            return {}
        counts = dict[tuple[str, str], list[bool]]()
        since = self.now - ABILITY_DAYS * _DAY
        for agent, rule, made in await self._asked.plans.tried(since):
            counts.setdefault((agent, rule), []).append(made)
        found = dict[str, dict[str, Fraction]]()
        for (agent, rule), some in counts.items():
            found.setdefault(agent, {})[rule] = Fraction(sum(some), len(some))
        return found

    # -- the log

    async def note(self) -> None:
        """Note in the audit what the plan changed."""
        counts: dict[str, Any] = asdict(self.done)
        if not any(counts[name] for name in ("owed", "moved", "cancelled", "given", "reminders")):
            return
        log.info("visits_planned", **counts)
        async with self._asked.db.write() as conn:
            await audit.record(
                conn,
                at=self.now,
                who=PROGRAM,
                what="visits_planned",
                about=f"house:{self.house.version}",
                after=counts,
                policy=self.house.version,
            )


def _zone_of(house: House, customer: Customer) -> ZoneInfo:
    return ZoneInfo(customer.zone or house.card.timezone)
