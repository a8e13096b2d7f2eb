"""One point of the check: what was looked at, how it is, what it costs, what to do. Plain values.

ok       as it should be
wrong    there, and not as it should be
missing  not there, and needed
unseen   not to be seen from here, or not judged
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

State = Literal["ok", "wrong", "missing", "unseen"]

WORDS: Final[dict[State, str]] = {
    "ok": "ok",
    "wrong": "WRONG",
    "missing": "MISSING",
    "unseen": "not seen",
}
AREAS: Final = {
    "link": "Connection",
    "pbx": "The PBX",
    "write": "What the account may do (write)",
    "read": "What the account hears (read)",
    "dial": "Dialplan, trunks, queues and phones",
    "conf": "Configuration files",
    "files": "Recordings",
}
NOT_OVER_AMI: Final = "not visible over AMI"
_VERDICTS: Final = (
    "Nothing wrong was found",
    "This PBX needs attention",
    "cti cannot log in to this PBX",
)
_NO_ENTRY: Final = ("link.reachable", "link.login")
_WIDEST: Final = 34
_WEIGHT: Final[dict[State, int]] = {"unseen": 0, "ok": 1, "wrong": 2, "missing": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one look found. `key` is stable: its area, a full stop, and a name."""

    key: str
    what: str
    state: State
    found: str
    why: str = ""
    """What it costs as it is; empty when all is well."""
    todo: str = ""

    def hidden(self, secrets: Iterable[str]) -> "Point":
        """Give the point without these texts: none of them may be shown."""
        found, why, todo = self.found, self.why, self.todo
        for secret in secrets:
            found, why, todo = (text.replace(secret, "***") for text in (found, why, todo))
        return replace(self, found=found, why=why, todo=todo)

    def as_dict(self) -> dict[str, str]:
        """Give it as JSON wants it."""
        return {
            "key": self.key,
            "what": self.what,
            "state": self.state,
            "found": self.found,
            "why": self.why,
            "todo": self.todo,
        }


def good(key: str, what: str, found: str) -> Point:
    """Say that something is as it should be."""
    return Point(key=key, what=what, state="ok", found=found)


def unseen(key: str, what: str, found: str = NOT_OVER_AMI) -> Point:
    """Say that something cannot be seen from here, or is not judged."""
    return Point(key=key, what=what, state="unseen", found=found)


def merged(asked: Sequence[Point], read: Sequence[Point]) -> list[Point]:
    """Put what was asked and what was read in files together, each key once.

    Of two that differ the worse counts: what a file says may not be in force yet, and what is in
    force may not outlive a reload. Points stand by area.
    """
    found = {point.key: point for point in read}
    for point in asked:
        other = found.get(point.key)
        if other is None or _WEIGHT[point.state] >= _WEIGHT[other.state]:
            found[point.key] = point
    order = {key: place for place, key in enumerate(dict.fromkeys(p.key for p in [*asked, *read]))}
    areas = list(AREAS)
    return sorted(
        found.values(), key=lambda p: (areas.index(p.key.partition(".")[0]), order[p.key])
    )


def exit_code(points: Iterable[Point]) -> int:
    """Give 0: nothing is wrong; 1: something is wrong or missing; 2: no way in."""
    bad = [point for point in points if point.state in ("wrong", "missing")]
    if any(point.key in _NO_ENTRY for point in bad):
        return 2
    return 1 if bad else 0


def lines(title: str, points: Sequence[Point]) -> list[str]:
    """Write the points for a terminal, with a sentence at the end."""
    width = min(_WIDEST, max((len(point.what) for point in points), default=0))
    told, area = [title], ""
    for point in points:
        if point.key.partition(".")[0] != area:
            area = point.key.partition(".")[0]
            told += ["", AREAS[area]]
        told.append(f"  {WORDS[point.state]:<9} {point.what:<{width}}  {point.found}")
        indent = " " * (width + 14)
        told += [f"{indent}why: {point.why}"] if point.why else []
        told += [f"{indent}do:  {point.todo}"] if point.todo else []
    return [*told, "", summary(points)]


def summary(points: Sequence[Point]) -> str:
    """Say in a sentence how it stands."""
    count = {state: sum(point.state == state for point in points) for state in WORDS}
    figures = f"{count['ok']} ok, {count['wrong']} wrong, {count['missing']} missing"
    figures += f", {count['unseen']} not seen"
    if any(point.found == NOT_OVER_AMI for point in points):
        figures += "; --asterisk-etc DIR shows more"
    return f"{_VERDICTS[exit_code(points)]}: {figures}."
