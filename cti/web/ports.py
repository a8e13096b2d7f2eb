"""What the pages need from the other rooms; `app` gives it. No behaviour here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cti.people.rules import Person

LinkPurpose = Literal["log_in", "set_password"]
Wire = Mapping[str, Any]
"""A value as it goes over the wire: its shape stands in `cti.web.wire`."""


class Accounts(Protocol):
    """Who may come in. Everything is checked on the server; each answer may change at any time.

    Who comes in gets a session's token: at least 128 bits of chance, known to the browser alone.
    """

    async def log_in(self, number: str, password: str, *, address: str, agent: str) -> str:
        """Begin a session by number and password; give its token.

        Takes equally long whether the number exists. Raises `Refused`: `login_refused`
        (whatever was wrong), `login_later` (too many attempts).
        """
        ...

    async def look_at_link(self, token: str) -> LinkPurpose | None:
        """Tell what a one-time link is for, while it holds; it is not used up."""
        ...

    async def log_in_by_link(self, token: str, *, address: str, agent: str) -> str:
        """Use a one-time link up and begin a session; give its token.

        Raises `Refused`: `link_over`.
        """
        ...

    async def set_password_by_link(
        self, token: str, password: str, *, address: str, agent: str
    ) -> str:
        """Use a one-time link up, set the password and begin a session; give its token.

        Raises `Refused`: `link_over`; `password_short`, `password_long` and `password_easy`
        leave the link as it is.
        """
        ...

    async def session(self, token: str) -> Person | None:
        """Give the person of a living session as that person is now, else nothing."""
        ...

    async def prolong(self, token: str) -> bool:
        """Let a session that holds begin anew; False when it is over."""
        ...

    async def end_session(self, token: str) -> None:
        """End a session; ending it again does nothing."""
        ...


class Players(Protocol):
    """The recordings of calls, as other rooms' pages show them (`recordings/player.html`)."""

    async def __call__(
        self, calls: Collection[str], person: Person, address: str
    ) -> Sequence[Mapping[str, Any]]:
        """Give what the template wants of each recording that this person may hear, call by call.

        That it was listed is noted, with the client's `address`.
        """
        ...

    async def known(self, calls: Collection[str], person: Person) -> Collection[str]:
        """Give those calls of which this person may hear a recording."""
        ...


class Desk(Protocol):
    """What is going on now, ready for the wire.

    Reading never waits. `card`, `cards`, `board` and `last_seq` change together, before the
    push about the change is published: a snapshot of number n holds everything up to n.
    A push without a number is about a change that is not stored yet.
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
