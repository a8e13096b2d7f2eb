"""Which state an agent's phones are in, as the PBX says."""

from datetime import UTC, datetime, timedelta

import pytest

from cti.calls.phones import Phones, Standing

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
MAY, DESK = "PJSIP/6001", "PJSIP/6001-desk"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("NOT_INUSE", "available"),
        ("INUSE", "on_call"),
        ("BUSY", "on_call"),
        ("ONHOLD", "on_call"),
        ("RINGING", "ringing"),
        ("RINGINUSE", "ringing"),
        ("UNAVAILABLE", "unreachable"),
        ("INVALID", "unreachable"),
        ("UNKNOWN", "unknown"),
        ("something new", "unknown"),
    ],
)
def test_states_are_told_in_our_words(said: str, state: str) -> None:
    phones = Phones()
    phones.device(MAY, said, NOON)

    assert phones.standing([MAY]).state == state


def test_a_phone_of_which_nothing_was_said_is_unknown() -> None:
    assert Phones().standing([MAY]) == Standing("unknown", None)
    assert Phones().standing([]) == Standing("unknown", None)


def test_a_state_is_told_since_it_began() -> None:
    phones = Phones()

    assert phones.device(MAY, "INUSE", NOON)
    assert not phones.device(MAY, "BUSY", LATER)
    assert phones.standing([MAY]) == Standing("on_call", NOON)


@pytest.mark.parametrize(
    ("desk", "mobile", "both"),
    [
        ("INUSE", "RINGING", "on_call"),
        ("NOT_INUSE", "RINGING", "ringing"),
        ("NOT_INUSE", "UNAVAILABLE", "available"),
        ("UNAVAILABLE", "UNAVAILABLE", "unreachable"),
        ("UNKNOWN", "NOT_INUSE", "available"),
    ],
)
def test_the_busiest_of_an_agents_phones_speaks_for_all(desk: str, mobile: str, both: str) -> None:
    phones = Phones()
    phones.device(DESK, desk, NOON)
    phones.device(MAY, mobile, NOON)

    assert phones.standing([MAY, DESK]).state == both


def test_a_free_phone_of_a_paused_agent_is_paused_since_the_first_pause() -> None:
    phones = Phones()
    phones.device(MAY, "NOT_INUSE", NOON)

    assert phones.member("support", MAY, paused=True, at=NOON)
    assert not phones.member("support", MAY, paused=True, at=LATER)
    assert phones.member("sales", MAY, paused=True, at=LATER)
    assert phones.standing([MAY]) == Standing("paused", NOON)


def test_a_paused_agent_on_a_call_is_on_a_call() -> None:
    phones = Phones()
    phones.device(MAY, "INUSE", NOON)
    phones.member("support", MAY, paused=True, at=NOON)

    assert phones.standing([MAY]).state == "on_call"


def test_a_pause_in_one_queue_ends_alone() -> None:
    phones = Phones()
    phones.device(MAY, "NOT_INUSE", NOON)
    phones.member("support", MAY, paused=True, at=NOON)
    phones.member("sales", MAY, paused=True, at=LATER)

    phones.member("support", MAY, paused=False, at=LATER)
    assert phones.standing([MAY]) == Standing("paused", LATER)
    phones.member("sales", MAY, paused=False, at=LATER)
    assert phones.standing([MAY]).state == "available"


def test_who_was_never_paused_is_not_unpaused() -> None:
    assert not Phones().member("support", MAY, paused=False, at=NOON)


def test_a_paused_agent_whose_phone_is_away_is_paused() -> None:
    phones = Phones()
    phones.device(MAY, "UNAVAILABLE", NOON)
    phones.member("support", MAY, paused=True, at=None)

    assert phones.standing([MAY]) == Standing("paused", None)


def test_when_the_pbx_is_not_heard_nothing_is_known() -> None:
    phones = Phones()
    phones.device(MAY, "INUSE", NOON)
    phones.member("support", MAY, paused=True, at=NOON)

    phones.forget()

    assert phones.standing([MAY]) == Standing("unknown", None)
