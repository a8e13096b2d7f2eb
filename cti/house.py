"""The house's rules, as values. What its manager decides, not what an operator sets.

Only values and small pure questions; `house_file` reads them. Keys, defaults and their
origin: requirement section 23.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Span = tuple[time, time]  # from, to; a `to` not later than `from` ends the next day
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseCard:
    """Who the house is: section `[house]`."""

    id: str = "example"
    name: str = "Example"
    business: str = "general"
    timezone: str = "Asia/Shanghai"
    locale: str = "zh-Hans"
    currency: str = "CNY"
    jurisdiction: str = "CN"
    country: str = "CN"
    """Region by which numbers are read and holidays are found."""
    holidays_file: str = ""
    lunar: bool = True
    single_agent_owner_decides: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RingRules:
    """How long a caller may be kept waiting: section `[ring]`.

    `cycle` is one burst of ringing and the silence after it: tw 3 s, cn 5 s, us 6 s.
    """

    cycle: timedelta = timedelta(milliseconds=3000)
    standard: int = 3
    apologise_from: int = 5
    clock: Literal["agent_ring", "customer_wait"] = "agent_ring"
    short_abandon: timedelta = timedelta(milliseconds=5000)

    def rings(self, rang: timedelta) -> int:
        """Count the bursts begun in `rang`: the first sounds at 0 s, the second at one cycle.

        Always 1 or more: clocks step back, and less than no time is no time.
        Source: RING-01 to RING-03, requirement section 21.3.
        """
        return max(rang, timedelta()) // self.cycle + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimit:
    """How long a call of one purpose should last, and must not exceed."""

    target: timedelta
    ceiling: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All rules of one house, as read from one file. `version` is the hash of its content."""

    card: HouseCard = HouseCard()
    hours: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    """Opening hours: `default` and, where they differ, `mon` … `sun`; nothing there: always open."""
    ring: RingRules = RingRules()
    limits: Mapping[str, CallLimit] = field(default_factory=dict)
    overrun_needs_reason: bool = True
    version: str = ""
    effective_from: date | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The house's time zone."""
        return ZoneInfo(self.card.timezone)

    def is_open(self, at: datetime) -> bool:
        """Tell whether the hotline is open at an instant (aware, any zone)."""
        if not self.hours:
            return True
        local = at.astimezone(self.zone)
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        return any(
            _covers(span, local.time(), next_day=day is yesterday)
            for day in (today, yesterday)
            for span in self.hours.get(WEEKDAYS[day.weekday()], self.hours.get("default", ()))
        )


def _covers(span: Span, now: time, *, next_day: bool) -> bool:
    start, end = span
    over_midnight = end <= start
    if next_day:
        return over_midnight and now < end
    return start <= now and (over_midnight or now < end)
