"""The day's plan on each database: what is owed, moved, cancelled, shared, counted; never twice."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event as sql_events
from sqlalchemy import select, text

from cti.calendar import Calendar, Period
from cti.clock import SetClock
from cti.customers.events import Event, EventEntry
from cti.customers.rules import Birthday, Customer, Entry
from cti.customers.store import CustomerStore, EventStore
from cti.db.audit import audit
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.duty.rules import Assignment, DutyState
from cti.house import House
from cti.house_visits import RULES, Quota, Reminder, VisitRule, VisitRules
from cti.people.rules import Directory, Role
from cti.visits.calling import looked_at
from cti.visits.lists import By, VisitLists
from cti.visits.owed import Reminding
from cti.visits.planner import Asked, Planner
from cti.visits.quota import coverage
from cti.visits.record import State, Visit
from cti.visits.store import PlanStore, VisitStore, visits
from tests.calls.conftest import db as db  # one PostgreSQL database, emptied: a copy costs more
from tests.kit.web import BO, LIN, MAY

NINE = datetime(2025, 3, 7, 1, tzinfo=UTC)
"""Friday, nine in Shanghai."""
DAY = date(2025, 3, 7)
BOOKED = VisitRule(id="booked", purpose="service", event="booking", offset=1, deadline=0)


class Roster:
    """Who is on duty, made up."""

    def __init__(self, *people: str) -> None:
        self.people = people
        self.away = dict[str, DutyState]()

    async def roster(self, began: datetime, ended: datetime) -> Sequence[Assignment]:
        return [
            Assignment(
                id=f"a-{person}",
                person=person,
                role=Role.SUPERVISOR if person == LIN.id else Role.AGENT,
                department="",
                day=began.date(),
                shift="early",
                starts=began,
                ends=ended,
                relieved_by="",
                source="plan",
                state=self.away.get(person, DutyState.PLANNED),
            )
            for person in self.people
        ]


class Fines:
    """The penalties, which keep each proposal once."""

    def __init__(self) -> None:
        self.proposed = dict[tuple[str, date], int]()

    async def propose_shortfall(
        self, person: str, month: date, lacking: int, *, at: datetime, note: str
    ) -> str | None:
        self.proposed[person, month] = lacking
        return note


class Plan:
    """A house with customers, events and a planner."""

    def __init__(self, db: Database) -> None:
        self.db, self.clock = db, SetClock(NINE)
        self.customers, self.events = CustomerStore(db, self.clock), EventStore(db)
        self.visits, self.plans = VisitStore(db), PlanStore(db)
        self.rules, self.version = VisitRules(rules={**RULES, "booked": BOOKED}), "v1"
        self.calendar = Calendar()
        self.duty, self.fines = Roster(MAY.id, BO.id, LIN.id), Fines()
        self.reminded = list[Reminding]()
        self.looked = list[tuple[str, date]]()
        self.stayed = list[set[str]]()
        self._made = 0

    def house(self) -> House:
        return House(visits=self.rules, version=self.version, calendar=self.calendar)

    def planner(self) -> Planner:
        asked = Asked(
            db=self.db,
            customers=self.customers,
            events=self.events,
            visits=self.visits,
            plans=self.plans,
            duty=self.duty,
            penalties=self.fines,
            remind=self._remind,
            remind_no_more=self._remind_no_more,
        )
        people = Directory([MAY, BO, LIN])
        return Planner(asked, house=self.house, people=lambda: people, clock=self.clock)

    async def _remind(
        self, _conn: Connection, events: Sequence[Event], some: Sequence[Reminding], _now: datetime
    ) -> int:
        self.looked += [(one.kind, one.day) for one in events]
        self.reminded += some
        return len(some)

    async def _remind_no_more(
        self, _conn: Connection, stay: Collection[str], _now: datetime
    ) -> int:
        self.stayed.append(set(stay))
        return 0

    async def customer(self, **said: Any) -> Customer:
        self._made += 1
        number = f"+86138{self._made:08}"
        entry = Entry(name=f"C{self._made}", phones=((number, number),), **said)
        return await self.customers.add(entry)

    async def tell(self, customer: Customer, kind: str = "booking", **said: Any) -> None:
        entry = EventEntry(**{"kind": kind, "day": DAY, "ref": f"R-{kind}"} | said)  # type: ignore[arg-type]
        async with self.db.write() as conn:
            await self.events.keep(
                conn, [(customer.id, entry)], now=self.clock.now(), source="form", who="x"
            )

    def at(self, moment: datetime) -> None:
        self.clock.go(moment - self.clock.now())

    async def all(self) -> list[Visit]:
        async with self.db.read() as conn:
            ids = (await conn.execute(select(visits.c.id).order_by(visits.c.due_at))).scalars()
        return [one for id in ids if (one := await self.visits.get(id))]

    async def one(self) -> Visit:
        (found,) = await self.all()
        return found

    async def states(self) -> dict[str, str]:
        return {one.rule: str(one.state) for one in await self.all()}


@pytest.fixture
def plan(db: Database) -> Plan:
    """A house without customers."""
    return Plan(db)


async def test_a_booking_is_planned_once_however_often_one_plans(plan: Plan) -> None:
    await plan.tell(await plan.customer())

    first = await plan.planner().once()
    again = await plan.planner().once()

    assert (first.owed, again.owed, again.moved) == (1, 0, 0)
    assert (await plan.one()).from_at == datetime(2025, 3, 8, 1, tzinfo=UTC)


async def test_a_dry_run_counts_and_keeps_nothing(plan: Plan) -> None:
    await plan.tell(await plan.customer(birthday=Birthday(month=3, day=7)))

    dry = await plan.planner().once(dry=True)

    assert dry.lines()[0].startswith("visits: 2 new,")
    assert await plan.all() == []
    assert (await plan.planner().once()).owed == 2


async def test_a_moved_event_moves_its_visit_and_a_cancelled_one_cancels_it_once(
    plan: Plan,
) -> None:
    customer = await plan.customer()
    await plan.tell(customer)
    await plan.planner().once()

    await plan.tell(customer, day=DAY + timedelta(days=5))
    moved = await plan.planner().once()
    after = await plan.one()
    await plan.tell(customer, day=DAY + timedelta(days=5), cancelled=True)
    cancelled = await plan.planner().once()

    assert (moved.moved, after.from_at) == (1, datetime(2025, 3, 13, 1, tzinfo=UTC))
    assert (cancelled.cancelled, (await plan.one()).state) == (1, State.CANCELLED)
    assert (await plan.planner().once()).cancelled == 0


async def test_what_somebody_works_on_is_neither_moved_nor_cancelled(plan: Plan) -> None:
    customer = await plan.customer()
    await plan.tell(customer)
    await plan.planner().once()
    known = await plan.one()
    await plan.visits.claim(known.id, MAY.id, NINE, timedelta(minutes=5))

    await plan.tell(customer, cancelled=True)
    done = await plan.planner().once()

    assert (done.cancelled, (await plan.one()).state) == (0, State.CLAIMED)


async def test_an_event_that_became_known_too_late_owes_nothing(plan: Plan) -> None:
    await plan.tell(await plan.customer(), day=DAY - timedelta(days=60))

    done = await plan.planner().once()

    assert (done.owed, done.late) == (0, 1)


async def test_who_said_no_is_planned_nothing_and_it_is_cancelled_when_he_says_so(
    plan: Plan,
) -> None:
    customer = await plan.customer()
    await plan.tell(customer)
    await plan.planner().once()
    entry = Entry(name=customer.name, consent={"service": False})
    async with plan.db.write() as conn:
        await plan.customers.change(conn, customer.id, entry)

    await plan.tell(customer, amount=None, department="sales")
    done = await plan.planner().once()

    assert done.cancelled == 1


async def test_birthdays_of_today_and_the_days_to_come_are_planned(plan: Plan) -> None:
    await plan.customer(birthday=Birthday(month=3, day=7))
    await plan.customer(birthday=Birthday(month=3, day=9, year=1980))
    await plan.customer(birthday=Birthday(month=3, day=10))
    await plan.customer(birthday=Birthday(month=2, day=8, lunar=True))  # 2025-03-07

    done = await plan.planner().once()

    assert [str(one.from_at) for one in await plan.all()] == [
        "2025-03-07 02:00:00+00:00",
        "2025-03-07 02:00:00+00:00",
        "2025-03-09 02:00:00+00:00",
    ]
    assert done.days == ["2025-03-07", "2025-03-08", "2025-03-09"]


async def test_a_birthday_that_is_entered_on_its_day_is_still_planned(plan: Plan) -> None:
    planner = plan.planner()
    await planner.once()
    plan.at(NINE + timedelta(hours=1))

    await plan.customer(birthday=Birthday(month=3, day=7))

    assert (await planner.once()).owed == 1


async def test_every_member_has_one_visit_in_each_period(plan: Plan) -> None:
    plan.rules = VisitRules(
        rules={
            "cycle": VisitRule(
                id="cycle", purpose="care", every=Period(days=10), population="members"
            )
        }
    )
    for n in range(30):
        await plan.customer(member_no=f"M{n}")
    await plan.customer()
    planner = plan.planner()

    for n in range(20):
        plan.at(NINE + n * timedelta(days=1))
        await planner.once()

    counts: dict[str, set[str]] = {}
    for one in await plan.all():
        assert one.customer not in counts.setdefault(one.period, set())
        counts[one.period].add(one.customer)
    assert max(map(len, counts.values())) == 30
    assert len(await plan.all()) == sum(map(len, counts.values()))


async def test_a_day_that_was_slept_through_is_planned_later(plan: Plan) -> None:
    planner = plan.planner()
    await planner.once()
    await plan.customer(birthday=Birthday(month=3, day=11))
    plan.at(NINE + timedelta(days=5))

    done = await planner.once()

    assert done.days == ["2025-03-10", "2025-03-11", "2025-03-12", "2025-03-13", "2025-03-14"]
    assert done.owed == 1


async def test_a_clock_that_was_set_on_and_back_doubles_and_loses_nothing(plan: Plan) -> None:
    await plan.customer(birthday=Birthday(month=3, day=20))
    planner = plan.planner()
    plan.at(NINE + timedelta(days=400))
    await planner.once()

    plan.at(NINE)
    for n in range(20):
        plan.at(NINE + n * timedelta(days=1))
        await planner.once()

    assert [one.origin.rpartition(":")[2] for one in await plan.all()] == ["2025"]


async def test_other_rules_plan_what_is_open_anew_and_it_is_logged(plan: Plan) -> None:
    customer = await plan.customer(birthday=Birthday(month=3, day=8))
    await plan.tell(customer)
    await plan.tell(customer, "service_done")
    await plan.planner().once()
    rules = {
        "booked": replace(BOOKED, offset=3, form="stay"),
        "birthday": replace(RULES["birthday"], at=None),
        "wedding": VisitRule(id="wedding", purpose="care", event="wedding", deadline=0),
    }
    plan.rules, plan.version = VisitRules(rules=rules), "v2"

    done = await plan.planner().once()

    assert (done.moved, done.cancelled) == (2, 1)
    found = {one.rule: one for one in await plan.all()}
    assert (found["booked"].from_at, found["booked"].form) == (
        datetime(2025, 3, 10, 1, tzinfo=UTC),
        "stay",
    )
    assert found["birthday"].from_at == datetime(2025, 3, 8, 1, tzinfo=UTC)
    assert {one.policy for one in found.values() if one.state == "open"} == {"v2"}
    assert found["after_service"].state == State.CANCELLED
    async with plan.db.read() as conn:
        rows = (await conn.execute(select(audit).order_by(audit.c.seq))).all()
    assert [(row.what, row.policy) for row in rows] == [
        ("visits_planned", "v1"),
        ("visits_planned", "v2"),
    ]


async def test_a_new_rule_finds_the_events_that_are_known_already(plan: Plan) -> None:
    plan.rules = VisitRules(rules=RULES)
    await plan.tell(await plan.customer(), day=DAY - timedelta(days=2))
    await plan.planner().once()
    late = replace(BOOKED, offset=10)

    plan.rules, plan.version = VisitRules(rules={**RULES, "booked": late}), "v2"
    done = await plan.planner().once()

    assert done.owed == 1


async def test_another_cycle_does_not_call_a_member_again_at_once(plan: Plan) -> None:
    def cycle(days: int) -> VisitRules:
        every = Period(days=days)
        one = VisitRule(id="cycle", purpose="care", every=every, population="members")
        return VisitRules(rules={"cycle": one})

    plan.rules = cycle(1)
    await plan.customer(member_no="M")
    planner = plan.planner()
    await planner.once()
    before = len(await plan.all())

    plan.rules, plan.version = cycle(30), "v2"
    for n in range(14):
        plan.at(NINE + n * timedelta(days=1))
        await planner.once()

    assert len(await plan.all()) == before == 3


async def test_households_are_visited_by_the_supervisor_of_their_area(plan: Plan) -> None:
    rule = VisitRule(
        id="half_year",
        purpose="service",
        every=Period(days=1),
        population="households_of_area",
        by="supervisor",
        channels=("visit", "phone"),
    )
    plan.rules = VisitRules(rules={"half_year": rule})
    await plan.customer(area="三号楼")
    await plan.customer()
    async with plan.db.write() as conn:
        await plan.events.give_area(conn, "三号楼", LIN.id)

    await plan.planner().once()

    assert {(one.owner, one.by) for one in await plan.all()} == {(LIN.id, "supervisor")}


async def test_who_spent_most_is_visited_at_each_half_month(plan: Plan) -> None:
    rule = VisitRule(
        id="top", purpose="care", every=Period(half_months=1), population="top:1:spend:department"
    )
    plan.rules = VisitRules(rules={"top": rule})
    rich, poor = await plan.customer(), await plan.customer()
    for who, amount in ((rich, 900), (poor, 100)):
        await plan.tell(who, "purchase", amount=amount, department="shoes", ref=str(amount))
    planner = plan.planner()
    for n in range(14):
        plan.at(NINE + n * timedelta(days=1))
        await planner.once()

    found = await plan.one()

    assert (found.customer, found.department, found.period) == (rich.id, "shoes", "2025-03-16")


async def test_key_customers_are_on_the_list_of_those_who_spent_most_each_once(
    plan: Plan,
) -> None:
    rule = VisitRule(
        id="top",
        purpose="care",
        every=Period(half_months=1),
        population="top:1:spend:department",
        also_tiers=("key",),
    )
    plan.rules = VisitRules(rules={"top": rule})
    rich, both, key = await plan.customer(), *[await plan.customer(tier="key") for _ in range(2)]
    await plan.customer(tier="vip")
    await plan.customer(tier="key", do_not_call=True)
    for who, amount, department in ((rich, 900, "shoes"), (both, 800, "hats"), (key, 1, "hats")):
        await plan.tell(who, "purchase", amount=amount, department=department, ref=str(amount))
    plan.at(datetime(2025, 3, 16, 1, tzinfo=UTC))

    dry = await plan.planner().once(dry=True)
    for _ in range(2):
        await plan.planner().once()

    assert 3 == dry.owed
    found = {(one.customer, one.department) for one in await plan.all()}
    assert {(rich.id, "shoes"), (both.id, "hats"), (key.id, "")} == found
    assert 3 == len(await plan.all())


async def test_who_was_without_a_service_for_long_is_asked_on_the_day(plan: Plan) -> None:
    rule = VisitRule(
        id="lost", purpose="service", every=Period(days=365), population="no_service_since:365d"
    )
    plan.rules = VisitRules(rules={"lost": rule})
    gone, back = await plan.customer(), await plan.customer()
    for who in (gone, back):
        await plan.tell(who, "service_done", day=DAY - timedelta(days=365))
    await plan.tell(back, "service_done", day=DAY - timedelta(days=5), ref="again")

    await plan.planner().once()

    assert (await plan.one()).customer == gone.id


async def test_reminders_are_handed_on(plan: Plan) -> None:
    gown = Reminder(id="gown", event="session", offset=-5, to="shop_assistant")
    plan.rules = VisitRules(reminders=(gown,))
    await plan.tell(await plan.customer(), "session", day=DAY + timedelta(days=9))

    await plan.planner().once()

    assert [(one.to, one.day) for one in plan.reminded] == [
        ("shop_assistant", DAY + timedelta(days=4))
    ]


async def test_a_cancelled_event_is_handed_on_without_its_reminder(plan: Plan) -> None:
    gown = Reminder(id="gown", event="session", offset=-5, to="shop_assistant")
    plan.rules = VisitRules(reminders=(gown,))
    bride, day = await plan.customer(), DAY + timedelta(days=9)
    await plan.tell(bride, "session", day=day)
    await plan.planner().once()
    plan.reminded.clear()

    await plan.tell(bride, "session", day=day, cancelled=True)
    await plan.planner().once()

    assert ([("session", day)] * 2, []) == (plan.looked, plan.reminded)


@pytest.mark.parametrize(
    "reminders", [(), (Reminder(id="gown", event="session", offset=-6, to="shop"),)]
)
async def test_other_rules_look_at_reminders_again(
    plan: Plan, reminders: tuple[Reminder, ...]
) -> None:
    gown = Reminder(id="gown", event="session", offset=-5, to="shop")
    plan.rules = VisitRules(reminders=(gown,))
    day = DAY + timedelta(days=9)
    await plan.tell(await plan.customer(), "session", day=day)
    await plan.planner().once()
    for told in (plan.looked, plan.reminded, plan.stayed):
        told.clear()

    plan.rules, plan.version = VisitRules(reminders=reminders), "v2"
    await plan.planner().once()

    assert [{one.id for one in reminders}] == plan.stayed

    wanted = [day + timedelta(days=one.offset) for one in reminders]
    assert ([("session", day)], wanted) == (plan.looked, [one.day for one in plan.reminded])


async def test_what_is_planned_after_its_deadline_says_so_until_it_moves(plan: Plan) -> None:
    before = VisitRule(id="before", event="session", offset=0, deadline=0, purpose="service")
    plan.rules = VisitRules(rules={"before": before})
    bride = await plan.customer()
    seen = []
    for days in (-1, 5, -1):
        await plan.tell(bride, "session", day=DAY + timedelta(days=days))
        await plan.planner().once()
        one = await plan.one()
        seen.append((one.breached, one.breach_cause))

    assert [(True, "planned_late"), (False, ""), (True, "planned_late")] == seen


async def test_other_rules_leave_the_cause_for_which_a_deadline_was_missed(plan: Plan) -> None:
    await plan.tell(await plan.customer())
    await plan.planner().once()
    missed = await plan.one()
    plan.at(missed.due_at + timedelta(hours=1))
    async with plan.db.write() as conn:
        await plan.visits.move(
            conn, missed, looked_at(missed, plan.clock.now()), of=(missed.state,)
        )
    rules = {"booked": replace(BOOKED, form="stay")}
    plan.rules, plan.version = VisitRules(rules=rules), "v2"

    await plan.planner().once()

    one = await plan.one()
    assert ("stay", True, "nobody") == (one.form, one.breached, one.breach_cause)


async def test_a_call_before_an_event_moves_and_is_cancelled_with_it(plan: Plan) -> None:
    """CB-STUDIO-10, CB-REST-03: the call of the day before."""
    before = VisitRule(id="before", event="session", offset=-1, deadline=0, purpose="service")
    plan.rules = VisitRules(rules={"before": before})
    bride = await plan.customer()
    seen = []
    for days, cancelled in ((5, False), (9, False), (9, True)):
        await plan.tell(bride, "session", day=DAY + timedelta(days=days), cancelled=cancelled)
        await plan.planner().once()
        one = await plan.one()
        seen.append((one.from_at.date() - DAY, one.state))

    assert [
        (timedelta(days=4), "open"),
        (timedelta(days=8), "open"),
        (timedelta(days=8), State.CANCELLED),
    ] == seen


async def test_what_begins_today_is_shared_among_who_is_on_duty(plan: Plan) -> None:
    plan.duty = Roster(MAY.id, BO.id)
    for n in range(6):
        owner = BO.id if n == 0 else LIN.id
        customer = await plan.customer(owner=owner)
        await plan.tell(customer, "service_done")
    await plan.tell(await plan.customer())  # begins tomorrow

    done = await plan.planner().once()

    owners = [one.owner for one in await plan.all()]
    assert (done.given, owners.count(MAY.id), owners.count(BO.id)) == (6, 3, 3)
    assert owners.count(None) == 1
    assert (await plan.planner().once()).given == 0


async def test_what_somebody_left_to_others_goes_to_another_until_the_day_is_over(
    plan: Plan,
) -> None:
    plan.duty = Roster(MAY.id, BO.id)
    await plan.tell(await plan.customer(owner=MAY.id), "service_done")
    await plan.planner().once()
    visit = await plan.one()
    by, nobody = By(person=MAY.id, at=plan.clock.now()), {"owner": None}
    owners = [visit.owner]
    for _day in range(2):
        await VisitLists(plan.db).change(visit.id, by, "visit_passed_on", nobody, "my aunt")
        await plan.planner().once()
        owners.append((await plan.one()).owner)
        plan.at(plan.clock.now() + timedelta(days=1))

    assert [MAY.id, BO.id, MAY.id] == owners


async def test_coverage_is_reckoned_from_the_rows(plan: Plan) -> None:
    for n in range(3):
        customer = await plan.customer()
        await plan.tell(customer, "service_done")
        if n == 0:
            await plan.planner().once()
            await plan.tell(customer, "service_done", cancelled=True)
    await plan.planner().once()

    found = coverage(await plan.plans.counts(["after_service"], "2025-03"))

    one = found["after_service", "2025-03"]
    assert (one.due, one.open, one.cancelled, one.covered) == (3, 2, 1, 0)


# -- the quota


async def end(plan: Plan, person: str, at: datetime) -> None:
    """Let all that is open be made by somebody."""
    async with plan.db.write() as conn:
        await conn.execute(
            visits.update()
            .where(visits.c.ended_at.is_(None))
            .values(state="done", ended_by=person, ended_at=at)
        )


async def test_on_the_first_what_the_last_month_lacks_is_proposed_once(plan: Plan) -> None:
    plan.rules = replace(plan.rules, quota=Quota(per_month=3))
    planner = plan.planner()
    plan.at(datetime(2025, 3, 1, 1, tzinfo=UTC))
    await planner.once()
    for n in range(2):
        member = await plan.customer(member_no=f"M{n}")
        await plan.tell(member, "service_done", day=date(2025, 3, 3))
    stranger = await plan.customer()
    await plan.tell(stranger, "service_done", day=date(2025, 3, 3))
    await planner.once()
    await end(plan, MAY.id, datetime(2025, 3, 4, 2, tzinfo=UTC))
    plan.at(datetime(2025, 3, 31, 17, tzinfo=UTC))

    proposed = await planner.count()

    assert plan.fines.proposed == {
        (MAY.id, date(2025, 3, 1)): 1,
        (BO.id, date(2025, 3, 1)): 3,
    }
    assert (proposed, await planner.count()) == (2, 0)


@pytest.mark.parametrize("state", [DutyState.EXCUSED, DutyState.ABSENT])
async def test_of_who_was_away_for_the_whole_month_nothing_is_lacking(
    plan: Plan, state: DutyState
) -> None:
    plan.rules = replace(plan.rules, quota=Quota(per_month=3))
    planner = plan.planner()
    plan.at(datetime(2025, 3, 1, 1, tzinfo=UTC))
    await planner.once()
    plan.duty.away[BO.id] = state
    plan.at(datetime(2025, 3, 31, 17, tzinfo=UTC))

    await planner.count()

    assert plan.fines.proposed == {(MAY.id, date(2025, 3, 1)): 3}


async def test_a_visit_to_a_member_who_was_erased_since_is_not_lacking(plan: Plan) -> None:
    plan.rules = replace(plan.rules, quota=Quota(per_month=1))
    planner = plan.planner()
    plan.at(datetime(2025, 3, 1, 1, tzinfo=UTC))
    member = await plan.customer(member_no="M1")
    await plan.tell(member, "service_done", day=date(2025, 3, 1))
    await planner.once()
    await end(plan, MAY.id, datetime(2025, 3, 4, 2, tzinfo=UTC))
    async with plan.db.write() as conn:
        await plan.customers.forget(conn, member.id)
    plan.at(datetime(2025, 3, 31, 17, tzinfo=UTC))

    await planner.count()

    assert plan.fines.proposed == {(BO.id, date(2025, 3, 1)): 1}


async def test_a_month_in_which_nothing_was_planned_is_not_counted(plan: Plan) -> None:
    plan.at(datetime(2025, 4, 1, 1, tzinfo=UTC))

    assert await plan.planner().count() == 0
    assert plan.fines.proposed == {}


# -- by index


async def test_no_plan_reads_all_customers_events_or_visits(plan: Plan) -> None:
    rules = dict(RULES)
    for id, population in (
        ("lost", "no_service_since:365d"),
        ("areas", "households_of_area"),
        ("clients", "clients"),
        ("top", "top:3:spend:department"),
    ):
        rules[id] = VisitRule(
            id=id,
            purpose="service",
            every=Period(half_months=1),
            population=population,
            also_tiers=("key",) if id == "top" else (),
        )
    plan.rules = VisitRules(rules=rules, allocate="owner")
    plan.at(datetime(2025, 3, 16, 1, tzinfo=UTC))
    customer = await plan.customer(birthday=Birthday(month=3, day=16), member_no="M", area="a")
    await plan.tell(customer, "service_done", day=date(2024, 3, 16))
    asked = list[tuple[str, Any]]()
    engines = [plan.db._reader.sync_engine, plan.db._writer.sync_engine]

    def note(_c: Any, _cur: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE")) and not many:
            asked.append((statement, parameters))

    for engine in engines:
        sql_events.listen(engine, "before_cursor_execute", note)
    planner = plan.planner()
    await planner.once()
    plan.version = "v2"
    await planner.once()
    for engine in engines:
        sql_events.remove(engine, "before_cursor_execute", note)

    assert len(asked) > 40
    assert [] == await scanned(plan.db, asked)


async def scanned(db: Database, asked: Sequence[tuple[str, Any]]) -> list[str]:
    """Give the statements for which a database would read one of the great tables through."""
    found = list[str]()
    async with db.read() as conn:
        raw = (await conn.get_raw_connection()).driver_connection
        assert raw is not None
        if db.dialect == "postgresql":
            await conn.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in asked:
            if db.dialect == "sqlite":
                cursor = await raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                told = [str(row[3]) for row in await cursor.fetchall()]
                bad = [line for line in told if line.startswith(SCANS) and not whole(line)]
            else:
                rows = await raw.fetch(f"EXPLAIN {statement}", *parameters)
                told = [str(row[0]) for row in rows]
                searched = "Index Cond" in "".join(told)
                bad = [line for line in told if reads(line) and not (searched or whole(line))]
            found += [f"{statement}\n{line}" for line in bad]
    return found


GREAT = ("customers", "customer_events", "visits")
SCANS = tuple(f"SCAN {table}" for table in GREAT)


def reads(line: str) -> bool:
    """Tell whether a line of PostgreSQL's plan reads a great table."""
    return "Scan" in line and any(f"on {table} " in line for table in GREAT)


def whole(line: str) -> bool:
    """Tell whether an index is read that holds nothing but what is to be looked at."""
    return any(name in line for name in ("ix_customer_events_stale", "ix_visits_planned"))
