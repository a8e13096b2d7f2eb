"""Who may decide what, until when, and what becomes of a line."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from cti.calendar import Calendar
from cti.errors import Refused
from cti.house import HouseCard, WorkingDays
from cti.penalties.record import (
    AppealVerdict,
    IncidentState,
    LineState,
    PenaltyLine,
    Verdict,
)
from cti.penalties.review import (
    DECIDED,
    LEGAL,
    PAYABLE,
    appeal_decided,
    as_told,
    check_appeal,
    check_decider,
    check_undo,
    checked_reason,
    decided,
    deciders,
    ends,
    incident_state,
)
from cti.people.rules import Directory, Person, Role
from tests.kit.fines import BOOKING, CHEN, LIN, MAY, MEI, OU, PEOPLE, STAFF, TWO, WU, at, line

TEN = Decimal("10.00")
_S = LineState


def house_of(*who: str) -> Directory:
    """A house in which only these work."""
    return Directory(PEOPLE[one] for one in who)


def code_of(act: object, *given: object, **named: object) -> str:
    """Give the code of a refusal; empty: it was allowed."""
    try:
        act(*given, **named)  # type: ignore[operator]
    except Refused as fault:
        return fault.code
    return ""


@pytest.mark.parametrize(
    ("staff", "parties", "turn"),
    [
        (STAFF, {MAY}, (LIN, MEI)),
        (STAFF, {MAY, LIN}, (MEI,)),
        (STAFF, {LIN, MEI}, (WU,)),
        (STAFF, {LIN, MEI, WU}, (OU,)),
        (house_of(MAY, LIN), {MAY, LIN}, ()),
        (house_of(OU), {OU}, (OU,)),
        (house_of(MAY, OU), {MAY}, (OU,)),
    ],
)
def test_whose_turn_it_is(staff: Directory, parties: set[str], turn: tuple[str, ...]) -> None:
    assert turn == deciders(staff, BOOKING, parties)


def test_the_first_decider_does_not_decide_the_appeal() -> None:
    assert (MEI,) == deciders(STAFF, BOOKING, {MAY}, but=LIN)


def test_what_is_escalated_is_the_managers_turn_too() -> None:
    assert (LIN, MEI, WU) == deciders(STAFF, BOOKING, {MAY}, escalated=True)


def test_an_owner_alone_decides_only_if_the_house_wants_it() -> None:
    card = HouseCard(single_agent_owner_decides=False)

    assert () == deciders(house_of(OU), replace(BOOKING, card=card), {OU})


@pytest.mark.parametrize(
    ("who", "parties", "first", "code"),
    [
        (LIN, {MAY}, None, ""),
        (WU, {MAY, LIN}, None, ""),
        (LIN, {MAY, LIN}, None, "own_case"),
        (WU, {MAY, WU}, None, "own_case"),
        (MAY, set(), None, "no_right"),
        (CHEN, set(), None, "no_right"),
        (LIN, {MAY}, LIN, "same_decider"),
        (MEI, {MAY}, LIN, ""),
    ],
)
def test_who_may_decide(who: str, parties: set[str], first: str | None, code: str) -> None:
    assert code == code_of(check_decider, PEOPLE[who], STAFF, BOOKING, parties, first=first)


def test_who_has_left_decides_nothing() -> None:
    gone = Directory([replace(PEOPLE[LIN], active=False)])

    assert "no_right" == code_of(check_decider, PEOPLE[LIN], gone, BOOKING, set())


def test_a_stranger_with_a_forged_role_decides_nothing() -> None:
    forged = Person(id="nobody", number="1", name="No", role=Role.OWNER)

    assert "no_right" == code_of(check_decider, forged, STAFF, BOOKING, set())


@pytest.mark.parametrize(
    ("verdict", "amount", "outcome"),
    [
        (Verdict.APPROVE, None, (_S.APPROVED, TEN)),
        (Verdict.WAIVE, None, (_S.WAIVED, TEN)),
        (Verdict.REDUCE, Decimal("4.00"), (_S.REDUCED, Decimal("4.00"))),
    ],
)
def test_a_verdict(
    verdict: Verdict, amount: Decimal | None, outcome: tuple[LineState, Decimal]
) -> None:
    assert outcome == decided(line(), verdict, amount)


@pytest.mark.parametrize("amount", [None, Decimal("0.00"), TEN, Decimal("-1.00")])
def test_a_reduced_line_costs_less_but_something(amount: Decimal | None) -> None:
    assert "bad_amount" == code_of(decided, line(), Verdict.REDUCE, amount)
    assert "bad_amount" == code_of(appeal_decided, line(_S.APPEALED), AppealVerdict.REDUCE, amount)


@pytest.mark.parametrize("state", sorted(set(_S) - {_S.PROPOSED}))
def test_only_what_is_proposed_is_decided(state: LineState) -> None:
    assert "already_decided" == code_of(decided, line(state), Verdict.APPROVE, None)


@pytest.mark.parametrize("state", sorted(set(_S) - {_S.APPEALED}))
def test_only_an_appeal_is_decided_as_an_appeal(state: LineState) -> None:
    assert "not_appealed" == code_of(appeal_decided, line(state), AppealVerdict.UPHOLD, None)


@pytest.mark.parametrize(
    ("state", "minutes", "code"),
    [
        (_S.APPROVED, 10, ""),
        (_S.WAIVED, 14.9, ""),
        (_S.APPROVED, 15, "undo_over"),
        (_S.PROPOSED, 1, "undo_over"),
        (_S.UPHELD, 1, "undo_over"),
    ],
)
def test_a_decision_may_be_undone_until_its_notice_is_due(
    state: LineState, minutes: float, code: str
) -> None:
    made = line(state, decided_at=TWO, decided_by=LIN)

    assert code == code_of(check_undo, made, TWO + timedelta(minutes=minutes), BOOKING)


def test_what_was_notified_is_not_undone() -> None:
    made = line(_S.APPROVED, decided_at=TWO, notified_at=at(60))

    assert "undo_over" == code_of(check_undo, made, at(90), BOOKING)


@pytest.mark.parametrize(
    ("facts", "who", "code"),
    [
        ({}, MAY, ""),
        ({}, LIN, "not_yours"),
        ({"appealed": True, "state": _S.REDUCED}, MAY, "appealed_already"),
        ({"state": _S.WAIVED}, MAY, "not_appealable"),
        ({"appeal_until": None}, MAY, "not_appealable"),
        ({"appeal_until": at(30)}, MAY, "appeal_over"),
    ],
)
def test_who_may_appeal_when(facts: dict[str, object], who: str, code: str) -> None:
    told = {"state": _S.APPROVED, "appeal_until": at(90)} | facts
    made = line(**told)  # type: ignore[arg-type]

    assert code == code_of(check_appeal, made, PEOPLE[who], at(60))


def test_three_working_days_run_from_the_day_after_the_notice() -> None:
    # Notified on Friday 28 March: Monday 31 March, 1 and 2 April.
    until = ends(TWO, WorkingDays(days=3), BOOKING)

    assert datetime(2025, 4, 2, 16, tzinfo=UTC) == until


def test_holidays_do_not_count_and_make_up_days_do() -> None:
    days = Calendar(
        holidays={date(2025, 3, 31): "a day off"},
        make_up_days=frozenset({date(2025, 3, 29)}),
    )

    until = ends(TWO, WorkingDays(days=3), replace(BOOKING, calendar=days))

    assert datetime(2025, 4, 2, 16, tzinfo=UTC) == until


def test_a_plain_duration_runs_at_once() -> None:
    assert TWO + timedelta(days=3) == ends(TWO, timedelta(days=3), BOOKING)


def test_a_reason_is_a_text() -> None:
    assert "the phone was broken" == checked_reason("  the phone\nwas broken ")
    assert "reason_missing" == code_of(checked_reason, " \n ")
    assert "bad_text" == code_of(checked_reason, "x" * 501)


def test_a_decision_shows_with_its_notice() -> None:
    decided = line(_S.REDUCED, amount=Decimal("4.00"), decided_by=LIN)
    known = replace(decided, notified_at=at(60))

    assert line() == as_told(decided)
    assert known == as_told(known)


@pytest.mark.parametrize(
    ("lines", "was", "state"),
    [
        ([line()], IncidentState.OPEN, IncidentState.PROPOSED),
        ([line(), line(_S.APPROVED)], IncidentState.PROPOSED, IncidentState.PROPOSED),
        ([line(_S.APPROVED)], IncidentState.PROPOSED, IncidentState.DECIDED),
        ([line(_S.WAIVED)], IncidentState.PROPOSED, IncidentState.DECIDED),
        ([line(_S.WAIVED, notified_at=at(1))], IncidentState.DECIDED, IncidentState.CLOSED),
        ([line(_S.UPHELD, final_at=at(0))], IncidentState.REOPENED, IncidentState.CLOSED),
        ([line(_S.APPEALED)], IncidentState.DECIDED, IncidentState.REOPENED),
        ([line()], IncidentState.CLOSED, IncidentState.REOPENED),
        ([line(_S.EXEMPTED)], IncidentState.OPEN, IncidentState.CLOSED),
        ([], IncidentState.OPEN, IncidentState.CLOSED),
    ],
)
def test_an_incident_stands_where_its_lines_stand(
    lines: list[PenaltyLine], was: IncidentState, state: IncidentState
) -> None:
    assert state is incident_state(lines, at(10), was=was)


def test_the_diagram_of_a_line() -> None:
    told = {f"{old}>{new}" for old, after in LEGAL.items() for new in after}

    assert {
        "proposed>approved",
        "proposed>reduced",
        "proposed>waived",
        "proposed>lapsed",
        "exempted>proposed",
        "approved>proposed",
        "reduced>proposed",
        "waived>proposed",
        "approved>appealed",
        "reduced>appealed",
        "appealed>upheld",
        "appealed>reduced",
        "appealed>overturned",
        "appealed>lapsed",
        "approved>settled",
        "reduced>settled",
        "upheld>settled",
        "settled>reversed",
    } == told
    assert set(_S) == set(LEGAL)
    assert {_S.APPROVED, _S.REDUCED, _S.UPHELD} == PAYABLE
    assert {_S.APPROVED, _S.REDUCED, _S.WAIVED} == DECIDED
