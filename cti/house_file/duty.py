"""Sections `[shifts]` and `[line_test]`: who works when, and who tests the lines."""

import re
from collections.abc import Mapping
from datetime import time
from typing import Final

from cti.calendar import Span
from cti.house import (
    SHIFTS,
    WEEKDAYS,
    DueTest,
    LineTestRules,
    ShiftRules,
    ShiftType,
    TestedLine,
)
from cti.house_file.keys import Keys, hint, show, span_of

_TYPE: Final = '{ id = "early", time = ["08:15", "17:15"], relieved_by = "late" }'
_TEST: Final = '{ shift = "early", by = "10:00" }'
_CONTACT: Final = '{ role = "exchange_room", number = "" }'
_LINE: Final = '{ trunk = "PJSIP/trunk", dial = "02161234567", arrives_at = "61234567" }'
_NUMBER = re.compile(r"|\+?[0-9][0-9 -]{1,30}")
_WORD = re.compile(r"|[A-Za-z0-9_.@/+*#-]{1,80}")


def shifts(keys: Keys) -> ShiftRules:
    """Read `[shifts]`."""
    plain = ShiftRules()
    types = keys.by_id("types", _TYPE, SHIFTS, _type)
    _refuse_bad_relief(keys, types)
    cleaning = keys.inner("cleaning", '{ daily = "late", weekly = "fri" }')
    weekly = cleaning.one_of("weekly", plain.cleaning_weekly, ("", *WEEKDAYS))
    daily = cleaning.line("daily", plain.cleaning_daily)
    if daily and daily not in types:
        cleaning.wrong("daily", "no_shift", hint(daily, types), said=show(daily))
    cleaning.refuse_unknown()
    return ShiftRules(
        types=types,
        arrive_before=keys.duration("arrive_before", plain.arrive_before, "0s", "2h"),
        min_staff=keys.whole("min_staff", plain.min_staff, 0, 1000),
        meal_windows=keys.spans("meal_windows", plain.meal_windows, same_day=False),
        stay_until_relieved=keys.flag("stay_until_relieved", default=plain.stay_until_relieved),
        leave_post_needs_approval=keys.flag(
            "leave_post_needs_approval", default=plain.leave_post_needs_approval
        ),
        swaps_per_month=keys.whole("swaps_per_month", plain.swaps_per_month, 0, 31),
        swap_on_holidays=keys.flag("swap_on_holidays", default=plain.swap_on_holidays),
        leave_on_swapped=keys.one_of(
            "leave_on_swapped", plain.leave_on_swapped, ("absence", "allowed")
        ),
        chat_seats=keys.whole("chat_seats", plain.chat_seats, 0, 1000),
        cleaning_daily=daily,
        cleaning_weekly=weekly,
    )


def _type(keys: Keys, name: str, plain: ShiftType | None) -> ShiftType:
    span = _shift_time(keys, plain)
    return ShiftType(
        id=name,
        start=span[0],
        end=span[1],
        relieved_by=keys.line("relieved_by", plain.relieved_by if plain else ""),
    )


def _shift_time(keys: Keys, plain: ShiftType | None) -> Span:
    value = keys.take("time")
    if value is None:
        if plain:
            return plain.start, plain.end
        keys.wrong("time", "required")
        return time(), time()
    return span_of(keys, "time", value) or (time(), time())


def _refuse_bad_relief(keys: Keys, types: Mapping[str, ShiftType]) -> None:
    """Note a reliever that is none, and shifts that wait for each other in a circle."""
    told = set[str]()
    for one in types.values():
        if one.relieved_by and one.relieved_by not in types:
            near = hint(one.relieved_by, types)
            key = f"types.{one.id}.relieved_by"
            keys.wrong(key, "no_shift", near, said=show(one.relieved_by))
            continue
        circle = _circle(one, types)
        if circle and not told & set(circle):
            told |= set(circle)
            keys.wrong(f"types.{one.id}.relieved_by", "circle", circle=" → ".join(circle))


def _circle(one: ShiftType, types: Mapping[str, ShiftType]) -> list[str]:
    """Give the way from a shift back to itself, or nothing."""
    way, after = [one.id], one.relieved_by
    while after in types and after not in way:
        way.append(after)
        after = types[after].relieved_by
    return [*way, after] if after == one.id else []


def line_test(keys: Keys, types: Mapping[str, ShiftType]) -> LineTestRules:
    """Read `[line_test]`; its tests belong to shifts of the house."""
    plain = LineTestRules()
    return LineTestRules(
        tests=_tests(keys, plain.tests, types),
        automatic=keys.flag("automatic", default=plain.automatic),
        contacts=_contacts(keys, plain.contacts),
        detection_limit=keys.duration("detection_limit", plain.detection_limit, "1m", "24h"),
        arrive_within=keys.duration("arrive_within", plain.arrive_within, "5s", "2m"),
        bill_reminder_day=keys.whole("bill_reminder_day", plain.bill_reminder_day, 1, 28),
        lines=_lines(keys),
    )


def _tests(
    keys: Keys, default: tuple[DueTest, ...], types: Mapping[str, ShiftType]
) -> tuple[DueTest, ...]:
    given = keys.tables("tests", _TEST)
    found = list(default)
    if given is not None:
        found = []
        for inner in given:
            test = DueTest(shift=inner.id("shift"), by=inner.clock("by"))
            inner.refuse_unknown()
            if test in found:
                inner.wrong("", "twice", said=f"{test.shift} {test.by:%H:%M}")
            found.append(test)
    for shift in dict.fromkeys(test.shift for test in found if test.shift):
        if shift not in types:
            keys.wrong("tests", "no_shift", hint(shift, types), said=show(shift))
    return tuple(found)


def _contacts(keys: Keys, default: Mapping[str, str]) -> Mapping[str, str]:
    given = keys.tables("contacts", _CONTACT)
    if given is None:
        return default
    found = dict(default)
    seen = set[str]()
    for inner in given:
        role = inner.id("role")
        number = inner.text(
            "number", "", lambda text: _NUMBER.fullmatch(text) is not None, "number"
        )
        inner.refuse_unknown()
        if role in seen:
            inner.wrong("role", "twice", said=show(role))
        elif role:
            seen.add(role)
            found[role] = number
    return found


def _lines(keys: Keys) -> tuple[TestedLine, ...]:
    found = list[TestedLine]()
    for inner in keys.tables("lines", _LINE) or ():
        words = {
            key: inner.text(key, "", lambda text: _WORD.fullmatch(text) is not None, "word")
            for key in ("trunk", "dial", "arrives_at")
        }
        inner.refuse_unknown()
        line = TestedLine(**words)
        if not any(words.values()):
            continue
        for key, value in words.items():
            if not value and not inner.table.get(key):
                inner.wrong(key, "required")
        if line in found:
            inner.wrong("", "twice", said=line.dial)
        found.append(line)
    return tuple(found)
