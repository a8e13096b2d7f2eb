"""What does the simulated PBX consist of? Channels, bridges, devices, queues: how they speak.

Header names, their order and their values are those of Asterisk 22 with `timestampevents=yes`,
a `systemname` and `channelvars=MIXMONITOR_FILENAME`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal
from uuid import UUID

from cti.pbx.simulator.time import SECOND, Timeline

UNKNOWN: Final = "<unknown>"
STATES: Final = {0: "Down", 4: "Ring", 5: "Ringing", 6: "Up"}
CAUSES: Final = {
    0: "Unknown",
    3: "No route to destination",
    16: "Normal Clearing",
    17: "User busy",
    19: "User alerting, no answer",
    21: "Call Rejected",
    26: "Answered elsewhere",
    27: "Destination out of order",
}
MEMBER_STATUS: Final = {
    "NOT_INUSE": "1",
    "INUSE": "2",
    "UNAVAILABLE": "5",
    "RINGING": "6",
    "RINGINUSE": "7",
}
ESCAPES: Final = str.maketrans(
    {
        "\a": r"\a",
        "\b": r"\b",
        "\f": r"\f",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\v": r"\v",
        "\\": r"\\",
        "'": r"\'",
        '"': r"\"",
        "?": r"\?",
    }
)
"""Names are C-escaped in channel events, numbers are not: a hostile caller can be played."""

Headers = list[tuple[str, str]]
Tell = Callable[[str, str, Headers], None]
Recorded = Callable[[str, float, Sequence[tuple[float, float]]], None]
"""Takes the file of a recording, its seconds, and from when to when it was muted."""


@dataclass(slots=True, eq=False, kw_only=True)
class Channel:
    """One leg of a call, as Asterisk shows it."""

    name: str
    device: str
    uniqueid: str
    linkedid: str
    born: int
    state: int
    number: str = ""
    title: str = ""
    other_number: str = ""
    other_title: str = ""
    context: str
    exten: str
    priority: int = 1
    recording: str = ""
    bridged: int = 0
    mute: list[int] = field(default_factory=list)
    """When its recording was muted and no longer, in turn."""
    application: str = ""
    data: str = ""
    dialled: str = ""
    bridge: str = ""
    gone: bool = False
    hear: Callable[[object], None] | None = None

    def headers(self, prefix: str = "") -> Headers:
        """Give the headers that stand for it in every event, as `Channel`, `DestChannel` ..."""
        return [
            (f"{prefix}Channel", self.name),
            (f"{prefix}ChannelState", str(self.state)),
            (f"{prefix}ChannelStateDesc", STATES[self.state]),
            (f"{prefix}CallerIDNum", self.number or UNKNOWN),
            (f"{prefix}CallerIDName", (self.title or UNKNOWN).translate(ESCAPES)),
            (f"{prefix}ConnectedLineNum", self.other_number or UNKNOWN),
            (f"{prefix}ConnectedLineName", (self.other_title or UNKNOWN).translate(ESCAPES)),
            (f"{prefix}Language", "en"),
            (f"{prefix}AccountCode", ""),
            (f"{prefix}Context", self.context),
            (f"{prefix}Exten", self.exten),
            (f"{prefix}Priority", str(self.priority)),
            (f"{prefix}Uniqueid", self.uniqueid),
            (f"{prefix}Linkedid", self.linkedid),
            (f"{prefix}ChanVariable", f"MIXMONITOR_FILENAME={self.recording}"),
        ]

    def connect(self, other: "Channel") -> None:
        """Show the other party's number and name on this one."""
        self.other_number, self.other_title = other.number, other.title


@dataclass(slots=True, eq=False, kw_only=True)
class Bridge:
    """Two channels that hear each other."""

    id: str
    channels: list[Channel] = field(default_factory=list)

    def headers(self) -> Headers:
        """Give the headers that stand for it in every event."""
        return [
            ("BridgeUniqueid", self.id),
            ("BridgeType", "basic"),
            ("BridgeTechnology", "simple_bridge"),
            ("BridgeCreator", UNKNOWN),
            ("BridgeName", UNKNOWN),
            ("BridgeNumChannels", str(len(self.channels))),
            ("BridgeVideoSourceMode", "none"),
        ]


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """One phone in one queue."""

    device: str
    name: str
    taken: int = 0
    last_call: int = 0
    last_pause: int = 0
    in_call: bool = False
    paused: bool = False
    reason: str = ""
    since: int = 0

    def headers(self, status: str, *keys: str) -> Headers:
        """Give what events and lists say of it: `keys` are the names of its name and device."""
        name_key, device_key = keys
        return [
            (name_key, self.name),
            (device_key, self.device),
            ("StateInterface", self.device),
            ("Membership", "static"),
            ("Penalty", "0"),
            ("CallsTaken", str(self.taken)),
            ("LastCall", str(self.last_call)),
            ("LastPause", str(self.last_pause)),
            ("LoginTime", str(self.since)),
            ("InCall", str(int(self.in_call))),
            ("Status", status),
            ("Paused", str(int(self.paused))),
            ("PausedReason", self.reason),
        ]


@dataclass(slots=True, eq=False, kw_only=True)
class Visit:
    """One caller's stay in a queue."""

    queue: "Queue"
    channel: Channel
    joined: int
    first_position: int
    served: bool = False
    next_member: int = 0

    def position(self) -> int:
        """Tell how many are before it, and itself."""
        return self.queue.visits.index(self) + 1


@dataclass(slots=True, eq=False, kw_only=True)
class Queue:
    """A queue and who works in it. The order of `members` is the order in which they are asked."""

    name: str
    strategy: Literal["ringall", "linear", "rrmemory"] = "ringall"
    timeout: float = 15.0
    retry: float = 1.0
    members: list[Member] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    next_member: int = 0
    hold_s: int = 0
    talk_s: int = 0
    completed: int = 0
    abandoned: int = 0


class Board:
    """Everything that is there now, and the one mouth that tells of its changes."""

    def __init__(
        self,
        time: Timeline,
        tell: Tell,
        queues: Iterable[Queue],
        *,
        prefix: str,
        store: dict[str, str],
        unregistered: set[str],
        recorded: Recorded | None = None,
    ) -> None:
        self._recorded = recorded
        self.time, self.tell, self._prefix = time, tell, prefix
        self.store, self.unregistered = store, unregistered
        self.queues = {queue.name: queue for queue in queues}
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.processed = 0
        self._states: dict[str, str] = {}
        self._names, self._ids = itertools.count(), itertools.count()
        self._random = Random(prefix)  # noqa: S311  ids of bridges, not secrets
        for member in self.members():
            member.since = time.at // SECOND

    def members(self) -> Iterator[Member]:
        """Go through all members of all queues."""
        return itertools.chain.from_iterable(queue.members for queue in self.queues.values())

    def birth(
        self,
        device: str,
        state: int,
        *,
        context: str,
        exten: str,
        party: tuple[str, str] = ("", ""),
        parent: Channel | None = None,
        uniqueid: str = "",
    ) -> Channel:
        """Bring a channel into being and tell so; `party` is its number and name."""
        fresh = f"{self._prefix}{self.time.at // SECOND}.{next(self._ids)}"
        uniqueid = uniqueid or fresh
        channel = Channel(
            name=f"{device}-{next(self._names):08x}",
            device=device,
            uniqueid=uniqueid,
            linkedid=parent.linkedid if parent else uniqueid,
            born=self.time.at,
            state=state,
            number=party[0],
            title=party[1],
            context=context,
            exten=exten,
        )
        self.channels[channel.name] = channel
        self.processed += parent is None
        self.about("Newchannel", channel)
        return channel

    def about(self, event: str, channel: Channel, *more: tuple[str, str]) -> None:
        """Tell something about one channel."""
        self.tell(event, "call", [*channel.headers(), *more])

    def dial(self, event: str, root: Channel | None, leg: Channel, *more: tuple[str, str]) -> None:
        """Tell something about a dialled leg and, unless it was originated, who dialled it."""
        headers = root.headers() if root else []
        self.tell(event, "call", [*headers, *leg.headers("Dest"), *more])

    def dial_end(self, root: Channel | None, leg: Channel, status: str) -> None:
        """Tell how a dialling ended."""
        self.dial("DialEnd", root, leg, ("DialStatus", status))

    def alert(self, root: Channel | None, leg: Channel) -> None:
        """Let a leg ring."""
        leg.state = 5
        self.about("Newstate", leg)
        self.refresh(leg.device)
        self.dial("DialState", root, leg, ("DialStatus", "RINGING"))

    def up(self, channel: Channel) -> None:
        """Let a channel be answered, unless it is already."""
        if channel.state != 6:
            channel.state = 6
            self.about("Newstate", channel)
            self.refresh(channel.device)

    def hang_request(self, channel: Channel, cause: int, tech: str = "") -> None:
        """Tell that the far end of a channel hangs up."""
        self.about("HangupRequest", channel, *_cause(cause, tech))

    def soft_hangup(self, channel: Channel, tech: str = "") -> None:
        """Tell that the PBX itself takes a channel down."""
        self.about("SoftHangupRequest", channel, *_cause(16, tech))

    def death(self, channel: Channel, cause: int, tech: str = "") -> None:
        """Let a channel vanish, once."""
        if channel.gone:
            return
        channel.gone = True
        self.channels.pop(channel.name, None)
        if self._recorded and channel.recording and channel.bridged:
            lasted = (self.time.at - channel.bridged) / SECOND
            edges = [(at - channel.bridged) / SECOND for at in channel.mute]
            if len(edges) % 2:
                edges.append(lasted)
            self._recorded(
                channel.recording, lasted, list(zip(edges[::2], edges[1::2], strict=True))
            )
        text = ("Cause-txt", CAUSES.get(cause, "Unknown"))
        ending = [("TechCause", tech)] if tech else []
        self.about("Hangup", channel, ("Cause", str(cause)), text, *ending)
        self.refresh(channel.device)

    def bridge(self, *channels: Channel) -> Bridge:
        """Put channels together, in this order."""
        bridge = Bridge(id=str(UUID(int=self._random.getrandbits(128), version=4)))
        self.bridges[bridge.id] = bridge
        self.tell("BridgeCreate", "call", bridge.headers())
        for channel in channels:
            bridge.channels.append(channel)
            channel.bridge = bridge.id
            channel.bridged = channel.bridged or self.time.at
            self.tell("BridgeEnter", "call", [*bridge.headers(), *channel.headers()])
        return bridge

    def leave(self, bridge: Bridge, channel: Channel) -> None:
        """Take a channel out of its bridge; the last one closes it."""
        bridge.channels.remove(channel)
        channel.bridge = ""
        self.tell("BridgeLeave", "call", [*bridge.headers(), *channel.headers()])
        if not bridge.channels:
            del self.bridges[bridge.id]
            self.tell("BridgeDestroy", "call", bridge.headers())

    def state(self, device: str) -> str:
        """Tell what a device does now, as a device state; a dialled leg counts once it rings."""
        if device in self.unregistered:
            return "UNAVAILABLE"
        states = [c.state for c in self.channels.values() if c.device == device and c.state]
        ringing = 5 in states
        if ringing and len(set(states)) > 1:
            return "RINGINUSE"
        if ringing:
            return "RINGING"
        return "INUSE" if states else "NOT_INUSE"

    def refresh(self, device: str) -> None:
        """Look at a device, and tell its state and its standing in the queues if it changed.

        Asterisk looks only when something happens to it: a trunk on which a caller waits in a
        queue shows nothing until the caller is answered.
        """
        state = self.state(device)
        if self._change(device, state):
            for queue in self.queues.values():
                for member in queue.members:
                    if member.device == device:
                        self._member("QueueMemberStatus", queue, member)
                        self._offer(queue)

    def pause(self, queue: Queue, member: Member, paused: bool, reason: str) -> None:
        """Pause a member in one queue, or let it work again."""
        if paused:
            member.last_pause = self.time.at // SECOND
        member.paused, member.reason = paused, reason if paused else ""
        name = f"Queue:{queue.name}_pause_{member.device}"
        self._change(name, "INUSE" if paused else "NOT_INUSE")
        self._member("QueueMemberPause", queue, member)
        self._offer(queue)

    def crowd(self, queue: Queue) -> None:
        """Tell whether somebody waits in a queue, if it changed."""
        self._change(f"Queue:{queue.name}", "RINGING" if queue.visits else "NOT_INUSE")

    def free(self, queue: Queue) -> Sequence[Member]:
        """Give the members who may be called now."""
        return [
            member
            for member in queue.members
            if not member.paused and self.state(member.device) == "NOT_INUSE"
        ]

    def states(self) -> Iterator[tuple[str, str]]:
        """Go through all devices that are known and the states that were last told."""
        yield from ({m.device: self.state(m.device) for m in self.members()} | self._states).items()

    def status(self, member: Member) -> str:
        """Give a member's state as the number that queues use."""
        return MEMBER_STATUS[self.state(member.device)]

    def _member(self, event: str, queue: Queue, member: Member) -> None:
        headers = member.headers(self.status(member), "MemberName", "Interface")
        more = [("Ringinuse", "0"), ("Wrapuptime", "0")]
        self.tell(event, "agent", [("Queue", queue.name), *headers, *more])

    def _offer(self, queue: Queue) -> None:
        state = "NOT_INUSE" if self.free(queue) else "INUSE"
        self._change(f"Queue:{queue.name}_avail", state)

    def _change(self, device: str, state: str) -> bool:
        changed = self._states.get(device, "NOT_INUSE") != state
        self._states[device] = state
        if changed:
            self.tell("DeviceStateChange", "call", [("Device", device), ("State", state)])
        return changed


def _cause(cause: int, tech: str) -> Headers:
    headers = [("Cause", str(cause))] if cause else []
    return headers + ([("TechCause", tech)] if tech else [])
