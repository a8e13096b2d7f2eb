"""How does the lab itself speak AMI? Small, and on purpose not by the product's link."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Self

from typing_extensions import override

Headers = Mapping[str, str | list[str]]


class Message(dict[str, str]):
    """One frame. Of a repeated header the first counts."""

    def is_event(self, name: str, **headers: str) -> bool:
        """Tell whether this is the event `name` with these very headers."""
        return self.get("Event") == name and all(self.get(k) == v for k, v in headers.items())


class Refused(Exception):
    """Asterisk refused an action; holds its answer."""


class Ami(asyncio.Protocol):
    """One session. All events since the login stay in `heard`, all bytes in `tape`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.heard: list[Message] = []
        self.tape = bytearray()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._ids = itertools.count(1)
        self._replies: dict[str, tuple[asyncio.Future[list[Message]], list[Message]]] = {}
        self._waiting: list[tuple[Callable[[Message], bool], asyncio.Future[Message]]] = []

    @classmethod
    async def login(cls, host: str, port: int, user: str, secret: str) -> Self:
        """Connect and log in. Raises `Refused`, or OSError if nobody listens."""
        loop = asyncio.get_running_loop()
        transport, ami = await loop.create_connection(cls, host, port)
        ami._transport = transport
        try:
            await ami.do("Login", Username=user, Secret=secret)
        except Refused:
            transport.close()
            raise
        return ami

    async def do(self, action: str, /, **headers: str | list[str]) -> Message:
        """Perform an action and give its answer. Raises `Refused`."""
        return (await self._send(action, headers))[0]

    async def ask(self, action: str, /, **headers: str | list[str]) -> list[Message]:
        """Give the items of a list, without its first and last frame."""
        return (await self._send(action, headers))[1:-1]

    async def until(
        self, test: Callable[[Message], bool], *, since: int = 0, within: float = 10
    ) -> Message:
        """Give the first event from `since` on that passes, waiting for it if need be."""
        for message in self.heard[since:]:
            if test(message):
                return message
        found: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting.append((test, found))
        async with asyncio.timeout(within):
            return await found

    async def silence(self, within: float = 20) -> None:
        """Wait until each channel that was announced has been said to be gone.

        The events of a session may come after the answer that no channel lives.
        """
        if self._open():
            await self.until(lambda _: not self._open(), since=len(self.heard), within=within)

    def _open(self) -> set[str]:
        born = {m["Uniqueid"] for m in self.heard if m.get("Event") == "Newchannel"}
        return born - {m["Uniqueid"] for m in self.heard if m.get("Event") == "Hangup"}

    async def bye(self) -> None:
        """Log off and wait until the other side has closed."""
        if not self.closed.done():
            self._write("Logoff", {"ActionID": "bye"})
            async with asyncio.timeout(5):
                await self.closed

    async def _send(self, action: str, headers: Headers) -> list[Message]:
        number = f"lab-{next(self._ids)}"
        answer: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._replies[number] = answer, []
        try:
            self._write(action, {"ActionID": number, **headers})
            async with asyncio.timeout(20):
                return await answer
        finally:
            del self._replies[number]

    def _write(self, action: str, headers: Headers) -> None:
        lines = [f"Action: {action}"]
        for key, value in headers.items():
            values = [value] if isinstance(value, str) else value
            lines += [f"{key}: {one}" for one in values]
        if self._transport is not None:
            self._transport.write("\r\n".join([*lines, "", ""]).encode())

    @override
    def data_received(self, data: bytes) -> None:
        """Cut frames; an odd blank line between them is skipped."""
        self.tape += data
        *frames, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for frame in frames:
            self._hear(frame.decode("utf-8", "replace"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody wait for what cannot come."""
        lost = ConnectionResetError("the AMI session ended")
        for reply, _ in self._replies.values():
            if not reply.done():
                reply.set_exception(lost)
        for _, found in self._waiting:
            if not found.done():
                found.set_exception(lost)
        if not self.closed.done():
            self.closed.set_result(None)

    def _hear(self, text: str) -> None:
        message = Message()
        for line in text.strip("\r\n").split("\r\n"):
            key, colon, value = line.partition(":")
            if colon:
                message.setdefault(key, value.removeprefix(" "))
        pending = self._replies.get(message.get("ActionID", ""))
        if pending and ("Response" in message or pending[1]):
            _answer(*pending, message)
        elif "Event" in message:
            self.heard.append(message)
            for test, found in self._waiting:
                if not found.done() and test(message):
                    found.set_result(message)
            self._waiting = [pair for pair in self._waiting if not pair[1].done()]


def _answer(answer: asyncio.Future[list[Message]], got: list[Message], message: Message) -> None:
    got.append(message)
    if answer.done():
        return
    if message.get("Response") == "Error":
        answer.set_exception(Refused(message.get("Message", "no reason given")))
    elif message.get("EventList") == "Complete" or (got == [message] and not _list(message)):
        answer.set_result(got)


def _list(first: Message) -> bool:
    return first.get("EventList") == "start"
