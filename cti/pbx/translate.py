"""How is what Asterisk says told in our words? A frame in, an event or nothing out.

Headers: asterisk/main/manager_channels.c, manager_bridges.c, apps/app_queue.c,
res/parking/parking_manager.c (branches 16 to 22). The caller's text is un-escaped once, by
header (ast_escape_c); what Asterisk sends as `<unknown>` or `unknown` is None.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cti.pbx.events import (
    AgentCalled,
    AgentCompleted,
    AgentConnected,
    AgentRangOut,
    BridgeEntered,
    BridgeLeft,
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
    Said,
    ShutDown,
    Sight,
)
from cti.pbx.frames import Frame

_instant: Final = datetime.fromtimestamp
_EXACT_UNTIL: Final = 1 << 33
"""In the year 2242: until then a double holds microseconds exactly."""
_UNKNOWN: Final[Mapping[str | None, None]] = {"<unknown>": None}
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_PLAIN: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_STATES: Final[Mapping[str | None, int]] = {str(state): state for state in range(11)}


class _Names(NamedTuple):
    """The headers of one channel, as they are looked up."""

    leg: str
    linked: str
    channel: str
    number: str
    name: str
    exten: str
    state: str

    @classmethod
    def under(cls, prefix: str) -> "_Names":
        """The headers under a prefix."""
        words = "uniqueid linkedid channel calleridnum calleridname exten channelstate"
        return cls(*(prefix + word for word in words.split()))


_PLAIN_NAMES: Final = _Names.under("")
_DEST: Final = _Names.under("dest")
_TARGET: Final = _Names.under("target")
RECORDING: Final = "MIXMONITOR_FILENAME"
_OUR_TOPICS: Final[Mapping[str | None, str]] = {"CtiDial": "dial", "CtiLineTest": "line_test"}


def translate(frame: Frame) -> Event | None:
    """Tell one frame in our words; None for what the book needs nothing of. Never raises."""
    tell = _TELL.get(frame.event)
    return tell(frame) if tell else None


def wanted(event: str) -> bool:
    """Tell by its name whether a frame can mean anything to us."""
    return event in _TELL


def unescape(text: str) -> str:
    """Undo Asterisk's C escape, once, from left to right."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda found: _PLAIN.get(found[1], found[1]), text)


def stamp(frame: Frame) -> tuple[datetime | None, bool]:
    """Give when a frame was sent, and whether the PBX said so itself (`timestampevents`)."""
    text = frame.headers().get("timestamp")
    if text:
        try:
            seconds = float(text)
            if 0 < seconds < _EXACT_UNTIL:
                return _instant(seconds, UTC), True
        except ValueError:
            pass
    return frame.arrived, frame.arrived is None


def sight(frame: Frame, names: _Names = _PLAIN_NAMES) -> Sight | None:
    """Read the channel that a frame shows under a header prefix; None without its Uniqueid."""
    told = frame.headers().get
    leg = told(names.leg)
    if not leg:
        return None
    name = told(names.name)
    return Sight(
        LegId(leg),
        told(names.linked) or "",
        told(names.channel) or "",
        _UNKNOWN.get(number, number) if (number := told(names.number)) else None,
        unescape(name) if name and name != "<unknown>" else None,
        told(names.exten) or None,
        _STATES.get(told(names.state)),
    )


def _known(text: str | None) -> str | None:
    return None if text in (None, "", "<unknown>") else text


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _new_channel(frame: Frame) -> Event | None:
    who = sight(frame)
    at, exact = stamp(frame)
    return LegBorn(at=at, exact=exact, who=who) if who else None


def _new_state(frame: Frame) -> Event | None:
    who = sight(frame)
    if who is None:
        return None
    at, exact = stamp(frame)
    if who.state == 5:
        return LegRang(at=at, exact=exact, who=who)
    if who.state == 6:
        return LegUp(at=at, exact=exact, who=who)
    return LegSeen(at=at, exact=exact, who=who)


def _new_caller_id(frame: Frame) -> Event | None:
    who = sight(frame)
    at, exact = stamp(frame)
    return LegNamed(at=at, exact=exact, who=who) if who else None


def _dial_begin(frame: Frame) -> Event | None:
    dest = sight(frame, _DEST)
    if dest is None:
        return None
    at, exact = stamp(frame)
    return DialBegun(
        at=at,
        exact=exact,
        caller=sight(frame),
        dest=dest,
        dialled=frame.headers().get("dialstring") or None,
    )


def _dial_state(frame: Frame) -> Event | None:
    dest = sight(frame, _DEST)
    if dest is None:
        return None
    at, exact = stamp(frame)
    status = frame.headers().get("dialstatus")
    if status == "RINGING":
        return DialRang(at=at, exact=exact, caller=sight(frame), dest=dest)
    if status == "PROGRESS":
        return DialMoved(at=at, exact=exact, caller=sight(frame), dest=dest)
    return LegSeen(at=at, exact=exact, who=dest)


def _dial_end(frame: Frame) -> Event | None:
    dest = sight(frame, _DEST)
    if dest is None:
        return None
    at, exact = stamp(frame)
    return DialEnded(
        at=at,
        exact=exact,
        caller=sight(frame),
        dest=dest,
        status=frame.headers().get("dialstatus") or "",
        forward=frame.headers().get("forward") or None,
    )


def _queue(kind: type[QueueJoined | QueueLeft | QueueAbandoned]) -> Callable[[Frame], Event | None]:
    def tell(frame: Frame) -> Event | None:
        who = sight(frame)
        at, exact = stamp(frame)
        queue = frame.headers().get("queue") or ""
        return kind(at=at, exact=exact, who=who, queue=queue) if who else None

    return tell


def _agent(
    kind: type[AgentCalled | AgentRangOut | AgentConnected],
) -> Callable[[Frame], Event | None]:
    def tell(frame: Frame) -> Event | None:
        who = sight(frame)
        if who is None:
            return None
        at, exact = stamp(frame)
        return kind(
            at=at,
            exact=exact,
            who=who,
            dest=sight(frame, _DEST),
            queue=frame.headers().get("queue") or "",
            interface=frame.headers().get("interface") or "",
        )

    return tell


def _agent_complete(frame: Frame) -> Event | None:
    who = sight(frame)
    if who is None:
        return None
    at, exact = stamp(frame)
    return AgentCompleted(
        at=at,
        exact=exact,
        who=who,
        dest=sight(frame, _DEST),
        queue=frame.headers().get("queue") or "",
        interface=frame.headers().get("interface") or "",
        reason=frame.headers().get("reason") or "",
    )


def bridge_kind(frame: Frame) -> str:
    """Say what a bridge is for: `holding` by its technology, else Asterisk's type."""
    if frame.headers().get("bridgetechnology") == "holding_bridge":
        return "holding"
    return frame.headers().get("bridgetype") or "basic"


def _bridge_enter(frame: Frame) -> Event | None:
    who, bridge = sight(frame), frame.headers().get("bridgeuniqueid")
    if who is None or not bridge:
        return None
    at, exact = stamp(frame)
    swapped = frame.headers().get("swapuniqueid")
    return BridgeEntered(
        at=at,
        exact=exact,
        who=who,
        bridge=bridge,
        kind=bridge_kind(frame),
        swapped=LegId(swapped) if swapped else None,
    )


def _bridge_leave(frame: Frame) -> Event | None:
    who, bridge = sight(frame), frame.headers().get("bridgeuniqueid")
    if who is None or not bridge:
        return None
    at, exact = stamp(frame)
    return BridgeLeft(at=at, exact=exact, who=who, bridge=bridge)


def _parties(*prefixes: str, only_success: bool = False) -> Callable[[Frame], Event | None]:
    names = tuple(_Names.under(prefix) for prefix in prefixes)

    def tell(frame: Frame) -> Event | None:
        if only_success and frame.headers().get("result") != "Success":
            return None
        at, exact = stamp(frame)
        parties = tuple(who for name in names if (who := sight(frame, name)))
        return Joined(at=at, exact=exact, parties=parties) if parties else None

    return tell


def _pickup(frame: Frame) -> Event | None:
    picker, target = sight(frame), sight(frame, _TARGET)
    if picker is None or target is None:
        return None
    at, exact = stamp(frame)
    return PickedUp(at=at, exact=exact, picker=picker, target=target)


def _var_set(frame: Frame) -> Event | None:
    if frame.first("Variable") != RECORDING:
        return None
    who, file = sight(frame), frame.headers().get("value")
    at, exact = stamp(frame)
    if who is None or not file:
        return None
    return RecordingNamed(at=at, exact=exact, who=who, file=unescape(file))


def _mix_monitor(frame: Frame) -> Event | None:
    who = sight(frame)
    if who is None:
        return None
    at, exact = stamp(frame)
    for pair in frame.all("ChanVariable"):
        name, _, value = pair.partition("=")
        if name == RECORDING and value:
            return RecordingNamed(at=at, exact=exact, who=who, file=unescape(value))
    return LegSeen(at=at, exact=exact, who=who)


def _originate(frame: Frame) -> Event | None:
    at, exact = stamp(frame)
    leg = _known(frame.headers().get("uniqueid"))
    return Originated(
        at=at,
        exact=exact,
        leg=LegId(leg) if leg else None,
        action=frame.headers().get("actionid") or "",
        ok=frame.headers().get("response") == "Success",
        reason=_number(frame.headers().get("reason")),
    )


def _user_event(frame: Frame) -> Event | None:
    """Hear our own dialplan; what other parts of a dialplan say is nothing to us."""
    topic = _OUR_TOPICS.get(frame.headers().get("userevent"))
    who, word = sight(frame), frame.headers().get("result")
    if topic is None or who is None or not word:
        return None
    at, exact = stamp(frame)
    code = (frame.headers().get("code") or "")[:64]
    return Said(at=at, exact=exact, who=who, topic=topic, word=word[:16], code=code)


def _hangup_request(*, soft: bool) -> Callable[[Frame], Event | None]:
    def tell(frame: Frame) -> Event | None:
        who = sight(frame)
        at, exact = stamp(frame)
        cause = _number(frame.headers().get("cause"))
        return HangupAsked(at=at, exact=exact, who=who, cause=cause, soft=soft) if who else None

    return tell


def _hangup(frame: Frame) -> Event | None:
    who = sight(frame)
    at, exact = stamp(frame)
    cause = _number(frame.headers().get("cause"))
    return HungUp(at=at, exact=exact, who=who, cause=cause) if who else None


def _shutdown(frame: Frame) -> Event | None:
    at, exact = stamp(frame)
    return ShutDown(at=at, exact=exact)


def _device_state(frame: Frame) -> Event | None:
    device, state = frame.headers().get("device"), frame.headers().get("state")
    at, exact = stamp(frame)
    return DeviceChanged(at=at, exact=exact, device=device, state=state or "") if device else None


def _member(*, present: bool) -> Callable[[Frame], Event | None]:
    def tell(frame: Frame) -> Event | None:
        told = frame.headers().get  # the phone behind a Local is its StateInterface
        interface = told("stateinterface") or told("interface")
        if not interface:
            return None
        at, exact = stamp(frame)
        return MemberChanged(
            at=at,
            exact=exact,
            queue=frame.headers().get("queue") or "",
            interface=interface,
            paused=frame.headers().get("paused") == "1",
            reason=frame.headers().get("pausedreason") or "",
            present=present,
        )

    return tell


# Not here: NewConnectedLine, Newexten, Hold repeat what other events of the same channel say;
# QueueMemberStatus comes for each queue of a phone whenever its state changes, and tells of
# pauses no more than QueueMemberPause does.
_TELL: Final[Mapping[str, Callable[[Frame], Event | None]]] = {
    "Newchannel": _new_channel,
    "Newstate": _new_state,
    "NewCallerid": _new_caller_id,
    "DialBegin": _dial_begin,
    "DialState": _dial_state,
    "DialEnd": _dial_end,
    "QueueCallerJoin": _queue(QueueJoined),
    "QueueCallerLeave": _queue(QueueLeft),
    "QueueCallerAbandon": _queue(QueueAbandoned),
    "AgentCalled": _agent(AgentCalled),
    "AgentRingNoAnswer": _agent(AgentRangOut),
    "AgentConnect": _agent(AgentConnected),
    "AgentComplete": _agent_complete,
    "BridgeEnter": _bridge_enter,
    "BridgeLeave": _bridge_leave,
    "BlindTransfer": _parties("transferer", "transferee", only_success=True),
    "AttendedTransfer": _parties(
        "origtransferer", "secondtransferer", "transferee", "transfertarget", only_success=True
    ),
    "LocalBridge": _parties("localone", "localtwo"),
    "LocalOptimizationBegin": _parties("localone", "localtwo", "source"),
    "LocalOptimizationEnd": _parties("localone", "localtwo", "source"),
    "Pickup": _pickup,
    "ParkedCall": _parties("parkee"),
    "UnParkedCall": _parties("parkee", "retriever"),
    "ParkedCallSwap": _parties("parkee", "parker"),
    "ParkedCallTimeOut": _parties("parkee"),
    "ParkedCallGiveUp": _parties("parkee"),
    "VarSet": _var_set,
    "MixMonitorStart": _mix_monitor,
    "OriginateResponse": _originate,
    "UserEvent": _user_event,
    "HangupRequest": _hangup_request(soft=False),
    "SoftHangupRequest": _hangup_request(soft=True),
    "Hangup": _hangup,
    "Shutdown": _shutdown,
    "DeviceStateChange": _device_state,
    "QueueMemberAdded": _member(present=True),
    "QueueMemberPause": _member(present=True),
    "QueueMemberRemoved": _member(present=False),
}
