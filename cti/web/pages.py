"""The pages: log in and out, one's own calls, the board, help. Plain forms, no script needed.

Only the live parts need one: `<cti-agent>` and `<cti-board>` are elements inside these pages.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cti.calls.rings import RingRules
from cti.clock import Clock
from cti.errors import Refused
from cti.people.rules import NUMBER_LIMIT, PASSWORD_LEAST, PASSWORD_MOST
from cti.web.auth import LOCALE_COOKIE, Auth, Denied, Visitor
from cti.web.menu import Place, entries
from cti.web.messages import Messages
from cti.web.push import Live
from cti.web.roles import home, may
from cti.web.shelf import Shelf
from cti.web.site import Site
from cti.web.words import LOCALES, Locale, Words, locale_of

FOLDER: Final = Path(__file__).parent / "templates"
_PLAIN_PATH: Final = re.compile(r"/(?:[A-Za-z0-9_\-][A-Za-z0-9_\-/]*)?")


class Pages:
    """Everything that answers with a page."""

    def __init__(
        self,
        *,
        auth: Auth,
        live: Live,
        messages: Messages,
        shelf: Shelf,
        words: Words,
        site: Site,
        clock: Clock,
        rules: Callable[[], RingRules],
        places: Sequence[Place] = (),
    ) -> None:
        self.auth, self.live, self.messages = auth, live, messages
        self.shelf, self.words, self.site, self.clock, self.rules = shelf, words, site, clock, rules
        self.places = places
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[web.RouteDef]:
        """Give all pages with their guards."""
        guard = self.auth.guard
        return [
            web.get("/", guard(self.first, anybody=True)),
            web.get("/login", guard(self.login_form, anybody=True)),
            web.post("/login", guard(self.login, anybody=True)),
            web.get("/login/link/{token}", guard(self.link_form, anybody=True)),
            web.post("/login/link/{token}", guard(self.link, anybody=True)),
            web.post("/logout", guard(self.logout, anybody=True)),
            web.post("/locale", guard(self.locale, anybody=True)),
            web.get("/agent", guard(self.agent, view="agent")),
            web.get("/live", guard(self.board, view="board")),
            web.get("/help", guard(self.help, anybody=True)),
        ]

    # -- coming and going

    async def first(self, _request: web.Request, visitor: Visitor) -> web.Response:
        """Send everybody where their work is."""
        return see_other(home(visitor.person) if visitor.person else "/login")

    async def login_form(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the login form."""
        if visitor.person is not None:
            return see_other(plain_path(request.query.get("next")))
        return self._login_page(request, visitor, next=plain_path(request.query.get("next")))

    async def login(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Check number and password. What was wrong is not said."""
        form = await request.post()
        number, password = str(form.get("number", "")).strip(), str(form.get("password", ""))
        next_page = plain_path(str(form.get("next", "")))
        try:
            if len(number) > NUMBER_LIMIT or len(password) > PASSWORD_MOST:
                raise Refused("login_refused", "too long")
            session = await self.auth.accounts.log_in(number, password, **self._from(request))
        except Refused as refusal:
            return self._login_page(
                request,
                visitor,
                status=429 if refusal.code == "login_later" else 403,
                next=next_page,
                number=number[:NUMBER_LIMIT],
                fault=refusal.code,
            )
        return await self._enter(request, session, next_page)

    async def link_form(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Ask before a one-time link is used: mail scanners follow links, but press no button."""
        purpose = await self.auth.accounts.look_at_link(request.match_info["token"])
        if purpose is None:
            return self._link_page(request, visitor, "log_in", "link_over")
        return self._link_page(request, visitor, purpose)

    async def link(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Use the one-time link up: log in, or choose a password and log in."""
        accounts, token = self.auth.accounts, request.match_info["token"]
        purpose = await accounts.look_at_link(token)
        try:
            if purpose == "set_password":
                password = str((await request.post()).get("password", ""))[: PASSWORD_MOST + 1]
                session = await accounts.set_password_by_link(
                    token, password, **self._from(request)
                )
            else:
                session = await accounts.log_in_by_link(token, **self._from(request))
        except Refused as refusal:
            return self._link_page(request, visitor, purpose or "log_in", refusal.code)
        return await self._enter(request, session, "/")

    def _from(self, request: web.Request) -> dict[str, str]:
        """Tell where a login comes from."""
        agent = request.headers.get("User-Agent", "")[:200]
        return {"address": self.site.address(request), "agent": agent}

    async def _enter(self, request: web.Request, session: str, page: str) -> web.Response:
        await self._end_session(request)
        response = see_other(page)
        self.auth.enter(response, session)
        return response

    async def logout(self, request: web.Request, _visitor: Visitor) -> web.Response:
        """End the session here, and in all tabs."""
        await self._end_session(request)
        response = see_other("/login")
        self.auth.leave(response)
        return response

    async def _end_session(self, request: web.Request) -> None:
        session = request.cookies.get(self.site.session_cookie, "")
        if session:
            await self.auth.accounts.end_session(session)
            self.live.end_session(session)

    async def locale(self, request: web.Request, _visitor: Visitor) -> web.Response:
        """Keep this browser's language."""
        form = await request.post()
        locale = locale_of(str(form.get("locale", "")))
        if locale is None:
            raise Denied(400, "body")
        response = see_other(plain_path(str(form.get("next", ""))))
        response.set_cookie(
            LOCALE_COOKIE, locale, max_age=31_536_000, secure=self.site.secure, samesite="Lax"
        )
        return response

    # -- work

    async def agent(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one's own calls: the element connects by itself."""
        return self.page(request, visitor, "agent.html")

    async def board(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the board as it is now; the element keeps it so."""
        assert visitor.person is not None  # noqa: S101  the guard saw to it
        message = self.messages.board(visitor.person)
        return self.page(request, visitor, "live.html", board=message["board"])

    async def help(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Explain card, ring figure and connection."""
        rules = self.rules()
        return self.page(request, visitor, "help.html", rules=rules)

    # -- making a page

    def page(
        self,
        request: web.Request,
        visitor: Visitor,
        template: str,
        *,
        status: int = 200,
        **facts: Any,
    ) -> web.Response:
        """Render a template in the visitor's language."""
        locale = visitor.locale
        said = request.query.get("done", "")
        done = said if f"done.{said}" in self.words.catalogues[locale] else None
        text = self._templates.get_template(template).render(
            request=request,
            visitor=visitor,
            locale=locale,
            locales=LOCALES,
            may=may,
            entries=entries(visitor.person, request.path, self.places) if visitor.person else [],
            done=done,
            say_fault=lambda refusal: self._fault(locale, refusal),
            local=lambda at: at.astimezone(self.site.zone),
            site=self.site,
            url=self.shelf.url,
            say=lambda key, **given: self.words.say(locale, key, **given),
            say_in=self.words.say,
            word=lambda family, code: self._word(locale, family, code),
            now=self.clock.now(),
            clock_time=self._clock_time,
            lasted=lambda since: lasted(since, self.clock.now()),
            **facts,
        )
        response = web.Response(text=text, status=status, content_type="text/html")
        self.auth.remember(response, visitor)
        return response

    def _word(self, locale: Locale, family: str, code: str | None) -> str:
        """Give the word for a code; the house's own name for a tier that it named."""
        own = self.site.tiers.get(code or "") if family == "tier" else None
        return own[locale] if own else self.words.name(locale, family, code)

    def _fault(self, locale: Locale, refusal: Refused) -> str:
        """Say what a form was refused for."""
        key = f"fault.{refusal.code}"
        known = key if key in self.words.catalogues[locale] else "api.refused"
        return self.words.say(locale, known, **refusal.facts)

    def _login_page(
        self,
        request: web.Request,
        visitor: Visitor,
        *,
        next: str,
        status: int = 200,
        number: str = "",
        fault: str | None = None,
    ) -> web.Response:
        return self.page(
            request,
            visitor,
            "login.html",
            status=status,
            next=next,
            number=number,
            fault=fault,
            most=PASSWORD_MOST,
        )

    def _link_page(
        self, request: web.Request, visitor: Visitor, purpose: str, fault: str | None = None
    ) -> web.Response:
        status = 403 if fault == "link_over" else 422 if fault else 200
        return self.page(
            request,
            visitor,
            "link.html",
            status=status,
            purpose=purpose,
            fault=fault,
            least=PASSWORD_LEAST,
            most=PASSWORD_MOST,
        )

    def _clock_time(self, at: str | datetime) -> str:
        """Write an instant as a time of day in the house's zone."""
        moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
        return moment.astimezone(self.site.zone).strftime("%H:%M:%S")


def see_other(path: str) -> web.Response:
    """Send the browser to another page of ours by GET."""
    return web.Response(status=303, headers={"Location": path})


def plain_path(path: str | None) -> str:
    """Give a path on this site, else the first page: nobody is sent to another site."""
    return path if path and _PLAIN_PATH.fullmatch(path) else "/"


def lasted(since: str | None, now: datetime) -> str:
    """Write how long ago an instant was, as `m:ss` or `h:mm:ss`; nothing for nothing."""
    if since is None:
        return ""
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
