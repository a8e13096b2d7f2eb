"""The pages of the callbacks: an agent's list, a supervisor's list, one callback with its deeds.

Plain forms: all works without a script.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from cti.callbacks import rules
from cti.callbacks.desk import CallbackDesk, Case
from cti.callbacks.rules import BY_HAND, ENDS, NOTE_LIMIT, Callback, State
from cti.callbacks.store import Wanted
from cti.customers.rules import normal, seen_by
from cti.errors import Refused
from cti.people.rules import Person, Right
from cti.web.auth import Denied, Visitor
from cti.web.pages import see_other
from cti.web.ports import Players
from cti.web.rooms import Kit, Place

PATH: Final = "/callbacks"
ONE: Final = f"{PATH}/{{callback:[0-9a-f]{{26}}}}"
SEERS: Final = (Right.OWN_WORK, Right.REVIEW, Right.AUDIT)
OVERSEERS: Final = (Right.REVIEW, Right.AUDIT)
STATES: Final = ("open", *(state.value for state in State), "any")
_EPOCH_MOST: Final = 9
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,32}")
_TYPED_MOST: Final = 4 * NOTE_LIMIT

Act = Callable[["Form"], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A callback as a page says it."""

    callback: Callback
    number: str
    names: Sequence[str]
    do_not_call: bool
    owner: str
    left: timedelta
    """Until it is due; less than nothing when it is overdue."""

    @property
    def clock(self) -> str:
        """How long until it is due, or since, as `h:mm`."""
        minutes = int(abs(self.left).total_seconds()) // 60
        return f"{minutes // 60}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What somebody sent about one callback."""

    person: Person
    callback: str
    address: str
    fields: dict[str, str]

    @property
    def epoch(self) -> int:
        """Which holding of the callback the page was about; -1: none that there is."""
        text = self.fields.get("epoch", "")
        is_one = text.isascii() and text.isdigit() and len(text) <= _EPOCH_MOST
        return int(text) if is_one else -1

    def said(self, name: str) -> str:
        """What stands in a field."""
        return self.fields.get(name, "")


class CallbackPages:
    """The pages of this room."""

    places: Sequence[Place] = (Place(path=PATH, key="callbacks.nav", rights=SEERS),)

    def __init__(self, desk: CallbackDesk, recordings: Players) -> None:
        self.desk, self.recordings = desk, recordings

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the routes, each with its guard; which callback one may see, the desk says."""
        self.kit = kit
        guard = kit.auth.guard
        deeds = {
            "take": (self._take, Right.OWN_WORK),
            "give-back": (self._give_back, Right.OWN_WORK),
            "hand-over": (self._hand_over, Right.OWN_WORK),
            "close": (self._close, Right.OWN_WORK),
            "assign": (self._assign, Right.REVIEW),
            "cancel": (self._cancel, Right.REVIEW),
            "reopen": (self._reopen, Right.REVIEW),
        }
        return [
            web.get(PATH, guard(self.due, rights=SEERS)),
            web.get(f"{PATH}/all", guard(self.all, rights=OVERSEERS)),
            web.get(ONE, guard(self.one, rights=SEERS)),
            *(
                web.post(f"{ONE}/{name}", guard(partial(self._do, name, act), rights=(right,)))
                for name, (act, right) in deeds.items()
            ),
        ]

    # -- pages

    async def due(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show an agent's own callbacks and the free ones; who makes no calls sees all."""
        person = _person(visitor)
        if not person.may(Right.OWN_WORK):
            return see_other(f"{PATH}/all")
        due = await self.desk.due_list(person, _id(request, "after"))
        free = [self._line(case, person) for case in due.free]
        return self.kit.pages.page(
            request,
            visitor,
            "callbacks/due.html",
            own=[self._line(case, person) for case in due.own],
            free=free,
            more=free[-1].callback.id if due.more else "",
            paged="after" in request.query,
            callable_now=self.desk.callable_now(),
            opens_at=rules.opens_at(self.desk.house, self.desk.clock.now()),
            oversees=_oversees(person),
        )

    async def all(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show every callback that the filters in the URL name."""
        wanted = _wanted(request)
        found, more = await self.desk.find(wanted)
        lines = [self._line(case, _person(visitor)) for case in found]
        following = {**request.query, "after": lines[-1].callback.id} if more else {}
        return self.kit.pages.page(
            request,
            visitor,
            "callbacks/all.html",
            lines=lines,
            wanted=wanted,
            states=STATES,
            agents=self._agents(),
            count=await self.desk.count(),
            more=urlencode(following),
            is_ended=lambda state: state in ENDS,
            works=_person(visitor).may(Right.OWN_WORK),
        )

    async def one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one callback: what happened, what may be done."""
        return await self._file(request, visitor, request.match_info["callback"])

    async def _file(
        self,
        request: web.Request,
        visitor: Visitor,
        callback: str,
        *,
        refusal: Refused | None = None,
        typed: Form | None = None,
    ) -> web.Response:
        person = _person(visitor)
        try:
            file = await self.desk.file(person, callback)
        except Refused as unknown:
            raise Denied(404, unknown.code) from unknown
        known = file.case.callback
        is_open = known.state not in ENDS
        calls = [miss.call for miss in file.misses]
        address = self.kit.pages.site.address(request)
        return self.kit.pages.page(
            request,
            visitor,
            "callbacks/one.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal),
            line=self._line(file.case, person),
            misses=file.misses,
            recordings=await self.recordings(calls, person, address),
            deeds=[(deed, self._name(deed.who)) for deed in file.deeds],
            ended_by=self._name(known.ended_by) if known.ended_by else "",
            callable_now=self.desk.callable_now(),
            holds=known.state is State.CLAIMED and known.owner == person.id,
            is_open=is_open,
            may_take=is_open and known.state is not State.CLAIMED and person.may(Right.OWN_WORK),
            decides=person.may(Right.REVIEW),
            oversees=_oversees(person),
            results=list(BY_HAND),
            agents=[agent for agent in self._agents() if rules.serves(agent, known.department)],
            me=person,
            typed=typed.said if typed else lambda _name: "",
            most=NOTE_LIMIT,
        )

    # -- deeds

    async def _do(
        self, name: str, act: Act, request: web.Request, visitor: Visitor
    ) -> web.Response:
        sent = await request.post()
        form = Form(
            person=_person(visitor),
            callback=request.match_info["callback"],
            address=self.kit.pages.site.address(request),
            fields={key: text[:_TYPED_MOST] for key, text in sent.items() if isinstance(text, str)},
        )
        try:
            await act(form)
        except Refused as refusal:
            return await self._file(request, visitor, form.callback, refusal=refusal, typed=form)
        done = f"done=callback_{name.replace('-', '_')}"
        leaves = name in ("give-back", "hand-over", "close")
        return see_other(f"{PATH}?{done}" if leaves else f"{PATH}/{form.callback}?{done}")

    async def _take(self, form: Form) -> None:
        await self.desk.take(form.person, form.callback, form.address)

    async def _give_back(self, form: Form) -> None:
        await self.desk.give_back(
            form.person, form.callback, form.epoch, form.said("note"), form.address
        )

    async def _hand_over(self, form: Form) -> None:
        await self.desk.hand_over(
            form.person, form.callback, form.epoch, form.said("to"), form.said("note"), form.address
        )

    async def _close(self, form: Form) -> None:
        result, note = form.said("result"), form.said("note")
        await self.desk.close(form.person, form.callback, form.epoch, result, note, form.address)

    async def _assign(self, form: Form) -> None:
        await self.desk.assign(
            form.person, form.callback, form.said("to"), form.said("reason"), form.address
        )

    async def _cancel(self, form: Form) -> None:
        await self.desk.cancel(form.person, form.callback, form.said("reason"), form.address)

    async def _reopen(self, form: Form) -> None:
        await self.desk.reopen(form.person, form.callback, form.said("reason"), form.address)

    # -- saying it

    def _line(self, case: Case, person: Person) -> Line:
        callback, house = case.callback, self.desk.house
        number = normal(callback.number, house.card.country).shown or callback.number
        holds = callback.state is State.CLAIMED and callback.owner == person.id
        return Line(
            callback=callback,
            number=seen_by(person, number, house.customers, at_work=holds),
            names=[customer.name for customer in case.customers],
            do_not_call=case.do_not_call,
            owner=self._name(callback.owner) if callback.owner else "",
            left=callback.due_at - self.desk.clock.now(),
        )

    def _name(self, person: str) -> str:
        known = self.desk.people.by_id(person)
        return known.name if known else person

    def _agents(self) -> list[Person]:
        """Give who makes calls, by number."""
        return sorted(self.desk.people.with_right(Right.OWN_WORK), key=lambda one: one.number)

    def _told(self, refusal: Refused) -> Refused:
        """Give a refusal whose facts people can read: names, times of the house."""
        facts: dict[str, Any] = {}
        for key, fact in refusal.facts.items():
            if isinstance(fact, datetime):
                facts[key] = f"{fact.astimezone(self.kit.pages.site.zone):%m-%d %H:%M}"
            else:
                facts[key] = self._name(fact) if key == "by" and fact else fact or ""
        return Refused(refusal.code, refusal.what, **facts)


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _oversees(person: Person) -> bool:
    return any(map(person.may, OVERSEERS))


def _id(request: web.Request, name: str) -> str:
    """Read an id from the URL; what is none counts as not said."""
    said = request.query.get(name, "")
    return said if _ID.fullmatch(said) else ""


def _wanted(request: web.Request) -> Wanted:
    """Read the filters; what makes no sense counts as not said."""
    state = request.query.get("state", "open")
    return Wanted(
        state="" if state == "any" else state if state in STATES else "open",
        owner=_id(request, "owner"),
        overdue=request.query.get("overdue") == "1",
        after=_id(request, "after"),
    )
