"""Section `[visits]`: which return visits the house owes, and how it makes them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Final, TypeVar

from cti.calendar import Period, Span
from cti.house_file.keys import Keys, show, span_of
from cti.house_visits import (
    ALLOCATIONS,
    CHANNELS,
    EVENTS,
    MODES,
    PURPOSES,
    RULES,
    WAYS,
    AbandonRules,
    Node,
    Quota,
    Reminder,
    Retry,
    VisitRule,
    VisitRules,
)

TRIGGERS: Final = ("operator", "calendar")
"""Who or what begins a node."""
POPULATIONS: Final = ("members", "old_members", "clients", "households_of_area")
"""Whom a rule that returns is about; besides these: those without a service for so many days,
and those who spent most in each department."""
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
PATH: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}(?:/[a-z][a-z0-9_-]{0,31}){0,2}")
MOST_DAYS: Final = 3660
_POPULATION = re.compile(r"no_service_since:[1-9][0-9]{0,3}d|top:[1-9][0-9]{0,2}:spend:department")
_DAYS = re.compile(r"(-?)(0|[1-9][0-9]{0,3})([dw])")
_SOON = re.compile(r"([1-9][0-9]?)([mh])")
"""So many minutes or hours after the time of an event; below a hundred."""
_PERIOD = re.compile(r"([1-9][0-9]{0,2})(mo|d|w)")
_RULE: Final = '{ id = "booked", event = "booking", offset = "1d", class = "service" }'
_REMINDER: Final = '{ id = "gown", event = "session", offset = "-5d", to = "shop_assistant" }'
_NODE: Final = '{ id = "news", trigger = "operator", channels = ["sms"], class = "marketing" }'

T = TypeVar("T")


def visits(keys: Keys) -> VisitRules:
    """Read `[visits]`, but for `windows` and `holiday_mode`."""
    plain = VisitRules()
    defaults = _defaults(keys)
    return VisitRules(
        dayparts=_dayparts(keys, plain.dayparts),
        deadline=_days(keys, "deadline", plain.deadline, 0),
        deadline_edge=keys.one_of("deadline_edge", plain.deadline_edge, ("window_end", "exact")),
        give_up_after=keys.duration("give_up_after", plain.give_up_after, "1h", "366d"),
        member_coverage=keys.share("member_coverage", plain.member_coverage),
        allocate=keys.one_of("allocate", plain.allocate, ALLOCATIONS),
        first_contact_within=keys.duration(
            "first_contact_within", plain.first_contact_within, "1d", "366d"
        ),
        max_attempts=keys.whole("max_attempts", plain.max_attempts, 1, 100),
        per_customer_day=keys.whole("per_customer_day", plain.per_customer_day, 1, 20),
        min_gap=keys.duration("min_gap", plain.min_gap, "0s", "7d"),
        marketing_per_week=keys.whole("marketing_per_week", plain.marketing_per_week, 0, 100),
        merchant_quiet=keys.spans("merchant_quiet", plain.merchant_quiet, same_day=True),
        retry=_retry(keys.inner("retry", '{ busy = { after = "10m", same_daypart = 2 } }')),
        any_agent_from_attempt=keys.whole(
            "any_agent_from_attempt", plain.any_agent_from_attempt, 1, 100
        ),
        owner_fallback=keys.duration("owner_fallback", plain.owner_fallback, "0s", "24h"),
        appointment_tolerance=keys.duration(
            "appointment_tolerance", plain.appointment_tolerance, "1m", "24h"
        ),
        same_day_retry=keys.flag("same_day_retry", default=plain.same_day_retry),
        end_of_day=keys.clock("end_of_day", plain.end_of_day),
        fallback_channels=keys.some_of("fallback_channels", plain.fallback_channels, CHANNELS),
        mode=keys.one_of("mode", plain.mode, MODES),
        progressive_after=keys.duration("progressive_after", plain.progressive_after, "0s", "10m"),
        abandoned=_abandoned(keys.inner("abandoned", '{ within = "2s", cap = 0.03 }')),
        min_talk=keys.duration("min_talk", plain.min_talk, "0s", "1h"),
        required=keys.texts("required", plain.required, _is_name, "id"),
        max_questions=keys.whole("max_questions", plain.max_questions, 1, 100),
        quota=_quota(keys.inner("quota", "{ per_week = 20, per_month = 80 }")),
        script=_path(keys, "script", plain.script),
        reminders=_listed(keys, "reminders", _REMINDER, _reminder),
        nodes=_listed(keys, "nodes", _NODE, _node),
        rules=keys.by_id(
            "rules", _RULE, RULES, lambda inner, name, before: _rule(inner, name, before, defaults)
        ),
    )


def _defaults(keys: Keys) -> VisitRule:
    """Read what a rule does not say."""
    inner = keys.inner("rule_defaults", '{ script = "", by = "" }')
    found = VisitRule(
        id="",
        purpose="",
        script=_path(inner, "script", ""),
        sms=_path(inner, "sms", ""),
        by=inner.one_of("by", "", ("", "supervisor")),
        gift=inner.flag("gift", default=False),
    )
    inner.refuse_unknown()
    return found


def _rule(keys: Keys, name: str, before: VisitRule | None, defaults: VisitRule) -> VisitRule:
    plain = before or defaults
    offset, after = _offset(keys, plain)
    found = VisitRule(
        id=name,
        purpose=keys.one_of("class", before.purpose if before else None, PURPOSES),
        event=keys.one_of("event", "", EVENTS),
        every=_period(keys, "every"),
        population=_population(keys, "population", ""),
        also_tiers=keys.texts("also_tiers", plain.also_tiers, _is_name, "id"),
        offset=offset,
        after=after,
        deadline=_days(keys, "deadline", plain.deadline, 0),
        at=_at(keys, plain.at),
        coverage=keys.share("coverage", plain.coverage),
        channels=keys.some_of("channels", plain.channels, WAYS),
        form=keys.text("form", plain.form, lambda text: not text or _is_name(text), "id"),
        script=_path(keys, "script", plain.script or defaults.script),
        sms=_path(keys, "sms", plain.sms or defaults.sms),
        by=keys.one_of("by", plain.by or defaults.by, ("", "supervisor")),
        gift=keys.flag("gift", default=plain.gift or defaults.gift),
    )
    if not found.channels:
        keys.wrong("channels", "no_channel")
    found = _begun(keys, found, before)
    if found.also_tiers and not found.population.startswith("top:"):
        keys.wrong("also_tiers", "also_top")
    return found


def _offset(keys: Keys, plain: VisitRule) -> tuple[int, timedelta]:
    """Give days from the event, or minutes or hours from its very time: `1d`, `10m`, `2h`."""
    said = keys.table.get("offset")
    if isinstance(said, str) and (match := _SOON.fullmatch(said)):
        keys.take("offset")
        count = int(match[1])
        return 0, timedelta(hours=count) if match[2] == "h" else timedelta(minutes=count)
    days = _days(keys, "offset", plain.offset, 0)
    return days, timedelta() if said is not None else plain.after


def _at(keys: Keys, plain: time | None) -> time | None:
    found = keys.clock("at", plain or time())
    return found if "at" in keys.table else plain


def _begun(keys: Keys, found: VisitRule, before: VisitRule | None) -> VisitRule:
    """See that a rule begins by an event, or returns for a population, and not both."""
    says = {name for name in ("event", "every", "population") if name in keys.table}
    if not says and before:
        return replace(found, event=before.event, every=before.every, population=before.population)
    if "event" in says and len(says) > 1:
        keys.wrong("event", "event_and_every")
    elif "event" not in says:
        every = found.every or (before.every if before else None)
        population = found.population or (before.population if before else "")
        for name, value in (("every", every), ("population", population)):
            if not value and name not in says:
                keys.wrong(name, "event_or_every" if not says else "required")
        return replace(found, event="", every=every, population=population)
    return found


def _reminder(keys: Keys, name: str) -> Reminder:
    return Reminder(
        id=name,
        event=keys.one_of("event", None, EVENTS),
        offset=_days(keys, "offset", 0, -MOST_DAYS),
        to=keys.id("to"),
    )


def _node(keys: Keys, name: str) -> Node:
    found = Node(
        id=name,
        trigger=keys.one_of("trigger", None, TRIGGERS),
        channels=keys.some_of("channels", ("sms",), CHANNELS),
        purpose=keys.one_of("class", None, PURPOSES),
    )
    if not found.channels:
        keys.wrong("channels", "no_channel")
    return found


def _listed(keys: Keys, key: str, example: str, read: Callable[[Keys, str], T]) -> tuple[T, ...]:
    """Read the tables of a list, each with an id of its own."""
    found = dict[str, T]()
    for inner in keys.tables(key, example) or ():
        name = inner.id("id")
        if name in found:
            inner.wrong("id", "twice", said=show(name))
        elif name:
            inner.section = f"{keys.section}.{key}.{name}"
            found[name] = read(inner, name)
            inner.refuse_unknown()
    return tuple(found.values())


def _retry(keys: Keys) -> Retry:
    plain = Retry()
    busy = keys.inner("busy", '{ after = "10m", same_daypart = 2 }')
    failed = keys.inner("failed", '{ after = "5m", per_day = 3 }')
    silent = keys.inner("no_answer", "{ other_daypart = true }")
    refused = keys.inner("solution_refused", '{ min_gap = "4h", max = 2 }')
    found = Retry(
        busy_after=busy.duration("after", plain.busy_after, "1m", "24h"),
        busy_same_daypart=busy.whole("same_daypart", plain.busy_same_daypart, 1, 100),
        failed_after=failed.duration("after", plain.failed_after, "1m", "24h"),
        failed_per_day=failed.whole("per_day", plain.failed_per_day, 1, 100),
        no_answer_other_daypart=silent.flag("other_daypart", default=plain.no_answer_other_daypart),
        refused_other_agent=refused.flag("other_agent", default=plain.refused_other_agent),
        refused_other_daypart=refused.flag("other_daypart", default=plain.refused_other_daypart),
        refused_min_gap=refused.duration("min_gap", plain.refused_min_gap, "0s", "7d"),
        refused_max=refused.whole("max", plain.refused_max, 0, 100),
    )
    for inner in (busy, failed, silent, refused, keys):
        inner.refuse_unknown()
    return found


def _abandoned(keys: Keys) -> AbandonRules:
    plain = AbandonRules()
    found = AbandonRules(
        within=keys.duration("within", plain.within, "1s", "10s"),
        cap=keys.share("cap", plain.cap),
        window=keys.duration("window", plain.window, "1d", "366d"),
        rest=keys.duration("rest", plain.rest, "1h", "7d"),
    )
    keys.refuse_unknown()
    return found


def _quota(keys: Keys) -> Quota:
    plain = Quota()
    found = Quota(
        per_week=keys.whole("per_week", plain.per_week, 0, 10_000),
        per_month=keys.whole("per_month", plain.per_month, 0, 50_000),
        population=keys.one_of("population", plain.population, ("old_members", "members")),
        count_on_day=keys.whole("count_on_day", plain.count_on_day, 1, 28),
    )
    keys.refuse_unknown()
    return found


def _dayparts(keys: Keys, plain: Mapping[str, Span]) -> Mapping[str, Span]:
    """Read the parts of the day by name; they end on the same day and do not overlap."""
    inner = keys.inner("dayparts", '{ morning = ["09:00", "12:00"] }')
    if not inner.table:
        if "dayparts" in keys.table and isinstance(keys.table["dayparts"], dict):
            keys.wrong("dayparts", "no_daypart")
        return plain
    found = dict[str, Span]()
    for name in inner.table:
        if not _is_name(name):
            inner.wrong(name, "id", said=show(name))
        elif (span := span_of(inner, name, inner.take(name))) is not None:
            inner.refuse_night(name, span)
            found[name] = span
    inner.refuse_overlaps("", found.values())
    return found or plain


def _is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


def _path(keys: Keys, key: str, default: str) -> str:
    return keys.text(
        key, default, lambda text: not text or PATH.fullmatch(text) is not None, "path"
    )


def _days(keys: Keys, key: str, default: T, least: int) -> int | T:
    """Give a number of days, written as `3d` or `2w`."""
    value = keys.take(key)
    if value is None:
        return default
    if isinstance(value, str) and (match := _DAYS.fullmatch(value)):
        days = int(match[2]) * (7 if match[3] == "w" else 1) * (-1 if match[1] else 1)
        if least <= days <= MOST_DAYS:
            return days
    keys.wrong(key, "days", least=f"{least}d", most=f"{MOST_DAYS}d", said=show(value))
    return default


def _period(keys: Keys, key: str) -> Period | None:
    value = keys.take(key)
    if value is None:
        return None
    if value == "half_month":
        return Period(half_months=1)
    if isinstance(value, str) and (match := _PERIOD.fullmatch(value)):
        count, unit = int(match[1]), match[2]
        if unit == "mo":
            return Period(months=count)
        return Period(days=count * 7 if unit == "w" else count)
    keys.wrong(key, "period", said=show(value))
    return None


def _population(keys: Keys, key: str, default: str) -> str:
    return keys.text(
        key,
        default,
        lambda text: text in POPULATIONS or _POPULATION.fullmatch(text) is not None,
        "population",
        lambda: POPULATIONS,
        words=", ".join(POPULATIONS),
    )
