"""Sections `[inbound]`, `[visits]` (its windows) and `[dialing]`: when and how calls go out."""

import re
from collections.abc import Mapping
from typing import Final

from cti.house import REASONS, CallTimes, DialingRules, InboundRules
from cti.house_file.keys import Keys

DEPARTMENT_LIMIT: Final = 64
_PREFIX = re.compile(r"\+?[0-9]{1,15}")
_NUMBER = re.compile(r"|\+?[0-9]{2,20}")
_ENTRY = re.compile(r"[A-Za-z0-9_.@/+*#-]{1,80}")
_TRUNK = re.compile(r"[A-Za-z0-9_.@/+-]{1,80}")


def inbound(keys: Keys) -> InboundRules:
    """Read `[inbound]`."""
    plain = InboundRules()
    return InboundRules(
        long_distance_first=keys.flag("long_distance_first", default=plain.long_distance_first),
        chase_call_flag=keys.flag("chase_call_flag", default=plain.chase_call_flag),
        missed_call_callback=keys.duration(
            "missed_call_callback", plain.missed_call_callback, "0s", "24h"
        ),
        missed_call_callback_except=keys.some_of(
            "missed_call_callback_except", plain.missed_call_callback_except, REASONS
        ),
        first_asked_owner=keys.flag("first_asked_owner", default=plain.first_asked_owner),
        departments=_departments(keys.inner("departments", '{ "4000" = "Sales" }')),
    )


def _departments(keys: Keys) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in keys.table:
        if not _ENTRY.fullmatch(entry):
            keys.wrong(entry, "entry")
        found[entry] = keys.text(
            entry,
            "",
            lambda text: 0 < len(text) <= DEPARTMENT_LIMIT and text.isprintable(),
            "department",
            most=DEPARTMENT_LIMIT,
        )
    return found


def call_times(keys: Keys) -> CallTimes:
    """Read what is read of `[visits]`: when customers may be called."""
    plain = CallTimes()
    found = keys.spans("windows", plain.windows, same_day=True)
    if isinstance(keys.table.get("windows"), list) and not keys.table["windows"]:
        keys.wrong("windows", "no_window")
    return CallTimes(
        windows=tuple(sorted(found)),
        holiday_mode=keys.one_of(
            "holiday_mode", plain.holiday_mode, ("afternoon_only", "closed", "normal")
        ),
    )


def dialing(keys: Keys) -> DialingRules:
    """Read `[dialing]`."""
    plain = DialingRules()
    breaker = keys.inner("breaker", '{ failed_in_a_row = 5, pause = "15m" }')
    found = DialingRules(
        trunks=keys.texts(
            "trunks", plain.trunks, lambda text: _TRUNK.fullmatch(text) is not None, "trunk"
        ),
        caller_id=keys.text(
            "caller_id",
            plain.caller_id,
            lambda text: _NUMBER.fullmatch(text) is not None,
            "caller_id",
        ),
        ring_for=keys.duration("ring_for", plain.ring_for, "15s", "2m"),
        per_minute=keys.whole("per_minute", plain.per_minute, 1, 1000),
        per_number_day=keys.whole("per_number_day", plain.per_number_day, 1, 100),
        per_agent_hour=keys.whole("per_agent_hour", plain.per_agent_hour, 1, 1000),
        prefixes=keys.texts(
            "prefixes", plain.prefixes, lambda text: _PREFIX.fullmatch(text) is not None, "prefix"
        ),
        pause_when_waiting=keys.whole("pause_when_waiting", plain.pause_when_waiting, 0, 1000),
        breaker_failed=breaker.whole("failed_in_a_row", plain.breaker_failed, 1, 1000),
        breaker_pause=breaker.duration("pause", plain.breaker_pause, "1s", "24h"),
    )
    breaker.refuse_unknown()
    return found
