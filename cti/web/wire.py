"""What goes over the wire to a screen, and what a screen may send. The one place of the shapes.

What comes in is checked against these models. What goes out is built elsewhere as plain
values; tests and the description of the API hold it against them.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticSerializationError, to_json

from cti.house_visits import EVENTS

Instant = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", description="UTC.")
]
Direction = Literal["inbound", "outbound", "internal"]
Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    """A shape without surprises: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonLine(Shape):
    """Whose screen this is."""

    number: str
    name: str
    role: str


class LinkLine(Shape):
    """The link to one PBX, and since when it is so."""

    pbx: str
    up: bool
    since: Instant | None


class CustomerLine(Shape):
    """A customer whom the number may belong to, with what tells several apart."""

    id: str
    name: str
    tier: Annotated[
        str | None, Field(description="Its id, or the name that the house gave it itself.")
    ]
    company: str | None
    area: str | None
    phones: list[str]


class ContactLine(Shape):
    """One earlier contact."""

    at: Instant
    direction: Direction
    outcome: str
    reason: str | None
    rings: int | None
    agent: str | None
    talk_ms: int | None
    recording: str | None = Field(description="One that this person may hear.")


class OwedLine(Shape):
    """A return visit that is owed to one of the customers; it can be made in this call."""

    visit: str
    customer: str
    due_at: Instant
    late: bool


Doing = Literal["pause", "resume", "start", "stop", "refuse", "agree"]
"""What one may do about a recording."""


class RecordingLine(Shape):
    """How a call is recorded now, and what this person may do about it.

    `told` is how the customer was told of it. While it is paused: since when, why, by whom, and
    when it goes on by itself.
    """

    state: Literal["on", "paused", "off"]
    told: Literal["pbx", "line", "no", "need_not"]
    since: Instant | None
    until: Instant | None
    why: Literal["asked", "refused"] | None
    by: str | None
    may: list[Doing]


class Card(Shape):
    """One call on one person's screen. `ended` takes it away, `outcome` says why."""

    call: str
    state: Literal["ringing", "talking", "ended"]
    outcome: (
        Literal[
            "answered",
            "answered_elsewhere",
            "caller_gave_up",
            "rang_out",
            "rejected",
            "busy",
            "unreachable",
            "picked_up_by_other",
            "forwarded",
            "withdrawn",
            "unknown",
            "completed",
            "transferred",
        ]
        | None
    )
    by: str | None = Field(description="The colleague who took it.")
    direction: Direction
    number: str | None = Field(description="Normal form, `anonymous`, or null if none was sent.")
    shown: str | None = Field(description="The number as people read it.")
    caller_name: str | None = Field(description="What the network calls the caller; unverified.")
    line: str | None
    queue: str | None
    rang_at: Instant | None
    waiting_since: Instant | None
    answered_at: Instant | None
    cycle_ms: Annotated[int, Field(gt=0)]
    standard: int
    apologise_from: int
    approximate: bool
    customers: list[CustomerLine]
    chosen: str | None
    contacts: list[ContactLine]
    owed: list[OwedLine]
    recording: RecordingLine | None


class BoardCall(Shape):
    """One call on the board."""

    call: str
    state: Literal["menu", "waiting", "ringing", "talking"]
    shown: str | None
    caller_name: str | None
    customer: str | None
    line: str | None
    queue: str | None
    began: Instant | None
    rang_at: Instant | None
    agents: list[str]
    direction: Direction
    recording: RecordingLine | None


class BoardAgent(Shape):
    """One agent on the board."""

    number: str
    name: str
    state: Literal["available", "ringing", "on_call", "paused", "unreachable", "unknown"]
    since: Instant | None
    call: str | None


class Today(Shape):
    """The day's figures so far, by the house's calendar."""

    answered: Count
    missed: Count
    missed_by_reason: dict[str, Count]
    within_standard: Count
    standard_rate: Annotated[float, Field(ge=0, le=1)] | None
    inbound: Count
    talk_ms: Count | None = Field(description="How long answered calls lasted, in the mean.")


StateName = Literal[
    "available",
    "ringing",
    "on_call",
    "wrap_up",
    "break_approved",
    "called_away",
    "busy_elsewhere",
    "pause_unapproved",
    "pbx_autopause",
    "logged_out",
    "unreachable",
    "unknown",
]


class WallAgent(Shape):
    """How one agent stands, by phones, queues, calls and breaks."""

    number: str
    name: str
    state: StateName
    since: Instant | None


class WallAlarm(Shape):
    """A figure beyond its limit, and since when."""

    key: Literal["longest_wait", "waiting", "service_level", "recordings"]
    level: Literal["warning", "critical"]
    since: Instant | None


class Targets(Shape):
    """The day's promises and visits: those due and those kept, those made and those recorded."""

    promised: Count
    kept: Count
    visited: Count
    recorded: Count


class TalkLimit(Shape):
    """How long a call should last, and must not exceed, in seconds."""

    target: Count
    most: Count


class Wall(Shape):
    """What the wallboard shows besides the day: who waits, the longest since when, agents."""

    waiting: Count
    longest: Instant | None
    states: dict[StateName, Count]
    agents: list[WallAgent]
    alarms: list[WallAlarm]
    targets: Targets | None = Field(description="None as long as nobody has counted.")


class Board(Shape):
    """Everything a supervisor sees at once."""

    calls: list[BoardCall]
    agents: list[BoardAgent]
    today: Today
    wall: Wall
    links: list[LinkLine]
    cycle_ms: Annotated[int, Field(gt=0)]
    standard: int
    talk_limit: TalkLimit | None
    apologise_from: int
    pause_by: list[str] = Field(description="The roles that may pause a recording.")


class Message(Shape):
    """Whatever the server sends on the live channel; `now` is its own clock."""

    now: Instant


class Snapshot(Message):
    """Everything on a person's screen, up to number `seq`."""

    type: Literal["snapshot"]
    seq: Count
    epoch: str
    person: PersonLine
    links: list[LinkLine]
    cards: list[Card]


class CardMessage(Message):
    """One card as it is now."""

    type: Literal["card"]
    seq: Count | None = Field(description="Null: not stored yet, it comes again with a number.")
    card: Card


class BoardMessage(Message):
    """The whole board."""

    type: Literal["board"]
    board: Board


class LinksMessage(Message):
    """The links to the PBXs as they are now."""

    type: Literal["links"]
    links: list[LinkLine]


class PingMessage(Message):
    """The channel lives."""

    type: Literal["ping"]


class ResetMessage(Message):
    """What was missed is no longer kept: a snapshot follows."""

    type: Literal["reset"]


class Hello(Shape):
    """A screen's first and only message: what it last saw, and what it wants to see."""

    type: Literal["hello"]
    since: Count | None = None
    epoch: Annotated[str, Field(max_length=100)] | None = None
    view: Literal["agent", "board"] = "agent"


class Ticket(Shape):
    """Opens the live channel once, within half a minute."""

    ticket: str


class Choice(Shape):
    """Which of the customers found is calling; null takes the choice back."""

    customer: Annotated[str, Field(max_length=100)] | None


class RecordingDeed(Shape):
    """What is to be done about the recording of a call."""

    do: Doing


class Me(Shape):
    """Who is logged in. `csrf` must stand in the header X-CSRF of everything that changes."""

    number: str
    name: str
    role: str
    locale: str
    csrf: str


class Problem(Shape):
    """Why something was refused: a stable code, and a sentence in the user's language."""

    code: str
    message: str


class ReadinessLine(Shape):
    """Whether the daemon can do its work, part by part."""

    ok: bool
    parts: dict[str, str]


def encode(value: Mapping[str, Any]) -> bytes:
    """Write a value as JSON. A broken character in outside text becomes `?`, never a fault."""
    try:
        return to_json(value)
    except PydanticSerializationError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "replace")


def stamp(at: datetime) -> str:
    """Write an instant as screens read it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gone(call: str) -> dict[str, Any]:
    """Give the card of a call of which nothing is known any more: it takes the card away."""
    card: dict[str, Any] = dict.fromkeys(Card.model_fields)
    card |= {"call": call, "state": "ended", "outcome": "unknown", "direction": "inbound"}
    card |= {"cycle_ms": 3000, "standard": 3, "apologise_from": 5, "approximate": True}
    card |= {"customers": [], "contacts": [], "owed": []}
    return card


_KINDS: Final = ", ".join(kind for kind in EVENTS if kind != "birthday")


class Happened(Shape):
    """What happened to a customer, who is named by one of three; told again it is changed."""

    external_id: Annotated[str | None, Field(description="The house's own id of him.")] = None
    customer: Annotated[str | None, Field(description="Our id of him.")] = None
    phone: Annotated[str | None, Field(description="A number of his, and of nobody else.")] = None
    kind: Annotated[str, Field(description=f"One of: {_KINDS}.")]
    day: Annotated[str, Field(description="As 2025-03-07.")]
    time: Annotated[str | None, Field(description="As 09:30, by the customer's clock.")] = None
    staff: Annotated[
        dict[str, str] | None, Field(description='Who served him, as {"stylist": "Anna"}.')
    ] = None
    ref: Annotated[str | None, Field(description="Its number in the house's records.")] = None
    amount: Annotated[str | None, Field(description="As 1280.50.")] = None
    department: Annotated[str | None, Field(description="Whose matter it is.")] = None
    cancelled: Annotated[bool | None, Field(description="True: it does not happen.")] = None
    merchant: Annotated[
        str | None, Field(description="The restaurant of a booking: its external_id, or number.")
    ] = None


class Events(Shape):
    """What a program of the house tells of customers."""

    events: Annotated[list[Happened], Field(min_length=1, max_length=500)]


class BrokenEvent(Shape):
    """An event that was not kept: its place in what was sent, from 0, and every reason."""

    place: Count
    reasons: list[str]


class EventsTaken(Shape):
    """What became of events."""

    added: Count
    changed: Count
    same: Count
    broken: list[BrokenEvent]
