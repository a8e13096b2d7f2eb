"""What may be dialled, and what became of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cti.calls.record import DialledCall, OfferOutcome, SaidRecord
from cti.dials.rules import (
    ENDS,
    LEGAL,
    LINE_TEST,
    Attempt,
    AttemptState,
    Cause,
    Tally,
    Wanted,
    agent_first,
    customer_first,
    deadline_of,
    failed_in_a_row,
    for_agent,
    is_past,
    line_test,
    long_enough,
    may_reach,
    refusal,
    result,
    to_dial,
)
from cti.house import DialingRules

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
RULES = DialingRules()
SHANGHAI = "02161110000"


def wanted(**changed: Any) -> Wanted:
    given: dict[str, Any] = {
        "purpose": "visit",
        "subject": "callback:1",
        "pbx": "main",
        "trunk": "trunk",
        "number": SHANGHAI,
        "route": line_test(SHANGHAI),
    }
    return Wanted(**given | changed)


def attempt(**changed: Any) -> Attempt:
    given: dict[str, Any] = {
        "id": "cti-1",
        "purpose": "visit",
        "subject": "callback:1",
        "pbx": "main",
        "trunk": "trunk",
        "number": SHANGHAI,
        "customer_first": True,
        "agent": "",
        "who": "cti",
        "state": AttemptState.SENT,
        "cause": "",
        "planned_at": NOW,
        "committed_at": NOW,
        "deadline": 100,
        "sent_at": NOW,
        "ended_at": None,
        "call": None,
    }
    return Attempt(**given | changed)


def call(outcome: OfferOutcome | None, *said: str, **changed: Any) -> DialledCall:
    facts: dict[str, Any] = {"picked_at": None, "approximate": False} | changed
    return DialledCall(
        call="c",
        began=NOW,
        ended_at=NOW,
        outcome=outcome,
        said=tuple(SaidRecord(topic="dial", word=word, code="", at=None) for word in said),
        **facts,
    )


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("02161110000", "02161110000"),
        ("+8613800138000", "8613800138000"),
        ("０２１６１１１００００", "02161110000"),
        (" 110 ", "110"),
        ("12", None),
        ("1" * 16, None),
        ("021-6111 0000", None),
        ("0216111000x", None),
        ("1;2", None),
        ("123\n456", None),
        ("٣٤٥٦", None),
        ("", None),
    ],
)
def test_a_number_is_three_to_fifteen_digits_or_none(text: str, digits: str | None) -> None:
    assert digits == to_dial(text)


@pytest.mark.parametrize(
    ("number", "prefixes", "country", "reached"),
    [
        (SHANGHAI, (), "CN", True),
        ("13800138000", (), "CN", True),
        ("4000", (), "CN", False),
        ("0012025550100", (), "CN", False),
        ("0900123456", (), "GB", False),
        ("0223456789", (), "TW", True),
        ("4000", ("400",), "CN", True),
        (SHANGHAI, ("400",), "CN", False),
        ("8613800138000", ("+86",), "CN", True),
    ],
)
def test_only_the_own_country_or_what_the_list_names_is_reached(
    number: str, prefixes: tuple[str, ...], country: str, reached: bool
) -> None:
    assert reached == may_reach(number, prefixes, country)


BROKEN = Tally(failed_in_a_row=5, last_failed_at=NOW - timedelta(minutes=14))


@pytest.mark.parametrize(
    ("changed", "tally", "code"),
    [
        ({}, Tally(), None),
        ({}, Tally(minute=9, number_day=5, waiting=0), None),
        ({}, Tally(off=True), "dialing_off"),
        ({"number": "abc"}, Tally(), "dial_number"),
        ({"trunk": "trunk&PJSIP/6001"}, Tally(), "dial_trunk"),
        ({"number": "4000"}, Tally(), "dial_prefix"),
        ({}, Tally(waiting=1), "callers_wait"),
        ({}, Tally(minute=10), "dial_minute"),
        ({}, Tally(number_day=6), "dial_number_day"),
        ({"agent": "p-may"}, Tally(agent_hour=30), "dial_agent_hour"),
        ({}, Tally(agent_hour=30), None),
        ({}, BROKEN, "dial_breaker"),
        ({"purpose": LINE_TEST}, BROKEN, None),
        ({}, replace(BROKEN, last_failed_at=NOW - timedelta(minutes=15)), None),
        ({}, replace(BROKEN, failed_in_a_row=4), None),
    ],
)
def test_each_limit_has_its_own_refusal(
    changed: dict[str, Any], tally: Tally, code: str | None
) -> None:
    assert code == refusal(wanted(**changed), tally, RULES, "CN", NOW)


def test_with_the_pause_switched_off_waiting_callers_hinder_nothing() -> None:
    rules = DialingRules(pause_when_waiting=0)

    assert refusal(wanted(), Tally(waiting=9), rules, "CN", NOW) is None


def test_the_guard_dials_for_twenty_seconds_and_agent_first_for_the_ringing_too() -> None:
    ring = timedelta(seconds=30)

    assert deadline_of(1000.9, line_test(SHANGHAI), ring) == 1020
    assert deadline_of(1000.9, agent_first("PJSIP/6001", SHANGHAI), ring) == 1050


def test_the_guard_is_asked_only_when_it_has_surely_written_down_what_it_let_through() -> None:
    assert [False, False, True] == [is_past(1020, at) for at in (1020.5, 1025, 1025.1)]


@pytest.mark.parametrize(
    ("found", "state", "cause"),
    [
        (call(OfferOutcome.ANSWERED, picked_at=NOW), AttemptState.ANSWERED, ""),
        (call(OfferOutcome.CALLER_GAVE_UP, picked_at=NOW), AttemptState.ANSWERED, ""),
        (call(OfferOutcome.BUSY), AttemptState.BUSY, ""),
        (call(OfferOutcome.REJECTED), AttemptState.REJECTED, ""),
        (call(OfferOutcome.RANG_OUT), AttemptState.NO_ANSWER, ""),
        (call(OfferOutcome.CALLER_GAVE_UP), AttemptState.NO_ANSWER, ""),
        (call(OfferOutcome.UNREACHABLE), AttemptState.FAILED, Cause.NO_TRUNK),
        (call(OfferOutcome.UNKNOWN), AttemptState.UNKNOWN, Cause.NOT_SEEN),
        (call(None, "dial"), AttemptState.FAILED, Cause.NO_TRUNK),
        (call(None, "refused"), AttemptState.FAILED, Cause.GUARD_REFUSED),
        (call(None, "duplicate"), AttemptState.FAILED, Cause.GUARD_REFUSED),
        (call(None), AttemptState.FAILED, Cause.GUARD_REFUSED),
        (call(None, approximate=True), AttemptState.UNKNOWN, Cause.NOT_SEEN),
    ],
)
def test_the_customers_phone_says_what_became_of_it(
    found: DialledCall, state: AttemptState, cause: str
) -> None:
    assert (state, cause) == result(attempt(), found)


def test_an_agent_who_did_not_pick_up_is_not_the_customers_silence() -> None:
    assert result(attempt(customer_first=False), call(None)) == (AttemptState.AGENT_NO_SHOW, "")


SECOND = timedelta(seconds=1)
WITHIN = 2 * SECOND


@pytest.mark.parametrize(
    ("found", "state", "cause"),
    [
        (call(OfferOutcome.ANSWERED, picked_at=NOW, joined_at=NOW + WITHIN), "answered", ""),
        (
            call(OfferOutcome.ANSWERED, picked_at=NOW, joined_at=NOW + WITHIN * 1.01),
            "answered",
            Cause.LATE,
        ),
        (call(OfferOutcome.WITHDRAWN, "dial", "abandoned", picked_at=NOW), "abandoned", ""),
        (
            call(OfferOutcome.UNKNOWN, "abandoned", picked_at=NOW, approximate=True),
            "abandoned",
            "",
        ),
        (call(OfferOutcome.ANSWERED, "dial", picked_at=NOW), "abandoned", ""),
        (call(OfferOutcome.ANSWERED, picked_at=NOW, approximate=True), "unknown", Cause.NOT_SEEN),
        (call(OfferOutcome.BUSY, "dial"), "busy", ""),
        (call(OfferOutcome.RANG_OUT, "dial"), "no_answer", ""),
    ],
)
def test_who_was_rung_first_met_his_agent_in_time_or_late_or_nobody(
    found: DialledCall, state: str, cause: str
) -> None:
    first = attempt(agent="p-may")

    assert (AttemptState(state), cause) == result(first, found, WITHIN)


def test_the_customer_is_rung_first_no_shorter_than_he_is_owed() -> None:
    assert [15, 20, 30] == [
        long_enough(ring * SECOND, cycle * SECOND) // SECOND
        for ring, cycle in ((10, 3), (15, 5), (30, 5))
    ]


def test_the_guard_stands_before_a_customer_who_is_rung_first() -> None:
    route = customer_first(SHANGHAI)

    assert f"Local/{SHANGHAI}@cti-dial/n" == route.channel
    assert (True, "cti-connect", SHANGHAI) == (route.customer_first, route.context, route.exten)
    assert {"CTI_AGENT": "PJSIP/6001", "CTI_WITHIN": "1"} == for_agent("PJSIP/6001", SECOND / 2)


def test_nothing_follows_an_end_and_everything_leads_to_one() -> None:
    assert not ENDS & LEGAL.keys()
    assert LEGAL.keys() | ENDS == set(AttemptState)
    assert all(ENDS <= after for state, after in LEGAL.items() if state != AttemptState.PLANNED)


def test_what_was_never_dialled_neither_trips_the_breaker_nor_closes_it() -> None:
    failed, never = (AttemptState.FAILED, Cause.NO_TRUNK), (AttemptState.FAILED, Cause.NOT_SENT)
    busy = (AttemptState.BUSY, "")

    assert failed_in_a_row([failed, never, failed, busy, failed]) == 2
