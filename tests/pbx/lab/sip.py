"""Who plays hundreds of callers and a hundred phones? Two small SIP user agents without sound.

As much SIP as loopback needs: no retransmission of our own (nothing is lost there), but what
Asterisk repeats is answered again. Each call's truth is kept as the user agent itself saw it.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

from tests.pbx.lab.truth import Side

Address = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class Customer:
    """One customer's call. Instants are epoch seconds; None: it never came to that."""

    number: str
    name: str = ""
    patience: float = 120.0
    talk: float = 2.0
    began: float | None = None
    answered: float | None = None
    ended: float | None = None
    how: str = ""  # completed, gave_up, hung_up (by the house), refused_CODE


@dataclass(slots=True, kw_only=True)
class Rung:
    """One phone rung once. `caller` is the number it was shown."""

    phone: str
    caller: str
    rang: float
    answered: float | None = None
    ended: float | None = None
    how: str = ""  # answered, cancelled, busy, declined


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a phone does this time: answers after `ring` s, or refuses with a code, or neither."""

    ring: float
    refuse: int | None = None
    answer: bool = True


class Packet:
    """A SIP message. Of a repeated header the first counts, but for Via."""

    def __init__(self, data: bytes) -> None:
        head, _, _ = data.decode("utf-8", "replace").partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.vias = [line for line in lines if line.lower().startswith("via:")]
        self._headers: dict[str, str] = {}
        for line in lines:
            key, _, value = line.partition(":")
            self._headers.setdefault(key.strip().lower(), value.strip())

    @property
    def code(self) -> int | None:
        """The status of an answer; None: a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else None

    @property
    def method(self) -> str:
        """The request, or what the answer answers."""
        return self["cseq"].split()[1]

    @property
    def user(self) -> str:
        """Whom a request is for."""
        return _user(self.start.split()[1])

    @property
    def caller(self) -> str:
        """Whom it is from."""
        return _user(self["from"].partition("<")[2])

    def __getitem__(self, header: str) -> str:
        return self._headers.get(header, "")


class Agent(asyncio.DatagramProtocol):
    """What both user agents share: a socket, and the form of a message."""

    def __init__(self, place: Address, pbx: Address) -> None:
        self.place, self.pbx = place, pbx
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        made = await loop.create_datagram_endpoint(lambda: self, local_addr=self.place)
        self._transport = made[0]

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def send(self, lines: list[str], sound: str = "") -> None:
        """Send a message; `sound`: with a stream of that direction, which nobody will hear."""
        body = _sdp(self.place[0], sound) if sound else ""
        kind = ["Content-Type: application/sdp"] if sound else []
        text = "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}", "", body])
        if self._transport is not None:
            self._transport.sendto(text.encode(), self.pbx)

    def answer(self, packet: Packet, code: int, tag: str, sound: bool = False) -> None:
        """Answer a request."""
        to = packet["to"] if ";tag=" in packet["to"] else f"{packet['to']};tag={tag}"
        same = [f"{name}: {packet[name.lower()]}" for name in ("From", "Call-ID", "CSeq")]
        contact = f"Contact: <sip:lab@{self.place[0]}:{self.place[1]}>"
        lines = [f"SIP/2.0 {code} .", *packet.vias, *same, f"To: {to}", contact]
        self.send(lines, "sendrecv" if sound else "")


class Phones(Agent):
    """Many desk phones behind one address."""

    def __init__(self, place: Address, pbx: Address, manner: Callable[[str], Manner]) -> None:
        super().__init__(place, pbx)
        self.rung: list[Rung] = []
        self._manner = manner
        self._ringing: dict[str, tuple[Packet, Rung, asyncio.TimerHandle | None]] = {}
        self._talking: dict[str, Rung] = {}

    @override
    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Ring, answer, hang up."""
        packet = Packet(data)
        call = packet["call-id"]
        if packet.code is not None or packet.method == "ACK":
            return
        if packet.method == "INVITE" and ";tag=" not in packet["to"]:
            self._invited(packet, call)
        elif packet.method == "CANCEL":
            self.answer(packet, 200, call)
            self._stop(call, 487, "cancelled")
        else:
            if packet.method == "BYE" and call in self._talking:
                self._talking.pop(call).ended = now()
            self.answer(packet, 200, call, sound=packet.method == "INVITE")

    def sides(self) -> list[Side]:
        """Give what each phone saw."""
        return [
            Side(
                number=rung.phone,
                channel="",
                began=rung.rang,
                rang=rung.rang,
                answered=rung.answered,
                ended=rung.ended,
            )
            for rung in self.rung
        ]

    def _invited(self, packet: Packet, call: str) -> None:
        if call in self._ringing or call in self._talking:
            return
        rung = Rung(phone=packet.user, caller=packet.caller, rang=now())
        manner = self._manner(rung.phone)
        self.rung.append(rung)
        self._ringing[call] = packet, rung, None
        if manner.ring > 0 or manner.refuse is None:
            self.answer(packet, 180, call)
        loop = asyncio.get_running_loop()
        if manner.refuse is not None:
            how = "busy" if manner.refuse == 486 else "declined"
            timer = loop.call_later(manner.ring, self._stop, call, manner.refuse, how)
        elif manner.answer:
            timer = loop.call_later(manner.ring, self._pick_up, call)
        else:
            return
        self._ringing[call] = packet, rung, timer

    def _pick_up(self, call: str) -> None:
        packet, rung, _ = self._ringing.pop(call)
        rung.answered, rung.how = now(), "answered"
        self._talking[call] = rung
        self.answer(packet, 200, call, sound=True)

    def _stop(self, call: str, code: int, how: str) -> None:
        if call not in self._ringing:
            return
        packet, rung, timer = self._ringing.pop(call)
        if timer is not None:
            timer.cancel()
        rung.ended, rung.how = now(), how
        self.answer(packet, code, call)


class Customers(Agent):
    """Many customers behind the carrier's address, all of whom dial one number."""

    def __init__(self, place: Address, pbx: Address, to: str) -> None:
        super().__init__(place, pbx)
        self._to = to
        self._calls: dict[str, _Dialled] = {}
        self._number = itertools.count(1)
        self.idle = asyncio.Event()

    def dial(self, customer: Customer) -> None:
        """Let a customer call now."""
        call = f"{next(self._number)}-{secrets.token_hex(6)}"
        dialled = _Dialled(customer, call, self._to, self.place, self.pbx)
        self._calls[call] = dialled
        self.idle.clear()
        customer.began = now()
        self.send(dialled.request("INVITE", 1), "sendrecv")
        loop = asyncio.get_running_loop()
        dialled.timer = loop.call_later(customer.patience, self._gives_up, dialled)

    @override
    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Follow the call to its end."""
        packet = Packet(data)
        dialled = self._calls.get(packet["call-id"])
        if packet.code is None:
            if packet.method != "ACK":
                self.answer(packet, 200, packet["call-id"], sound=packet.method == "INVITE")
            if packet.method == "BYE" and dialled:
                self._over(dialled, "hung_up")
        elif dialled and packet.method == "INVITE" and packet.code >= 200:
            dialled.to = packet["to"]
            if packet.code < 300:
                self._answered(dialled)
            else:
                self.send(dialled.request("ACK", 1))
                self._over(dialled, dialled.customer.how or f"refused_{packet.code}")
        elif dialled and packet.method == "BYE":
            self._over(dialled, "completed")

    def _answered(self, dialled: "_Dialled") -> None:
        self.send(dialled.request("ACK", 1, new_branch=True))
        if dialled.customer.answered is not None:
            return
        dialled.customer.answered = now()
        dialled.stop_timer()
        talk = 0.0 if dialled.customer.how else dialled.customer.talk  # crossed with a CANCEL
        dialled.customer.how = ""
        loop = asyncio.get_running_loop()
        dialled.timer = loop.call_later(talk, self.send, dialled.request("BYE", 2))

    def _gives_up(self, dialled: "_Dialled") -> None:
        dialled.customer.how = "gave_up"
        self.send(dialled.request("CANCEL", 1))

    def _over(self, dialled: "_Dialled", how: str) -> None:
        dialled.stop_timer()
        dialled.customer.ended, dialled.customer.how = now(), how
        self._calls.pop(dialled.call, None)
        if not self._calls:
            self.idle.set()


class _Dialled:
    """The dialogue of one customer's call."""

    def __init__(
        self, customer: Customer, call: str, to: str, place: Address, pbx: Address
    ) -> None:
        self.customer, self.call = customer, call
        self.timer: asyncio.TimerHandle | None = None
        self.place = place
        self.uri = f"sip:{to}@{pbx[0]}:{pbx[1]}"
        self.to = f"<{self.uri}>"
        self._branch = f"z9hG4bK{call}"

    def request(self, method: str, number: int, *, new_branch: bool = False) -> list[str]:
        """Give the lines of a request in this dialogue."""
        fresh = new_branch or method == "BYE"
        branch = f"z9hG4bK{secrets.token_hex(8)}" if fresh else self._branch
        here, who = f"{self.place[0]}:{self.place[1]}", self.customer
        to = f"<{self.uri}>" if method in ("INVITE", "CANCEL") else self.to
        return [
            f"{method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch={branch}",
            f'From: "{who.name}" <sip:{who.number}@{here}>;tag={self.call}',
            f"To: {to}",
            f"Call-ID: {self.call}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:{who.number}@{here}>",
            "Max-Forwards: 70",
        ]

    def stop_timer(self) -> None:
        """Forget what was planned."""
        if self.timer is not None:
            self.timer.cancel()


def now() -> float:
    """Give this machine's time, as Asterisk's Timestamps count it."""
    return time.time_ns() / 1e9


def _user(uri: str) -> str:
    return uri.removeprefix("sip:").partition("@")[0]


def _sdp(host: str, direction: str) -> str:
    version = 2 if direction == "sendonly" else 1
    lines = ["v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    audio = ["m=audio 9 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", f"a={direction}"]
    return "\r\n".join([*lines, *audio, ""])
