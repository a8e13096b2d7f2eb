"""Which tests a day asks for, what a test showed, and when a fault was found too late."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cti.calendar import Calendar
from cti.calls.record import DialledCall, OfferOutcome, SaidRecord
from cti.dials.rules import AttemptState, Cause
from cti.duty.rules import DutyState, OnDuty
from cti.errors import Refused
from cti.house import (
    DueTest,
    House,
    HouseCard,
    LineTestRules,
    ShiftRules,
    ShiftType,
)
from cti.house import (
    TestedLine as Line,
)
from cti.lines.rules import (
    BY_PEOPLE,
    OVER,
    STEPS,
    Arrived,
    Fault,
    FaultState,
    Late,
    LineTest,
    LineTestState,
    Step,
    Verdict,
    bill_is_due,
    former_spans,
    limit_passed,
    many_dead,
    next_state,
    skipped_why,
    slots,
    steps_of,
    undetected,
    unusually_silent,
    verdict,
    was_faulty,
    who_tests,
)
from cti.people.rules import Role
from tests.dials.test_rules import attempt

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = date(2026, 3, 2)
LINE = Line(trunk="PJSIP/trunk", dial="02161110000", arrives_at="4000")
HOUSE = House(card=HouseCard(timezone="Asia/Shanghai"), line_test=LineTestRules(lines=(LINE,)))
HOUR = timedelta(hours=1)


def at(hour: float, day: int = 2) -> datetime:
    return datetime(2026, 3, day, tzinfo=ZONE) + timedelta(hours=hour)


def on_duty(person: str, shift: str, since: float = 8.25) -> OnDuty:
    return OnDuty(
        person=person,
        assignment=f"a-{person}",
        shift=shift,
        role=Role.AGENT,
        state=DutyState.STARTED,
        since=at(since),
        why=("planned",),
    )


def line_test(**changed: Any) -> LineTest:
    given: dict[str, Any] = {
        "id": "t1",
        "slot": "s1",
        "source": "plan",
        "day": MONDAY,
        "shift": "early",
        "starts_at": at(8.25),
        "due_at": at(10),
        "trunk": "trunk",
        "dial": "02161110000",
        "arrives_at": "4000",
        "state": LineTestState.SKIPPED,
        "cause": "not_done",
        "person": "p-may",
    }
    return LineTest(**given | changed)


def fault(**changed: Any) -> Fault:
    given: dict[str, Any] = {
        "id": "f1",
        "place": "trunk/02161110000",
        "kind": "person",
        "source": "person",
        "state": FaultState.OPEN,
        "began_at": at(9),
        "found_at": at(11),
        "found_by": "p-may",
    }
    return Fault(**given | changed)


def test_each_line_is_tested_twice_a_day_by_early_and_middle_shift() -> None:
    found = slots(HOUSE, MONDAY)

    assert [(one.shift, one.starts_at, one.due_at) for one in found] == [
        ("early", at(8.25), at(10)),
        ("middle", at(11), at(15)),
    ]
    assert found[0].line == Line(trunk="trunk", dial="02161110000", arrives_at="4000")
    assert len({one.key for one in found}) == 2


def test_a_night_shift_tests_on_the_next_day_and_an_unknown_shift_never() -> None:
    night = ShiftType(id="night", start=time(22), end=time(6))
    rules = LineTestRules(
        lines=(LINE,),
        tests=(DueTest(shift="night", by=time(2)), DueTest(shift="gone", by=time(9))),
    )
    house = replace(HOUSE, line_test=rules, shifts=ShiftRules(types={"night": night}))

    (found,) = slots(house, MONDAY)

    assert (found.starts_at, found.due_at) == (at(22), at(2, day=3))


def test_without_lines_there_is_nothing_to_test() -> None:
    assert [] == slots(House(), MONDAY)


@pytest.mark.parametrize(
    ("people", "done", "chosen"),
    [
        ([("a", "early", 8), ("b", "early", 8)], {"a": 3, "b": 2}, "b"),
        ([("a", "early", 9), ("b", "early", 8)], {}, "b"),
        ([("b", "early", 8), ("a", "early", 8)], {}, "a"),
        ([("a", "late", 8)], {}, None),
        ([], {}, None),
    ],
)
def test_tests_go_by_turns_to_people_of_the_shift(
    people: list[tuple[str, str, float]], done: dict[str, int], chosen: str | None
) -> None:
    assert chosen == who_tests([on_duty(*one) for one in people], "early", done)


def dialled(*words: str, **changed: Any) -> DialledCall:
    given: dict[str, Any] = {
        "call": "c",
        "began": at(9),
        "ended_at": at(9),
        "outcome": OfferOutcome.CALLER_GAVE_UP,
        "picked_at": at(9),
        "said": tuple(SaidRecord(topic="line_test", word=w, code="", at=None) for w in words),
        "approximate": False,
    }
    return DialledCall(**given | changed)


def arrived(seconds: float, code: str = "123456") -> Arrived:
    return Arrived(began=at(9) + timedelta(seconds=seconds), code=code)


ANSWERED = {"state": AttemptState.ANSWERED}


@pytest.mark.parametrize(
    ("tried", "call", "came", "passed", "cause"),
    [
        (ANSWERED, dialled("out", "heard"), [arrived(0.2)], True, ""),
        (ANSWERED, dialled("out", "heard"), [arrived(3, "999"), arrived(19)], True, ""),
        (ANSWERED, dialled("out", "heard"), [arrived(20.1)], False, "late"),
        (ANSWERED, dialled("out", "silent"), [arrived(1)], False, "no_sound"),
        (ANSWERED, dialled("out"), [arrived(1)], False, "cut"),
        (ANSWERED, dialled("out", "heard"), [arrived(1, "")], False, "no_code"),
        (ANSWERED, dialled("out", "heard"), [arrived(-1)], False, "elsewhere"),
        (ANSWERED, dialled("out", "heard"), [], False, "elsewhere"),
        ({"state": AttemptState.NO_ANSWER}, dialled("out"), [], False, "not_arrived"),
        ({"state": AttemptState.BUSY}, dialled("out"), [], False, "busy"),
        ({"state": AttemptState.REJECTED}, dialled("out"), [], False, "rejected"),
        (
            {"state": AttemptState.FAILED, "cause": Cause.NO_TRUNK},
            dialled("out"),
            [],
            False,
            "no_trunk",
        ),
        (ANSWERED, dialled("heard", approximate=True), [arrived(1)], None, "link_gap"),
        ({"state": AttemptState.FAILED, "cause": Cause.NOT_SENT}, None, [], None, "not_sent"),
        (
            {"state": AttemptState.FAILED, "cause": Cause.GUARD_REFUSED},
            dialled("out"),
            [],
            None,
            "guard_refused",
        ),
        ({"state": AttemptState.UNKNOWN, "cause": ""}, dialled(), [], None, "unknown"),
    ],
)
def test_a_test_passes_only_out_in_in_time_and_heard(
    tried: dict[str, Any],
    call: DialledCall | None,
    came: list[Arrived],
    passed: bool | None,
    cause: str,
) -> None:
    expected = Verdict(passed=passed, cause=cause)

    assert expected == verdict(attempt(**tried), call, came, "123456", timedelta(seconds=20))


@pytest.mark.parametrize(
    ("changed", "watched", "why"),
    [
        ({"cause": ""}, True, "not_done"),
        ({"cause": "", "person": None}, True, "nobody"),
        ({"cause": "pbx_unavailable"}, True, "hindered"),
        ({"cause": ""}, False, "unobserved"),
    ],
)
def test_what_machine_or_program_could_not_do_is_nobodys_neglect(
    changed: dict[str, Any], watched: bool, why: str
) -> None:
    assert why == skipped_why(line_test(**changed), watched=watched)


@pytest.mark.parametrize(
    ("found", "skipped", "limit", "late"),
    [
        ({}, [line_test()], None, Late(at=at(10), why="test_skipped", test="t1")),
        ({}, [line_test(cause="nobody")], None, Late(at=at(10), why="test_skipped", test="t1")),
        ({}, [], at(10.5), Late(at=at(10.5), why="limit_passed")),
        ({}, [line_test()], at(9.5), Late(at=at(9.5), why="limit_passed")),
        ({}, [], None, None),
        ({}, [line_test(cause="hindered")], None, None),
        ({}, [line_test(cause="unobserved")], None, None),
        ({}, [line_test(source="extra")], None, None),
        ({}, [line_test(state=LineTestState.PASSED, cause="")], None, None),
        ({}, [line_test(dial="000")], None, None),
        ({"began_at": at(10.1)}, [line_test()], None, None),
        ({"found_at": at(9.9)}, [line_test()], at(10), None),
        ({"source": "machine"}, [line_test()], at(10.5), None),
    ],
)
def test_a_fault_is_late_by_a_skipped_test_or_the_limit_and_never_by_a_machines(
    found: dict[str, Any], skipped: list[LineTest], limit: datetime | None, late: Late | None
) -> None:
    assert late == undetected(fault(**found), skipped, limit)


@pytest.mark.parametrize(
    ("staffed", "passed"),
    [
        ([True] * 4, at(10)),
        ([True] * 3, None),
        ([True, False, True, True], None),
        ([False, True, True, True, True], at(10.5)),
        ([], None),
    ],
)
def test_the_limit_runs_only_while_somebody_is_on_duty(
    staffed: list[bool], passed: datetime | None
) -> None:
    samples = [(at(9 + n / 2), there) for n, there in enumerate(staffed)]

    assert passed == limit_passed(samples, HOUR)


def test_a_fault_goes_from_suspicion_to_a_passing_test() -> None:
    state, way = FaultState.SUSPECTED, list[FaultState]()
    for step in (Step.ACCEPT, Step.REPORT, Step.REPAIR, Step.FIX, Step.TEST_PASSES):
        state = next_state(fault(state=state), step)
        way.append(state)

    assert way == [
        FaultState.OPEN,
        FaultState.REPORTED,
        FaultState.REPAIRING,
        FaultState.FIXED,
        FaultState.CONFIRMED,
    ]


def test_what_does_not_follow_is_refused_and_only_a_test_confirms() -> None:
    with pytest.raises(Refused, match="does not follow"):
        next_state(fault(), Step.FIX)

    assert all(step not in BY_PEOPLE for step in (Step.TEST_PASSES, Step.TEST_FAILS))
    assert steps_of(fault(state=FaultState.FIXED)) == []
    assert not OVER & STEPS.keys()


def test_a_line_is_known_to_be_faulty_from_the_open_fault_to_the_repair() -> None:
    told = [(at(9), FaultState.SUSPECTED), (at(10), FaultState.OPEN), (at(12), FaultState.FIXED)]

    assert [True, True, False] == [was_faulty(told, at(hour)) for hour in (9, 11, 12)]
    assert not was_faulty(told[:1], at(9))
    assert was_faulty(told[:2], at(20))


@pytest.mark.parametrize(
    ("former", "odd"),
    [
        ([7] * 5, True),
        ([40, 3, 9, 2, 6], True),
        ([7] * 4, False),
        ([6] * 10, False),
        ([7, 7, 7, 7, 6], False),
        ([], False),
    ],
)
def test_silence_is_odd_only_where_many_called_at_the_same_hours_before(
    former: list[int], odd: bool
) -> None:
    assert odd == unusually_silent(former)


def test_silence_is_held_against_days_of_the_same_kind() -> None:
    holiday = Calendar(holidays={date(2026, 2, 27): "Festival"})
    spans = former_spans(at(9), at(10), replace(HOUSE, calendar=holiday))

    days = [began.date().day for began, _ in spans]
    assert days == [26, 25, 24, 23, 20, 19, 18, 17, 16]
    assert {(began.hour, ended.hour) for began, ended in spans} == {(9, 10)}


@pytest.mark.parametrize(
    ("dead", "phones", "many"), [(3, 6, True), (3, 7, False), (2, 2, False), (0, 0, False)]
)
def test_three_dead_phones_and_half_of_all_are_no_persons_doing(
    dead: int, phones: int, many: bool
) -> None:
    assert many == many_dead(range(dead), range(phones))


@pytest.mark.parametrize(
    ("today", "day", "paid", "due"),
    [
        (date(2026, 3, 19), 20, set(), False),
        (date(2026, 3, 20), 20, set(), True),
        (date(2026, 3, 31), 20, {"2026-02"}, True),
        (date(2026, 3, 31), 20, {"2026-03"}, False),
        (date(2026, 2, 28), 31, set(), True),
    ],
)
def test_the_bill_is_remembered_until_it_is_ticked_off(
    today: date, day: int, paid: set[str], due: bool
) -> None:
    assert due == bill_is_due(today, day, paid)


def test_utc_and_house_time_plan_the_same() -> None:
    assert slots(HOUSE, MONDAY)[0].due_at == datetime(2026, 3, 2, 2, tzinfo=UTC)
