"""Where is this server seen, and whom does it let near? Origins, cookies, protecting headers."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp import web

from cti.house import House
from cti.web.words import Locale

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass
class Site:
    """What an operator has set about the pages, and what the house is called.

    `public_url` as browsers see it; empty: plain HTTP on this machine, at whatever port.
    `origins` are other sites that may open the live channel, `frame_ancestors` those that
    may frame the pages. Behind a proxy of ours the client's address is the last entry of
    X-Forwarded-For.
    """

    public_url: str = ""
    host: str = "127.0.0.1"
    origins: Sequence[str] = ()
    frame_ancestors: Sequence[str] = ()
    locale: Locale = "en"
    session_hours: int = 12
    behind_proxy: bool = False
    open_metrics: bool = False
    house: str = ""
    house_locale: str = ""
    """The language of customers' names and notes: it picks the shapes of Chinese characters."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    tiers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What the house itself calls its customers' tiers, by id and language."""

    def obey(self, house: House) -> None:
        """Take what the house is called now, and where; nothing else changes while we run."""
        self.house, self.house_locale = house.card.name, house.card.locale
        self.zone, self.tiers = house.zone, house.customers.own_names

    @cached_property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return self.public_url.startswith("https://")

    @cached_property
    def session_cookie(self) -> str:
        """The name of the session's cookie: bound to this host where the browser can do it."""
        return "__Host-cti" if self.secure else "cti"

    @cached_property
    def visitor_cookie(self) -> str:
        """The name of the cookie that guards the login form."""
        return "__Host-cti-visitor" if self.secure else "cti-visitor"

    @cached_property
    def _public_origin(self) -> str:
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""

    def is_own(self, request: web.Request) -> bool:
        """Tell whether the request comes from a page of this very site, by its Origin."""
        origin = request.headers.get("Origin", "").lower()
        if self._public_origin:
            return origin == self._public_origin
        return self._is_here(origin, request)

    def may_listen(self, request: web.Request) -> bool:
        """Tell whether the page that opens the live channel is on the allow-list."""
        origin = request.headers.get("Origin", "")
        return self.is_own(request) or origin.lower() in {
            one.rstrip("/").lower() for one in self.origins
        }

    def _is_here(self, origin: str, request: web.Request) -> bool:
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            return False
        here = request.transport and request.transport.get_extra_info("sockname")
        if parts.scheme != "http" or not here or (port or 80) != here[1]:
            return False
        return parts.hostname in LOOPBACK_NAMES or parts.hostname == self.host.lower()

    def address(self, request: web.Request) -> str:
        """Give the client's address, for rate limits."""
        if self.behind_proxy:
            said = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip()
            if said:
                return said[:64]
        return request.remote or ""

    def is_local(self, request: web.Request) -> bool:
        """Tell whether the client sits on this machine and was not passed on by anybody."""
        passed_on = {"X-Forwarded-For", "Forwarded", "X-Real-IP"} & set(request.headers)
        if passed_on and not self.behind_proxy:
            return False
        try:
            return ipaddress.ip_address(self.address(request)).is_loopback
        except ValueError:
            return False

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """What protects every answer: no foreign code, no framing, no sniffing, no storing."""
        headers = {
            "Content-Security-Policy": self._policy(),
            "X-Content-Type-Options": "nosniff",
            # not `no-referrer`: with it browsers send a form's Origin as `null`
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "X-Robots-Tag": "noindex",
            "Cache-Control": "no-store",
        }
        if not self.frame_ancestors:
            headers["X-Frame-Options"] = "DENY"
        if self.secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return headers

    def _policy(self) -> str:
        framers = " ".join(self.frame_ancestors) or "'none'"
        socket = ""
        if self._public_origin:
            socket = " " + self._public_origin.replace("http", "ws", 1)
        rules = [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self'",
            "font-src 'self'",
            f"connect-src 'self'{socket}",
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {framers}",
            "require-trusted-types-for 'script'",
            "trusted-types lit-html",
        ]
        return "; ".join(rules)
