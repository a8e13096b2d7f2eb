"""How does a room show pages? It gives its routes and its places in the navigation.

`app` gives the rooms to `make_app`; nothing here knows a room by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from cti.web.api import ProgramRoute
from cti.web.auth import Auth
from cti.web.downloads import Downloads
from cti.web.menu import Place
from cti.web.pages import Pages
from cti.web.words import Words

__all__ = ["Kit", "Place", "Room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a room's routes build pages with."""

    auth: Auth
    pages: Pages
    words: Words
    downloads: Downloads = field(default_factory=Downloads)
    """How a page gives its table away as a file."""
    programs: list[ProgramRoute] = field(default_factory=list)
    """Where a room puts its routes for programs, so that they are described with the API."""


class Room(Protocol):
    """A room that has pages."""

    @property
    def places(self) -> Sequence[Place]:
        """Give its entries of the navigation."""
        ...

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give its routes, each with its guard."""
        ...
