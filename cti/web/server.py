"""The web server: every route, what protects it, and what is said when something fails."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from cti.bus import Bus
from cti.calls.rings import RingRules
from cti.clock import Clock
from cti.errors import Refused, Unavailable
from cti.web.api import STATUS, Api, answer
from cti.web.auth import Auth, Denied, Visitor
from cti.web.messages import Messages
from cti.web.openapi import describe
from cti.web.pages import Pages, see_other
from cti.web.ports import Accounts, Desk, Ready
from cti.web.push import Gauges, Live, Pace
from cti.web.rooms import Kit, Room
from cti.web.shelf import Shelf
from cti.web.site import Site
from cti.web.words import Words

log = structlog.get_logger(__name__)

MAX_BODY: Final = 65_536
"""Bytes of a request's body; nothing here takes more."""

LIVE: Final = "/api/v1/live"
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(
    *,
    accounts: Accounts,
    desk: Desk,
    bus: Bus,
    clock: Clock,
    site: Site,
    ready: Ready,
    registry: CollectorRegistry,
    rules: Callable[[], RingRules] = RingRules,
    pace: Pace | None = None,
    rooms: Sequence[Room] = (),
) -> web.Application:
    """Build the web server from what the other rooms give it. Nothing runs yet.

    `rules` are the house's ring rules as they are now, for the help page; `rooms` have pages
    of their own.
    """
    messages = Messages(desk, clock)
    live = Live(
        messages=messages,
        bus=bus,
        accounts=accounts,
        clock=clock,
        site=site,
        gauges=Gauges(registry),
        pace=pace or Pace(),
    )
    auth, shelf, words = Auth(accounts, site), Shelf(), Words()
    pages = Pages(
        auth=auth,
        live=live,
        messages=messages,
        shelf=shelf,
        words=words,
        site=site,
        clock=clock,
        rules=rules,
        places=[place for room in rooms for place in room.places],
    )
    api = Api(auth=auth, live=live, desk=desk, messages=messages)

    app = web.Application(client_max_size=MAX_BODY, middlewares=[_Explain(auth, pages, words)])
    app.add_routes(pages.routes())
    app.add_routes(api.routes())
    kit = Kit(auth=auth, pages=pages, words=words)
    for room in rooms:
        app.add_routes(room.routes(kit))
    app.add_routes(_plain_routes(shelf, ready, registry, site, describe(api.table(), kit.programs)))
    app.router.add_get(LIVE, live.handle)
    app.on_response_prepare.append(_protect(site))
    app.on_shutdown.append(live.stop)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """Give what runs the app. A handler ends with its client; addresses are not logged.

    (They may hold a one-time login token.)
    """
    return web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=5.0)


def _plain_routes(
    shelf: Shelf,
    ready: Ready,
    registry: CollectorRegistry,
    site: Site,
    description: Mapping[str, Any],
) -> list[web.RouteDef]:
    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        state = await ready()
        return answer({"ok": state.ok, "parts": dict(state.parts)}, 200 if state.ok else 503)

    async def metrics(request: web.Request) -> web.Response:
        if not (site.open_metrics or site.is_local(request)):
            raise web.HTTPNotFound
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def openapi(_request: web.Request) -> web.Response:
        return answer(description)

    return [
        web.get("/healthz", healthz),
        web.get("/readyz", readyz),
        web.get("/metrics", metrics),
        web.get("/api/v1/openapi.json", openapi),
        web.get("/static/{edition}/{name:.+}", shelf.serve),
    ]


def _protect(site: Site) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def protect(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in site.headers.items():
            response.headers.setdefault(name, value)
        response.headers.popall("Server", None)

    return protect


class _Explain:
    """Answers every failure in words: a page, or a `Problem` for a program."""

    __middleware_version__ = 1  # how aiohttp knows a middleware of today

    def __init__(self, auth: Auth, pages: Pages, words: Words) -> None:
        self._auth, self._pages, self._words = auth, pages, words

    async def __call__(self, request: web.Request, handler: Next) -> web.StreamResponse:
        if request.path == LIVE:  # speaks by close codes
            return await handler(request)
        try:
            return await handler(request)
        except Denied as denied:
            return await self._denied(request, denied.status, denied.code)
        except Refused as refusal:
            return await self._denied(request, STATUS.get(refusal.code, 409), refusal.code)
        except Unavailable:
            log.warning("web_unavailable", path=request.path, exc_info=True)
            return self._page(request, self._auth.nobody(request), 503)
        except web.HTTPException as answered:
            if answered.status < 400:
                raise
            response = await self._denied(request, answered.status, "http")
            if "Allow" in answered.headers:
                response.headers["Allow"] = answered.headers["Allow"]
            return response
        except Exception:
            incident = secrets.token_hex(4)
            log.exception("web_fault", path=request.path, incident=incident)
            return self._page(request, self._auth.nobody(request), 500, incident=incident)

    async def _denied(self, request: web.Request, status: int, code: str) -> web.StreamResponse:
        try:
            visitor = await self._auth.visitor(request)
        except Unavailable:
            visitor = self._auth.nobody(request)
        if status == 401 and not request.path.startswith("/api/"):
            return see_other(f"/login?next={request.path}")
        return self._page(request, visitor, status, code)

    def _page(
        self, request: web.Request, visitor: Visitor, status: int, code: str = "", **facts: str
    ) -> web.Response:
        """Say it in the visitor's language, as a page or as a `Problem`."""
        locale, catalogue = visitor.locale, self._words.catalogues[visitor.locale]
        general = f"error.{status}" if f"error.{status}" in catalogue else "error.400"
        special = f"error.{status}_{code}"
        known = special if special in catalogue else general
        if request.path.startswith("/api/"):
            key = f"api.{code}" if f"api.{code}" in catalogue else known
            message = self._words.say(locale, key, **facts)
            return answer({"code": code or f"http_{status}", "message": message}, status)
        role = visitor.person.role if visitor.person else ""
        text = self._words.say(locale, known, role=self._words.name(locale, "role", role), **facts)
        heading = self._words.say(locale, "error.title" if known == general else general)
        return self._pages.page(
            request, visitor, "error.html", status=status, heading=heading, text=text
        )
