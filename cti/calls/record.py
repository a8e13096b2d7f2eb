"""What is known of a call, as values: the record that is stored, shown and printed."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NewType

from cti.value import value

CallId = NewType("CallId", str)


class Direction(StrEnum):
    """Where a call came from: a trunk, towards a trunk, or neither."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class State(StrEnum):
    """Where a call stands now."""

    MENU = "menu"
    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class Outcome(StrEnum):
    """What became of a call: a person was connected with the customer, or none."""

    ANSWERED = "answered"
    MISSED = "missed"


class Reason(StrEnum):
    """Why an inbound call was missed, as far as the stream shows it; the first that fits."""

    UNOBSERVED = "unobserved"
    PBX_FAULT = "pbx_fault"
    OUT_OF_HOURS = "out_of_hours"
    IVR_ABANDON = "ivr_abandon"
    SHORT_ABANDON = "short_abandon"
    ALL_BUSY = "all_busy"
    REJECTED = "rejected"
    RANG_OUT = "rang_out"
    ABANDONED_RINGING = "abandoned_ringing"
    NOT_OFFERED = "not_offered"


class OfferOutcome(StrEnum):
    """What became of one phone that was asked."""

    ANSWERED = "answered"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    CALLER_GAVE_UP = "caller_gave_up"
    RANG_OUT = "rang_out"
    REJECTED = "rejected"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    PICKED_UP_BY_OTHER = "picked_up_by_other"
    FORWARDED = "forwarded"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class EndedBy(StrEnum):
    """Who ended a call: the customer, one of us, or the PBX."""

    CALLER = "caller"
    AGENT = "agent"
    PBX = "pbx"


@value
class Phone:
    """One phone in a call: `device` is its channel's name without suffix, `agent` what follows `/`.

    On a trunk `agent` is the number dialled.
    """

    agent: str
    device: str
    channel: str
    leg: str


@value
class OfferRecord:
    """One phone asked to take a call.

    `ring_ms` is None while it rings, if it never rang, or if it is unknown.
    """

    phone: Phone
    began: datetime | None
    rang: bool
    rang_at: datetime | None
    picked_at: datetime | None
    ended: bool
    ended_at: datetime | None
    ring_ms: int | None
    outcome: OfferOutcome | None


@value
class VisitRecord:
    """One visit to a queue."""

    queue: str
    joined_at: datetime | None
    left_at: datetime | None
    abandoned: bool


@value
class TalkRecord:
    """The customer and one person in one bridge. `ended_at` is None while they talk.

    `gone`: the person's leg is no more; else the talk may go on, as after asking a colleague.
    """

    phone: Phone
    began_at: datetime | None
    ended_at: datetime | None
    gone: bool = False


@value
class SaidRecord:
    """What our own part of the dialplan said during a call (`cti.pbx.events.Said`)."""

    topic: str
    word: str
    code: str
    at: datetime | None


def announced(said: Iterable[SaidRecord]) -> bool:
    """Tell whether the PBX said that the caller was told of the recording (REC-08)."""
    return any((one.topic, one.word) == ("recording", "told") for one in said)


LINE_TEST: Final = "line_test"
"""The purpose of a call with which the house tests its own line (LINE-07)."""


@value
class DialledCall:
    """What became of a call that we dialled, once it is over.

    `outcome` and `picked_at` are those of the customer's phone; without `outcome` it was never
    asked.
    """

    call: str
    began: datetime | None
    ended_at: datetime | None
    outcome: OfferOutcome | None
    picked_at: datetime | None
    said: tuple[SaidRecord, ...] = ()
    approximate: bool = False
    joined_at: datetime | None = None
    """When he was first in one bridge with a person."""


@value
class CallRecord:
    """One call as it stands; `over` when nothing will be added. Durations: whole ms, rounded down.

    `caller` and `caller_name` are as the PBX sent them, un-escaped: hostile until cleaned.
    `legs` are (Uniqueid, channel name).
    """

    id: CallId
    pbx: str
    boot: str
    direction: Direction
    state: State
    caller: str | None
    caller_name: str | None
    dialled: str | None
    channel: str
    began: datetime | None
    seen_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    reason: Reason | None
    answered_by: Phone | None
    answered_at: datetime | None
    rang_at: datetime | None
    waiting_since: datetime | None
    rings: int | None
    ring_ms: int | None
    wait_ms: int | None
    talk_ms: int | None
    ended_by: EndedBy | None
    offers: tuple[OfferRecord, ...]
    visits: tuple[VisitRecord, ...]
    talks: tuple[TalkRecord, ...]
    queues: tuple[str, ...]
    recordings: tuple[str, ...]
    legs: tuple[tuple[str, str], ...]
    approximate: bool
    over: bool
    said: tuple[SaidRecord, ...] = ()
    far: OfferRecord | None = None
    """The customer's phone in an outbound call."""
    recorders: tuple[str, ...] = ()
    """The channels that the PBX records now."""

    @property
    def purpose(self) -> str | None:
        """Why we made this call, as far as the PBX says so: `line_test`; else None."""
        return LINE_TEST if any(one.topic == LINE_TEST for one in self.said) else None

    @property
    def announced(self) -> bool:
        """Whether the PBX said that the caller was told of the recording."""
        return announced(self.said)


@value
class OverCall:
    """A stored call that is over: when it was first seen, and when it ended."""

    call: str
    seen_at: datetime
    ended_at: datetime


@value
class DialledByUs:
    """A stored call towards a customer, over now; `channel` began it and waited till `until`."""

    call: str
    pbx: str
    channel: str
    began: datetime
    until: datetime


@value
class WholeCall:
    """A call as its rows stand in the records, with its parts in order.

    `in_gap`: its PBX was not heard for a part of it.
    """

    row: dict[str, Any]
    offers: list[dict[str, Any]]
    visits: list[dict[str, Any]]
    talks: list[dict[str, Any]]
    legs: list[dict[str, Any]]
    in_gap: bool


@value
class MissedCall:
    """An inbound call that is over and was missed, as those who make good for it need it.

    `number` is the customer's in its normal form, None when it was withheld; `at` is its end;
    `rung` are the people whose phones rang, the first first.
    """

    call: str
    number: str | None
    at: datetime
    reason: str
    dialled: str
    queues: tuple[str, ...]
    rung: tuple[str, ...]


@value
class AnsweredCall:
    """A call in which one of us talked with a customer, `person` if we know who, since `at`."""

    call: str
    number: str
    at: datetime
    person: str | None


@value
class RecordedTalk:
    """Who of us talked with the customer, on which phone, from when to when."""

    agent: str
    person: str | None
    began: datetime | None
    ended: datetime | None


@value
class RecordedCall:
    """A call as its recordings need it. `files` are as the PBX named them on its channels.

    `ended` is None while it lives; `talks` are known when it is over. `legs` are the Uniqueids
    of its channels, where it was asked for by one; `names` all numbers by which a file's name
    may call it. `line` is the number that was dialled; `announced`: the PBX said that the caller
    was told of the recording.
    """

    call: str
    pbx: str
    direction: Direction
    began: datetime
    ended: datetime | None
    over: bool
    answered: bool
    talk_ms: int | None
    agent: str
    person: str | None
    customer: str | None
    is_test: bool
    files: tuple[str, ...]
    channel: str
    names: frozenset[str]
    talks: tuple[RecordedTalk, ...] = ()
    legs: tuple[str, ...] = ()
    line: str = ""
    announced: bool = False
