"""The pages of the lines: today's tests, a test at once, faults and what is done about them.

Who tests sees his own; who looks after the lines, and supervisors, see all. Plain forms.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from cti.clock import Clock
from cti.dials.store import DialStore
from cti.errors import Refused
from cti.house import TestedLine
from cti.lines.desk import LineDesk
from cti.lines.rules import (
    PHONES,
    QUALITIES,
    REMARK_LIMIT,
    LineTest,
    LineTestState,
    bill_is_due,
    lines_of,
    place_of,
    steps_of,
)
from cti.people.rules import Person, Right, checked_text
from cti.value import value
from cti.web.auth import Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place

SEE: Final = (Right.OWN_WORK, Right.REVIEW, Right.LINES, Right.AUDIT)
DO: Final = (Right.OWN_WORK, Right.REVIEW, Right.LINES)
KEEP: Final = (Right.REVIEW, Right.LINES)
"""Who looks after the lines: tests at once, steps of a fault, the bill, the switch."""
PER_PAGE: Final = 50
_UNTYPED: Final = dict.fromkeys(
    ("about", "line", "began", "note", "quality", "remark", "result", "reason"), ""
)


@value
class RoomLeft:
    """How much room is left for recordings (ok, low, full), and the bytes free by place.

    `troubles` is what hinders collecting them, by what it is, as a source that is away.
    """

    word: str
    free: Mapping[str, int]
    troubles: Mapping[str, str]


class LineRoom:
    """The pages of the lines."""

    places: Sequence[Place] = (Place(path="/lines", key="lines.nav", rights=SEE, seldom=True),)

    def __init__(
        self,
        desk: LineDesk,
        dials: DialStore,
        *,
        who: Callable[[str], Person | None],
        clock: Clock,
        room: Callable[[], RoomLeft | None] = lambda: None,
    ) -> None:
        """`room`: how recordings have it; None where none are collected."""
        self._desk, self._dials, self._who, self._clock = desk, dials, who, clock
        self._room = room

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards."""
        guard = kit.auth.guard
        pages = _Pages(kit, self._desk, self._dials, self._who, self._clock, self._room)
        return [
            web.get("/lines", guard(pages.show, rights=SEE)),
            web.get("/lines/history", guard(pages.history, rights=SEE)),
            web.post("/lines/run", guard(pages.run, rights=KEEP)),
            web.post("/lines/tests/{id}/confirm", guard(pages.confirm, rights=DO)),
            web.post("/lines/tests/{id}/record", guard(pages.record, rights=DO)),
            web.post("/lines/faults", guard(pages.report, rights=DO)),
            web.post("/lines/faults/{id}", guard(pages.step, rights=KEEP)),
            web.post("/lines/bill", guard(pages.pay, rights=KEEP)),
            web.post("/lines/dialing", guard(pages.turn, rights=KEEP)),
        ]


class _Pages:
    def __init__(
        self,
        kit: Kit,
        desk: LineDesk,
        dials: DialStore,
        who: Callable[[str], Person | None],
        clock: Clock,
        room: Callable[[], RoomLeft | None],
    ) -> None:
        self._kit, self._desk, self._dials = kit, desk, dials
        self._who, self._clock, self._room = who, clock, room

    # -- to read

    async def show(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the tests of today, what waits for a word, and the faults."""
        return await self._page(request, visitor)

    async def history(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show tests that are over, newest first, page by page."""
        person = _person(visitor)
        before = request.query.get("before", "")[:32]
        found = await self._desk.store.history(before, PER_PAGE + 1, _whose(person))
        return self._kit.pages.page(
            request,
            visitor,
            "lines/history.html",
            tests=found[:PER_PAGE],
            more=found[PER_PAGE - 1].id if len(found) > PER_PAGE else "",
            name=self._name,
        )

    async def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: dict[str, str] | None = None,
    ) -> web.Response:
        store, house, now = self._desk.store, self._desk.house(), self._clock.now()
        person = _person(visitor)
        today = now.astimezone(house.zone).date()
        tests = await store.of_day(today, _whose(person))
        known = {test.id for test in tests}
        tests += [one for one in await store.to_confirm(_whose(person)) if one.id not in known]
        keeper = _keeps(person)
        faults = await store.open_faults()
        past = await store.past_faults() if keeper or person.may(Right.AUDIT) else []
        lines = lines_of(house)
        return self._kit.pages.page(
            request,
            visitor,
            "lines/lines.html",
            status=409 if refusal else 200,
            refusal=refusal,
            typed=_UNTYPED | (typed or {}),
            keeper=keeper,
            acts=any(map(person.may, DO)),
            lines=[(place_of(line.trunk, line.dial), line) for line in lines],
            phones=PHONES,
            tests=tests,
            may_confirm=lambda test: _may_confirm(person, test),
            may_record=lambda test: _may_record(person, test),
            faults=faults,
            past=past,
            steps=await store.steps_of([fault.id for fault in (*faults, *past)]),
            next_steps=steps_of,
            where=lambda place: _where(place, lines),
            contacts=[(role, number) for role, number in house.line_test.contacts.items()],
            qualities=QUALITIES,
            longest=REMARK_LIMIT,
            switch=await self._dials.switched(),
            room=self._room(),
            bill=keeper
            and bill_is_due(today, house.line_test.bill_reminder_day, await store.paid()),
            month=f"{today:%Y-%m}",
            name=self._name,
        )

    def _name(self, person: str | None) -> str:
        found = self._who(person) if person else None
        return found.name if found else ""

    # -- to do

    async def run(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Let the machine test a line at once."""

        async def do(form: dict[str, str]) -> None:
            await self._desk.run_now(form["line"], _person(visitor), self._from(request))

        return await self._do(request, visitor, ("line",), do, "lines_asked")

    async def confirm(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Take a person's word on what the machine found."""

        async def do(form: dict[str, str]) -> None:
            await self._desk.confirm(
                request.match_info["id"],
                _person(visitor),
                form["quality"],
                form["remark"],
                self._from(request),
            )

        return await self._do(request, visitor, ("quality", "remark"), do, "lines_confirmed")

    async def record(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Keep a test that somebody made by hand."""

        async def do(form: dict[str, str]) -> None:
            await self._desk.record(
                request.match_info["id"],
                _person(visitor),
                passed=form["result"] == "passed",
                quality=form["quality"],
                remark=form["remark"],
                address=self._from(request),
            )

        wanted = ("result", "quality", "remark")
        return await self._do(request, visitor, wanted, do, "lines_recorded")

    async def report(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Take a fault that a person found."""

        async def do(form: dict[str, str]) -> None:
            began = self._instant(form["began"])
            who, address = _person(visitor), self._from(request)
            await self._desk.report(form["line"], began, form["note"], who, address)

        return await self._do(request, visitor, ("line", "began", "note"), do, "lines_fault")

    async def step(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Do what follows about a fault."""

        async def do(form: dict[str, str]) -> None:
            fault, who = request.match_info["id"], _person(visitor)
            await self._desk.step(fault, form["step"], form["note"], who, self._from(request))

        return await self._do(request, visitor, ("step", "note"), do, "lines_step")

    async def pay(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Tick this month's bill off."""

        async def do(_form: dict[str, str]) -> None:
            now, zone = self._clock.now(), self._desk.house().zone
            month = f"{now.astimezone(zone):%Y-%m}"
            await self._desk.store.pay(month, _person(visitor).id, now, self._from(request))

        return await self._do(request, visitor, (), do, "lines_bill")

    async def turn(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Switch all dialling off or on."""

        async def do(form: dict[str, str]) -> None:
            reason = checked_text("reason", form["reason"], REMARK_LIMIT, least=1)
            await self._dials.turn(
                off=form["turn"] == "off",
                who=_person(visitor).id,
                reason=reason,
                now=self._clock.now(),
                address=self._from(request),
            )

        return await self._do(request, visitor, ("turn", "reason"), do, "lines_switch")

    async def _do(
        self, request: web.Request, visitor: Visitor, wanted: Sequence[str], do: Any, done: str
    ) -> web.Response:
        """Do what a form asks, and show the page; after a refusal with what was typed."""
        sent = await request.post()
        form = {key: str(sent.get(key, "")) for key in wanted}
        try:
            await do(form)
        except Refused as refusal:
            about = {"about": request.match_info.get("id", request.path)}
            return await self._page(request, visitor, refusal, form | about)
        return see_other(f"/lines?done={done}")

    def _from(self, request: web.Request) -> str:
        return self._kit.auth.site.address(request)

    def _instant(self, text: str) -> datetime:
        """Read what a field of date and time gives, in the house's zone; empty is now."""
        if not text:
            return self._clock.now()
        try:
            found = datetime.fromisoformat(text[:32])
        except ValueError as fault:
            raise Refused("fault_time", "this is no date and time") from fault
        return found if found.tzinfo else found.replace(tzinfo=self._desk.house().zone)


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _keeps(person: Person) -> bool:
    return any(map(person.may, KEEP))


def _whose(person: Person) -> str | None:
    """Give whose tests somebody sees: his own, or all (None)."""
    return None if _keeps(person) or person.may(Right.AUDIT) else person.id


def _may_confirm(person: Person, test: LineTest) -> bool:
    done = test.state in (LineTestState.PASSED, LineTestState.FAILED)
    return done and test.confirmed_at is None and _may_touch(person, test)


def _may_record(person: Person, test: LineTest) -> bool:
    return test.state is LineTestState.DUE and _may_touch(person, test)


def _may_touch(person: Person, test: LineTest) -> bool:
    return _keeps(person) or (person.may(Right.OWN_WORK) and test.person == person.id)


def _where(place: str, lines: Sequence[TestedLine]) -> str:
    """Give what people call a place: the number of a line; a place no longer there by its name."""
    for line in lines:
        if place_of(line.trunk, line.dial) == place:
            return line.dial
    return "" if place == PHONES else place
