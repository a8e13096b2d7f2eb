"""What do a file's name and the PBX's notes say about the call? Pure.

MixMonitor leaves the name to the dialplan, and so every distribution has its own:

    0f3c…-41d2.wav                                            ours: an id that tells nothing
    1795322718.42.wav                                         ${UNIQUEID}
    in-4000-13800138000-20261127-120000-1795322718.42.wav     FreePBX, Issabel: came in
    out-13800138000-6001-20261127-120000-1795322718.42.wav    went out
    q-support-…, rg-600-…, exten-6001-…, internal-…           queue, ring group, extension
    q600-20261127-120000-1795322718.42.wav                    older ones, without a dash
    auto-1795322718-6001-6002.wav                             one-touch recording

Two sides apart: `-rx` and `-tx` before the ending are ours, `-in` and `-out` are Monitor's. A
name is outside text: whatever it is, nothing here raises, and nothing here is ever a path.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from cti.value import value
from recordings.record import Kind, Recording

NAME_LIMIT: Final = 1000
"""A path of a PBX is no longer, in characters; the rest of a longer one is not stored."""
ENDINGS: Final = frozenset(
    {"wav", "wav16", "wav49", "ogg", "gsm", "ulaw", "ul", "mu", "pcm", "alaw", "al", "raw", "sln"}
    | {f"sln{khz}" for khz in (12, 16, 24, 32, 44, 48, 96, 192)}
)
"""What Asterisk writes sound as, in lower case: `.WAV` is WAV49 (format_*.c)."""
RECEIVED: Final = frozenset({"rx", "in"})
SENT: Final = frozenset({"tx", "out"})


class Side(StrEnum):
    """Which direction of its channel a file holds."""

    BOTH = "both"
    RECEIVED = "received"
    """What the channel's own party said."""
    SENT = "sent"
    """What that party heard."""


@value
class Named:
    """What a name says. `whole` is the name of the file that has both sides.

    `uniqueid` is the channel's, with a systemname before it where the PBX has one. `numbers` are
    extensions, queues, callers, in the name's order. `at` is when it began, if the name says so.
    """

    whole: str
    side: Side
    kind: Kind
    uniqueid: str = ""
    numbers: tuple[str, ...] = ()
    at: datetime | None = None


_UNIQUEID = r"(?P<uid>(?:[A-Za-z0-9_.]+-)*?[0-9]{9,11}\.[0-9]{1,9})"
_TIME = r"(?P<day>[0-9]{8})-(?P<clock>[0-9]{6})"
_KINDS = "in|out|q|rg|g|exten|external|internal|force|conf|ext-local|from-internal"
_SIDE: Final = re.compile(r"(?P<whole>.+)-(?P<side>rx|tx|in|out)", re.ASCII | re.IGNORECASE)
_PATTERNS: Final = tuple(
    re.compile(pattern, re.ASCII | re.IGNORECASE)
    for pattern in (
        rf"(?:(?:{_KINDS})-(?P<numbers>.*?)-)?{_TIME}-{_UNIQUEID}",
        rf"(?:in|out|q|g)(?P<numbers>[0-9]+)-{_TIME}-{_UNIQUEID}",
        r"auto-(?P<epoch>[0-9]{9,11})-(?P<numbers>.+)",
        _UNIQUEID,
    )
)
_MAILBOX: Final = re.compile(
    r"(?:^|/)voicemail/(?P<context>[^/]+)/(?P<box>[^/]+)/(?P<folder>[^/]+)/msg[0-9]{4}\.[^/.]+"
)
_OWN_SYSTEM: Final = re.compile(r".*-(?=[0-9]{9,11}\.[0-9])", re.ASCII | re.DOTALL)
_UTC: Final = ZoneInfo("UTC")
_UNSEEN: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff%]"
)


def is_sound(name: str) -> bool:
    """Tell by its ending whether a file holds sound."""
    return "." in name and name.rpartition(".")[2].lower() in ENDINGS


def is_one_touch(path: str) -> bool:
    """Tell by its name whether a file was begun by a key during the call (features.conf)."""
    return path.rpartition("/")[2].lower().startswith("auto-")


def is_message(path: str) -> bool:
    """Tell by its folder whether a file is a message in a mailbox."""
    return _MAILBOX.search(path) is not None


def said(path: str, zone: ZoneInfo) -> Named:
    """Give what a path says; `zone` is the PBX's, in which names tell the time."""
    folder, slash, name = path.rpartition("/")
    if box := _MAILBOX.search(path):
        return Named(whole=path, side=Side.BOTH, kind=Kind.VOICEMAIL, numbers=(box["box"],))
    stem, dot, ending = name.rpartition(".")
    side = Side.BOTH
    if one := _SIDE.fullmatch(stem):
        side = Side.RECEIVED if one["side"].lower() in RECEIVED else Side.SENT
        stem = one["whole"]
    whole = f"{folder}{slash}{stem}{dot}{ending}"
    for pattern in _PATTERNS:
        if found := pattern.fullmatch(stem):
            return _named(whole, side, found.groupdict(), zone)
    return Named(whole=whole, side=side, kind=Kind.CALL)


def family(path: str) -> list[str]:
    """Give the names of all files that one recording may have: the whole, and its sides."""
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if one := _SIDE.fullmatch(stem):
        stem = one["whole"]
    sides = ("", *(f"-{side}" for side in sorted(RECEIVED | SENT)))
    return [f"{folder}{slash}{stem}{side}{dot}{ending}" for side in sides]


def _named(whole: str, side: Side, found: Mapping[str, str | None], zone: ZoneInfo) -> Named:
    uniqueid = found.get("uid") or ""
    epoch = found.get("epoch") or uniqueid.rpartition("-")[2].partition(".")[0]
    numbers = tuple(part for part in (found.get("numbers") or "").split("-") if part)
    local = _local(found.get("day"), found.get("clock"), zone)
    return Named(
        whole=whole,
        side=side,
        kind=Kind.CALL,
        uniqueid=uniqueid,
        numbers=numbers,
        at=local or _epoch(epoch),
    )


def _local(day: str | None, clock: str | None, zone: ZoneInfo) -> datetime | None:
    if day is None or clock is None:
        return None
    try:
        return datetime.strptime(day + clock, "%Y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _epoch(seconds: str) -> datetime | None:
    """Give the time of a Uniqueid: the whole second in which its channel was born."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


@value
class Message:
    """What Asterisk notes beside a message in a mailbox (app_voicemail.c).

    `channel` is the caller's; `began` the second in which he began to speak.
    """

    channel: str
    began: datetime | None
    mailbox: str
    id: str


def message(note: str) -> Message:
    """Read the `.txt` file beside a message. What it does not say is empty."""
    told: dict[str, str] = {}
    for line in note.splitlines():
        key, _, text = line.partition("=")
        told.setdefault(key.strip().lower(), text.strip())
    return Message(
        channel=told.get("callerchan", ""),
        began=_epoch(told.get("origtime", "")),
        mailbox=told.get("origmailbox", ""),
        id=told.get("msg_id", ""),
    )


def stored(path: str) -> str:
    """Write a path so that any database takes it and no terminal obeys it.

    What cannot be seen stands as `%XX`, as bytes of the file system; so does `%` itself, so that
    two names never become one.
    """
    escaped = _UNSEEN.sub(lambda odd: _percent(odd[0]), path)
    if len(escaped) <= NAME_LIMIT:
        return escaped
    whole = hashlib.sha256(escaped.encode()).hexdigest()
    return f"{escaped[: NAME_LIMIT - len(whole) - 1]}…{whole}"


def _percent(odd: str) -> str:
    how = "surrogateescape" if "\udc80" <= odd <= "\udcff" else "surrogatepass"
    return "".join(f"%{byte:02X}" for byte in odd.encode("utf-8", how))


def shown(source: str) -> str:
    """Give a file's name for people: no folders, and no systemname, which is a secret."""
    name = source.rpartition("/")[2]
    uniqueid = said(name, _UTC).uniqueid
    if not uniqueid:
        return _OWN_SYSTEM.sub("…", name)
    system, _, own = uniqueid.rpartition("-")
    return name.replace(uniqueid, f"…{own}") if system else name


def given(one: Recording) -> str:
    """Give a name for a file that is given away: when it began, and the end of its id."""
    ending = re.sub(r"[^a-z0-9]", "", one.source.rpartition(".")[2].lower())[:8]
    began = f"{one.began or one.seen_at:%Y%m%d-%H%M%S}"
    return f"{began}-{one.id[-6:]}.{'ogg' if one.format == 'ogg' else ending or 'wav'}"
