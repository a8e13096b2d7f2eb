"""What the pages of this room share: whom they ask, and how they read what was typed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiDictProxy

from cti.clock import Clock
from cti.customers.rules import normal, seen_by
from cti.errors import Refused
from cti.house import House
from cti.penalties.record import Pick
from cti.penalties.review import REASON_LIMIT
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person, Right
from cti.reports.sheets import Sheet
from cti.web.auth import Visitor
from cti.web.downloads import Form
from cti.web.ports import Players
from cti.web.rooms import Kit

T = TypeVar("T")
Fields = MultiDictProxy[str | bytes | bytearray | web.FileField]
MOST_TEXT: Final = 2000
EXPORT_PAGE: Final = 500
"""Rows that are read at a time for a file."""


class CallbackStates(Protocol):
    """What became of the callbacks that missed calls opened."""

    async def __call__(self, calls: Collection[str]) -> Mapping[str, str]:
        """Give the state of the callback by missed call; no entry: none was opened."""
        ...


class Names(Protocol):
    """The names of customers."""

    async def __call__(self, customers: Collection[str]) -> Mapping[str, str]:
        """Give names by id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """What the pages ask of the house."""

    store: PenaltyStore
    house: Callable[[], House]
    directory: Callable[[], Directory]
    clock: Clock
    callbacks: CallbackStates
    customers: Names
    recordings: Players


class Part:
    """Some of the pages, with what all of them need."""

    def __init__(self, kit: Kit, asks: Asks) -> None:
        self.kit, self.asks, self.store = kit, asks, asks.store

    def page(
        self, request: web.Request, visitor: Visitor, template: str, **facts: object
    ) -> web.Response:
        """Render a page of this room. A refusal makes it a 409."""
        directory = self.asks.directory()
        refusal = facts.get("refusal")
        return self.kit.pages.page(
            request,
            visitor,
            f"penalties/{template}",
            status=409 if refusal else 200,
            refusal=refusal,
            who=lambda person: _named(directory, person),
            people=sorted(directory.people.values(), key=lambda one: one.number),
            rules=self.asks.house().penalties,
            most=REASON_LIMIT,
            caller_of=lambda number, raw: self.caller_of(visitor, number, raw),
            shifts=list(self.asks.house().shifts.types),
            link=lambda **changed: link(request, **changed),
            may_check=lambda person: person.may(Right.APPEALS) or person.may(Right.AUDIT),
            may_pay=lambda person: person.may(Right.APPEALS),
            **{key: fact for key, fact in facts.items() if key != "refusal"},
        )

    async def file(self, sheet: Sheet, form: Form) -> web.Response:
        """Answer with a table as a file."""
        return await self.kit.downloads.answer(sheet, form)

    async def players(
        self, request: web.Request, visitor: Visitor, calls: Collection[str]
    ) -> Sequence[Mapping[str, Any]]:
        """Give the recordings of calls, as `recordings/player.html` shows them."""
        address = self.kit.pages.site.address(request)
        return await self.asks.recordings(calls, person_of(visitor), address)

    def say(self, visitor: Visitor, key: str) -> str:
        """Give a text in the visitor's language."""
        return self.kit.words.say(visitor.locale, key)

    def name(self, visitor: Visitor, family: str, code: str) -> str:
        """Give the word for a code in the visitor's language."""
        return self.kit.words.name(visitor.locale, family, code)

    def who(self, person: str | None) -> str:
        """Give somebody's name and number, for a file."""
        found = _named(self.asks.directory(), person)
        return f"{found.name} ({found.number})" if found else ""

    def caller_of(self, visitor: Visitor, number: str | None, raw: str | None) -> str:
        """Give a caller's number as somebody may see it; "" when it was withheld, or not sent."""
        sent = number or ("" if normal(raw, "").kind == "anonymous" else raw or "")
        return seen_by(person_of(visitor), sent, self.asks.house().customers)

    def today(self) -> date:
        """Give the house's day."""
        return self.asks.clock.now().astimezone(self.asks.house().zone).date()

    def begin_of(self, day: date) -> datetime:
        """Give the instant at which a day of the house begins."""
        return datetime.combine(day, time(), self.asks.house().zone).astimezone(UTC)

    def span(self, request: web.Request, days: int) -> tuple[date, date]:
        """Read the days asked for, both included; as they are not named, the last `days`.

        Raises `Refused` (bad_date).
        """
        until = read_day(request.query.get("until", "")) or self.today()
        since = read_day(request.query.get("since", "")) or until - timedelta(days=days - 1)
        if since > until:
            raise Refused("bad_span", "the first day is after the last")
        return since, until


def person_of(visitor: Visitor) -> Person:
    """Give who is asking: the guard has seen to it that there is somebody."""
    assert visitor.person is not None  # noqa: S101
    return visitor.person


def text(fields: Fields, key: str, limit: int = MOST_TEXT) -> str:
    """Read a field as text, bounded, its ends trimmed."""
    value = fields.get(key, "")
    return value.strip()[:limit] if isinstance(value, str) else ""


def picks(fields: Fields, key: str = "pick") -> list[Pick]:
    """Read lines as they were seen: `ID:VERSION` each. Raises `Refused` (nothing_picked)."""
    found = []
    for value in fields.getall(key, []):
        line, _, version = str(value).rpartition(":")
        if line and version.isascii() and version.isdigit() and len(version) < 10:
            found.append(Pick(line=line, version=int(version)))
    if not found:
        raise Refused("nothing_picked", "tick the lines that you decide about")
    return found


def read_day(value: str) -> date | None:
    """Read a day as browsers send it; nothing stays nothing. Raises `Refused` (bad_date)."""
    if not value:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2200:
        raise Refused("bad_date", "a day is written as 2026-11-22", date=value[:20])
    return day


def read_month(value: str) -> date | None:
    """Read a month as browsers send it, `2026-11`. Raises `Refused` (bad_date)."""
    return read_day(f"{value}-01") if value else None


def read_amount(value: str) -> Decimal:
    """Read an amount of money. Raises `Refused` (bad_amount)."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise Refused("bad_amount", "write an amount as 5.00") from None
    if not amount.is_finite() or abs(amount) >= 1_000_000 or amount != round(amount, 2):
        raise Refused("bad_amount", "write an amount as 5.00")
    return round(amount, 2)


def choice(kind: Callable[[str], T], value: str, default: T) -> T:
    """Read one of a few words; what is none of them is the default."""
    try:
        return kind(value)
    except ValueError:
        return default


def link(request: web.Request, **changed: str) -> str:
    """Give this page's address with some of its filter changed; empty takes a key away."""
    query = {key: value for key, value in request.query.items() if key not in ("done", "after")}
    query |= changed
    kept = {key: value for key, value in query.items() if value}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def _named(directory: Directory, person: str | None) -> Person | None:
    return directory.by_id(person) if person else None
