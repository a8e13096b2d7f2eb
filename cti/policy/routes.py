"""The page `/house`: the rules in words, what was loaded when, and a button to load the file."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from aiohttp import web

from cti.clock import Clock
from cti.errors import HouseError, Refused
from cti.house import House
from cti.people.rules import Right
from cti.policy.desk import PROGRAM, PolicyDesk
from cti.policy.rules import Load
from cti.policy.told import caution_facts, tell
from cti.web.auth import Denied, Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place

READERS: Final = (Right.OWN_WORK, Right.REVIEW, Right.APPEALS, Right.POLICY, Right.AUDIT)
SHOWN: Final = 100
"""So many former loadings are listed: the latest."""


class PolicyRoom:
    """The house's rules, for everybody to read. `name_of` gives a person's name by id."""

    places = (Place(path="/house", key="policy.nav", rights=READERS, seldom=True),)

    def __init__(self, desk: PolicyDesk, clock: Clock, name_of: Callable[[str], str]) -> None:
        self._desk, self._clock, self._name_of = desk, clock, name_of

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give its pages."""
        self._kit = kit
        guard = kit.auth.guard
        return [
            web.get("/house", guard(self.rules, rights=READERS)),
            web.get("/house/{version:[0-9a-f]{64}}", guard(self.version, rights=READERS)),
            web.post("/house/reload", guard(self.reload, rights=(Right.POLICY,))),
        ]

    async def rules(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the rules in force."""
        return self._page(request, visitor)

    async def reload(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Read the file again; say all that is wrong with it, or what now counts."""
        assert visitor.person is not None  # noqa: S101  the guard saw to it
        address = self._kit.auth.site.address(request)
        try:
            load = await self._desk.reload(visitor.person.id, address)
        except HouseError as fault:
            findings = fault.findings
            refusal = Refused("house_wrong", "the file is wrong", n=len(findings))
            return self._page(request, visitor, refusal, findings)
        except Refused as refusal:
            return self._page(request, visitor, refusal)
        done = "house_waits" if load.waits(self._clock.now()) else "house_loaded"
        return see_other(f"/house?done={done}")

    async def version(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show a version that was loaded, in words and as it was written."""
        version = request.match_info["version"]
        found = await self._desk.version(version)
        load = next((one for one in reversed(self._desk.loads) if one.version == version), None)
        if found is None or load is None:
            raise Denied(404, "http")
        kept, house = found
        return self._kit.pages.page(
            request,
            visitor,
            "policy/version.html",
            load=self._line(load),
            text=kept.text.decode(),
            days=kept.days.decode() if kept.days is not None else None,
            texts={name: text.decode() for name, text in sorted(kept.texts.items())},
            parts=self._told(house, visitor, load.at) if house else [],
        )

    def _page(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        findings: Sequence[Any] = (),
    ) -> web.Response:
        desk = self._desk
        current, waits = desk.current, desk.waiting
        words = self._words(visitor)
        return self._kit.pages.page(
            request,
            visitor,
            "policy/rules.html",
            status=409 if refusal else 200,
            refusal=refusal,
            findings=findings,
            load=self._line(current) if current else None,
            waits=self._line(waits) if waits else None,
            cautions=[
                (one, caution_facts(one, **words))
                for one in desk.house.warnings
                if one.code != "waits"  # these rules are in force
            ],
            parts=self._told(desk.house, visitor, self._clock.now()),
            loads=[self._line(one) for one in reversed(desk.loads[-SHOWN:])],
            has_file=desk.has_file,
            may_load=desk.has_file and visitor.person and visitor.person.may(Right.POLICY),
        )

    def _line(self, load: Load) -> Mapping[str, Any]:
        """Give what a line of the table of versions shows."""
        desk = self._desk
        standing = "in_force" if load == desk.current else "former"
        return {
            "at": load.at,
            "who": None if load.who == PROGRAM else self._name_of(load.who),
            "version": load.version,
            "since": load.effective_from,
            "standing": "waiting" if load == desk.waiting else standing,
        }

    def _told(self, house: House, visitor: Visitor, at: datetime) -> Sequence[Any]:
        day, locale = at.astimezone(house.zone).date(), visitor.locale
        return tell(house, day, **self._words(visitor), locale=locale)

    def _words(self, visitor: Visitor) -> dict[str, Any]:
        words, locale = self._kit.words, visitor.locale
        return {"say": partial(words.say, locale), "word": partial(words.name, locale)}
