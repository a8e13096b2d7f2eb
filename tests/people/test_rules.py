"""Who may do what, whose phone is it, and what is no number, role or password."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.errors import Refused
from cti.people import rules
from cti.people.rules import RIGHTS, Device, Directory, Person, Right, Role

MAY = Person(id="1", number="6001", name="May", devices=(Device("main", "PJSIP/6001"),))
BO = Person(id="2", number="6002", name="Bo", devices=(Device("main", "PJSIP/6002"),))
LIN = Person(id="3", number="7001", name="Lin", role=Role.SUPERVISOR)


def test_each_role_may_do_something_and_nobody_may_do_everything() -> None:
    assert set(RIGHTS) == set(Role)
    assert all(RIGHTS.values())
    assert all(rights != frozenset(Right) for rights in RIGHTS.values())


def test_an_agent_has_own_work_and_no_board() -> None:
    assert MAY.may(Right.OWN_WORK)
    assert not MAY.may(Right.BOARD)
    assert LIN.may(Right.BOARD)


def test_a_technician_sees_no_customer_and_an_auditor_changes_nothing() -> None:
    assert RIGHTS[Role.TECHNICIAN] == {Right.LINES}
    assert Right.CUSTOMERS not in RIGHTS[Role.TECHNICIAN]
    assert RIGHTS[Role.AUDITOR].isdisjoint(
        {Right.OWN_WORK, Right.REVIEW, Right.APPEALS, Right.POLICY, Right.PEOPLE}
    )


def test_whoever_has_left_may_do_nothing() -> None:
    gone = Person(id="4", number="1", name="Chen", role=Role.OWNER, active=False)

    assert not any(gone.may(right) for right in Right)


def test_a_phone_belongs_to_one_person_on_its_own_pbx() -> None:
    directory = Directory.of(MAY, BO, LIN)

    assert directory.by_device("main", "PJSIP/6001") == MAY
    assert directory.by_device("branch", "PJSIP/6001") is None
    assert directory.by_device("main", "PJSIP/9999") is None
    assert directory.by_id("3") == LIN
    assert directory.with_right(Right.BOARD) == [LIN]


def test_the_phone_of_one_who_has_left_is_nobodys() -> None:
    gone = Person(id="1", number="1", name="Chen", devices=MAY.devices, active=False)

    assert Directory.of(gone).by_device("main", "PJSIP/6001") is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("main:PJSIP/6001", Device("main", "PJSIP/6001")),
        ("PJSIP/6001", Device("here", "PJSIP/6001")),
        (" branch:pjsip/lobby-2 ", Device("branch", "PJSIP/lobby-2")),
        ("main:sip/6001", Device("main", "SIP/6001")),
        ("main:local/1", Device("main", "Local/1")),
        ("main:Khomp/b0c1", Device("main", "Khomp/b0c1")),
    ],
)
def test_a_device_is_written_as_the_pbx_says_it(written: str, expected: Device) -> None:
    assert rules.read_device(written, "here") == expected


@pytest.mark.parametrize(
    "written",
    [
        "",
        "6001",
        "main:",
        "main:PJSIP/",
        "PJSIP/6001",
        "m:PJSIP/6001,PJSIP/6002",
        "m:A/" + "x" * 90,
    ],
)
def test_what_is_no_device_is_refused(written: str) -> None:
    with pytest.raises(Refused, match="is no device: write PBX:PJSIP/6001") as caught:
        rules.read_device(written)

    assert caught.value.code == "bad_device"


@pytest.mark.parametrize("number", ["", " ", "-1", "6 001", "x" * 33, "六"])
def test_what_is_no_number_of_a_person_is_refused(number: str) -> None:
    with pytest.raises(Refused, match="a person's number has 1 to 32 letters") as caught:
        rules.checked_number(number)

    assert caught.value.code == "bad_number"


def test_an_unknown_role_names_the_roles() -> None:
    with pytest.raises(Refused, match="no role 'boss'; the roles are: agent, supervisor") as caught:
        rules.checked_role("boss")

    assert caught.value.code == "bad_role"
    assert rules.checked_role(" Agent ") is Role.AGENT


def test_an_unknown_language_names_the_languages() -> None:
    with pytest.raises(Refused, match="the languages are: en, zh-Hant, zh-Hans") as caught:
        rules.checked_locale("fr")

    assert caught.value.code == "bad_locale"
    assert rules.checked_locale("") is None


def test_names_are_cleaned_and_bounded() -> None:
    assert rules.checked_text("name", " 小\n美\u202e ", 80, least=1) == "小 美"

    for text in ("", "\x00", "x" * 81):
        with pytest.raises(Refused, match="the name must have 1 to 80 characters") as caught:
            rules.checked_text("name", text, 80, least=1)

        assert caught.value.code == "bad_text"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_short"),
        ("x" * 1001, "password_long"),
        ("aaaaaaaaaaaa", "password_easy"),
        ("agent-6001-a", "password_easy"),
    ],
)
def test_a_weak_password_is_refused(password: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        rules.checked_password(password, "AGENT-6001-A")

    assert caught.value.code == code


@given(st.text(max_size=120))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    for check in (
        rules.checked_number,
        rules.checked_role,
        rules.checked_locale,
        rules.read_device,
        lambda said: rules.checked_text("name", said, 80),
        lambda said: rules.checked_password(said, "6001"),
    ):
        with suppress(Refused):
            check(text)
