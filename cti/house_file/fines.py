"""Section `[penalties]`: what missed calls and other faults may cost, and how it is decided."""

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from cti.house import (
    EXEMPTIONS,
    PENALTIES,
    REASONS,
    SCOPES,
    Amounts,
    MissedCallRules,
    PenaltyRule,
    PenaltyRules,
)
from cti.house_file.keys import Keys

TRIGGERS: Final = ("line", "manual", "order_field", "visit_quota", "exam")
"""Who or what proposes a fine; besides these: `complaint:CAUSE`."""
_COMPLAINT = re.compile(r"complaint:[a-z][a-z_]{0,31}")
_RULE: Final = '{ id = "late", trigger = "manual", agent = "10.00" }'
_DATED: Final = '{ since = 2025-02-01, until = 2025-04-30, agent = "20.00" }'


def penalties(keys: Keys) -> PenaltyRules:
    """Read `[penalties]` with its parts."""
    plain = PenaltyRules()
    found = PenaltyRules(
        settlement=keys.one_of("settlement", plain.settlement, ("bonus", "points", "none")),
        floor=keys.money("floor", plain.floor),
        stacking=keys.one_of("stacking", plain.stacking, ("largest", "sum")),
        review_due=keys.lapse("review_due", plain.review_due),
        lapse_after=keys.lapse("lapse_after", plain.lapse_after),
        notice_after=keys.duration("notice_after", plain.notice_after, "0s", "24h"),
        appeal_window=keys.lapse("appeal_window", plain.appeal_window),
        missed_call=_missed_call(keys.inner("missed_call", '{ agent = "10.00" }')),
        rules=keys.by_id("rules", _RULE, PENALTIES, _rule),
    )
    due, lapse = found.review_due, found.lapse_after
    if isinstance(due, timedelta) and isinstance(lapse, timedelta) and lapse <= due:
        keys.wrong("lapse_after", "lapse_order")
    return found


def _missed_call(keys: Keys) -> MissedCallRules:
    plain = MissedCallRules()
    storm = keys.inner("storm", '{ count = 10, within = "10m" }')
    amounts = _amounts(keys, plain.amounts)
    found = MissedCallRules(
        amounts=amounts,
        dated=_dated(keys, amounts),
        scope=keys.one_of("scope", plain.scope, SCOPES),
        exempt=keys.some_of("exempt", plain.exempt, EXEMPTIONS),
        wrap_up_limit=keys.duration("wrap_up_limit", plain.wrap_up_limit, "0s", "1h"),
        merge_repeat=keys.duration("merge_repeat", plain.merge_repeat, "0s", "24h"),
        recovered_within=keys.duration("recovered_within", plain.recovered_within, "0s", "24h"),
        storm_count=storm.whole("count", plain.storm_count, 1, 10_000),
        storm_within=storm.duration("within", plain.storm_within, "1m", "24h"),
        no_agent_line=keys.some_of("no_agent_line", plain.no_agent_line, REASONS),
        supervisor_line=keys.some_of("supervisor_line", plain.supervisor_line, REASONS),
        understaffed_supervisor_line=keys.some_of(
            "understaffed_supervisor_line", plain.understaffed_supervisor_line, REASONS
        ),
    )
    storm.refuse_unknown()
    keys.refuse_unknown()
    return found


def _rule(keys: Keys, name: str, plain: PenaltyRule | None) -> PenaltyRule:
    amounts = _amounts(keys, plain.amounts if plain else None)
    months, agent, mode = _consecutive(keys, plain)
    return PenaltyRule(
        id=name,
        trigger=keys.text(
            "trigger",
            plain.trigger if plain else None,
            lambda text: text in TRIGGERS or _COMPLAINT.fullmatch(text) is not None,
            "trigger",
            lambda: TRIGGERS,
            words=", ".join(TRIGGERS),
        ),
        amounts=amounts,
        dated=_dated(keys, amounts),
        consecutive_months=months,
        consecutive_agent=agent,
        consecutive_mode=mode,
    )


def _consecutive(keys: Keys, plain: PenaltyRule | None) -> tuple[int, Decimal, str]:
    before = plain or PenaltyRule(id="", trigger="", amounts=Amounts())
    inner = keys.inner("consecutive", '{ months = 2, agent = "80.00", mode = "instead" }')
    months = inner.whole("months", before.consecutive_months, 0, 12)
    needed = months and inner.table and not before.consecutive_months
    agent = inner.money("agent", None if needed else before.consecutive_agent)
    mode = inner.one_of("mode", before.consecutive_mode, ("instead", "add"))
    inner.refuse_unknown()
    return months, agent, mode


def _amounts(keys: Keys, plain: Amounts | None) -> Amounts:
    return Amounts(
        agent=keys.money("agent", plain.agent if plain else None),
        supervisor=keys.money("supervisor", plain.supervisor if plain else Decimal("0.00")),
    )


def _dated(keys: Keys, plain: Amounts) -> tuple[Amounts, ...]:
    found = list[Amounts]()
    for inner in keys.tables("dated", _DATED) or ():
        since, until = inner.day("since"), inner.day("until")
        amounts = Amounts(
            agent=inner.money("agent", plain.agent),
            supervisor=inner.money("supervisor", plain.supervisor),
            since=since,
            until=until,
        )
        inner.refuse_unknown()
        if since is None and until is None:
            if not {"since", "until"} & set(inner.table):
                inner.wrong("", "dated_open")
        elif since and until and until < since:
            inner.wrong("until", "dated_order", since=since, until=until)
        else:
            found.append(amounts)
    found.sort(key=lambda one: one.since or date.min)
    for one, other in pairwise(found):
        if (one.until or date.max) >= (other.since or date.min):
            keys.wrong("dated", "dated_overlap", one=_days(one), other=_days(other))
    return tuple(found)


def _days(amounts: Amounts) -> str:
    return f"{amounts.since or '…'} – {amounts.until or '…'}"
