"""Which line must be tested by whom and by when, what did a test show, and when is a fault late?

Pure. Requirements LINE-01 to LINE-09 and PEN-02:

    test    planned ──▶ due ──▶ passed | failed | skipped
    fault   suspected ──▶ open ──▶ reported ──▶ repairing ──▶ fixed ──▶ confirmed
                 '──▶ dismissed       '──────────────────────▶'  '──▶ open (the test fails)
"""

from calendar import monthrange
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from cti.calendar import Calendar
from cti.calls.record import DialledCall
from cti.dials.rules import NEVER_DIALLED, Attempt, AttemptState, endpoint
from cti.duty.rules import OnDuty
from cti.errors import Refused
from cti.house import House, TestedLine
from cti.value import value

TRIES: Final = 3
"""The machine tries a test so often; an attempt that proved nothing is no result."""
QUALITIES: Final = ("good", "fair", "bad")
REMARK_LIMIT: Final = 500
FORMER_DAYS: Final = 14
"""Silence is held against the same hours of so many days before ..."""
LEAST_DAYS: Final = 5
"""... of which at least so many must be known."""
LEAST_CALLS: Final = 7
"""Silence where so many calls came on average is by chance once in a thousand times (e⁻⁷)."""
LEAST_PHONES: Final = 3
"""So many phones of people on duty out of reach at once are more than one person's unplugging."""
SETTLED: Final = timedelta(seconds=60)
"""A device must be out of reach for so long: a registration that is renewed is no fault."""


class LineTestState(StrEnum):
    """Where a test stands."""

    PLANNED = "planned"
    DUE = "due"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class FaultState(StrEnum):
    """Where a fault stands. A suspicion that was none is dismissed."""

    SUSPECTED = "suspected"
    OPEN = "open"
    REPORTED = "reported"
    REPAIRING = "repairing"
    FIXED = "fixed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Step(StrEnum):
    """What is done about a fault. The last three are a test's, not a person's."""

    ACCEPT = "accept"
    DISMISS = "dismiss"
    REPORT = "report"
    REPAIR = "repair"
    FIX = "fix"
    TEST_PASSES = "test_passes"
    TEST_FAILS = "test_fails"
    RAISED = "raised"


STEPS: Final[Mapping[FaultState, Mapping[Step, FaultState]]] = {
    FaultState.SUSPECTED: {
        Step.ACCEPT: FaultState.OPEN,
        Step.DISMISS: FaultState.DISMISSED,
        Step.TEST_PASSES: FaultState.DISMISSED,
        Step.TEST_FAILS: FaultState.OPEN,
    },
    FaultState.OPEN: {Step.REPORT: FaultState.REPORTED},
    FaultState.REPORTED: {Step.REPAIR: FaultState.REPAIRING, Step.FIX: FaultState.FIXED},
    FaultState.REPAIRING: {Step.FIX: FaultState.FIXED},
    FaultState.FIXED: {
        Step.TEST_PASSES: FaultState.CONFIRMED,
        Step.TEST_FAILS: FaultState.OPEN,
    },
}
"""What may follow (LINE-05); nothing follows confirmed or dismissed."""
BY_PEOPLE: Final = (Step.ACCEPT, Step.DISMISS, Step.REPORT, Step.REPAIR, Step.FIX)
FAULTY: Final = frozenset({FaultState.OPEN, FaultState.REPORTED, FaultState.REPAIRING})
"""The line is known to be faulty: calls that are lost on it are `pbx_fault` (21.4)."""
OVER: Final = frozenset({FaultState.CONFIRMED, FaultState.DISMISSED})


@value
class Slot:
    """One test that a day of the house asks for."""

    key: str
    day: date
    shift: str
    starts_at: datetime
    due_at: datetime
    line: TestedLine


@value
class LineTest:
    """One test of one line. `source` is plan or extra; `by` who or what found the result.

    `code` is what the machine's call carries; `cause` says why it failed or was skipped, or what
    hinders the machine. `quality` and `remark` are the person's who confirmed it.
    """

    id: str
    slot: str
    source: str
    day: date
    shift: str
    starts_at: datetime
    due_at: datetime
    trunk: str
    dial: str
    arrives_at: str
    state: LineTestState
    cause: str = ""
    person: str | None = None
    asked_by: str | None = None
    tries: int = 0
    code: str = ""
    attempt: str | None = None
    done_at: datetime | None = None
    by: str | None = None
    call: str | None = None
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
    quality: str = ""
    remark: str = ""

    @property
    def place(self) -> str:
        """The line, as faults name it."""
        return place_of(self.trunk, self.dial)


@value
class Fault:
    """One fault of one line (`place`), or of the phones. `source` is machine or person."""

    id: str
    place: str
    kind: str
    source: str
    state: FaultState
    began_at: datetime
    found_at: datetime
    found_by: str
    note: str = ""
    test: str | None = None
    fixed_at: datetime | None = None
    ended_at: datetime | None = None
    judged_at: datetime | None = None


@value
class FaultStep:
    """One thing that was done about a fault."""

    fault: str
    n: int
    at: datetime
    who: str
    step: Step
    state: FaultState
    note: str


@value
class Verdict:
    """What a machine test showed; `passed` is None when it proved nothing."""

    passed: bool | None
    cause: str = ""


@value
class Arrived:
    """A call that our part of the dialplan met at the entry, with the code that it brought."""

    began: datetime
    code: str


@value
class Late:
    """A fault was not found in time (LINE-06): since when, why, and by which skipped test."""

    at: datetime
    why: str
    test: str | None = None


PHONES: Final = "phones"
"""The place of a fault that lies with the phones, not with one line."""


def place_of(trunk: str, dial: str) -> str:
    """Name a line."""
    return f"{trunk}/{dial}"


def lines_of(house: House) -> list[TestedLine]:
    """Give the lines under test, each trunk as the guard knows it: `trunk` for `PJSIP/trunk`."""
    return [replace(line, trunk=endpoint(line.trunk)) for line in house.line_test.lines]


def slots(house: House, day: date) -> list[Slot]:
    """Give the tests that a day asks for: each line, by each shift that tests (LINE-01, LINE-02).

    A time before the shift's beginning is that of the next day. A shift that the house has not
    got tests nothing.
    """
    found = []
    for test in house.line_test.tests:
        shift = house.shifts.types.get(test.shift)
        if shift is None:
            continue
        starts = datetime.combine(day, shift.start, house.zone)
        due = datetime.combine(day, test.by, house.zone)
        if due <= starts:
            due = datetime.combine(day + timedelta(days=1), test.by, house.zone)
        found += [
            Slot(
                key=f"{day}:{test.shift}:{test.by:%H%M}:{place_of(line.trunk, line.dial)}",
                day=day,
                shift=test.shift,
                starts_at=starts,
                due_at=due,
                line=line,
            )
            for line in lines_of(house)
        ]
    return found


def who_tests(on_duty: Iterable[OnDuty], shift: str, done: Mapping[str, int]) -> str | None:
    """Choose who tests: of that shift's people on duty who has tested least lately.

    `done` counts tests by person. Ties go to who began first, then by id, so that the choice is
    the same whenever it is made.
    """
    able = [
        (done.get(one.person, 0), one.since, one.person) for one in on_duty if one.shift == shift
    ]
    return min(able)[2] if able else None


def verdict(
    attempt: Attempt,
    call: DialledCall | None,
    arrived: Sequence[Arrived],
    code: str,
    within: timedelta,
) -> Verdict:
    """Say what a test call showed (LINE-07): out, in at the entry, in time, with sound.

    What was not dialled, or not seen whole, proves nothing about the line.
    """
    if attempt.state is AttemptState.UNKNOWN or call is None or call.began is None:
        return Verdict(passed=None, cause=attempt.cause or "unknown")
    if attempt.cause in NEVER_DIALLED:
        return Verdict(passed=None, cause=attempt.cause)
    if call.approximate:
        return Verdict(passed=None, cause="link_gap")
    ours = [one for one in arrived if call.began <= one.began]
    met = next((one for one in ours if one.code == code), None)
    if met is None:
        return Verdict(passed=False, cause=_not_met(attempt, ours))
    if met.began - call.began > within:
        return Verdict(passed=False, cause="late")
    words = {one.word for one in call.said if one.topic == "line_test"}
    if "heard" in words:
        return Verdict(passed=True)
    return Verdict(passed=False, cause="no_sound" if "silent" in words else "cut")


def _not_met(attempt: Attempt, ours: Sequence[Arrived]) -> str:
    if ours:
        return "no_code"
    return {
        AttemptState.FAILED: "no_trunk",
        AttemptState.BUSY: "busy",
        AttemptState.REJECTED: "rejected",
        AttemptState.ANSWERED: "elsewhere",
    }.get(attempt.state, "not_arrived")


def skipped_why(test: LineTest, *, watched: bool) -> str:
    """Say why a test was not done by its time.

    What the machine could not do, or nobody watched, is no person's neglect (V19).
    """
    if not watched:
        return "unobserved"
    if test.cause:
        return "hindered"
    return "not_done" if test.person else "nobody"


def next_state(fault: Fault, step: Step) -> FaultState:
    """Give the state after a step. Raises `Refused` (fault_step)."""
    after = STEPS.get(fault.state, {}).get(step)
    if after is None:
        raise Refused("fault_step", "this step does not follow", state=fault.state.value)
    return after


def was_faulty(told: Sequence[tuple[datetime, FaultState]], began: datetime) -> bool:
    """Tell whether a line was known to be faulty at `began` or later, by its states in order."""
    states = [state in FAULTY for _, state in told]
    until = [at for at, _ in told[1:]]
    return any(faulty and (n == len(until) or until[n] > began) for n, faulty in enumerate(states))


def steps_of(fault: Fault) -> list[Step]:
    """Give what a person may do now."""
    return [step for step in STEPS.get(fault.state, {}) if step in BY_PEOPLE]


def undetected(
    fault: Fault, skipped: Iterable[LineTest], limit_passed_at: datetime | None
) -> Late | None:
    """Say whether a fault was found too late, and when (LINE-06); None: in time.

    What a machine found counts as found in time (LINE-08). Of a skipped test and the passed
    limit the earlier one counts. A test that the machine was hindered from, or that nobody
    watched, and one beside the plan are no ground.
    """
    if fault.source == "machine":
        return None
    found = [
        Late(at=test.due_at, why="test_skipped", test=test.id)
        for test in skipped
        if test.source == "plan"
        and test.state is LineTestState.SKIPPED
        and test.cause in ("not_done", "nobody")
        and test.place == fault.place
        and fault.began_at < test.due_at < fault.found_at
    ]
    if limit_passed_at is not None and limit_passed_at < fault.found_at:
        found.append(Late(at=limit_passed_at, why="limit_passed"))
    return min(found, key=lambda late: late.at, default=None)


def limit_passed(samples: Sequence[tuple[datetime, bool]], limit: timedelta) -> datetime | None:
    """Give the instant at which somebody had been on duty for longer than `limit` without a break.

    `samples` tell, in order of time, whether anybody was on duty; each holds until the next.
    """
    since: datetime | None = None
    for at, staffed in samples:
        if not staffed:
            since = None
            continue
        since = since or at
        if at - since > limit:
            return since + limit
    return None


def former_spans(
    since: datetime, now: datetime, house: House, days: int = FORMER_DAYS
) -> list[tuple[datetime, datetime]]:
    """Give the same hours of the days before that were of the same kind: worked, or not."""
    zone, calendar = house.zone, house.calendar
    start, end = since.astimezone(zone), now.astimezone(zone)
    return [
        (_moved(start, ago), _moved(end, ago))
        for ago in range(1, days + 1)
        if _like(calendar, end.date(), ago)
    ]


def _moved(local: datetime, days: int) -> datetime:
    return datetime.combine(local.date() - timedelta(days=days), local.timetz())


def _like(calendar: Calendar, day: date, ago: int) -> bool:
    former = day - timedelta(days=ago)
    return calendar.is_working_day(former) == calendar.is_working_day(day)


def unusually_silent(former: Sequence[int]) -> bool:
    """Tell whether silence is odd where so many calls came in the same hours before (LINE-08)."""
    return len(former) >= LEAST_DAYS and sum(former) >= LEAST_CALLS * len(former)


def many_dead(unreachable: Collection[object], phones: Collection[object]) -> bool:
    """Tell whether so many phones of people on duty are out of reach that it is not theirs."""
    return len(unreachable) >= LEAST_PHONES and 2 * len(unreachable) >= len(phones)


def bill_is_due(today: date, day: int, paid: Collection[str]) -> bool:
    """Tell whether the phone bill must be thought of (LINE-09): from its day on until ticked.

    `paid` are months as `2026-03`. In a month that is too short the last day counts.
    """
    last = monthrange(today.year, today.month)[1]
    return today.day >= min(day, last) and f"{today:%Y-%m}" not in paid
