"""The pages of customers: find one, see what he wants and what happened to him; events by API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from cti.clock import Clock
from cti.customers import events
from cti.customers.desk import CustomerDesk, today
from cti.customers.events import STAFF_LIMIT, staff_text
from cti.customers.rules import CONSENTS, Customer, normal, seen_by
from cti.errors import Refused
from cti.house import House
from cti.machines.store import MachineStore
from cti.people.rules import Person, Right
from cti.web import wire
from cti.web.api import ProgramRoute, answer
from cti.web.auth import Denied, Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place

SEE: Final = (Right.CUSTOMERS,)
WORK: Final = (Right.OWN_WORK,)
REVIEW: Final = (Right.REVIEW,)
LIMIT: Final = 2000
"""The longest text of a field that is looked at."""

_BLANK: Final = dict.fromkeys(
    (
        "do",
        "owner",
        "hours",
        "zone",
        "kind",
        "day",
        "time",
        "ref",
        "amount",
        "department",
        "merchant",
    ),
    "",
)


class CustomerRoom:
    """The pages of customers."""

    places: Sequence[Place] = (
        Place(path="/customers", key="customers.nav", rights=SEE, seldom=True),
    )

    def __init__(
        self,
        desk: CustomerDesk,
        machines: MachineStore,
        *,
        who: Callable[[str], str],
        house: Callable[[], House],
        clock: Clock,
    ) -> None:
        self._desk, self._machines = desk, machines
        self._who, self._house, self._clock = who, house, clock

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards; a program shows its token instead."""
        guard = kit.auth.guard
        self._kit = kit
        telling = ProgramRoute(
            method="POST",
            path="/api/v1/events",
            handler=self.take,
            summary="Tell what happened to customers; told again, it is changed or the same.",
            takes=wire.Events,
            gives=wire.EventsTaken,
        )
        kit.programs.append(telling)
        return [
            web.get("/customers", guard(self.find, rights=SEE)),
            web.get("/customers/areas", guard(self.areas, rights=REVIEW)),
            web.post("/customers/areas", guard(self.give_area, rights=REVIEW)),
            web.get("/customers/{id}", guard(self.one, rights=SEE)),
            web.post("/customers/{id}", guard(self.act, rights=WORK)),
            telling.served,
        ]

    async def find(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Find customers by number or id."""
        text = request.query.get("q", "")[:128]
        found = await self._desk.find(text)
        if len(found) == 1:
            return see_other(f"/customers/{found[0].id}")
        return self._kit.pages.page(
            request, visitor, "customers/find.html", asked=text, found=found
        )

    async def one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one customer."""
        return await self._one(request, visitor)

    async def _one(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        found, rules = await self._desk.get(request.match_info["id"]), self._house().customers
        return self._kit.pages.page(
            request,
            visitor,
            "customers/one.html",
            status=409 if refusal else 200,
            refusal=refusal,
            it=found,
            events=await self._desk.events.of_customer(found.id),
            kinds=events.KINDS,
            roles=self._house().staff_roles,
            consents=CONSENTS,
            tiers=self._tiers(visitor.locale),
            flags=list(dict.fromkeys((*rules.care_flags, *found.care_flags))),
            phones=[self._phone(one, visitor) for one in found.phones],
            hours="; ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in found.hours),
            birthday=_birthday(found),
            staff_most=STAFF_LIMIT,
            who=self._who,
            today=today(self._house(), self._clock),
            typed={**_BLANK, **(typed or {})},
            wrong=str(refusal.facts.get("fields", "")).split() if refusal else [],
            may_review=bool(visitor.person and visitor.person.may(Right.REVIEW)),
            may_work=bool(visitor.person and visitor.person.may(Right.OWN_WORK)),
        )

    def _tiers(self, locale: str) -> dict[str, str]:
        return {id: one.labels[locale] for id, one in self._house().customers.tiers.items()}

    def _phone(self, number: str, visitor: Visitor) -> str:
        house = self._house()
        shown = normal(number, house.card.country).shown or number
        return seen_by(_person(visitor), shown, house.customers)

    async def act(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Keep what a customer wants, what happened to him, or who looks after him."""
        form, customer = await request.post(), request.match_info["id"]
        said = {key: str(text)[:LIMIT] for key, text in form.items()}
        said["staff"] = staff_text(
            {name[6:]: text for name, text in said.items() if name[:6] == "staff-" and text.strip()}
        )
        said["care_flags"] = "; ".join(map(str, form.getall("care_flags", [])))[:LIMIT]
        person, address = _person(visitor), self._kit.auth.site.address(request)
        try:
            match said.get("do"):
                case "wishes":
                    await self._desk.wish(customer, _wishes(said), person, address)
                case "owner" | "tier" if not person.may(Right.REVIEW):
                    raise Denied(403, "role")
                case "tier":
                    await self._desk.rank(customer, said.get("tier", ""), person, address)
                case "owner":
                    await self._desk.give(customer, said.get("owner", ""), person, address)
                case "event":
                    await self._desk.happened(customer, said, person, address)
                case _:
                    await self._desk.correct(
                        said.get("event", ""),
                        said.get("day", ""),
                        cancelled=said.get("do") == "cancel",
                        person=person,
                        address=address,
                    )
        except Refused as refusal:
            if refusal.code == "no_such_customer":
                raise
            return await self._one(request, visitor, refusal, said)
        return see_other(f"/customers/{customer}?done=customer_kept")

    async def areas(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show whose areas are."""
        return await self._areas(request, visitor)

    async def _areas(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        return self._kit.pages.page(
            request,
            visitor,
            "customers/areas.html",
            status=409 if refusal else 200,
            refusal=refusal,
            areas=await self._desk.events.supervisors(),
            who=self._who,
        )

    async def give_area(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Give an area to a supervisor."""
        form, address = await request.post(), self._kit.auth.site.address(request)
        area, owner = (" ".join(str(form.get(one, "")).split())[:80] for one in ("area", "owner"))
        try:
            if not area:
                raise Refused("area_missing", "name the area")
            await self._desk.give_area(area, owner, _person(visitor), address)
        except Refused as refusal:
            return await self._areas(request, visitor, refusal)
        return see_other("/customers/areas?done=customer_kept")

    async def take(self, request: web.Request) -> web.Response:
        """Take events from a program: `Authorization: Bearer TOKEN`, a body as `wire.Events`."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        machine = None
        if kind.casefold() == "bearer" and 0 < len(token) <= 200:
            machine = await self._machines.of_token(token.strip())
        if machine is None:
            raise Denied(401, "token")
        if request.content_type != "application/json":
            raise Denied(400, "body")
        try:
            body = wire.Events.model_validate_json(await request.read())
        except ValidationError:
            raise Denied(400, "body") from None
        said = [
            {
                name: staff_text(text) if isinstance(text, dict) else str(text)
                for name, text in one.model_dump().items()
                if text is not None
            }
            for one in body.events
        ]
        address = self._kit.auth.site.address(request)
        told = await self._desk.take(said, machine.name, address)
        broken = [{"place": one.line, "reasons": list(one.reasons)} for one in told.broken]
        counts = {"added": told.added, "changed": told.changed, "same": told.same}
        return answer({**counts, "broken": broken})


def _wishes(said: Mapping[str, str]) -> dict[str, str]:
    consent = "; ".join(
        f"{name}={said[f'consent-{name}']}" for name in CONSENTS if said.get(f"consent-{name}")
    )
    return {**said, "consent": consent}


def _birthday(customer: Customer) -> str:
    born = customer.birthday
    if born is None:
        return ""
    year = f"{born.year}-" if born.year else ""
    return f"{year}{born.month:02}-{born.day:02}"


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person
