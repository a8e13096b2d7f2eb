"""Is the PBX there, and who may speak with it? One `Link` for each session: listen, or act.

    down ──▶ connecting ──▶ up ──▶ down        a login that is accepted makes it `up`
                  '──▶ refused                 the PBX said no: an operator must look
    any ──▶ stopping ──▶ down                  asked to stop

One supervisor (`run`) owns all of it: connect, log in, ping, wait, try again. Every `up` is a new
session, which begins without memory: whoever listens takes a snapshot then. Nothing is ever
sent again. Two links for each PBX, because an action holds up the events of its own session.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from panoramisk import Manager
from typing_extensions import override

from cti.clock import Clock
from cti.errors import (
    ActionUnknown,
    Bug,
    ConfigError,
    CtiError,
    PbxUnavailable,
    Unavailable,
    Unknown,
    UnsafeAction,
)
from cti.log import clean
from cti.pbx import actions
from cti.pbx.aside import Counters, SetAside
from cti.pbx.frames import Frame, Gate
from cti.pbx.reader import Reader, Wanted
from cti.pbx.session import Answer, Session, Tape
from cti.settings import PbxSettings

log = structlog.get_logger(__name__)

Phase = Literal["down", "connecting", "refused", "up", "stopping"]
Role = Literal["listen", "act"]

SHORTEST_SECRET = 48
"""A systemname of fewer random characters is no proof of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """How a link is, since when, and why, in words for the operator; no secret in them."""

    phase: Phase
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to wait before the next try, in seconds.

    After the n-th failure in a row `min(longest, first · 2ⁿ)`, times chance from a half to one,
    so that many of us do not come back at once. A refused login is tried once a minute at most:
    more looks like an attack, and locks accounts.
    """

    first: float = 0.5
    longest: float = 30.0
    refused: float = 60.0

    def after(self, failures: int, chance: float) -> float:
        """Give the pause after so many failures; `chance` lies between 0 and 1."""
        return min(self.longest, self.first * 2.0 ** min(failures, 30)) * (0.5 + chance / 2)


class LoginRefused(CtiError):
    """The PBX answered the login with an error; never leaves this module."""

    code = "login_refused"


class Link(Manager):  # type: ignore[misc]  # panoramisk has no types
    """A session with one PBX that comes back by itself.

    `on_frames` is given the wanted, believed events of each read, in order (`Inbox.put`); when it
    says False, the link drops itself. `on_state` hears of every change, between two such calls.
    Role `act` asks for no events. `wanted` and `aside` as in `Reader`; `tape` gets raw bytes.
    Raises `ConfigError` if TLS is asked for and the CA file cannot be used.
    """

    def __init__(
        self,
        settings: PbxSettings,
        role: Role,
        *,
        clock: Clock,
        on_frames: Callable[[list[Frame]], bool | None] | None = None,
        on_state: Callable[[LinkState], None] | None = None,
        wanted: Wanted | None = None,
        aside: SetAside | None = None,
        tape: Tape | None = None,
        pace: Pace | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(host=settings.host, port=settings.port, protocol_factory=Session)
        for lie in ("authenticated", "authenticated_future", "awaiting_actions", "pinger"):
            delattr(self, lie)  # `state` is the one truth
        self.settings = settings
        self.role: Role = role
        self.aside = aside or SetAside(settings.name, clock)
        self.counters = Counters()
        self.gate = Gate()
        self.state = LinkState(phase="down", at=clock.now(), reason="not started")
        self.log = log.bind(pbx=settings.name, role=role)
        self._clock = clock
        self._on_frames = on_frames
        self._on_state = on_state
        self._wanted = wanted
        self._tape = tape
        self._pace = pace or Pace()
        self._chance = chance
        self._tls = _tls_context(settings)
        self._session: Session | None = None
        self._scope: asyncio.Timeout | None = None
        self._ended = asyncio.Event()
        self._stopping = False
        self._failures = 0
        self._overflows = 0
        self._told = ""
        self._warned = False

    async def run(self) -> None:
        """Keep the link, until `stop` or cancelled. The one task of this link."""
        if self._scope is not None:
            raise Bug("a link is run once")
        try:
            async with asyncio.timeout(None) as self._scope:
                while not self._stopping:
                    pause = await self._attempt()
                    await asyncio.sleep(pause)
        except TimeoutError:
            if not self._stopping:
                raise
        finally:
            self._say("down", "stopped")
            self._ended.set()

    async def stop(self) -> None:
        """Log off, end the connection and `run`. Whoever awaits an answer is told `unknown`."""
        self._stopping = True
        session, was = self._session, self.state.phase
        if self._scope is None:
            self._ended.set()
        elif not self._ended.is_set():
            self._say("stopping", "asked to stop")
            if session is not None and was == "up":
                with suppress(CtiError):
                    await session.ask(actions.logoff(), timedelta(seconds=1))
            if not self._ended.is_set():
                self._scope.reschedule(asyncio.get_running_loop().time())
        await self._ended.wait()

    async def act(self, action: actions.Action, within: timedelta) -> Answer:
        """Send an action, once, and give the PBX's answer.

        Raises `UnsafeAction` or `PbxUnavailable` (not sent), `ActionUnknown` (written, then no
        answer in time, or the link was lost: look, never repeat blindly).
        """
        session, state = self._session, self.state
        if session is None or state.phase != "up":
            why = f"{state.phase}, {state.reason}" if state.reason else state.phase
            raise PbxUnavailable(f"pbx {self.settings.name}: not sent, the link is {why}")
        return await session.ask(action, within)

    def drop(self, reason: str) -> None:
        """Cut the connection on purpose; it comes back, with a new session and a snapshot."""
        if self._session is not None:
            self._session.drop(reason)

    async def _attempt(self) -> float:
        """Live through one connection, from connecting to loss; give the pause after it."""
        if self.state.phase != "refused":
            self._say("connecting")
        try:
            self._session = await self.connect()
            await self.login()
            self.connection_made(self._session)
            reason = await self.ping()
        except (LoginRefused, ConfigError, UnsafeAction) as fault:
            return self._refused(fault)
        except Exception as fault:  # the one loop must never end
            if not isinstance(fault, OSError | Unavailable | Unknown | UnicodeError):
                self.log.exception("pbx_link_failed")
            reason = _why(fault, self.settings)
        finally:
            await self._part()
        return self.connection_lost(reason)

    @override
    async def connect(self) -> Session:
        """Open a connection. Raises `OSError`, `TimeoutError`, or what a bad host name gives."""
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = {"ssl": self._tls, "ssl_shutdown_timeout": 1} if self._tls else {}
        async with asyncio.timeout(self.settings.connect_within):
            _, session = await loop.create_connection(
                self._protocol, self.settings.host, self.settings.port, **tls
            )
        return session

    def _protocol(self) -> Session:
        self.gate = Gate(self.settings.systemname.get_secret_value())
        self.aside.hide(self.gate.systemname)
        return Session(
            Reader(self.aside, gate=self.gate, wanted=self._wanted, counters=self.counters),
            clock=self._clock,
            dispatch=self.dispatch,
            tape=self._tape,
            user_timeout=timedelta(seconds=self.settings.ping_within),
        )

    @override
    async def login(self) -> None:
        """Log in, and learn the systemname. Raises `LoginRefused`, or what `act` raises."""
        session, within = self._session, timedelta(seconds=self.settings.connect_within)
        if session is None:
            raise Bug("no session to log in with")
        events = "on" if self.role == "listen" else "off"
        answer = await session.ask(
            actions.login(self.settings.user, self.settings.read_secret(), events), within
        )
        if not answer.ok:
            raise LoginRefused(clean(answer.message or "no reason given", 200))
        if self.role == "listen":
            await self._learn_systemname(session, within)
        if session.reason:
            raise PbxUnavailable(session.reason)

    async def _learn_systemname(self, session: Session, within: timedelta) -> None:
        name = self.settings.systemname.get_secret_value()
        if not name:
            with suppress(ActionUnknown):
                answer = await session.ask(actions.core_settings(), within)
                name = answer.headers.first("SystemName") or ""
            if len(name) >= SHORTEST_SECRET:
                self.aside.hide(name)
                self.gate.expect(name)
        if len(name) < SHORTEST_SECRET and not self._warned:
            self._warned = True
            self.log.warning("systemname_is_no_secret", length=len(name), todo=_TODO_SYSTEMNAME)

    @override
    async def ping(self) -> str:
        """Ask again and again whether the PBX is there; give the reason once it is not."""
        session, within = self._session, timedelta(seconds=self.settings.ping_within)
        if session is None:
            raise Bug("no session to ping")
        while True:
            await asyncio.wait({session.lost}, timeout=self.settings.ping_every)
            if session.lost.done():
                return session.reason
            try:
                await session.ask(actions.ping(), within)
            except (ActionUnknown, PbxUnavailable):
                session.drop(f"no answer to a ping within {within.total_seconds():g} s")
                return session.reason
            self._overflows = 0

    @override
    def connection_made(self, session: Session) -> None:
        """The login was accepted: say so, then let the events go."""
        self._failures = 0
        self._told = ""
        self.counters.logins += 1
        self.log.info("pbx_up", host=self.settings.host, port=self.settings.port)
        self._say("up")
        session.release()

    @override
    def connection_lost(self, reason: str) -> float:
        """There is no connection: say why; give the pause before the next try."""
        self.counters.lost += self.state.phase == "up"
        pause = self._pace.after(max(self._failures, self._overflows), self._chance())
        self._failures += 1
        if reason != self._told and not self._stopping:
            self._told = reason
            self.log.warning("pbx_down", reason=reason, again_in_s=round(pause, 1))
        self._say("down", reason)
        return pause

    def _refused(self, fault: CtiError) -> float:
        self.counters.refused += 1
        if isinstance(fault, LoginRefused):
            reason, todo = f"login refused: {fault}", _TODO_REFUSED
        elif isinstance(fault, ConfigError):
            reason, todo = fault.what, fault.todo
        else:
            reason, todo = f"login not sent: {fault} cannot be sent over AMI", _TODO_UNSAFE
        pause = self._pace.refused * (1 + self._chance() / 10)
        if reason != self._told:
            self._told = reason
            user = clean(self.settings.user, 80)
            self.log.error("pbx_login_refused", reason=reason, user=user, todo=todo)
        self._say("refused", f"{reason}. {todo}")
        return pause

    async def _part(self) -> None:
        """End the connection: politely if it lives, else at once."""
        session, self._session = self._session, None
        if session is None:
            return
        if session.accepted and not session.lost.done() and not session.reason:
            if self.state.phase == "up":
                self._say("stopping", "asked to stop")
            with suppress(CtiError):
                session.send(actions.logoff()).future.cancel()  # nobody waits for the goodbye
            session.close()
            await asyncio.wait({session.lost}, timeout=1)
        if not session.lost.done():
            session.drop("given up")
            await asyncio.wait({session.lost}, timeout=1)

    def _say(self, phase: Phase, reason: str = "") -> None:
        if (phase, reason) == (self.state.phase, self.state.reason):
            return
        self.state = LinkState(phase=phase, at=self._clock.now(), reason=reason)
        if self._on_state is None:
            return
        try:
            self._on_state(self.state)
        except Exception:
            self.log.exception("on_state_failed")

    @override
    def dispatch(self, frames: list[Frame]) -> None:
        """Hand the events of one read on, and nothing else. Raises nothing."""
        if self._on_frames is None:
            return
        try:
            kept = self._on_frames(frames)
        except Exception:
            self.log.exception("on_frames_failed")
            for frame in frames:
                self.aside.put("handler", frame.payload)
            return
        if kept is False:
            self._overflows += 1
            self.drop("dropped on purpose: too many events wait to be read")

    @override
    def close(self) -> None:
        """Cut the connection; `stop` is the polite way, and ends the link."""
        self.drop("closed")

    @override
    async def send_action(
        self, action: Mapping[str, str | Sequence[str]], as_list: bool | None = None, **more: str
    ) -> Answer:
        """panoramisk's name for `act`, with five seconds to answer."""
        return await self.act({**action, **more}, timedelta(seconds=5))

    @override
    def send_awaiting_actions(self, *_: object) -> None:
        """Nothing is ever sent again: it may have happened."""

    @override
    def register_event(self, pattern: str, callback: Any = None) -> None:
        """Refuse: events go to `on_frames`, and no callback runs while bytes are read."""
        if callback != self.send_awaiting_actions:
            raise Bug("events go to on_frames")


_TODO_REFUSED = (
    "Check user and secret against manager.conf, its permit and deny, and, if it says the login "
    "is in use, set allowmultiplelogin=yes. Tried again once a minute."
)
_TODO_UNSAFE = "Give the AMI account a name and a secret without control characters."
_TODO_SYSTEMNAME = (
    f"Set systemname in asterisk.conf to {SHORTEST_SECRET} random characters or more, and "
    "timestampevents=yes in manager.conf; until then a caller may forge events."
)


def _tls_context(settings: PbxSettings) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except (OSError, ssl.SSLError) as fault:
        raise ConfigError(
            f"pbx {settings.name}: cannot use tls_ca {settings.tls_ca}: {fault.strerror or fault}",
            "give the PEM file of the CA that signed the PBX's certificate",
            code="tls_ca",
        ) from fault


def _why(fault: Exception, settings: PbxSettings) -> str:
    """Say to an operator why there is no link."""
    where = f"{settings.host}:{settings.port}"
    match fault:
        case TimeoutError():
            return f"{where} did not accept a connection within {settings.connect_within:g} s"
        case ConnectionRefusedError():
            return f"nothing listens on {where}: is Asterisk running, with AMI enabled there?"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not trusted: {fault.verify_message}"
        case ssl.SSLError():
            return f"no TLS with {where}: {fault.reason or 'handshake failed'}; is it the TLS port?"
        case ActionUnknown():
            return f"{where}: {fault}; is it AMI, and does its ACL permit us?"
        case CtiError():
            return str(fault)
        case OSError():
            return f"cannot connect to {where}: {fault.strerror or fault}"
        case _:
            return f"cannot connect to {where}: {type(fault).__name__}"
