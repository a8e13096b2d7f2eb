"""In which state was somebody, from when to when, and how do we know? Values, and how they join."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from cti.value import value

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class AgentState(StrEnum):
    """What an agent was doing (requirements 21.4, 22.1)."""

    AVAILABLE = "available"
    RINGING = "ringing"
    ON_CALL = "on_call"
    """With a customer, by the call book."""
    SYSTEM_DIALLED_VISIT = "system_dialled_visit"
    """At a return visit that the system dials for him: his phone rings, or his customer's."""
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


def talk_of(person: str, call: str, began: datetime, ended: datetime | None) -> Interval:
    """Give a talk with a customer as a state: by the call book."""
    return Interval(
        person=person,
        state=AgentState.ON_CALL,
        began_at=began,
        ended_at=ended,
        source=Source.CALLS,
        cause=call,
    )


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


def joined(
    phones: Iterable[Interval],
    talks: Iterable[Interval],
    away: Iterable[Interval],
    wrap_up_limit: timedelta,
    dialled: Iterable[Interval] = (),
) -> list[Interval]:
    """Say what each person was doing: phones and queues, with calls and clicks laid over them.

    `talks` are talks with customers (`ON_CALL`, by the call book, `cause` the call), `away` the
    approved breaks and callings away, `dialled` the return visits that the system dials. A talk
    counts before such a visit, that before a calling away, that before a break,
    that before wrap-up (the first `wrap_up_limit` after a talk), that before whatever a phone
    did meanwhile: a phone that rings during a break is a break. A talk that was left with the
    phone busy, as to ask a colleague, and gone on with, is one talk. By person, in order of time.
    Source: requirement 21.4 point 4.
    """
    told, talked, clicked = _by_person(phones), _by_person(talks), _by_person(away)
    visited = _by_person(dialled)
    return [
        interval
        for person in sorted({*told, *talked, *clicked, *visited})
        for interval in _laid(
            told.get(person, []),
            talked.get(person, []),
            clicked.get(person, []),
            visited.get(person, []),
            wrap_up_limit,
        )
    ]


def _laid(
    phones: list[Interval],
    talks: list[Interval],
    away: list[Interval],
    dialled: list[Interval],
    limit: timedelta,
) -> list[Interval]:
    whole = _disjoint(_whole_talks(talks, phones))
    breaks = [one for one in away if one.state is not AgentState.CALLED_AWAY]
    called = [one for one in away if one.state is AgentState.CALLED_AWAY]
    laid = phones
    for above in (_wrap_ups(whole, limit), breaks, called, dialled, whole):
        laid = _over(laid, above)
    return laid


def _whole_talks(talks: list[Interval], phones: list[Interval]) -> list[Interval]:
    """Join talks of one call between which the phone stayed busy."""
    whole = list[Interval]()
    for talk in talks:
        before = whole[-1] if whole else None
        if (
            before is not None
            and before.cause == talk.cause
            and before.ended_at is not None
            and (
                talk.began_at <= before.ended_at
                or covered(phones, {AgentState.BUSY_ELSEWHERE}, before.ended_at, talk.began_at)
            )
        ):
            whole[-1] = replace(before, ended_at=_later(before.ended_at, talk.ended_at))
        else:
            whole.append(talk)
    return whole


def _later(one: datetime, other: datetime | None) -> datetime | None:
    return None if other is None else max(one, other)


def _wrap_ups(talks: Sequence[Interval], limit: timedelta) -> list[Interval]:
    """Give what follows each talk, up to the next."""
    wraps = list[Interval]()
    for place, talk in enumerate(talks):
        if talk.ended_at is None:
            continue
        ends = talk.ended_at + limit
        if place + 1 < len(talks):
            ends = min(ends, talks[place + 1].began_at)
        if ends > talk.ended_at:
            state = AgentState.WRAP_UP
            wraps.append(replace(talk, state=state, began_at=talk.ended_at, ended_at=ends))
    return wraps


def _over(below: list[Interval], above: list[Interval]) -> list[Interval]:
    """Lay intervals over others, which are cut to what stays free; of several above the first."""
    top = _disjoint(above)
    starts = [one.began_at for one in top]
    laid = list(top)
    for one in below:
        laid += _free(one, top, max(0, bisect_right(starts, one.began_at) - 1))
    return sorted(laid, key=lambda one: one.began_at)


def _disjoint(above: list[Interval]) -> list[Interval]:
    """Let each of several overlapping intervals, in order of time, begin when the last is over."""
    top = list[Interval]()
    reached = _EVER
    for one in above:
        if _ends(one) > reached:
            began = max(one.began_at, reached)
            top.append(one if began == one.began_at else replace(one, began_at=began))
            reached = _ends(one)
    return top


def _free(one: Interval, taken: Sequence[Interval], first: int) -> list[Interval]:
    """Give the parts of an interval that none of `taken` covers, looking from place `first` on."""
    parts = list[Interval]()
    start, end = one.began_at, _ends(one)
    for place in range(first, len(taken)):
        other = taken[place]
        if other.began_at >= end:
            break
        if start < other.began_at:
            parts.append(replace(one, began_at=start, ended_at=other.began_at))
        start = max(start, _ends(other))
    if start < end:
        parts.append(one if start == one.began_at else replace(one, began_at=start))
    return parts


def _ends(interval: Interval) -> datetime:
    return interval.ended_at or _NEVER


def _by_person(intervals: Iterable[Interval]) -> dict[str, list[Interval]]:
    by_person: dict[str, list[Interval]] = {}
    for one in sorted(intervals, key=lambda one: one.began_at):
        by_person.setdefault(one.person, []).append(one)
    return by_person
