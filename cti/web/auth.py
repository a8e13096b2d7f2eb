"""Who is asking, and may they? Sessions, forged requests, roles: one guard before each handler.

A session is a random token in a cookie that scripts cannot read; what stands behind it is on
the server. What changes anything must also carry a token made from that cookie, which only
our own pages know, and must come from our own origin. Who is not logged in has a cookie of
chance instead, so that the login form is guarded in the same way.
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from cti.people.rules import Person, Right
from cti.web.ports import Accounts
from cti.web.roles import may
from cti.web.site import Site
from cti.web.words import Locale, choose, locale_of

log = structlog.get_logger(__name__)

LOCALE_COOKIE: Final = "cti-locale"
_READING: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is asking: a person, or nobody yet. `token` is the secret of the cookie."""

    person: Person | None
    token: str
    locale: Locale
    is_new: bool = False
    """The cookie of chance was made just now and must be sent along."""

    @property
    def csrf(self) -> str:
        """What a form of ours must send back."""
        return hmac.new(self.token.encode(), b"cti form", hashlib.sha256).hexdigest()


class Denied(Exception):
    """The request is turned away: an HTTP status, and a stable code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


Handler = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]
_VISITOR: Final = web.RequestKey("visitor", Visitor)


class Auth:
    """The guard."""

    def __init__(self, accounts: Accounts, site: Site) -> None:
        self.accounts, self.site = accounts, site

    async def visitor(self, request: web.Request) -> Visitor:
        """Tell who is asking; looked up once per request. Raises `Unavailable`."""
        known = request.get(_VISITOR)
        if known is None:
            token = request.cookies.get(self.site.session_cookie, "")
            person = await self.accounts.session(token) if 0 < len(token) <= 200 else None
            known = self._named(request, person, token) if person else self.nobody(request)
            request[_VISITOR] = known
        return known

    def nobody(self, request: web.Request) -> Visitor:
        """Give the visitor as nobody: not logged in, or not to be found out just now."""
        chance = request.cookies.get(self.site.visitor_cookie, "")
        if 32 <= len(chance) <= 200:
            return self._named(request, None, chance)
        return Visitor(
            person=None,
            token=secrets.token_urlsafe(32),
            locale=self._locale(request, None),
            is_new=True,
        )

    def guard(
        self,
        handler: Handler,
        *,
        view: str | None = None,
        rights: Collection[Right] = (),
        anybody: bool = False,
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Let a handler see only those who may: logged in (unless `anybody`), with this view,
        with any of these rights.

        Raises `Denied`: 400 `body`, 401 `not_logged_in`, 403 `csrf`, 403 `role`.
        """

        async def guarded(request: web.Request) -> web.StreamResponse:
            _refuse_nul([request.path, *request.query.values()])
            visitor = await self.visitor(request)
            if visitor.person is None and not anybody:
                raise Denied(401, "not_logged_in")
            if request.method not in _READING:
                await self._check_forgery(request, visitor)
                if not request.path.startswith("/api/"):
                    _refuse_nul((await request.post()).values())
            if view is not None and visitor.person and not may(visitor.person, view):
                raise Denied(403, "role")
            if rights and not (visitor.person and any(map(visitor.person.may, rights))):
                raise Denied(403, "role")
            return await handler(request, visitor)

        return guarded

    def enter(self, response: web.StreamResponse, session: str) -> None:
        """Give the browser the session's cookie."""
        self._set(response, self.site.session_cookie, session, self.site.session_hours * 3600)
        response.del_cookie(self.site.visitor_cookie, secure=self.site.secure, httponly=True)

    def leave(self, response: web.StreamResponse) -> None:
        """Take the session's cookie back."""
        response.del_cookie(self.site.session_cookie, secure=self.site.secure, httponly=True)

    def remember(self, response: web.StreamResponse, visitor: Visitor) -> None:
        """Send a new cookie of chance along with the form that it guards."""
        if visitor.is_new:
            self._set(response, self.site.visitor_cookie, visitor.token, 86_400)

    def _set(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.site.secure,
            httponly=True,
            samesite="Lax",
        )

    async def _check_forgery(self, request: web.Request, visitor: Visitor) -> None:
        """Refuse what another site made the browser send."""
        if "Origin" in request.headers and not self.site.is_own(request):
            # a wrong `public_url` shows itself here, so the operator must be able to see it
            log.warning("foreign_origin", origin=request.headers["Origin"], path=request.path)
            raise Denied(403, "csrf")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Denied(403, "csrf")
        sent = request.headers.get("X-CSRF")
        if sent is None and not request.path.startswith("/api/"):
            sent = str((await request.post()).get("csrf", ""))
        if not hmac.compare_digest((sent or "").encode(), visitor.csrf.encode()):
            raise Denied(403, "csrf")

    def _named(self, request: web.Request, person: Person | None, token: str) -> Visitor:
        return Visitor(person=person, token=token, locale=self._locale(request, person))

    def _locale(self, request: web.Request, person: Person | None) -> Locale:
        """Choose: this browser's switch, the person's setting, the browser's wish, the site's."""
        return (
            locale_of(request.cookies.get(LOCALE_COOKIE))
            or locale_of(person.locale if person else None)
            or choose(request.headers.get("Accept-Language", ""), self.site.locale)
        )


def _refuse_nul(said: Iterable[object]) -> None:
    """Refuse a NUL in an address or a form: no key of ours has one, and PostgreSQL takes none."""
    if any(isinstance(text, str) and "\0" in text for text in said):
        raise Denied(400, "body")
