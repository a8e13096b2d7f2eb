"""Who makes which visit? Those on duty, evenly, by whose customer it is, or by ability. Pure.

Requirements CB-13 to CB-16, and 19 (X4): a customer's owner first, if he is on duty; else the
others. Who gave a visit back today gets it again only if nobody else is on duty. All visits of
one customer that are shared together go to one person. The same facts always give the same
answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from fractions import Fraction
from typing import Final

from cti.value import value
from cti.visits.record import Visit

TOP: Final = 2
"""The ablest carries so many times what a beginner carries (`by_ability`)."""


@value
class Hand:
    """Somebody on duty who makes visits.

    `load` counts the customers that are his already; `ability` is, by rule, which part of such
    visits he brought to a good end lately, from 0 to 1.
    """

    person: str
    load: int = 0
    supervisor: bool = False
    department: str = ""
    ability: Mapping[str, Fraction] = field(default_factory=dict)


@value
class Sharing:
    """By what visits are shared: `balanced`, `owner` or `by_ability`.

    `owners` is whose each customer is, by id; `may_wait` the visits that may still wait for an
    owner who is not on duty; `given_back` who gave a visit back today, by its id.
    """

    how: str
    owners: Mapping[str, str]
    may_wait: frozenset[str] = frozenset()
    given_back: Mapping[str, frozenset[str]] = field(default_factory=dict)


def allocate(some: Iterable[Visit], hands: Sequence[Hand], sharing: Sharing) -> dict[str, str]:
    """Give who makes which visit, by its id; what nobody here may make is left out.

    Those whose customers have an owner on duty come first, so that the others even it out; then
    by deadline. A customer's later visits follow his first.
    """
    loads = {hand.person: hand.load for hand in hands}
    by_person = {hand.person: hand for hand in hands}
    given, found = dict[tuple[str, bool], str](), dict[str, str]()

    def order(one: Visit) -> tuple[bool, datetime, str]:
        return sharing.owners.get(one.customer) not in by_person, one.due_at, one.id

    for visit in sorted(some, key=order):
        for_supervisors = visit.by == "supervisor"
        back = sharing.given_back.get(visit.id, frozenset())
        fit = [hand for hand in hands if _fits(hand, visit, for_supervisors)]
        fit = [hand for hand in fit if hand.person not in back] or fit
        owner = sharing.owners.get(visit.customer, "")
        known = given.get((visit.customer, for_supervisors), owner)
        if known not in {hand.person for hand in fit}:
            waits = sharing.how == "owner" and visit.id in sharing.may_wait
            if not fit or (owner and waits and owner not in back):
                continue
            known = _lightest(fit, loads, visit, sharing.how)
        if (visit.customer, for_supervisors) not in given:
            loads[known] += 1
        given[visit.customer, for_supervisors] = known
        found[visit.id] = by_person[known].person
    return found


def _fits(hand: Hand, visit: Visit, for_supervisors: bool) -> bool:
    serves = not visit.department or hand.department in ("", visit.department)
    return hand.supervisor == for_supervisors and serves and hand.person != visit.avoid_agent


def _lightest(fit: Sequence[Hand], loads: Mapping[str, int], visit: Visit, how: str) -> str:
    """Give who carries least; by ability the able carry more before they count as laden."""

    def laden(hand: Hand) -> tuple[Fraction, str]:
        able = hand.ability.get(visit.rule, Fraction(0)) if how == "by_ability" else Fraction(0)
        return Fraction(loads[hand.person] + 1) / (1 + able * (TOP - 1)), hand.person

    return min(fit, key=laden).person
