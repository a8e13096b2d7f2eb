"""In which state was somebody, from when to when, and how do we know? Values, and how they join."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from cti.value import value


class AgentState(StrEnum):
    """What an agent was doing (requirements 21.4, 22.1)."""

    AVAILABLE = "available"
    RINGING = "ringing"
    ON_CALL = "on_call"
    """With a customer, by the call book."""
    WRAP_UP = "wrap_up"
    """The first `wrap_up_limit` after a customer call."""
    BREAK_APPROVED = "break_approved"
    CALLED_AWAY = "called_away"
    """By the supervisor."""
    BUSY_ELSEWHERE = "busy_elsewhere"
    """The phone was busy without a customer call on this PBX: do-not-disturb, or a private call."""
    PAUSE_UNAPPROVED = "pause_unapproved"
    PBX_AUTOPAUSE = "pbx_autopause"
    """Paused by the queue after a miss, not by the agent."""
    LOGGED_OUT = "logged_out"
    """The phone un-registered cleanly."""
    UNREACHABLE = "unreachable"
    """The phone cannot be reached, through no action of the agent."""
    UNKNOWN = "unknown"


class Source(StrEnum):
    """How a state is known."""

    CALLS = "calls"
    DEVICE = "device"
    QUEUE = "queue"
    PERSON = "person"
    """A click of the agent or the supervisor."""
    LINK = "link"
    """The PBX was not heard: nothing is known."""


@value
class Interval:
    """One person in one state. `ended_at` is None while it lasts; instants are aware UTC."""

    person: str
    state: AgentState
    began_at: datetime
    ended_at: datetime | None
    source: Source
    cause: str = ""
    """As the PBX or the person said it, or the id of the call."""

    def covers(self, at: datetime) -> bool:
        """Tell whether it holds at an instant (the end excluded)."""
        return self.began_at <= at and (self.ended_at is None or at < self.ended_at)


def covered(
    intervals: Iterable[Interval], states: Iterable[AgentState], began: datetime, ended: datetime
) -> bool:
    """Tell whether these states, joined, cover a time from `began` to `ended` without a hole.

    A time of no length is covered by what holds at its instant (requirement 21.4 point 4).
    """
    wanted = frozenset(states)
    spans = sorted(
        ((one.began_at, one.ended_at) for one in intervals if one.state in wanted),
        key=lambda span: span[0],
    )
    reached = began
    for start, end in spans:
        if start > reached:
            return False
        if end is None or (end > reached and end >= ended and (ended > began or end > began)):
            return True
        reached = max(reached, end)
    return False


def at(intervals: Sequence[Interval], instant: datetime) -> list[Interval]:
    """Give what holds at an instant."""
    return [one for one in intervals if one.covers(instant)]
