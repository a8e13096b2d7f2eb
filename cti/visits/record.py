"""What is known of a return visit (回訪), of its attempts and of its customer. Pure.

    planned ──▶ waiting ──▶ due ──▶ claimed ──▶ in_attempt ──▶ wrap_up ──▶ done
       ▲           ▲                   │             │            │
       └───────────┴───────────────────┴─────────────┴────────────┘   another attempt later
    ends besides: unreachable, refused, wrong_number, cancelled, merged; a person decides about
    needs_decision

`planned`: its first day has not come; `waiting`: the next attempt is still to come; `due`: it
may be made now (requirement 22.3). These three are one state, `open`, in the database: which of
them it is follows from the time.
"""

from collections.abc import Mapping
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from cti.calendar import Span
from cti.value import value


class Kind(StrEnum):
    """Why we owe it."""

    VISIT = "visit"
    """By a rule of the house, or a campaign."""
    PROMISE = "promise"
    """Promised to the customer, for a time that he knows (CB-05, CB-11)."""


PROMISE_RULE: Final = "promise"
"""The rule of a visit that keeps a promise; it stands in no house file."""


class State(StrEnum):
    """Where a visit stands."""

    PLANNED = "planned"
    WAITING = "waiting"
    DUE = "due"
    CLAIMED = "claimed"
    IN_ATTEMPT = "in_attempt"
    WRAP_UP = "wrap_up"
    NEEDS_DECISION = "needs_decision"
    DONE = "done"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    CANCELLED = "cancelled"
    MERGED = "merged"


OPEN: Final = "open"
"""Planned, waiting or due, as the database keeps it."""
HELD: Final = (State.CLAIMED, State.IN_ATTEMPT, State.WRAP_UP)
"""Somebody works on it."""
ENDS: Final = (
    State.DONE,
    State.UNREACHABLE,
    State.REFUSED,
    State.WRONG_NUMBER,
    State.CANCELLED,
    State.MERGED,
)
COVERED: Final = (State.DONE, State.UNREACHABLE, State.REFUSED)
"""Ends that count as covered (V10); only `done` is reached."""


class Outcome(StrEnum):
    """What became of one attempt: as the PBX saw it, or as the agent says afterwards."""

    DONE = "done"
    APPOINTMENT = "appointment"
    """Not now: the customer named a time (CB-21). Counts for nothing."""
    SOLUTION_REFUSED = "solution_refused"
    REFUSED_CONTACT = "refused_contact"
    WRONG_NUMBER = "wrong_number"
    CLOSED = "closed"
    """Nobody is left to visit: deceased, or business given up."""
    MACHINE = "machine"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"
    """The house's line: free of the caps, up to a number each day."""
    AGENT_NO_SHOW = "agent_no_show"
    NOT_DIALLED = "not_dialled"
    """Proven: nobody's phone rang."""
    ABANDONED = "abandoned"
    """He was rung first, picked up, and no agent was there for him."""
    UNKNOWN = "unknown"
    """Nobody can tell whether it was dialled: a person decides."""


FREE_OF_CAPS: Final = frozenset(
    {Outcome.FAILED, Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED, Outcome.APPOINTMENT}
)
"""Outcomes that use nothing of a visit's budget (V7, CB-21)."""
BY_AGENT: Final = frozenset(
    {
        Outcome.DONE,
        Outcome.APPOINTMENT,
        Outcome.SOLUTION_REFUSED,
        Outcome.REFUSED_CONTACT,
        Outcome.WRONG_NUMBER,
        Outcome.CLOSED,
        Outcome.MACHINE,
    }
)
"""What only the agent can tell, once somebody or something picked up."""
PERSON: Final = (BY_AGENT - {Outcome.MACHINE}) | {Outcome.ABANDONED}
"""Outcomes by which a person answered; who was abandoned may have been one."""
CALLED_US: Final = "customer_called"
"""Why an attempt was allowed that nobody dialled: the customer had called us (CB-35)."""
ENDED_BY: Final[Mapping[Outcome, State]] = {
    Outcome.DONE: State.DONE,
    Outcome.REFUSED_CONTACT: State.REFUSED,
    Outcome.WRONG_NUMBER: State.WRONG_NUMBER,
    Outcome.CLOSED: State.CANCELLED,
}
"""The end to which an outcome leads at once (21.2.1)."""


@value
class Visit:
    """One return visit that the house owes. Instants are aware UTC; people by our ids.

    `origin` names what it is owed for, and is owed once. `from_at` and `due_at` are the edges of
    its window; `give_up_at` is when it is no longer tried; `next_at` when the next attempt may
    be made (an appointment's own time, if there is one). `owner` is whose it is, `held_by` who
    works on it now, until `lease_until`; `epoch` counts who held it. `dial_at` is when it is
    dialled by itself. `attempts` counts those that use the budget,
    `explanations` the refused solutions. `avoid_agent` and `avoid_daypart` are who must not try
    next, and when not. `warned` is how much of its time (50, 80 or 100 %) is known to
    be over, `look_at` when to look at that again.
    """

    id: str
    kind: Kind
    origin: str
    customer: str
    rule: str
    purpose: str
    period: str
    event: str | None
    campaign: str | None
    department: str
    form: str
    script: str
    channels: tuple[str, ...]
    by: str
    at: time | None
    state: str
    from_at: datetime
    due_at: datetime
    give_up_at: datetime
    next_at: datetime
    appointment_at: datetime | None
    owner: str | None
    held_by: str | None
    lease_until: datetime | None
    dial_at: datetime | None
    epoch: int
    attempts: int
    explanations: int
    avoid_agent: str | None
    avoid_daypart: str | None
    look_at: datetime
    warned: int
    breached: bool
    breach_cause: str
    fallback_sent: bool
    outcome: Outcome | None
    note: str
    zone: str
    policy: str
    merged_into: str | None
    ended_by: str | None
    ended_at: datetime | None
    opened_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.ended_at is not None


@value
class Try:
    """One attempt of a visit; its id is that of the dialling.

    `daypart` is that of the customer's clock when it began, as `weekday:morning`; `counts`
    whether it uses the budget; `allowed` why it was allowed (V6). `customer_first`: he was rung
    before his agent; `abandoned`: then nobody was there for him in time, or nobody can tell.
    """

    id: str
    visit: str
    customer: str
    number: str
    agent: str
    purpose: str
    daypart: str
    allowed: str
    began_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    counts: bool
    call: str | None
    customer_first: bool = False
    abandoned: bool = False


@value
class Owed:
    """A visit as a plan wants it: what is not said here follows from the house's rules."""

    kind: Kind
    origin: str
    customer: str
    rule: str
    purpose: str
    period: str
    from_at: datetime
    due_at: datetime
    give_up_at: datetime
    zone: str
    event: str | None = None
    campaign: str | None = None
    department: str = ""
    form: str = ""
    script: str = ""
    channels: tuple[str, ...] = ("phone",)
    by: str = ""
    at: time | None = None
    owner: str | None = None
    appointment_at: datetime | None = None


@value
class Wishes:
    """What a customer wants or does not want, as the rules of calling read it.

    `zone` empty: the house's. `hours`: his preferred hours by his own clock; none: all that the
    house allows. `no`: purposes to which he said no; `yes`: to which he said yes.
    """

    do_not_call: bool = False
    no: frozenset[str] = frozenset()
    yes: frozenset[str] = frozenset()
    zone: str = ""
    hours: tuple[Span, ...] = ()
    merchant: bool = False
    """A restaurant: it has its own quiet times (21.6)."""


MERCHANT: Final = "merchant"
"""The channel by which a restaurant is asked about its guest, before he is called himself."""
PLANNED_LATE: Final = "planned_late"
"""Cause of a breach: the deadline had passed when the visit was planned, or moved there."""
WARNINGS: Final = (50, 80, 100)
"""Of its time, in percent: owner, then supervisor are alerted; then it is a breach (21.2.5)."""


def next_look(
    from_at: datetime, due_at: datetime, give_up_at: datetime, now: datetime
) -> tuple[int, datetime]:
    """Tell how much of a window is over, in steps of `WARNINGS`, and when the next step comes."""
    passed = 0
    for percent in WARNINGS:
        at = from_at + (due_at - from_at) * percent / 100
        if at > now:
            return passed, at
        passed = percent
    return passed, give_up_at
