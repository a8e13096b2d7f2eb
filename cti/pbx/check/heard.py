"""What does the account hear? Judged by the events themselves, while the check listens.

An account cannot ask what it may read: the `Privilege` of an event shows that its class is
there, and silence shows nothing.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cti.pbx.check.point import Point, good, unseen
from cti.pbx.frames import Framer, name_of

_CLASS: Final = re.compile(rb"\r\nPrivilege: ([a-z,]{1,80})\r\n")
_CHANNELVARS: Final = b"\r\nChanVariable: MIXMONITOR_FILENAME="
RING: Final = "let a phone ring while this runs"


@dataclass(frozen=True, slots=True)
class Needed:
    """A class of events that cti needs: what it brings, when it is heard."""

    brings: str
    when: str


NEEDED: Final[Mapping[str, Needed]] = {
    "system": Needed("a restart of the PBX is found out only by its uptime", "at each login"),
    "call": Needed("no call is seen at all", RING),
    "agent": Needed(
        "what happens in queues is not seen: who waits, who is asked, who gives up",
        "let a customer ring a queue while this runs",
    ),
    "user": Needed(
        "nobody can tell whether the guard dialled an attempt",
        "it is heard when cti dials; --try-guard asks the guard without dialling anybody",
    ),
}
COSTS: Final[Mapping[str, str]] = {
    "dialplan": "49 of the 104 events of an answered queue call, which nobody reads",
    "reporting": "8 of the 104 events of an answered queue call, some with a blank line too many",
    "dtmf": "every key that a customer presses, card numbers too",
    "security": "an event for each registration of each phone",
    "cdr": "an event for each row of the CDR",
    "verbose": "the console's every line",
    "log": "the log's every line",
    "command": "nothing; and the right to run console commands often goes with it",
}
CEL_COST: Final = "15 events more for each answered queue call; cti reads CEL from its file"


class Heard:
    """A tape that keeps figures and no bytes: classes of events, and what they bear.

    Give it to a `Link` as `tape`: it sees what the filter against forgeries sets aside, too.
    """

    def __init__(self) -> None:
        self.classes = Counter[str]()
        self.names = Counter[str]()
        self.timed = self.timeless = 0
        self.named = self.nameless = 0
        """Channels born with and without the header that names a recording."""
        self.refused = asyncio.Event()
        """The guard has said that it refused an attempt."""
        self._framer = Framer()

    @property
    def banner(self) -> str:
        """How the PBX greeted."""
        return self._framer.banner

    @property
    def events(self) -> int:
        """How many events there were."""
        return sum(self.names.values())

    def write(self, data: bytes) -> None:
        """Look at what one read gave. Raises nothing."""
        for payload in self._framer.feed(data):
            self._look(payload)

    def _look(self, payload: bytes) -> None:
        name = name_of(payload)
        told = _CLASS.search(payload[:300])
        if not name or told is None:
            return
        self.names[name] += 1
        self.classes.update(set(told[1].decode("ascii").split(",")) - {"all", ""})
        if name == "UserEvent" and b"\r\nResult: refused" in payload:
            self.refused.set()
        if name == "FullyBooted":  # bears no Timestamp in any case
            return
        if b"\r\nTimestamp: " in payload[:300]:
            self.timed += 1
        else:
            self.timeless += 1
        if name == "Newchannel":
            self.named += _CHANNELVARS in payload
            self.nameless += _CHANNELVARS not in payload


def points(
    heard: Heard, aside: Mapping[str, int], listened: timedelta, *, guarded: bool, tried: bool
) -> list[Point]:
    """Judge what was heard in so long.

    `aside` counts what was set aside, by reason; `guarded`: a secret systemname tells what is
    genuine; `tried`: the guard was asked, so that classes call and user had to be heard.
    """
    seconds = f"{listened.total_seconds():.0f} s"
    return [
        *(_class(heard, name, seconds, tried) for name in NEEDED),
        _superfluous(heard, seconds),
        _cel(heard, seconds),
        _timestamps(heard, seconds),
        _genuine(heard, aside, seconds, guarded),
        _channelvars(heard, seconds),
    ]


def _class(heard: Heard, name: str, seconds: str, tried: bool) -> Point:
    key, what, needed = f"read.{name}", f"class {name}", NEEDED[name]
    if count := heard.classes[name]:
        return good(key, what, f"heard, {count} event{'s' if count > 1 else ''}")
    if name == "system" or (tried and name in ("call", "user")):
        login = name == "system"
        return Point(
            key=key,
            what=what,
            state="missing",
            found="no greeting FullyBooted came after the login"
            if login
            else "not heard, though the guard was asked",
            why=needed.brings,
            todo=f"manager.conf: add `{name}` to read, then `manager reload`",
        )
    return unseen(key, what, f"not heard in {seconds}: {needed.when}")


def _superfluous(heard: Heard, seconds: str) -> Point:
    key, what = "read.more", "no other class"
    more = sorted(set(heard.classes) - set(NEEDED))
    if more:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=", ".join(f"{name} ({heard.classes[name]} events)" for name in more),
            why="costs, of "
            + "; of ".join(
                f"{name}: {COSTS.get(name, 'events that nobody reads')}" for name in more
            ),
            todo="manager.conf: read = system,call,agent,user, then `manager reload`",
        )
    if not heard.classes["call"]:
        return unseen(key, what, f"no call was heard in {seconds}")
    return good(key, what, "none was heard")


def _cel(heard: Heard, seconds: str) -> Point:
    key, what = "read.cel", "no CEL over AMI"
    if count := heard.names["CEL"]:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"{count} CEL events were heard",
            why=f"costs {CEL_COST}",
            todo="cel.conf: enabled = no in the section [manager]",
        )
    if not heard.classes["call"]:
        return unseen(key, what, f"no call was heard in {seconds}")
    return good(key, what, "none was heard")


def _timestamps(heard: Heard, seconds: str) -> Point:
    key, what = "read.timestampevents", "timestampevents"
    if heard.timeless:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"{heard.timeless} events came without a Timestamp",
            why="rings are counted by arrival and marked approximate, no penalty can rest on them; "
            "with a secret systemname set, cti believes no event at all",
            todo="manager.conf: timestampevents = yes in [general], then `manager reload`",
        )
    if heard.timed:
        return good(key, what, f"on all of {heard.timed} events")
    return unseen(key, what, f"no event was heard in {seconds}: {RING}")


def _genuine(heard: Heard, aside: Mapping[str, int], seconds: str, guarded: bool) -> Point:
    key, what = "read.genuine", "events are genuine"
    if count := aside.get("other_systemname", 0):
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"{count} events bear another systemname than the one cti expects",
            why="cti believes none of them: no call is seen",
            todo="leave pbx.systemname empty in cti's settings, or set it to the PBX's own; after "
            "a change of asterisk.conf Asterisk must be restarted",
        )
    odd = sum(count for reason, count in aside.items() if reason != "no_timestamp")
    if odd:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found=f"{odd} frames were set aside: forged or malformed",
            why="somebody may try to put false events before cti by a caller's name or number",
            todo="look in cti's log for frame_set_aside; filter names in the dialplan of the trunk",
        )
    if not guarded:
        return unseen(key, what, "cannot be told without a secret systemname")
    if heard.timed + heard.timeless == 0:
        return unseen(key, what, f"no event was heard in {seconds}")
    return good(key, what, "none was set aside")


def _channelvars(heard: Heard, seconds: str) -> Point:
    key, what = "read.channelvars", "channelvars MIXMONITOR_FILENAME"
    if heard.nameless:
        return Point(
            key=key,
            what=what,
            state="missing",
            found="channels are told without it",
            why="recordings are matched to calls by time alone",
            todo="manager.conf: channelvars = MIXMONITOR_FILENAME in [general], then `manager "
            "reload`",
        )
    if heard.named:
        return good(key, what, "each new channel bears it")
    return unseen(key, what, f"no new channel was heard in {seconds}: {RING}")
