"""The wallboard's page: the figures that a whole room reads, on a screen that nobody touches."""

from collections.abc import Sequence

from aiohttp import web

from cti.people.rules import Right
from cti.web.auth import Visitor
from cti.web.rooms import Kit, Place

_RIGHTS = (Right.BOARD,)


class WallboardRoom:
    """Shows the wallboard, and keeps its login alive while it is open."""

    places: Sequence[Place] = (Place(path="/wallboard", key="wall.title", rights=_RIGHTS),)

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the page, and what the open page asks for now and then."""

        async def page(request: web.Request, visitor: Visitor) -> web.Response:
            assert visitor.person is not None  # noqa: S101  the guard saw to it
            board = kit.pages.messages.board(visitor.person)["board"]
            return kit.pages.page(request, visitor, "presence/wallboard.html", board=board)

        async def stay(_request: web.Request, visitor: Visitor) -> web.Response:
            await kit.auth.accounts.prolong(visitor.token)
            response = web.Response(status=204)
            kit.auth.enter(response, visitor.token)
            return response

        guard = kit.auth.guard
        return [
            web.get("/wallboard", guard(page, rights=_RIGHTS)),
            web.post("/wallboard/stay", guard(stay, rights=_RIGHTS)),
        ]
