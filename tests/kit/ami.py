"""A scripted AMI server: it answers as Asterisk does, or as a test wants it to.

No stand-in for the real one: it knows logins, pings and what the test gives it.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from typing_extensions import override

from cti.pbx.link import LinkState

LONGEST = 10.0
BANNER = b"Asterisk Call Manager/11.0.0\r\n"
SECRET_NAME = "q7Rk2vXe9TzLw4HcYb8NsJm3Ug6PdFa1Ko5ViQxBnEtDrCyM"
BOOTED = (
    b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 62\r\nStatus: Fully Booted\r\n\r\n"
)

Asked = dict[str, list[str]]
Script = Callable[[Asked], bytes | None]


class Bell:
    """Rings when something changed; whoever waits looks again."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def ring(self) -> None:
        self._changed.set()

    async def until(self, is_so: Callable[[], bool], within: float = LONGEST) -> None:
        """Wait until it is so; too long is a failure."""
        async with asyncio.timeout(within):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


class States(Bell):
    """What a link told of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[LinkState] = []

    def __call__(self, state: LinkState) -> None:
        self.told.append(state)
        self.ring()

    @property
    def phases(self) -> list[str]:
        return [state.phase for state in self.told]

    async def reach(self, phase: str, times: int = 1) -> LinkState:
        """Wait until the link was in this phase so many times."""
        await self.until(lambda: self.phases.count(phase) >= times)
        return [state for state in self.told if state.phase == phase][times - 1]


def event(name: str, systemname: str = "", **headers: str) -> bytes:
    """Give an event's bytes as Asterisk would send them, end included."""
    lines = [f"Event: {name}", "Privilege: call,all"]
    if systemname:
        lines += ["Timestamp: 1795314535.195584", f"SystemName: {systemname}"]
    lines += [f"{header}: {value}" for header, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


def reply(asked: Asked, ok: bool = True, **headers: str) -> bytes:
    """Give a response's bytes."""
    lines = [f"Response: {'Success' if ok else 'Error'}", f"ActionID: {asked['actionid'][0]}"]
    lines += [f"{header}: {value}" for header, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode()


def listing(asked: Asked, item: str, items: list[dict[str, str]], **end: str) -> bytes:
    """Give a whole list: its start, its items and its end."""
    action_id = asked["actionid"][0]
    start = reply(asked, EventList="start", Message="A list will follow")
    body = b"".join(
        "\r\n".join(
            (f"Event: {item}", f"ActionID: {action_id}", *(f"{k}: {v}" for k, v in one.items()))
        ).encode()
        + b"\r\n\r\n"
        for one in items
    )
    told = {"EventList": "Complete", "ListItems": str(len(items)), **end}
    last = [f"Event: {item}Complete", f"ActionID: {action_id}"]
    last += [f"{header}: {value}" for header, value in told.items()]
    return start + body + "\r\n".join((*last, "", "")).encode()


class Visit(asyncio.Protocol):
    """One connection to the fake."""

    def __init__(self, fake: "FakeAmi") -> None:
        self.fake = fake
        self.heard = b""
        self.transport: asyncio.Transport
        self.gone = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.fake.visits.append(self)
        self.transport.write(self.fake.banner)
        self.fake.ring()

    @override
    def data_received(self, data: bytes) -> None:
        self.heard += data
        *actions, self.heard = self.heard.split(b"\r\n\r\n")
        for action in actions:
            asked: Asked = {}
            for line in action.decode().split("\r\n"):
                name, _, value = line.partition(": ")
                asked.setdefault(name.lower(), []).append(value)
            self.fake.hear(self, asked, action)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.fake.ring()

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def cut(self) -> None:
        """End the connection at once, with a reset."""
        if not self.gone and (sock := self.transport.get_extra_info("socket")):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class FakeAmi(Bell):
    """The server. `scripts` says by action what it answers; None: it keeps silent."""

    def __init__(self, *, systemname: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.banner = BANNER
        self.systemname = systemname
        self.asked: list[Asked] = []
        self.wire: list[bytes] = []
        self.visits: list[Visit] = []
        self.silent = False
        self.port = 0
        self.scripts: dict[str, Script] = {
            "login": self._login,
            "ping": lambda asked: reply(asked, Ping="Pong"),
            "coresettings": lambda asked: reply(asked, SystemName=self.systemname),
        }
        self._tls = tls
        self._server: asyncio.Server | None = None

    def _login(self, asked: Asked) -> bytes:
        accepted = reply(asked, Message="Authentication accepted")
        return accepted if asked["events"] == ["off"] else accepted + BOOTED

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shut()

    async def open(self) -> None:
        """Listen, on the port of before if there was one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Visit(self), "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Cut every connection and listen no more."""
        assert self._server is not None
        self._server.close()
        for visit in self.visits:
            visit.cut()
        await self.until(lambda: all(visit.gone for visit in self.visits))
        await self._server.wait_closed()

    def hear(self, visit: Visit, asked: Asked, wire: bytes) -> None:
        """Keep what was asked, and answer it."""
        self.asked.append(asked)
        self.wire.append(wire)
        self.ring()
        if self.silent:
            return
        name = asked["action"][0].lower()
        if name == "logoff":
            visit.send(reply(asked).replace(b"Success", b"Goodbye"))
            visit.transport.close()
            return
        script = self.scripts.get(name, lambda asked: reply(asked, ok=False, Message="Invalid"))
        if answer := script(asked):
            visit.send(answer)

    @property
    def visit(self) -> Visit:
        """The newest connection."""
        return self.visits[-1]

    def times(self, action: str) -> int:
        """How often this was asked."""
        return sum(asked["action"] == [action] for asked in self.asked)

    async def heard(self, action: str, times: int = 1) -> Asked:
        """Wait until this was asked so many times; give the last of them."""
        await self.until(lambda: self.times(action) >= times)
        return [asked for asked in self.asked if asked["action"] == [action]][times - 1]
