"""How does a screen stay true? The live channel: tickets, and one conversation per open socket.

    client                                server
    POST rt-ticket (session, X-CSRF)  ->  ticket, one use, 30 s
    open, [cti.v1, ticket.T]          ->  403 for a foreign Origin, else accepted
    hello {since, epoch, view}        ->  what was missed, or reset and a snapshot
                                      <-  numbered cards, the board, links; a ping in silence

A push is a numbered hint. What is sent is the state at the moment of sending, encoded once
per push, not once per client. Each client has a mailbox of its own with a bounded room; one
that does not read is dropped, and nobody else notices. It then resumes by its last number.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiohttp import WSMsgType, web
from prometheus_client import CollectorRegistry, Counter, Gauge
from pydantic import ValidationError

from cti.bus import ALL, BOARD, Bus, Letter, Mailbox, Reason
from cti.bus import person as audience_of
from cti.clock import Clock
from cti.errors import Unavailable
from cti.people.rules import Person
from cti.web import wire
from cti.web.messages import Messages
from cti.web.ports import Accounts
from cti.web.roles import may
from cti.web.site import Site

log = structlog.get_logger(__name__)

PROTOCOL: Final = "cti.v1"
MAX_MESSAGE: Final = 4096  # bytes: a client has nothing longer to say than hello

# Close codes. What a client does about each stands in static/channel.js.
RESTART: Final = 1012
BAD_MESSAGE: Final = 4400
BAD_TICKET: Final = 4401
WRONG_ROLE: Final = 4403
NO_HELLO: Final = 4408
RIGHTS_ENDED: Final = 4410
TOO_SLOW: Final = 4413
OLD_PROTOCOL: Final = 4426

_CODES: Final[Mapping[Reason, int | None]] = {
    "overflow": TOO_SLOW,
    "ended": RIGHTS_ENDED,
    "stopping": RESTART,
    "left": None,
    "broke_rules": BAD_MESSAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things may take on the live channel, in seconds, and how much may wait."""

    ticket_for: float = 30.0
    hello_within: float = 5.0
    ping_after: float = 20.0
    pong_asked_after: float = 40.0
    send_within: float = 10.0
    board_every: float = 0.5
    recheck_every: float = 60.0
    at_once: int = 16_384
    """So many bytes go without waiting to whoever has read all that came before."""
    room: int = 256
    """Letters that may wait for one client."""
    tickets: int = 10_000
    """Tickets that may be unused at once; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """Who may open the channel: a person, in one session."""

    person: Person
    session: str
    until: float


class Goodbye(Exception):
    """This conversation is over, with a close code; none if the client has left."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Line:
    """One open socket: writes without waiting for ever, hangs up in any case."""

    def __init__(self, request: web.Request, pace: Pace, gauges: "Gauges") -> None:
        self._request, self._pace, self._gauges = request, pace, gauges
        self.socket = web.WebSocketResponse(
            protocols=(PROTOCOL,),
            compress=False,  # else each client's copy would be compressed anew
            heartbeat=pace.pong_asked_after,
            timeout=2.0,
            max_msg_size=MAX_MESSAGE,
        )

    async def open(self) -> None:
        """Shake hands. From here on the client learns of everything by a close code.

        Raises `Goodbye`.
        """
        try:
            await self.socket.prepare(self._request)
        except ConnectionError:  # gone already
            raise Goodbye(None) from None
        transport = self._request.transport
        raw = transport.get_extra_info("socket") if transport is not None else None
        if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # a peer that vanished, or does not read, is given up by the kernel too
            patience_ms = int(self._pace.pong_asked_after * 1000)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)

    async def write(self, text: bytes) -> None:
        """Send one message. Raises `Goodbye` if the client does not read, or is gone."""
        try:
            if self._unread() or len(text) > self._pace.at_once:
                async with asyncio.timeout(self._pace.send_within):
                    await self.socket.send_frame(text, WSMsgType.TEXT)
            else:  # nothing to wait for
                await self.socket.send_frame(text, WSMsgType.TEXT)
        except TimeoutError:
            raise Goodbye(TOO_SLOW) from None
        except ConnectionError:
            raise Goodbye(None) from None
        self._gauges.sent.inc()

    async def hang_up(self, code: int | None) -> None:
        """Close with a code (none: just be gone); who does not read is cut off.

        aiohttp must not be asked to write after a write was given up: its drain waiter is
        cancelled then, and would cancel us too.
        """
        if code is not None and not self.socket.closed:
            self._gauges.closed.labels(code).inc()
            if not self._unread():
                with contextlib.suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(1):
                        await self.socket.close(code=code)
        if self._unread() and self._request.transport is not None:
            self._request.transport.abort()

    def _unread(self) -> int:
        """Count the bytes that the client leaves with us."""
        transport = self._request.transport
        return transport.get_write_buffer_size() if transport is not None else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """One conversation, from its hello on."""

    line: Line
    person: Person
    session: str
    hello: wire.Hello
    box: Mailbox
    checked: float
    last: int = 0
    """The number up to which this client knows everything."""


class Gauges:
    """What the operator can read of the channel, at /metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clients = Gauge("cti_live_clients", "Open live channels.", registry=registry)
        self.sent = Counter("cti_live_messages", "Messages sent on them.", registry=registry)
        self.closed = Counter(
            "cti_live_closed", "Channels closed by us, by close code.", ["code"], registry=registry
        )


class Tickets:
    """Tickets not yet used. They live in this process, and not for long."""

    def __init__(self, clock: Clock, pace: Pace) -> None:
        self._clock, self._pace = clock, pace
        self._open: dict[str, Entrant] = {}

    def issue(self, person: Person, session: str) -> str:
        """Give a ticket to a logged-in person."""
        now = self._clock.monotonic()
        while self._open:
            oldest, entrant = next(iter(self._open.items()))
            if entrant.until > now and len(self._open) < self._pace.tickets:
                break
            del self._open[oldest]
        ticket = secrets.token_urlsafe(24)
        self._open[ticket] = Entrant(person, session, now + self._pace.ticket_for)
        return ticket

    def use(self, ticket: str) -> Entrant | None:
        """Give who came with this ticket, once."""
        entrant = self._open.pop(ticket, None)
        if entrant is None or entrant.until <= self._clock.monotonic():
            return None
        return entrant


@dataclass(kw_only=True)
class Live:
    """All open sockets of this process."""

    messages: Messages
    bus: Bus
    accounts: Accounts
    clock: Clock
    site: Site
    gauges: Gauges
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.tickets = Tickets(self.clock, self.pace)
        self.clients = set[Client]()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket from handshake to end."""
        if not self.site.may_listen(request):
            log.warning("live_origin_refused", origin=request.headers.get("Origin", ""))
            raise web.HTTPForbidden(text="this origin may not open the live channel")
        line = Line(request, self.pace, self.gauges)
        try:
            await line.open()
            entrant, hello = await self._admit(request, line)
        except Goodbye as goodbye:
            await line.hang_up(goodbye.code)
        else:
            with self.bus.subscribe(*_audiences(entrant, hello), room=self.pace.room) as box:
                await self._converse(
                    Client(
                        line=line,
                        person=entrant.person,
                        session=entrant.session,
                        hello=hello,
                        box=box,
                        checked=self.clock.monotonic(),
                    )
                )
        return line.socket

    def end_session(self, session: str) -> None:
        """Close the sockets of a session that was logged out."""
        for client in self.clients:
            if client.session == session:
                client.box.close("ended")

    async def stop(self, _app: web.Application) -> None:
        """Close all sockets, for the server goes away; clients come back by themselves."""
        for client in self.clients:
            client.box.close("stopping")

    async def _admit(self, request: web.Request, line: Line) -> tuple[Entrant, wire.Hello]:
        if line.socket.ws_protocol != PROTOCOL:
            raise Goodbye(OLD_PROTOCOL)
        entrant = self.tickets.use(_ticket(request))
        if entrant is None:
            raise Goodbye(BAD_TICKET)
        hello = await self._hear_hello(line)
        if not may(entrant.person, hello.view):
            raise Goodbye(WRONG_ROLE)
        return entrant, hello

    async def _hear_hello(self, line: Line) -> wire.Hello:
        try:
            message = await line.socket.receive(timeout=self.pace.hello_within)
        except TimeoutError:
            raise Goodbye(NO_HELLO) from None
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
            raise Goodbye(None)
        if message.type is not WSMsgType.TEXT:
            raise Goodbye(BAD_MESSAGE)
        try:
            return wire.Hello.model_validate_json(message.data)
        except ValidationError:
            raise Goodbye(BAD_MESSAGE) from None

    async def _converse(self, client: Client) -> None:
        self.clients.add(client)
        self.gauges.clients.inc()
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(self._listen(client), name="live listening")
                code = await self._speak(client)
                listening.cancel()
            await client.line.hang_up(code)
        finally:
            self.clients.discard(client)
            self.gauges.clients.dec()

    async def _listen(self, client: Client) -> None:
        """Notice that the client goes. It has nothing to say, so whatever it says is wrong."""
        async for _message in client.line.socket:
            client.box.close("broke_rules")
        client.box.close("left")

    async def _speak(self, client: Client) -> int | None:
        """Tell the client everything until one of both leaves; give the close code."""
        try:
            await self._greet(client)
            while True:
                letters = await client.box.take(self.pace.ping_after)
                if client.box.closed is not None:
                    raise Goodbye(_CODES[client.box.closed])
                await self._recheck(client)
                await self._tell(client, letters)
        except Goodbye as goodbye:
            return goodbye.code

    async def _greet(self, client: Client) -> None:
        # Nothing is awaited before all is built: what changes later is in the mailbox already.
        texts = [wire.encode(message) for message in self._greeting(client)]
        for text in texts:
            await client.line.write(text)

    def _greeting(self, client: Client) -> Sequence[dict[str, Any]]:
        person, hello = client.person, client.hello
        if hello.view == "board":
            return [self.messages.board(person)]
        client.last = self.messages.last_seq()
        missed = self.messages.missed(person.id, hello.since, hello.epoch)
        if missed is not None:
            return missed
        snapshot = self.messages.snapshot(person)
        return [snapshot] if hello.since is None else [self.messages.reset(), snapshot]

    async def _tell(self, client: Client, letters: Sequence[Letter]) -> None:
        if not letters:
            await client.line.write(wire.encode(self.messages.ping()))
        for letter in letters:
            if letter.push.seq is not None:
                if letter.push.seq <= client.last:
                    continue
                client.last = letter.push.seq
            await client.line.write(self.messages.of(letter, client.person))
        if any(letter.push.kind == "board" for letter in letters):
            await asyncio.sleep(self.pace.board_every)

    async def _recheck(self, client: Client) -> None:
        """Look now and then whether the session and its rights still stand."""
        now = self.clock.monotonic()
        if now - client.checked < self.pace.recheck_every:
            return
        client.checked = now
        try:
            person = await self.accounts.session(client.session)
        except Unavailable:  # the database's trouble is no reason to blind the agents
            return
        if person is None:
            raise Goodbye(RIGHTS_ENDED)
        if not may(person, client.hello.view):
            raise Goodbye(WRONG_ROLE)
        client.person = person


def _audiences(entrant: Entrant, hello: wire.Hello) -> tuple[str, str]:
    own = audience_of(entrant.person.id) if hello.view == "agent" else BOARD
    return own, ALL


def _ticket(request: web.Request) -> str:
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    tickets = [one.strip() for one in offered if one.strip().startswith("ticket.")]
    return tickets[0].removeprefix("ticket.") if tickets else ""
