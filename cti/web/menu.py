"""What stands in the navigation of whoever reads a page?"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cti.people.rules import Person, Right
from cti.web.roles import may


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the navigation: a path, the key of its name, and who sees it (any right).

    What is `seldom` needed stands behind "More".
    """

    path: str
    key: str
    rights: Collection[Right]
    seldom: bool = False

    def seen_by(self, person: Person) -> bool:
        """Tell whether somebody sees this entry."""
        return any(map(person.may, self.rights))


@dataclass(frozen=True, slots=True)
class Entry:
    """A link to a page; `here` is the page that is shown, or the one it belongs to."""

    path: str
    key: str
    seldom: bool
    here: bool


CALLS: Final = (("agent", "/agent", "nav.agent"), ("board", "/live", "nav.live"))
HELP: Final = ("/help", "nav.help", True)


def entries(person: Person, path: str, places: Sequence[Place]) -> list[Entry]:
    """Give what somebody sees on a page, in order; one entry at most is `here`."""
    seen = list(_seen(person, places))
    above = [one for one, *_ in seen if path == one or path.startswith(f"{one}/")]
    nearest = max(above, key=len, default="")
    return [Entry(one, key, seldom, one == nearest) for one, key, seldom in seen]


def _seen(person: Person, places: Sequence[Place]) -> Iterator[tuple[str, str, bool]]:
    for view, path, key in CALLS:
        if may(person, view):
            yield path, key, False
    for place in places:
        if place.seen_by(person):
            yield place.path, place.key, place.seldom
    yield HELP
