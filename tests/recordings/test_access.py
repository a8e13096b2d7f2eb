"""Who may hear, take away and comment: every role against every kind of recording."""

from dataclasses import replace

import pytest

from cti.house import RecordingRules
from cti.people.rules import Person, Role
from recordings.access import may_hear, may_mark, may_take
from tests.recordings.test_store import linked

OPEN = RecordingRules(download=tuple(Role))
CLOSED = RecordingRules(agents_listen=False, download=())
OWN = linked(person="p-1")
COLLEAGUES = linked(person="p-2")
NOBODYS = linked(person=None)
HEARS = {
    Role.AGENT: (True, False, True),
    Role.SUPERVISOR: (True, True, True),
    Role.MANAGER: (True, True, True),
    Role.OWNER: (True, True, True),
    Role.AUDITOR: (True, True, True),
    Role.TECHNICIAN: (False, False, False),
}


def person(role: Role) -> Person:
    return Person(id="p-1", number="6001", name="May", role=role)


@pytest.mark.parametrize("role", Role)
def test_roles_say_who_hears_what(role: Role) -> None:
    one = person(role)

    assert HEARS[role] == tuple(
        may_hear(one, recording, {"p-1"}, OPEN) for recording in (OWN, COLLEAGUES, NOBODYS)
    )


def test_whom_a_call_does_not_concern_does_not_hear_it() -> None:
    assert not may_hear(person(Role.AGENT), NOBODYS, {"p-2"}, OPEN)


def test_who_spoke_in_a_call_does_not_hear_the_colleague_after_the_transfer() -> None:
    assert not may_hear(person(Role.AGENT), COLLEAGUES, {"p-1", "p-2"}, OPEN)


@pytest.mark.parametrize("role", Role)
def test_a_house_may_keep_recordings_from_agents_alone(role: Role) -> None:
    hears = role not in (Role.AGENT, Role.TECHNICIAN)

    assert hears == may_hear(person(role), OWN, {"p-1"}, CLOSED)


@pytest.mark.parametrize("role", Role)
def test_the_house_names_who_takes_files_away(role: Role) -> None:
    one = person(role)

    assert (role is not Role.TECHNICIAN, False) == (may_take(one, OPEN), may_take(one, CLOSED))


@pytest.mark.parametrize("role", Role)
def test_who_only_reads_writes_no_comment(role: Role) -> None:
    assert (role not in (Role.AUDITOR, Role.TECHNICIAN)) == may_mark(person(role))


@pytest.mark.parametrize("role", Role)
def test_who_has_left_has_no_right(role: Role) -> None:
    gone = replace(person(role), active=False)

    assert not may_hear(gone, OWN, {"p-1"}, OPEN)
    assert not may_take(gone, OPEN)
    assert not may_mark(gone)
