"""Decisions, appeals and months in the records: who may, until when, audited; on every database."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from cti.db.engine import Database
from cti.errors import Refused
from cti.house import House, MissedCallRules, PenaltyRules
from cti.penalties.record import (
    AppealVerdict,
    BundleChoice,
    EntryKind,
    IncidentState,
    LineState,
    MissedFilter,
    PenaltyLine,
    Pick,
    ReviewFilter,
    StatementState,
    Verdict,
    WaitingBundle,
)
from cti.penalties.tables import incidents
from cti.people.rules import Directory, Person, Role
from cti.presence.states import AgentState
from tests.kit.fines import (
    ANN,
    BO,
    BOOKING,
    CALLER,
    CHEN,
    LIN,
    MAY,
    MEI,
    OU,
    PEOPLE,
    STAFF,
    WU,
    Office,
    at,
    duty,
    pick,
    was,
)

MARCH, APRIL, MAY_MONTH = date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1)
DAY = timedelta(days=1).total_seconds()
REVIEW = 1000.0
"""When lines have been proposed."""
NOTICE = REVIEW + 15 * 60


async def refused(act: Awaitable[object]) -> str:
    """Give the code of a refusal; empty: it was done."""
    try:
        await act
    except Refused as fault:
        return fault.code
    return ""


@pytest.fixture
async def office(db: Database) -> Office:
    """May and Bo are fined for a missed call, Ann was on a call, Lin supervised."""
    made = Office(db, states=[was(ANN, AgentState.ON_CALL)])
    await made.opens()
    await made.misses("call-1", 0, rung={MAY: "rang_out", BO: "rang_out"})
    await made.runs(REVIEW)
    return made


async def state_of(office: Office, who: str = MAY) -> LineState:
    return (await office.line_of(who)).state


async def incident_state(office: Office) -> IncidentState:
    line = await office.line_of(MAY)
    return (await office.store.incident(line.incident)).state


async def decide(
    office: Office, *who: str, verdict: Verdict = Verdict.APPROVE, by: str = MEI, reason: str = ""
) -> None:
    """Let somebody decide lines."""
    picks = [await office.pick_of(one) for one in who]
    await office.store.decide(picks, verdict, by=PEOPLE[by], reason=reason)


async def approved_and_told(office: Office) -> None:
    """May's line is approved, and its notice out, on Friday 28 March."""
    await decide(office, MAY)
    await office.runs(NOTICE)


async def test_lines_of_an_incident_are_decided_and_closed(office: Office) -> None:
    await decide(office, MAY, LIN)
    half = await incident_state(office)
    await decide(office, BO, verdict=Verdict.WAIVE, reason="his phone was broken")

    done = await incident_state(office)
    await office.runs(NOTICE)
    await office.runs(7 * DAY)

    assert [IncidentState.PROPOSED, IncidentState.DECIDED, IncidentState.CLOSED] == [
        half,
        done,
        await incident_state(office),
    ]


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (MEI, ""),
        (WU, "supervisor_first"),
        (OU, "supervisor_first"),
        (LIN, "own_case"),
        (MAY, "no_right"),
        (CHEN, "no_right"),
    ],
)
async def test_nobody_decides_an_incident_that_may_cost_himself(
    office: Office, who: str, code: str
) -> None:
    picked = await office.pick_of(MAY)

    found = await refused(office.store.decide([picked], Verdict.APPROVE, by=PEOPLE[who]))

    assert code == found
    assert (LineState.PROPOSED if code else LineState.APPROVED) is await state_of(office)


async def test_what_nobody_decided_in_time_comes_to_the_manager_too(office: Office) -> None:
    await office.runs(4 * DAY)
    picked = await office.pick_of(MAY)

    found = await refused(office.store.decide([picked], Verdict.APPROVE, by=PEOPLE[WU]))

    assert "" == found


async def test_who_is_exempted_in_an_incident_does_not_decide_it_either(office: Office) -> None:
    promoted = replace(PEOPLE[ANN], role=PEOPLE[LIN].role)
    office.directory = Directory([*STAFF.people.values(), promoted])
    picked = await office.pick_of(MAY)

    found = await refused(office.store.decide([picked], Verdict.APPROVE, by=promoted))

    assert "own_case" == found


async def test_a_reason_is_needed_for_all_but_approval(office: Office) -> None:
    picked = await office.pick_of(MAY)
    less = {"amount": Decimal("5.00")}

    codes = [
        await refused(office.store.decide([picked], Verdict.WAIVE, by=PEOPLE[MEI])),
        await refused(office.store.decide([picked], Verdict.REDUCE, by=PEOPLE[MEI], **less)),
        await refused(office.store.lift(picked, by=PEOPLE[MEI], reason=" ")),
        await refused(office.store.decide([picked], Verdict.APPROVE, by=PEOPLE[MEI])),
    ]

    assert ["reason_missing"] * 3 + [""] == codes


async def test_a_line_that_changed_meanwhile_is_not_decided_unseen(office: Office) -> None:
    seen = await office.pick_of(MAY)
    await decide(office, MAY)
    await office.store.undo([await office.pick_of(MAY)], by=PEOPLE[MEI])

    found = await refused(office.store.decide([seen], Verdict.APPROVE, by=PEOPLE[MEI]))

    assert "line_changed" == found


def with_another_supervisor(office: Office) -> Person:
    """Let Chen supervise from now on."""
    chen = replace(PEOPLE[CHEN], role=Role.SUPERVISOR)
    office.directory = Directory([*STAFF.people.values(), chen])
    return chen


async def test_of_two_reviewers_at_once_one_decides(office: Office) -> None:
    seen, chen = await office.pick_of(MAY), with_another_supervisor(office)

    codes = await asyncio.gather(
        refused(office.store.decide([seen], Verdict.APPROVE, by=PEOPLE[MEI])),
        refused(office.store.decide([seen], Verdict.WAIVE, by=chen, reason="why not")),
    )

    assert "" in codes
    assert 1 == len([code for code in codes if code in ("line_changed", "already_decided")])


async def test_in_bulk_what_can_be_decided_is_and_the_rest_is_named(office: Office) -> None:
    picks = [await office.pick_of(who) for who in (MAY, BO, ANN)]
    none = Pick(line="no-such-line", version=1)

    done = await office.store.decide(
        [*picks, none, picks[0]], Verdict.WAIVE, by=PEOPLE[MEI], reason="a power cut"
    )

    assert {picks[0].line, picks[1].line} == set(done.done)
    assert {(picks[2].line, "already_decided"), ("no-such-line", "no_line")} == set(done.refused)


async def test_a_mistake_is_undone_within_the_time_and_no_notice_goes_out(office: Office) -> None:
    await decide(office, MAY)
    office.clock.at = at(REVIEW + 600)

    await office.store.undo([await office.pick_of(MAY)], by=PEOPLE[MEI], reason="wrong line")
    await office.runs(NOTICE + 60)

    line = await office.line_of(MAY)
    assert (LineState.PROPOSED, None, None) == (line.state, line.notified_at, line.decided_by)
    assert [] == office.told


async def test_once_the_notice_is_due_nothing_is_undone(office: Office) -> None:
    await decide(office, MAY)
    office.clock.at = at(NOTICE)

    undo = office.store.undo([await office.pick_of(MAY)], by=PEOPLE[MEI])

    assert "undo_over" == await refused(undo)


async def test_a_reduction_that_is_undone_asks_for_the_whole_again(office: Office) -> None:
    picked = await office.pick_of(MAY)
    await office.store.decide(
        [picked], Verdict.REDUCE, by=PEOPLE[MEI], reason="first week", amount=Decimal("4.00")
    )
    reduced = await office.line_of(MAY)

    await office.store.undo([pick(reduced)], by=PEOPLE[MEI])

    whole = (await office.line_of(MAY)).amount
    assert (Decimal("4.00"), Decimal("10.00")) == (reduced.amount, whole)


async def test_a_notice_goes_out_once_and_opens_the_window_to_appeal(office: Office) -> None:
    await approved_and_told(office)
    await office.runs(NOTICE + 5)

    line = await office.line_of(MAY)
    assert ([line.id], at(NOTICE)) == (office.told, line.notified_at)
    assert line.appeal_until == line.final_at
    assert "2025-04-02T16:00:00+00:00" == str(line.appeal_until).replace(" ", "T")


async def test_an_exemption_is_lifted_with_a_reason_and_the_line_reviewed(office: Office) -> None:
    await decide(office, MAY, BO, LIN)

    await office.store.lift(
        await office.pick_of(ANN), by=PEOPLE[MEI], reason="that was a private call"
    )

    assert (LineState.PROPOSED, IncidentState.REOPENED) == (
        await state_of(office, ANN),
        await incident_state(office),
    )
    again = office.store.lift(await office.pick_of(ANN), by=PEOPLE[MEI], reason="again")
    assert "not_exempted" == await refused(again)


async def appealed(office: Office) -> None:
    """May appeals in time, on Wednesday 2 April."""
    await approved_and_told(office)
    office.clock.at = at(5 * DAY)
    await office.store.appeal(await office.pick_of(MAY), by=PEOPLE[MAY], text="I was not rung")


@pytest.mark.parametrize(
    ("seconds", "who", "code"),
    [
        (NOTICE, MAY, ""),
        (5 * DAY + 9.9 * 3600, MAY, ""),
        (5 * DAY + 10 * 3600, MAY, "appeal_over"),
        (NOTICE, BO, "not_yours"),
        (NOTICE, MEI, "not_yours"),
    ],
)
async def test_the_person_concerned_may_appeal_within_three_working_days(
    office: Office, seconds: float, who: str, code: str
) -> None:
    await approved_and_told(office)
    office.clock.at = at(seconds)

    act = office.store.appeal(await office.pick_of(MAY), by=PEOPLE[who], text="I was not rung")

    assert code == await refused(act)


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (MEI, "same_decider"),
        (LIN, "own_case"),
        (WU, ""),
        (OU, "supervisor_first"),
        (BO, "no_right"),
    ],
)
async def test_an_appeal_is_decided_by_somebody_else(office: Office, who: str, code: str) -> None:
    await appealed(office)

    act = office.store.decide_appeal(
        await office.pick_of(MAY), AppealVerdict.UPHOLD, by=PEOPLE[who], reason="you were"
    )

    assert code == await refused(act)


@pytest.mark.parametrize(
    ("verdict", "amount", "state", "months"),
    [
        (AppealVerdict.OVERTURN, None, LineState.OVERTURNED, []),
        (AppealVerdict.UPHOLD, None, LineState.UPHELD, [(APRIL, "-10.00")]),
        (AppealVerdict.REDUCE, Decimal("3.00"), LineState.REDUCED, [(APRIL, "-3.00")]),
    ],
)
async def test_an_appealed_line_is_settled_only_as_it_was_decided(
    office: Office,
    verdict: AppealVerdict,
    amount: Decimal | None,
    state: LineState,
    months: list[tuple[date, str]],
) -> None:
    await appealed(office)
    open_ = [await office.store.statement(MAY, month) for month in (MARCH, APRIL)]

    await office.store.decide_appeal(
        await office.pick_of(MAY), verdict, by=PEOPLE[WU], reason="looked at it", amount=amount
    )

    found = [await office.store.statement(MAY, month) for month in (MARCH, APRIL)]
    assert [(), ()] == [one.entries for one in open_]
    assert state is await state_of(office)
    assert months == [(one.month, str(one.sum)) for one in found if one.entries]


async def test_nobody_appeals_twice(office: Office) -> None:
    await appealed(office)
    await office.store.decide_appeal(
        await office.pick_of(MAY),
        AppealVerdict.REDUCE,
        by=PEOPLE[WU],
        reason="half of it",
        amount=Decimal("5.00"),
    )

    again = office.store.appeal(await office.pick_of(MAY), by=PEOPLE[MAY], text="still not")

    assert "appealed_already" == await refused(again)


async def test_approved_in_march_and_final_in_april_is_not_in_march(office: Office) -> None:
    await approved_and_told(office)
    office.clock.at = at(6 * DAY)

    march, april = [await office.store.statement(MAY, month) for month in (MARCH, APRIL)]

    assert ((), ["-10.00"]) == (march.entries, [str(one.amount) for one in april.entries])


async def settled(office: Office) -> None:
    """May's line is in the final statement of April; it is the middle of May."""
    await approved_and_told(office)
    office.clock.at = at(45 * DAY)
    await office.store.publish(APRIL, by=PEOPLE[WU])
    await office.store.finalise(APRIL, by=PEOPLE[WU])


async def test_a_month_is_published_made_final_and_exported(office: Office) -> None:
    early = await refused(office.store.publish(APRIL, by=PEOPLE[WU]))
    await settled(office)
    not_twice = await office.store.publish(APRIL, by=PEOPLE[WU])

    exported = await office.store.export(APRIL, by=PEOPLE[WU])

    found = await office.store.statement(MAY, APRIL)
    assert ("month_open", 0) == (early, not_twice)
    assert (LineState.SETTLED, StatementState.EXPORTED) == (await state_of(office), found.state)
    assert [(MAY, "-10.00", "0.00", "-10.00")] == [
        (one.person, str(one.sum), str(one.total), str(one.remainder)) for one in exported
    ]


async def test_only_final_statements_leave_the_house(office: Office) -> None:
    await approved_and_told(office)
    office.clock.at = at(45 * DAY)
    await office.store.publish(APRIL, by=PEOPLE[WU])

    assert "not_final" == await refused(office.store.export(APRIL, by=PEOPLE[WU]))


@pytest.mark.parametrize("who", [MEI, MAY, CHEN])
async def test_only_managers_and_owners_make_statements(office: Office, who: str) -> None:
    by = PEOPLE[who]
    bonus = {"what": "orders", "amount": Decimal("1.00")}

    codes = [
        await refused(office.store.publish(MARCH, by=by)),
        await refused(office.store.finalise(MARCH, by=by)),
        await refused(office.store.export(MARCH, by=by)),
        await refused(office.store.add_bonus(BO, MARCH, by=by, **bonus)),  # type: ignore[arg-type]
    ]

    assert ["no_right"] * 4 == codes


async def test_a_closed_statement_is_not_changed_by_new_rules(office: Office) -> None:
    await settled(office)
    before = await office.store.statement(MAY, APRIL)

    office.house = replace(
        BOOKING, version="policy-2", penalties=PenaltyRules(floor=Decimal("-99.00"))
    )

    assert before == await office.store.statement(MAY, APRIL)


async def test_what_was_wrong_after_settlement_is_given_back_next_month(office: Office) -> None:
    await settled(office)

    await office.store.reverse(
        await office.pick_of(MAY), by=PEOPLE[MEI], reason="it was not her shift"
    )

    april, may = [await office.store.statement(MAY, month) for month in (APRIL, MAY_MONTH)]
    assert LineState.REVERSED is await state_of(office)
    assert ["-10.00"] == [str(one.amount) for one in april.entries]
    assert [(EntryKind.COUNTER, "10.00")] == [(one.kind, str(one.amount)) for one in may.entries]
    again = office.store.reverse(await office.pick_of(MAY), by=PEOPLE[MEI], reason="again")
    assert "not_settled" == await refused(again)


async def test_what_nobody_decides_escalates_and_lapses_and_is_never_approved(
    office: Office,
) -> None:
    await office.runs(3 * DAY + REVIEW)
    late = await office.line_of(MAY)
    excused = await office.line_of(ANN)
    incident = await office.store.incident(late.incident)
    await office.runs(30 * DAY + REVIEW)

    assert (True, False, (MEI, WU)) == (late.escalated, excused.escalated, incident.deciders)
    states = {line.person: line.state for line in await office.lines()}
    assert {MAY: "lapsed", BO: "lapsed", LIN: "lapsed", ANN: "exempted"} == states
    assert IncidentState.CLOSED is await incident_state(office)


@pytest.mark.parametrize(("staff", "state"), [(STAFF, "appealed"), (None, "lapsed")])
async def test_an_appeal_lapses_only_when_nobody_is_left_to_decide_it(
    office: Office, staff: Directory | None, state: str
) -> None:
    await appealed(office)
    office.directory = staff or Directory(PEOPLE[who] for who in (MAY, BO, LIN, MEI))

    await office.runs(36 * DAY)

    assert state == await state_of(office)
    assert () == (await office.store.statement(MAY, MAY_MONTH)).entries


async def test_a_bundle_that_nobody_decides_lapses_without_lines(db: Database) -> None:
    office = await storm(db)

    await office.runs(31 * DAY)

    assert ([], []) == (await office.lines(), await office.store.bundles())


async def storm(db: Database) -> Office:
    """Twelve callers ring out in six minutes."""
    office = Office(db)
    await office.opens()
    for n in range(12):
        await office.misses(f"call-{n:02}", n * 30, number=f"+86138{n:08}")
    await office.runs(1500)
    return office


@pytest.mark.parametrize(
    ("who", "reason", "code"),
    [
        (MEI, "storm", ""),
        (LIN, "storm", "own_case"),
        (MAY, "storm", "no_right"),
        (MEI, "", "reason_missing"),
    ],
)
async def test_who_may_decide_a_bundle(db: Database, who: str, reason: str, code: str) -> None:
    office = await storm(db)
    (bundle,) = await office.store.bundles()
    choice = BundleChoice.ONCE

    act = office.store.decide_bundle(bundle.id, choice, by=PEOPLE[who], reason=reason)

    assert code == await refused(act)


async def test_a_list_tells_how_long_a_storm_was(db: Database) -> None:
    office = await storm(db)
    (bundle,) = await office.store.bundles()

    (told,) = await office.store.waiting_bundles()

    assert told == WaitingBundle(
        id=bundle.id,
        fault="",
        began=bundle.began,
        ended=bundle.ended,
        incidents=len(bundle.incidents),
    )


async def test_of_a_bundle_the_lines_of_the_call_that_was_named_are_taken(db: Database) -> None:
    office = await storm(db)
    (bundle,) = await office.store.bundles()
    fifth = bundle.incidents[4].id

    done = await office.store.decide_bundle(
        bundle.id, BundleChoice.ONCE, by=PEOPLE[MEI], reason="once is enough", incident=fifth
    )
    again = office.store.decide_bundle(bundle.id, BundleChoice.NONE, by=PEOPLE[MEI], reason="again")

    lines = await office.lines()
    assert ({fifth}, 4) == ({line.incident for line in lines}, len(done.done))
    assert "already_decided" == await refused(again)


async def test_lines_of_a_bundle_can_be_undone_one_by_one(db: Database) -> None:
    office = await storm(db)
    (bundle,) = await office.store.bundles()
    done = await office.store.decide_bundle(
        bundle.id, BundleChoice.ONCE, by=PEOPLE[MEI], reason="once is enough"
    )

    await office.store.undo([Pick(line=done.done[0], version=1)], by=PEOPLE[MEI])

    assert LineState.PROPOSED is (await office.store.line(done.done[0])).state


async def test_a_bundle_is_not_decided_while_misses_may_join_it(db: Database) -> None:
    office = Office(db)
    await office.opens()
    for n in range(12):
        await office.misses(f"call-{n:02}", n * 30, number=f"+86138{n:08}")
    await office.runs(640)
    (bundle,) = await office.store.bundles()

    act = office.store.decide_bundle(bundle.id, BundleChoice.NONE, by=PEOPLE[MEI], reason="now")

    assert "bundle_growing" == await refused(act)


async def test_a_fine_by_hand_needs_a_rule_evidence_and_somebody_else(office: Office) -> None:
    def add(rule: str = "chat_games_films", person: str = BO, **more: object) -> Awaitable[str]:
        told = {"at": at(0), "evidence": "played cards at two", "by": PEOPLE[MEI]} | more
        return office.store.add_manual(rule, person, **told)  # type: ignore[arg-type]

    codes = [
        await refused(add("line_fault")),
        await refused(add("no_rule_at_all")),
        await refused(add(person="nobody")),
        await refused(add(evidence=" ")),
        await refused(add(times=0)),
        await refused(add(person=MEI)),
        await refused(add(by=PEOPLE[MAY])),
    ]
    key = await add(times=2)

    found = await office.store.incident(key)
    assert ["no_rule", "no_rule", "no_person", "reason_missing", "bad_amount"] == codes[:5]
    assert ["own_case", "no_right"] == codes[5:]
    assert [(BO, "40.00", "proposed")] == [
        (one.person, str(one.amount), one.state) for one in found.lines
    ]
    assert ("played cards at two", MEI, (LIN, MEI)) == (
        found.note,
        found.entered_by,
        found.deciders,
    )


async def test_a_line_fault_is_proposed_once(office: Office) -> None:
    def propose() -> Awaitable[str]:
        return office.store.propose_line_fault(
            "test-1", at=at(0), duty=duty(MAY, BO), supervisor=LIN, note="no test at 10:00"
        )

    first, again = await propose(), await propose()

    found = await office.store.incident(first)
    assert first == again
    assert {MAY: "20.00", BO: "20.00", LIN: "100.00"} == {
        one.person: str(one.amount) for one in found.lines
    }


async def test_what_a_month_of_visits_lacks_is_proposed_once(office: Office) -> None:
    def propose(month: date) -> Awaitable[str | None]:
        return office.store.propose_shortfall(MAY, month, 6, at=at(0), note="74 of 80")

    first, again = await propose(date(2025, 3, 1)), await propose(date(2025, 3, 1))
    other = await propose(date(2025, 4, 1))

    assert first == again != other
    assert first
    found = await office.store.incident(first)
    assert [(MAY, "1.20", "visit_shortfall")] == [
        (one.person, str(one.amount), one.rule) for one in found.lines
    ]
    assert [first] == [one.incident for one in await office.store.shortfalls(date(2025, 3, 1))]
    assert [] == await office.store.shortfalls(date(2025, 5, 1))


@pytest.mark.parametrize(
    "rules", [PenaltyRules(settlement="none"), PenaltyRules(rules={})], ids=["free", "no rule"]
)
async def test_a_house_without_a_fine_for_it_proposes_nothing(
    db: Database, rules: PenaltyRules
) -> None:
    office = Office(db, house=replace(BOOKING, penalties=rules))
    await office.opens()

    found = await office.store.propose_shortfall(
        MAY, date(2025, 3, 1), 6, at=at(0), note="74 of 80"
    )

    assert found is None


async def test_a_house_that_settles_nothing_keeps_lines_without_amount(db: Database) -> None:
    house = replace(BOOKING, penalties=PenaltyRules(settlement="none"))
    office = Office(db, house=house)
    await office.opens()
    await office.misses("call-1", 0)
    await office.runs(REVIEW)
    await decide(office, MAY)
    await office.runs(NOTICE)
    office.clock.at = at(6 * DAY)

    line, month = await office.line_of(MAY), await office.store.statement(MAY, APRIL)

    assert (None, "", "0.00", 1) == (line.amount, line.unit, str(month.total), len(month.entries))


async def test_bonus_lines_by_hand_make_a_month(office: Office) -> None:
    by = PEOPLE[WU]
    await office.store.add_bonus(MAY, MARCH, what="orders", amount=Decimal("82.40"), by=by)
    await office.store.add_bonus(MAY, MARCH, what="prize", amount=Decimal("60.00"), by=by)

    found = await office.store.statements(MARCH)

    assert [(MAY, "142.40", "142.40", "0.00", "CNY")] == [
        (one.person, str(one.sum), str(one.total), str(one.remainder), one.unit) for one in found
    ]


async def test_nobody_enters_a_bonus_for_himself_or_into_a_final_month(office: Office) -> None:
    await settled(office)
    what, amount = "orders", Decimal("1.00")

    codes = [
        await refused(office.store.add_bonus(who, month, what=what, amount=amount, by=PEOPLE[WU]))
        for who, month in ((WU, MAY_MONTH), (MAY, APRIL), ("nobody", APRIL), (BO, APRIL))
    ]

    assert ["own_case", "statement_fixed", "no_person", ""] == codes


async def test_bonus_lines_are_imported_all_or_none(office: Office) -> None:
    good = "number,month,what,amount,note\nmay,2025-03,orders,82.40,\nbo,2025-03,orders,1.20,\n"
    bad = good.replace("bo,2025-03,orders", "chen2,2025-03,prize")

    codes = [await refused(office.store.import_bonus(bad, by=PEOPLE[WU]))]
    count = await office.store.import_bonus(good, by=PEOPLE[WU])
    codes += [await refused(office.store.import_bonus(good, by=PEOPLE[WU]))]

    assert (["bonus_table", "bonus_again"], 2) == (codes, count)
    assert ["1.20", "82.40"] == [str(s.sum) for s in await office.store.statements(MARCH)]


async def test_seen_is_a_time_and_only_ones_own(office: Office) -> None:
    line = await office.line_of(MAY)

    await office.store.mark_seen(BO, [line.id])
    not_his = (await office.line_of(MAY)).seen_at
    await office.store.mark_seen(MAY, [line.id])
    office.clock.at = at(REVIEW + 60)
    await office.store.mark_seen(MAY, [line.id])

    assert (None, at(REVIEW)) == (not_his, (await office.line_of(MAY)).seen_at)


async def test_how_reviewers_decide_is_counted(office: Office) -> None:
    await decide(office, BO, verdict=Verdict.WAIVE, reason="a broken phone")
    await office.store.decide(
        [await office.pick_of(LIN)], Verdict.APPROVE, by=with_another_supervisor(office)
    )
    office.directory = STAFF
    await appealed(office)
    await office.store.decide_appeal(
        await office.pick_of(MAY), AppealVerdict.OVERTURN, by=PEOPLE[WU], reason="right"
    )

    found = await office.store.reviewed(at(0), at(90 * DAY))

    assert [(CHEN, 1, 0, 0), (MEI, 1, 1, 1)] == [
        (one.by, one.approved, one.waived, one.overturned) for one in found
    ]


async def test_every_change_is_audited_with_what_was_and_why(office: Office) -> None:
    await decide(office, MAY, verdict=Verdict.WAIVE, reason="a broken phone")
    line = await office.line_of(MAY)

    (row,) = (await office.store.audit(about=f"line:{line.id}")).rows

    assert (MEI, "penalty.waive", "a broken phone") == (row.who, row.what, row.reason)
    assert (
        '{"amount": "10.00", "state": "proposed"}',
        '{"amount": "10.00", "state": "waived"}',
    ) == (
        row.before,
        row.after,
    )


async def many(office: Office, count: int) -> list[PenaltyLine]:
    """So many fines by hand, some at the same instant."""
    for n in range(count):
        await office.store.add_manual(
            "eating_on_call", BO, at=at(2000 + n // 3), evidence=f"noodles {n}", by=PEOPLE[MEI]
        )
    return list((await office.store.lines(ReviewFilter(person=BO), limit=200)).rows)


async def test_pages_follow_each_other_without_gap_or_repetition(office: Office) -> None:
    everything = await many(office, 11)

    found, after = list[PenaltyLine](), ""
    while True:
        page = await office.store.lines(ReviewFilter(person=BO), after=after, limit=4)
        found += page.rows
        after = page.after
        if not after:
            break

    assert 12 == len(everything)
    assert everything == found
    assert sorted(everything, key=lambda one: (one.at, one.id), reverse=True) == everything


@pytest.mark.parametrize("after", ["x", "2025-03-28~", "2025-03-28T06:00:00~id", "~id"])
async def test_a_damaged_address_of_a_page_is_refused(office: Office, after: str) -> None:
    assert "bad_cursor" == await refused(office.store.lines(ReviewFilter(), after=after))
    assert "bad_cursor" == await refused(office.store.audit(after=after))


@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        (ReviewFilter(), [ANN, BO, LIN, MAY]),
        (ReviewFilter(person=MAY), [MAY]),
        (ReviewFilter(states=(LineState.EXEMPTED,)), [ANN]),
        (ReviewFilter(states=(LineState.EXEMPTED, LineState.PROPOSED)), [ANN, BO, LIN, MAY]),
        (ReviewFilter(shift="late"), []),
        (ReviewFilter(reason="rang_out", rule="missed_call", entry="support"), [ANN, BO, LIN, MAY]),
        (ReviewFilter(since=at(1)), []),
        (ReviewFilter(until=at(0)), []),
        (ReviewFilter(since=at(0), until=at(1), escalated=False), [ANN, BO, LIN, MAY]),
        (ReviewFilter(escalated=True), []),
    ],
)
async def test_lines_are_found_by_filter(
    office: Office, wanted: ReviewFilter, who: list[str]
) -> None:
    found = (await office.store.lines(wanted)).rows

    assert who == sorted(line.person for line in found)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (MissedFilter(rang=MAY), 1),
        (MissedFilter(rang=ANN), 0),
        (MissedFilter(reasons=()), 1),
        (MissedFilter(entry="sales"), 0),
        (MissedFilter(since=at(0), until=at(1)), 1),
    ],
)
async def test_missed_calls_are_found_by_filter(
    office: Office, wanted: MissedFilter, count: int
) -> None:
    assert count == len((await office.store.missed_calls(wanted)).rows)


async def test_what_is_not_there_is_said(office: Office) -> None:
    store = office.store

    codes = [
        await refused(ask) for ask in (store.line("x"), store.incident("x"), store.bundle("x"))
    ]

    assert ["no_line", "no_incident", "no_bundle"] == codes


async def test_an_owner_alone_decides_his_own_misses(db: Database) -> None:
    office = Office(db, on=duty(OU, supervisor=None), directory=Directory([PEOPLE[OU]]))
    await office.opens()
    await office.misses("call-1", 0, rung={OU: "rang_out"})
    await office.runs(REVIEW)

    await decide(office, OU, verdict=Verdict.WAIVE, by=OU, reason="I was cooking")

    assert LineState.WAIVED is await state_of(office, OU)


async def test_amounts_of_a_house_with_points(db: Database) -> None:
    rules = PenaltyRules(settlement="points", missed_call=MissedCallRules())
    house: House = replace(BOOKING, penalties=rules)
    office = Office(db, house=house)
    await office.opens()
    await office.misses("call-1", 0)
    await office.runs(REVIEW)

    assert {("10.00", "points"), ("50.00", "points")} == {
        (str(one.amount), one.unit) for one in await office.lines()
    }


async def test_a_call_is_undecided_until_nobody_may_appeal_any_more(office: Office) -> None:
    incident = (await office.store.lines(ReviewFilter())).rows[0].incident

    assert {"call-1": incident} == await office.store.undecided(["call-1", "call-2"])

    async with office.db.write() as conn:
        await conn.execute(update(incidents).values(state=IncidentState.CLOSED))
    assert {} == await office.store.undecided(["call-1"])


async def test_a_missed_call_forgets_whose_it_was_and_keeps_what_it_cost(office: Office) -> None:
    before = (await office.store.lines(ReviewFilter())).rows

    async with office.db.write() as conn:
        await office.store.forget_numbers(conn, ["call-1"], [CALLER])

    (missed,) = (await office.store.missed_calls(MissedFilter())).rows
    told = await office.store.incident(missed.incident)
    assert (None, None, None, None) == (
        missed.number,
        missed.evidence.facts.number,
        missed.evidence.facts.caller,
        told.number,
    )
    assert before == (await office.store.lines(ReviewFilter())).rows


async def test_whom_the_lines_of_a_call_concern_is_told(office: Office) -> None:
    told = await office.store.concerned(["call-1", "none"])

    assert {"call-1": {MAY, BO, ANN, LIN}} == told
