"""Tapes of a real Asterisk, read through the code of the live link."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cti.calls.book import Book, trunk_matcher
from cti.calls.effects import Close, Effect
from cti.calls.record import CallId, CallRecord
from cti.clock import SetClock
from cti.house import House
from cti.pbx.aside import SetAside
from cti.pbx.events import Event
from cti.pbx.reader import Reader, sound
from cti.pbx.translate import translate, wanted

TRACES = Path(__file__).parents[1] / "traces"
TRUNKS = ["PJSIP/trunk*"]
HOUSE = House()
TAPES = sorted(TRACES.glob("*.ami"))


def new_book(house: House = HOUSE, trunks: Sequence[str] = TRUNKS) -> Book:
    """A book whose call ids count from 1."""
    numbers = itertools.count(1)
    return Book(lambda: f"call-{next(numbers)}", trunk_matcher(trunks), house)


def events_of(data: bytes) -> list[Event]:
    """The events of a stream, in its order."""
    aside = SetAside("tape", SetClock(datetime(2026, 1, 1, tzinfo=UTC)))
    reader = Reader(aside, wanted=wanted)
    told = (translate(frame) for frame in sound(reader.feed(data), aside))
    return [event for event in told if event is not None]


@cache
def tape(name: str) -> tuple[Event, ...]:
    """The events of a tape by its name without suffix."""
    return tuple(events_of((TRACES / f"{name}.ami").read_bytes()))


def closed(effects: Iterable[Effect]) -> list[CallRecord]:
    """The records of calls that are over."""
    return [effect.record for effect in effects if isinstance(effect, Close)]


def told(events: Iterable[Event], book: Book | None = None) -> list[CallRecord]:
    """What a book makes of events, once the stream is at its end; without ids of ours."""
    book = book or new_book()
    records: list[CallRecord] = []
    for event in events:
        records += closed(book.hear(event))
    records += closed(book.settle())
    plain = [replace(r, id=CallId(""), legs=tuple(sorted(r.legs))) for r in records]
    return sorted(plain, key=lambda r: (r.began is not None, r.began or r.seen_at, r.channel))
