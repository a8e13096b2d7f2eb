"""Who follows the phones and writes down how everybody stood? In order, and never in the way.

    PBX ─▶ switchboard ─fact─▶ Standings ─standing─▶ Diary ─change─▶ writer ─commit─▶ agent_states

A reader of a PBX tells of each fact and goes on at once. What cannot be taken because too much
waits to be stored is not known later: that time is written down as unknown.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from cti.clock import Clock
from cti.db.schema import new_id
from cti.errors import StoreUnavailable
from cti.pbx.events import ContactChanged, DeviceChanged, MemberChanged
from cti.pbx.snapshot import Snapshot
from cti.people.rules import Directory, Person
from cti.presence.phones import Change, Diary, Entry, Standings, people_of
from cti.presence.states import Interval

log = structlog.get_logger(__name__)

AGAIN: Final = 5.0
"""Seconds after which what could not be taken is tried again."""


class Pen(Protocol):
    """What takes changes to the store: a `Writer`."""

    def put(self, batch: Sequence[Change], *, soon: bool) -> None:
        """Take changes to be stored in one transaction; `soon`: somebody waits for it.

        Raises `StoreUnavailable` (store_full).
        """
        ...


class Watch:
    """Follows the phones of every PBX. See `cti.calls.switchboard.Follower`."""

    def __init__(self, *, pen: Pen, directory: Directory, clock: Clock) -> None:
        self._pen, self._directory, self._clock = pen, directory, clock
        self._standings = Standings()
        self._diary = Diary(lambda: new_id(clock.now()))
        self._unkept: dict[str, datetime] = {}

    def resume(self, entries: Iterable[Entry], heard: Mapping[str, datetime]) -> None:
        """Go on with the intervals that were open when the program stopped or was killed.

        `heard` tells until when each PBX was heard. From then on nothing is known of whoever has
        a phone there, until it is heard again.
        """
        self._diary.resume(entries)
        now = self._clock.now()
        for who in list(self._diary.open):
            person = self._directory.by_id(who)
            told = [heard[d.pbx] for d in person.devices if d.pbx in heard] if person else []
            standing = self._standings.of(person) if person else None
            change = self._diary.note(who, standing, min(told, default=now))
            self._put([change] if change else [])
        self.people(self._directory)

    def now(self) -> Mapping[str, Interval]:
        """Give how each person stands, and since when."""
        return {person: entry.interval for person, entry in self._diary.open.items()}

    def heard(
        self, pbx: str, fact: DeviceChanged | MemberChanged | ContactChanged, at: datetime
    ) -> None:
        """Take what was said of a phone; `at` by the PBX's clock."""
        match fact:
            case DeviceChanged():
                self._standings.device(pbx, fact.device, fact.state)
            case ContactChanged():
                self._standings.contact(pbx, fact.device, fact.contact, fact.status)
            case MemberChanged(present=False):
                self._standings.no_member(pbx, fact.queue, fact.interface)
            case MemberChanged():
                paused, reason = fact.paused, fact.reason
                self._standings.member(
                    pbx, fact.queue, fact.interface, paused=paused, reason=reason
                )
        name = fact.interface if isinstance(fact, MemberChanged) else fact.device
        owner = self._directory.by_device(pbx, name)
        if owner is not None:
            self._look([owner], at)

    def lost(self, pbx: str, at: datetime) -> None:
        """Take that nothing was heard of a PBX since an instant."""
        self._standings.lost(pbx)
        self._look(people_of(self._directory, pbx), at)

    def synced(self, pbx: str, taken: Snapshot, at: datetime) -> None:
        """Take a PBX as it is now."""
        self._standings.synced(pbx, taken.devices, taken.members)
        self._look(people_of(self._directory, pbx), at)

    def people(self, directory: Directory) -> None:
        """Take a new list of people and their phones."""
        gone = [who for who in self._diary.open if directory.by_id(who) is None]
        self._directory = directory
        now = self._clock.now()
        self._put([change for who in gone if (change := self._diary.note(who, None, now))])
        self._look(directory.people.values(), now)

    async def run(self) -> None:
        """Try again now and then what could not be taken, for ever. One task."""
        while True:
            await asyncio.sleep(AGAIN)
            if self._unkept:
                self._put([])

    def _look(self, people: Iterable[Person], at: datetime) -> None:
        noted = [self._diary.note(one.id, self._standings.of(one), at) for one in people]
        self._put([change for change in noted if change])

    def _put(self, changes: Sequence[Change]) -> None:
        """Hand changes on; those that are not taken leave a hole that says so."""
        if self._unkept:
            changes = self._with_holes(changes)
        try:
            self._pen.put(changes, soon=False)
        except StoreUnavailable as fault:
            if not self._unkept:
                log.error("presence_not_stored", why=fault.what)
            for change in changes:
                self._unkept.setdefault(change.person, change.at)
        else:
            self._unkept.clear()

    def _with_holes(self, changes: Sequence[Change]) -> list[Change]:
        now = max([self._clock.now(), *(change.at for change in changes)])
        return [
            *(change for change in changes if change.person not in self._unkept),
            *(
                change
                for who, since in self._unkept.items()
                for change in self._diary.unkept(who, since, now)
            ),
        ]
