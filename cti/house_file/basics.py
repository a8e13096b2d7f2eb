"""Sections `[house]`, `[hours]`, `[ring]`, `[call_limits]`: who the house is, when it is open."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from cti.calendar import Span
from cti.calls.rings import CYCLES, RingRules
from cti.house import WEEKDAYS, CallLimit, HouseCard
from cti.house_file.keys import DAY, Keys, is_whole, label, length, minute, show, windows

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
DEFAULT_HOURS: Final[Mapping[str, tuple[Span, ...]]] = {"default": ((time(8, 15), time(22)),)}
DEFAULT_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "enquiry": (180, 300),
    "booking_clear": (60, 180),
    "order_entry": (60, 120),
    "return_visit": (180, 300),
    "feedback": (180, 300),
}
_JURISDICTION = re.compile(r"|[A-Z]{2}(-[A-Z0-9]{1,3})?")
_PHONE = re.compile(r"|\+?[0-9][0-9 ()-]{1,30}")
_CSV = re.compile(r"|[A-Za-z0-9][A-Za-z0-9._-]{0,59}\.csv")


def is_csv_name(text: str) -> bool:
    """Tell whether a text names a list of days, or is empty."""
    return _CSV.fullmatch(text) is not None


def card(keys: Keys) -> HouseCard:
    """Read `[house]`."""
    plain = HouseCard()
    country, holidays_file = _holidays(keys)
    return HouseCard(
        id=keys.id("id"),
        name=keys.text(
            "name",
            plain.name,
            lambda text: 0 < len(text) <= 80 and text.isprintable(),
            "name",
        ),
        business=keys.one_of("business", plain.business, BUSINESSES),
        timezone=keys.text("timezone", None, _is_zone, "zone", available_timezones),
        locale=keys.one_of("locale", plain.locale, LOCALES),
        currency=keys.text(
            "currency", plain.currency, lambda text: text in _currencies(), "currency"
        ),
        jurisdiction=keys.text(
            "jurisdiction",
            plain.jurisdiction,
            lambda text: _JURISDICTION.fullmatch(text) is not None,
            "jurisdiction",
        ),
        country=country,
        holidays_file=holidays_file,
        lunar=keys.flag("lunar", default=plain.lunar),
        phone=keys.text(
            "phone", plain.phone, lambda text: _PHONE.fullmatch(text) is not None, "number"
        ),
        single_agent_owner_decides=keys.flag(
            "single_agent_owner_decides", default=plain.single_agent_owner_decides
        ),
    )


def _holidays(keys: Keys) -> tuple[str, str]:
    inner = keys.inner("holidays", '{ country = "CN", file = "" }')
    country = inner.text("country", HouseCard().country, _is_country, "country")
    file = inner.text("file", "", is_csv_name, "csv_name")
    inner.refuse_unknown()
    return country, file


def ring(keys: Keys) -> RingRules:
    """Read `[ring]`."""
    plain = RingRules()
    clock = keys.one_of("clock", plain.clock, ("agent_ring", "customer_wait"))
    return RingRules(
        cycle=_cycle(keys, plain.cycle),
        standard=keys.whole("max_rings", plain.standard, 1, 20),
        apologise_from=keys.whole("apology_from_ring", plain.apologise_from, 1, 50),
        clock="customer_wait" if clock == "customer_wait" else "agent_ring",
        short_abandon=timedelta(milliseconds=keys.whole("short_abandon_ms", 5000, 0, 60_000)),
    )


def _cycle(keys: Keys, default: timedelta) -> timedelta:
    value = keys.take("cycle_ms")
    if value is None:
        return default
    if isinstance(value, str) and value in CYCLES:
        return CYCLES[value]
    if is_whole(value) and 500 <= value <= 20_000:
        return timedelta(milliseconds=value)
    keys.wrong(
        "cycle_ms", "whole_or", least=500, most=20_000, words=", ".join(CYCLES), said=show(value)
    )
    return default


def limits(keys: Keys) -> Mapping[str, CallLimit]:
    """Read the purposes of `[call_limits]`."""
    found: dict[str, CallLimit] = {}
    for purpose, default in DEFAULT_LIMITS.items():
        value = keys.take(purpose)
        pair = default
        if value is not None:
            if _is_limit(value):
                pair = (value[0], value[1])
            else:
                keys.wrong(purpose, "limit", said=show(value))
        target, ceiling = pair
        found[purpose] = CallLimit(
            target=timedelta(seconds=target), ceiling=timedelta(seconds=ceiling)
        )
    return found


def hours(keys: Keys) -> Mapping[str, tuple[Span, ...]]:
    """Read `[hours]`."""
    found = dict(DEFAULT_HOURS)
    for day in ("default", *WEEKDAYS):
        if (value := keys.take(day)) is not None:
            found[day] = windows(keys, day, value)
    _refuse_overlaps(keys, found)
    return found


def _refuse_overlaps(keys: Keys, spans: Mapping[str, tuple[Span, ...]]) -> None:
    """Lay a week's windows one after the other: one over midnight reaches into the next day."""
    placed = sorted(
        (place * DAY + minute(start), place * DAY + minute(start) + length(start, end), day)
        for place, day in enumerate(WEEKDAYS)
        for start, end in spans.get(day, spans["default"])
    )
    if placed:
        first, last, day = placed[0]
        placed.append((first + 7 * DAY, last + 7 * DAY, day))
    told = set()
    for (start, end, day), (begin, _end, other) in pairwise(placed):
        key = day if day in spans else "default"
        if begin < end and (key, other in spans) not in told:
            told.add((key, other in spans))
            facts = {"start": label(start), "end": label(end), "other": label(begin)}
            if day == other:
                keys.wrong(key, "overlap", **facts)
            else:
                keys.wrong(key, "overlap_day", day=other, **facts)


def _is_limit(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(is_whole(part) for part in value)
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
