"""What happened to a customer: a booking, a session, a stay, a complaint handled … Pure.

An event is known by its customer, its kind and its reference in the house's records. Told again
with another day it was moved; it may be cancelled, and come back.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Final

from cti.customers.rules import MARKS_SAID, clean, read_day, read_time
from cti.house_visits import EVENTS

KINDS: Final = tuple(kind for kind in EVENTS if kind != "birthday")
"""What can be entered; a birthday stands in the customer's record."""
COLUMNS: Final = (
    "kind",
    "day",
    "time",
    "ref",
    "amount",
    "department",
    "staff",
    "cancelled",
    "merchant",
)
DETAILS: Final = ("time", "staff", "amount", "department", "merchant")
"""What stays as it is known when an event is told again without it."""
REF_LIMIT: Final = 64
DEPARTMENT_LIMIT: Final = 64
STAFF_MOST: Final = 8
STAFF_LIMIT: Final = 64
STAFF_TEXT_MOST: Final = 1000
"""All of them as JSON writes them."""
MERCHANT_LIMIT: Final = 64
ORDER_NOTE_LIMIT: Final = 500
FIRST: Final = date(1990, 1, 1)
LAST: Final = date(2099, 12, 31)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_CENT: Final = Decimal("0.01")
ROLE: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """What somebody, a line of a file or a program says of an event; checked."""

    kind: str
    day: date
    ref: str
    time: "time | None" = None
    """By the customer's clock, if it is known."""
    staff: Mapping[str, str] = field(default_factory=dict)
    """Who served him, by role: the stylist, the photographer (CUST-05)."""
    amount: Decimal | None = None
    department: str = ""
    cancelled: bool = False
    merchant: str = ""
    """The restaurant at which the table is: its id in the house's records, or its number."""
    untold: frozenset[str] = frozenset()
    """The `DETAILS` of which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as it is kept. `moved` counts how often its day was changed, `rev` all changes.

    `seating` is what became of a table (as `house_visits` names it; empty: nobody knows yet),
    and `note` what was said about it (CB-REST-02).
    """

    id: str
    customer: str
    kind: str
    ref: str
    day: date
    time: "time | None" = None
    staff: Mapping[str, str] = field(default_factory=dict)
    amount: Decimal | None = None
    department: str = ""
    cancelled: bool = False
    merchant: str = ""
    seating: str = ""
    note: str = ""
    moved: int = 0
    rev: int = 1


Fault = tuple[str, str]
"""The field that is wrong, and why, in English."""


def read_event(said: Mapping[str, str]) -> tuple[EventEntry | None, list[Fault]]:
    """Read the fields of an event (`COLUMNS`); give it, or all that is wrong.

    The staff is `stylist=Anna; photographer=Ben`: a role and a name each, parted by `;`.

    Without a reference the day is it, so that the same file again adds nothing. A detail that is
    not there at all says nothing; an empty one says that there is none.
    """
    faults = list[Fault]()
    texts = {name: clean(said.get(name, "")) for name in COLUMNS}
    kind, day = texts["kind"].casefold(), read_day(texts["day"])
    if kind not in KINDS:
        faults.append(("kind", f"{texts['kind'][:24]!r} must be one of {', '.join(KINDS)}"))
    if day is None or not FIRST <= day <= LAST:
        faults.append(("day", f"{texts['day'][:20]!r} is no day as 2025-03-07"))
    at = read_time(texts["time"])
    if texts["time"] and at is None:
        faults.append(("time", f"{texts['time'][:10]!r} is no time as 09:30"))
    if texts["amount"] and not _AMOUNT.fullmatch(texts["amount"]):
        faults.append(("amount", f"{texts['amount'][:20]!r} is no amount as 1280.50"))
    limits = {"ref": REF_LIMIT, "department": DEPARTMENT_LIMIT, "merchant": MERCHANT_LIMIT}
    for name, limit in limits.items():
        if len(texts[name]) > limit:
            faults.append((name, f"it is longer than {limit} characters"))
    staff = _staff(texts["staff"], faults)
    cancelled = MARKS_SAID.get(texts["cancelled"].casefold())
    if cancelled is None:
        faults.append(("cancelled", f"{texts['cancelled'][:20]!r} is neither yes nor no"))
    if faults or day is None:
        return None, faults
    return EventEntry(
        kind=kind,
        day=day,
        ref=texts["ref"] or day.isoformat(),
        time=at,
        staff=staff,
        amount=Decimal(texts["amount"]).quantize(_CENT) if texts["amount"] else None,
        department=texts["department"],
        cancelled=bool(cancelled),
        merchant=texts["merchant"],
        untold=frozenset(name for name in DETAILS if name not in said),
    ), []


def _staff(text: str, faults: list[Fault]) -> dict[str, str]:
    found = dict[str, str]()
    for part in filter(None, map(str.strip, re.split("[;；]", text))):
        role, _, name = (one.strip() for one in part.partition("="))
        role = role.casefold()
        if not ROLE.fullmatch(role) or not name or len(name) > STAFF_LIMIT or role in found:
            faults.append(("staff", f"{part[:40]!r} is none as stylist=Anna, each role once"))
        else:
            found[role] = name
    if len(found) > STAFF_MOST:
        faults.append(("staff", f"it names more than {STAFF_MOST} roles"))
    elif len(json.dumps(found, ensure_ascii=False)) > STAFF_TEXT_MOST:
        faults.append(("staff", "its names are too long"))
    return found


def staff_text(staff: Mapping[str, str]) -> str:
    """Write who served a customer as it is read."""
    return "; ".join(f"{role}={name}" for role, name in staff.items())
