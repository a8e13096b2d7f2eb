"""What is kept of a missed call and of what it may cost whom? Values, as they are stored and shown.

    missed call   an inbound call that nobody answered, with exactly one reason
    incident      what is decided together: the misses of one caller, a line fault, a manual entry
    bundle        the incidents of one storm or one fault, decided at one go
    line          what an incident may cost one person by one rule
    decision      who changed a line, when and why
    appeal        what the person concerned objects
    statement     a month of one person: bonus and penalty lines, never the base pay

Money is `Decimal`, None where the house settles nothing; a month is the date of its first day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from cti.duty.rules import DutySet, OnDuty
from cti.people.rules import Role
from cti.presence.states import Interval
from cti.value import value

T = TypeVar("T")


class MissReason(StrEnum):
    """Why a call was missed, with house and duty known; the first that fits (21.4 point 3)."""

    UNOBSERVED = "unobserved"
    PBX_FAULT = "pbx_fault"
    OUT_OF_HOURS = "out_of_hours"
    IVR_ABANDON = "ivr_abandon"
    SHORT_ABANDON = "short_abandon"
    NO_ONE_ROSTERED = "no_one_rostered"
    ALL_BUSY = "all_busy"
    ALL_EXEMPT = "all_exempt"
    REJECTED = "rejected"
    RANG_OUT = "rang_out"
    ABANDONED_RINGING = "abandoned_ringing"
    NOT_OFFERED = "not_offered"


class IncidentKind(StrEnum):
    """What an incident is about."""

    MISSED_CALL = "missed_call"
    LINE_FAULT = "line_fault"
    MANUAL = "manual"
    VISITS = "visits"
    """Visits that were owed in a month and not made."""


class IncidentState(StrEnum):
    """Where an incident stands (requirement 22.3)."""

    OPEN = "open"
    """More misses may join it: no lines yet."""
    BUNDLED = "bundled"
    PROPOSED = "proposed"
    DECIDED = "decided"
    CLOSED = "closed"
    REOPENED = "reopened"
    """By an appeal or a correction."""


class LineState(StrEnum):
    """Where a penalty line stands (requirement 22.3)."""

    PROPOSED = "proposed"
    EXEMPTED = "exempted"
    APPROVED = "approved"
    REDUCED = "reduced"
    WAIVED = "waived"
    APPEALED = "appealed"
    UPHELD = "upheld"
    OVERTURNED = "overturned"
    SETTLED = "settled"
    REVERSED = "reversed"
    LAPSED = "lapsed"


class Verdict(StrEnum):
    """What a reviewer says to a proposed line."""

    APPROVE = "approve"
    REDUCE = "reduce"
    WAIVE = "waive"


class AppealVerdict(StrEnum):
    """What the second reviewer says to an appeal."""

    UPHOLD = "uphold"
    REDUCE = "reduce"
    OVERTURN = "overturn"


class BundleChoice(StrEnum):
    """Which lines a reviewer picks of a bundle (21.4 point 7)."""

    PER_CALL = "per_call"
    ONCE = "once"
    NONE = "none"


class StatementState(StrEnum):
    """Where a statement stands (requirement 22.3)."""

    OPEN = "open"
    PUBLISHED = "published"
    FINAL = "final"
    EXPORTED = "exported"


class EntryKind(StrEnum):
    """What an entry of a statement is."""

    BONUS = "bonus"
    PENALTY = "penalty"
    COUNTER = "counter"
    """Gives back what a reversed line took."""


@value
class OfferFact:
    """One agent asked to take the call, as it was stored. `person` None: nobody's phone."""

    person: str | None
    agent: str
    devices: tuple[str, ...]
    began: datetime | None
    rang_at: datetime | None
    ended_at: datetime | None
    ring_ms: int | None
    outcome: str | None


@value
class CallFacts:
    """A missed call as the call book stored it; `entry` is its first queue, else what was dialled.

    `waited_from` and `waited_to` bound the time in which people were asked; None: nobody was.
    """

    call: str
    pbx: str
    channel: str
    legs: tuple[tuple[str, str], ...]
    """(Uniqueid, channel name) of each leg: where to find it in the PBX's own records."""
    number: str | None
    caller: str | None
    customer: str | None
    entry: str
    began: datetime
    ended_at: datetime
    rang_at: datetime | None
    waited_from: datetime | None
    waited_to: datetime | None
    ring_ms: int | None
    wait_ms: int | None
    rings: int | None
    ended_by: str | None
    stream_reason: str | None
    """The reason that the event stream alone shows."""
    approximate: bool
    in_gap: bool
    """The PBX was not heard for a part of the call."""
    offers: tuple[OfferFact, ...]
    recordings: tuple[str, ...]


@value
class AgentEvidence:
    """One duty agent during the ringing: why on duty, in which states, whether the phone rang.

    `exemption` is the first exempting state, empty for a free agent; `exemptions` are all that
    joined to cover the ringing.
    """

    duty: OnDuty
    states: tuple[Interval, ...]
    rang: bool
    rejected: bool
    exemption: str
    exemptions: tuple[str, ...]


@value
class Draft:
    """What a call may cost somebody, before it is proposed. An exemption makes it cost nothing."""

    rule: str
    person: str
    role: Role
    shift: str
    amount: Decimal | None
    exemption: str = ""


@value
class Evidence:
    """All on which a miss was judged, frozen: later changes of roster or rules do not touch it.

    `began` to `ended` is the ringing. `duty` is the duty set at its beginning (of the first miss
    of the incident), `supervisor` who answers for the shift, `fault` the trunk fault, empty: none.
    """

    facts: CallFacts
    reason: MissReason
    began: datetime
    ended: datetime
    duty: DutySet
    agents: tuple[AgentEvidence, ...]
    supervisor: str | None
    understaffed: bool
    fault: str
    roster: str
    policy: str
    frozen_at: datetime
    drafts: tuple[Draft, ...]


@value
class MissedCall:
    """A missed call. `joined` counts its place in the incident, from 1."""

    call: str
    incident: str
    joined: int
    at: datetime
    ended_at: datetime
    number: str | None
    department: str
    entry: str
    reason: MissReason
    recovered_by: str | None
    """The call by which the same caller was answered soon after."""
    evidence: Evidence


@value
class PenaltyLine:
    """What an incident may cost one person by one rule.

    `amount` is what stands now, `proposed` what was proposed first; `unit` the currency, or
    `points`, or empty where the house settles nothing. `final_at` is the instant from which it
    may be settled; None while that is open. `version` counts its changes.
    """

    id: str
    incident: str
    kind: IncidentKind
    rule: str
    person: str
    role: Role
    amount: Decimal | None
    proposed: Decimal | None
    unit: str
    state: LineState
    exemption: str
    at: datetime
    department: str
    shift: str
    entry: str
    reason: str
    """The missed call's reason, empty for other incidents."""
    policy: str
    proposed_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    notified_at: datetime | None
    appeal_until: datetime | None
    final_at: datetime | None
    seen_at: datetime | None
    appealed: bool
    escalated: bool
    bundle: str
    month: date | None
    """The month of the statement in which it was settled."""
    version: int


@value
class Decision:
    """One change of a line or a bundle by a person, or by the passing of time (`by` is `cti`)."""

    id: str
    incident: str
    line: str
    what: str
    """A `Verdict`, `appeal_` and an `AppealVerdict`, or undo, lift, appeal, notice, lapse, settle,
    reverse, bundle."""
    by: str
    at: datetime
    reason: str
    before: str
    after: str
    amount_before: Decimal | None
    amount_after: Decimal | None


@value
class Appeal:
    """What a person objects to a line. Open while `verdict` is None."""

    id: str
    line: str
    incident: str
    person: str
    at: datetime
    text: str
    verdict: AppealVerdict | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str


@value
class Incident:
    """What is decided together, with everything that is shown of it.

    `evidence` is that of the call from which the lines come (None for other kinds, which have
    `note` and `ref`). `deciders` are the people whose turn it is; none: it lapses (MISS-09).
    """

    id: str
    kind: IncidentKind
    state: IncidentState
    at: datetime
    number: str | None
    department: str
    entry: str
    reason: str
    calls: tuple[MissedCall, ...]
    recovered: bool
    bundle: str
    lines: tuple[PenaltyLine, ...]
    decisions: tuple[Decision, ...]
    appeals: tuple[Appeal, ...]
    evidence: Evidence | None
    note: str
    ref: str
    entered_by: str
    policy: str
    roster: str
    due_at: datetime
    """When its lines are proposed."""
    proposed_at: datetime | None
    escalate_at: datetime | None
    escalated_at: datetime | None
    lapse_at: datetime | None
    deciders: tuple[str, ...]


@value
class Bundle:
    """The incidents of one storm, or of one fault."""

    id: str
    fault: str
    """The fault during which all were missed; empty for a storm by count."""
    began: datetime
    ended: datetime
    incidents: tuple[Incident, ...]
    decided: BundleChoice | None
    decided_by: str | None
    decided_at: datetime | None
    deciders: tuple[str, ...]


@value
class WaitingBundle:
    """A bundle that waits for a decision, as a list shows it: `incidents` is how many."""

    id: str
    fault: str
    began: datetime
    ended: datetime
    incidents: int


@value
class Pick:
    """A line as a reviewer saw it: a newer version of it is not decided unseen."""

    line: str
    version: int


@value
class Done:
    """What came of a decision about several lines: ids done, and (id, code) of those refused."""

    done: tuple[str, ...]
    refused: tuple[tuple[str, str], ...] = ()


@value
class ReviewFilter:
    """Which lines are asked for; what is empty does not narrow. `until` is excluded."""

    since: datetime | None = None
    until: datetime | None = None
    person: str = ""
    department: str = ""
    shift: str = ""
    entry: str = ""
    rule: str = ""
    reason: str = ""
    states: Sequence[LineState] = ()
    bundle: str = ""
    escalated: bool | None = None


@value
class MissedFilter:
    """Which missed calls are asked for; what is empty does not narrow. `until` is excluded."""

    since: datetime | None = None
    until: datetime | None = None
    number: str = ""
    department: str = ""
    entry: str = ""
    reasons: Sequence[MissReason] = ()
    rang: str = ""
    """A person whose phone rang."""


@value
class Page(Generic[T]):
    """Some rows, newest first. `after` asks for those that follow; empty: there are none."""

    rows: tuple[T, ...]
    after: str


@value
class BonusLine:
    """What somebody earns beside the base pay. `source` is hand, csv or counter."""

    id: str
    person: str
    month: date
    what: str
    amount: Decimal
    note: str
    source: str
    reverses: str | None
    """The penalty line that this counter-entry gives back."""
    entered_by: str
    entered_at: datetime


@value
class Entry:
    """One line of a statement. `amount` is signed: a penalty is negative."""

    kind: EntryKind
    id: str
    what: str
    """The rule's id, or what a bonus is for."""
    at: datetime
    amount: Decimal
    note: str = ""


@value
class Statement:
    """A month of one person. `total` is never below the floor; `remainder` is what it cuts off."""

    person: str
    month: date
    state: StatementState
    entries: tuple[Entry, ...]
    sum: Decimal
    floor: Decimal
    total: Decimal
    remainder: Decimal
    unit: str
    published_at: datetime | None = None
    final_at: datetime | None = None
    exported_at: datetime | None = None


@value
class Reviewed:
    """How one reviewer decided in a time (V4: seen by the next level)."""

    by: str
    approved: int
    reduced: int
    waived: int
    lifted: int
    undone: int
    overturned: int
    """Of his decisions, how many an appeal overturned or reduced."""


@value
class AuditRow:
    """One row of the audit log."""

    seq: int
    at: datetime
    who: str
    what: str
    about: str
    before: str | None
    after: str | None
    reason: str
    policy: str
    address: str
    hash: str
