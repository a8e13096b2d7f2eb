"""What is kept of a call that is scored? Values, as they are stored and shown.

waiting ──score──▶ scored ──object──▶ objected ──decide──▶ decided
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from cti.value import value


class State(StrEnum):
    """Where a sample stands."""

    WAITING = "waiting"
    SCORED = "scored"
    OBJECTED = "objected"
    DECIDED = "decided"


class Mark(StrEnum):
    """What a question of the form is answered with."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    NONE = "none"
    """It did not come up: the question does not count."""


class Verdict(StrEnum):
    """What somebody else says to an objection."""

    UPHELD = "upheld"
    """The score stands."""
    CHANGED = "changed"


@value
class Answer:
    """One question as it was asked, with its answer: later changes of the form touch no score."""

    item: str
    weight: int
    labels: Mapping[str, str]
    mark: Mark


@value
class Candidate:
    """A recording that may be drawn, with its call and its agent."""

    recording: str
    call: str | None
    person: str


@value
class Draw:
    """How the samples of one agent and week were drawn, so that anybody may draw them again."""

    person: str
    week: date
    seed: str
    pool: tuple[str, ...]
    drawn: tuple[str, ...]
    at: datetime
    policy: str


@value
class Sample:
    """One call that was drawn. `points` are of 100; `before` those from before an objection."""

    id: str
    person: str
    week: date
    recording: str
    call: str | None
    drawn_at: datetime
    state: State
    version: int = 1
    scored_by: str = ""
    scored_at: datetime | None = None
    answers: tuple[Answer, ...] = ()
    points: Decimal | None = None
    comment: str = ""
    objection: str = ""
    objected_at: datetime | None = None
    verdict: Verdict | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    decision: str = ""
    before: Decimal | None = None
