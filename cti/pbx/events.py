"""What the PBX told us, in our own words. Plain facts: no behaviour, no I/O.

A fact that names a channel carries a `Sight` of it. `at` is the PBX's own stamp
(`timestampevents`); where it gives none, our arrival time with `exact` false; in a tape
without either, None. The words of Asterisk stop in `cti.pbx.translate`.
"""

from datetime import datetime, timedelta
from typing import NamedTuple, NewType

from cti.value import value

LegId = NewType("LegId", str)


class Sight(NamedTuple):
    """One channel as one frame showed it. Empty and `<unknown>` texts are None."""

    leg: LegId
    linked: str
    channel: str
    number: str | None = None
    name: str | None = None
    exten: str | None = None
    state: int | None = None


@value
class Heard:
    """What all facts share."""

    at: datetime | None
    exact: bool = True


@value
class LegBorn(Heard):
    """A channel began; `who.state` 4 means that its far end asked for us, 0 that we dial it."""

    who: Sight


@value
class LegRang(Heard):
    """A channel's phone began to alert (state 5)."""

    who: Sight


@value
class LegUp(Heard):
    """A channel was picked up or answered (state 6). Up is not connected."""

    who: Sight


@value
class LegNamed(Heard):
    """A channel got another caller id."""

    who: Sight


@value
class LegSeen(Heard):
    """Channels were mentioned; what is known by it is which belong together."""

    who: Sight


@value
class DialBegun(Heard):
    """A channel dials another; no `caller` when we or the PBX originated it."""

    caller: Sight | None
    dest: Sight
    dialled: str | None = None


@value
class DialRang(Heard):
    """The dialled phone alerts."""

    caller: Sight | None
    dest: Sight


@value
class DialMoved(Heard):
    """The dialled far end sends early media, which may be ringing."""

    caller: Sight | None
    dest: Sight


@value
class DialEnded(Heard):
    """Dialling a channel came to `status`: ANSWER BUSY CANCEL CHANUNAVAIL CONGESTION NOANSWER."""

    caller: Sight | None
    dest: Sight
    status: str
    forward: str | None = None


@value
class QueueJoined(Heard):
    """A caller entered a queue."""

    who: Sight
    queue: str


@value
class QueueLeft(Heard):
    """A caller's visit to a queue is over."""

    who: Sight
    queue: str


@value
class QueueAbandoned(Heard):
    """A visit ended without an agent: the caller left, or the queue gave up (both say so)."""

    who: Sight
    queue: str


@value
class AgentCalled(Heard):
    """A queue asks a member's phone."""

    who: Sight
    dest: Sight | None
    queue: str
    interface: str


@value
class AgentRangOut(Heard):
    """A queue gave up on a member's phone: not answered, busy, declined or dead alike."""

    who: Sight
    dest: Sight | None
    queue: str
    interface: str


@value
class AgentConnected(Heard):
    """A queue joined the caller to a member."""

    who: Sight
    dest: Sight | None
    queue: str
    interface: str


@value
class AgentCompleted(Heard):
    """A member's part in a queue call is over; `reason` is caller, agent or transfer."""

    who: Sight
    dest: Sight | None
    queue: str
    interface: str
    reason: str


@value
class BridgeEntered(Heard):
    """A channel entered a bridge; `kind` is basic, holding (nobody talks there) or another."""

    who: Sight
    bridge: str
    kind: str = "basic"
    swapped: LegId | None = None


@value
class BridgeLeft(Heard):
    """A channel left a bridge."""

    who: Sight
    bridge: str


@value
class Joined(Heard):
    """Channels belong to one call: transfer, retrieval from parking, two halves of a Local."""

    parties: tuple[Sight, ...]


@value
class PickedUp(Heard):
    """`picker` took the call that rang at `target`."""

    picker: Sight
    target: Sight


@value
class RecordingNamed(Heard):
    """A channel is being recorded to `file`."""

    who: Sight
    file: str


@value
class RecordingStopped(Heard):
    """A channel is no longer recorded, and lives; of one that was hung up nothing is told."""

    who: Sight


@value
class Originated(Heard):
    """What became of the first leg of our own dialling; says nothing of the second."""

    leg: LegId | None
    action: str
    ok: bool
    reason: int | None


@value
class Said(Heard):
    """Our own part of the dialplan spoke on a channel (`config/asterisk/extensions.conf`).

    `topic` dial: the guard, `word` is dial, duplicate or refused. `topic` line_test: `word` is
    out (this is our test call, to come in at the entry `code`), heard or silent (what came back
    to it), arrived (a test call came in here, with this `code`). `topic` recording: `word` is told
    (the caller was told that he is recorded).
    """

    who: Sight
    topic: str
    word: str
    code: str = ""


@value
class HangupAsked(Heard):
    """A far end hung up; `soft` when the PBX itself tears the channel down."""

    who: Sight
    cause: int | None
    soft: bool


@value
class HungUp(Heard):
    """A channel is gone."""

    who: Sight
    cause: int | None


@value
class ShutDown(Heard):
    """The PBX is stopping."""


@value
class DeviceChanged(Heard):
    """A device's state, as NOT_INUSE INUSE BUSY RINGING RINGINUSE ONHOLD UNAVAILABLE."""

    device: str
    state: str


@value
class MemberChanged(Heard):
    """A queue member's standing; `present` false: taken out of the queue."""

    queue: str
    interface: str
    paused: bool
    reason: str
    present: bool = True


@value
class ContactChanged(Heard):
    """Where a phone is registered, as Reachable Unreachable NonQualified Created Removed."""

    device: str
    contact: str
    status: str


@value
class Passed(Heard):
    """Time went by; `at` is never None."""


@value
class LinkLost(Heard):
    """From here on the PBX is not heard."""


@value
class LiveLeg:
    """One channel of a snapshot."""

    who: Sight
    lasted: timedelta
    bridge: str | None
    kind: str = "basic"


@value
class LiveVisit:
    """One caller who waits in a queue, by a snapshot."""

    leg: LegId
    queue: str
    waited: timedelta


@value
class Resynced(Heard):
    """The PBX as it is now, asked after a (re)connection: all else has ended unseen."""

    boot: str
    legs: tuple[LiveLeg, ...]
    visits: tuple[LiveVisit, ...]


Event = (
    LegBorn
    | LegRang
    | LegUp
    | LegNamed
    | LegSeen
    | DialBegun
    | DialRang
    | DialMoved
    | DialEnded
    | QueueJoined
    | QueueLeft
    | QueueAbandoned
    | AgentCalled
    | AgentRangOut
    | AgentConnected
    | AgentCompleted
    | BridgeEntered
    | BridgeLeft
    | Joined
    | PickedUp
    | RecordingNamed
    | RecordingStopped
    | Originated
    | Said
    | HangupAsked
    | HungUp
    | ShutDown
    | DeviceChanged
    | MemberChanged
    | ContactChanged
    | Passed
    | LinkLost
    | Resynced
)
