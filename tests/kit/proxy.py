"""How does a link fail? A TCP proxy between the daemon and a PBX, that does it on purpose.

cut         both connections end, by FIN or by RST; at once, or after so many bytes
refuse      nobody listens any more
freeze      half-open: connections stand, and nothing passes in either direction
black hole  new connections are taken, and nobody ever speaks
inject      bytes of ours, between two frames of the PBX
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

FRAME_END = b"\r\n\r\n"


class Line:
    """One connection through the proxy."""

    def __init__(
        self, proxy: "Proxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.asked = b""
        """The first bytes that the client sent: they tell listening from acting."""
        self.passed = 0
        self._owed = b""
        self._whole = True
        self._away: asyncio.StreamWriter | None = None

    @property
    def listens(self) -> bool:
        """Whether it is the session that asked for events."""
        return b"Events: on" in self.asked

    async def run(self, host: str, port: int) -> None:
        """Carry bytes both ways until one side ends."""
        try:
            there, self._away = await asyncio.open_connection(host, port)
        except OSError:
            self.cut()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._up(self._away))
            tasks.create_task(self._down(there))

    async def _up(self, away: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await self.reader.read(65536):
                self.asked = (self.asked + data)[:4096]
                await self.proxy.passing.wait()
                away.write(data)
                await away.drain()
        self._end()

    async def _down(self, there: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await there.read(65536):
                await self.proxy.passing.wait()
                if not self._pass(data):
                    return
                await self.writer.drain()
        self._end()

    def _pass(self, data: bytes) -> bool:
        """Hand bytes of the PBX on; False: it was the moment to cut."""
        left = self.proxy.cut_after
        if left is not None and left <= len(data):
            self.proxy.cut_after = None
            self.writer.write(data[:left])
            self.proxy.cut()
            return False
        if left is not None:
            self.proxy.cut_after = left - len(data)
        self.passed += len(data)
        if self._owed and FRAME_END in data:
            head, end, rest = data.partition(FRAME_END)
            data, self._owed = head + end + self._owed + rest, b""
        self.writer.write(data)
        self._whole = data.endswith(FRAME_END)
        return True

    def inject(self, data: bytes) -> None:
        """Send bytes of ours, as soon as no frame of the PBX is under way."""
        if self._whole:
            self.writer.write(data)
        else:
            self._owed += data

    def cut(self, *, reset: bool = False) -> None:
        """End both connections at once."""
        if reset:
            raw = self.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end()

    def _end(self) -> None:
        for writer in (self.writer, self._away):
            if writer is not None:
                writer.close()


class Proxy:
    """Stands before one PBX; made by `before`."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._at = host, port
        self.lines: list[Line] = []
        self.port = 0
        self.taken = 0
        """How many connections were ever made."""
        self.cut_after: int | None = None
        """Cut when the PBX has sent so many more bytes, on whichever line."""
        self.passing = asyncio.Event()
        self.passing.set()
        self._mute = False
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; again on the same port after `refuse`."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._meet, "127.0.0.1", self.port, start_serving=True
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self, *, reset: bool = True) -> None:
        """Cut all, and let nobody connect until `open`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut(reset=reset)

    def cut(self, *, reset: bool = False) -> None:
        """End all connections; new ones are welcome."""
        for line in self.lines:
            line.cut(reset=reset)

    def freeze(self) -> None:
        """Let nothing pass, though all connections stand."""
        self.passing.clear()

    def thaw(self) -> None:
        """Let everything pass again, what was held back first."""
        self.passing.set()

    def black_hole(self, *, on: bool) -> None:
        """Take new connections, and never speak on them."""
        self._mute = on

    def inject(self, data: bytes) -> None:
        """Send bytes of ours to the session that listens, between two frames."""
        (line,) = [line for line in self.lines if line.listens]
        line.inject(data)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        line = Line(self, reader, writer)
        self.lines.append(line)
        try:
            if self._mute:
                while await reader.read(65536):
                    pass
            else:
                await line.run(self._host, self._at)
        finally:
            self.lines.remove(line)
            writer.close()


@asynccontextmanager
async def before(host: str, port: int) -> AsyncIterator[Proxy]:
    """Put a proxy before a PBX, on a free port of this machine."""
    proxy = Proxy(host, port)
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.thaw()
        await proxy.refuse()
