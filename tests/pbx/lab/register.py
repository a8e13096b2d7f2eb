"""How does a phone come and go? It registers at the PBX, answers when asked, and signs off."""

import asyncio
import secrets

from typing_extensions import override

from tests.pbx.lab.sip import Address, Agent, Packet


class Roamer(Agent):
    """A phone without calls that registers itself. `unplugged`: it answers nothing any more."""

    def __init__(self, phone: str, place: Address, pbx: Address) -> None:
        super().__init__(place, pbx)
        self._phone, self._call, self._number = phone, secrets.token_hex(8), 0
        self._answers: asyncio.Queue[Packet] = asyncio.Queue()
        self.unplugged = False

    @override
    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Keep answers; say that we are here when asked."""
        packet = Packet(data)
        if packet.code is not None:
            self._answers.put_nowait(packet)
        elif not self.unplugged:
            self.answer(packet, 200, self._phone)

    async def registers(self, seconds: int = 600) -> None:
        """Register for so long."""
        here = f"{self.place[0]}:{self.place[1]}"
        self._number += 1
        self.send(
            [
                f"REGISTER sip:{self.pbx[0]} SIP/2.0",
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(8)}",
                f"From: <sip:{self._phone}@{self.pbx[0]}>;tag={secrets.token_hex(6)}",
                f"To: <sip:{self._phone}@{self.pbx[0]}>",
                f"Call-ID: {self._call}",
                f"CSeq: {self._number} REGISTER",
                f"Contact: <sip:{self._phone}@{here}>;expires={seconds}",
                "Max-Forwards: 70",
            ]
        )
        async with asyncio.timeout(10):
            answer = await self._answers.get()
        assert answer.code == 200, answer.start

    async def signs_off(self) -> None:
        """End the registration."""
        await self.registers(0)
