"""How does a room show pages? It gives its routes and its places in the navigation.

`app` gives the rooms to `make_app`; nothing here knows a room by name.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from cti.people.rules import Person, Right
from cti.web.auth import Auth
from cti.web.downloads import Downloads
from cti.web.pages import Pages
from cti.web.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the navigation: a path, the key of its name, and who sees it (any right)."""

    path: str
    key: str
    rights: Collection[Right]

    def seen_by(self, person: Person) -> bool:
        """Tell whether somebody sees this entry."""
        return any(map(person.may, self.rights))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a room's routes build pages with."""

    auth: Auth
    pages: Pages
    words: Words
    downloads: Downloads = field(default_factory=Downloads)
    """How a page gives its table away as a file."""


class Room(Protocol):
    """A room that has pages."""

    @property
    def places(self) -> Sequence[Place]:
        """Give its entries of the navigation."""
        ...

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give its routes, each with its guard."""
        ...
