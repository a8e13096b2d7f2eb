"""To which call does each recording belong, and which call has none? Asks the calls, and judges.

What the PBX named on a call's channels is awaited from then on, and is the call's when it is
there. What nobody named is tried by its name and then by its time, for as long as the call may
still be on its way to the database; then it is an orphan. An orphan whose call turns up is linked.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from cti.calls.record import RecordedCall
from cti.db.schema import new_id
from cti.house import House
from recordings import names, rules
from recordings.names import Named
from recordings.record import Consent, Kind, NamedBy, Recording, State
from recordings.store import RecordingStore

NEWEST: Final = timedelta(minutes=5)
LOOK_BACK: Final = timedelta(days=1)
"""A call may last so long, or be stored so late."""
GUESS_AFTER: Final = timedelta(seconds=20)
"""So long after a file was kept its call is stored, if the PBX told of it at all."""
AGAIN: Final = timedelta(seconds=5)
AGAIN_FOR: Final = timedelta(hours=1)
"""So long an orphan is tried again by its name and time."""
CURSOR: Final = "calls"

File = tuple[str, str]
"""A PBX, and what it calls a file."""


class Calls(Protocol):
    """What is asked of the calls (`cti.calls.store.CallStore`)."""

    async def recorded(self, since: datetime, also: Collection[str] = ()) -> list[RecordedCall]:
        """Give the calls first seen at an instant or later, all that live, and `also` these."""
        ...

    async def recorded_on(self, pbx: str, uniqueid: str) -> list[RecordedCall]:
        """Give the calls that are over and had a channel with a Uniqueid."""
        ...

    async def recorded_between(
        self, pbx: str, began: datetime, ended: datetime
    ) -> list[RecordedCall]:
        """Give the calls of a PBX that meet a time."""
        ...


class Linker:
    """Ties recordings to calls. `pbxs` are those whose recordings are collected."""

    def __init__(
        self,
        store: RecordingStore,
        calls: Calls,
        pbxs: Collection[str],
        *,
        house: Callable[[], House],
    ) -> None:
        self._store, self._calls, self._pbxs, self._house = store, calls, set(pbxs), house
        self._known = dict[str, RecordedCall]()
        self._of_file = dict[File, RecordedCall]()
        self._tried = dict[str, datetime]()
        self._judged = set[str]()

    def writes(self, file: File) -> bool:
        """Say whether a call lives of which the PBX said that it writes this file."""
        call = self._of_file.get(file)
        return call is not None and not call.over

    async def follow(self, now: datetime, *, deep: bool) -> None:
        """Await what the PBX named in calls that live or were over of late.

        `deep`: all calls of the last day, since recordings were first collected.
        """
        since = now - NEWEST
        if deep:
            since = max(await self._first(now), now - LOOK_BACK)
        lived = [one.call for one in self._known.values() if not one.over]
        found = await self._calls.recorded(since, lived)
        some = [one for one in found if one.pbx in self._pbxs]
        changed = [one for one in some if self._known.get(one.call) != one]
        await self._await(changed, now)
        await self._tell([one for one in changed if one.over and one.files])
        if deep:
            self._known.clear()
            self._of_file.clear()
        for call in some:
            self._known[call.call] = call
            for file in call.files:
                self._of_file[call.pbx, names.stored(file)] = call

    async def _tell(self, calls: Sequence[RecordedCall]) -> None:
        """Keep how the customers of recorded calls were told that they are (REC-08)."""
        if calls:
            house = self._house().recordings
            await self._store.tell(
                Consent(call=one.call, told=rules.told(one.line, house, announced=one.announced))
                for one in calls
            )

    async def _first(self, now: datetime) -> datetime:
        """Give when recordings were first collected: no older call misses one."""
        found = await self._store.cursor(CURSOR)
        if found is None:
            await self._store.move_cursor(CURSOR, now, "")
            return now
        return found[0]

    async def _await(self, calls: Sequence[RecordedCall], now: datetime) -> None:
        for pbx in {one.pbx for one in calls}:
            named = [
                (one, names.stored(file)) for one in calls if one.pbx == pbx for file in one.files
            ]
            there = await self._store.latest(pbx, [source for _, source in named])
            some = list[Recording]()
            for call, source in named:
                before = there.get(source)
                if found := rules.awaited(call, source, before):
                    if before is None or found.take != before.take:
                        found = replace(found, id=new_id(now), seen_at=now)
                    there[source] = _stamped(found, now)
                    some.append(there[source])
            await self._store.keep(some)

    async def with_calls(self, some: Iterable[Recording], now: datetime) -> list[Recording]:
        """Give recordings as those of the calls that the PBX named them in, as far as it did."""
        given = list(some)
        absent = {one.call for one in given if one.call} - self._known.keys()
        asked = await self._calls.recorded(now, absent) if absent else []
        found = {one.call: one for one in asked}
        linked = list[Recording]()
        for one in given:
            named_in = self._of_file.get((one.pbx, one.source))
            if one.call and (named_in is None or named_in.call != one.call):
                named_in = self._known.get(one.call) or found.get(one.call)
            linked.append(rules.linked(one, named_in, NamedBy.EVENT) if named_in else one)
        return [_stamped(one, now) for one in linked]

    async def link(self, now: datetime, *, deep: bool) -> None:
        """Link what is stored and belongs to nothing yet; what nothing fits becomes an orphan."""
        asked = await self._store.unlinked([State.STORED])
        again = [State.DAMAGED, *([State.ORPHAN] if deep else [])]
        asked += await self._store.unlinked(again, now - AGAIN_FOR)
        done = list[Recording]()
        for one in asked:
            if now < self._tried.get(one.id, now):
                continue
            self._tried[one.id] = now + AGAIN
            found = await self._tried_on(one, now)
            if found != one:
                done.append(_stamped(found, now))
        await self._store.keep(done)
        if deep:
            self._tried = {one: at for one, at in self._tried.items() if at > now}

    async def _tried_on(self, one: Recording, now: datetime) -> Recording:
        age, named = now - one.seen_at, names.said(one.source, self._house().zone)
        old = one.ended is None or now - one.ended > LOOK_BACK
        call, by = await self._call_of(one, named, guess=old or age >= GUESS_AFTER)
        if call is not None:
            return rules.linked(one, call, by)
        if one.state is State.STORED and (old or age >= self._house().recordings.missing_after):
            return replace(one, state=State.ORPHAN)
        return one

    async def _call_of(
        self, one: Recording, named: Named, *, guess: bool
    ) -> tuple[RecordedCall | None, NamedBy]:
        began, ended = one.began or one.seen_at, one.ended or one.seen_at
        around = await self._calls.recorded_between(
            one.pbx, began - rules.SLACK, ended + rules.SLACK
        )
        for call in around:
            if any(names.stored(file) == one.source for file in call.files):
                return call, NamedBy.EVENT
        if named.uniqueid:
            had = await self._calls.recorded_on(one.pbx, named.uniqueid)
            if found := rules.by_name(named, had):
                return found, NamedBy.NAME
        if one.kind is Kind.VOICEMAIL:
            return rules.by_channel(one.channel, one.began, around), NamedBy.NAME
        return rules.by_overlap(one, named, around) if guess else None, NamedBy.OVERLAP

    async def judge(self, now: datetime, clear_since: datetime) -> None:
        """Tell which calls miss a recording (REC-07).

        `clear_since`: so long all that the PBX wrote could be kept; what came before may be on
        its way still.
        """
        house = self._house().recordings
        over = [
            one
            for one in self._known.values()
            if one.over
            and one.call not in self._judged
            and now - max(one.ended or one.began, clear_since) >= house.missing_after
        ]
        has = await self._store.of_calls([one.call for one in over])
        told, gone = list[Recording](), list[str]()
        for call in over:
            some = has.get(call.call, [])
            if not rules.should_have_one(call, house):
                gone += [one.id for one in some if one.awaited]
            elif not some:
                told.append(replace(rules.missing(call), id=new_id(now), seen_at=now))
            else:
                told += rules.lacking(some)
        await self._store.keep(told)
        await self._store.drop(gone)
        await self._tell([one for one in over if one.call in has])
        self._judged = (self._judged & self._known.keys()) | {one.call for one in over}


def _stamped(one: Recording, now: datetime) -> Recording:
    return replace(one, linked_at=now) if one.state is State.LINKED and not one.linked_at else one
