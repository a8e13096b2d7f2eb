"""The pages of what is wrong: calls that miss a recording, sound without a call, room that is left.

For those who look after the team's work (REC-07, LINE-12). Plain pages; nothing is done here.
"""

from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from cti.people.rules import Right
from cti.web.auth import Visitor
from cti.web.rooms import Kit, Place
from recordings import names
from recordings.collector import Collector, Figures
from recordings.record import Recording
from recordings.store import RecordingStore
from recordings.wave import clock

SEE: Final = (Right.REVIEW, Right.AUDIT)
PER_PAGE: Final = 50


class ListRoom:
    """The lists of recordings that are missing, and of those that belong to nothing."""

    places: Sequence[Place] = (
        Place(path="/recordings/missing", key="recordings.nav", rights=SEE, seldom=True),
    )

    def __init__(
        self,
        store: RecordingStore,
        *,
        collector: Collector | None,
        who: Callable[[str], str],
    ) -> None:
        """Without a `collector` nothing is collected, and the pages say so."""
        self._store, self._who, self._off = store, who, collector is None
        self._figures = collector.figures if collector else Figures()

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards."""

        async def missing(request: web.Request, visitor: Visitor) -> web.Response:
            found = await self._store.missing(_before(request), PER_PAGE + 1)
            return self._page(kit, request, visitor, "missing", found)

        async def orphans(request: web.Request, visitor: Visitor) -> web.Response:
            found = await self._store.orphans(_before(request), PER_PAGE + 1)
            return self._page(kit, request, visitor, "orphans", found)

        guard = kit.auth.guard
        return [
            web.get("/recordings/missing", guard(missing, rights=SEE)),
            web.get("/recordings/orphans", guard(orphans, rights=SEE)),
        ]

    def _page(
        self,
        kit: Kit,
        request: web.Request,
        visitor: Visitor,
        which: str,
        found: Sequence[Recording],
    ) -> web.Response:
        return kit.pages.page(
            request,
            visitor,
            "recordings/lists.html",
            which=which,
            other="orphans" if which == "missing" else "missing",
            rows=found[:PER_PAGE],
            more=found[PER_PAGE - 1].id if len(found) > PER_PAGE else "",
            off=self._off,
            room=self._figures.room.value,
            free=self._figures.free,
            troubles=self._figures.troubles,
            who=self._who,
            shown=names.shown,
            clock=clock,
        )


def _before(request: web.Request) -> str:
    return request.query.get("before", "")[:32]
