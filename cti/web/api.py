"""What a program may ask of us over HTTP. Each route names what it takes and gives.

The same table makes the routes and their description (`cti.web.openapi`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from cti.errors import Refused
from cti.people.rules import Person
from cti.web import wire
from cti.web.auth import Auth, Denied, Handler, Visitor
from cti.web.messages import Messages
from cti.web.ports import Desk
from cti.web.push import Live

STATUS: Final[Mapping[str, int]] = {
    "no_such_call": 404,
    "no_such_customer": 404,
    "no_incident": 404,
    "no_bundle": 404,
    "no_line": 404,
    "no_person": 404,
    "no_such_recording": 404,
    "no_sample": 404,
    "no_event": 404,
    "recording_pass": 403,
    "recording_gone": 410,
    "audio_unknown": 415,
    "audio_codec": 415,
    "audio_broken": 415,
    "audio_long": 415,
}
"""HTTP statuses of refusals; any other refusal is 409."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: what it is for, what it takes and gives, who may use it."""

    method: str
    path: str
    handler: Handler
    summary: str
    gives: type[wire.Shape]
    takes: type[wire.Shape] | None = None
    view: str | None = None
    refuses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRoute:
    """One route for programs of the house, which show a token instead of logging in."""

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    takes: type[wire.Shape]
    gives: type[wire.Shape]

    @property
    def served(self) -> web.RouteDef:
        """Give it as aiohttp wants it; the handler itself asks for the token."""
        return web.route(self.method, self.path, self.handler)


class Api:
    """Everything that answers with JSON to somebody logged in."""

    def __init__(self, *, auth: Auth, live: Live, desk: Desk, messages: Messages) -> None:
        self.auth, self.live, self.desk, self.messages = auth, live, desk, messages

    def table(self) -> list[Route]:
        """Give all routes."""
        return [
            Route(
                method="GET",
                path="/api/v1/me",
                handler=self.me,
                summary="Who is logged in, and the token that changes need.",
                gives=wire.Me,
            ),
            Route(
                method="POST",
                path="/api/v1/rt-ticket",
                handler=self.ticket,
                summary="A ticket for the live channel.",
                gives=wire.Ticket,
            ),
            Route(
                method="GET",
                path="/api/v1/cards",
                handler=self.cards,
                summary="Everything on one's own screen.",
                gives=wire.Snapshot,
                view="agent",
            ),
            Route(
                method="POST",
                path="/api/v1/calls/{call}/customer",
                handler=self.choose,
                summary="Say which of the customers found is calling.",
                takes=wire.Choice,
                gives=wire.Card,
                view="agent",
                refuses=(404, 409),
            ),
            Route(
                method="GET",
                path="/api/v1/board",
                handler=self.board,
                summary="Calls, agents and the day's figures.",
                gives=wire.BoardMessage,
                view="board",
            ),
        ]

    def routes(self) -> list[web.RouteDef]:
        """Give them as aiohttp wants them, each behind its guard."""
        return [
            web.route(r.method, r.path, self.auth.guard(r.handler, view=r.view))
            for r in self.table()
        ]

    async def me(self, _request: web.Request, visitor: Visitor) -> web.Response:
        """Say who is logged in."""
        person = _person(visitor)
        return answer(
            {
                "number": person.number,
                "name": person.name,
                "role": person.role,
                "locale": visitor.locale,
                "csrf": visitor.csrf,
            }
        )

    async def ticket(self, _request: web.Request, visitor: Visitor) -> web.Response:
        """Give a ticket for the live channel."""
        return answer({"ticket": self.live.tickets.issue(_person(visitor), visitor.token)})

    async def cards(self, _request: web.Request, visitor: Visitor) -> web.Response:
        """Give one's own cards."""
        return answer(self.messages.snapshot(_person(visitor)))

    async def choose(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Keep which customer is calling."""
        if request.content_type != "application/json":
            raise Denied(400, "body")
        try:
            choice = wire.Choice.model_validate_json(await request.read())
        except ValidationError:
            raise Denied(400, "body") from None
        person, call = _person(visitor), request.match_info["call"]
        await self.desk.choose(call, person, choice.customer)
        card = self.desk.card(person.id, call)
        if card is None:  # over in the meantime
            raise Refused("no_such_call", "the call is no longer on this screen")
        return answer(card)

    async def board(self, _request: web.Request, visitor: Visitor) -> web.Response:
        """Give the board, as far as this role may see it."""
        return answer(self.messages.board(_person(visitor)))


def answer(value: Mapping[str, Any], status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=wire.encode(value), status=status, content_type="application/json")


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person
