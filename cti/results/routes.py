"""The pages of what visits leave: work to tick off, slips to sign, opinions to answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from aiohttp import web

from cti.customers.rules import Customer, normal, seen_by
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Person, Right
from cti.results.desk import ResultDesk
from cti.results.record import OpinionState, WorkKind
from cti.results.rules import NOTE_LIMIT, TEXT_LIMIT
from cti.results.store import Wanted
from cti.web.auth import Denied, Visitor
from cti.web.pages import see_other
from cti.web.ports import Players
from cti.web.refusals import readable
from cti.web.rooms import Kit, Place
from cti.web.words import Locale

WORK: Final = "/visits/work"
SLIPS: Final = "/visits/slips"
_ONE: Final = "{id:[0-9a-f]{26}}"
SEERS: Final = (Right.OWN_WORK, Right.REVIEW, Right.AUDIT)
OVERSEERS: Final = (Right.REVIEW, Right.AUDIT)


class Whose(Protocol):
    """Whom visits were made to."""

    async def __call__(self, customers: Sequence[str]) -> Mapping[str, Customer]:
        """Give customers by id; whom nobody knows is left out."""
        ...


class ResultPages:
    """The pages of this room; they stand among those of the visits."""

    places: Sequence[Place] = ()

    def __init__(
        self,
        desk: ResultDesk,
        recordings: Players,
        whose: Whose,
        *,
        house: Callable[[], House],
        people: Callable[[], Directory],
    ) -> None:
        self.desk, self.recordings, self.whose = desk, recordings, whose
        self._house, self._people = house, people

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the routes, each with its guard."""
        self.kit = kit
        guard = kit.auth.guard
        return [
            web.get(WORK, guard(self.work, rights=SEERS)),
            web.post(f"{WORK}/{_ONE}", guard(self.tick, rights=(Right.OWN_WORK, Right.REVIEW))),
            web.get(SLIPS, guard(self.slips, rights=OVERSEERS)),
            web.get(f"{SLIPS}/{_ONE}", guard(self.slip, rights=SEERS)),
            web.post(f"{SLIPS}/{_ONE}", guard(self.sign, rights=(Right.REVIEW,))),
            web.post(
                f"{SLIPS}/{_ONE}/opinions/{{opinion:[0-9a-f]{{26}}}}",
                guard(self.decide, rights=(Right.REVIEW,)),
            ),
        ]

    # -- work

    async def work(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        """Show work that is to be done, or was; an agent's own, and what is nobody's."""
        person = _person(visitor)
        oversees = any(map(person.may, OVERSEERS))
        kind = request.query.get("kind", "")
        owner = person.id if request.query.get("mine") == "1" else request.query.get("owner", "")
        wanted = Wanted(
            kind=kind if kind in list(WorkKind) else "",
            owner=owner[:32] if oversees else person.id,
            unowned=not oversees,
            department=person.department,
            done=request.query.get("done_work") == "1",
            after=request.query.get("after", "")[:32],
        )
        items, more = await self.desk.work(wanted)
        known = await self.whose([one.customer for one in items if one.customer])
        return self.kit.pages.page(
            request,
            visitor,
            "visits/work.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            items=items,
            known=known,
            wanted=wanted,
            gives=person.may(Right.REVIEW),
            kinds=list(WorkKind),
            more=items[-1].id if more else "",
            ticks=person.may(Right.OWN_WORK) or person.may(Right.REVIEW),
            name=self._name,
            most=NOTE_LIMIT,
            **self._frame(person),
        )

    async def tick(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Say that work is done, or not after all; or give it to somebody."""
        person, form = _person(visitor), await self._form(request)
        item, address = request.match_info["id"], self._from(request)
        try:
            if form.get("do") == "untick":
                await self.desk.untick(person, item, form.get("note", ""), address)
            elif form.get("do") in ("assign", "take", "let_go"):
                to = self._agent(form["do"], form.get("to", ""), person)
                await self.desk.assign(person, item, to, address)
            else:
                await self.desk.tick(person, item, form.get("note", ""), address)
        except Refused as refusal:
            return await self.work(request, visitor, refusal)
        undone = "&done_work=1" if form.get("do") == "untick" else ""
        return see_other(f"{WORK}?done=work_{form.get('do') or 'tick'}{undone}")

    def _agent(self, do: str, text: str, person: Person) -> Person | None:
        """Read whom work is given to; None: nobody. Raises `Refused` (visit_nobody)."""
        if do == "take":
            return person
        known = self._people().by_id(text) if do == "assign" else None
        if do == "assign" and text and known is None:
            raise Refused("visit_nobody", "choose somebody who makes visits")
        return known

    # -- slips

    async def slips(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the records of visits, newest first; those that nobody signed, or all."""
        unsigned = request.query.get("all") != "1"
        found, more = await self.desk.slips(
            unsigned=unsigned, after=request.query.get("after", "")[:32]
        )
        opinions = await self.desk.store.opinions_of([one.id for one in found])
        return self.kit.pages.page(
            request,
            visitor,
            "visits/slips.html",
            slips=[(one, [it for it in opinions if it.record == one.id]) for one in found],
            known=await self.whose([one.customer for one in found]),
            unsigned=unsigned,
            more=found[-1].id if more else "",
            name=self._name,
            **self._frame(_person(visitor)),
        )

    async def slip(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Show one record with its opinions, promises and work; it may be printed."""
        person = _person(visitor)
        try:
            slip = await self.desk.slip(request.match_info["id"])
        except Refused as unknown:
            raise Denied(404, unknown.code) from unknown
        it = slip.record
        if it.agent != person.id and not any(map(person.may, OVERSEERS)):
            raise Denied(404, "no_visit_record")
        calls = [it.call] if it.call else []
        known = await self.whose([it.customer])
        return self.kit.pages.page(
            request,
            visitor,
            "visits/slip.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            slip=slip,
            it=it,
            customer=known.get(it.customer),
            phone=self._phone(known.get(it.customer), person),
            form=self._house().form(it.form),
            persons={one.role: one.person for one in slip.scores},
            recordings=await self.recordings(calls, person, self._from(request)),
            states=list(OpinionState),
            signs=person.may(Right.REVIEW),
            name=self._name,
            typed=typed or {},
            most=NOTE_LIMIT,
            text_most=TEXT_LIMIT,
            **self._frame(person),
        )

    def _phone(self, customer: Customer | None, person: Person) -> str:
        """Give a customer's number as somebody may see it; empty: there is none."""
        number, house = next(iter(customer.phones), "") if customer else "", self._house()
        shown = normal(number, house.card.country).shown or number
        return seen_by(person, shown, house.customers)

    async def sign(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Sign a slip, or take the signature back."""
        form, record = await self._form(request), request.match_info["id"]
        signed = form.get("do") != "unsign"
        try:
            await self.desk.sign(
                _person(visitor), record, form.get("note", ""), self._from(request), signed=signed
            )
        except Refused as refusal:
            return await self.slip(request, visitor, refusal, form)
        return see_other(f"{SLIPS}/{record}?done=slip_{'signed' if signed else 'unsigned'}")

    async def decide(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Pass an opinion on, or write down its answer."""
        form, record = await self._form(request), request.match_info["id"]
        try:
            await self.desk.decide(
                _person(visitor), request.match_info["opinion"], form, self._from(request)
            )
        except Refused as refusal:
            return await self.slip(request, visitor, refusal, form)
        return see_other(f"{SLIPS}/{record}?done=opinion_decided")

    # -- helpers

    async def _form(self, request: web.Request) -> dict[str, str]:
        sent = await request.post()
        most = 4 * TEXT_LIMIT
        return {key: said[:most] for key, said in sent.items() if isinstance(said, str)}

    def _from(self, request: web.Request) -> str:
        return self.kit.pages.site.address(request)

    def _frame(self, person: Person) -> dict[str, Any]:
        agents = self._people().with_right(Right.OWN_WORK)
        return {
            "agents": sorted(agents, key=lambda one: one.number),
            "me": person,
            "works": person.may(Right.OWN_WORK),
            "oversees": any(map(person.may, OVERSEERS)),
        }

    def _name(self, person: str | None) -> str:
        known = self._people().by_id(person or "")
        return known.name if known else person or ""

    def _told(self, refusal: Refused, locale: Locale) -> Refused:
        plain = {"by": self.kit.words.say(locale, "visits.somebody")}
        return readable(refusal, self._name, self.kit.pages.site.zone, **plain)


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _shown(customer: Customer | None, country: str) -> str:
    """Give somebody's first number as people write it."""
    number = customer.phones[0] if customer and customer.phones else ""
    return (normal(number, country).shown or number) if number else ""
