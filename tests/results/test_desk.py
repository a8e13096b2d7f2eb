"""What a visit brought is written down whole, and leaves work that people tick off (V9, CB-25)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cti.db.audit import audit
from cti.db.engine import Database
from cti.errors import Refused
from cti.results.record import OpinionState, WorkItem, WorkKind
from cti.results.store import Wanted
from cti.visits.record import Kind, Outcome, State, Visit
from tests.kit.visited import CHEN, OU, WHOLE, Visited, visited
from tests.visits.conftest import BO, LIN, MAY, TEN, Debts
from tests.visits.conftest import db as db  # one database of each kind
from tests.visits.conftest import debts as debts

OPINIONS = {
    "opinion_kind": ["suggestion", "complaint", "opinion"],
    "opinion_text": ["Longer breakfast.", "Nobody called back.", ""],
    "opinion_department": ["Kitchen", "", ""],
}


@pytest.fixture
def it(debts: Debts) -> Visited:
    return visited(debts)


async def refused(it: Visited, visit: Visit, **said: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await it.says(visit, **said)
    return caught.value


async def work(it: Visited) -> list[WorkItem]:
    return list((await it.result_desk.work(Wanted()))[0])


async def test_a_whole_record_ends_the_visit_as_an_effective_one(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe(await it.debts.member()))

    await it.says(visit, **WHOLE)

    record = await it.results.of_visit(visit.id)
    assert record is not None
    assert State.DONE == (await it.now(visit)).state
    assert ("p-may", "c1", 90_000, True) == (
        record.agent,
        record.call,
        record.talk_ms,
        record.effective,
    )
    assert {"satisfaction": "satisfied", "opinion": "Friendly.", "result": "nothing"} == dict(
        record.answers
    )
    assert 1 == (await it.desk.quota(MAY)).week


@pytest.mark.parametrize(
    ("talk", "recorded", "said"),
    [
        (timedelta(seconds=19), True, {}),
        (None, True, {}),
        (timedelta(seconds=90), False, {"gap": "The recorder was full."}),
        (timedelta(seconds=90), True, {"identity": ""}),
    ],
)
async def test_a_visit_may_be_done_and_not_effective(
    it: Visited, talk: timedelta | None, recorded: bool, said: dict[str, str]
) -> None:
    visit = await it.talks(await it.debts.owe(await it.debts.member()))
    it.talk, it.recorded = talk, recorded

    await it.says(visit, **WHOLE | said)

    record = await it.results.of_visit(visit.id)
    assert record is not None
    assert not record.effective
    assert 0 == (await it.desk.quota(MAY)).week


@pytest.mark.parametrize("name", ["satisfaction", "opinion", "result"])
async def test_no_visit_is_done_with_a_required_field_empty(it: Visited, name: str) -> None:
    visit = await it.talks(await it.debts.owe())

    fault = await refused(it, visit, **WHOLE | {f"answer_{name}": "  "})

    assert ("visit_fields", {name: "required"}) == (fault.code, fault.facts["wrong"])
    assert State.WRAP_UP == (await it.now(visit)).state
    assert None is await it.results.of_visit(visit.id)


async def test_no_visit_is_done_without_a_recording_that_nobody_explains(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())
    it.recorded = False

    assert "visit_recording" == (await refused(it, visit, **WHOLE)).code

    plain = replace(it.rules.recordings, required=False)
    it.rules = replace(it.rules, recordings=plain)
    await it.says(visit, **WHOLE)
    assert State.DONE == (await it.now(visit)).state


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"outcome": ""}, "visit_outcome"),
        ({"outcome": "busy"}, "visit_outcome"),
        ({"opinion_kind": ["joke"], "opinion_text": ["Ha."]}, "visit_opinions"),
        ({"promise_text": "An answer."}, "visit_promise"),
        ({"promise_text": "An answer.", "promise_at": "soon"}, "visit_time"),
        ({"promise_text": "An answer.", "promise_at": "2026-03-03T09:00"}, "visit_time_past"),
        ({"promise_text": "An answer.", "promise_at": "2036-03-03T09:00"}, "visit_time_far"),
        ({"channel": "sms"}, "visit_channel"),
        ({"note": "x" * 501}, "bad_text"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    it: Visited, said: dict[str, Any], code: str
) -> None:
    visit = await it.talks(await it.debts.owe())

    assert code == (await refused(it, visit, **WHOLE | said)).code
    assert State.WRAP_UP == (await it.now(visit)).state


async def test_only_who_holds_a_visit_says_what_came_of_it(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())

    with pytest.raises(Refused) as caught:
        await it.says(visit, BO, **WHOLE)

    assert "visit_not_held" == caught.value.code


async def test_a_visit_at_the_door_needs_neither_call_nor_recording(it: Visited) -> None:
    visit = await it.debts.owe(channels=("visit", "phone"))
    it.recorded = False
    await it.calls.claim(MAY, visit.id)

    await it.says(visit, **WHOLE | {"channel": "visit", "place": "Building 3"})

    record = await it.results.of_visit(visit.id)
    assert record is not None
    assert ("visit", "Building 3", None) == (record.channel, record.place, record.call)


async def test_by_phone_somebody_must_have_called(it: Visited) -> None:
    visit = await it.debts.owe()
    await it.calls.claim(MAY, visit.id)

    assert "visit_not_dialled" == (await refused(it, visit, **WHOLE)).code


async def test_a_promise_is_a_visit_at_the_time_that_the_customer_knows(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())

    await it.says(visit, **WHOLE | {"promise_text": "An answer.", "promise_at": "2026-03-03T21:30"})

    record = await it.results.of_visit(visit.id)
    assert record is not None
    (promise,) = await it.results.promises_of(record.id)
    kept = await it.debts.by_origin(promise.origin)
    assert kept is not None
    assert (Kind.PROMISE, "p-may", visit.customer) == (kept.kind, kept.owner, kept.customer)
    assert TEN + timedelta(hours=11.5) == kept.appointment_at == promise.at


async def test_opinions_are_kept_item_by_item_and_a_complaint_is_handed_on(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())

    await it.says(visit, **WHOLE | OPINIONS)

    record = await it.results.of_visit(visit.id)
    assert record is not None
    found = await it.results.opinions_of([record.id])
    assert [("suggestion", "Kitchen"), ("complaint", "")] == [
        (one.kind, one.department) for one in found
    ]
    assert [(WorkKind.COMPLAINT, "Nobody called back.")] == [
        (one.kind, one.text) for one in await work(it)
    ]


async def test_who_is_not_satisfied_is_followed_up(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())

    await it.says(visit, **WHOLE | {"answer_satisfaction": "dissatisfied"})

    (item,) = await work(it)
    assert (WorkKind.FOLLOW_UP, visit.id) == (item.kind, item.visit)


@pytest.mark.parametrize(
    ("outcome", "state", "left"),
    [
        (Outcome.WRONG_NUMBER, State.WRONG_NUMBER, WorkKind.DATA_FIX),
        (Outcome.REFUSED_CONTACT, State.REFUSED, WorkKind.DO_NOT_CALL),
        (Outcome.CLOSED, State.CANCELLED, WorkKind.DATA_FIX),
        (Outcome.SOLUTION_REFUSED, "open", WorkKind.SUPERVISOR),
    ],
)
async def test_other_ends_need_no_record_and_leave_their_work(
    it: Visited, outcome: Outcome, state: str, left: WorkKind
) -> None:
    visit = await it.talks(await it.debts.owe())

    await it.says(visit, outcome=outcome.value)

    assert state == (await it.now(visit)).state
    assert [left] == [one.kind for one in await work(it)]


async def test_a_time_that_the_customer_names_is_kept_by_his_own_clock(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())

    await it.says(visit, outcome="appointment", appointment="2026-03-03T21:30")

    now = await it.now(visit)
    assert TEN + timedelta(hours=11.5) == now.appointment_at == now.next_at
    assert 0 == now.attempts


async def test_work_is_ticked_off_once_and_may_be_taken_back(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())
    await it.says(visit, outcome="wrong_number")
    (item,) = await work(it)

    await it.result_desk.tick(MAY, item.id, "Mended.", "127.0.0.1")

    with pytest.raises(Refused, match="done already"):
        await it.result_desk.tick(BO, item.id, "", "127.0.0.1")
    assert [] == await work(it)
    (done,), _ = await it.result_desk.work(Wanted(done=True))
    assert ("p-may", "Mended.") == (done.done_by, done.note)

    await it.result_desk.untick(MAY, item.id, "Wrong one.", "127.0.0.1")

    assert [item.id] == [one.id for one in await work(it)]


async def left(it: Visited, **more: object) -> WorkItem:
    """Work that a visit left, which is nobody's."""
    visit = await it.talks(await it.debts.owe(**more))
    await it.says(visit, outcome="wrong_number")
    (item,) = await work(it)
    return item


async def test_an_agent_takes_what_is_nobodys_and_lets_it_go_again(it: Visited) -> None:
    item = await left(it)

    await it.result_desk.assign(MAY, item.id, MAY, "127.0.0.1")

    assert [MAY.id] == [one.owner for one in await work(it)]
    with pytest.raises(Refused) as refused:
        await it.result_desk.assign(BO, item.id, BO, "")
    assert ("work_not_yours", MAY.id) == (refused.value.code, refused.value.facts["by"])

    await it.result_desk.assign(MAY, item.id, None, "127.0.0.1")

    assert [None] == [one.owner for one in await work(it)]
    nobodys, mays = '{"owner": null}', f'{{"owner": "{MAY.id}"}}'
    async with it.debts.db.read() as conn:
        told = select(audit.c.who, audit.c.before, audit.c.after, audit.c.address)
        rows = (await conn.execute(told.where(audit.c.what == "work_assigned"))).all()
    assert [
        (MAY.id, nobodys, mays, "127.0.0.1"),
        (MAY.id, mays, nobodys, "127.0.0.1"),
    ] == [tuple(row) for row in rows]


async def test_only_a_supervisor_gives_work_to_others_who_make_visits(it: Visited) -> None:
    item = await left(it, department="rooms")
    for who, to, code in [
        (MAY, BO, "work_not_given"),
        (LIN, OU, "visit_nobody"),
        (LIN, CHEN, "visit_nobody"),
    ]:
        with pytest.raises(Refused) as refused:
            await it.result_desk.assign(who, item.id, to, "")
        assert code == refused.value.code, to.name

    await it.result_desk.assign(LIN, item.id, BO, "")
    await it.result_desk.assign(LIN, item.id, MAY, "")

    assert [MAY.id] == [one.owner for one in await work(it)]
    await it.result_desk.tick(MAY, item.id, "", "")
    with pytest.raises(Refused, match="done already"):
        await it.result_desk.assign(LIN, item.id, BO, "")


async def test_work_is_found_by_whose_it_is(it: Visited) -> None:
    item = await left(it, department="rooms")

    async def seen(**wanted: Any) -> int:
        return len((await it.result_desk.work(Wanted(**wanted)))[0])

    assert (1, 0) == (await seen(owner="nobody"), await seen(owner=MAY.id))
    assert 1 == await seen(owner=MAY.id, unowned=True, department="rooms")
    assert 0 == await seen(owner=MAY.id, unowned=True, department="sales")
    await it.result_desk.assign(LIN, item.id, MAY, "")
    assert (0, 1) == (await seen(owner="nobody"), await seen(owner=MAY.id))


async def test_a_slip_is_signed_by_somebody_else_when_its_items_are_answered(it: Visited) -> None:
    visit = await it.talks(await it.debts.owe())
    await it.says(visit, **WHOLE | OPINIONS)
    record = await it.results.of_visit(visit.id)
    assert record is not None

    async def signs(person: Any = LIN, *, signed: bool = True) -> str:
        try:
            await it.result_desk.sign(person, record.id, "", "127.0.0.1", signed=signed)
        except Refused as fault:
            return fault.code
        return "signed" if signed else "taken back"

    assert ("visit_own_slip", "visit_unanswered") == (await signs(MAY), await signs())
    for one in await it.results.opinions_of([record.id]):
        said = {"state": "answered", "answer": "Mended.", "department": "Kitchen", "major": "1"}
        await it.result_desk.decide(LIN, one.id, said, "127.0.0.1")
    assert ("signed", "visit_signed") == (await signs(), await signs())
    assert ("taken back", "visit_unsigned") == (
        await signs(signed=False),
        await signs(signed=False),
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "opinion_state"),
        ({"state": "answered"}, "opinion_answer"),
        ({"state": "passed_on"}, "opinion_department"),
    ],
)
async def test_an_item_is_not_settled_without_saying_how(
    it: Visited, said: dict[str, str], code: str
) -> None:
    with pytest.raises(Refused) as caught:
        await it.result_desk.decide(LIN, "0" * 26, said, "127.0.0.1")

    assert code == caught.value.code


async def test_a_customer_is_forgotten_and_the_figures_stay(it: Visited, db: Database) -> None:
    visit = await it.talks(await it.debts.owe())
    await it.says(visit, **WHOLE | OPINIONS)

    async with db.write() as conn:
        await it.results.forget(conn, visit.customer)

    record = await it.results.of_visit(visit.id)
    assert record is not None
    assert {} == dict(record.answers)
    assert record.effective
    assert ["", ""] == [one.text for one in await it.results.opinions_of([record.id])]
    assert OpinionState.NEW in {one.state for one in await it.results.opinions_of([record.id])}
