"""What the pages need from the other rooms; `app` gives it. No behaviour here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Wire = Mapping[str, Any]
"""A value as it goes over the wire: its shape stands in `cti.web.wire`."""


class Person(Protocol):
    """Somebody who works for the house, as far as a page must know."""

    @property
    def id(self) -> str:
        """Our own id."""
        ...

    @property
    def number(self) -> str:
        """The staff number (工號)."""
        ...

    @property
    def name(self) -> str:
        """What colleagues call this person."""
        ...

    @property
    def role(self) -> str:
        """One of agent, supervisor, manager, owner, auditor, technician."""
        ...

    @property
    def locale(self) -> str | None:
        """The language this person has chosen: en, zh-Hant, zh-Hans."""
        ...


class Accounts(Protocol):
    """Who may come in. Everything is checked on the server; each answer may change at any time."""

    async def check_password(self, number: str, password: str, address: str) -> Person | None:
        """Give the person, or nothing if number and password do not fit or the account is closed.

        Takes equally long whether the number exists. Raises `Refused` (code
        `too_many_attempts`) after too many attempts for this number or from this address.
        """
        ...

    async def use_link(self, token: str, address: str) -> Person | None:
        """Use up a one-time link; nothing if it is unknown, used or over. Raises as above."""
        ...

    async def open_session(self, person: Person) -> str:
        """Begin a session; give its token, at least 128 bits of chance."""
        ...

    async def session(self, token: str) -> Person | None:
        """Give the person of a living session as that person is now, else nothing."""
        ...

    async def close_session(self, token: str) -> None:
        """End a session; ending it again does nothing."""
        ...


class Desk(Protocol):
    """What is going on now, ready for the wire.

    Reading never waits. `card`, `cards`, `board` and `last_seq` change together, before the
    push about the change is published: a snapshot of number n holds everything up to n.
    """

    @property
    def epoch(self) -> str:
        """Changes when the numbers begin anew, as with another database."""
        ...

    def last_seq(self) -> int:
        """Give the number of the latest change."""
        ...

    def since(self, person: str, seq: int) -> Sequence[tuple[int, str]] | None:
        """Give (number, call) of this person's changes after `seq`, in order.

        Nothing (`None`) if they are no longer kept: the screen must begin anew.
        """
        ...

    def cards(self, person: str) -> Sequence[Wire]:
        """Give this person's open cards, first rung first."""
        ...

    def card(self, person: str, call: str) -> Wire | None:
        """Give one card as it is now; a finished one for some seconds more, then nothing."""
        ...

    def board(self) -> Wire:
        """Give the whole board."""
        ...

    def links(self) -> Sequence[Wire]:
        """Give the state of the link to each PBX."""
        ...

    async def choose(self, call: str, person: Person, customer: str | None) -> None:
        """Say which customer is calling; nothing takes the choice back. The push follows.

        Raises `Refused`: `no_such_call` (not on this person's screen), `no_such_customer`
        (not among those found).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether the daemon can do its work, part by part: name → `ok` or what is wrong."""

    ok: bool
    parts: Mapping[str, str] = field(default_factory=dict)


class Ready(Protocol):
    """Asks every part how it is."""

    async def __call__(self) -> Readiness:
        """Answer within a second or two; never raises."""
        ...
