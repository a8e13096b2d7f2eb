"""One connection to AMI: its bytes, the actions that wait for an answer, and its end.

An action has three outcomes, never mixed:

    not sent    `PbxUnavailable`   the link was down; ask again when it is up
    answered    `Answer`           success or error, said by the PBX
    unknown     `ActionUnknown`    written, then silence or loss; look, never repeat blindly
"""

import asyncio
import secrets
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog
from panoramisk.ami_protocol import AMIProtocol
from typing_extensions import override

from cti.clock import Clock
from cti.errors import ActionUnknown, PbxUnavailable
from cti.pbx.actions import Action, encode, name_of
from cti.pbx.frames import Frame
from cti.pbx.reader import Reader

log = structlog.get_logger(__name__)

MOST_ITEMS = 100_000
_ACTION_ID = b"\r\nActionID: "
_GOOD = ("Success", "Goodbye", "Follows")


class Tape(Protocol):
    """Whoever wants the raw bytes, before anything was read from them."""

    def write(self, data: bytes) -> None:
        """Keep what one read gave. Raises nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the PBX said to one action.

    `items` are the events of a list, without its end. `complete` is False when the list was
    cancelled, when an item was set aside, or when their number is not the one that was told.
    """

    ok: bool
    message: str
    headers: Frame
    items: list[Frame] = field(default_factory=list)
    complete: bool = True


class Pending:
    """An action that was written and waits for its answer."""

    def __init__(self, action_id: str, name: str) -> None:
        self.action_id = action_id
        self.name = name
        self.future = asyncio.get_running_loop().create_future()
        self.head: Frame | None = None
        self.items: list[Frame] = []
        self.whole = True

    def take(self, frame: Frame) -> bool:
        """Take one frame that bears our ActionID. True: it completed the answer.

        A list is said by `EventList: start`, never guessed from words. An Originate is over with
        its response: what became of the call is an event.
        """
        if not frame.event:
            self.head = frame
            return (frame.first("EventList") or "").lower() != "start"
        told = (frame.first("EventList") or "").lower()
        if told in ("complete", "cancelled"):
            count = frame.first("ListItems")
            if told == "cancelled" or (count is not None and count != str(len(self.items))):
                self.whole = False
            return True
        self.items.append(frame)
        if len(self.items) > MOST_ITEMS:
            self.whole = False
            return True
        return False

    def _good(self) -> bool:
        return self.head is not None and self.head.first("Response") in _GOOD

    def answer(self) -> Answer:
        """Give what was gathered, once `take` has said True."""
        head = self.head or Frame(b"Response: Error")
        return Answer(
            ok=self._good(),
            message=head.first("Message") or "",
            headers=head,
            items=self.items,
            complete=self.whole,
        )

    def fail(self, why: str) -> None:
        """The link is lost: whether the action was carried out is unknown."""
        if not self.future.done():
            self.future.set_exception(ActionUnknown(f"{self.name}: {why}"))


class Session(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol with its unsafe half replaced.

    `lost` is done when the connection is gone, and says why, for the operator. Nothing that
    arrives can raise out of here.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        clock: Clock,
        dispatch: Callable[[list[Frame]], None],
        tape: Tape | None = None,
        user_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self.reader = reader
        self.accepted = False
        self.pending: dict[str, Pending] = {}
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.reason = ""
        self._clock = clock
        self._dispatch = dispatch
        self._tape = tape
        self._user_timeout = user_timeout
        self._forgotten = deque[str](maxlen=128)
        self._early: list[Frame] | None = []
        self._unjudged = not reader.gate.systemname

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            ms = int(self._user_timeout.total_seconds() * 1000)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ms)

    @override
    def data_received(self, data: bytes) -> None:
        if self._tape is not None:
            self._tape.write(data)  # first: what we misread today can be replayed tomorrow
        busy = self.pending or self._forgotten or not self.accepted
        self.reader.claim = self._claim if busy else None
        frames = self.reader.feed(data, self._clock.now())
        if self._early is None:
            if frames:
                self._dispatch(frames)
        elif len(self._early) + len(frames) <= MOST_ITEMS:
            self._early += frames
        else:
            self.drop("too many events before the link was ready")

    def release(self) -> None:
        """Let the events go that came since the login, and all that come from now on."""
        early, self._early = self._early or [], None
        if self._unjudged and self.reader.gate.systemname:  # it was learnt meanwhile
            early = [frame for frame in early if self._believed(frame)]
        if early:
            self._dispatch(early)

    def _believed(self, frame: Frame) -> bool:
        why = self.reader.gate.forgery(frame.payload)
        if why:
            self.reader.aside.put(why, frame.payload)
        return not why

    def _claim(self, payload: bytes) -> bool:
        """Deal with a reply to us, or with what comes before the login was accepted."""
        reply = not payload.startswith(b"Event: ")
        if _ACTION_ID in payload:
            start = payload.index(_ACTION_ID) + len(_ACTION_ID)
            action_id = payload[start:].partition(b"\r\n")[0].decode("ascii", "replace")
            pending = self.pending.get(action_id)
            if pending is not None and (reply or pending.head is not None):
                self._reply(pending, payload)
                return True
            if action_id in self._forgotten and not payload.startswith(b"Event: OriginateResponse"):
                self.reader.counters.unclaimed += 1
                return True
        if not self.accepted and not reply:
            self.reader.aside.put("before_login", payload)
            return True
        return False

    def _reply(self, pending: Pending, payload: bytes) -> None:
        frame = Frame(payload, self._clock.now())
        if why := frame.fault():
            self.reader.aside.put(why, payload)
            if frame.event:
                pending.whole = False
            else:
                pending.fail("its answer cannot be read")
            return
        if not pending.take(frame):
            return
        answer = pending.answer()
        del self.pending[pending.action_id]
        if pending.name == "Login" and answer.ok:
            self.accepted = True
            self.reader.gate.greet()  # at once: the greeting may be in the same read
        if not pending.future.done():
            pending.future.set_result(answer)

    @override
    def send(self, data: Action, as_list: bool = False) -> Pending:
        """Write an action, once. Raises `UnsafeAction` or `PbxUnavailable`: nothing was sent."""
        action_id = secrets.token_hex(16)  # nobody can guess it, so nobody can forge a reply
        name, wire = name_of(data), encode(data, action_id)
        if self.lost.done() or self.transport.is_closing():
            raise PbxUnavailable(f"{name}: the link is down")
        pending = self.pending[action_id] = Pending(action_id, name)
        try:
            self.transport.write(wire)
        except Exception:
            log.exception("action_write_failed", action=name, action_id=action_id)
            pending.fail("it could not be written")
            self.drop("an action could not be written")
        return pending

    async def ask(self, action: Action, within: timedelta) -> Answer:
        """Send an action and wait for its answer.

        Raises `UnsafeAction` or `PbxUnavailable` (not sent), `ActionUnknown` (no answer in time,
        or the link was lost).
        """
        pending = self.send(action)
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer: Answer = await pending.future
                return answer
        except TimeoutError:
            seconds = f"{within.total_seconds():g}"
            raise ActionUnknown(f"{pending.name}: no answer within {seconds} s") from None
        finally:
            if self.pending.pop(pending.action_id, None) is not None:
                self._forgotten.append(pending.action_id)
            pending.future.cancel()

    def drop(self, reason: str) -> None:
        """Cut the connection at once, and say why."""
        self.reason = self.reason or reason
        self.transport.abort()

    @override
    def close(self) -> None:
        """Close the connection once what was written has gone out."""
        self.transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        said = f"connection lost: {exc}" if exc else "the PBX closed the connection"
        self.reason = self.reason or said
        if self.reader.framer.size:
            self.reader.counters.cut += 1
        pending, self.pending = self.pending, {}
        for action in pending.values():
            action.fail(self.reason)
        if not self.lost.done():
            self.lost.set_result(self.reason)
