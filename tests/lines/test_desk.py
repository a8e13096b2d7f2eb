"""Every line is tested in time by somebody named, and nothing is done twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from cti.calls.phones import Standing
from cti.db.audit import audit
from cti.db.engine import Database
from cti.dials.rules import AttemptState, Cause
from cti.errors import Refused
from cti.house import LineTestRules
from cti.lines.rules import FaultState, LineTestState
from cti.people.rules import Person, Role
from tests.lines.conftest import Lines
from tests.lines.test_rules import HOUSE, LINE, at, on_duty

MAY = Person(id="p-may", number="6001", name="May")
BO = Person(id="p-bo", number="6002", name="Bo")
TAM = Person(id="p-tam", number="9001", name="Tam", role=Role.TECHNICIAN)
PLACE = "trunk/02161110000"
BY_HAND = replace(HOUSE.line_test, automatic=False)


async def test_a_test_is_planned_then_due_to_somebody_of_the_shift_then_dialled(
    lines: Lines,
) -> None:
    await lines.goes(at(8))
    assert (await lines.early()).state is LineTestState.PLANNED

    await lines.goes(at(8.25))

    test = await lines.early()
    assert (test.state, test.person, test.tries) == (LineTestState.DUE, "p-may", 1)
    (wanted,) = lines.wanted
    assert (wanted.purpose, wanted.number, wanted.trunk) == ("line_test", "02161110000", "trunk")
    assert wanted.variables == {"CTI_CODE": "123456", "CTI_ENTRY": "4000", "CTI_AWAIT": "40"}


async def test_what_the_machine_passed_waits_for_a_persons_word(lines: Lines) -> None:
    await lines.goes(at(8.25))
    lines.ends()
    await lines.passes(1)
    test = await lines.early()
    assert (test.state, test.by, test.call) == (LineTestState.PASSED, "cti", "call-cti-1")
    assert await lines.store.to_confirm("p-may") == [test]

    await lines.desk.confirm(test.id, MAY, "fair", " a little  echo ")

    told = await lines.early()
    assert (told.confirmed_by, told.quality, told.remark) == ("p-may", "fair", "a little echo")
    assert await lines.store.to_confirm() == []
    with pytest.raises(Refused, match="nothing is left"):
        await lines.desk.confirm(test.id, TAM, "good", "")


async def test_a_failed_test_opens_a_fault_and_a_passing_one_confirms_the_repair(
    lines: Lines,
) -> None:
    await lines.goes(at(8.25))
    lines.ends(AttemptState.FAILED, Cause.NO_TRUNK, word="out")
    await lines.passes(1)
    (fault,) = await lines.store.open_faults()
    assert (fault.place, fault.state, fault.kind) == (PLACE, FaultState.OPEN, "test")
    for step in ("report", "repair", "fix"):
        await lines.desk.step(fault.id, step, "", TAM)

    await lines.desk.run_now(PLACE, TAM)
    await lines.passes(1)
    lines.ends()
    await lines.passes(1)

    assert (await lines.store.fault(fault.id)).state is FaultState.CONFIRMED
    steps = (await lines.store.steps_of([fault.id]))[fault.id]
    assert ["raised", "report", "repair", "fix", "test_passes"] == [one.step for one in steps]


async def test_a_repair_that_did_not_help_opens_the_fault_again(lines: Lines) -> None:
    await lines.goes(at(8.25))
    lines.ends(AttemptState.BUSY, word="out")
    await lines.passes(1)
    (fault,) = await lines.store.open_faults()
    for step in ("report", "fix"):
        await lines.desk.step(fault.id, step, "", TAM)

    await lines.desk.run_now(PLACE, TAM)
    await lines.passes(1)
    lines.ends(AttemptState.BUSY, word="out")
    await lines.passes(1)

    assert (await lines.store.fault(fault.id)).state is FaultState.OPEN


async def test_what_proved_nothing_is_tried_three_times(lines: Lines) -> None:
    await lines.goes(at(8.25))
    for _ in range(4):
        lines.ends(AttemptState.FAILED, Cause.NOT_DIALLED, word="out")
        await lines.passes(1)
        await lines.passes(1)

    test = await lines.early()
    assert (test.state, test.cause, test.tries) == (LineTestState.DUE, Cause.NOT_DIALLED, 3)
    assert len({wanted.subject for wanted in lines.wanted}) == 3
    assert await lines.store.open_faults() == []


async def test_of_what_nobody_knows_the_machine_makes_no_second_call(lines: Lines) -> None:
    await lines.goes(at(8.25))
    lines.ends(AttemptState.UNKNOWN, Cause.NOT_SEEN, word="out")
    await lines.passes(1)
    await lines.passes(1)

    test = await lines.early()
    assert (test.state, test.cause, len(lines.wanted)) == (LineTestState.DUE, "not_seen", 1)


async def test_what_may_not_be_dialled_now_is_tried_again_and_costs_no_try(lines: Lines) -> None:
    lines.refuses = "callers_wait"
    await lines.goes(at(8.25))
    await lines.passes(1)
    test = await lines.early()
    assert (test.cause, test.tries, test.code) == ("callers_wait", 0, "")

    lines.refuses = ""
    await lines.passes(1)

    assert len(lines.wanted) == 1


async def test_lines_are_tested_one_after_the_other(sqlite_db: Database) -> None:
    lines = Lines()
    second = replace(LINE, dial="02161110001")
    lines.open(sqlite_db, line_test=LineTestRules(lines=(LINE, second)))

    await lines.goes(at(8.25))
    await lines.passes(1)
    assert ["02161110000"] == [wanted.number for wanted in lines.wanted]
    lines.ends()
    await lines.passes(1)
    await lines.passes(1)

    assert ["02161110000", "02161110001"] == [wanted.number for wanted in lines.wanted]


@pytest.mark.parametrize("seconds", [0, 1])
async def test_after_a_crash_a_test_call_is_found_again_and_not_dialled_twice(
    lines: Lines, sqlite_db: Database, seconds: int
) -> None:
    await lines.goes(at(8.25))
    test = await lines.early()
    if seconds == 0:  # we died before the attempt was written into the test
        await lines.store.tried(replace(test, tries=2), None, "")
        await lines.store.trying(replace(test, tries=0), "123456")
    lines.open(sqlite_db)

    await lines.passes(seconds)
    lines.ends()
    await lines.passes(1)

    assert (await lines.early()).state is LineTestState.PASSED
    assert len(lines.wanted) == 1


async def test_a_test_by_hand_is_kept_with_who_and_how_it_sounded(sqlite_db: Database) -> None:
    lines = Lines()
    lines.open(sqlite_db, line_test=BY_HAND)
    await lines.goes(at(8.25))
    test = await lines.early()
    assert lines.wanted == []
    with pytest.raises(Refused, match="somebody else"):
        await lines.desk.record(test.id, BO, passed=True, quality="good", remark="")
    with pytest.raises(Refused, match="good, fair or bad"):
        await lines.desk.record(test.id, MAY, passed=True, quality="superb", remark="")

    await lines.desk.record(test.id, MAY, passed=True, quality="good", remark="clear")

    done = await lines.early()
    assert (done.state, done.by, done.confirmed_by) == (LineTestState.PASSED, "p-may", "p-may")
    with pytest.raises(Refused, match="result already"):
        await lines.desk.record(test.id, MAY, passed=False, quality="bad", remark="")
    async with sqlite_db.read() as conn:
        rows = (await conn.execute(select(audit.c.who, audit.c.what, audit.c.reason))).all()
    assert [tuple(row) for row in rows] == [("p-may", "line_test", "clear")]


@pytest.mark.parametrize(
    ("agents", "refuses", "cause"),
    [
        ([on_duty("p-may", "early")], "", "not_done"),
        ([], "", "nobody"),
        ([on_duty("p-may", "early")], "pbx_unavailable", "hindered"),
    ],
)
async def test_what_nobody_did_in_time_is_skipped_with_its_reason(
    sqlite_db: Database, agents: list[object], refuses: str, cause: str
) -> None:
    lines = Lines()
    lines.agents, lines.refuses = agents, refuses  # type: ignore[assignment]
    lines.open(sqlite_db, line_test=HOUSE.line_test if refuses else BY_HAND)
    for hour in (8, 8.25, 9.9, 10):
        await lines.goes(at(hour))

    test = await lines.early()
    assert (test.state, test.cause) == (LineTestState.SKIPPED, cause)


async def test_nobody_neglected_what_the_program_did_not_watch(sqlite_db: Database) -> None:
    lines = Lines()
    lines.open(sqlite_db, line_test=BY_HAND)
    await lines.goes(at(8.25))
    lines.open(sqlite_db, line_test=BY_HAND)

    await lines.goes(at(10.5))

    assert (await lines.early()).cause == "unobserved"


async def test_who_comes_late_to_the_shift_gets_the_test_then(lines: Lines) -> None:
    lines.agents = []
    await lines.goes(at(8.25))
    assert (await lines.early()).person is None
    lines.agents = [on_duty("p-bo", "early", since=8.5)]
    await lines.passes(30)
    assert (await lines.early()).person is None

    await lines.goes(at(8.6))

    assert (await lines.early()).person == "p-bo"


async def test_new_rules_plan_anew_what_has_not_begun(sqlite_db: Database) -> None:
    lines = Lines()
    lines.open(sqlite_db)
    await lines.goes(at(8.25))
    moved = replace(LINE, dial="02161110009")

    lines.house = replace(HOUSE, version="2", line_test=LineTestRules(lines=(moved,)))
    await lines.passes(1)

    found = await lines.store.of_day(at(8).date())
    assert [(test.shift, test.dial) for test in found] == [
        ("early", "02161110000"),
        ("early", "02161110009"),
        ("middle", "02161110009"),
    ]


async def test_a_dead_trunk_is_suspected_once_and_a_passing_test_dismisses_it(
    lines: Lines,
) -> None:
    lines.standings["PJSIP/trunk"] = Standing("unreachable", at(8))
    for _ in range(3):
        await lines.passes(61)
    (fault,) = await lines.store.open_faults()
    assert (fault.state, fault.kind, fault.began_at) == (FaultState.SUSPECTED, "trunk", at(8))
    lines.standings.clear()

    await lines.goes(at(8.25))
    lines.ends()
    await lines.passes(1)

    assert (await lines.store.fault(fault.id)).state is FaultState.DISMISSED


async def test_a_short_renewal_of_a_registration_is_no_suspicion(lines: Lines) -> None:
    lines.standings["PJSIP/trunk"] = Standing("unreachable", at(8))

    await lines.passes(59)

    assert await lines.store.open_faults() == []


async def test_odd_silence_is_suspected_since_the_last_call(lines: Lines) -> None:
    lines.last, lines.former = at(7.9), [9] * 14

    await lines.goes(at(8.2))

    (fault,) = await lines.store.open_faults()
    assert (fault.kind, fault.began_at, fault.source) == ("silence", at(7.9), "machine")


async def test_many_dead_phones_of_people_on_duty_are_suspected(lines: Lines) -> None:
    lines.agents = [on_duty(who, "early", since=7) for who in ("a", "b", "c", "d")]
    for who in ("a", "b", "c"):
        lines.standings[f"PJSIP/{who}"] = Standing("unreachable", at(7.5))

    await lines.goes(at(8))

    (fault,) = await lines.store.open_faults()
    assert (fault.place, fault.kind) == ("phones", "phones")


async def reported(lines: Lines, began: float, found: float) -> str:
    """Let May report a fault."""
    await lines.goes(at(found))
    fault = await lines.desk.report(PLACE, at(began), "no dial tone", MAY)
    await lines.passes(1)
    await lines.passes(1)
    return fault.id


async def test_a_fault_before_a_skipped_test_is_proposed_once_against_those_on_duty_then(
    sqlite_db: Database,
) -> None:
    lines = Lines()
    lines.open(sqlite_db, line_test=BY_HAND)
    for hour in (8, 8.25, 10):
        await lines.goes(at(hour))

    fault = await reported(lines, began=9.5, found=10.25)

    (proposed,) = lines.proposed
    assert (proposed["source"], proposed["at"]) == (fault, at(10))
    assert ["p-may"] == [one.person for one in proposed["duty"].agents]
    assert proposed["note"] == f"test_skipped {PLACE}"


async def test_a_fault_longer_than_the_limit_on_a_staffed_shift_is_proposed(
    sqlite_db: Database,
) -> None:
    lines = Lines()
    lines.open(sqlite_db, line_test=replace(BY_HAND, lines=()))
    lines.house = replace(lines.house, line_test=BY_HAND)
    lines.agents = [on_duty("p-may", "early", since=8.5)]
    lines.clock.at = at(9.75)

    await reported(lines, began=8, found=9.75)

    (proposed,) = lines.proposed
    assert proposed["note"] == f"limit_passed {PLACE}"
    assert proposed["at"] == at(9.5)


async def test_a_fault_found_in_time_or_by_a_machine_costs_nobody_anything(lines: Lines) -> None:
    await lines.goes(at(8.25))
    lines.ends(AttemptState.BUSY, word="out")
    await lines.passes(1)
    await lines.goes(at(14))

    assert await lines.store.to_judge() == []
    assert lines.proposed == []


async def test_a_report_makes_a_suspicion_a_fault_and_a_known_fault_is_told_so(
    lines: Lines,
) -> None:
    lines.standings["PJSIP/trunk"] = Standing("unreachable", at(7))
    await lines.goes(at(8))

    fault = await lines.desk.report(PLACE, at(7.5), "dead", MAY)

    assert (fault.state, fault.source) == (FaultState.OPEN, "machine")
    with pytest.raises(Refused, match="known already"):
        await lines.desk.report(PLACE, at(7.5), "dead", MAY)


@pytest.mark.parametrize(("place", "hours"), [(PLACE, 1), (PLACE, -80), ("other/1", -1)])
async def test_a_report_needs_a_line_of_the_house_and_a_time_that_can_be(
    lines: Lines, place: str, hours: float
) -> None:
    with pytest.raises(Refused):
        await lines.desk.report(place, at(8) + timedelta(hours=hours), "", MAY)


async def test_a_test_confirms_no_step_that_people_must_take(lines: Lines) -> None:
    with pytest.raises(Refused, match="does not follow"):
        await lines.desk.step("any", "test_passes", "", TAM)


async def test_one_room_that_fails_hinders_no_other_part(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(lines, "duty_at", breaks)
    lines.standings["PJSIP/trunk"] = Standing("unreachable", at(7))

    await lines.goes(at(8.25))

    assert [PLACE] == [fault.place for fault in await lines.store.open_faults()]
