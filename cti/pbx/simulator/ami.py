"""How does the simulated PBX speak AMI? Sessions: banner, login, masks, actions in, events out.

A client may send what it likes: it costs its own session at most.
"""

import asyncio
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import structlog
from typing_extensions import override

from cti.pbx.simulator.channels import Headers

log = structlog.get_logger()

AMI_VERSION: Final = "11.0.0"
CLASSES: Final = frozenset(
    (
        *("system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf"),
        *("reporting", "cdr", "dialplan", "originate", "agi", "cc", "aoc", "test", "security"),
        *("message",),
    )
)
LONGEST_LINE: Final = 1024
MOST_LINES: Final = 128
MOST_UNKNOWN: Final = 50
LOGIN_WITHIN_S: Final = 30.0
MOST_UNREAD: Final = 4 * 1024 * 1024
"""So many bytes that a client does not read, and Asterisk's writetimeout ends its session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who may log in, and what for: classes of manager.conf."""

    user: str
    secret: str
    read: frozenset[str]
    write: frozenset[str]
    multiple: bool = True
    """Whether it may have several sessions at once (allowmultiplelogin)."""


class Request:
    """One action of a client. Header names in any case."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._headers: list[tuple[str, str]] = []
        for line in lines:
            name, colon, value = line.partition(b"\0")[0].decode("utf-8", "replace").partition(":")
            if colon:
                self._headers.append((name.strip().lower(), value.strip(" ")))

    def first(self, name: str) -> str:
        """Give the first value of a header, or nothing."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Give all values of a header."""
        return [value for key, value in self._headers if key == name.lower()]

    def marked(self) -> Headers:
        """Give the ActionID to send back, if there was one."""
        return [("ActionID", value) for value in self.all("ActionID")[:1]]


Do = Callable[["Session", Request], None]


@dataclass(frozen=True, slots=True)
class Action:
    """What an action does, what ListCommands says of it, and which classes may do it."""

    do: Do
    synopsis: str = ""
    classes: tuple[str, ...] = ()

    def permitted(self, account: Account) -> bool:
        """Tell whether an account may do it: any of its classes is enough."""
        return not self.classes or not account.write.isdisjoint(self.classes)


class Desk:
    """Where sessions come in: who may, what they can ask, and who hears events."""

    def __init__(
        self,
        accounts: Sequence[Account],
        *,
        refuse_after_s: float,
        wakes: Callable[[], None],
        uptime: Callable[[], int],
    ) -> None:
        self.accounts = {account.user: account for account in accounts}
        self.refuse_after_s, self.wakes, self.uptime = refuse_after_s, wakes, uptime
        self.actions: dict[str, tuple[str, Action]] = {}
        self.sessions: set[Session] = set()

    def learn(self, name: str, action: Action) -> None:
        """Add an action."""
        self.actions[name.lower()] = (name, action)

    def inside(self, account: Account) -> bool:
        """Tell whether an account has a session."""
        return any(session.account is account for session in self.sessions)

    def tell(self, event: str, klass: str, headers: Headers) -> None:
        """Send an event to every session whose mask has its class."""
        listeners = [session for session in self.sessions if klass in session.mask]
        if listeners:
            privilege = ("Privilege", f"{klass},all")
            frame = encode([("Event", event), privilege, *headers])
            for session in listeners:
                session.send(frame)


class Session(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._lines: list[bytes] = []
        self._too_long = False
        self._alarm: asyncio.TimerHandle | None = None
        self.account: Account | None = None
        self.mask: frozenset[str] = frozenset()
        self.frozen = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's is none by name
        self._transport = transport
        unknown = sum(session.account is None for session in self._desk.sessions)
        if unknown >= MOST_UNKNOWN:
            transport.abort()
            return
        self._desk.sessions.add(self)
        self._alarm = asyncio.get_running_loop().call_later(LOGIN_WITHIN_S, self.drop)
        self.send(f"Asterisk Call Manager/{AMI_VERSION}\r\n".encode())

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.sessions.discard(self)
        self.mask = frozenset()
        self._calm()

    @override
    def data_received(self, data: bytes) -> None:
        if self.frozen:
            return
        self._desk.wakes()
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        if len(rest) > LONGEST_LINE:
            self._too_long = True
            del self._rest[LONGEST_LINE:]
        for line in lines:
            self._line(line.removesuffix(b"\r"))

    def send(self, frame: bytes) -> None:
        """Send a frame; a client that has not read far too much is dropped."""
        if self._transport is None or self.frozen or self._transport.is_closing():
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            log.warning("simulated_pbx_dropped_slow_client")
            self.drop()

    def answer(self, request: Request, response: str, *headers: tuple[str, str]) -> None:
        """Answer an action."""
        self.send(encode([("Response", response), *request.marked(), *headers]))

    def refuse(self, request: Request, why: str) -> None:
        """Answer an action with an error."""
        self.answer(request, "Error", ("Message", why))

    def answer_list(
        self,
        request: Request,
        message: str,
        items: Sequence[tuple[str, Headers]],
        complete: str,
        *more: tuple[str, str],
        marked_last: bool = False,
    ) -> None:
        """Answer an action with a list; `marked_last`: its items bear the ActionID at their end."""
        self.answer(request, "Success", ("EventList", "start"), ("Message", message))
        mark = request.marked()
        for event, headers in items:
            body = [*headers, *mark] if marked_last else [*mark, *headers]
            self.send(encode([("Event", event), *body]))
        count = ("ListItems", str(len(items)))
        tail = [("EventList", "Complete"), count, *more]
        self.send(encode([("Event", complete), *mark, *tail]))

    def login(self, request: Request) -> None:
        """Let a client in, or refuse it after a while, as Asterisk does against guessing."""
        if self.account is not None:
            self.answer(request, "Success", ("Message", "Already authenticated"))
            return
        account = self._desk.accounts.get(request.first("Username"))
        secret = request.first("Secret").encode()
        right = hmac.compare_digest(secret, account.secret.encode() if account else b"")
        if account is None or not right:
            self._refuse_later(request, "Authentication failed")
            return
        if not account.multiple and self._desk.inside(account):
            self._refuse_later(request, "Login Already In Use")
            return
        self._calm()
        self.account = account
        self.mask = self._masked(request.first("Events") or "on")
        self.answer(request, "Success", ("Message", "Authentication accepted"))
        if "system" in self.mask:
            uptime = str(self._desk.uptime())
            ages = [("Uptime", uptime), ("LastReload", uptime), ("Status", "Fully Booted")]
            self.send(encode([("Event", "FullyBooted"), ("Privilege", "system,all"), *ages]))

    def choose_events(self, request: Request) -> None:
        """Change what this session hears."""
        mask = request.first("EventMask")
        if not mask:
            self.refuse(request, "Invalid event mask")
            return
        self.mask = self._masked(mask)
        self.answer(request, "Success", ("Events", "On" if self.mask else "Off"))

    def logoff(self, request: Request) -> None:
        """Say goodbye."""
        self.answer(request, "Goodbye", ("Message", "Thanks for all the fish."))
        self.close()

    def close(self) -> None:
        """End the session once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """End the session at once, as a cut link does."""
        if self._transport is not None:
            self._transport.abort()

    def _masked(self, mask: str) -> frozenset[str]:
        names = {name.strip().lower() for name in mask.split(",")}
        if names & {"on", "all", "yes", "true", "1"}:
            names = set(CLASSES)
        read = self.account.read if self.account else frozenset[str]()
        return read & names

    def _refuse_later(self, request: Request, why: str) -> None:
        log.info("simulated_pbx_refused_login", why=why)
        self._calm()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._desk.refuse_after_s, self._refused, request, why)

    def _refused(self, request: Request, why: str) -> None:
        self.refuse(request, why)
        self.close()

    def _calm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _line(self, line: bytes) -> None:
        if len(line) >= LONGEST_LINE:
            self._too_long = True
        elif line:
            if len(self._lines) <= MOST_LINES:
                self._lines.append(line)
        else:
            lines, self._lines = self._lines, []
            too_long, self._too_long = self._too_long, False
            self._hears(lines, too_long)

    def _hears(self, lines: list[bytes], too_long: bool) -> None:
        request = Request(lines)
        name = request.first("Action")
        _, action = self._desk.actions.get(name.lower(), (name, None))
        if self._transport is None or self._transport.is_closing():
            return
        if too_long:
            self.refuse(request, "Failed to parse message: line too long")
        elif len(lines) > MOST_LINES:
            why = "Too many lines in message or allocation failure"
            self.send(encode([("Response", "Error"), ("Message", why)]))
        elif not name:
            self.refuse(request, "Missing action in request")
        elif name.lower() == "login":
            self.login(request)
        elif self.account is None:
            self.refuse(request, "Permission denied")
        elif action is None:
            hint = "Use Action: ListCommands to show available commands."
            self.refuse(request, f"Invalid/unknown command: {name}. {hint}")
        elif not action.permitted(self.account):
            self.refuse(request, "Permission denied")
        else:
            action.do(self, request)


def encode(headers: Headers) -> bytes:
    """Give a frame as it goes over the wire."""
    return (
        "".join(f"{name}: {value}\r\n" for name, value in headers).encode("utf-8", "replace")
        + b"\r\n"
    )
