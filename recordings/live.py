"""The recording of a call that lives, as screens control it: one address, one deed at a time."""

from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp import web
from pydantic import ValidationError

from cti.people.rules import Person, Right
from cti.web import wire
from cti.web.api import answer
from cti.web.auth import Denied, Visitor
from cti.web.rooms import Kit, Place

RIGHTS: Final = (Right.OWN_WORK, Right.REVIEW)


class Controls(Protocol):
    """What does it (`recordings.control.Control`)."""

    async def do(self, deed: str, call: str, person: Person, address: str = "") -> None:
        """Do it, or raise `Refused`."""
        ...


class LiveRoom:
    """Has no page: what it does is done from the cards and from the board."""

    places: Sequence[Place] = ()

    def __init__(self, control: Controls) -> None:
        self._control = control

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the one address, behind its guard."""

        async def do(request: web.Request, visitor: Visitor) -> web.Response:
            """Pause, go on, begin, end; keep that the customer refuses, or agrees."""
            if request.content_type != "application/json":
                raise Denied(400, "body")
            try:
                deed = wire.RecordingDeed.model_validate_json(await request.read())
            except ValidationError:
                raise Denied(400, "body") from None
            person, call = _person(visitor), request.match_info["call"][:32]
            await self._control.do(deed.do, call, person, kit.auth.site.address(request))
            return answer({"done": deed.do})

        return [
            web.post("/api/v1/calls/{call}/recording", kit.auth.guard(do, rights=RIGHTS)),
        ]


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person
