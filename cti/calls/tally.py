"""What do reports ask of stored calls, and what do they get? Values."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from cti.calls.record import Outcome
from cti.value import value


@value
class Wanted:
    """Which inbound calls a report is about: begun in a time, and narrowed by what is not None.

    `where` is a dialled line or a queue, `rung` somebody whose phone rang.
    """

    began: datetime
    ended: datetime
    outcome: Outcome | None = None
    person: str | None = None
    rung: str | None = None
    where: str | None = None
    reason: str | None = None


Part = Literal["person", "rung", "reason", "slot"]
"""By what calls are counted apart; `rung` counts a call once for each agent whose phone rang,
`slot` is five minutes."""
SLOT_S: Final = 300


@value
class Tally:
    """How many calls there were of one kind. `known` of them have a ring count."""

    person: str | None = None
    reason: str | None = None
    at: datetime | None = None
    """The beginning of the five minutes."""
    calls: int
    known: int = 0
    within: int = 0
    """Rung no more often than the standard."""
    late: int = 0
    """Rung so often that one apologises."""
    ring_ms: int = 0
    wait_ms: int = 0


@value
class MissedLine:
    """One missed call of a list, with who was rung."""

    call: str
    at: datetime
    number: str | None
    caller: str | None
    line: str | None
    queues: Sequence[str]
    reason: str | None
    rings: int | None
    wait_ms: int | None
    rung: Sequence[str]
    """Our ids, or a phone's name where nobody owns it."""
