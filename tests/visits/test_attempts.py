"""What follows from an attempt, and what may be dialled: the figures of requirement 21.2 and 24."""

from dataclasses import replace
from datetime import time

import pytest

from cti.errors import Refused
from cti.house import CallTimes
from cti.house_visits import Retry, VisitRules
from cti.visits.attempts import (
    breach_cause,
    check_appointment,
    meant_for,
    nearest,
    next_attempt,
)
from cti.visits.record import Outcome, Wishes
from tests.kit.owed import STUDIO, Told, at, house, visit

MONDAY, TUESDAY, FRIDAY, SUNDAY = "2025-03-03", "2025-03-04", "2025-03-07", "2025-03-09"


@pytest.mark.parametrize(
    ("rules", "tried", "expected"),
    [
        (VisitRules(), f"{MONDAY}T10:05", "Mon 03-03 14:00"),
        (STUDIO, f"{MONDAY}T10:05", "Mon 03-03 14:00"),
        (VisitRules(), f"{MONDAY}T15:10", "Mon 03-03 18:00"),
        (STUDIO, f"{MONDAY}T15:10", "Mon 03-03 17:10"),
        (STUDIO, f"{MONDAY}T16:10", "Mon 03-03 18:10"),  # nothing is left of the working day
        (VisitRules(), f"{MONDAY}T17:50", "Mon 03-03 19:50"),
        (VisitRules(), f"{MONDAY}T20:40", "Tue 03-04 09:00"),
    ],
)
def test_who_did_not_answer_is_tried_in_another_part_of_his_day(
    rules: VisitRules, tried: str, expected: str
) -> None:
    told = Told(house(rules)).tried(tried, Outcome.NO_ANSWER)

    assert expected == told.then


def test_a_retry_that_would_fall_into_rest_rolls_to_the_next_opening() -> None:
    early = replace(house(), call_times=CallTimes(windows=((time(10), time(18)),)))
    told = Told(early, visit(next_at=at(f"{MONDAY}T10:00")))

    told.tried(f"{MONDAY}T17:00", Outcome.NO_ANSWER)

    assert "Tue 03-04 10:00" == told.then


def test_who_is_busy_is_called_ten_minutes_later_and_then_in_another_part_of_the_day() -> None:
    told = Told().tried(f"{MONDAY}T10:00", Outcome.BUSY)

    assert "Mon 03-03 10:10" == told.then

    told.tried(f"{MONDAY}T10:10", Outcome.BUSY)

    assert "Tue 03-04 09:00" == told.then  # two calls are enough for one day


def test_the_next_part_of_the_day_is_taken_if_the_caps_allow() -> None:
    told = Told(house(VisitRules(per_customer_day=4)))

    told.tried(f"{MONDAY}T10:00", Outcome.BUSY).tried(f"{MONDAY}T10:10", Outcome.BUSY)

    assert "Mon 03-03 14:00" == told.then


def test_the_ten_minutes_do_not_shrink_from_one_attempt_to_the_next() -> None:
    many = VisitRules(per_customer_day=9, max_attempts=9, retry=Retry(busy_same_daypart=9))
    told, found = Told(house(many)), list[str]()

    for minute in (0, 10, 20, 30):
        found.append(told.tried(f"{MONDAY}T10:{minute:02}", Outcome.BUSY).then[-5:])

    assert ["10:10", "10:20", "10:30", "10:40"] == found


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.MACHINE, "Mon 03-03 14:00"),
        (Outcome.REJECTED, "Tue 03-04 09:00"),
        (Outcome.FAILED, "Mon 03-03 10:10"),
        (Outcome.AGENT_NO_SHOW, "Mon 03-03 10:05"),
        (Outcome.NOT_DIALLED, "Mon 03-03 10:05"),
        (Outcome.APPOINTMENT, "Mon 03-03 14:00"),  # not now, and no time was named
        (Outcome.DONE, "done (done)"),
        (Outcome.REFUSED_CONTACT, "refused (refused_contact)"),
        (Outcome.WRONG_NUMBER, "wrong_number (wrong_number)"),
        (Outcome.CLOSED, "cancelled (closed)"),
        (Outcome.UNKNOWN, "needs_decision (unknown)"),
    ],
)
def test_each_outcome_leads_where_the_rules_say(outcome: Outcome, expected: str) -> None:
    assert expected == Told().tried(f"{MONDAY}T10:05", outcome).then


def test_what_people_must_do_is_told() -> None:
    todo = {
        outcome.value: Told().tried(f"{MONDAY}T10:05", outcome).step.todo
        for outcome in Outcome
        if Told().tried(f"{MONDAY}T10:05", outcome).step.todo
    }

    assert {
        "refused_contact": ("do_not_call",),
        "wrong_number": ("data_fix",),
        "closed": ("data_fix",),
        "solution_refused": ("supervisor",),
    } == todo


def test_three_line_failures_of_a_day_are_for_a_person_to_decide() -> None:
    told = Told()

    for minute in (0, 5, 10):
        told.tried(f"{MONDAY}T10:{minute:02}", Outcome.FAILED)

    assert "needs_decision (line_failures)" == told.then
    assert 0 == told.visit.attempts


def test_line_failures_are_counted_for_each_number_and_day() -> None:
    told = Told().tried(f"{MONDAY}T20:50", Outcome.FAILED).tried(f"{MONDAY}T20:55", Outcome.FAILED)

    told.tried(f"{TUESDAY}T09:00", Outcome.FAILED)

    assert "Tue 03-04 09:05" == told.then


def test_six_attempts_of_any_kind_end_it_as_covered_and_somebody_writes() -> None:
    """Busy and no answer both count, line failures do not (requirement 24)."""
    told = Told()
    told.tried(f"{MONDAY}T10:00", Outcome.BUSY).tried(f"{MONDAY}T10:10", Outcome.NO_ANSWER)
    told.tried(f"{TUESDAY}T09:00", Outcome.FAILED).tried(f"{TUESDAY}T09:05", Outcome.NO_ANSWER)
    told.tried(f"{TUESDAY}T14:00", Outcome.MACHINE)
    told.tried("2025-03-05T09:00", Outcome.BUSY)

    assert "Wed 03-05 09:10" == told.then

    told.tried("2025-03-05T09:10", Outcome.NO_ANSWER)

    assert "unreachable (max_attempts)" == told.then
    assert ("fallback",) == told.step.todo
    assert 6 == told.visit.attempts


def test_one_budget_is_shared_by_all_outcomes() -> None:
    told = Told(house(VisitRules(max_attempts=1)))

    assert "unreachable (max_attempts)" == told.tried(f"{MONDAY}T10:00", Outcome.BUSY).then


def test_a_cap_of_the_day_puts_off_and_drops_nothing() -> None:
    once = house(VisitRules(per_customer_day=1))

    told = Told(once).tried(f"{MONDAY}T15:00", Outcome.NO_ANSWER)

    assert "Tue 03-04 09:00" == told.then
    assert "not_yet" == told.asked(f"{MONDAY}T20:00")
    assert "window" == told.asked(f"{TUESDAY}T09:00")


def test_the_caps_of_a_day_are_those_of_all_his_visits() -> None:
    other = Told(owed=visit(id="v2"))
    other.tried(f"{MONDAY}T09:00", Outcome.NO_ANSWER).tried(f"{MONDAY}T14:00", Outcome.DONE)
    told = Told()
    told.tries = other.tries

    assert "customer_day" == told.asked(f"{MONDAY}T18:00")
    assert at(f"{TUESDAY}T09:00") == nearest(
        told.visit, Wishes(), told.tries, at(f"{MONDAY}T18:00"), "may", told.house
    )


def test_two_hours_lie_between_two_calls_of_one_customer() -> None:
    told = Told(owed=visit(id="v2")).tried(f"{MONDAY}T14:00", Outcome.DONE)
    told.visit = visit()

    assert "gap" == told.asked(f"{MONDAY}T15:59")
    assert "window" == told.asked(f"{MONDAY}T16:00")


def test_marketing_calls_three_times_in_a_calendar_week() -> None:
    wishes = Wishes(yes=frozenset({"marketing"}))
    told = Told(owed=visit(purpose="marketing", due_at=at(f"{SUNDAY}T21:00")), wishes=wishes)
    told.tried(f"{MONDAY}T10:00", Outcome.NO_ANSWER).tried(f"{MONDAY}T14:00", Outcome.MACHINE)

    told.tried(f"{TUESDAY}T09:00", Outcome.NO_ANSWER)

    assert "Mon 03-10 14:00" == told.then
    assert "marketing_week" == Told.asked(_free(told), f"{SUNDAY}T18:00")


def test_other_purposes_know_no_cap_of_the_week() -> None:
    told = Told()
    told.tried(f"{MONDAY}T10:00", Outcome.NO_ANSWER).tried(f"{MONDAY}T14:00", Outcome.MACHINE)

    told.tried(f"{TUESDAY}T09:00", Outcome.NO_ANSWER)

    assert "Tue 03-04 14:00" == told.then


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (f"{TUESDAY}T09:30", "Tue 03-04 14:00"),
        (f"{TUESDAY}T11:30", "Tue 03-04 15:30"),
        (f"{TUESDAY}T15:00", "Tue 03-04 19:00"),
        (f"{TUESDAY}T19:00", "Wed 03-05 09:00"),
    ],
)
def test_who_refused_the_solution_is_called_by_another_at_another_time(
    refused: str, expected: str
) -> None:
    told = Told().tried(refused, Outcome.SOLUTION_REFUSED, "may")

    assert expected == told.then
    assert "may" == told.step.avoid_agent
    assert told.step.release


def test_neither_the_agent_nor_the_part_of_the_day_of_a_refused_solution_returns() -> None:
    told = Told().tried(f"{TUESDAY}T09:30", Outcome.SOLUTION_REFUSED, "may")

    assert "avoid_agent" == told.asked(f"{TUESDAY}T14:00", "may")
    assert "window" == told.asked(f"{TUESDAY}T14:00", "bo")
    assert "avoid_daypart" == told.asked("2025-03-05T09:30", "bo")
    assert at("2025-03-05T14:00") == nearest(
        told.visit, Wishes(), told.tries, at("2025-03-05T09:30"), "bo", told.house
    )


def test_a_refused_solution_is_remembered_through_attempts_that_reach_nobody() -> None:
    told = Told().tried(f"{TUESDAY}T09:30", Outcome.SOLUTION_REFUSED, "may")

    told.tried(f"{TUESDAY}T14:00", Outcome.AGENT_NO_SHOW, "bo")
    told.tried(f"{TUESDAY}T14:06", Outcome.NO_ANSWER, "bo")

    assert "Wed 03-05 18:00" == told.then
    assert "avoid_agent" == told.asked("2025-03-05T18:00", "may")


def test_a_solution_is_explained_at_most_twice() -> None:
    told = Told()
    told.tried(f"{MONDAY}T10:00", Outcome.SOLUTION_REFUSED, "may")
    told.tried(f"{MONDAY}T14:30", Outcome.SOLUTION_REFUSED, "bo")

    assert "Tue 03-04 09:00" == told.then

    told.tried(f"{TUESDAY}T09:30", Outcome.SOLUTION_REFUSED, "chen")

    assert "needs_decision (explanations)" == told.then


def test_an_agent_who_did_not_pick_up_leaves_it_to_another_at_once() -> None:
    told = Told().tried(f"{MONDAY}T10:00", Outcome.AGENT_NO_SHOW, "may")

    assert "avoid_agent" == told.asked(f"{MONDAY}T10:00", "may")
    assert "window" == told.asked(f"{MONDAY}T10:00", "bo")
    assert "window" == told.asked(f"{MONDAY}T10:05", "may")


def test_a_time_that_the_customer_named_is_the_sole_exception_to_his_rest() -> None:
    told = Told().tried(f"{MONDAY}T10:00", Outcome.APPOINTMENT, appointment=f"{MONDAY}T21:30")

    assert "Mon 03-03 21:30" == told.then
    assert "not_yet" == told.asked(f"{MONDAY}T21:19")
    assert "appointment" == told.asked(f"{MONDAY}T21:20")
    assert "appointment" == told.asked(f"{MONDAY}T21:40")
    assert "rest" == told.asked(f"{MONDAY}T21:41")
    assert not told.step.counts


def test_a_named_time_comes_before_the_caps_of_the_day_and_not_before_those_of_the_visit() -> None:
    told = Told()
    told.tried(f"{MONDAY}T10:00", Outcome.NO_ANSWER).tried(f"{MONDAY}T14:00", Outcome.MACHINE)
    named = at(f"{MONDAY}T14:30")
    told.visit = replace(told.visit, appointment_at=named, next_at=named)

    assert "appointment" == told.asked(f"{MONDAY}T14:30")

    told.house = house(VisitRules(max_attempts=2))

    assert "max_attempts" == told.asked(f"{MONDAY}T14:30")


def test_who_is_busy_at_his_own_time_is_called_again_inside_it() -> None:
    told = Told().tried(f"{MONDAY}T10:00", Outcome.APPOINTMENT, appointment=f"{MONDAY}T21:30")

    told.tried(f"{MONDAY}T21:30", Outcome.BUSY)

    assert "Mon 03-03 21:40" == told.then
    assert "not_yet" == told.asked(f"{MONDAY}T21:35")
    assert "Tue 03-04 09:00" == told.tried(f"{MONDAY}T21:40", Outcome.BUSY).then


def test_who_did_not_answer_at_his_own_time_is_called_in_the_next_window() -> None:
    told = Told().tried(f"{MONDAY}T10:00", Outcome.APPOINTMENT, appointment=f"{MONDAY}T21:30")

    assert "Tue 03-04 09:00" == told.tried(f"{MONDAY}T21:30", Outcome.NO_ANSWER).then
    assert None is told.step.appointment_at


def test_an_appointment_is_the_owners_until_it_is_five_minutes_past() -> None:
    own = visit(owner="may", appointment_at=at(f"{MONDAY}T15:00"))
    told = {
        when: meant_for(own, "bo", at(f"{MONDAY}T{when}"), house())
        for when in ("14:59", "15:04", "15:05")
    }

    assert {"14:59": False, "15:04": False, "15:05": True} == told
    assert meant_for(own, "may", at(f"{MONDAY}T14:59"), house())


def test_from_the_third_attempt_on_it_is_anybodys() -> None:
    assert not meant_for(visit(owner="may", attempts=1), "bo", at(f"{MONDAY}T15:00"), house())
    assert meant_for(visit(owner="may", attempts=2), "bo", at(f"{MONDAY}T15:00"), house())


@pytest.mark.parametrize(
    ("named", "outcome", "code"),
    [
        (f"{MONDAY}T09:59", Outcome.APPOINTMENT, "visit_time_past"),
        ("2027-03-03T10:00", Outcome.APPOINTMENT, "visit_time_far"),
        (f"{TUESDAY}T10:00", Outcome.SOLUTION_REFUSED, "visit_same_daypart"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused(named: str, outcome: Outcome, code: str) -> None:
    told = Told().tried(f"{MONDAY}T10:00", outcome)

    with pytest.raises(Refused) as refused:
        check_appointment(
            told.visit, outcome, at(named), told.tries, Wishes(), at(f"{MONDAY}T10:00"), house()
        )

    assert code == refused.value.code


@pytest.mark.parametrize(
    ("purpose", "wishes", "expected"),
    [
        ("service", Wishes(do_not_call=True), "do_not_call"),
        ("service", Wishes(), "window"),
        ("service", Wishes(no=frozenset({"service"})), "no_consent"),
        ("care", Wishes(no=frozenset({"service"})), "window"),
        ("care", Wishes(no=frozenset({"care"})), "no_consent"),
        ("marketing", Wishes(), "no_consent"),
        ("marketing", Wishes(yes=frozenset({"marketing"})), "window"),
        (
            "marketing",
            Wishes(yes=frozenset({"marketing"}), no=frozenset({"marketing"})),
            "no_consent",
        ),
    ],
)
def test_consent_is_asked_for_each_purpose(purpose: str, wishes: Wishes, expected: str) -> None:
    told = Told(owed=visit(purpose=purpose), wishes=wishes)

    assert expected == told.asked(f"{MONDAY}T10:00")


def test_not_even_his_own_time_is_above_a_withdrawn_consent() -> None:
    owed = visit(appointment_at=at(f"{MONDAY}T10:00"))

    assert "do_not_call" == Told(owed=owed, wishes=Wishes(do_not_call=True)).asked(
        f"{MONDAY}T10:00"
    )


def test_who_withdraws_his_consent_is_not_tried_again() -> None:
    told = Told(wishes=Wishes(no=frozenset({"service"}))).tried(f"{MONDAY}T10:00", Outcome.BUSY)

    assert "refused (no_consent)" == told.then


def test_nobody_is_dialled_while_another_call_with_him_is_being_made() -> None:
    told = Told(owed=visit(id="v2")).tried(f"{MONDAY}T10:00", Outcome.DONE)
    told.tries = [replace(told.tries[0], outcome=None, ended_at=None)]
    told.visit = visit()

    assert "being_called" == told.asked(f"{MONDAY}T14:00")


def test_an_attempt_that_is_still_open_counts_as_over_with_its_outcome() -> None:
    told = Told().tried(f"{MONDAY}T10:05", Outcome.NO_ANSWER)
    running = [replace(told.tries[0], outcome=None, ended_at=None)]

    step = next_attempt(
        visit(), Outcome.NO_ANSWER, running, Wishes(), at(f"{MONDAY}T10:05"), house()
    )

    assert told.step == step


def test_every_day_part_that_is_left_is_tried_before_the_deadline() -> None:
    """The evening would come too late: the afternoon again is better than a breach."""
    owed = visit(due_at=at(f"{MONDAY}T18:00"), from_at=at(f"{MONDAY}T09:00"))

    assert "Mon 03-03 17:10" == Told(owed=owed).tried(f"{MONDAY}T15:10", Outcome.NO_ANSWER).then


def test_a_day_part_that_was_not_tried_comes_before_one_that_was() -> None:
    rules = house(VisitRules(per_customer_day=3))
    told = Told(rules, visit(due_at=at(f"{TUESDAY}T12:00")))
    told.tried(f"{MONDAY}T09:00", Outcome.NO_ANSWER).tried(f"{MONDAY}T18:00", Outcome.REJECTED)

    assert "Tue 03-04 09:00" == told.then


def test_who_rejected_the_call_is_tried_later_that_day_only_to_meet_the_deadline() -> None:
    owed = visit(due_at=at(f"{MONDAY}T21:00"))

    assert "Mon 03-03 14:00" == Told(owed=owed).tried(f"{MONDAY}T10:00", Outcome.REJECTED).then


def test_a_breached_visit_stays_workable_until_it_is_given_up() -> None:
    owed = visit(due_at=at(f"{MONDAY}T12:00"), give_up_at=at(f"{TUESDAY}T11:00"))
    told = Told(house(), owed).tried(f"{MONDAY}T15:10", Outcome.NO_ANSWER)

    assert "Mon 03-03 18:00" == told.then
    assert "Tue 03-04 09:00" == told.tried(f"{MONDAY}T18:00", Outcome.REJECTED).then
    assert "unreachable (given_up)" == told.tried(f"{TUESDAY}T09:00", Outcome.NO_ANSWER).then


def test_who_refuses_a_solution_until_it_is_given_up_is_for_a_person_to_decide() -> None:
    owed = visit(due_at=at(f"{MONDAY}T12:00"), give_up_at=at(f"{MONDAY}T12:00"))

    told = Told(house(), owed).tried(f"{MONDAY}T10:00", Outcome.SOLUTION_REFUSED)

    assert "needs_decision (given_up)" == told.then


def test_whoever_can_never_be_called_is_for_a_person_to_decide() -> None:
    night = Wishes(hours=((time(22), time(23)),))

    told = Told(wishes=night).tried(f"{MONDAY}T10:00", Outcome.NO_ANSWER)

    assert "needs_decision (no_call_times)" == told.then
    assert "no_call_times" == Told(wishes=night).asked(f"{MONDAY}T22:30")


def test_who_has_one_part_of_the_day_alone_is_tried_in_it_again() -> None:
    late = replace(house(), call_times=CallTimes(windows=((time(18), time(21)),)))
    told = Told(late, wishes=Wishes()).tried(f"{MONDAY}T18:30", Outcome.NO_ANSWER)

    assert "Tue 03-04 18:00" == told.then


def test_a_refused_solution_ends_where_no_other_part_of_the_day_exists() -> None:
    late = replace(
        house(VisitRules(dayparts={})), call_times=CallTimes(windows=((time(18), time(21)),))
    )

    told = Told(late).tried(f"{MONDAY}T18:30", Outcome.SOLUTION_REFUSED)

    assert "needs_decision (no_daypart)" == told.then


@pytest.mark.parametrize(
    ("outcome", "more", "cause"),
    [
        (None, {"owner": "may"}, "not_tried"),
        (None, {}, "nobody"),
        (Outcome.NO_ANSWER, {}, "not_reached"),
        (Outcome.FAILED, {}, "line"),
        (Outcome.AGENT_NO_SHOW, {}, "no_agent"),
        (Outcome.SOLUTION_REFUSED, {}, "solution_refused"),
        (None, {"appointment_at": at(f"{FRIDAY}T10:00")}, "appointment"),
        (Outcome.FAILED, {"state": "needs_decision"}, "undecided"),
    ],
)
def test_a_breach_has_a_cause(outcome: Outcome | None, more: dict[str, object], cause: str) -> None:
    assert cause == breach_cause(visit(outcome=outcome, **more))


def _free(told: Told) -> Told:
    """As if it might be tried at any time."""
    told.visit = replace(told.visit, next_at=told.visit.from_at)
    return told
