"""Who may hear which recording, take it away, or write beside it? Pure. Asked with every request.

An agent hears his own calls where the house allows it; supervisors, managers and owners all;
the auditor all, and changes nothing; the technician none (requirements 22.4, REC-06).
"""

from collections.abc import Collection
from typing import Final

from cti.house import RecordingRules
from cti.people.rules import Person, Right
from recordings.record import Marker, Recording

ALL: Final = (Right.REVIEW, Right.AUDIT)
"""Whoever has one of these hears all."""
ANY: Final = (*ALL, Right.OWN_WORK)
"""Whoever has none of these hears nothing."""


def hears_all(person: Person) -> bool:
    """Tell whether somebody hears every recording."""
    return any(map(person.may, ALL))


def may_hear(
    person: Person, one: Recording, concerned: Collection[str], rules: RecordingRules
) -> bool:
    """Tell whether somebody may hear a recording. `concerned` are the people of its call.

    One that has an agent is his alone, whoever else was in the call: after a transfer the part
    of a colleague is the colleague's.
    """
    if hears_all(person):
        return True
    if not rules.agents_listen or not person.may(Right.OWN_WORK):
        return False
    return person.id == one.person if one.person else person.id in concerned


def may_take(person: Person, rules: RecordingRules) -> bool:
    """Tell whether somebody may take a file away of what he may hear."""
    return person.role in rules.download and any(map(person.may, ANY))


def may_pause(person: Person, rules: RecordingRules) -> bool:
    """Tell whether the house lets somebody of this role pause a recording."""
    return person.role in rules.pause_by


def holds_or_leads(person: Person, *, holds: bool) -> bool:
    """Tell whether a live call's recording is somebody's to control.

    Of whoever talks in it, and of those who lead (22.4).
    """
    return person.may(Right.REVIEW) or (holds and person.may(Right.OWN_WORK))


def may_unmark(person: Person, one: Marker) -> bool:
    """Tell whether somebody may take a comment away: his own, and who looks after the work any."""
    return person.may(Right.REVIEW) or (person.may(Right.OWN_WORK) and one.person == person.id)


def may_mark(person: Person) -> bool:
    """Tell whether somebody may write a comment beside what he may hear."""
    return person.may(Right.OWN_WORK) or person.may(Right.REVIEW)
