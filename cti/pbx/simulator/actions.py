"""What can be asked of the simulated PBX? The actions that the product uses, and their answers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cti import shipped
from cti.pbx import conf
from cti.pbx.simulator.ami import AMI_VERSION, Action, Desk, Request, Session
from cti.pbx.simulator.channels import Board, Channel, Headers, Queue
from cti.pbx.simulator.time import SECOND, Timeline
from cti.pbx.simulator.words import Killed, Moved, Order

VERSION: Final = "22.10.1"
GUARD: Final = "cti-dial"
Dialplan = Mapping[str, Sequence[tuple[str, str, str, str]]]
"""By context: extension, label, application, data."""
FORBIDDEN_APPLICATIONS: Final = re.compile(
    r"(trysystem|system|exec|agi|externalivr|mixmonitor|eval|shell|curl|db)", re.IGNORECASE
)
NOT_PLAYED: Final = {
    "Command": ("Execute Asterisk CLI Command.", ("command",)),
    "DBDel": ("Delete DB entry.", ("system",)),
    "DBPut": ("Put DB entry.", ("system",)),
    "GetConfig": ("Retrieve configuration.", ("system", "config")),
    "UpdateConfig": ("Update basic configuration.", ("config",)),
    "Filter": ("Dynamically add filters for the current manager session.", ("system",)),
    "MixMonitor": ("Record a call and mix the audio during the recording.", ("system",)),
    "Reload": ("Send a reload event.", ("system", "config")),
    "UserEvent": ("Send an arbitrary event.", ("user",)),
}
"""Known to ListCommands, so that an account with too many rights can be seen; they do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the PBX says of itself. Without a `dialplan` it is the shipped guard."""

    systemname: str = ""
    version: str = VERSION
    dialplan: Dialplan | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


class Answers:
    """Answers actions by what is on the board."""

    def __init__(
        self,
        board: Board,
        time: Timeline,
        *,
        about: About,
        trunk: str,
        booted: int,
        dial: Callable[[Order], None],
    ) -> None:
        self._board, self._time, self._dial = board, time, dial
        self._about, self._trunk = about, trunk
        self._booted = booted

    def teach(self, desk: Desk) -> None:
        """Make everything here known to a desk."""
        seeing, calling = ("system", "reporting"), ("call",)
        for name, action in {
            "BlindTransfer": Action(self._blind, "Blind transfer channel(s).", calling),
            "BridgeList": Action(self._bridges, "Get a list of bridges in the system."),
            "CoreSettings": Action(self._settings, "Show PBX core settings.", seeing),
            "CoreShowChannels": Action(self._channels, "List active channels.", seeing),
            "CoreStatus": Action(self._core, "Show PBX core status variables.", seeing),
            "DBGet": Action(self._db_get, "Get DB Entry.", seeing),
            "DeviceStateList": Action(
                self._devices, "List the current known device states.", ("call", "reporting")
            ),
            "Events": Action(Session.choose_events, "Control Event Flow."),
            "Getvar": Action(self._variable, "Gets a variable.", ("call", "reporting")),
            "Hangup": Action(self._hangup, "Hangup channel.", ("system", "call")),
            "ListCommands": Action(_commands(desk), "List available manager commands."),
            "Login": Action(Session.login, "Login Manager."),
            "Logoff": Action(Session.logoff, "Logoff Manager."),
            "MixMonitorMute": Action(
                self._mute, "Mute / unMute a Mixmonitor recording.", ("system", "call")
            ),
            "Originate": Action(self._originate, "Originate a call.", ("originate",)),
            "ParkedCalls": Action(_parked, "List parked calls.", calling),
            "Ping": Action(self._ping, "Keepalive command."),
            "QueuePause": Action(self._pause, "Makes a member unavailable.", ("agent",)),
            "QueueStatus": Action(self._queues, "Show queue status."),
            "QueueSummary": Action(self._summary, "Show queue summary."),
            "Redirect": Action(self._redirect, "Redirect (transfer) a call.", calling),
            "ShowDialPlan": Action(self._shown, "Show dialplan.", ("config", "reporting")),
            "Status": Action(self._status, "List channel status.", ("system", "call", "reporting")),
        }.items():
            desk.learn(name, action)
        for name, (synopsis, classes) in NOT_PLAYED.items():
            desk.learn(name, Action(_not_played, synopsis, classes))

    # Looking

    def _ping(self, session: Session, request: Request) -> None:
        at = self._time.at
        stamp = f"{at // SECOND}.{at % SECOND:06d}"
        session.answer(request, "Success", ("Ping", "Pong"), ("Timestamp", stamp))

    def _settings(self, session: Session, request: Request) -> None:
        session.answer(
            request,
            "Success",
            ("AMIversion", AMI_VERSION),
            ("AsteriskVersion", self._about.version),
            ("SystemName", self._about.systemname),
            ("CoreMaxCalls", "0"),
            ("CoreMaxLoadAvg", "0.000000"),
            ("CoreRunUser", ""),
            ("CoreRunGroup", ""),
            ("CoreMaxFilehandles", "0"),
            ("CoreRealTimeEnabled", "No"),
            ("CoreCDRenabled", "Yes"),
            ("CoreHTTPenabled", "No"),
            ("SoundsSearchCustomDir", "No"),
        )

    def _core(self, session: Session, request: Request) -> None:
        booted = datetime.fromtimestamp(self._booted // SECOND, UTC)
        session.answer(
            request,
            "Success",
            ("CoreStartupDate", f"{booted:%Y-%m-%d}"),
            ("CoreStartupTime", f"{booted:%H:%M:%S}"),
            ("CoreReloadDate", f"{booted:%Y-%m-%d}"),
            ("CoreReloadTime", f"{booted:%H:%M:%S}"),
            ("CoreCurrentCalls", str(len(self._board.channels))),
            ("CoreProcessedCalls", str(self._board.processed)),
        )

    def _channels(self, session: Session, request: Request) -> None:
        items = [
            (
                "CoreShowChannel",
                [
                    *channel.headers(),
                    ("Application", channel.application),
                    ("ApplicationData", channel.data),
                    ("Duration", self._duration(channel)),
                    ("BridgeId", channel.bridge),
                ],
            )
            for channel in self._board.channels.values()
        ]
        session.answer_list(request, "Channels will follow", items, "CoreShowChannelsComplete")

    def _status(self, session: Session, request: Request) -> None:
        if name := request.first("Channel"):
            if (channel := self._find(name)) is None:
                session.refuse(request, "No such channel")
                return
            channels = [channel]
        else:
            channels = list(self._board.channels.values())
        items = [("Status", self._standing(channel)) for channel in channels]
        count = ("Items", str(len(items)))
        message, complete = "Channel status will follow", "StatusComplete"
        session.answer_list(request, message, items, complete, count, marked_last=True)

    def _standing(self, channel: Channel) -> Headers:
        known = channel.headers()
        other = dict(known)
        return [
            ("Privilege", "Call"),
            *known,
            ("Type", "PJSIP"),
            ("DNID", channel.dialled if channel.dialled and channel.application else ""),
            ("EffectiveConnectedLineNum", other["ConnectedLineNum"]),
            ("EffectiveConnectedLineName", other["ConnectedLineName"]),
            ("TimeToHangup", "0"),
            ("BridgeID", channel.bridge),
            ("Application", channel.application),
            ("Data", channel.data),
            ("Nativeformats", "(ulaw)"),
            ("Readformat", "ulaw"),
            ("Readtrans", ""),
            ("Writeformat", "ulaw"),
            ("Writetrans", ""),
            ("Callgroup", "0"),
            ("Pickupgroup", "0"),
            ("Seconds", str((self._time.at - channel.born) // SECOND)),
        ]

    def _bridges(self, session: Session, request: Request) -> None:
        items = [("BridgeListItem", bridge.headers()) for bridge in self._board.bridges.values()]
        session.answer_list(request, "Bridge listing will follow", items, "BridgeListComplete")

    def _devices(self, session: Session, request: Request) -> None:
        items: list[tuple[str, Headers]] = [
            ("DeviceStateChange", [("Device", device), ("State", state)])
            for device, state in ({self._trunk: "NOT_INUSE"} | dict(self._board.states())).items()
        ]
        message = "Device State Changes will follow"
        session.answer_list(request, message, items, "DeviceStateListComplete")

    def _queues(self, session: Session, request: Request) -> None:
        asked = request.first("Queue")
        items = [
            item
            for queue in self._board.queues.values()
            if asked in ("", queue.name)
            for item in self._queue(queue)
        ]
        message, complete = "Queue status will follow", "QueueStatusComplete"
        session.answer_list(request, message, items, complete, marked_last=True)

    def _queue(self, queue: Queue) -> list[tuple[str, Headers]]:
        name = ("Queue", queue.name)
        params: Headers = [
            name,
            ("Max", "0"),
            ("Strategy", queue.strategy),
            ("Calls", str(len(queue.visits))),
            ("Holdtime", str(queue.hold_s)),
            ("TalkTime", str(queue.talk_s)),
            ("Completed", str(queue.completed)),
            ("Abandoned", str(queue.abandoned)),
            ("ServiceLevel", "0"),
            ("ServicelevelPerf", "0.0"),
            ("ServicelevelPerf2", "0.0"),
            ("Weight", "0"),
        ]
        members = [
            (
                "QueueMember",
                [
                    name,
                    *member.headers(self._board.status(member), "Name", "Location"),
                    ("Wrapuptime", "0"),
                ],
            )
            for member in queue.members
        ]
        entries = [
            (
                "QueueEntry",
                [
                    name,
                    ("Position", str(visit.position())),
                    ("Channel", visit.channel.name),
                    ("Uniqueid", visit.channel.uniqueid),
                    ("CallerIDNum", visit.channel.number or "unknown"),
                    ("CallerIDName", visit.channel.title or "unknown"),
                    ("ConnectedLineNum", visit.channel.other_number or "unknown"),
                    ("ConnectedLineName", visit.channel.other_title or "unknown"),
                    ("Wait", str((self._time.at - visit.joined) // SECOND)),
                    ("Priority", "0"),
                ],
            )
            for visit in queue.visits
        ]
        return [("QueueParams", params), *members, *entries]

    def _summary(self, session: Session, request: Request) -> None:
        items: list[tuple[str, Headers]] = []
        for queue in self._board.queues.values():
            states = [self._board.state(member.device) for member in queue.members]
            longest = min((visit.joined for visit in queue.visits), default=self._time.at)
            headers = [
                ("Queue", queue.name),
                ("LoggedIn", str(sum(state != "UNAVAILABLE" for state in states))),
                ("Available", str(len(self._board.free(queue)))),
                ("Callers", str(len(queue.visits))),
                ("HoldTime", str(queue.hold_s)),
                ("TalkTime", str(queue.talk_s)),
                ("LongestHoldTime", str((self._time.at - longest) // SECOND)),
            ]
            items.append(("QueueSummary", headers))
        message, complete = "Queue summary will follow", "QueueSummaryComplete"
        session.answer_list(request, message, items, complete, marked_last=True)

    def _db_get(self, session: Session, request: Request) -> None:
        family, key = request.first("Family"), request.first("Key")
        if not family or not key:
            what = "family" if not family else "key"
            session.refuse(request, f"No {what} specified.")
        elif (value := self._board.store.get(f"{family}/{key}")) is None:
            session.refuse(request, "Database entry not found")
        else:
            headers = [("Family", family), ("Key", key), ("Val", value)]
            items = [("DBGetResponse", headers)]
            message, complete = "Result will follow", "DBGetComplete"
            session.answer_list(request, message, items, complete, marked_last=True)

    def _variable(self, session: Session, request: Request) -> None:
        name = request.first("Variable")
        value = self._about.variables.get(name, "")
        session.answer(request, "Success", ("Variable", name), ("Value", value))

    def _shown(self, session: Session, request: Request) -> None:
        context = request.first("Context")
        dialplan = _shipped() if self._about.dialplan is None else self._about.dialplan
        if context not in dialplan:
            session.refuse(request, f"Did not find context {context}")
            return
        lines: list[tuple[str, Headers]] = [
            (
                "ListDialplan",
                [
                    ("Context", context),
                    ("Extension", exten),
                    *([("ExtensionLabel", label)] if label else []),
                    ("Priority", str(priority)),
                    ("Application", application),
                    ("AppData", data),
                    ("Registrar", "pbx_config"),
                ],
            )
            for priority, (exten, label, application, data) in enumerate(dialplan[context], 1)
        ]
        message = "DialPlan list will follow"
        session.answer_list(request, message, lines, "ShowDialPlanComplete")

    # Acting

    def _originate(self, session: Session, request: Request) -> None:
        channel = request.first("Channel")
        kind, slash, where = channel.partition("/")
        application, data = request.first("Application"), request.first("Data")
        if not channel:
            session.refuse(request, "Channel not specified")
        elif not slash or not where:
            session.refuse(request, "Invalid channel")
        elif len(request.first("ChannelId")) > 149:
            session.refuse(request, "Uniqueid length exceeds maximum of 149")
        elif FORBIDDEN_APPLICATIONS.match(application) or "SHELL(" in data.upper():
            why = "Originate Access Forbidden: app or data blacklisted"
            session.refuse(request, why)
        else:
            session.answer(request, "Success", ("Message", "Originate successfully queued"))
            self._dial(self._order(f"{kind}/{where}", request))

    def _order(self, device: str, request: Request) -> Order:
        number, at, trunk = device.partition("/")[2].partition("@")
        if at and f"PJSIP/{trunk}" == self._trunk:
            device = self._trunk
        timeout = request.first("Timeout")
        return Order(
            device=device,
            number=number,
            context=request.first("Context"),
            exten=request.first("Exten"),
            timeout=int(timeout) / 1000 if timeout.isdecimal() and len(timeout) < 9 else 30.0,
            caller=_caller(request.first("CallerID")),
            channel_id=request.first("ChannelId"),
            action_id=request.first("ActionID"),
            variables=dict(
                part.strip().partition("=")[::2]
                for line in request.all("Variable")
                for part in line.split(",")
            ),
        )

    def _hangup(self, session: Session, request: Request) -> None:
        name, cause = request.first("Channel"), request.first("Cause")
        if not name:
            session.refuse(request, "No channel specified")
        elif (channel := self._find(name)) is None or channel.hear is None:
            session.refuse(request, "No such channel")
        else:
            session.answer(request, "Success", ("Message", "Channel Hungup"))
            known = cause.isdecimal() and int(cause) in range(1, 128)
            channel.hear(Killed(channel, int(cause) if known else 0))

    def _mute(self, session: Session, request: Request) -> None:
        name, state = request.first("Channel"), request.first("State")
        if not name:
            session.refuse(request, "No channel specified")
        elif (channel := self._find(name)) is None:
            session.refuse(request, "No such channel")
        elif not channel.recording:
            session.refuse(request, "Cannot set mute flag")
        else:
            if bool(len(channel.mute) % 2) is (state != "1"):
                channel.mute.append(self._time.at)
            session.answer(request, "Success")

    def _redirect(self, session: Session, request: Request) -> None:
        name = request.first("Channel")
        if not name:
            session.refuse(request, "Channel not specified")
        elif (channel := self._find(name)) is None or channel.hear is None:
            session.refuse(request, f"Channel does not exist: {name}")
        else:
            session.answer(request, "Success", ("Message", "Redirect successful"))
            channel.hear(Moved(channel, request.first("Context"), request.first("Exten")))

    def _blind(self, session: Session, request: Request) -> None:
        channel = self._find(request.first("Channel"))
        bridge = self._board.bridges.get(channel.bridge) if channel else None
        others = [other for other in bridge.channels if other is not channel] if bridge else []
        if channel is None:
            session.refuse(request, "Channel specified does not exist")
        elif not others or channel.hear is None:
            session.refuse(request, "Transfer not permitted")
        else:
            session.answer(request, "Success", ("Message", "Transfer succeeded"))
            context = request.first("Context") or "internal"
            channel.hear(Moved(others[0], context, request.first("Exten"), blind=True))

    def _pause(self, session: Session, request: Request) -> None:
        device, paused = request.first("Interface"), request.first("Paused").lower()
        if not device or not paused:
            session.refuse(request, "Need 'Interface' and 'Paused' parameters.")
            return
        asked = request.first("Queue")
        found = [
            (queue, member)
            for queue in self._board.queues.values()
            for member in queue.members
            if member.device == device and asked in ("", queue.name)
        ]
        if not found:
            session.refuse(request, "Interface not found")
            return
        on = paused in ("1", "true", "yes", "y", "t", "on")
        how = "paused" if on else "unpaused"
        session.answer(request, "Success", ("Message", f"Interface {how} successfully"))
        for queue, member in found:
            self._board.pause(queue, member, on, request.first("Reason"))

    def _find(self, name: str) -> Channel | None:
        channels = self._board.channels
        named = (channel for channel in channels.values() if channel.uniqueid == name)
        return channels.get(name) or next(named, None)

    def _duration(self, channel: Channel) -> str:
        seconds = (self._time.at - channel.born) // SECOND
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _shipped() -> Dialplan:
    extensions = conf.read(shipped.config() / "asterisk/extensions.conf")
    return {GUARD: conf.dialplan(extensions, GUARD)}


def _commands(desk: Desk) -> Callable[[Session, Request], None]:
    def answer(session: Session, request: Request) -> None:
        lines = [
            (name, f"{action.synopsis}  (Priv: {','.join((*action.classes, 'all'))})")
            if action.classes
            else (name, f"{action.synopsis}  (Priv: <none>)")
            for name, action in sorted(desk.actions.values(), key=lambda known: known[0].lower())
            if session.account is not None and action.permitted(session.account)
        ]
        session.answer(request, "Success", *lines)

    return answer


def _parked(session: Session, request: Request) -> None:
    message, complete = "Parked calls will follow", "ParkedCallsComplete"
    session.answer_list(request, message, [], complete, ("Total", "0"))


def _not_played(session: Session, request: Request) -> None:
    session.refuse(request, "The simulated PBX does not play this action")


def _caller(text: str) -> tuple[str, str]:
    """Take `"Name" <number>` or a bare number apart: number and name."""
    name, bracket, number = text.partition("<")
    if bracket:
        return number.partition(">")[0].strip(), name.strip().strip('"')
    return text.strip(), ""
