"""The pages of keeping: until when a recording is kept, and what holds it; one customer's data.

Supervisors hold recordings and let them go; the auditor looks. What is kept of a customer is
given away and erased by managers and owners alone.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from cti.clock import Clock
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Person, Right
from cti.web.auth import Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place
from recordings.dossier import Dossier, ZipSink
from recordings.keeper import BY_HAND, REASON_LIMIT, Keeper
from recordings.listening import Listening
from recordings.wave import clock

SEE: Final = (Right.REVIEW, Right.AUDIT)
KEEPERS: Final = (Right.PEOPLE,)
"""Managers and owners: who decides about people's data (requirement 22.4)."""
PIECE: Final = 1 << 18
LONGEST_HOLD: Final = timedelta(days=3660)


class KeepingRoom:
    """The pages of what is kept, held, given away and erased."""

    places: Sequence[Place] = ()

    def __init__(
        self,
        keeper: Keeper,
        dossier: Dossier,
        listening: Listening,
        *,
        who: Callable[[str], str],
        house: Callable[[], House],
        clock: Clock,
        folder: Path,
    ) -> None:
        """`folder` has room for what is given away, while it is made."""
        self._keeper, self._dossier, self._listening = keeper, dossier, listening
        self._who, self._house, self._clock, self._folder = who, house, clock, folder

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards."""
        guard = kit.auth.guard
        self._kit = kit
        return [
            web.get("/recordings/{id}/keeping", guard(self.keeping, rights=SEE)),
            web.post("/recordings/{id}/keeping", guard(self.hold, rights=(Right.REVIEW,))),
            web.get("/customers/{id}/data", guard(self.data, rights=KEEPERS)),
            web.post("/customers/{id}/data", guard(self.act, rights=KEEPERS)),
        ]

    # -- one recording

    async def keeping(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show until when a recording is kept, and what holds it."""
        return await self._keeping(request, visitor)

    async def _keeping(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        it = await self._listening.allowed(_id(request), _person(visitor))
        form = await request.post()
        holding = await self._keeper.holds([it.call] if it.call else [], [it.id])
        return self._kit.pages.page(
            request,
            visitor,
            "recordings/keeping.html",
            status=409 if refusal else 200,
            refusal=refusal,
            it=it,
            until=await self._keeper.kept_until(it),
            holds=[one for some in holding.values() for one in some],
            by_hand=BY_HAND,
            who=self._who,
            limit=REASON_LIMIT,
            typed={key: str(form.get(key, ""))[:REASON_LIMIT] for key in ("reason", "until")},
        )

    async def hold(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Hold the recordings of a call, or one that has none; or let them go."""
        form, person = await request.post(), _person(visitor)
        it = await self._listening.allowed(_id(request), person)
        reason, address = str(form.get("reason", "")), self._from(request)
        try:
            if form.get("do") == "lift":
                await self._keeper.lift(str(form.get("hold", "")), person, reason, address)
            else:
                until = self._day(str(form.get("until", "")))
                alone = None if it.call else it.id
                await self._keeper.hold(
                    it.call or "", person, reason, until, address, recording=alone
                )
        except Refused as refusal:
            return await self._keeping(request, visitor, refusal)
        done = "hold_lifted" if form.get("do") == "lift" else "held"
        return see_other(f"/recordings/{it.id}/keeping?done={done}")

    def _day(self, text: str) -> datetime | None:
        """Read the last day of a hold. Raises `Refused` (bad_hold_day)."""
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise Refused("bad_hold_day", "write a day as 2026-11-30") from None
        zone = self._house().zone
        if day > (self._clock.now() + LONGEST_HOLD).date():
            raise Refused("bad_hold_day", "no hold ends so late: leave the day out")
        return datetime.combine(day, time(), zone) + timedelta(days=1)

    # -- one customer

    async def data(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show how much is kept of a customer, with what can be done about it."""
        return await self._data(request, visitor)

    async def _data(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        found = await self._dossier.look(_id(request))
        form = await request.post()
        return self._kit.pages.page(
            request,
            visitor,
            "recordings/customer.html",
            status=409 if refusal else 200,
            refusal=refusal,
            it=found,
            length=clock(sum(one.duration_ms or 0 for one in found.heard)),
            megabytes=sum(one.size for one in found.heard) / 1e6,
            by_hand=BY_HAND,
            who=self._who,
            limit=REASON_LIMIT,
            typed=str(form.get("reason", ""))[:REASON_LIMIT],
        )

    async def act(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        """Give a customer's data away, or erase it."""
        form, customer = await request.post(), _id(request)
        reason, who = str(form.get("reason", "")), _person(visitor).id
        try:
            if form.get("do") == "export":
                return await self._export(request, customer, reason, who)
            if form.get("sure") != "yes":
                raise Refused("erase_unsure", "say that you are sure")
            seen = _count(str(form.get("calls", ""))), _count(str(form.get("recordings", "")))
            await self._dossier.erase(
                customer, who=who, reason=reason, address=self._from(request), seen=seen
            )
        except Refused as refusal:
            if refusal.code == "no_such_customer":
                raise
            return await self._data(request, visitor, refusal)
        self._keeper.hurry()
        return see_other(f"/customers/{customer}/data?done=erased")

    async def _export(
        self, request: web.Request, customer: str, reason: str, who: str
    ) -> web.StreamResponse:
        async with self._made() as file:
            sink = ZipSink(file)
            await self._dossier.export(
                customer, sink, who=who, reason=reason, address=self._from(request)
            )
            await asyncio.to_thread(sink.done)
            response = web.StreamResponse()
            response.content_type = "application/zip"
            response.content_length = await asyncio.to_thread(file.seek, 0, 2)
            name = f"customer-{customer}.zip"
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            await response.prepare(request)
            await asyncio.to_thread(file.seek, 0)
            try:
                while part := await asyncio.to_thread(file.read, PIECE):
                    await response.write(part)
            except ConnectionError:  # whoever asked has gone
                return response
            return response

    @asynccontextmanager
    async def _made(self) -> AsyncIterator[IO[bytes]]:
        """Give a file that nobody else sees, and that is gone with us."""
        file: IO[bytes] = await asyncio.to_thread(
            lambda: tempfile.TemporaryFile("w+b", dir=self._folder)  # noqa: SIM115  closed below
        )
        try:
            yield file
        finally:
            await asyncio.shield(asyncio.to_thread(file.close))

    def _from(self, request: web.Request) -> str:
        return self._kit.auth.site.address(request)


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _id(request: web.Request) -> str:
    return request.match_info["id"][:32]


def _count(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else -1
