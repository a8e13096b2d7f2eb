"""What may stand behind a key of a house file? Asks for each kind of value, notes what is wrong.

A finding is a code with facts; its sentence stands in the catalogue (`policy.why.CODE`), so that
the page can say it in every language and `cti house check` in English.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeVar

from cti.calendar import Span
from cti.house import House, Lapse, WorkingDays
from cti.web.words import Words

DAY: Final = 24 * 60
ID: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
ENTRIES: Final = 500
"""So many entries a list may have."""
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DURATION = re.compile(r"(0|[1-9][0-9]{0,5})([a-z]{1,2})")
_MONEY = re.compile(r"(0|[1-9][0-9]{0,6})\.[0-9]{2}")
_UNITS: Final[Mapping[str, timedelta]] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: which key, and why (a code and its facts)."""

    key: str
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    near: str = ""
    """What was probably meant."""

    def line(self) -> str:
        """Say it in one line of English."""
        why = words().say("en", f"policy.why.{self.code}", **self.facts)
        if self.near:
            why += words().say("en", "policy.near", near=self.near)
        return f"{self.key}: {why}" if self.key else why


@dataclass(slots=True)
class Reading:
    """A file half read: what was found so far."""

    house: House = field(default_factory=House)
    findings: list[Finding] = field(default_factory=list)
    later: tuple[str, ...] = ()
    """Sections that are there and not read by this version."""

    def wrong(self, key: str, code: str, near: str = "", /, **facts: Any) -> None:
        """Note a finding."""
        self.findings.append(Finding(key, code, facts, near))


@lru_cache(maxsize=1)
def words() -> Words:
    """Give the catalogues in which findings and cautions are said."""
    return Words()


class Keys:
    """The keys of one section, each asked for by its kind; what nobody asked for is unknown."""

    def __init__(self, reading: Reading, section: str, table: Mapping[str, Any]) -> None:
        self.reading, self.section, self.table = reading, section, table
        self._asked: set[str] = set()

    def wrong(self, key: str, code: str, near: str = "", /, **facts: Any) -> None:
        """Note what is wrong with a key of this section."""
        name = ".".join(part for part in (self.section, plain(key)) if part)
        self.reading.wrong(name, code, near, **facts)

    def take(self, key: str) -> Any:
        """Give a value as it stands, None when it is not there."""
        self._asked.add(key)
        return self.table.get(key)

    def refuse_unknown(self, also: Collection[str] = ()) -> None:
        """Note every key that nobody asked for."""
        known = self._asked | set(also)
        unknown(self.reading, f"{self.section}.", self.table, known, "no_key")

    # -- single values

    def text(
        self,
        key: str,
        default: str | None,
        fits: Callable[[str], bool] = bool,
        code: str = "text",
        near: Callable[[], Iterable[str]] = tuple,
        **facts: Any,
    ) -> str:
        """Give a text that fits; `default` None means that the key is required."""
        value = self.take(key)
        if value is None:
            if default is None:
                self.wrong(key, "required")
            return default or ""
        if isinstance(value, str) and fits(value):
            return value
        self.wrong(key, code, hint(value, near()), said=show(value), **facts)
        return default or ""

    def line(self, key: str, default: str = "", most: int = 80) -> str:
        """Give one line of text, or none."""
        return self.text(
            key,
            default,
            lambda text: len(text) <= most and (text.isprintable() or not text),
            "line",
            most=most,
        )

    def id(self, key: str, default: str | None = None) -> str:
        """Give a short name."""
        return self.text(key, default, lambda text: ID.fullmatch(text) is not None, "id")

    def one_of(self, key: str, default: str | None, choices: Sequence[str]) -> str:
        """Give one of a few words."""
        return self.text(
            key,
            default,
            lambda text: text in choices,
            "one_of",
            lambda: choices,
            words=", ".join(one or '""' for one in choices),
        )

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """Give a whole number within bounds."""
        value = self.take(key)
        if value is None:
            return default
        if is_whole(value) and least <= value <= most:
            return int(value)
        self.wrong(key, "whole", least=least, most=most, said=show(value))
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Give true or false."""
        value = self.take(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.wrong(key, "flag", said=show(value))
        return default

    def money(self, key: str, default: Decimal | None) -> Decimal:
        """Give an amount, not negative; `default` None means that the key is required."""
        value = self.take(key)
        if isinstance(value, str) and _MONEY.fullmatch(value):
            return Decimal(value)
        if value is not None:
            self.wrong(key, "money", said=show(value))
        elif default is None:
            self.wrong(key, "required")
        return default or Decimal("0.00")

    def duration(self, key: str, default: timedelta, least: str, most: str) -> timedelta:
        """Give a length of time within bounds, in s, m, h, d or w."""
        value = self.take(key)
        if value is None:
            return default
        found = _duration(value)
        if found is not None and _span_of(least) <= found <= _span_of(most):
            return found
        self.wrong(key, "duration", least=least, most=most, said=show(value))
        return default

    def lapse(self, key: str, default: Lapse) -> Lapse:
        """Give a length of time up to a year, in h, d, w or working days (`wd`)."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
            count, unit = int(match[1]), match[2]
            if unit == "wd" and 1 <= count <= 250:
                return WorkingDays(days=count)
            found = _duration(value)
            if found is not None and _span_of("1h") <= found <= _span_of("366d"):
                return found
        self.wrong(key, "lapse", said=show(value))
        return default

    def day(self, key: str) -> date | None:
        """Give a date, or none."""
        value = self.take(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        self.wrong(key, "date", said=show(value))
        return None

    def share(self, key: str, default: Decimal) -> Decimal:
        """Give a part of one, from 0 to 1."""
        value = self.take(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return Decimal(str(value))
        self.wrong(key, "share", said=show(value))
        return default

    def clock(self, key: str, default: time | None = None) -> time:
        """Give a time of day; `default` None means that the key is required."""
        value = self.take(key)
        if isinstance(value, str) and value != "24:00" and _CLOCK.fullmatch(value):
            return _time(value)
        if value is not None:
            self.wrong(key, "clock", said=show(value))
        elif default is None:
            self.wrong(key, "required")
        return default or time()

    # -- several values

    def texts(
        self,
        key: str,
        default: tuple[str, ...],
        fits: Callable[[str], bool],
        code: str,
        near: Sequence[str] = (),
        **facts: Any,
    ) -> tuple[str, ...]:
        """Give a list of texts that fit, none of them twice."""
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, list) or len(value) > ENTRIES:
            self.wrong(key, "list", said=show(value))
            return default
        found: list[str] = []
        for one in value:
            if not (isinstance(one, str) and fits(one)):
                self.wrong(key, code, hint(one, near), said=show(one), **facts)
            elif one in found:
                self.wrong(key, "twice", said=show(one))
            else:
                found.append(one)
        return tuple(found)

    def some_of(
        self, key: str, default: tuple[str, ...], choices: Sequence[str]
    ) -> tuple[str, ...]:
        """Give some of a few words."""
        return self.texts(
            key,
            default,
            lambda text: text in choices,
            "one_of",
            choices,
            words=", ".join(choices),
        )

    def spans(self, key: str, default: tuple[Span, ...], *, same_day: bool) -> tuple[Span, ...]:
        """Give windows of each day that do not overlap."""
        value = self.take(key)
        if value is None:
            return default
        found = windows(self, key, value)
        for span in found:
            if same_day:
                self.refuse_night(key, span)
        self.refuse_overlaps(key, found)
        return found

    def refuse_night(self, key: str, span: Span) -> None:
        """Note a window that ends the next day."""
        start, end = span
        if minute(start) + length(start, end) > DAY:
            self.wrong(key, "over_midnight", start=f"{start:%H:%M}", end=f"{end:%H:%M}")

    def refuse_overlaps(self, key: str, spans: Iterable[Span]) -> None:
        """Note windows of one day that overlap; one over midnight reaches into the morning."""
        placed = sorted((minute(start), minute(start) + length(start, end)) for start, end in spans)
        if len(placed) > 1:
            placed.append((placed[0][0] + DAY, placed[0][1] + DAY))
        for (start, end), (begin, _end) in pairwise(placed):
            if begin < end:
                self.wrong(key, "overlap", start=label(start), end=label(end), other=label(begin))

    # -- tables

    def inner(self, key: str, example: str) -> "Keys":
        """Give the keys of an inline table; it is empty when it is not there."""
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.wrong(key, "table", example=example, said=show(value))
        table = value if isinstance(value, dict) else {}
        return Keys(self.reading, f"{self.section}.{key}", table)

    def tables(self, key: str, example: str) -> "list[Keys] | None":
        """Give the keys of each table of a list, named by place; None when it is not there."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > ENTRIES:
            self.wrong(key, "tables", example=example, said=show(value))
            return None
        found = list[Keys]()
        for place, one in enumerate(value, start=1):
            if isinstance(one, dict):
                found.append(Keys(self.reading, f"{self.section}.{key}[{place}]", one))
            else:
                self.wrong(f"{key}[{place}]", "table", example=example, said=show(one))
        return found

    def by_id(
        self,
        key: str,
        example: str,
        defaults: Mapping[str, T],
        read: "Callable[[Keys, str, T | None], T]",
    ) -> dict[str, T]:
        """Merge the tables of a list by `id` over the defaults, and drop those in `disable`."""
        found = dict(defaults)
        given = set[str]()
        for keys in self.tables(key, example) or ():
            name = keys.id("id")
            if name in given:
                keys.wrong("id", "twice", said=show(name))
            elif name:
                given.add(name)
                keys.section = f"{self.section}.{key}.{name}"
                found[name] = read(keys, name, defaults.get(name))
                keys.refuse_unknown()
        for name in self.texts("disable", (), bool, "text"):
            if name in given:
                self.wrong("disable", "given_and_disabled", said=show(name))
            elif found.pop(name, None) is None:
                self.wrong("disable", "no_such", hint(name, defaults), said=show(name))
        return found


def unknown(
    reading: Reading, prefix: str, table: Mapping[str, Any], known: Iterable[str], code: str
) -> None:
    """Note each key of a table that is not known."""
    known = sorted(known)
    for key in table:
        if key not in known:
            reading.wrong(f"{prefix}{plain(key)}", code, hint(key, known))


def windows(keys: Keys, key: str, value: Any) -> tuple[Span, ...]:
    """Give the windows of a list; what is none is noted."""
    if not isinstance(value, list) or len(value) > ENTRIES:
        keys.wrong(key, "windows", said=show(value))
        return ()
    return tuple(span for window in value if (span := span_of(keys, key, window)))


def span_of(keys: Keys, key: str, window: Any) -> Span | None:
    """Give one window; what is none is noted."""
    if (
        not isinstance(window, list)
        or len(window) != 2
        or not all(isinstance(end, str) and _CLOCK.fullmatch(end) for end in window)
        or window[0] == "24:00"
    ):
        keys.wrong(key, "window", said=show(window))
        return None
    if window[0] == window[1]:
        keys.wrong(key, "window_empty", said=show(window))
        return None
    return _time(window[0]), _time(window[1])


def minute(at: time) -> int:
    """Give the minutes since midnight."""
    return at.hour * 60 + at.minute


def length(start: time, end: time) -> int:
    """Give the minutes of a window; one that ends where it begins lasts a day."""
    return (minute(end) - minute(start)) % DAY or DAY


def label(minutes: int) -> str:
    """Write minutes since midnight as a time of day."""
    return f"{minutes % DAY // 60:02}:{minutes % 60:02}"


def hint(value: Any, near: Iterable[str]) -> str:
    """Give what was probably meant, or nothing."""
    if not isinstance(value, str):
        return ""
    same = {word.casefold(): word for word in near}
    found = get_close_matches(value.casefold()[:64], same, n=1)
    return same[found[0]] if found else ""


def show(value: Any) -> str:
    """Write a value in at most 60 printable characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def plain(key: str) -> str:
    """Write a key so that it can be printed."""
    return key if key.isprintable() and len(key) <= 60 else show(key)


def _time(text: str) -> time:
    hours, minutes = text.split(":")
    return time(int(hours) % 24, int(minutes))


def _duration(value: Any) -> timedelta | None:
    if not isinstance(value, str) or not (match := _DURATION.fullmatch(value)):
        return None
    unit = _UNITS.get(match[2])
    return int(match[1]) * unit if unit is not None else None


def _span_of(text: str) -> timedelta:
    found = _duration(text)
    assert found is not None, text  # noqa: S101  bounds are our own words
    return found
