"""From a missed call to lines that wait for review: on every database, and never twice."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from cti.calls.store import calls
from cti.db.audit import audit
from cti.db.engine import Database
from cti.duty.rules import DutySet, DutyState
from cti.errors import StoreUnavailable
from cti.penalties.record import (
    BundleChoice,
    IncidentState,
    LineState,
    MissedFilter,
    MissReason,
    PenaltyLine,
)
from cti.penalties.tables import incidents, missed_calls
from cti.presence.states import AgentState
from tests.kit.fines import (
    ANN,
    BO,
    BOOKING,
    CALLER,
    LIN,
    LITERAL,
    MAY,
    MEI,
    PEOPLE,
    Faulty,
    Office,
    at,
    duty,
    on_duty,
    was,
)

EACH_AND_LIN = {MAY: "10.00", BO: "10.00", ANN: "10.00", LIN: "50.00"}
MISSED = MissedFilter()
LATER = 700
"""Past grace, ringing and the ten minutes after it."""


@pytest.fixture
async def office(db: Database) -> Office:
    """The booking house with May, Bo and Ann on duty, on every database."""
    made = Office(db)
    await made.opens()
    return made


async def test_a_missed_call_is_judged_at_once_and_proposed_ten_minutes_later(
    office: Office,
) -> None:
    await office.misses("call-1", 0)

    await office.runs(25)
    found = (await office.store.missed_calls(MISSED)).rows
    early = await office.lines()
    await office.runs(20 + 600)

    assert [("call-1", "rang_out")] == [(one.call, one.reason) for one in found]
    assert [] == early
    assert EACH_AND_LIN == await office.costs()
    assert {LineState.PROPOSED} == {one.state for one in await office.lines()}


async def test_the_evidence_comes_back_as_it_was_frozen(office: Office) -> None:
    office.known.known = [was(BO, AgentState.ON_CALL), was(ANN, AgentState.BREAK_APPROVED)]
    await office.misses("call-1", 0, rung={MAY: "rang_out"})
    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    found = await office.store.incident(missed.incident)

    assert found.evidence == missed.evidence
    assert found.evidence is not None
    assert ("on_call", "break_approved") == tuple(a.exemption for a in found.evidence.agents[1:])
    assert ("roster-1", "policy-1") == (found.roster, found.policy)
    assert (MEI,) == found.deciders


async def test_too_early_is_not_judged(office: Office) -> None:
    await office.misses("call-1", 0)

    await office.runs(24.9)

    assert () == (await office.store.missed_calls(MISSED)).rows


async def test_a_caller_who_redials_and_is_answered_is_one_incident_marked_recovered(
    office: Office,
) -> None:
    await office.misses("call-1", 0)
    await office.answers("call-2", 80)

    await office.runs(20 + 600)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    found = await office.store.incident(missed.incident)
    assert ("call-2", True) == (missed.recovered_by, found.recovered)
    assert EACH_AND_LIN == await office.costs()


@pytest.mark.parametrize("began", [20 + 118, 20 + 117])
async def test_answered_too_late_is_not_recovered(office: Office, began: float) -> None:
    await office.misses("call-1", 0)
    await office.answers("call-2", began)

    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    assert (began == 20 + 117) is (missed.recovered_by == "call-2")


async def test_by_the_literal_rule_nothing_is_recovered(db: Database) -> None:
    office = Office(db, house=LITERAL)
    await office.opens()
    await office.misses("call-1", 0)
    await office.answers("call-2", 80)

    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    assert missed.recovered_by is None
    assert EACH_AND_LIN == await office.costs()


@pytest.mark.parametrize(
    ("numbers", "began", "count"),
    [
        ((CALLER, CALLER), 139, 1),
        ((CALLER, CALLER), 141, 2),
        ((CALLER, "+8613900139000"), 60, 2),
        ((None, None), 60, 2),
    ],
)
async def test_misses_of_one_caller_soon_after_each_other_are_one_incident(
    office: Office, numbers: Sequence[str | None], began: float, count: int
) -> None:
    await office.misses("call-1", 0, number=numbers[0])
    await office.misses("call-2", began, number=numbers[1])

    await office.runs(LATER + began)

    found = {one.incident for one in (await office.store.missed_calls(MISSED)).rows}
    assert (count, 4 * count) == (len(found), len(await office.lines()))


async def test_the_duty_set_of_the_first_miss_counts(office: Office) -> None:
    office.roster.change(70, duty(BO, supervisor=MEI))
    await office.misses("call-1", 0)
    await office.misses("call-2", 100)

    await office.runs(LATER + 100)

    assert EACH_AND_LIN == await office.costs()


async def test_lines_come_from_the_miss_that_costs_somebody(office: Office) -> None:
    await office.misses("call-1", 0, ring=2, by="caller", rung={MAY: "caller_gave_up"})
    await office.misses("call-2", 60)

    await office.runs(LATER + 60)

    (found,) = {one.incident for one in (await office.store.missed_calls(MISSED)).rows}
    incident = await office.store.incident(found)
    assert (2, "rang_out") == (len(incident.calls), incident.reason)
    assert EACH_AND_LIN == await office.costs()


async def test_nothing_is_proposed_while_an_earlier_call_still_waits(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.rings("call-2", 500, number=CALLER)

    await office.runs(LATER)
    held = await office.lines()
    await office.gives_up("call-2", LATER)
    await office.runs(LATER + 6)

    assert ([], 4) == (held, len(await office.lines()))


async def test_a_caller_with_two_calls_is_judged_in_the_order_in_which_they_began(
    office: Office,
) -> None:
    await office.rings("call-1", 0)
    await office.misses("call-2", 10)

    await office.runs(60)
    held = (await office.store.missed_calls(MISSED)).rows
    await office.gives_up("call-1", 60)
    await office.runs(66)

    found = (await office.store.missed_calls(MISSED)).rows
    assert () == held
    assert [("call-1", 1), ("call-2", 2)] == sorted((one.call, one.joined) for one in found)
    assert 1 == len({one.incident for one in found})


async def test_a_call_in_a_gap_costs_nothing(office: Office) -> None:
    await office.misses("call-1", -10, ring=20)
    await office.is_deaf(0, 300)

    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    found = await office.store.incident(missed.incident)
    assert (MissReason.UNOBSERVED, IncidentState.CLOSED, ()) == (
        missed.reason,
        found.state,
        found.lines,
    )


async def test_an_approximate_call_costs_nothing(office: Office) -> None:
    await office.misses("call-1", 0, approximate=True)

    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    assert (MissReason.UNOBSERVED, []) == (missed.reason, await office.lines())


@pytest.mark.parametrize(
    "facts",
    [
        {"outcome": "answered"},
        {"direction": "internal"},
        {"merged_into": "call-2"},
        {"over": False, "answered_at": at(1)},
        {"purpose": "line_test"},
    ],
)
async def test_what_is_no_missed_call_is_not_judged(
    office: Office, facts: dict[str, object]
) -> None:
    await office.misses("call-1", 0, **facts)

    await office.runs(LATER)

    assert () == (await office.store.missed_calls(MISSED)).rows


async def test_what_was_missed_before_the_desk_first_ran_is_not_judged(db: Database) -> None:
    office = Office(db)
    await office.misses("call-1", -4000)
    await office.opens()

    await office.runs(0)

    assert () == (await office.store.missed_calls(MISSED)).rows


async def test_who_is_handing_over_is_judged_when_the_minute_is_over(office: Office) -> None:
    leaving = duty(on_duty(MAY, state=DutyState.HANDING_OVER), BO)
    office.roster.sets = [(at(-9999), leaving), (at(40), duty(BO))]
    await office.misses("call-1", 0, rung={BO: "rang_out"})

    await office.runs(30)
    held = (await office.store.missed_calls(MISSED)).rows
    await office.runs(LATER)

    assert () == held
    assert {MAY: "handover_minute", BO: "10.00", LIN: "50.00"} == await office.costs()


async def test_roster_and_rules_changed_afterwards_change_no_frozen_incident(
    office: Office,
) -> None:
    await office.misses("call-1", 0)
    await office.runs(30)
    (before,) = (await office.store.missed_calls(MISSED)).rows

    office.roster.sets = [(at(-9999), duty(supervisor=None))]
    office.house = replace(LITERAL, version="policy-2")
    await office.runs(LATER)

    (missed,) = (await office.store.missed_calls(MISSED)).rows
    found = await office.store.incident(missed.incident)
    assert before.evidence == missed.evidence
    assert EACH_AND_LIN == await office.costs()
    assert {"policy-1"} == {one.policy for one in (*found.lines, found)}


async def storm(office: Office, count: int) -> None:
    """So many different callers ring out within ten minutes."""
    for n in range(count):
        await office.misses(f"call-{n:02}", n * 40, number=f"+86138{n:08}")


async def test_a_storm_is_one_bundle_without_lines(office: Office) -> None:
    await storm(office, 14)

    await office.runs(20 + 600)
    first = await office.store.bundles()
    await office.runs(2000)

    (bundle,) = await office.store.bundles()
    assert [14] == [len(one.incidents) for one in first]
    assert ({IncidentState.BUNDLED}, 14) == (
        {one.state for one in bundle.incidents},
        len(bundle.incidents),
    )
    assert ([], (MEI,)) == (await office.lines(), bundle.deciders)


async def test_ten_in_ten_minutes_are_no_storm(office: Office) -> None:
    await storm(office, 10)

    await office.runs(2000)

    assert ([], 40) == (await office.store.bundles(), len(await office.lines()))


def total(lines: Sequence[PenaltyLine]) -> int:
    return sum(int(one.amount or 0) for one in lines if one.state is LineState.APPROVED)


@pytest.mark.parametrize(
    ("choice", "amount"),
    [(BundleChoice.PER_CALL, 1120), (BundleChoice.ONCE, 80), (BundleChoice.NONE, 0)],
)
async def test_the_reviewer_picks_the_lines_of_a_storm(
    office: Office, choice: BundleChoice, amount: int
) -> None:
    await storm(office, 14)
    await office.runs(2000)
    (bundle,) = await office.store.bundles()

    await office.store.decide_bundle(bundle.id, choice, by=PEOPLE[MEI], reason="the storm")

    found = await office.store.bundle(bundle.id)
    assert (amount, []) == (total(await office.lines()), await office.store.bundles())
    assert (choice, MEI) == (found.decided, found.decided_by)
    assert [bundle.id] == [one.id for one in await office.store.bundles(decided=True)]


async def test_misses_during_a_fault_are_one_bundle_with_nothing_to_pick(db: Database) -> None:
    office = Office(db, faults=Faulty("fault-1", -60, 4000))
    await office.opens()
    await storm(office, 14)

    await office.runs(2000)

    (bundle,) = await office.store.bundles(decided=True)
    assert ("fault-1", {"pbx_fault"}, 14) == (
        bundle.fault,
        {one.reason for one in bundle.incidents},
        len(bundle.incidents),
    )
    assert ([], []) == (await office.lines(), await office.store.bundles())


async def test_running_twice_creates_nothing_twice(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.misses("call-2", 60)
    await office.runs(LATER + 60)
    before = await everything(office.db)

    await office.new_desk().once()
    await office.desk.once()

    assert before == await everything(office.db)


async def test_while_the_records_cannot_be_asked_nothing_is_lost(office: Office) -> None:
    await office.misses("call-1", 0)
    whole = office.roster.duty_at

    async def fails(*_given: object) -> object:
        raise StoreUnavailable("no answer")

    office.roster.duty_at = fails  # type: ignore[method-assign, assignment]
    with pytest.raises(StoreUnavailable):
        await office.runs(30)
    office.roster.duty_at = whole  # type: ignore[method-assign]
    await office.runs(LATER)

    assert EACH_AND_LIN == await office.costs()


async def test_two_desks_that_judge_the_same_keep_it_once(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.runs(30)
    (missed,) = (await office.store.missed_calls(MISSED)).rows

    again = await office.store.keep_missed(missed.evidence, "", into=None)

    assert again is None


async def test_a_miss_whose_incident_came_about_meanwhile_is_judged_again(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.runs(30)
    (missed,) = (await office.store.missed_calls(MISSED)).rows
    facts = replace(missed.evidence.facts, call="call-2", began=at(60), ended_at=at(80))

    kept = await office.store.keep_missed(replace(missed.evidence, facts=facts), "", into=None)

    assert (kept, 1) == (None, len((await office.store.missed_calls(MISSED)).rows))


async def test_a_proposal_is_audited_once(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.runs(LATER)
    await office.new_desk().once()

    rows = (await office.store.audit()).rows

    assert [("cti", "penalty.propose", "policy-1")] == [
        (one.who, one.what, one.policy) for one in rows
    ]


async def everything(db: Database) -> list[tuple[str, int]]:
    """Count what there is."""
    async with db.read() as conn:
        return [
            (table.name, int(await conn.scalar(select(func.count()).select_from(table)) or 0))
            for table in (calls, missed_calls, incidents, audit)
        ]


async def test_what_was_not_judged_for_days_is_judged_then(office: Office) -> None:
    await office.misses("call-1", 0)

    await office.runs(timedelta(days=5).total_seconds())

    assert EACH_AND_LIN == await office.costs()
    assert BOOKING.version == (await office.line_of(MAY)).policy


async def test_a_desk_that_cannot_work_says_so_and_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.penalties.desk.AFTER_TROUBLE", 0.01)
    await office.misses("call-1", 0)
    office.clock.at = at(LATER)
    whole, tries = office.roster.duty_at, list[int]()

    async def fails_once(when: datetime, department: str) -> DutySet:
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("no answer")
        return await whole(when, department)

    office.roster.duty_at = fails_once  # type: ignore[method-assign]
    with capture_logs() as logs, suppress(TimeoutError):
        await asyncio.wait_for(office.desk.run(), 2)

    assert ["penalties_wait"] == [one["event"] for one in logs if one["log_level"] == "warning"]
    assert EACH_AND_LIN == await office.costs()


async def test_a_call_that_cannot_be_judged_costs_itself_alone(office: Office) -> None:
    await office.misses("call-1", 0)
    await office.misses("call-2", 5, number="+8613900139000")
    whole = office.roster.duty_at

    async def fails_at_two(when: datetime, department: str) -> DutySet:
        if when == at(0):
            raise ValueError("a row of which nobody thought")
        return await whole(when, department)

    office.roster.duty_at = fails_at_two  # type: ignore[method-assign]
    with capture_logs() as logs:
        await office.runs(LATER)
        await office.runs(LATER + 1)
    told = [(one["event"], one["call"]) for one in logs if one["log_level"] == "error"]
    office.roster.duty_at = whole  # type: ignore[method-assign]
    await office.new_desk().once()

    assert [("call_not_judged", "call-1")] == told
    assert {"call-1", "call-2"} == await office.store.judged(["call-1", "call-2"])


async def test_a_fault_of_ours_stops_the_desk_for_a_moment_only(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cti.penalties.desk.AFTER_TROUBLE", 0.01)
    once, tries = office.desk.once, list[int]()

    async def fails_once() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("a row of which nobody thought")
        await once()

    monkeypatch.setattr(office.desk, "once", fails_once)
    with capture_logs() as logs, suppress(TimeoutError):
        await asyncio.wait_for(office.desk.run(), 2)

    assert ["penalties_failed"] == [one["event"] for one in logs if one["log_level"] == "error"]
    assert len(tries) > 1
