"""The house's rules, as values. What its manager decides, not what an operator sets.

Only values and small pure questions; `house_file` reads them. Keys, defaults and their
origin: requirement section 23.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from cti.calendar import Calendar, Span
from cti.calls.rings import RingRules
from cti.house_visits import VisitRules
from cti.results.forms import PLAIN, Form, Script

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

REASONS: Final = (
    "unobserved",
    "pbx_fault",
    "out_of_hours",
    "ivr_abandon",
    "short_abandon",
    "no_one_rostered",
    "all_busy",
    "all_exempt",
    "rejected",
    "rang_out",
    "abandoned_ringing",
    "not_offered",
)
"""Why a call was missed (requirement 21.4)."""
SCOPES: Final = ("on_duty", "rang", "rang_free", "first_rung")
"""Whom a missed call costs: all on duty, those rung, those rung and free, the first rung."""
EXEMPTIONS: Final = (
    "on_call",
    "system_dialled_visit",
    "wrap_up",
    "break_approved",
    "called_away",
    "unreachable",
    "handover_minute",
    "pbx_autopause",
)
"""What keeps a missed call from costing somebody who was on duty (requirement 21.4.4)."""


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
    phone: str = ""
    """The number that agents tell customers to call; empty: the one that they see."""
    single_agent_owner_decides: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimit:
    """How long a call of one purpose should last, and must not exceed."""

    target: timedelta
    ceiling: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundRules:
    """What follows from an inbound call: section `[inbound]`."""

    long_distance_first: bool = False
    chase_call_flag: bool = True
    missed_call_callback: timedelta = timedelta(minutes=30)
    """A recovery callback is due after so much callable time (MISS-05)."""
    missed_call_callback_except: tuple[str, ...] = ()
    """Reasons of missed calls that open no callback."""
    first_asked_owner: bool = True
    departments: Mapping[str, str] = field(default_factory=dict)
    """Which department serves a queue or dialled line; not named: every department does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """What a rule costs whom, from a day on to a day (both included; None: open)."""

    agent: Decimal = Decimal("0.00")
    supervisor: Decimal = Decimal("0.00")
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedCallRules:
    """When a missed call costs whom: section `[penalties.missed_call]` (requirement 21.4)."""

    amounts: Amounts = Amounts(agent=Decimal("10.00"), supervisor=Decimal("50.00"))
    dated: tuple[Amounts, ...] = ()
    """Amounts of certain days, in place of `amounts`; they do not overlap."""
    scope: str = "on_duty"
    exempt: tuple[str, ...] = EXEMPTIONS
    wrap_up_limit: timedelta = timedelta(seconds=30)
    merge_repeat: timedelta = timedelta(seconds=120)
    recovered_within: timedelta = timedelta(seconds=120)
    storm_count: int = 10
    storm_within: timedelta = timedelta(minutes=10)
    no_agent_line: tuple[str, ...] = (
        "unobserved",
        "pbx_fault",
        "out_of_hours",
        "ivr_abandon",
        "short_abandon",
        "no_one_rostered",
    )
    supervisor_line: tuple[str, ...] = (
        "rang_out",
        "abandoned_ringing",
        "rejected",
        "not_offered",
        "no_one_rostered",
    )
    understaffed_supervisor_line: tuple[str, ...] = ("all_busy", "all_exempt")

    def amounts_on(self, day: date) -> Amounts:
        """Give the amounts in force on a day of the house."""
        return in_force(self.dated, day) or self.amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyRule:
    """One other fine: `[[penalties.rules]]`. `trigger` says who or what proposes it."""

    id: str
    trigger: str  # line | manual | complaint:CAUSE | order_field | visit_quota | exam
    amounts: Amounts
    dated: tuple[Amounts, ...] = ()
    consecutive_months: int = 0
    """After so many months running (0: never) `consecutive_agent` counts, by its mode."""
    consecutive_agent: Decimal = Decimal("0.00")
    consecutive_mode: str = "instead"  # instead | add

    def amounts_on(self, day: date) -> Amounts:
        """Give the amounts in force on a day of the house."""
        return in_force(self.dated, day) or self.amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDays:
    """So many working days, beginning the day after (`3wd`, requirement section 23)."""

    days: int


Lapse = timedelta | WorkingDays


def _penalty(
    id: str, trigger: str, agent: str, supervisor: str = "0.00", **more: Any
) -> tuple[str, PenaltyRule]:
    amounts = Amounts(agent=Decimal(agent), supervisor=Decimal(supervisor))
    return id, PenaltyRule(id=id, trigger=trigger, amounts=amounts, **more)


PENALTIES: Final[Mapping[str, PenaltyRule]] = dict(
    (
        _penalty("line_fault", "line", "20.00", "100.00"),
        _penalty("complaint_mistake", "complaint:agent_error", "10.00"),
        _penalty("complaint_attitude", "complaint:attitude", "20.00"),
        _penalty("media_exposure", "manual", "20.00"),
        _penalty("chat_games_films", "manual", "20.00"),
        _penalty("eating_on_call", "manual", "20.00"),
        _penalty("reading_chatting_ringtone", "manual", "10.00"),
        _penalty("order_field", "order_field", "0.50"),
        _penalty("visit_shortfall", "visit_quota", "0.20"),
        _penalty(
            "exam_fail",
            "exam",
            "50.00",
            consecutive_months=2,
            consecutive_agent=Decimal("80.00"),
        ),
    )
)
"""The reference fines by id (requirements PEN-02 to PEN-11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltyRules:
    """Section `[penalties]`: what missed calls and other faults may cost, and how it is decided."""

    settlement: str = "bonus"  # bonus | points | none
    floor: Decimal = Decimal("0.00")
    stacking: str = "largest"  # largest | sum
    review_due: Lapse = timedelta(days=3)
    lapse_after: Lapse = timedelta(days=30)
    notice_after: timedelta = timedelta(minutes=15)
    appeal_window: Lapse = WorkingDays(days=3)
    missed_call: MissedCallRules = MissedCallRules()
    rules: Mapping[str, PenaltyRule] = field(default_factory=lambda: PENALTIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTest:
    """One line test of each day: by whose shift, and by when (house time)."""

    shift: str
    by: time


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedLine:
    """One number: the trunk by which it is dialled, and the entry at which it must arrive."""

    trunk: str
    dial: str
    arrives_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTestRules:
    """Section `[line_test]` (requirements LINE-01 to LINE-09)."""

    tests: tuple[DueTest, ...] = (
        DueTest(shift="early", by=time(10)),
        DueTest(shift="middle", by=time(15)),
    )
    automatic: bool = True
    contacts: Mapping[str, str] = field(
        default_factory=lambda: {"exchange_room": "", "telephone_manager": ""}
    )
    """Number by role; empty: not set up."""
    detection_limit: timedelta = timedelta(minutes=60)
    arrive_within: timedelta = timedelta(seconds=20)
    bill_reminder_day: int = 20
    lines: tuple[TestedLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftType:
    """One shift of the day, in house time; an end not later than the beginning is the next day."""

    id: str
    start: time
    end: time
    relieved_by: str = ""
    """The shift type whose person must accept the hand-over before this one may leave."""


SHIFTS: Final[Mapping[str, ShiftType]] = {
    one.id: one
    for one in (
        ShiftType(id="early", start=time(8, 15), end=time(17, 15), relieved_by="late"),
        ShiftType(id="middle", start=time(11), end=time(20), relieved_by="late"),
        ShiftType(id="late", start=time(13), end=time(22)),
    )
}
"""The reference shift types by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRules:
    """Section `[shifts]` (requirements SHIFT-*)."""

    types: Mapping[str, ShiftType] = field(default_factory=lambda: SHIFTS)
    arrive_before: timedelta = timedelta(minutes=10)
    min_staff: int = 1
    meal_windows: tuple[Span, ...] = (
        (time(11, 30), time(13, 30)),
        (time(17, 30), time(19)),
    )
    stay_until_relieved: bool = True
    leave_post_needs_approval: bool = True
    swaps_per_month: int = 3
    swap_on_holidays: bool = False
    leave_on_swapped: str = "absence"  # absence | allowed
    chat_seats: int = 1
    cleaning_daily: str = "late"
    """The shift type that cleans each day by turns; empty: none."""
    cleaning_weekly: str = "fri"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimes:
    """When customers may be called, in house time: keys of `[visits]` (CB-01, 21.6)."""

    windows: tuple[Span, ...] = ((time(9), time(12)), (time(14), time(21)))
    holiday_mode: str = "afternoon_only"  # afternoon_only | closed | normal


LEAST_RING: Final = timedelta(seconds=15)
"""An outgoing call rings at least so long before it is given up ..."""
LEAST_RINGS: Final = 4
"""... and so often (requirement 21.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialingRules:
    """Section `[dialing]`: every outgoing call of the house, whatever its purpose."""

    trunks: tuple[str, ...] = ()
    caller_id: str = ""
    ring_for: timedelta = timedelta(seconds=30)
    per_minute: int = 10
    per_number_day: int = 6
    per_agent_hour: int = 30
    prefixes: tuple[str, ...] = ()
    """Allowed beginnings of a number; empty: the house's own country, no premium numbers."""
    pause_when_waiting: int = 1
    breaker_failed: int = 5
    breaker_pause: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRules:
    """Section `[recordings]` (requirements REC-01, REC-02, REC-07, REC-08)."""

    required: bool = True
    directions: tuple[str, ...] = ("inbound", "outbound")
    """Whose answered calls must have one, while it is required."""
    missing_after: timedelta = timedelta(seconds=60)
    """So long after its end a call without one misses it."""
    announce: bool = True
    retention: timedelta = timedelta(days=365)
    retention_tiers: Mapping[str, timedelta] = field(default_factory=dict)
    """How long those of a customer are kept, by his tier (REC-08)."""
    retention_purposes: Mapping[str, timedelta] = field(default_factory=dict)
    """How long those of one purpose are kept, whatever `retention` says."""
    min_free_gb: int = 5
    agents_listen: bool = True
    """Whether agents hear the recordings of their own calls (requirement 22.4)."""
    download: tuple[str, ...] = ("manager", "owner")
    """The roles that may take a recording away as a file."""
    pause_by: tuple[str, ...] = ()
    """The roles that may pause a recording, as while a card number is told; agents their own."""
    pause_longest: timedelta = timedelta(minutes=5)
    """After so long a recording goes on by itself."""
    one_touch: str = ""
    """What a phone dials in a call to begin and end a recording; empty: the PBX does not offer."""
    opus: bool = False
    """Whether what is kept is made smaller."""
    opus_after: timedelta = timedelta(days=1)
    original_kept: timedelta = timedelta(days=30)
    """So long what the PBX wrote stays beside what was made of it."""
    announcing_lines: tuple[str, ...] = ()
    """Lines on which the caller is told of the recording before the PBX has the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityItem:
    """One question of the score form: `[[quality.items]]`, with its text by language."""

    id: str
    weight: int
    labels: Mapping[str, str]


def _item(id: str, weight: int, en: str, hant: str, hans: str) -> tuple[str, QualityItem]:
    return id, QualityItem(
        id=id, weight=weight, labels={"en": en, "zh-Hant": hant, "zh-Hans": hans}
    )


QUALITY_ITEMS: Final[Mapping[str, QualityItem]] = dict(
    (
        _item("greeting", 10, "Greets and says a name", "問候並報上姓名", "问候并报上姓名"),
        _item("company_name", 10, "Names the company", "報出公司名稱", "报出公司名称"),
        _item("tone", 15, "Friendly, clear, unhurried", "親切、清楚、不急", "亲切、清楚、不急"),
        _item(
            "listening", 15, "Listens, does not interrupt", "專心傾聽，不打斷", "专心倾听，不打断"
        ),
        _item(
            "five_w_one_h",
            15,
            "Finds out who, what, when, where, why, how",
            "問清何人、何事、何時、何地、何因、如何",
            "问清何人、何事、何时、何地、何因、如何",
        ),
        _item(
            "closing",
            10,
            "Closes politely; the customer hangs up first",
            "禮貌結束，讓客戶先掛斷",
            "礼貌结束，让客户先挂断",
        ),
        _item("forbidden", 10, "Says no forbidden phrase", "不用服務禁語", "不用服务禁语"),
        _item(
            "apology",
            5,
            "Apologises after five rings or more",
            "鈴響五聲以上時先致歉",
            "铃响五声以上时先致歉",
        ),
        _item("identity", 10, "Makes sure who is speaking", "核對對方身分", "核对对方身份"),
    )
)
"""The reference score form (requirement QM-02)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """Section `[quality]` (requirements QM-01, QM-02, QM-05, QM-08)."""

    sample: int = 3
    """So many calls of each agent are drawn each week; 0: none."""
    least: timedelta = timedelta(seconds=30)
    """Shorter recordings are not drawn."""
    objection: timedelta = timedelta(days=7)
    """So long after a score the agent may object."""
    items: Mapping[str, QualityItem] = field(default_factory=lambda: QUALITY_ITEMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """What a customer is worth to the house: `[[customers.tiers]]`, with its name by language."""

    id: str
    labels: Mapping[str, str]


def _tier(id: str, en: str, hant: str, hans: str) -> tuple[str, Tier]:
    return id, Tier(id=id, labels={"en": en, "zh-Hant": hant, "zh-Hans": hans})


TIERS: Final[Mapping[str, Tier]] = dict(
    (
        _tier("gold", "gold card", "金卡", "金卡"),
        _tier("vip", "VIP", "VIP", "VIP"),
        _tier("normal", "ordinary", "普通", "普通"),
    )
)
"""The reference tiers by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRules:
    """Section `[customers]` (requirements CUST-09, CUST-13, INB-27)."""

    tiers: Mapping[str, Tier] = field(default_factory=lambda: TIERS)
    care_flags: tuple[str, ...] = ("elderly", "speak_slowly", "hearing")
    mask_numbers: bool = True
    """Whether only who works with a customer, or supervises, sees his number whole."""

    def tier(self, said: str) -> str | None:
        """Give the id of a tier that is said by its id or name, in any case; None: none."""
        word = said.casefold()
        for one in self.tiers.values():
            if word in (one.id.casefold(), *(label.casefold() for label in one.labels.values())):
                return one.id
        return None

    def name_of(self, tier: str, locale: str) -> str:
        """Give what a tier is called in a language; of one that is not known its id."""
        known = self.tiers.get(tier)
        return known.labels[locale] if known else tier

    @property
    def own_names(self) -> Mapping[str, Mapping[str, str]]:
        """The names of tiers that the house gave itself, by id and language."""
        return {id: one.labels for id, one in self.tiers.items() if one != TIERS.get(id)}


RETENTION_PURPOSES: Final = ("inbound", "outbound", "internal", "voicemail")
"""What a recording was made of: a call by its direction, or a message that a caller left."""


def in_force(dated: Iterable[Amounts], day: date) -> Amounts | None:
    """Give the dated amounts that hold on a day, None when none do."""
    for one in dated:
        if (one.since is None or one.since <= day) and (one.until is None or day <= one.until):
            return one
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that is allowed, and that the house's manager should know.

    Its sentence is `policy.caution.CODE` with these facts.
    """

    key: str
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All rules of one house, as read from one file. `version` is the hash of its content."""

    card: HouseCard = HouseCard()
    hours: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    """Opening hours: `default` and, where they differ, `mon` … `sun`; none: always open."""
    ring: RingRules = field(default_factory=RingRules)
    limits: Mapping[str, CallLimit] = field(default_factory=dict)
    overrun_needs_reason: bool = True
    inbound: InboundRules = InboundRules()
    penalties: PenaltyRules = PenaltyRules()
    line_test: LineTestRules = LineTestRules()
    shifts: ShiftRules = ShiftRules()
    call_times: CallTimes = CallTimes()
    visits: VisitRules = field(default_factory=VisitRules)
    forms: Mapping[str, Form] = field(default_factory=dict)
    """What visits ask, by name: those that the rules name, and the reference's."""
    scripts: Mapping[str, Script] = field(default_factory=dict)
    dialing: DialingRules = DialingRules()
    recordings: RecordingRules = RecordingRules()
    quality: QualityRules = field(default_factory=QualityRules)
    customers: CustomerRules = field(default_factory=CustomerRules)
    calendar: Calendar = field(default_factory=Calendar)
    warnings: tuple[Caution, ...] = ()
    version: str = ""
    effective_from: date | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The house's time zone."""
        return ZoneInfo(self.card.timezone)

    def form(self, name: str) -> Form:
        """Give a form as this house asks it, with what it requires; the plain one without name."""
        return self.forms.get(name, PLAIN).asking(self.visits.required)

    @property
    def staff_roles(self) -> tuple[str, ...]:
        """The roles of those whom a form asks about by person, in its order."""
        asked = (one.staff for form in self.forms.values() for one in form.fields if one.staff)
        return tuple(dict.fromkeys(asked))

    def script(self, name: str) -> Script | None:
        """Give a script: by its name, or that of all visits; None if there is none."""
        return self.scripts.get(name) or self.scripts.get(self.visits.script)

    def is_open(self, at: datetime) -> bool:
        """Tell whether the hotline is open at an instant (aware, any zone)."""
        if not self.hours:
            return True
        local = at.astimezone(self.zone)
        today, yesterday = local.date(), local.date() - timedelta(days=1)
        return any(
            covers(span, local.time(), next_day=day is yesterday)
            for day in (today, yesterday)
            for span in self.hours.get(WEEKDAYS[day.weekday()], self.hours.get("default", ()))
        )


def covers(span: Span, now: time, *, next_day: bool) -> bool:
    """Tell whether a span covers a time of its day, or (`next_day`) of the day after."""
    start, end = span
    over_midnight = end <= start
    if next_day:
        return over_midnight and now < end
    return start <= now and (over_midnight or now < end)
