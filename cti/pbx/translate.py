"""How is what Asterisk says told in our words? A frame in, an event or nothing out.

Headers: asterisk/main/manager_channels.c, manager_bridges.c, apps/app_queue.c,
res/parking/parking_manager.c (branches 16 to 22). The caller's text is un-escaped once, by
header (ast_escape_c); what Asterisk sends as `<unknown>` or `unknown` is None.

Each kind of frame names the headers by which it is told, so that they are read at one go: the
channels first, then what is said of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from cti.pbx.events import (
    AgentCalled,
    AgentCompleted,
    AgentConnected,
    AgentRangOut,
    BridgeEntered,
    BridgeLeft,
    ContactChanged,
    DeviceChanged,
    DialBegun,
    DialEnded,
    DialMoved,
    DialRang,
    Event,
    HangupAsked,
    HungUp,
    Joined,
    LegBorn,
    LegId,
    LegNamed,
    LegRang,
    LegSeen,
    LegUp,
    MemberChanged,
    Originated,
    PickedUp,
    QueueAbandoned,
    QueueJoined,
    QueueLeft,
    RecordingNamed,
    RecordingStopped,
    Said,
    ShutDown,
    Sight,
)
from cti.pbx.frames import Frame

_instant: Final = datetime.fromtimestamp
_seen: Final = partial(tuple.__new__, Sight)
"""Make a sight of its fields: at a third of the price, for some are made of every frame."""
_EXACT_UNTIL: Final = 1 << 33
"""In the year 2242: until then a double holds microseconds exactly."""
_UNKNOWN: Final = "<unknown>"
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STATES: Final[Mapping[str | None, int]] = {str(state): state for state in range(11)}
RECORDING: Final = "MIXMONITOR_FILENAME"
_OUR_TOPICS: Final[Mapping[str | None, str]] = {
    "CtiDial": "dial",
    "CtiLineTest": "line_test",
    "CtiRecording": "recording",
}

Names = tuple[str, ...]
Told = Sequence[str | None]
"""What stands under some names, in their order; None for a header that is not there."""
Tell = Callable[[datetime | None, bool, Told], Event | None]
"""Make an event of when it was, whether the PBX said so itself, and what is told."""


def _channel(prefix: str = "") -> Names:
    """Name the headers of one channel."""
    words = "uniqueid linkedid channel calleridnum calleridname exten channelstate"
    return tuple(prefix + word for word in words.split())


_WHO: Final = _channel()
_DEST: Final = _channel("dest")
_ONE: Final = slice(len(_WHO))
_TWO: Final = slice(len(_WHO), 2 * len(_WHO))
"""Where the first and the second channel stand in what is told."""


def translate(frame: Frame) -> Event | None:
    """Tell one frame in our words; None for what the book needs nothing of. Never raises."""
    known = _TELL.get(frame.event)
    if known is None:
        again = _TELL_REPEATED.get(frame.event)
        return again(frame) if again else None
    names, tell = known
    told = frame.pick(names)
    at = _stamp(told[-1])
    if at is None:
        return tell(frame.arrived, frame.arrived is None, told)
    return tell(at, True, told)


def wanted(event: str) -> bool:
    """Tell by its name whether a frame can mean anything to us."""
    return event in _TELL or event in _TELL_REPEATED


def rings(frame: Frame) -> bool:
    """Tell, without reading it, whether a frame says that a phone rings: somebody waits for it."""
    kind = frame.event
    if kind == "Newstate":
        return b"\r\nChannelState: 5\r\n" in frame.payload
    return kind == "DialState"


def unescape(text: str) -> str:
    """Undo Asterisk's C escape, once, from left to right."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), text)


def sight(frame: Frame) -> Sight | None:
    """Read the channel that a frame shows; None without its Uniqueid."""
    return _sight(frame.pick(_WHO))


def _stamp(text: str | None) -> datetime | None:
    """Read when the PBX sent a frame (`timestampevents`)."""
    try:
        seconds = float(text or 0)
    except ValueError:
        return None
    return _instant(seconds, UTC) if 0 < seconds < _EXACT_UNTIL else None


def _sight(told: Told) -> Sight | None:
    leg, linked, channel, number, name, exten, state = told
    if not leg:
        return None
    if number == _UNKNOWN:
        number = None
    if not name or name == _UNKNOWN:
        name = None
    elif "\\" in name:
        name = unescape(name)
    numbered = _STATES.get(state)
    return _seen((leg, linked or "", channel or "", number, name, exten or None, numbered))


def _known(text: str | None) -> str | None:
    return None if text in (None, "", _UNKNOWN) else text


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _new_channel(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    return LegBorn(at=at, exact=exact, who=who) if who else None


def _new_state(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    if who is None:
        return None
    if who.state == 5:
        return LegRang(at=at, exact=exact, who=who)
    if who.state == 6:
        return LegUp(at=at, exact=exact, who=who)
    return LegSeen(at=at, exact=exact, who=who)


def _new_caller_id(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    return LegNamed(at=at, exact=exact, who=who) if who else None


def _dial_begin(at: datetime | None, exact: bool, told: Told) -> Event | None:
    caller, dest = _sight(told[_ONE]), _sight(told[_TWO])
    if dest is None:
        return None
    dialled = told[14] or None
    return DialBegun(at=at, exact=exact, caller=caller, dest=dest, dialled=dialled)


def _dial_state(at: datetime | None, exact: bool, told: Told) -> Event | None:
    caller, dest = _sight(told[_ONE]), _sight(told[_TWO])
    if dest is None:
        return None
    status = told[14]
    if status == "RINGING":
        return DialRang(at=at, exact=exact, caller=caller, dest=dest)
    if status == "PROGRESS":
        return DialMoved(at=at, exact=exact, caller=caller, dest=dest)
    return LegSeen(at=at, exact=exact, who=dest)


def _dial_end(at: datetime | None, exact: bool, told: Told) -> Event | None:
    caller, dest = _sight(told[_ONE]), _sight(told[_TWO])
    if dest is None:
        return None
    status, forward = told[14] or "", told[15] or None
    return DialEnded(at=at, exact=exact, caller=caller, dest=dest, status=status, forward=forward)


def _queue(kind: type[QueueJoined | QueueLeft | QueueAbandoned]) -> Tell:
    def tell(at: datetime | None, exact: bool, told: Told) -> Event | None:
        who = _sight(told[_ONE])
        return kind(at=at, exact=exact, who=who, queue=told[7] or "") if who else None

    return tell


def _agent(kind: type[AgentCalled | AgentRangOut | AgentConnected]) -> Tell:
    def tell(at: datetime | None, exact: bool, told: Told) -> Event | None:
        who, dest = _sight(told[_ONE]), _sight(told[_TWO])
        if who is None:
            return None
        queue, interface = told[14] or "", told[15] or ""
        return kind(at=at, exact=exact, who=who, dest=dest, queue=queue, interface=interface)

    return tell


def _agent_complete(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    if who is None:
        return None
    return AgentCompleted(
        at=at,
        exact=exact,
        who=who,
        dest=_sight(told[_TWO]),
        queue=told[14] or "",
        interface=told[15] or "",
        reason=told[16] or "",
    )


def bridge_kind(frame: Frame) -> str:
    """Say what a bridge is for: `holding` by its technology, else Asterisk's type."""
    technology, kind = frame.pick(("bridgetechnology", "bridgetype"))
    return _bridge_kind(technology, kind)


def _bridge_kind(technology: str | None, kind: str | None) -> str:
    return "holding" if technology == "holding_bridge" else kind or "basic"


def _bridge_enter(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who, bridge, swapped = _sight(told[_ONE]), told[7], told[8]
    if who is None or not bridge:
        return None
    return BridgeEntered(
        at=at,
        exact=exact,
        who=who,
        bridge=bridge,
        kind=_bridge_kind(told[9], told[10]),
        swapped=LegId(swapped) if swapped else None,
    )


def _bridge_leave(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who, bridge = _sight(told[_ONE]), told[7]
    return BridgeLeft(at=at, exact=exact, who=who, bridge=bridge) if who and bridge else None


def _joined(at: datetime | None, exact: bool, told: Told) -> Event | None:
    many = range(0, len(told) - len(_WHO), len(_WHO))
    parties = tuple(who for first in many if (who := _sight(told[first : first + len(_WHO)])))
    return Joined(at=at, exact=exact, parties=parties) if parties else None


def _transferred(at: datetime | None, exact: bool, told: Told) -> Event | None:
    return _joined(at, exact, told) if told[-2] == "Success" else None


def _mix_monitor_stop(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    return RecordingStopped(at=at, exact=exact, who=who) if who else None


def _pickup(at: datetime | None, exact: bool, told: Told) -> Event | None:
    picker, target = _sight(told[_ONE]), _sight(told[_TWO])
    if picker is None or target is None:
        return None
    return PickedUp(at=at, exact=exact, picker=picker, target=target)


def _originate(at: datetime | None, exact: bool, told: Told) -> Event | None:
    leg = _known(told[0])
    return Originated(
        at=at,
        exact=exact,
        leg=LegId(leg) if leg else None,
        action=told[1] or "",
        ok=told[2] == "Success",
        reason=_number(told[3]),
    )


def _user_event(at: datetime | None, exact: bool, told: Told) -> Event | None:
    """Hear our own dialplan; what other parts of a dialplan say is nothing to us."""
    who, (name, word, code) = _sight(told[_ONE]), told[7:10]
    topic = _OUR_TOPICS.get(name)
    if topic is None or who is None or not word:
        return None
    return Said(at=at, exact=exact, who=who, topic=topic, word=word[:16], code=(code or "")[:64])


def _hangup_request(*, soft: bool) -> Tell:
    def tell(at: datetime | None, exact: bool, told: Told) -> Event | None:
        who, cause = _sight(told[_ONE]), _number(told[7])
        return HangupAsked(at=at, exact=exact, who=who, cause=cause, soft=soft) if who else None

    return tell


def _hangup(at: datetime | None, exact: bool, told: Told) -> Event | None:
    who = _sight(told[_ONE])
    return HungUp(at=at, exact=exact, who=who, cause=_number(told[7])) if who else None


def _shutdown(at: datetime | None, exact: bool, told: Told) -> Event | None:
    return ShutDown(at=at, exact=exact)


def _device_state(at: datetime | None, exact: bool, told: Told) -> Event | None:
    device, state = told[0], told[1] or ""
    return DeviceChanged(at=at, exact=exact, device=device, state=state) if device else None


def _contact(at: datetime | None, exact: bool, told: Told) -> Event | None:
    name, status, uri = told[:3]
    if not name or not status:
        return None
    return ContactChanged(
        at=at, exact=exact, device=f"PJSIP/{name}", contact=uri or "", status=status
    )


def _member(*, present: bool) -> Tell:
    def tell(at: datetime | None, exact: bool, told: Told) -> Event | None:
        interface = told[0] or told[1]  # the phone behind a Local is its StateInterface
        if not interface:
            return None
        return MemberChanged(
            at=at,
            exact=exact,
            queue=told[2] or "",
            interface=interface,
            paused=told[3] == "1",
            reason=told[4] or "",
            present=present,
        )

    return tell


def _when(frame: Frame) -> tuple[datetime | None, bool]:
    at = _stamp(frame.first("timestamp"))
    return (frame.arrived, frame.arrived is None) if at is None else (at, True)


def _var_set(frame: Frame) -> Event | None:
    if frame.first("Variable") != RECORDING:
        return None
    who, file = sight(frame), frame.first("value")
    at, exact = _when(frame)
    if who is None or not file:
        return None
    return RecordingNamed(at=at, exact=exact, who=who, file=unescape(file))


def _mix_monitor(frame: Frame) -> Event | None:
    who = sight(frame)
    if who is None:
        return None
    at, exact = _when(frame)
    for pair in frame.all("ChanVariable"):
        name, _, value = pair.partition("=")
        if name == RECORDING and value:
            return RecordingNamed(at=at, exact=exact, who=who, file=unescape(value))
    return LegSeen(at=at, exact=exact, who=who)


def _by(tell: Tell, *names: str) -> tuple[Names, Tell]:
    return (*names, "timestamp"), tell


_QUEUE: Final = (*_WHO, "queue")
_MEMBER: Final = (*_WHO, *_DEST, "queue", "interface")
_QUEUE_MEMBER: Final = ("stateinterface", "interface", "queue", "paused", "pausedreason")
_BRIDGE: Final = (*_WHO, "bridgeuniqueid", "swapuniqueid", "bridgetechnology", "bridgetype")
_HALVES: Final = (*_channel("localone"), *_channel("localtwo"))
_PARKED: Final = _channel("parkee")
_BLIND: Final = (*_channel("transferer"), *_channel("transferee"), "result")
_ATTENDED: Final = (
    *_channel("origtransferer"),
    *_channel("secondtransferer"),
    *_channel("transferee"),
    *_channel("transfertarget"),
    "result",
)

# Not here: PeerStatus, which says of a PJSIP phone no more than its device's state does;
# NewConnectedLine, Newexten, Hold repeat what other events of the same channel say;
# QueueMemberStatus comes for each queue of a phone whenever its state changes, and tells of
# pauses no more than QueueMemberPause does.
_TELL: Final[Mapping[str, tuple[Names, Tell]]] = {
    "Newchannel": _by(_new_channel, *_WHO),
    "Newstate": _by(_new_state, *_WHO),
    "NewCallerid": _by(_new_caller_id, *_WHO),
    "DialBegin": _by(_dial_begin, *_WHO, *_DEST, "dialstring"),
    "DialState": _by(_dial_state, *_WHO, *_DEST, "dialstatus"),
    "DialEnd": _by(_dial_end, *_WHO, *_DEST, "dialstatus", "forward"),
    "QueueCallerJoin": _by(_queue(QueueJoined), *_QUEUE),
    "QueueCallerLeave": _by(_queue(QueueLeft), *_QUEUE),
    "QueueCallerAbandon": _by(_queue(QueueAbandoned), *_QUEUE),
    "AgentCalled": _by(_agent(AgentCalled), *_MEMBER),
    "AgentRingNoAnswer": _by(_agent(AgentRangOut), *_MEMBER),
    "AgentConnect": _by(_agent(AgentConnected), *_MEMBER),
    "AgentComplete": _by(_agent_complete, *_MEMBER, "reason"),
    "BridgeEnter": _by(_bridge_enter, *_BRIDGE),
    "BridgeLeave": _by(_bridge_leave, *_WHO, "bridgeuniqueid"),
    "BlindTransfer": _by(_transferred, *_BLIND),
    "AttendedTransfer": _by(_transferred, *_ATTENDED),
    "LocalBridge": _by(_joined, *_HALVES),
    "LocalOptimizationBegin": _by(_joined, *_HALVES, *_channel("source")),
    "LocalOptimizationEnd": _by(_joined, *_HALVES, *_channel("source")),
    "Pickup": _by(_pickup, *_WHO, *_channel("target")),
    "MixMonitorStop": _by(_mix_monitor_stop, *_WHO),
    "ParkedCall": _by(_joined, *_PARKED),
    "UnParkedCall": _by(_joined, *_PARKED, *_channel("retriever")),
    "ParkedCallSwap": _by(_joined, *_PARKED, *_channel("parker")),
    "ParkedCallTimeOut": _by(_joined, *_PARKED),
    "ParkedCallGiveUp": _by(_joined, *_PARKED),
    "OriginateResponse": _by(_originate, "uniqueid", "actionid", "response", "reason"),
    "UserEvent": _by(_user_event, *_WHO, "userevent", "result", "code"),
    "HangupRequest": _by(_hangup_request(soft=False), *_WHO, "cause"),
    "SoftHangupRequest": _by(_hangup_request(soft=True), *_WHO, "cause"),
    "Hangup": _by(_hangup, *_WHO, "cause"),
    "Shutdown": _by(_shutdown),
    "DeviceStateChange": _by(_device_state, "device", "state"),
    "ContactStatus": _by(_contact, "endpointname", "contactstatus", "uri"),
    "QueueMemberAdded": _by(_member(present=True), *_QUEUE_MEMBER),
    "QueueMemberPause": _by(_member(present=True), *_QUEUE_MEMBER),
    "QueueMemberRemoved": _by(_member(present=False), *_QUEUE_MEMBER),
}
_TELL_REPEATED: Final[Mapping[str, Callable[[Frame], Event | None]]] = {
    "VarSet": _var_set,
    "MixMonitorStart": _mix_monitor,
}
"""What is told by a header that may stand more than once."""
