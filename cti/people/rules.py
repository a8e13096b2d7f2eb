"""Who works for the house, on which phone, and what may each do? Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from typing_extensions import override

from cti.errors import Refused

NUMBER_LIMIT: Final = 32
NAME_LIMIT: Final = 80
DEPARTMENT_LIMIT: Final = 64
PASSWORD_LEAST: Final = 10
PASSWORD_MOST: Final = 1000
LOCALES: Final = ("en", "zh-Hant", "zh-Hans")

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")
_DEVICE = re.compile(r"([A-Za-z][A-Za-z0-9]*)/([A-Za-z0-9_.+-]+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_TECHNOLOGIES: Final[Mapping[str, str]] = {
    name.casefold(): name for name in ("PJSIP", "SIP", "IAX2", "DAHDI", "SCCP", "Local")
}


class Role(StrEnum):
    """What somebody is in the house."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    OWNER = "owner"
    AUDITOR = "auditor"
    TECHNICIAN = "technician"


class Right(StrEnum):
    """What somebody may do. Every check is made on the server."""

    OWN_WORK = "own_work"
    """Own pop, calls, records, callbacks, penalty lines and appeals, recordings."""
    CUSTOMERS = "customers"
    """See customers' records and numbers."""
    BOARD = "board"
    """See the live board of all calls and agents."""
    REVIEW = "review"
    """Decide about missed calls, plan duty, listen to the team's recordings."""
    REPORTS = "reports"
    APPEALS = "appeals"
    """Decide appeals and conflicts of interest."""
    POLICY = "policy"
    """Load the house's rules."""
    PEOPLE = "people"
    """Add and change people."""
    LINES = "lines"
    """See PBX links and line tests, ring the demo."""
    AUDIT = "audit"
    """Read everything, the audit log too; change nothing."""


_AGENT = frozenset({Right.OWN_WORK, Right.CUSTOMERS})
_SUPERVISOR = _AGENT | {Right.BOARD, Right.REVIEW, Right.REPORTS}
_MANAGER = _SUPERVISOR | {Right.APPEALS, Right.POLICY, Right.PEOPLE}

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.AGENT: _AGENT,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.MANAGER: _MANAGER,
    Role.OWNER: _MANAGER | {Right.LINES},
    Role.AUDITOR: frozenset({Right.CUSTOMERS, Right.BOARD, Right.REPORTS, Right.AUDIT}),
    Role.TECHNICIAN: frozenset({Right.LINES}),  # no customer content
}
"""Rights per role: requirement section 22.4."""


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """One phone: a name as the PBX says it (`PJSIP/6001`) on the PBX that we call `pbx`."""

    pbx: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.pbx}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who works for the house. `number` is the house's own (工號)."""

    id: str
    number: str
    name: str
    role: Role = Role.AGENT
    department: str = ""
    devices: tuple[Device, ...] = ()
    locale: str | None = None
    active: bool = True

    def may(self, right: Right) -> bool:
        """Tell whether this person has a right; whoever has left has none."""
        return self.active and right in RIGHTS[self.role]


class Directory:
    """Everybody, found by phone. A pure value: make a new one when people change."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        self.people: Mapping[str, Person] = {person.id: person for person in people}
        self._devices = {
            (device.pbx, device.name): person
            for person in self.people.values()
            if person.active
            for device in person.devices
        }

    def by_device(self, pbx: str, name: str) -> Person | None:
        """Find whose phone this is; `name` as the PBX says it, without channel suffix."""
        return self._devices.get((pbx, name))

    def by_id(self, person: str) -> Person | None:
        """Find somebody by our id."""
        return self.people.get(person)

    def with_right(self, right: Right) -> list[Person]:
        """List all who have a right."""
        return [person for person in self.people.values() if person.may(right)]

    @classmethod
    def of(cls, *people: Person) -> Self:
        """Make a directory of these."""
        return cls(people)


def read_device(text: str, pbx: str | None = None) -> Device:
    """Read `PBX:PJSIP/6001`; without `PBX:` it is on `pbx`. Raises `Refused` (bad_device).

    The technology is written as Asterisk writes it in channel names, whatever its case.
    """
    before, colon, after = text.strip().rpartition(":")
    found = _DEVICE.fullmatch(after)
    where = before if colon else pbx
    if not found or not where or len(after) > NAME_LIMIT or len(where) > NUMBER_LIMIT:
        raise Refused(
            "bad_device", f"{text!r} is no device: write PBX:PJSIP/6001", device=text[:NAME_LIMIT]
        )
    technology = _TECHNOLOGIES.get(found[1].casefold(), found[1])
    return Device(where, f"{technology}/{found[2]}")


def checked_number(text: str) -> str:
    """Give a person's number as it is kept. Raises `Refused` (bad_number)."""
    number = text.strip()
    if len(number) > NUMBER_LIMIT or not _NUMBER.fullmatch(number):
        raise Refused(
            "bad_number",
            f"a person's number has 1 to {NUMBER_LIMIT} letters, digits, dots or dashes",
            number=text[:NUMBER_LIMIT],
        )
    return number


def checked_role(text: str) -> Role:
    """Read a role. Raises `Refused` (bad_role)."""
    try:
        return Role(text.strip().casefold())
    except ValueError:
        raise Refused(
            "bad_role", f"there is no role {text!r}; the roles are: {', '.join(Role)}"
        ) from None


def checked_locale(text: str | None) -> str | None:
    """Give a language that we speak; none stays none. Raises `Refused` (bad_locale)."""
    if text and text not in LOCALES:
        raise Refused(
            "bad_locale", f"there is no language {text!r}; the languages are: {', '.join(LOCALES)}"
        )
    return text or None


def checked_text(what: str, text: str, limit: int, *, least: int = 0) -> str:
    """Give a name or department, cleaned of control characters. Raises `Refused` (bad_text)."""
    text = " ".join(_CONTROL.sub(" ", text).split())
    if not least <= len(text) <= limit:
        raise Refused("bad_text", f"the {what} must have {least} to {limit} characters", what=what)
    return text


def checked_password(password: str, number: str) -> str:
    """Refuse a password that is too easy: `password_short`, `password_easy`, `password_long`."""
    if len(password) < PASSWORD_LEAST:
        raise Refused("password_short", f"a password has at least {PASSWORD_LEAST} characters")
    if len(password) > PASSWORD_MOST:
        raise Refused("password_long", f"a password has at most {PASSWORD_MOST} characters")
    if len(set(password)) < 4 or password.casefold() == number.casefold():
        raise Refused("password_easy", "this password is too easy to guess: take another")
    return password
