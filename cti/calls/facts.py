"""What was seen of a call, gathered as sets: adding a fact twice, or late, changes nothing.

Nothing is decided here; `judge` reads it. A `Moment` orders facts: the PBX's stamp, then the
order of arrival, for streams without stamps.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from cti.calls.effects import Show
from cti.calls.record import CallId

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(NamedTuple):
    """When something was seen; compares by the PBX's stamp first."""

    order: datetime
    seq: int

    @property
    def at(self) -> datetime | None:
        """The instant, None in a stream without stamps."""
        return None if self.order is NEVER else self.order


def moment(at: datetime | None, seq: int) -> Moment:
    """Make a moment of a stamp, which may be missing, and the order of arrival."""
    return Moment(NEVER if at is None else at, seq)


def later(moment: Moment, by: timedelta) -> Moment:
    """Move a moment; one without a stamp stays."""
    return moment if moment.at is None else Moment(moment.order + by, moment.seq)


def earlier(one: Moment | None, two: Moment | None) -> Moment | None:
    """Give the first of two moments, as far as they are known."""
    if one is None or two is None:
        return one or two
    return two if two < one else one


class Dial(NamedTuple):
    """A begin of dialling this leg."""

    when: Moment
    caller: str | None
    """Leg id of who dials; None: originated."""


class DialEnd(NamedTuple):
    """An end of dialling this leg."""

    when: Moment
    status: str
    forward: str | None


class Step(NamedTuple):
    """In or out of a bridge."""

    when: Moment
    bridge: str
    entered: bool
    kind: str
    """Of the bridge: `basic` joins two, `holding` parks and plays music, or another."""


class Request(NamedTuple):
    """A hang-up that was asked for."""

    when: Moment
    cause: int | None
    soft: bool


class Mark(NamedTuple):
    """What a queue said of this leg as a member's phone."""

    when: Moment
    kind: str  # "called" | "rang_out" | "connected" | "completed"
    reason: str


class Word(NamedTuple):
    """What our own part of the dialplan said on this leg."""

    when: Moment
    topic: str
    word: str
    code: str


class Visit(NamedTuple):
    """What a queue said of this leg as a caller."""

    when: Moment
    queue: str
    kind: str  # "joined" | "left" | "abandoned" | "named"


@dataclass(slots=True, eq=False)
class Leg:
    """One channel and all that was seen of it."""

    id: str
    channel: str
    linked: str
    first: Moment
    born: Moment | None = None
    born_state: int | None = None
    number: str | None = None
    name: str | None = None
    exten: str | None = None
    told: Moment | None = None
    """When number and exten were learnt; for a leg whose birth was seen, at its birth."""
    named: Moment | None = None
    numbered: Moment | None = None
    """When the number was learnt, if not with the exten."""
    dialled: str | None = None
    begins: list[Dial] = field(default_factory=list)
    ends: list[DialEnd] = field(default_factory=list)
    rang: Moment | None = None
    moved: Moment | None = None
    up: Moment | None = None
    noticed: bool = False
    """Picked up unseen: `up` is when a snapshot showed it."""
    steps: list[Step] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    files: list[tuple[Moment, str]] = field(default_factory=list)
    recorded: Moment | None = None
    """When the PBX last began to record this channel."""
    unrecorded: Moment | None = None
    """When it last ceased to, while the channel lived."""
    taken_by: set[str] = field(default_factory=set)
    """Legs that picked this one's call up."""
    took: Moment | None = None
    """When this leg picked a colleague's call up."""
    gone: Moment | None = None
    cause: int | None = None
    guessed: bool = False
    """A start or an end was estimated by a snapshot."""
    lost: bool = False
    """Ended unseen."""

    @property
    def device(self) -> str:
        """The channel's name without its suffix."""
        return self.channel.rsplit("-", 1)[0]

    @property
    def is_recorded(self) -> bool:
        """Whether the PBX records this channel now."""
        if self.recorded is None or self.gone is not None:
            return False
        return self.unrecorded is None or self.unrecorded < self.recorded

    @property
    def local(self) -> bool:
        """Whether this is one half of a Local channel: nobody's phone."""
        return self.channel.startswith("Local/")

    @property
    def other_half(self) -> str:
        """The channel name of the other half of a Local."""
        return self.channel[:-1] + ("2" if self.channel.endswith("1") else "1")


@dataclass(slots=True, eq=False)
class Call:
    """All legs that belong together, and what is known of the whole."""

    id: CallId
    number: int
    show: Show
    """The effect that says: this call has changed. Made once."""
    legs: dict[str, Leg] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """Every Uniqueid and Linkedid by which the call is known."""
    open_legs: int = 0
    quiet: Moment | None = None
    """Since when no leg lives."""
    blind: bool = False
    """The link was down at some time while the call lived."""
    blind_open: bool = False
    """... while its outcome was open."""
    torn: bool = False
    """The PBX stopped while the call lived."""
    inexact: bool = False
    """Times are those of arrival."""
    cut: bool = False
    """The stream ended while the call lived."""
