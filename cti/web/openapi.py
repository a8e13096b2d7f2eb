"""How is the API described? OpenAPI 3.1, made from the route table and the wire models."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from cti import __version__
from cti.web import wire
from cti.web.api import ProgramRoute, Route

LIVE: Final = """The live channel, a WebSocket with the subprotocols `cti.v1` and `ticket.T`.

The client's first message is `Hello`. The server sends `Snapshot`, `CardMessage`,
`BoardMessage`, `LinksMessage`, `PingMessage` and `ResetMessage`. Cards carry rising numbers;
a client that comes back says the last number and epoch it saw.

Close codes: 1001 and 1012 the server goes away; 4400 a bad message; 4401 no, a used or an
expired ticket; 4403 the role does not allow this view; 4408 no hello within 5 s; 4410 the
rights have ended; 4413 the client reads too slowly; 4426 the protocol version is gone."""

_MESSAGES: Final[tuple[type[wire.Shape], ...]] = (
    wire.Hello,
    wire.Snapshot,
    wire.CardMessage,
    wire.BoardMessage,
    wire.LinksMessage,
    wire.PingMessage,
    wire.ResetMessage,
    wire.Problem,
)
_WHY: Final = {
    400: "The body was not understood.",
    401: "Not logged in.",
    403: "The role does not allow this, or the X-CSRF header is wrong.",
    404: "No such thing on this person's screen.",
    409: "Not possible now.",
    413: "The body is longer than is read.",
}
_STRANGER: Final = "The Authorization header has no token that is good."


def describe(routes: Sequence[Route], programs: Sequence[ProgramRoute] = ()) -> dict[str, Any]:
    """Describe the API: what whoever is logged in may ask, and what programs may tell."""
    named = [(r.gives, r.takes) for r in routes] + [(r.gives, r.takes) for r in programs]
    shapes = {shape for some in named for shape in some if shape} | set(_MESSAGES)
    _, definitions = models_json_schema(
        [(shape, "validation") for shape in sorted(shapes, key=lambda one: one.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for program in programs:
        paths.setdefault(program.path, {})[program.method.lower()] = _told(program)
    paths["/api/v1/live"] = {"get": _live()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "cti", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "cti"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF"},
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`cti token add NAME` shows it once.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    changes = route.method != "GET"
    refusals = {401, *route.refuses}
    if changes or route.view:
        refusals.add(403)
    if route.takes:
        refusals.add(400)
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "security": [{"session": [], "csrf": []} if changes else {"session": []}],
        "responses": {"200": {"description": "Done.", "content": _json(route.gives)}}
        | {str(s): _refusal(_WHY[s]) for s in sorted(refusals)},
    }
    if names := [part[1:-1] for part in route.path.split("/") if part.startswith("{")]:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if route.takes:
        operation["requestBody"] = {"required": True, "content": _json(route.takes)}
    return operation


def _told(route: ProgramRoute) -> dict[str, Any]:
    whys = {400: _WHY[400], 401: _STRANGER, 413: _WHY[413]}
    return {
        "summary": route.summary,
        "operationId": route.handler.__name__,
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": _json(route.takes)},
        "responses": {"200": {"description": "Done.", "content": _json(route.gives)}}
        | {str(status): _refusal(why) for status, why in whys.items()},
    }


def _live() -> dict[str, Any]:
    return {
        "summary": "The live channel.",
        "description": LIVE,
        "operationId": "live",
        "responses": {
            "101": {"description": "Open; everything else is said by a close code."},
            "403": {"description": "The page's origin is not on the allow-list."},
        },
    }


def _json(shape: type[wire.Shape]) -> dict[str, Any]:
    ref = {"$ref": f"#/components/schemas/{shape.__name__}"}
    return {"application/json": {"schema": ref}}


def _refusal(why: str) -> dict[str, Any]:
    return {"description": why, "content": _json(wire.Problem)}
