"""One reason for each missed call, and what it costs whom: the golden examples, to the cent."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from cti.duty.rules import DutySet, DutyState
from cti.house import Amounts, House, PenaltyRules
from cti.penalties.record import CallFacts, Draft, Evidence, MissReason
from cti.penalties.rules import fined, fined_alone, stacked, unit
from cti.people.rules import Directory, Role
from cti.presence.states import AgentState, Interval, Source
from tests.kit.fines import (
    AGENTS,
    ANN,
    BO,
    BOOKING,
    LIN,
    LITERAL,
    MAY,
    MEI,
    PEOPLE,
    STAFF,
    at,
    costs,
    duty,
    facts,
    judged,
    on_duty,
    rang,
    was,
)

ALL_RANG = tuple(rang(who) for who in AGENTS)
ON_CALLS = tuple(was(who, AgentState.ON_CALL) for who in AGENTS)
EACH_AND_LIN = {MAY: "10.00", BO: "10.00", ANN: "10.00", LIN: "50.00"}


def house(**missed_call: object) -> House:
    """The booking house with other rules for missed calls."""
    rules = replace(BOOKING.penalties.missed_call, **missed_call)  # type: ignore[arg-type]
    return replace(BOOKING, penalties=PenaltyRules(missed_call=rules))


def unheard(until: float = 600) -> Interval:
    """May's second PBX was not heard."""
    return was(MAY, AgentState.UNKNOWN, -60, until, Source.LINK)


GOLDEN: list[
    tuple[str, CallFacts, DutySet, tuple[Interval, ...], str, dict[str, str], str, dict[str, str]]
] = [
    (
        "May free and rung to the end, Bo at a visit that the system dialled",
        facts(rang(MAY)),
        duty(MAY, BO),
        (was(BO, AgentState.SYSTEM_DIALLED_VISIT),),
        "rang_out",
        {MAY: "10.00", BO: "system_dialled_visit", LIN: "50.00"},
        "rang_out",
        {MAY: "10.00", BO: "10.00", LIN: "50.00"},
    ),
    (
        "May free and rung to the end, Bo on a call, Ann on an approved break",
        facts(rang(MAY)),
        duty(*AGENTS),
        (was(BO, AgentState.ON_CALL), was(ANN, AgentState.BREAK_APPROVED)),
        "rang_out",
        {MAY: "10.00", BO: "on_call", ANN: "break_approved", LIN: "50.00"},
        "rang_out",
        EACH_AND_LIN,
    ),
    (
        "all three on calls for the whole ringing",
        facts(rang(MAY, "busy", silent=True)),
        duty(*AGENTS),
        ON_CALLS,
        "all_busy",
        dict.fromkeys(AGENTS, "on_call"),
        "all_busy",
        EACH_AND_LIN,
    ),
    (
        "all three on calls, and one fewer than published",
        facts(rang(MAY, "busy", silent=True)),
        duty(*AGENTS, published=4),
        ON_CALLS,
        "all_busy",
        dict.fromkeys(AGENTS, "on_call") | {LIN: "50.00"},
        "all_busy",
        EACH_AND_LIN,
    ),
    (
        "all free and rung, the caller hangs up after 4 s",
        facts(*(rang(who, "caller_gave_up", ended=4) for who in AGENTS), ended=4, by="caller"),
        duty(*AGENTS),
        (),
        "short_abandon",
        {},
        "abandoned_ringing",
        EACH_AND_LIN,
    ),
    (
        "nobody rostered, open until 22:00",
        facts(rang(None)),
        duty(),
        (),
        "no_one_rostered",
        {LIN: "50.00"},
        "no_one_rostered",
        {LIN: "50.00"},
    ),
    (
        "all free, rung out",
        facts(*ALL_RANG),
        duty(*AGENTS),
        (),
        "rang_out",
        EACH_AND_LIN,
        "rang_out",
        EACH_AND_LIN,
    ),
    (
        "the link is lost while it rings",
        facts(*ALL_RANG, in_gap=True),
        duty(*AGENTS),
        (),
        "unobserved",
        {},
        "unobserved",
        {},
    ),
    (
        "May declines, Bo and Ann are free but ring out 20 s later",
        facts(rang(MAY, "rejected", ended=3), rang(BO), rang(ANN)),
        duty(*AGENTS),
        (),
        "rejected",
        EACH_AND_LIN,
        "rejected",
        EACH_AND_LIN,
    ),
]


@pytest.mark.parametrize(
    ("call", "on", "states", "reason", "lines"),
    [row[1:6] for row in GOLDEN],
    ids=[row[0] for row in GOLDEN],
)
def test_golden_by_default(
    call: CallFacts,
    on: DutySet,
    states: tuple[Interval, ...],
    reason: str,
    lines: dict[str, str],
) -> None:
    found = judged(call, on, *states)

    assert (reason, dict(sorted(lines.items()))) == (found.reason, costs(found))


@pytest.mark.parametrize(
    ("call", "on", "states", "reason", "lines"),
    [(*row[1:4], *row[6:]) for row in GOLDEN],
    ids=[row[0] for row in GOLDEN],
)
def test_golden_by_the_literal_rule(
    call: CallFacts,
    on: DutySet,
    states: tuple[Interval, ...],
    reason: str,
    lines: dict[str, str],
) -> None:
    found = judged(call, on, *states, house=LITERAL)

    assert (reason, dict(sorted(lines.items()))) == (found.reason, costs(found))


def test_it_is_noted_who_declined() -> None:
    found = judged(facts(rang(MAY, "rejected", ended=3), rang(BO)), duty(*AGENTS))

    assert [MAY] == [one.duty.person for one in found.agents if one.rejected]


@pytest.mark.parametrize(
    ("reason", "call", "states", "lines"),
    [
        ("unobserved", facts(*ALL_RANG, approximate=True), (), {}),
        ("unobserved", facts(*ALL_RANG, stream_reason="unobserved"), (), {}),
        ("pbx_fault", facts(*ALL_RANG, stream_reason="pbx_fault"), (), {}),
        ("out_of_hours", facts(*ALL_RANG, began=at(9 * 3600)), (), {}),
        ("ivr_abandon", facts(by="caller"), (), {}),
        ("short_abandon", facts(rang(MAY, "caller_gave_up"), ended=4.999, by="caller"), (), {}),
        (
            "abandoned_ringing",
            facts(rang(MAY, "caller_gave_up"), ended=5, by="caller"),
            (),
            EACH_AND_LIN,
        ),
        (
            "rang_out: the caller was sent to the mailbox, and then hung up",
            facts(*ALL_RANG, waited_to=at(20), ended=50, by="caller"),
            (),
            EACH_AND_LIN,
        ),
        (
            "all_exempt",
            facts(rang(MAY, "busy", silent=True)),
            (*ON_CALLS[:2], was(ANN, AgentState.CALLED_AWAY)),
            {MAY: "on_call", BO: "on_call", ANN: "called_away"},
        ),
        (
            "not_offered: one away by his own act, one in no queue, one excused",
            facts(rang(BO, "busy", silent=True), by="caller"),
            (
                was(MAY, AgentState.LOGGED_OUT),
                was(BO, AgentState.AVAILABLE),
                was(ANN, AgentState.UNREACHABLE),
            ),
            {MAY: "10.00", BO: "10.00", ANN: "unreachable", LIN: "50.00"},
        ),
        (
            "not_offered: all available, in no queue",
            facts(waited_from=at(0), waited_to=at(20), wait_ms=20_000, by="caller"),
            tuple(was(who, AgentState.AVAILABLE) for who in AGENTS),
            {LIN: "50.00"},
        ),
        (
            "not_offered: who is off duty rings in vain",
            facts(rang(MEI), by="pbx"),
            (was(MAY, AgentState.PAUSE_UNAPPROVED),),
            {MAY: "10.00", LIN: "50.00"},
        ),
        ("rang_out", facts(rang(MAY, "withdrawn"), by="pbx"), (), EACH_AND_LIN),
    ],
)
def test_the_first_reason_that_fits(
    reason: str, call: CallFacts, states: tuple[Interval, ...], lines: dict[str, str]
) -> None:
    found = judged(call, duty(*AGENTS), *states)

    assert (reason.partition(":")[0], dict(sorted(lines.items()))) == (found.reason, costs(found))


def test_a_confirmed_fault_of_the_trunk_costs_nobody_whatever_the_policy() -> None:
    everything = tuple(MissReason)
    greedy = house(no_agent_line=(), supervisor_line=everything)

    found = judged(facts(*ALL_RANG), duty(*AGENTS), house=greedy, fault="fault-1")

    assert (MissReason.PBX_FAULT, ()) == (found.reason, found.drafts)


@pytest.mark.parametrize(
    ("states", "exemptions"),
    [
        (
            [was(MAY, AgentState.ON_CALL, -60, 8), was(MAY, AgentState.WRAP_UP, 8, 38)],
            ("on_call", "wrap_up"),
        ),
        ([was(MAY, AgentState.ON_CALL, -60, 8), was(MAY, AgentState.WRAP_UP, 8, 19)], ()),
        ([was(MAY, AgentState.ON_CALL, 1, 60)], ()),
        ([was(MAY, AgentState.PBX_AUTOPAUSE, -30, None)], ("pbx_autopause",)),
        ([was(MAY, AgentState.PBX_AUTOPAUSE, -45, None)], ()),
        ([was(MAY, AgentState.PAUSE_UNAPPROVED)], ()),
        ([was(MAY, AgentState.BUSY_ELSEWHERE)], ()),
        ([was(MAY, AgentState.UNREACHABLE)], ("unreachable",)),
    ],
)
def test_exempting_states_must_cover_the_whole_ringing_and_may_join(
    states: list[Interval], exemptions: tuple[str, ...]
) -> None:
    found = judged(facts(rang(BO)), duty(MAY, BO), *states)

    assert exemptions == found.agents[0].exemptions


@pytest.mark.parametrize(
    ("policy", "states", "line"),
    [
        (BOOKING, [unheard()], "unknown"),
        (LITERAL, [unheard()], "unknown"),
        (BOOKING, [unheard(until=9), was(MAY, AgentState.UNREACHABLE, 9)], "unknown"),
        (BOOKING, [unheard(until=9), was(MAY, AgentState.AVAILABLE, 9)], "10.00"),
        (BOOKING, [was(MAY, AgentState.UNKNOWN, source=Source.DEVICE)], "10.00"),
    ],
)
def test_nobody_pays_for_a_time_in_which_the_pbx_of_his_phone_was_not_heard(
    policy: House, states: list[Interval], line: str
) -> None:
    found = judged(facts(rang(BO)), duty(MAY, BO), *states, house=policy)

    assert line == costs(found)[MAY]


@pytest.mark.parametrize(
    ("since", "state", "leaving", "exempt"),
    [
        (-30, DutyState.STARTED, False, "handover_minute"),
        (-50, DutyState.STARTED, False, ""),
        (-30, DutyState.PLANNED, False, ""),
        (-3600, DutyState.HANDING_OVER, True, "handover_minute"),
    ],
)
def test_who_just_came_or_is_just_relieved_is_exempt(
    since: float, state: DutyState, leaving: bool, exempt: str
) -> None:
    on = duty(on_duty(MAY, since, state), BO)

    found = judged(facts(rang(BO)), on, leaving={MAY} if leaving else ())

    assert exempt == found.agents[0].exemption


@pytest.mark.parametrize(
    ("scope", "lines"),
    [
        ("on_duty", {MAY: "10.00", BO: "on_call", ANN: "10.00", LIN: "50.00"}),
        ("rang", {MAY: "10.00", BO: "10.00", LIN: "50.00"}),
        ("rang_free", {MAY: "10.00", BO: "on_call", LIN: "50.00"}),
        ("first_rung", {MAY: "10.00", LIN: "50.00"}),
    ],
)
def test_the_scope_says_who_answers(scope: str, lines: dict[str, str]) -> None:
    call = facts(rang(BO, "caller_gave_up", began=5), rang(MAY))

    found = judged(call, duty(*AGENTS), was(BO, AgentState.ON_CALL), house=house(scope=scope))

    assert dict(sorted(lines.items())) == costs(found)


def test_the_amounts_are_those_of_the_day_of_the_call() -> None:
    march = Amounts(
        agent=Decimal("5.00"),
        supervisor=Decimal("0.00"),
        since=date(2025, 3, 1),
        until=date(2025, 3, 28),
    )

    found = judged(facts(rang(MAY)), duty(MAY), house=house(dated=(march,)))

    assert {MAY: "5.00"} == costs(found)


@pytest.mark.parametrize(
    ("settlement", "amount", "counted"),
    [
        ("bonus", Decimal("10.00"), "CNY"),
        ("points", Decimal("10.00"), "points"),
        ("none", None, ""),
    ],
)
def test_a_house_settles_in_money_in_points_or_not_at_all(
    settlement: str, amount: Decimal | None, counted: str
) -> None:
    settled = replace(BOOKING, penalties=PenaltyRules(settlement=settlement))

    found = judged(facts(rang(MAY)), duty(MAY, supervisor=None), house=settled)

    assert (amount, counted) == (found.drafts[0].amount, unit(settled))


@pytest.mark.parametrize(("supervisors", "who"), [((LIN,), LIN), ((), None), ((LIN, MEI), None)])
def test_without_a_duty_supervisor_the_departments_answers_if_there_is_one(
    supervisors: tuple[str, ...], who: str | None
) -> None:
    staff = Directory(PEOPLE[one] for one in (*AGENTS, *supervisors))

    found = judged(facts(rang(MAY)), duty(MAY, supervisor=None), directory=staff)

    assert who == found.supervisor


def drafts(*told: tuple[str, str, Role, str]) -> list[Draft]:
    return [
        Draft(rule=rule, person=MAY, role=role, shift="", amount=Decimal(amount), exemption=why)
        for rule, amount, role, why in told
    ]


@pytest.mark.parametrize(
    ("stacking", "lines"),
    [("largest", [("attitude", "20")]), ("sum", [("mistake", "15"), ("attitude", "20")])],
)
def test_one_event_costs_the_larger_amount_unless_the_house_adds_up(
    stacking: str, lines: list[tuple[str, str]]
) -> None:
    both = drafts(
        ("mistake", "10", Role.AGENT, ""),
        ("attitude", "20", Role.AGENT, ""),
        ("mistake", "5", Role.SUPERVISOR, ""),
    )

    found = stacked(both, stacking)

    assert lines == [(one.rule, str(one.amount)) for one in found]


def test_a_supervisor_who_is_also_on_the_phones_pays_once_and_an_exemption_does_not_help() -> None:
    both = drafts(
        ("missed_call", "10", Role.AGENT, "on_call"), ("missed_call", "50", Role.SUPERVISOR, "")
    )

    assert [both[1]] == list(stacked(both, "largest"))


def test_a_line_fault_costs_everybody_on_duty() -> None:
    found = fined("line_fault", duty(MAY, BO), LIN, BOOKING, at(0))

    assert {MAY: "20.00", BO: "20.00", LIN: "100.00"} == {
        one.person: str(one.amount) for one in found
    }


def test_a_fine_by_hand_is_counted_so_often() -> None:
    found = fined_alone("order_field", MAY, BOOKING, at(0), times=3)

    assert [Decimal("1.50")] == [one.amount for one in found]
    assert () == fined_alone("no_such_rule", MAY, BOOKING, at(0))


def test_the_evidence_names_roster_and_policy() -> None:
    found: Evidence = judged(facts(rang(MAY)), duty(MAY))

    assert ("roster-1", "policy-1") == (found.roster, found.policy)
    assert found.ended - found.began == timedelta(seconds=20)
    assert STAFF.by_id(found.supervisor or "") is not None
