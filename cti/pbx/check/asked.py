"""What does the PBX say of itself, and what may the account do? Judged by answers to actions."""

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cti.log import clean
from cti.pbx.check.point import Point, good, unseen
from cti.pbx.frames import Frame
from cti.pbx.link import SHORTEST_SECRET
from cti.pbx.session import Answer
from cti.settings import PbxSettings

MENDED: Final[Mapping[int, tuple[int, int]]] = {22: (10, 1)}
"""By branch, the first release without the holes that matter here; others are not judged."""
_VERSION: Final = re.compile(r"(?:Asterisk )?(\d{1,3})\.(\d{1,4})\.(\d{1,4})(?!\S*-rc)")
SHORTEST_AMI_SECRET: Final = 24
FARTHEST: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An action that cti uses: what fails without it, and what gives it."""

    action: str
    without: str
    classes: str = ""
    module: str = ""
    optional: str = ""
    """Why a PBX may well be without it."""


USED: Final = (
    Use(
        action="CoreSettings",
        without="version and systemname stay unknown: forged events cannot be told from genuine",
        classes="reporting",
    ),
    Use(
        action="CoreStatus",
        without="no snapshot after a lost link, so that open calls end as unknown",
        classes="reporting",
    ),
    Use(
        action="CoreShowChannels",
        without="no snapshot after a lost link, so that open calls end as unknown",
        classes="reporting",
    ),
    Use(action="BridgeList", without="after a lost link it is not known who talks with whom"),
    Use(
        action="QueueStatus",
        without="after a lost link it is not known who waits, and whose phone is asked",
        module="app_queue.so",
    ),
    Use(
        action="DeviceStateList",
        without="the board shows phones as unknown until they are used",
        classes="call or reporting",
    ),
    Use(
        action="ParkedCalls",
        without="parked customers are not seen after a lost link",
        classes="call",
        module="res_parking.so",
        optional="not offered, so calls are not parked here",
    ),
    Use(action="Originate", without="no click-to-call, no callbacks", classes="originate"),
    Use(
        action="DBGet",
        without="after a crash an attempt ends as unknown, and a person decides",
        classes="reporting",
    ),
    Use(action="Hangup", without="no call can be ended from the desk", classes="call"),
    Use(action="Redirect", without="no call can be transferred from the desk", classes="call"),
    Use(
        action="MixMonitorMute",
        without="a recording cannot be silenced while a card number is said",
        classes="call",
        module="app_mixmonitor.so",
    ),
    Use(
        action="QueuePause",
        without="no agent can be paused from the desk",
        classes="agent",
        module="app_queue.so",
    ),
    Use(
        action="ShowDialPlan",
        without="whether the guard stands as shipped cannot be seen",
        classes="reporting",
    ),
)
FORBIDDEN: Final[Sequence[tuple[str, tuple[str, ...], str]]] = (
    ("command", ("Command",), "runs any console command: who has the secret owns the machine"),
    (
        "config",
        ("UpdateConfig", "CreateConfig", "ListCategories"),
        "writes configuration files: who has the secret owns the machine",
    ),
    (
        "system",
        (
            *("DBDel", "DBDelTree", "DBPut", "DialplanExtensionAdd", "DialplanExtensionRemove"),
            *("MixMonitor", "ModuleLoad", "PJSIPShowAuths"),
        ),
        "changes the dialplan, loads modules, reads phones' passwords, runs programs, and deletes "
        "the guard's notes, so that a customer is dialled twice",
    ),
    ("config or system", ("GetConfig", "GetConfigJSON", "Reload"), "reads every password there is"),
    ("user", ("UserEvent",), "forges the guard's word that an attempt was dialled, or was not"),
    ("agi", ("AGI",), "runs commands on any channel"),
)
OPEN_FILES: Final = "AST_CONFIG(manager.conf,general,enabled)"
"""A value that is set on every PBX that speaks AMI."""


ONE_SESSION: Final = (
    "cti needs one session to listen and one to act; and after a broken link Asterisk holds the "
    "dead one for minutes and refuses the new one"
)


def reachable(settings: PbxSettings, banner: str, addresses: Collection[str]) -> list[Point]:
    """Judge a connection that came about; `addresses` are those of the host."""
    greeting = clean(banner.removeprefix("Asterisk Call Manager/"), 20)
    found = f"{settings.host}:{settings.port}, AMI {greeting or 'of unknown version'}"
    return [good("link.reachable", "reachable", found), _wire(settings.tls, addresses)]


def _wire(tls: bool, addresses: Collection[str]) -> Point:
    key, what = "link.tls", "nobody reads along"
    if tls:
        return good(key, what, "TLS")
    if addresses and all(is_near(address) for address in addresses):
        loopback = all(ipaddress.ip_address(address).is_loopback for address in addresses)
        return good(key, what, f"no TLS, {'this machine' if loopback else 'a private network'}")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="no TLS, over a public network",
        why="the AMI secret and customers' numbers can be read on the way",
        todo="manager.conf: tlsenable, tlscertfile; cti's settings: tls = true, tls_ca",
    )


def is_near(address: str, *, unspecified: bool = True) -> bool:
    """Tell whether an address is this machine's, or one of a private network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_private and (unspecified or not found.is_unspecified)


def secret(length: int) -> Point:
    """Judge the length of the AMI secret; nobody is told the secret."""
    key, what = "link.secret", "AMI secret"
    if length >= SHORTEST_AMI_SECRET:
        return good(key, what, f"{length} characters")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=f"{length} characters",
        why="whoever guesses it can dial at your cost, hear who calls, and end calls",
        todo="make one with: openssl rand -hex 24; set it in manager.conf and in cti's secret_file",
    )


def clock(offset: timedelta, trip: timedelta) -> Point:
    """Judge how far the PBX's clock is ahead of ours; `trip` is how long the answer took."""
    key, what = "link.clock", "clocks agree"
    seconds = offset.total_seconds()
    ahead = "ahead of" if seconds >= 0 else "behind"
    found = f"the PBX is {abs(seconds):.3f} s {ahead} this machine"
    found += f" (± {trip.total_seconds() / 2:.3f} s)"
    if abs(offset) <= FARTHEST:
        return good(key, what, found)
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=found,
        why="calls are kept at the PBX's time: they fall into other hours, shifts and days than "
        "what people do on their screens",
        todo="let both machines keep time by NTP (chrony, systemd-timesyncd)",
    )


def settings_points(answer: Answer, settings: PbxSettings) -> list[Point]:
    """Judge the answer to CoreSettings."""
    told = answer.headers.first
    return [
        version(told("AsteriskVersion") or ""),
        systemname(told("SystemName") or "", settings.systemname.get_secret_value()),
        _cdr(told("CoreCDRenabled") or ""),
        _http(told("CoreHTTPenabled") or ""),
    ]


def version(text: str) -> Point:
    """Judge Asterisk's version."""
    key, what, shown = "pbx.version", "Asterisk's version", clean(text, 60) or "not told"
    match = _VERSION.match(text)
    if match is None:
        return unseen(key, what, f"{shown}: not judged")
    branch, *release = (int(part) for part in match.groups())
    if branch not in MENDED:
        return unseen(key, what, f"{shown}: not judged; follow the security releases of its branch")
    if tuple(release) >= MENDED[branch]:
        return good(key, what, shown)
    mended = ".".join(str(part) for part in (branch, *MENDED[branch]))
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=f"{shown} is older than {mended}",
        why="known holes: programs run by Originate (CVE-2024-42365), events forged by callers, "
        "SQL injection by CEL",
        todo=f"bring Asterisk to {mended} or newer",
    )


def systemname(told: str, expected: str) -> Point:
    """Judge the systemname; nobody is told the name."""
    key, what = "pbx.systemname", "systemname is a secret"
    todo = (
        f"asterisk.conf: systemname = {SHORTEST_SECRET} random characters (openssl rand -hex 24) "
        "in [options]; restart Asterisk"
    )
    why = "a caller can put false events before cti; cti starts, and warns"
    if not told:
        found = "none is set"
        return Point(key=key, what=what, state="missing", found=found, why=why, todo=todo)
    if expected and told != expected:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found="the PBX has another one than cti's settings",
            why="cti believes no event of this PBX: no call is seen",
            todo="leave pbx.systemname empty in cti's settings: it is read at login",
        )
    if len(told) < SHORTEST_SECRET or len(set(told)) < 10:
        found = f"{len(told)} characters" if len(told) < SHORTEST_SECRET else "not random"
        return Point(key=key, what=what, state="wrong", found=found, why=why, todo=todo)
    return good(key, what, f"{len(told)} characters")


def _cdr(told: str) -> Point:
    key, what = "pbx.cdr", "CDR is on"
    if told.lower() != "no":
        return good(key, what, "yes") if told else unseen(key, what)
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="no",
        why="`cti reconcile` has nothing to compare with",
        todo="cdr.conf: enable = yes in [general]",
    )


def _http(told: str) -> Point:
    key, what = "conf.webenabled", "no AMI over HTTP"
    if told.lower() == "no":
        return good(key, what, "Asterisk's HTTP server is off")
    return unseen(key, what)


def may_do(answer: Answer) -> list[Point]:
    """Judge the answer to ListCommands: each action that cti uses, and none that it must not."""
    offered = set(answer.headers.headers())
    used = [_used(use, use.action.lower() in offered) for use in USED]
    bad = [
        Point(
            key=f"write.not-{classes.replace(' ', '-')}",
            what=f"class {classes}",
            state="wrong",
            found=f"the account may {', '.join(seen)}",
            why=danger,
            todo=f"manager.conf: write = originate,call,agent,reporting; not {classes}",
        )
        for classes, actions, danger in FORBIDDEN
        if (seen := [action for action in actions if action.lower() in offered])
    ]
    if bad:
        return [*used, *bad]
    count = sum(len(actions) for _, actions, _ in FORBIDDEN)
    return [*used, good("write.not", "nothing that is dangerous", f"none of {count} actions")]


def _used(use: Use, offered: bool) -> Point:
    key, what = f"write.{use.action}", use.action
    if offered:
        return good(key, what, "allowed")
    if use.optional:
        return unseen(key, what, use.optional)
    todo = f"manager.conf: add `{use.classes}` to write" if use.classes else ""
    if use.module:
        todo += f"{'; if it is there: ' if todo else ''}modules.conf: load = {use.module}"
    return Point(
        key=key,
        what=what,
        state="missing",
        found="not allowed",
        why=use.without,
        todo=todo or "look into the PBX's log: Asterisk always offers this action",
    )


def open_files(answer: Answer) -> Point:
    """Judge whether Getvar gave a value of manager.conf away."""
    key, what = "write.not-files", "files are closed to Getvar"
    if not answer.ok or not answer.headers.first("Value"):
        return good(key, what, "AST_CONFIG gives nothing")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="Getvar reads any configuration file by the function AST_CONFIG",
        why="who has the secret of the account reads the passwords of all phones and accounts",
        todo="modules.conf: noload = func_config.so, if your dialplan does not use AST_CONFIG",
    )


Guard = Sequence[tuple[str, str, str, str]]
"""Lines of a dialplan: extension, label, application, data."""


INCLUDE: Final = "include config/asterisk/extensions.conf as it is shipped, then `dialplan reload`"


def guard(answer: Answer, shipped: Guard) -> Point:
    """Judge the answer to ShowDialPlan against the guard as it is shipped."""
    return guard_lines(_told(answer), shipped)


def line_test(answer: Answer, shipped: Guard) -> Point:
    """Judge the answer to ShowDialPlan against the line test's part as it is shipped."""
    return line_test_lines(_told(answer), shipped)


def connect(answer: Answer, shipped: Guard) -> Point:
    """Judge the answer to ShowDialPlan against what joins customer and agent, as shipped."""
    return connect_lines(_told(answer), shipped)


def _told(answer: Answer) -> Guard:
    return [
        (
            item.first("Extension") or "",
            item.first("ExtensionLabel") or "",
            item.first("Application") or "",
            item.first("AppData") or "",
        )
        for item in answer.items
        if item.event == "ListDialplan" and item.first("Application")
    ]


def guard_lines(told: Guard, shipped: Guard) -> Point:
    """Judge the lines of cti-dial, wherever they were read."""
    key, what = "dial.guard", "guard [cti-dial]"
    if not told:
        return Point(
            key=key,
            what=what,
            state="missing",
            found="there is no such context",
            why="no click-to-call and no callbacks: nothing would keep a customer from being "
            "dialled twice",
            todo=INCLUDE,
        )
    why = "cti proves by it that an attempt was dialled once, or not at all"
    return _compared(key, what, why, told, shipped)


def line_test_lines(told: Guard, shipped: Guard) -> Point:
    """Judge the lines of cti-line-test; a house may well do without."""
    key, what = "dial.line_test", "line test [cti-line-test]"
    if not told:
        return unseen(key, what, "there is no such context: lines are tested by hand alone")
    why = "a test call may ring people, or be taken for a customer's missed call"
    return _compared(key, what, why, told, shipped)


def connect_lines(told: Guard, shipped: Guard) -> Point:
    """Judge the lines of cti-connect; only who calls customers first needs them."""
    key, what = "dial.connect", "customer first [cti-connect]"
    if not told:
        return unseen(key, what, "there is no such context: call no customer before his agent")
    why = "customers who are called first may meet nobody, and nobody may know"
    return _compared(key, what, why, told, shipped)


def _compared(key: str, what: str, why: str, told: Guard, shipped: Guard) -> Point:
    # Asterisk lists extensions in an order of its own; within each the lines keep theirs.
    told, shipped = (sorted(lines, key=lambda line: line[0]) for lines in (told, shipped))
    if told == shipped:
        return good(key, what, f"as shipped, {len(told)} lines")
    differs = next(
        (
            number
            for number, (ours, theirs) in enumerate(zip(shipped, told, strict=False), 1)
            if ours != theirs
        ),
        min(len(told), len(shipped)) + 1,
    )
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=f"differs from the shipped one, first in line {differs}",
        why=why,
        todo=INCLUDE,
    )


def trunks(
    patterns: Mapping[str, Collection[str]], devices: Collection[str], members: Collection[str]
) -> list[Point]:
    """Judge patterns of trunks, each with the devices that it matches, among those known."""
    return [_trunk(pattern, found, devices, members) for pattern, found in patterns.items()]


def _trunk(
    pattern: str, found: Collection[str], devices: Collection[str], members: Collection[str]
) -> Point:
    key, what, shown = f"dial.trunk:{pattern}", f"trunk {clean(pattern, 26)}", _some(found)
    if agents := sorted(set(found) & set(members)):
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"matches phones of agents: {_some(agents)}",
            why="what these phones dial would count as calls from customers",
            todo="make trunks in cti's settings narrower",
        )
    if found:
        return good(key, what, shown)
    if not any(device.startswith("PJSIP/") for device in devices) or not pattern.startswith(
        "PJSIP/"
    ):
        return unseen(key, what, "matches no device that is known now")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="matches no device of this PBX",
        why="calls from customers would count as internal: no pop, no missed call",
        todo="set trunks in cti's settings to the names of your trunks' endpoints, as PJSIP/NAME",
    )


def queues(items: Sequence[Frame]) -> list[Point]:
    """Judge the answer to QueueStatus."""
    names = [item.first("Queue") or "" for item in items if item.event == "QueueParams"]
    members = [item for item in items if item.event == "QueueMember"]
    if not names:
        return [unseen("dial.queues", "queues", "none on this PBX")]
    found = f"{len(names)} ({_some(names)}), {len(members)} members"
    return [good("dial.queues", "queues", found), _members(members)]


def _members(members: Sequence[Frame]) -> Point:
    key, what = "dial.members", "queue members"
    local = [m for m in members if (m.first("StateInterface") or "").startswith("Local/")]
    if local:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"a Local channel stands for the phone: {_some(_names(local))}",
            why="its state is always free: busy agents are rung again, and look as if they did "
            "not answer",
            todo="queues.conf: name the phone as the fourth value, as "
            "member => Local/6001@internal,0,May Chen,PJSIP/6001",
        )
    if unknown := [m for m in members if m.first("Status") in ("0", "4")]:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"phones that the PBX does not know: {_some(_names(unknown))}",
            why="they are never rung, and nobody is told",
            todo="queues.conf: mend or remove these members",
        )
    if not members:
        return unseen(key, what, "no queue has members now")
    return good(key, what, "each one's phone is known")


def _names(members: Sequence[Frame]) -> list[str]:
    return sorted({f"{m.first('Queue')}: {m.first('Location')}" for m in members})


def people(asked: Collection[str], known: Collection[str]) -> Point:
    """Judge the devices that people of the house have, against those that the PBX knows."""
    key, what = "dial.people", "people's phones"
    if not known:
        return unseen(key, what, "the PBX told no devices")
    if strangers := sorted(name for name in set(asked) - set(known) if name.startswith("PJSIP/")):
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"the PBX does not know {_some(strangers)}",
            why="calls on the real phone of these people are nobody's: no pop",
            todo="cti user device NUMBER PBX:PJSIP/NAME, with the endpoint's name on this PBX",
        )
    return good(key, what, f"{len(set(asked))}, none unknown to the PBX")


def _some(names: Collection[str]) -> str:
    shown = [clean(name, 60) for name in sorted(names)[:6]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
