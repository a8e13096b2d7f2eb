"""How does a desk phone transfer by itself? It holds, dials the colleague, and sends REFER.

Most real phones do that in place of dialling feature codes, and the PBX tells it differently: the
agent has two legs, and the second call began as a call of its own.
"""

import asyncio
import secrets
from dataclasses import dataclass, replace
from urllib.parse import quote

from typing_extensions import override

from tests.pbx.lab.sip import Address, Agent, Packet, now
from tests.pbx.lab.truth import Side


@dataclass(slots=True, kw_only=True)
class Dialogue:
    """One call as the phone holds it; `ours` and `theirs` are the parties with their tags."""

    id: str
    ours: str
    theirs: str
    target: str
    number: int = 1


class DeskPhone(Agent):
    """One phone of the crowd's address that can hold two calls. It takes every call."""

    def __init__(self, phone: str, place: Address, pbx: Address, *, ring: float) -> None:
        super().__init__(place, pbx)
        self._phone, self._ring = phone, ring
        self._taken: asyncio.Future[Dialogue] = asyncio.get_running_loop().create_future()
        self._heard: asyncio.Queue[Packet] = asyncio.Queue()
        self._rang = self._answered = 0.0
        self._ended: float | None = None

    async def takes(self, within: float = 20) -> Dialogue:
        """Wait for the first call to be rung and answered."""
        return await asyncio.wait_for(self._taken, within)

    async def holds(self, call: Dialogue) -> None:
        """Put the other party on hold."""
        answer = await self._asks(call, "INVITE", sound="sendonly")
        self._requests(call, "ACK", number=call.number)
        call.theirs = answer["to"]

    async def resumes(self, call: Dialogue) -> None:
        """Take the other party off hold."""
        await self._asks(call, "INVITE", sound="sendrecv")
        self._requests(call, "ACK", number=call.number)

    async def dials(self, to: str, *, until: int) -> Dialogue:
        """Dial a colleague, until the PBX answers 180 (rings) or 200 (picked up)."""
        uri = f"sip:{to}@{self.pbx[0]}"
        ours = f"<sip:{self._phone}@{self.place[0]}>;tag={secrets.token_hex(6)}"
        call = Dialogue(id=secrets.token_hex(8), ours=ours, theirs=f"<{uri}>", target=uri)
        answer = await self._asks(call, "INVITE", sound="sendrecv", until=until)
        call.theirs = answer["to"]
        if until == 200:
            self._requests(call, "ACK", number=call.number)
        return call

    async def refers(self, call: Dialogue, to: str, *, replaces: Dialogue | None = None) -> None:
        """Send the other party of `call` to `to`, or into the place of our call with it."""
        uri = f"sip:{to}@{self.pbx[0]}"
        if replaces is not None:
            tags = f";to-tag={_tag(replaces.theirs)};from-tag={_tag(replaces.ours)}"
            uri = f"{uri}?Replaces={quote(replaces.id + tags, safe='')}"
        by = f"<sip:{self._phone}@{self.place[0]}>"
        await self._asks(call, "REFER", [f"Refer-To: <{uri}>", f"Referred-By: {by}"], until=202)

    @override
    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take calls, agree to everything, and keep answers for who waits for them."""
        packet = Packet(data)
        if packet.code is not None:
            self._heard.put_nowait(packet)
        elif packet.method == "INVITE" and ";tag=" not in packet["to"]:
            self.answer(packet, 180, self._phone)
            self._rang = now()
            asyncio.get_running_loop().call_later(self._ring, self._take, packet)
        elif packet.method != "ACK":
            if packet.method == "BYE" and self._ended is None:
                self._ended = now()
            self.answer(packet, 200, self._phone, sound=packet.method == "INVITE")

    def sides(self) -> list[Side]:
        """Give what it saw of the call that it took."""
        first = Side(number=self._phone, channel="", began=self._rang, rang=self._rang)
        return [replace(first, answered=self._answered, ended=self._ended)]

    def _take(self, packet: Packet) -> None:
        self._answered = now()
        self.answer(packet, 200, self._phone, sound=True)
        if not self._taken.done():
            contact = packet["contact"].partition("<")[2].partition(">")[0]
            ours = f"{packet['to']};tag={self._phone}"
            call = Dialogue(id=packet["call-id"], ours=ours, theirs=packet["from"], target=contact)
            self._taken.set_result(call)

    async def _asks(
        self,
        call: Dialogue,
        method: str,
        more: list[str] | None = None,
        *,
        sound: str = "",
        until: int = 200,
    ) -> Packet:
        call.number += 1
        self._requests(call, method, number=call.number, more=more, sound=sound)
        async with asyncio.timeout(20):
            while True:
                packet = await self._heard.get()
                if packet["call-id"] == call.id and (packet.code or 0) >= until:
                    assert packet.code == until, packet.start
                    return packet

    def _requests(
        self,
        call: Dialogue,
        method: str,
        *,
        number: int,
        more: list[str] | None = None,
        sound: str = "",
    ) -> None:
        here = f"{self.place[0]}:{self.place[1]}"
        lines = [
            f"{method} {call.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: {call.ours}",
            f"To: {call.theirs}",
            f"Call-ID: {call.id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:{self._phone}@{here}>",
            "Max-Forwards: 70",
        ]
        self.send([*lines, *(more or [])], sound)


def _tag(party: str) -> str:
    return party.partition(";tag=")[2]
