"""A tiny AMI reader and client that shares no line with the product, to judge the simulator by."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

NOISE: Final = frozenset(
    (
        *("VarSet", "Newexten", "CEL", "TestEvent", "RTCPSent", "RTCPReceived"),
        *("SuccessfulAuth", "ChallengeSent", "FullyBooted", "ContactStatus", "PeerStatus"),
    )
)
HISTORY: Final = frozenset(
    (
        *("Event", "Privilege", "Timestamp", "SystemName", "LoginTime", "LastCall"),
        *("LastPause", "CallsTaken", "InCall", "HoldTime", "RingTime", "TalkTime"),
    )
)
"""Headers that depend on when, or on what was before; times are compared by `seconds`."""


@dataclass(frozen=True)
class Told:
    """One frame: its headers in order."""

    headers: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def event(self) -> str:
        return self["Event"]

    @property
    def at(self) -> float:
        return float(self["Timestamp"] or 0)


def told(raw: bytes) -> list[Told]:
    """Take a stream apart; blank lines between frames and a banner are passed over."""
    frames, lines = [], []
    for line in raw.decode().split("\r\n"):
        if line:
            lines.append(line)
        elif lines:
            pairs = (line.partition(":")[::2] for line in lines if ":" in line)
            frames.append(Told(tuple((k, v.removeprefix(" ")) for k, v in pairs)))
            lines = []
    return frames


Group = tuple[str, ...]
Shape = dict[Group, list[tuple[str, tuple[tuple[str, str], ...]]]]


@dataclass
class Shaper:
    """Brings streams to a form in which two of the same situation are equal.

    Channels and bridges get names by their order of birth; frames are kept in order per channel,
    dialled leg, visit, bridge, device and member, as Asterisk keeps no other order.
    """

    dropped: frozenset[tuple[str, str]] = frozenset()
    """Headers (event, name) or whole events (event, "") that one PBX tells now so, now so."""
    roles: dict[str, str] = field(default_factory=dict)
    births: "defaultdict[str, itertools.count[int]]" = field(
        default_factory=lambda: defaultdict(lambda: itertools.count(1))
    )

    def shape(self, frames: Iterable[Told]) -> Shape:
        """Give the stream's frames by group, without noise."""
        shape: Shape = defaultdict(list)
        kept = [frame for frame in frames if frame.event and frame.event not in NOISE]
        for frame in kept:
            if frame.event == "Newchannel":
                device = frame["Channel"].rpartition("-")[0]
                role = f"{device}#{next(self.births[device])}"
                self.roles[frame["Channel"]] = self.roles[frame["Uniqueid"]] = role
            bridge = frame["BridgeUniqueid"]
            if bridge and bridge not in self.roles:
                self.roles[bridge] = f"bridge#{next(self.births['bridge'])}"
        for frame in kept:
            if not frame["Device"].endswith("_avail") and (frame.event, "") not in self.dropped:
                shape[self._group(frame)].append((frame.event, self._headers(frame)))
        return shape

    def _group(self, frame: Told) -> Group:
        event = frame.event
        if event.startswith("Dial"):
            return ("dial", self.roles[frame["DestUniqueid"]])
        if event.startswith("DeviceState"):
            return ("device", frame["Device"])
        if event.startswith("QueueMember"):
            return ("member", frame["Queue"], frame["Interface"])
        if event.startswith(("Queue", "Agent")):
            return ("visit", self.roles[frame["Uniqueid"]])
        if event in ("BridgeCreate", "BridgeDestroy"):
            return ("bridge", self.roles[frame["BridgeUniqueid"]])
        if event in ("OriginateResponse", "BlindTransfer", "Shutdown"):
            return (event,)
        return ("channel", self.roles[frame["Uniqueid"]])

    def _headers(self, frame: Told) -> tuple[tuple[str, str], ...]:
        return tuple(
            (name, self.roles.get(value, value))
            for name, value in frame.headers
            if name not in HISTORY
            and "ChanVariable" not in name
            and (frame.event, name) not in self.dropped
        )


def seconds(frames: Iterable[Told]) -> list[tuple[str, str, int]]:
    """Give all whole seconds that Asterisk counted, in order."""
    return [
        (frame.event, name, int(value) // (1000 if frame.event == "AgentRingNoAnswer" else 1))
        for frame in frames
        for name, value in frame.headers
        if name in ("HoldTime", "RingTime", "TalkTime")
    ]


class TinyClient:
    """An AMI client: sends, and keeps what it hears."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.raw = bytearray()
        self._frames: list[Told] = []
        self._taken = 0
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect, and read the banner."""
        client = cls(*await asyncio.open_connection(host, port))
        await client.until(b"\r\n")
        return client

    async def login(self, user: str = "cti", **more: str) -> list[Told]:
        """Log in; give the answer."""
        return await self.act("Login", **({"Username": user, "Secret": "cti"} | more))

    async def act(self, action: str, **headers: str) -> list[Told]:
        """Send an action; give its answer: one frame, or a list with its start and its end."""
        mark = headers.setdefault("ActionID", f"tiny-{next(self._ids)}")
        before = len(self._frames)
        self.send(Action=action, **headers)
        while True:
            await self.until(b"\r\n\r\n")
            mine = [frame for frame in self.frames()[before:] if frame["ActionID"] == mark]
            mine = [frame for frame in mine if frame.event != "OriginateResponse"]
            starts = mine and mine[0]["EventList"] == "start"
            if mine and (not starts or mine[-1]["EventList"] == "Complete"):
                return mine

    def send(self, **headers: str) -> None:
        """Send headers as they are."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.writer.write(lines.encode() + b"\r\n")

    def frames(self) -> list[Told]:
        """Give all frames that have come whole."""
        end = self.raw.rfind(b"\r\n\r\n") + 4
        if end > 3 and end > self._taken:
            self._frames += told(bytes(self.raw[self._taken : end]))
            self._taken = end
        return self._frames

    async def heard(self) -> list[Told]:
        """Give all events heard so far, which is all that were sent before now."""
        await self.act("Ping")
        return [
            frame
            for frame in self.frames()
            if (frame.event and not frame["ActionID"]) or frame.event == "OriginateResponse"
        ]

    def forget(self) -> None:
        """Forget what was heard."""
        self.raw.clear()
        self._frames.clear()
        self._taken = 0

    async def until(self, end: bytes) -> None:
        """Read on until something more has come that ends so. Raises `EOFError` at the end."""
        async with asyncio.timeout(10):
            while True:
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError
                self.raw += data
                if self.raw.endswith(end):
                    return

    async def ended(self) -> bytes:
        """Read to the end; give all bytes heard. A reset counts as an end."""
        async with asyncio.timeout(10):
            try:
                while data := await self.reader.read(65536):
                    self.raw += data
            except ConnectionError:
                pass
        return bytes(self.raw)

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)
