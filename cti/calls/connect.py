"""Who was connected with the customer, and when? Bridges, seen through Local halves.

Being up is not being connected (R6): a talk needs both in one bridge that is no holding bridge.
Sharing a bridge makes nobody part of a call (I4): only legs of the call are looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cti.calls.facts import Leg, Moment, earlier

NOBODY: Final = (
    "Local/",
    "Announcer/",
    "CBAnn/",
    "CBRec/",
    "Recorder/",
    "Message/",
    "Surrogate/",
    "Snoop/",
    "UnicastRTP/",
    "MulticastRTP/",
    "AudioSocket/",
    "WebSocket/",
)
"""Channel technologies that are no person's phone."""
_DEPTH: Final = 6


class Stay(NamedTuple):
    """A leg in a bridge; an end that was not seen is None."""

    bridge: str
    began: Moment | None
    ended: Moment | None


@dataclass(frozen=True, slots=True)
class Talk:
    """The customer's leg and another, connected. Times are None where they were not seen."""

    customer: Leg
    leg: Leg
    began: Moment | None
    ended: Moment | None
    seen: Moment


def stays_of(leg: Leg) -> list[Stay]:
    """Pair a leg's ins and outs, per bridge, in the order of time; holding bridges left out."""
    found: list[Stay] = []
    inside: dict[str, Moment] = {}
    holding = {step.bridge for step in leg.steps if step.kind == "holding"}
    for when, bridge, entered, _ in sorted(leg.steps) if len(leg.steps) > 1 else leg.steps:
        if bridge in holding:
            continue
        if entered:
            inside.setdefault(bridge, when)
        else:
            found.append(Stay(bridge, inside.pop(bridge, None), when))
    if inside:
        found += [Stay(bridge, began, leg.gone) for bridge, began in inside.items()]
    return found


def talks_of(customers: Sequence[Leg], legs: Sequence[Leg]) -> list[Talk]:
    """Find every talk of a call, in the order of their beginnings."""
    stays = {leg.id: stays_of(leg) for leg in legs if leg.steps}
    if not stays:
        return []
    rooms = _rooms(legs, stays)
    halves = {leg.channel: leg for leg in legs if leg.local}
    found: list[Talk] = []
    for customer in customers:
        for stay in stays.get(customer.id, ()):
            for leg, began, ended in _reached(stay, rooms, halves, {customer.id}, _DEPTH):
                if leg not in customers and not leg.channel.startswith(NOBODY):
                    found.append(Talk(customer, leg, began, ended, leg.first))
    if len(found) > 1:
        found = _joined_up(found)
        found.sort(key=lambda talk: (talk.began or talk.seen, talk.seen))
    return found


def _reached(
    stay: Stay,
    rooms: dict[str, list[tuple[Leg, Stay]]],
    halves: dict[str, Leg],
    passed: set[str],
    depth: int,
) -> Iterator[tuple[Leg, Moment | None, Moment | None]]:
    """Walk from one leg's stay to all it could hear, through Local halves."""
    for leg, other in rooms.get(stay.bridge, ()):
        if leg.id in passed:
            continue
        began, ended = _both(stay, other)
        if began and ended and began > ended:
            continue
        yield leg, began, ended
        half = halves.get(leg.other_half) if leg.local else None
        if half is None or half.id in passed or depth == 0:
            continue
        for further in stays_of(half):
            narrowed = Stay(further.bridge, *_both(Stay("", began, ended), further))
            if narrowed.began and narrowed.ended and narrowed.began > narrowed.ended:
                continue
            yield from _reached(narrowed, rooms, halves, passed | {leg.id, half.id}, depth - 1)


def _both(one: Stay, two: Stay) -> tuple[Moment | None, Moment | None]:
    """Give the time common to two stays; an unseen begin or end stays unseen."""
    began = None if one.began is None or two.began is None else max(one.began, two.began)
    return began, earlier(one.ended, two.ended)


def _joined_up(talks: Sequence[Talk]) -> list[Talk]:
    """Drop a talk that repeats another of the same leg at the same time (a way round a Local)."""
    found: dict[tuple[str, str, Moment | None], Talk] = {}
    for talk in talks:
        found.setdefault((talk.customer.id, talk.leg.id, talk.began), talk)
    return list(found.values())


def _rooms(
    legs: Sequence[Leg], stays: Mapping[str, Sequence[Stay]]
) -> dict[str, list[tuple[Leg, Stay]]]:
    rooms: dict[str, list[tuple[Leg, Stay]]] = {}
    for leg in legs:
        for stay in stays.get(leg.id, ()):
            rooms.setdefault(stay.bridge, []).append((leg, stay))
    return rooms


def alone(legs: Sequence[Leg]) -> Iterator[Talk]:
    """Find what survives of a talk whose other side was lost: a basic bridge with one known leg.

    In a whole stream such a bridge has a second channel of the call, be it a Local's half.
    """
    basic = {step.bridge for leg in legs for step in leg.steps if step.kind == "basic"}
    stays = {leg.id: stays_of(leg) for leg in legs if leg.steps}
    for bridge, room in _rooms(legs, stays).items():
        if bridge in basic and len({leg.id for leg, _ in room}) == 1:
            leg, stay = room[0]
            if not leg.channel.startswith(NOBODY):
                yield Talk(leg, leg, stay.began, stay.ended, leg.first)
