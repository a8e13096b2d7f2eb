"""The house's rules about return visits, as values: section `[visits]` (requirement 23).

Only values; `house_file` reads them. When customers may be called at all is `house.CallTimes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from typing import Final

from cti.calendar import Period, Span

EVENTS: Final = (
    "booking",
    "session",
    "viewing",
    "collection",
    "wedding",
    "check_in",
    "check_out",
    "service_done",
    "purchase",
    "member_since",
    "lost",
    "complaint_handled",
    "birthday",
)
"""What may happen to a customer that makes a visit due; a birthday stands in his record."""
PURPOSES: Final = ("service", "care", "marketing")
"""The consent that a visit needs (requirement 21.6)."""
CHANNELS: Final = ("phone", "sms", "email", "visit")
WAYS: Final = (*CHANNELS, "merchant")
"""How a visit is made; `merchant`: the restaurant is asked first (CB-REST-02)."""
NOT_SEATED: Final = "not_seated"
"""What a restaurant says of a guest who is not there yet; then he is asked himself."""
SEATED: Final = ("seated", "late", "cancelled", "no_show")
"""What becomes of a table that was booked (ORDER-16)."""
MODES: Final = ("preview", "progressive", "customer_first")
ALLOCATIONS: Final = ("balanced", "owner", "by_ability")


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRule:
    """One visit that the house owes: `[[visits.rules]]`.

    It follows an `event`, or returns `every` so often for a `population`; one of both is set.
    """

    id: str
    purpose: str
    """Its `class`: service, care or marketing."""
    event: str = ""
    every: Period | None = None
    population: str = ""
    """`members`, `clients`, `households_of_area`, `no_service_since:365d`,
    `top:3:spend:department`."""
    also_tiers: tuple[str, ...] = ()
    """Customers of these tiers are visited beside those who spent most (CB-RETAIL-01)."""
    offset: int = 0
    """Days from the event to the first day on which it may be made."""
    after: timedelta = timedelta()
    """Instead: so long after the very time of the event."""
    deadline: int | None = None
    """Days from that day to the last one; None: as `VisitRules.deadline` says."""
    at: time | None = None
    """Not earlier in the day, by the customer's clock."""
    coverage: Decimal = Decimal("1.00")
    channels: tuple[str, ...] = ("phone",)
    form: str = ""
    script: str = ""
    sms: str = ""
    by: str = ""
    """`supervisor`: for supervisors, not for agents; empty: for agents."""
    gift: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A work item for somebody else, so many days after (or before) an event."""

    id: str
    event: str
    offset: int
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Greetings and news by occasion, which an operator or the calendar begins."""

    id: str
    trigger: str
    channels: tuple[str, ...]
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try again, by outcome: `retry.*` (requirement 21.2)."""

    busy_after: timedelta = timedelta(minutes=10)
    busy_same_daypart: int = 2
    """So many attempts in one day-part, the first included."""
    failed_after: timedelta = timedelta(minutes=5)
    failed_per_day: int = 3
    no_answer_other_daypart: bool = True
    refused_other_agent: bool = True
    refused_other_daypart: bool = True
    refused_min_gap: timedelta = timedelta(hours=4)
    refused_max: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonRules:
    """Customer first: when nobody is there for a customer who picked up: `abandoned`.

    Requirement 21.2 and the norms of 21.6: 47 CFR 64.1200 and Ofcom's rules of 2010.
    """

    within: timedelta = timedelta(seconds=2)
    """So soon an agent is there for him, or he is let go."""
    cap: Decimal = Decimal("0.03")
    """Of those who answered, within `window`."""
    window: timedelta = timedelta(days=30)
    rest: timedelta = timedelta(hours=72)
    """So long he is not called again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Effective visits that each agent owes: `quota` (CB-22, CB-23)."""

    per_week: int = 20
    per_month: int = 80
    population: str = "old_members"
    count_on_day: int = 1


RULES: Final[Mapping[str, VisitRule]] = {
    one.id: one
    for one in (
        VisitRule(
            id="after_complaint",
            purpose="service",
            event="complaint_handled",
            deadline=3,
            form="complaint_visit",
        ),
        VisitRule(
            id="after_service",
            purpose="service",
            event="service_done",
            deadline=3,
            form="satisfaction",
        ),
        VisitRule(id="member_cycle", purpose="care", every=Period(days=90), population="members"),
        VisitRule(
            id="birthday",
            purpose="care",
            event="birthday",
            deadline=0,
            at=time(10),
            channels=("phone", "sms"),
        ),
    )
}
"""The reference rules by id."""

DAYPARTS: Final[Mapping[str, Span]] = {
    "morning": (time(9), time(12)),
    "afternoon": (time(14), time(18)),
    "evening": (time(18), time(21)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRules:
    """Section `[visits]`, but for the windows."""

    dayparts: Mapping[str, Span] = field(default_factory=lambda: DAYPARTS)
    deadline: int = 3
    """Days."""
    deadline_edge: str = "window_end"  # window_end | exact
    give_up_after: timedelta = timedelta(days=7)
    member_coverage: Decimal = Decimal("1.00")
    allocate: str = "balanced"
    first_contact_within: timedelta = timedelta(weeks=1)
    max_attempts: int = 6
    per_customer_day: int = 2
    min_gap: timedelta = timedelta(hours=2)
    marketing_per_week: int = 3
    merchant_quiet: tuple[Span, ...] = (
        (time(11), time(13, 30)),
        (time(17), time(20)),
    )
    """When a restaurant is not called, but for bookings (requirement 21.6)."""
    retry: Retry = Retry()
    any_agent_from_attempt: int = 3
    owner_fallback: timedelta = timedelta(minutes=5)
    appointment_tolerance: timedelta = timedelta(minutes=10)
    same_day_retry: bool = False
    end_of_day: time = time(18)
    fallback_channels: tuple[str, ...] = ("sms", "email")
    mode: str = "preview"
    progressive_after: timedelta = timedelta(seconds=20)
    """Unless in preview: so long the brief is shown before the phone is dialled."""
    abandoned: AbandonRules = AbandonRules()
    min_talk: timedelta = timedelta(seconds=20)
    required: tuple[str, ...] = ("satisfaction", "opinion", "result")
    max_questions: int = 5
    quota: Quota = Quota()
    script: str = ""
    reminders: tuple[Reminder, ...] = ()
    nodes: tuple[Node, ...] = ()
    rules: Mapping[str, VisitRule] = field(default_factory=lambda: RULES)
