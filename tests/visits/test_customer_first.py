"""Customers are rung before their agents, one for each agent who waits, and only under the cap."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from cti.dials.rules import AttemptState, Cause
from cti.house_visits import AbandonRules, VisitRules
from cti.visits.abandoned import Abandons
from cti.visits.calling import LEASE, STALE
from cti.visits.record import CALLED_US, OPEN, Outcome, State
from tests.visits.conftest import BO, MAY, TEN, Debts
from tests.visits.test_calling import HOUSE, Room, replace_try, room_of
from tests.visits.test_store import code_of

FIRST = VisitRules(mode="customer_first", abandoned=AbandonRules(cap=Decimal(1)))
WINDOW = FIRST.abandoned.window
BRIEF = FIRST.progressive_after


@pytest.fixture
def room(debts: Debts) -> Room:
    """A house that rings its customers first, whatever becomes of it."""
    return room_of(debts, replace(HOUSE, visits=FIRST))


def capped(debts: Debts) -> Room:
    """A house that does so while half of those who answer meet somebody."""
    half = replace(FIRST, abandoned=AbandonRules(cap=Decimal("0.5")))
    return room_of(debts, replace(HOUSE, visits=half))


async def has_answered(room: Room, times: int = 1) -> None:
    """Let customers have answered who were dialled in preview."""
    for _ in range(times):
        visit = await room.debts.owe()
        held = await room.calls.store.claim(visit.id, BO.id, TEN, LEASE)
        made = replace(replace_try(held, TEN), id=f"cti-{visit.id}")
        await room.calls.store.begin(held, made, TEN.date())
        async with room.debts.db.write() as conn:
            await room.calls.store.end_try(conn, made, None, room.clock.now())
        await room.says(visit, Outcome.DONE)


async def test_the_customer_is_rung_long_enough_then_the_agent_who_waits_for_him(
    room: Room,
) -> None:
    await room.debts.owe()

    _, made = await room.dials()

    (wanted,) = room.world.wanted
    assert f"Local/{made.number}@cti-recorded/n" == wanted.route.channel
    assert ("cti-connect", made.number) == (wanted.route.context, wanted.route.exten)
    assert {"CTI_AGENT": "PJSIP/6001", "CTI_WITHIN": "2"} == wanted.variables
    assert wanted.ring_for == timedelta(seconds=30)
    assert (True, MAY.id) == (made.customer_first, wanted.agent)


async def test_who_is_taken_is_dialled_by_itself_after_the_brief_and_nobody_else(
    room: Room,
) -> None:
    visit, other = await room.debts.owe(owner=MAY.id), await room.debts.owe(owner=BO.id)
    await room.calls.claim(MAY)
    await room.calls.look()
    assert [] == room.world.wanted

    room.clock.at = TEN + BRIEF
    await room.calls.look()

    assert [f"visit:{visit.id}"] == [one.subject for one in room.world.wanted]
    assert OPEN == (await room.visit(other)).state


async def test_whose_agent_was_not_there_is_left_in_peace_and_anybody_may_try_next(
    room: Room,
) -> None:
    customer = await room.debts.customer()
    visit = await room.debts.owe(customer, owner=MAY.id)
    other = await room.debts.owe(customer, owner=BO.id)
    _, made = await room.dials()
    room.world.ends(made, AttemptState.ABANDONED)

    await room.calls.look()

    now, (kept,) = await room.visit(visit), await room.calls.store.tries_at(visit.id)
    rested = TEN + timedelta(hours=72)
    assert (Outcome.ABANDONED, True, True) == (kept.outcome, kept.abandoned, kept.counts)
    assert (OPEN, None, rested, 1) == (now.state, now.owner, now.next_at, now.attempts)
    assert "abandoned" == await code_of(room.calls.claim(BO, other.id))
    assert (rested, OPEN) == ((await room.visit(other)).next_at, (await room.visit(other)).state)


@pytest.mark.parametrize(
    ("state", "cause", "abandoned", "stands"),
    [
        (AttemptState.ANSWERED, "", False, State.WRAP_UP),
        (AttemptState.ANSWERED, Cause.LATE, True, State.WRAP_UP),
        (AttemptState.UNKNOWN, Cause.NOT_SEEN, True, State.NEEDS_DECISION),
        (AttemptState.BUSY, "", False, OPEN),
        (AttemptState.FAILED, Cause.NOT_DIALLED, False, OPEN),
    ],
)
async def test_who_met_nobody_in_time_is_counted_and_what_nobody_knows_as_well(
    room: Room, state: AttemptState, cause: str, abandoned: bool, stands: str
) -> None:
    visit = await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, state, cause)

    await room.calls.look()

    (kept,) = await room.calls.store.tries_at(visit.id)
    assert (abandoned, stands) == (kept.abandoned, (await room.visit(visit)).state)
    found = await room.calls.store.abandons(TEN - WINDOW)
    assert Abandons(answered=int(abandoned), abandoned=int(abandoned)) == found


async def test_only_those_whom_we_dialled_and_who_were_people_count_as_answered(
    room: Room,
) -> None:
    await has_answered(room)
    machine = await room.debts.owe()
    _, made = await room.dials()
    room.world.ends(made, AttemptState.ANSWERED)
    await room.calls.look()
    await room.says(machine, Outcome.MACHINE)
    called = await room.debts.owe(from_at=TEN)
    room.world.talking = "c7"
    await room.calls.take_in_call(MAY, called.id)
    await room.says(called, Outcome.DONE)

    found = await room.calls.store.abandons(TEN - WINDOW)

    assert CALLED_US == (await room.calls.store.tries_at(called.id))[0].allowed
    assert Abandons(answered=1) == found
    assert Abandons() == await room.calls.store.abandons(TEN + timedelta(seconds=1))


async def test_under_the_cap_it_goes_on_and_at_the_cap_the_agents_phone_rings_first(
    debts: Debts,
) -> None:
    room = capped(debts)
    await has_answered(room)
    await debts.owe()
    await debts.owe()
    _, made = await room.dials()

    held = await room.calls.claim(BO)
    second = await room.calls.dial(BO, held.id, held.epoch)

    assert (True, False) == (made.customer_first, second.customer_first)
    assert ["cti-connect", "cti-recorded"] == [one.route.context for one in room.world.wanted]


async def test_at_the_cap_nobody_is_dialled_by_itself_and_the_agent_still_holds_him(
    debts: Debts,
) -> None:
    room = capped(debts)
    await has_answered(room)
    await debts.owe()
    visit = await debts.owe(due_at=TEN + timedelta(days=3))
    held = await room.calls.claim(MAY)
    await room.calls.claim(BO)  # may be rung first as yet: both are to be dialled by themselves
    await room.calls.dial(MAY, held.id, held.epoch)

    room.clock.at = TEN + BRIEF
    await room.calls.look()

    now = await room.visit(visit)
    assert (State.CLAIMED, BO.id, None) == (now.state, now.held_by, now.dial_at)
    assert [held.id] == [one.subject.removeprefix("visit:") for one in room.world.wanted]


async def test_the_mode_stops_by_itself_goes_on_by_itself_and_says_so(
    debts: Debts, capsys: pytest.CaptureFixture[str]
) -> None:
    room = capped(debts)
    await has_answered(room, 2)
    await debts.owe()
    _, made = await room.dials()
    room.world.ends(made, AttemptState.ABANDONED)
    await room.calls.look()
    await debts.owe()
    await room.dials()
    room.world.ends((await room.calls.store.open_tries())[0], AttemptState.ABANDONED)
    await room.calls.look()
    said = []

    for answered in (0, 2):
        await has_answered(room, answered)
        await debts.owe()
        held = await room.calls.claim(MAY)
        said.append((await room.visit(held)).dial_at is not None)
        await room.calls.give_back(MAY, held.id, held.epoch)

    assert [False, True] == said
    told = capsys.readouterr().out
    assert told.index("customer_first_stopped") < told.index("customer_first_goes_on")


async def test_what_was_never_sent_is_nobodys_abandoned_call(debts: Debts) -> None:
    room = room_of(debts, replace(HOUSE, visits=FIRST))
    visit = await debts.owe()
    held = await room.calls.claim(MAY)
    made = replace(replace_try(held, TEN), customer_first=True)
    await room.calls.store.begin(held, made, TEN.date())
    assert Abandons(under_way=1) == await room.calls.store.abandons(TEN - WINDOW)

    room.clock.at = TEN + STALE
    await room.calls.look()

    assert OPEN == (await room.visit(visit)).state
    assert Abandons() == await room.calls.store.abandons(TEN - WINDOW)
