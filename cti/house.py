"""The house's rules, as values. What its manager decides, not what an operator sets.

Only values and small pure questions; `house_file` reads them. Keys, defaults and their
origin: requirement section 23.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from cti.calls.rings import RingRules

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
class CallLimit:
    """How long a call of one purpose should last, and must not exceed."""

    target: timedelta
    ceiling: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All rules of one house, as read from one file. `version` is the hash of its content."""

    card: HouseCard = HouseCard()
    hours: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    """Opening hours: `default` and, where they differ, `mon` … `sun`; none: always open."""
    ring: RingRules = field(default_factory=RingRules)
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
