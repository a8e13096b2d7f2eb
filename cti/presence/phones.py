"""How does each person stand, by what the PBXs say of phones and queues? And since when? Pure.

    Standings   facts in, a standing out: the latest that each PBX said, over all of one's phones
    Diary       standings in, changes out: gapless intervals per person, in order

What is not known is said to be unknown: a PBX that is not heard tells nothing of its phones.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cti.people.rules import Device, Directory, Person
from cti.presence.states import AgentState, Interval, Source
from cti.value import value

AUTOPAUSE: Final = "Auto-Pause"
"""The reason of a pause that the queue made by itself (app_queue.c)."""
NO_QUEUE: Final = "no_queue"
"""The cause of being available where no queue would ask."""
NOT_STORED: Final = "not stored"
"""The cause of being unknown because what was known could not be kept."""

_OF: Final[Mapping[str, AgentState]] = {
    "NOT_INUSE": AgentState.AVAILABLE,
    "INUSE": AgentState.BUSY_ELSEWHERE,
    "BUSY": AgentState.BUSY_ELSEWHERE,
    "ONHOLD": AgentState.BUSY_ELSEWHERE,
    "RINGING": AgentState.RINGING,
    "RINGINUSE": AgentState.RINGING,
    "UNAVAILABLE": AgentState.UNREACHABLE,
    "INVALID": AgentState.UNREACHABLE,
}
_GONE: Final = "Removed"
_ANSWERS: Final = "Reachable"
_MOMENT: Final = timedelta(microseconds=1)


@value
class Standing:
    """How somebody stands, and how that is known."""

    state: AgentState
    source: Source
    cause: str = ""


@dataclass(slots=True)
class _Phone:
    state: AgentState = AgentState.UNKNOWN
    contacts: dict[str, str] = field(default_factory=dict)
    signed_off: bool = False
    turn: int = 0
    """Counts up: the phone of the highest turn changed last."""


@dataclass(slots=True)
class _Pbx:
    phones: dict[str, _Phone] = field(default_factory=dict)
    pauses: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Interface to queue to the reason of the pause; None: a member who is not paused."""


class Standings:
    """What the PBXs said last. A PBX is heard from `synced` to `lost`."""

    def __init__(self) -> None:
        self._pbxs: dict[str, _Pbx] = {}
        self._turn = 0

    def lost(self, pbx: str) -> None:
        """Know nothing of a PBX any more."""
        self._pbxs.pop(pbx, None)

    def synced(
        self,
        pbx: str,
        devices: Iterable[tuple[str, str]],
        members: Iterable[tuple[str, str, bool, str]],
    ) -> None:
        """Know a PBX anew: (device, state), (queue, interface, paused, reason)."""
        self._pbxs[pbx] = _Pbx()
        for name, state in devices:
            self.device(pbx, name, state)
        for queue, interface, paused, reason in members:
            self.member(pbx, queue, interface, paused=paused, reason=reason)

    def device(self, pbx: str, name: str, state: str) -> None:
        """Take a device's state, in the PBX's word."""
        if (phone := self._phone(pbx, name)) is not None:
            now = _OF.get(state, AgentState.UNKNOWN)
            if now is not AgentState.UNREACHABLE:
                phone.signed_off = False
            if now is not phone.state:
                phone.state = now
                self._touch(phone)

    def contact(self, pbx: str, name: str, contact: str, status: str) -> None:
        """Take where a phone is registered, in the PBX's word.

        A place that answered when it was last asked and is removed was signed off by its phone;
        one that did not answer, or that nobody asks (`qualify_frequency = 0`), may as well have
        run out, and that is no act of the agent's. Seen on Asterisk 22: both say `Removed`.
        """
        if (phone := self._phone(pbx, name)) is None:
            return
        if status == _GONE:
            answered = phone.contacts.pop(contact, "") == _ANSWERS
            phone.signed_off = answered and not phone.contacts
        else:
            phone.contacts[contact] = status
            phone.signed_off = False
        self._touch(phone)

    def member(self, pbx: str, queue: str, interface: str, *, paused: bool, reason: str) -> None:
        """Take that a phone is a member of a queue, paused or not."""
        if (known := self._pbxs.get(pbx)) is not None:
            known.pauses.setdefault(interface, {})[queue] = reason if paused else None

    def no_member(self, pbx: str, queue: str, interface: str) -> None:
        """Take that a phone is no member of a queue any more."""
        if (known := self._pbxs.get(pbx)) is not None:
            known.pauses.get(interface, {}).pop(queue, None)

    def of(self, person: Person) -> Standing | None:
        """Say how somebody stands; None: has left, or has no phone.

        Busy before ringing before a pause of one's own before being away before a pause of the
        queue's; of phones that are all away the one that changed last tells why.
        """
        if not person.active or not person.devices:
            return None
        for device in person.devices:
            if device.pbx not in self._pbxs:
                return Standing(state=AgentState.UNKNOWN, source=Source.LINK, cause=device.pbx)
        phones = {device: found for device in person.devices if (found := self._find(device))}
        for state in (AgentState.BUSY_ELSEWHERE, AgentState.RINGING):
            for device, phone in phones.items():
                if phone.state is state:
                    return Standing(state=state, source=Source.DEVICE, cause=device.name)
        return self._at_rest(person, phones)

    def _at_rest(self, person: Person, phones: Mapping[Device, _Phone]) -> Standing:
        pauses = {
            (queue, reason)
            for device in person.devices
            for queue, reason in self._pbxs[device.pbx].pauses.get(device.name, {}).items()
        }
        own = sorted((q, why) for q, why in pauses if why is not None and why != AUTOPAUSE)
        if own:
            cause = "; ".join(f"{queue}: {why}" if why else queue for queue, why in own)
            return Standing(
                state=AgentState.PAUSE_UNAPPROVED, source=Source.QUEUE, cause=cause[:200]
            )
        if all(phone.state is not AgentState.AVAILABLE for phone in phones.values()):
            return _away(phones)
        if any(why == AUTOPAUSE for _, why in pauses):
            return Standing(state=AgentState.PBX_AUTOPAUSE, source=Source.QUEUE, cause=AUTOPAUSE)
        return Standing(
            state=AgentState.AVAILABLE,
            source=Source.DEVICE,
            cause="" if pauses else NO_QUEUE,
        )

    def _find(self, device: Device) -> _Phone | None:
        return self._pbxs[device.pbx].phones.get(device.name)

    def _phone(self, pbx: str, name: str) -> _Phone | None:
        known = self._pbxs.get(pbx)
        return None if known is None else known.phones.setdefault(name, _Phone())

    def _touch(self, phone: _Phone) -> None:
        self._turn += 1
        phone.turn = self._turn


def _away(phones: Mapping[Device, _Phone]) -> Standing:
    """Say why none of these phones can be reached."""
    away = [one for one in phones.items() if one[1].state is AgentState.UNREACHABLE]
    if not away:
        return Standing(state=AgentState.UNKNOWN, source=Source.DEVICE)
    device, last = max(away, key=lambda one: one[1].turn)
    state = AgentState.LOGGED_OUT if last.signed_off else AgentState.UNREACHABLE
    return Standing(state=state, source=Source.DEVICE, cause=device.name)


@value
class Entry:
    """One interval as it is kept, under an id of its own."""

    id: str
    interval: Interval


@value
class Change:
    """Somebody's open interval ends at `at`, and `entry` begins; None: nothing begins.

    Keeping the same changes again, in their order, changes nothing.
    """

    person: str
    at: datetime
    entry: Entry | None


class Diary:
    """Everybody's open interval. Each next one begins later than the one before, whatever a
    clock says: so the intervals of a person never overlap, and none is told twice."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self.open: dict[str, Entry] = {}

    def resume(self, entries: Iterable[Entry]) -> None:
        """Go on with the intervals that were open when the program stopped, or was killed."""
        self.open = {entry.interval.person: entry for entry in entries}

    def note(self, person: str, standing: Standing | None, at: datetime) -> Change | None:
        """Take how somebody stands from an instant on; give the change, None if there is none."""
        known = self.open.get(person)
        if known is None:
            return None if standing is None else self._begin(person, standing, at)
        at = max(at, known.interval.began_at + _MOMENT)
        if standing is None:
            del self.open[person]
            return Change(person=person, at=at, entry=None)
        if standing == _standing(known.interval):
            return None
        return self._begin(person, standing, at)

    def unkept(self, person: str, since: datetime, at: datetime) -> list[Change]:
        """Begin anew after what was known since an instant could not be kept: it is unknown."""
        known = self.open.get(person)
        if known is None:
            return [Change(person=person, at=since, entry=None)]
        nothing = Standing(state=AgentState.UNKNOWN, source=Source.LINK, cause=NOT_STORED)
        hole = self._begin(person, nothing, since)
        return [
            hole,
            self._begin(person, _standing(known.interval), max(at, since + _MOMENT)),
        ]

    def _begin(self, person: str, standing: Standing, at: datetime) -> Change:
        interval = Interval(
            person=person,
            state=standing.state,
            began_at=at,
            ended_at=None,
            source=standing.source,
            cause=standing.cause,
        )
        entry = self.open[person] = Entry(id=self._new_id(), interval=interval)
        return Change(person=person, at=at, entry=entry)


def _standing(interval: Interval) -> Standing:
    return Standing(state=interval.state, source=interval.source, cause=interval.cause)


def people_of(directory: Directory, pbx: str) -> list[Person]:
    """List who has a phone on a PBX."""
    return [
        person
        for person in directory.people.values()
        if any(device.pbx == pbx for device in person.devices)
    ]
