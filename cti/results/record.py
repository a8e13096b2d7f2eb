"""What a return visit brought: its record, opinions, promises, and the work it leaves. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from cti.results.forms import Answers
from cti.value import value


class OpinionKind(StrEnum):
    """What a customer said, item by item (CB-25)."""

    OPINION = "opinion"
    SUGGESTION = "suggestion"
    DEMAND = "demand"
    COMPLAINT = "complaint"
    """Written in red, and handed on (CB-32)."""


class OpinionState(StrEnum):
    """Where an item stands: its department has it, and has answered it."""

    NEW = "new"
    PASSED_ON = "passed_on"
    ANSWERED = "answered"


class WorkKind(StrEnum):
    """What a visit leaves for a person to do, until the rooms for it exist (21.2)."""

    FOLLOW_UP = "follow_up"
    """A customer is not satisfied (CB-30, V21)."""
    COMPLAINT = "complaint"
    FALLBACK = "fallback"
    """Nobody was reached: write to the customer (21.2.7)."""
    DATA_FIX = "data_fix"
    DO_NOT_CALL = "do_not_call"
    """The customer does not want to be called: enter it in his record."""
    SUPERVISOR = "supervisor"
    """A solution was refused (CB-17)."""
    REMINDER = "reminder"


WORK_OF_STEP: Final[Mapping[str, WorkKind]] = {
    "fallback": WorkKind.FALLBACK,
    "data_fix": WorkKind.DATA_FIX,
    "do_not_call": WorkKind.DO_NOT_CALL,
    "supervisor": WorkKind.SUPERVISOR,
}
"""What `visits.attempts.Step.todo` asks for."""


@value
class Record:
    """The record of one visit (回訪記錄表, CB-33). Instants are aware UTC; people by our ids.

    `answers` are those to `form` as it was when the rules had the version `policy`. `call` is
    the call in which it was made, `recorded` whether its recording is linked; `gap` says why
    not. `effective` is requirement 21.2's. `signed_by` is the manager who signed the slip.
    """

    id: str
    visit: str
    customer: str
    rule: str
    campaign: str | None
    period: str
    agent: str
    channel: str
    place: str
    at: datetime
    form: str
    policy: str
    answers: Answers
    satisfaction: str | None
    identity: bool
    note: str
    call: str | None
    talk_ms: int | None
    recorded: bool
    gap: str
    effective: bool
    signed_by: str | None
    signed_at: datetime | None
    signed_note: str


@value
class Opinion:
    """One item that a customer said, and what its department did about it (CB-25, CB-34)."""

    id: str
    record: str
    visit: str
    customer: str
    kind: OpinionKind
    text: str
    department: str
    state: OpinionState
    major: bool
    """For the weekly meeting."""
    answer: str
    answered_by: str | None
    answered_at: datetime | None
    at: datetime


@value
class Promise:
    """What the customer was told that he would hear, and when (CB-11)."""

    id: str
    record: str
    visit: str
    customer: str
    agent: str
    text: str
    at: datetime
    made_at: datetime

    @property
    def origin(self) -> str:
        """What the visit that keeps it is owed for."""
        return f"promise|{self.id}"


@value
class Score:
    """How content a customer was with one person who served him (CB-STUDIO-08).

    `person` is the name that his event tells: such people need not know this program.
    """

    id: str
    record: str
    visit: str
    customer: str
    agent: str
    role: str
    person: str
    score: str
    at: datetime


@value
class WorkItem:
    """Something that a person does and ticks off. `origin` is owed once."""

    id: str
    kind: WorkKind
    origin: str
    visit: str | None
    customer: str | None
    department: str
    owner: str | None
    channel: str
    text: str
    due_at: datetime
    opened_at: datetime
    done_by: str | None
    done_at: datetime | None
    note: str


@value
class Campaign:
    """Visits to a selection of customers (CB-06, CB-09, CB-28), and what came of them."""

    id: str
    name: str
    purpose: str
    selection: Mapping[str, Any]
    form: str
    script: str
    from_at: datetime
    due_at: datetime
    made_by: str
    made_at: datetime
    visits: int
    conclusion: str
    concluded_by: str | None
    concluded_at: datetime | None


@value
class Selection:
    """Criteria (`visits.criteria`) saved under a name, and who made, changed and used it."""

    id: str
    name: str
    criteria: Mapping[str, Any]
    made_by: str
    made_at: datetime
    changed_by: str
    changed_at: datetime
    used_by: str | None = None
    used_at: datetime | None = None
