"""What are the house's rules? Reads the house file (TOML) and says everything that is wrong.

Every finding names the key and the reason; all are said at once. A key that nobody reads is
refused: a typo must not become a silent default. Keys and defaults: requirement section 23.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from cti.calls.rings import CYCLES, RingRules
from cti.errors import HouseError
from cti.house import WEEKDAYS, CallLimit, House, HouseCard, Span

READ: Final = ("house", "hours", "ring", "call_limits")
LATER: Final = (
    "inbound",
    "penalties",
    "line_test",
    "shifts",
    "visits",
    "dialing",
    "cases",
    "complaints",
    "orders",
    "assessment",
    "reports",
    "recordings",
    "customers",
)
"""Sections whose keys only a later version reads and checks."""

BUSINESSES: Final = (
    "hotel",
    "photo_studio",
    "car_dealer",
    "restaurant_booking",
    "property",
    "investment",
    "retail",
    "general",
)
LOCALES: Final = ("zh-Hans", "zh-Hant", "en")
SIZE_LIMIT: Final = 1_000_000
DAY: Final = 24 * 60
DEFAULT_HOURS: Final[Mapping[str, tuple[Span, ...]]] = {"default": ((time(8, 15), time(22)),)}
DEFAULT_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "enquiry": (180, 300),
    "booking_clear": (60, 180),
    "order_entry": (60, 120),
    "return_visit": (180, 300),
    "feedback": (180, 300),
}
_ID = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_JURISDICTION = re.compile(r"|[A-Z]{2}(-[A-Z0-9]{1,3})?")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: which key, and why."""

    key: str
    why: str

    def line(self) -> str:
        """Say it in one line."""
        return f"{self.key}: {self.why}" if self.key else self.why


@dataclass(slots=True)
class Reading:
    """A file half read: what was found so far."""

    house: House = field(default_factory=House)
    findings: list[Finding] = field(default_factory=list)
    later: tuple[str, ...] = ()
    """Sections that are there and not read by this version."""

    def wrong(self, key: str, why: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(key, why))


def read(path: Path) -> House:
    """Read a house file. Raises `HouseError` with every finding (file, key, why)."""
    return parse(_load(path), str(path))


def parse(content: bytes, name: str = "house file") -> House:
    """Read the content of a house file. Raises `HouseError` with every finding."""
    reading = examine(content)
    if reading.findings:
        raise _error(name, reading.findings)
    return reading.house


def check_lines(path: Path) -> list[str]:
    """Say in lines what a good house file holds. Raises `HouseError` for one that is not."""
    content = _load(path)
    house = parse(content, str(path))
    lines = [
        f"{path}: good (house {house.card.id}, {house.card.name}, version {house.version[:12]})",
        f"  {house.card.business}, {house.card.timezone}, {house.card.locale}, "
        f"{house.card.currency}, numbers of {house.card.country}",
        f"  a ring lasts {house.ring.cycle.total_seconds():g} s; answered within "
        f"{house.ring.standard} rings; apology from ring {house.ring.apologise_from}",
    ]
    if house.effective_from:
        lines.append(f"  in force from {house.effective_from}")
    if later := examine(content).later:
        lines.append(
            "  read by a later version, NOT checked and without effect now: " + ", ".join(later)
        )
    return lines


def examine(content: bytes) -> Reading:
    """Read what can be read and note all that is wrong. Raises nothing."""
    reading = Reading()
    try:
        tables = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        reading.wrong("", f"byte {fault.start} is no UTF-8: save the file as UTF-8")
    except RecursionError:
        reading.wrong("", "values are nested too deep")
    except ValueError as fault:
        reading.wrong("", f"not valid TOML: {fault}")
    else:
        _sections(reading, tables)
        reading.house = replace(reading.house, version=hashlib.sha256(content).hexdigest())
    return reading


def _load(path: Path) -> bytes:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise _error(str(path), [Finding("", f"larger than {SIZE_LIMIT} bytes")])
        return path.read_bytes()
    except OSError as fault:
        raise HouseError(
            f"house file {path}: cannot be read: {fault.strerror}",
            "name a house file that is there; config/houses/ holds seven to start from",
            code="house_missing",
        ) from fault


def _error(name: str, findings: Sequence[Finding]) -> HouseError:
    lines = "".join(f"\n  {name}: {finding.line()}" for finding in findings)
    things = "one thing is" if len(findings) == 1 else f"{len(findings)} things are"
    return HouseError(
        f"house file {name}: {things} wrong{lines}",
        f"mend the file, then run: cti house check {name}",
        findings=findings,
    )


def _sections(reading: Reading, tables: Mapping[str, Any]) -> None:
    known = {"schema", "effective_from", *READ, *LATER}
    _unknown(reading, "", tables, known, "section")
    if tables.get("schema", 1) != 1 or isinstance(tables.get("schema"), bool):
        reading.wrong("schema", f"this cti reads schema 1, not {_show(tables['schema'])}")
    for name in (*READ, *LATER):
        if not isinstance(tables.get(name, {}), dict):
            reading.wrong(name, f"must be a section [{name}], not {_show(tables[name])}")
            tables = {**tables, name: {}}
    keys = {name: Keys(reading, name, tables.get(name, {})) for name in READ}
    if "house" not in tables:
        reading.wrong("house", "the section [house] is missing")
    reading.house = House(
        card=_card(keys["house"]),
        hours=_hours(keys["hours"]),
        ring=_ring(keys["ring"]),
        limits=_limits(keys["call_limits"]),
        overrun_needs_reason=keys["call_limits"].flag("overrun_needs_reason", default=True),
        effective_from=_effective(reading, tables.get("effective_from")),
    )
    for section in keys.values():
        section.refuse_unknown()
    reading.later = tuple(name for name in LATER if name in tables)


def _effective(reading: Reading, value: Any) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    reading.wrong("effective_from", f"must be a date as 2025-01-31, not {_show(value)}")
    return None


class Keys:
    """The keys of one section, each asked for by its kind; what nobody asked for is unknown."""

    def __init__(self, reading: Reading, section: str, table: Mapping[str, Any]) -> None:
        self._reading, self._section, self._table = reading, section, table
        self._asked: set[str] = set()

    def wrong(self, key: str, why: str) -> None:
        """Note what is wrong with a key of this section."""
        self._reading.wrong(f"{self._section}.{key}", why)

    def take(self, key: str) -> Any:
        """Give a value as it stands, None when it is not there."""
        self._asked.add(key)
        return self._table.get(key)

    def text(
        self,
        key: str,
        default: str | None,
        fits: Callable[[str], bool] = bool,
        want: str = "must be a text",
        near: Callable[[], Iterable[str]] = tuple,
    ) -> str:
        """Give a text that fits; `default` None means that the key is required."""
        value = self.take(key)
        if value is None:
            if default is None:
                self.wrong(key, "is required")
            return default or ""
        if isinstance(value, str) and fits(value):
            return value
        self.wrong(key, f"{want}, not {_show(value)}{_hint(value, near())}")
        return default or ""

    def one_of(self, key: str, default: str, choices: Sequence[str]) -> str:
        """Give one of a few words."""
        want = f"must be one of {', '.join(choices)}"
        return self.text(key, default, lambda text: text in choices, want, lambda: choices)

    def whole(self, key: str, default: int, least: int, most: int, also: str = "") -> int:
        """Give a whole number within bounds."""
        value = self.take(key)
        if value is None:
            return default
        if _is_whole(value) and least <= value <= most:
            return int(value)
        want = f"must be a whole number from {least} to {most}{also}"
        self.wrong(key, f"{want}, not {_show(value)}")
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """Give true or false."""
        value = self.take(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.wrong(key, f"must be true or false, not {_show(value)}")
        return default

    def refuse_unknown(self) -> None:
        """Note every key that nobody asked for."""
        _unknown(self._reading, f"{self._section}.", self._table, self._asked, "key")


def _card(keys: Keys) -> HouseCard:
    plain = HouseCard()
    country, holidays_file = _holidays(keys)
    return HouseCard(
        id=keys.text(
            "id",
            None,
            lambda text: _ID.fullmatch(text) is not None,
            "must be 1 to 32 of a-z 0-9 _ -, a letter first",
        ),
        name=keys.text(
            "name",
            plain.name,
            lambda text: 0 < len(text) <= 80 and text.isprintable(),
            "must be a text of 1 to 80 characters",
        ),
        business=keys.one_of("business", plain.business, BUSINESSES),
        timezone=keys.text(
            "timezone", None, _is_zone, "must be a time zone as Asia/Taipei", available_timezones
        ),
        locale=keys.one_of("locale", plain.locale, LOCALES),
        currency=keys.text(
            "currency",
            plain.currency,
            lambda text: text in _currencies(),
            "must be a currency code in capitals, as CNY",
        ),
        jurisdiction=keys.text(
            "jurisdiction",
            plain.jurisdiction,
            lambda text: _JURISDICTION.fullmatch(text) is not None,
            'must be a country or province code as CN or CN-GD, or ""',
        ),
        country=country,
        holidays_file=holidays_file,
        lunar=keys.flag("lunar", default=plain.lunar),
        single_agent_owner_decides=keys.flag(
            "single_agent_owner_decides", default=plain.single_agent_owner_decides
        ),
    )


def _holidays(keys: Keys) -> tuple[str, str]:
    value = keys.take("holidays")
    if value is not None and not isinstance(value, dict):
        keys.wrong("holidays", f'must be {{ country = "CN", file = "" }}, not {_show(value)}')
    inner = Keys(keys._reading, "house.holidays", value if isinstance(value, dict) else {})
    country = inner.text(
        "country", HouseCard().country, _is_country, "must be a country code as CN"
    )
    file = inner.text("file", "", lambda _text: True)
    inner.refuse_unknown()
    return country, file


def _ring(keys: Keys) -> RingRules:
    plain = RingRules()
    cycle = keys.take("cycle_ms")
    if isinstance(cycle, str) and cycle in CYCLES:
        lasts = CYCLES[cycle]
    else:
        also = f", or one of {', '.join(CYCLES)}"
        lasts = timedelta(milliseconds=keys.whole("cycle_ms", 3000, 500, 20_000, also))
    clock = keys.one_of("clock", plain.clock, ("agent_ring", "customer_wait"))
    return RingRules(
        cycle=lasts,
        standard=keys.whole("max_rings", plain.standard, 1, 20),
        apologise_from=keys.whole("apology_from_ring", plain.apologise_from, 1, 50),
        clock="customer_wait" if clock == "customer_wait" else "agent_ring",
        short_abandon=timedelta(milliseconds=keys.whole("short_abandon_ms", 5000, 0, 60_000)),
    )


def _limits(keys: Keys) -> Mapping[str, CallLimit]:
    found: dict[str, CallLimit] = {}
    for purpose, default in DEFAULT_LIMITS.items():
        value = keys.take(purpose)
        pair = default
        if value is not None:
            if _is_limit(value):
                pair = (value[0], value[1])
            else:
                want = "must be [target, ceiling] in whole seconds, as [180, 300], target first"
                keys.wrong(purpose, f"{want}, not {_show(value)}")
        target, ceiling = pair
        found[purpose] = CallLimit(
            target=timedelta(seconds=target), ceiling=timedelta(seconds=ceiling)
        )
    return found


def _hours(keys: Keys) -> Mapping[str, tuple[Span, ...]]:
    found = dict(DEFAULT_HOURS)
    for day in ("default", *WEEKDAYS):
        if (value := keys.take(day)) is not None:
            found[day] = _day(keys, day, value)
    _refuse_overlaps(keys, found)
    return found


def _day(keys: Keys, day: str, value: Any) -> tuple[Span, ...]:
    if not isinstance(value, list):
        keys.wrong(day, f'must be a list of windows as [["08:15", "22:00"]], not {_show(value)}')
        return ()
    return tuple(span for window in value if (span := _span(keys, day, window)))


def _span(keys: Keys, day: str, window: Any) -> Span | None:
    if (
        not isinstance(window, list)
        or len(window) != 2
        or not all(isinstance(end, str) and _CLOCK.fullmatch(end) for end in window)
        or window[0] == "24:00"
    ):
        keys.wrong(day, f'a window is ["HH:MM", "HH:MM"], not {_show(window)}')
        return None
    if window[0] == window[1]:
        why = f'{_show(window)} begins and ends at once: the whole day is ["00:00", "24:00"]'
        keys.wrong(day, why)
        return None
    return _time(window[0]), _time(window[1])


def _time(text: str) -> time:
    hours, minutes = text.split(":")
    return time(int(hours) % 24, int(minutes))


def _refuse_overlaps(keys: Keys, hours: Mapping[str, tuple[Span, ...]]) -> None:
    """Lay a week's windows one after the other: one over midnight reaches into the next day."""
    windows = sorted(
        (place * DAY + _minute(start), place * DAY + _minute(start) + _length(start, end), day)
        for place, day in enumerate(WEEKDAYS)
        for start, end in hours.get(day, hours["default"])
    )
    if windows:
        first, last, day = windows[0]
        windows.append((first + 7 * DAY, last + 7 * DAY, day))
    told = set()
    for (start, end, day), (begin, _end, other) in pairwise(windows):
        key = day if day in hours else "default"
        if begin < end and (key, other in hours) not in told:
            told.add((key, other in hours))
            own = f"{_label(start)} to {_label(end)}"
            where = "" if day == other else f" of {other}"
            keys.wrong(key, f"the window {own} overlaps the one from {_label(begin)}{where}")


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _length(start: time, end: time) -> int:
    return (_minute(end) - _minute(start)) % DAY or DAY


def _label(minute: int) -> str:
    return f"{minute % DAY // 60:02}:{minute % 60:02}"


def _unknown(
    reading: Reading, prefix: str, table: Mapping[str, Any], known: Iterable[str], kind: str
) -> None:
    known = sorted(known)
    for key in table:
        if key not in known:
            reading.wrong(f"{prefix}{_plain(key)}", f"no such {kind}{_hint(key, known)}")


def _hint(value: Any, near: Iterable[str]) -> str:
    if not isinstance(value, str):
        return ""
    same = {word.casefold(): word for word in near}
    found = get_close_matches(value.casefold()[:64], same, n=1)
    return f"; did you mean {same[found[0]]}?" if found else ""


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _plain(key: str) -> str:
    return key if key.isprintable() and len(key) <= 60 else _show(key)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_limit(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(_is_whole(part) for part in value)
        and 0 < value[0] <= value[1] <= 4 * 3600
    )


def _is_zone(text: str) -> bool:
    try:
        return "/" in text and ZoneInfo(text).key == text
    except (ValueError, KeyError, OSError):  # a bad path, no such zone, a directory
        return False


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    from babel.numbers import list_currencies  # slow to load, and seldom asked

    return frozenset(list_currencies())


def _is_country(text: str) -> bool:
    from phonenumbers import SUPPORTED_REGIONS  # the region by which numbers are read

    return text in SUPPORTED_REGIONS
