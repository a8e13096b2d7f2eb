"""Is a visit's record whole, is the visit effective, and what does it leave to do? Pure.

V9: a visit is not done with a required field empty, or without a linked recording or an
explained gap where recording is on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cti.errors import Refused
from cti.house import House
from cti.people.rules import checked_text
from cti.results import forms
from cti.results.forms import Answers, Form, Wrong
from cti.results.record import OpinionKind, Promise, WorkKind
from cti.value import value
from cti.visits.record import PROMISE_RULE, Kind, Owed, Visit, Wishes

NOTE_LIMIT: Final = 500
TEXT_LIMIT: Final = 1000
PLACE_LIMIT: Final = 120
OPINIONS: Final = 8
"""So many items are written down in one record."""
PROMISE_AHEAD: Final = timedelta(days=366)

Said = Mapping[str, Sequence[str]]
"""What a page sent: each field with its values."""


@value
class Item:
    """One opinion as somebody wrote it down."""

    kind: OpinionKind
    text: str
    department: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the agent wrote down of a visit that was made."""

    answers: Answers
    satisfaction: str | None
    identity: bool
    items: tuple[Item, ...]
    promise: tuple[str, datetime] | None
    place: str
    note: str
    gap: str


def first(said: Said, name: str) -> str:
    """Give the first value of a field; empty: there is none."""
    return next(iter(said.get(name, ())), "").strip()


def local_time(text: str, zone: ZoneInfo) -> datetime | None:
    """Read an instant as a page sends it, `2026-03-02T10:30` by a wall clock; None: none was said.

    Raises `Refused` (visit_time).
    """
    if not text:
        return None
    try:
        naive = datetime.strptime(text[:16], "%Y-%m-%dT%H:%M")  # noqa: DTZ007  the zone follows
        return naive.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        raise Refused("visit_time", "a day and a time, as 2026-03-02T10:30") from fault


def zone_of(wishes: Wishes, house: House) -> ZoneInfo:
    """Give the zone in which a customer names a time: his own, else the house's."""
    return ZoneInfo(wishes.zone) if wishes.zone else house.zone


def heard(form: Form, said: Said, zone: ZoneInfo, now: datetime) -> Heard:
    """Read what an agent wrote down.

    Raises `Refused`: visit_fields (with what is `wrong`), visit_opinions, visit_promise,
    visit_time, visit_time_past, visit_time_far, bad_text.
    """
    answered = {
        name.removeprefix("answer_"): values
        for name, values in said.items()
        if name.startswith("answer_")
    }
    answers, wrong = forms.check(form, answered)
    if wrong:
        raise not_whole(wrong)
    return Heard(
        answers=answers,
        satisfaction=forms.satisfaction(form, answers),
        identity=bool(first(said, "identity")),
        items=_items(said),
        promise=_promise(said, zone, now),
        place=checked_text("place", first(said, "place"), PLACE_LIMIT),
        note=checked_text("note", first(said, "note"), NOTE_LIMIT),
        gap=checked_text("gap", first(said, "gap"), NOTE_LIMIT),
    )


def not_whole(wrong: Sequence[Wrong]) -> Refused:
    """Say which fields keep a record from being whole."""
    return Refused(
        "visit_fields",
        "the record is not whole",
        n=len(wrong),
        wrong={one.field: one.code for one in wrong},
    )


def _items(said: Said) -> tuple[Item, ...]:
    texts, kinds = said.get("opinion_text", ()), said.get("opinion_kind", ())
    departments = said.get("opinion_department", ())
    found = list[Item]()
    for n, text in enumerate(texts):
        if not text.strip():
            continue
        kind = kinds[n] if n < len(kinds) else ""
        if kind not in list(OpinionKind) or len(found) >= OPINIONS:
            raise Refused("visit_opinions", "say what each item is", n=OPINIONS)
        department = departments[n] if n < len(departments) else ""
        found.append(
            Item(
                kind=OpinionKind(kind),
                text=checked_text("opinion", text, TEXT_LIMIT),
                department=checked_text("department", department, 64),
            )
        )
    return tuple(found)


def _promise(said: Said, zone: ZoneInfo, now: datetime) -> tuple[str, datetime] | None:
    text = checked_text("promise", first(said, "promise_text"), TEXT_LIMIT)
    at = local_time(first(said, "promise_at"), zone)
    if not text and at is None:
        return None
    if not text or at is None:
        raise Refused("visit_promise", "say what is promised, and until when")
    if at <= now:
        raise Refused("visit_time_past", "this time has passed")
    if at > now + PROMISE_AHEAD:
        raise Refused("visit_time_far", "a time within a year")
    return text, at


def check_recording(house: House, channel: str, *, recorded: bool, gap: str) -> None:
    """Refuse a record without a recording that nobody explains: visit_recording (V9)."""
    rules = house.recordings
    wanted = rules.required and "outbound" in rules.directions and channel == "phone"
    if wanted and not recorded and not gap:
        raise Refused("visit_recording", "no recording is linked: wait for it, or say why")


def is_effective(house: House, what: Heard, *, talk: timedelta | None, recorded: bool) -> bool:
    """Tell whether a visit is an effective one (有效回訪, requirement 21.2).

    Connected for long enough, identity confirmed, satisfaction and comment filled in, recorded.
    """
    return (
        talk is not None
        and talk >= house.visits.min_talk
        and what.identity
        and what.satisfaction is not None
        and bool(what.answers.get("opinion"))
        and recorded
    )


def follow_ups(what: Heard) -> tuple[WorkKind, ...]:
    """Say what a visit leaves to do by what was heard (CB-30, CB-32)."""
    found = [WorkKind.FOLLOW_UP] if what.satisfaction == "dissatisfied" else []
    if any(one.kind is OpinionKind.COMPLAINT for one in what.items):
        found.append(WorkKind.COMPLAINT)
    return tuple(found)


def owed_by(promise: Promise, visit: Visit, house: House) -> Owed:
    """Give the visit that keeps a promise at the time that the customer knows (CB-11)."""
    local = promise.at.astimezone(house.zone)
    return Owed(
        kind=Kind.PROMISE,
        origin=promise.origin,
        customer=promise.customer,
        rule=PROMISE_RULE,
        purpose="service",
        period=f"{local:%Y-%m}",
        from_at=promise.made_at,
        due_at=promise.at + house.visits.appointment_tolerance,
        give_up_at=promise.at + house.visits.give_up_after,
        zone=visit.zone,
        department=visit.department,
        script=visit.script,
        owner=promise.agent,
        appointment_at=promise.at,
    )


Span = tuple[datetime, datetime]


def week_of(day: date, zone: ZoneInfo) -> Span:
    """Give the calendar week of a day, Monday to Monday."""
    monday = day - timedelta(days=day.weekday())
    return _midnight(monday, zone), _midnight(monday + timedelta(weeks=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
