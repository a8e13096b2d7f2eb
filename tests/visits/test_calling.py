"""A visit is made by phone: claimed, written down, dialled once, settled, whatever happens."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cti.calls.phones import Standing
from cti.clock import SetClock
from cti.db.engine import Database
from cti.db.schema import Connection
from cti.dials.dialer import Still
from cti.dials.rules import Attempt, AttemptState, Cause, Wanted
from cti.duty.rules import DutySet
from cti.errors import PbxUnavailable, Refused
from cti.house import DialingRules, House
from cti.house_visits import VisitRules
from cti.people.rules import Directory, Person
from cti.visits.calling import STALE, VisitCalls
from cti.visits.record import OPEN, Outcome, State, Try, Visit
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts
from tests.visits.test_store import code_of

HOUSE = House(dialing=DialingRules(trunks=("PJSIP/trunk", "PJSIP/other")), version="v1")


@dataclass
class World:
    """The way out, phones and duty, as a test sets them."""

    db: Database
    clock: SetClock
    known: dict[str, Attempt] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)
    fault: Exception | None = None
    phones: dict[str, str] = field(default_factory=dict)
    on_duty: tuple[str, ...] = ()
    talking: str | None = None
    """The call that the agent has with the customer."""
    calling: tuple[str, ...] = ()
    left: list[str] = field(default_factory=list)
    """What visits left for people to do."""
    """The numbers of customers who are in a call."""

    async def dial(
        self, wanted: Wanted, *, attempt_id: str = "", still: Still | None = None
    ) -> Attempt:
        if self.fault is not None:
            raise self.fault
        assert still is not None
        async with self.db.write() as conn:
            if not await still(conn):
                raise Refused("dial_stale", "late")
        self.wanted.append(wanted)
        attempt = Attempt(
            id=attempt_id,
            purpose=wanted.purpose,
            subject=wanted.subject,
            pbx=wanted.pbx,
            trunk=wanted.trunk,
            number=wanted.number,
            customer_first=wanted.route.customer_first,
            agent=wanted.agent,
            who=wanted.who,
            state=AttemptState.SENT,
            cause="",
            planned_at=self.clock.now(),
            committed_at=self.clock.now(),
            deadline=1,
            sent_at=self.clock.now(),
            ended_at=None,
            call=None,
        )
        self.known[attempt_id] = attempt
        return attempt

    async def find(self, some: Collection[str]) -> Mapping[str, Attempt]:
        return {one: self.known[one] for one in some if one in self.known}

    def ends(self, made: Try, state: AttemptState, cause: str = "") -> None:
        """Let the PBX tell what became of an attempt."""
        now = self.clock.now()
        self.known[made.id] = replace(
            self.known[made.id], state=state, cause=cause, ended_at=now, call="c1"
        )

    async def open(
        self, conn: Connection, visit: Visit, todo: Sequence[str], now: datetime
    ) -> None:
        self.left += todo

    def lives(self, numbers: Collection[str]) -> bool:
        return bool(set(numbers) & set(self.calling))

    def talk_of(self, person: str, numbers: Collection[str]) -> str | None:
        return self.talking

    def pbx_of(self, trunk: str) -> str | None:
        return "main"

    def standing(self, pbx: str, device: str) -> Standing:
        state: Any = self.phones.get(device, "available")
        return Standing(state, None)

    async def duty_at(self, at: datetime, department: str) -> DutySet:
        agents: Any = tuple(Agent(one) for one in self.on_duty)
        return DutySet(
            at=at, department="", agents=agents, supervisor=None, published=0, version=""
        )


@dataclass
class Agent:
    """Somebody on duty."""

    person: str


@dataclass
class Room:
    """The room at work."""

    calls: VisitCalls
    debts: Debts
    world: World
    clock: SetClock

    async def visit(self, visit: Visit) -> Visit:
        found = await self.calls.store.get(visit.id)
        assert found is not None
        return found

    async def dials(self, person: Person = MAY) -> tuple[Visit, Try]:
        """Claim the next visit and dial it."""
        held = await self.calls.claim(person)
        return held, await self.calls.dial(person, held.id, held.epoch)

    async def says(self, visit: Visit, outcome: Outcome, **more: Any) -> None:
        async with self.debts.db.write() as conn:
            await self.calls.finish(
                conn, await self.visit(visit), outcome, self.clock.now(), **more
            )


def room_of(debts: Debts, house: House = HOUSE) -> Room:
    clock = SetClock(TEN)
    world = World(debts.db, clock)
    calls = VisitCalls(
        debts.db,
        debts.store,
        dialer=world,
        attempts=world,
        customers=debts.customers,
        duty=world,
        plant=world,
        live=world,
        todo=world,
        house=lambda: house,
        people=lambda: Directory.of(MAY, BO, LIN),
        clock=clock,
    )
    return Room(calls, debts, world, clock)


@pytest.fixture
def room(debts: Debts) -> Room:
    return room_of(debts)


async def test_a_visit_is_dialled_by_the_agents_phone_and_written_down_before(room: Room) -> None:
    visit = await room.debts.owe()

    held, made = await room.dials()

    (wanted,) = room.world.wanted
    assert (visit.id, State.IN_ATTEMPT) == (held.id, (await room.visit(visit)).state)
    assert ("PJSIP/6001", "cti-recorded") == (wanted.route.channel, wanted.route.context)
    assert (f"visit:{visit.id}", "trunk", made.number) == (
        wanted.subject,
        wanted.trunk,
        wanted.number,
    )
    (kept,) = await room.calls.store.tries_at(visit.id)
    assert (made.id, "weekday:morning", "window") == (kept.id, kept.daypart, kept.allowed)


@pytest.mark.parametrize(
    ("state", "cause", "outcome", "later"),
    [
        (AttemptState.BUSY, "", Outcome.BUSY, timedelta(minutes=10)),
        (AttemptState.NO_ANSWER, "", Outcome.NO_ANSWER, timedelta(hours=4)),
        (AttemptState.FAILED, Cause.NO_TRUNK, Outcome.FAILED, timedelta(minutes=5)),
        (AttemptState.FAILED, Cause.NOT_DIALLED, Outcome.NOT_DIALLED, timedelta()),
    ],
)
async def test_what_the_pbx_tells_leads_to_the_next_attempt(
    room: Room, state: AttemptState, cause: str, outcome: Outcome, later: timedelta
) -> None:
    visit = await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, state, cause)

    await room.calls.look()
    await room.calls.look()

    now = await room.visit(visit)
    assert (OPEN, None, TEN + later) == (now.state, now.held_by, now.next_at)
    (kept,) = await room.calls.store.tries_at(visit.id)
    assert (outcome, "c1") == (kept.outcome, kept.call)


async def test_what_was_answered_waits_for_what_the_agent_says(room: Room) -> None:
    visit = await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, AttemptState.ANSWERED)
    await room.calls.look()
    assert State.WRAP_UP == (await room.visit(visit)).state

    await room.says(visit, Outcome.DONE)

    now = await room.visit(visit)
    assert (State.DONE, Outcome.DONE, MAY.id) == (now.state, now.outcome, now.ended_by)
    (kept,) = await room.calls.store.tries_at(visit.id)
    assert Outcome.DONE is kept.outcome


async def test_what_the_agent_says_while_he_talks_is_kept_when_the_call_is_over(
    room: Room,
) -> None:
    visit = await room.debts.owe()
    _, made = await room.dials()
    at = TEN + timedelta(hours=5)
    await room.says(visit, Outcome.APPOINTMENT, appointment=at)
    room.world.ends(made, AttemptState.ANSWERED)

    await room.calls.look()

    now = await room.visit(visit)
    assert (OPEN, at, 0) == (now.state, now.appointment_at, now.attempts)
    (kept,) = await room.calls.store.tries_at(visit.id)
    assert (Outcome.APPOINTMENT, False) == (kept.outcome, kept.counts)
    assert kept.ended_at is not None


async def test_a_refused_solution_goes_to_another_agent_in_another_part_of_the_day(
    room: Room,
) -> None:
    visit = await room.debts.owe(owner=MAY.id)
    _, made = await room.dials()
    room.world.ends(made, AttemptState.ANSWERED)
    await room.calls.look()

    await room.says(visit, Outcome.SOLUTION_REFUSED)

    now = await room.visit(visit)
    assert (TEN + timedelta(hours=4), MAY.id, 1) == (now.next_at, now.avoid_agent, now.explanations)
    room.clock.at = now.next_at
    assert "visit_none" == await code_of(room.calls.claim(MAY))
    assert visit.id == (await room.calls.claim(BO)).id


async def test_nobody_knows_what_became_of_it_so_a_person_decides(room: Room) -> None:
    visit = await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, AttemptState.UNKNOWN, Cause.NOT_SEEN)

    await room.calls.look()

    now = await room.visit(visit)
    assert (State.NEEDS_DECISION, None) == (now.state, now.held_by)
    assert "visit_none" == await code_of(room.calls.claim(BO))


@pytest.mark.parametrize("fault", [PbxUnavailable("down"), Refused("callers_wait", "wait")])
async def test_what_could_not_be_sent_is_as_if_it_had_not_been_tried(
    room: Room, fault: Exception
) -> None:
    visit = await room.debts.owe()
    held = await room.calls.claim(MAY)
    room.world.fault = fault
    with pytest.raises(type(fault)):
        await room.calls.dial(MAY, held.id, held.epoch)

    room.world.fault = None
    room.clock.at = TEN + timedelta(seconds=1)
    await room.calls.dial(MAY, held.id, held.epoch)

    first, second = await room.calls.store.tries_at(visit.id)
    assert (Outcome.NOT_DIALLED, False) == (first.outcome, first.counts)
    assert second.ended_at is None


async def test_after_a_crash_before_the_sending_it_is_given_up_and_can_be_sent_no_more(
    room: Room,
) -> None:
    visit = await room.debts.owe()
    held = await room.calls.claim(MAY)
    made = replace_try(held, TEN)
    await room.calls.store.begin(held, made, TEN.date())

    await room.calls.look()
    assert State.IN_ATTEMPT == (await room.visit(visit)).state
    room.clock.at = TEN + STALE
    await room.calls.look()

    assert OPEN == (await room.visit(visit)).state
    async with room.debts.db.write() as conn:
        assert not await room.calls.store.lives(conn, made.id)


def replace_try(visit: Visit, at: datetime) -> Try:
    return Try(
        id="cti-lost",
        visit=visit.id,
        customer=visit.customer,
        number="13800000001",
        agent=MAY.id,
        purpose=visit.purpose,
        daypart="weekday:morning",
        allowed="window",
        began_at=at,
        ended_at=None,
        outcome=None,
        counts=True,
        call=None,
    )


@pytest.mark.parametrize(
    ("phone", "code"), [("on_call", "visit_phone"), ("unreachable", "visit_phone")]
)
async def test_a_phone_that_cannot_ring_is_not_dialled(room: Room, phone: str, code: str) -> None:
    await room.debts.owe()
    held = await room.calls.claim(MAY)
    room.world.phones["PJSIP/6001"] = phone

    assert code == await code_of(room.calls.dial(MAY, held.id, held.epoch))
    assert [] == room.world.wanted


async def test_who_is_not_on_duty_makes_no_visits(room: Room) -> None:
    await room.debts.owe()
    room.world.on_duty = (BO.id,)

    assert "visit_off_duty" == await code_of(room.calls.claim(MAY))
    assert BO.id == (await room.calls.claim(BO)).held_by


async def test_in_the_rest_nothing_is_given_out_and_it_waits_until_it_may(room: Room) -> None:
    visit = await room.debts.owe()
    room.clock.at = TEN + timedelta(hours=2, minutes=30)  # 12:30

    assert "visit_none" == await code_of(room.calls.claim(MAY))

    assert TEN + timedelta(hours=4) == (await room.visit(visit)).next_at


async def test_who_does_not_want_to_be_called_is_not(room: Room) -> None:
    customer = await room.debts.customer()
    await room.debts.owe(customer)
    async with room.debts.db.write() as conn:
        from sqlalchemy import update

        from cti.customers.store import customers

        await conn.execute(update(customers).values(do_not_call=True))

    assert "visit_none" == await code_of(room.calls.claim(MAY))


async def test_progressive_dials_by_itself_after_the_brief(debts: Debts) -> None:
    rules = VisitRules(mode="progressive", progressive_after=timedelta(seconds=20))
    room = room_of(debts, replace(HOUSE, visits=rules))
    visit = await debts.owe()
    await room.calls.claim(MAY)
    await room.calls.look()
    assert [] == room.world.wanted

    room.clock.at = TEN + timedelta(seconds=20)
    await room.calls.look()

    assert [f"visit:{visit.id}"] == [one.subject for one in room.world.wanted]


async def gives_back(room: Room, person: Person = MAY) -> Visit:
    """Claim the next visit and give it back."""
    held = await room.calls.claim(person)
    await room.calls.give_back(person, held.id, held.epoch)
    return held


async def test_who_gave_it_back_is_not_asked_again_today_while_others_are_on_duty(
    room: Room,
) -> None:
    visit = await room.debts.owe()
    room.world.on_duty = (MAY.id, BO.id)
    await gives_back(room)

    assert "visit_none" == await code_of(room.calls.claim(MAY))
    assert visit.id == (await gives_back(room, BO)).id
    assert visit.id == (await room.calls.claim(MAY)).id  # Bo, too, gave it back


async def test_who_gave_it_back_may_still_take_it_and_is_asked_again_tomorrow(room: Room) -> None:
    visit = await room.debts.owe()
    await gives_back(room)

    held = await room.calls.claim(MAY, visit.id)
    await room.calls.give_back(MAY, held.id, held.epoch)
    room.clock.at = TEN + timedelta(days=1)

    assert visit.id == (await room.calls.claim(MAY)).id


async def test_nobody_else_is_on_duty_so_he_is_asked_again(room: Room) -> None:
    visit = await room.debts.owe()
    room.world.on_duty = (MAY.id,)
    await gives_back(room)

    assert visit.id == (await room.calls.claim(MAY)).id


async def test_his_own_visit_stays_his_when_he_gives_it_back(room: Room) -> None:
    visit = await room.debts.owe(owner=MAY.id)
    await gives_back(room)

    assert visit.id == (await room.calls.claim(MAY)).id


async def test_who_did_not_pick_up_for_it_is_not_asked_again_today(room: Room) -> None:
    visit = await room.debts.owe(owner=MAY.id)
    _, made = await room.dials()
    room.world.ends(made, AttemptState.AGENT_NO_SHOW)
    await room.calls.look()
    room.clock.at = TEN + timedelta(minutes=10)

    assert "visit_none" == await code_of(room.calls.claim(MAY))
    assert visit.id == (await room.calls.claim(BO)).id


async def test_nothing_is_dialled_by_itself_before_the_restaurant_was_asked(debts: Debts) -> None:
    rules = VisitRules(mode="progressive", progressive_after=timedelta())
    room = room_of(debts, replace(HOUSE, visits=rules))
    await debts.owe(channels=("merchant", "phone"))
    await room.calls.claim(MAY)

    await room.calls.look()

    assert [] == room.world.wanted


async def test_where_a_restaurant_is_asked_the_rest_of_its_guest_keeps_nobody_from_it(
    room: Room,
) -> None:
    visit = await room.debts.owe(channels=("merchant", "phone"))
    room.clock.at = TEN + timedelta(hours=3)  # one in the afternoon

    held = await room.calls.claim(MAY)

    assert visit.id == held.id
    assert "rest" == await code_of(room.calls.dial(MAY, held.id, held.epoch))


async def test_after_a_failure_of_the_line_the_next_trunk_is_taken(room: Room) -> None:
    await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, AttemptState.FAILED, Cause.NO_TRUNK)
    await room.calls.look()
    room.clock.at = TEN + timedelta(minutes=5)

    await room.dials()

    assert ["trunk", "other"] == [one.trunk for one in room.world.wanted]


async def test_as_time_goes_by_it_is_warned_of_then_breached_then_given_up(room: Room) -> None:
    visit = await room.debts.owe(from_at=TEN, due_at=TEN + timedelta(days=1))
    seen = []
    for hours in (0, 12, 20, 24, 24 * 7):
        room.clock.at = TEN + timedelta(hours=hours)
        await room.calls.look()
        now = await room.visit(visit)
        seen.append((now.warned, now.breached, now.breach_cause, now.state))

    assert [
        (0, False, "", OPEN),
        (50, False, "", OPEN),
        (80, False, "", OPEN),
        (100, True, "nobody", OPEN),
        (100, True, "nobody", State.CANCELLED),
    ] == seen


@pytest.mark.parametrize(
    ("dialled", "owner", "cause"),
    [(0, None, "under_way"), (2, None, "nobody"), (2, MAY.id, "not_tried")],
)
async def test_what_ends_just_after_its_deadline_says_why_though_nobody_looked(
    room: Room, dialled: int, owner: str | None, cause: str
) -> None:
    visit = await room.debts.owe(due_at=TEN + timedelta(minutes=1), owner=owner)
    room.clock.at = TEN + timedelta(minutes=dialled)
    await room.dials()
    room.clock.at = TEN + timedelta(minutes=3)

    await room.says(visit, Outcome.DONE)

    now = await room.visit(visit)
    assert (State.DONE, True, cause) == (now.state, now.breached, now.breach_cause)


async def test_who_is_being_called_when_the_deadline_passes_is_not_untried(room: Room) -> None:
    visit = await room.debts.owe(due_at=TEN + timedelta(minutes=1))
    await room.dials()
    room.clock.at = TEN + timedelta(minutes=1)

    await room.calls.look()

    assert "under_way" == (await room.visit(visit)).breach_cause


async def test_who_is_in_a_call_with_us_is_not_dialled(room: Room) -> None:
    customer = await room.debts.customer("+8613800000077")
    await room.debts.owe(customer)
    held = await room.calls.claim(MAY)
    room.world.calling = ("+8613800000077",)

    assert "visit_customer_calls" == await code_of(room.calls.dial(MAY, held.id, held.epoch))

    assert [] == room.world.wanted


async def test_who_calls_us_may_be_visited_in_his_own_call(room: Room) -> None:
    visit = await room.debts.owe()

    assert "visit_no_call" == await code_of(room.calls.take_in_call(MAY, visit.id))
    room.world.talking = "c7"
    await room.calls.take_in_call(MAY, visit.id)
    await room.says(visit, Outcome.DONE)

    assert State.DONE == (await room.visit(visit)).state
    (kept,) = await room.calls.store.tries_at(visit.id)
    assert ("c7", "customer_called", Outcome.DONE) == (kept.call, kept.allowed, kept.outcome)
    assert [] == room.world.wanted
