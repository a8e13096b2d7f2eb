"""What is to be deleted, and is it away? By the house's rules, never while something holds it.

Two steps, so that the process may be killed between any two instructions:

    1. a tombstone over the row, with its audit, in one transaction: from then on nothing plays
    2. the file, when no recording needs it any more; then the row says that it is away

What was left by a process that was killed, or by `cti customers erase`, is taken up again.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.clock import Clock
from cti.db.schema import new_id
from cti.errors import CtiError, Refused
from cti.house import House
from cti.people.rules import Person, Right, checked_text
from recordings import rules
from recordings.record import Gone, Hold, Recording
from recordings.storage import Storage
from recordings.store import RecordingStore, Tomb

log = structlog.get_logger(__name__)

SWEEP_EVERY: Final = timedelta(days=1)
LOOK_EVERY: Final = 60.0
"""Seconds between two looks for what was left half done."""
AT_ONCE: Final = 200
REASON_LIMIT: Final = 500
BY_HAND: Final = "by_hand"
CTI: Final = "cti"


class Undecided(Protocol):
    """Where something may still be decided or appealed (`cti.penalties.store`)."""

    async def __call__(self, calls: Collection[str]) -> Mapping[str, str]:
        """Give those calls about which it may, each with what it is."""
        ...


class Known(Protocol):
    """One fact each: the direction of calls, the tier of customers."""

    async def __call__(self, some: Collection[str]) -> Mapping[str, str]:
        """Give the fact of those of whom it is known."""
        ...


class Keeper:
    """Deletes what is due, and knows what holds it. `run` is the one task that does."""

    def __init__(
        self,
        store: RecordingStore,
        storage: Storage,
        *,
        undecided: Mapping[str, Undecided],
        directions: Known,
        tiers: Known,
        house: Callable[[], House],
        clock: Clock,
        turn: asyncio.Lock | None = None,
    ) -> None:
        """`undecided` is what may hold a call, by the word for it.

        `turn` is had by whoever puts a content into the storage until its row is stored.
        """
        self._store, self._storage, self._undecided = store, storage, undecided
        self._directions, self._tiers = directions, tiers
        self._house, self._clock = house, clock
        self._turn = turn or asyncio.Lock()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Delete for ever what is due; a fault is told and tried again. Ends by being cancelled."""
        swept: datetime | None = None
        told = False
        while True:
            now = self._clock.now()
            try:
                if swept is None or now - swept >= SWEEP_EVERY:
                    await self.sweep()
                    swept = now
                else:
                    await self.finish()
                told = False
            except CtiError as fault:
                if not told:
                    log.error("recordings_not_deleted", code=fault.code, why=str(fault))
                told = True
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
            except TimeoutError:
                continue

    def hurry(self) -> None:
        """Let what has a tombstone be away soon."""
        self._wake.set()

    # -- deleting

    async def sweep(self) -> int:
        """Delete all that is due now, and what was left half done; count what is due.

        Doing it again does nothing.
        """
        await self.finish()
        now, house = self._clock.now(), self._house()
        before = now - rules.shortest_kept(house.recordings)
        tomb = Tomb(at=now, reason=Gone.RETENTION, policy=house.version, who=CTI)
        after, done, held = "", 0, 0
        while some := await self._store.old(before, after, AT_ONCE):
            after = some[-1].id
            over, holding = await self._due(some, now)
            held += holding
            if over:
                done += len(await self._store.bury([one.id for one in over], tomb))
                await self.finish()
        log.info("recordings_swept", deleted=done, held=held)
        return done

    async def finish(self) -> None:
        """Remove the files of what has a tombstone. Raises `StorageUnavailable`."""
        while True:
            async with self._turn:
                places = await self._store.buried(AT_ONCE)
                for place in places:
                    await asyncio.to_thread(self._storage.forget, place)
                    await self._store.emptied(place)
            if len(places) < AT_ONCE:
                return

    async def _due(self, some: Sequence[Recording], now: datetime) -> tuple[list[Recording], int]:
        """Give those whose time is over and that nothing holds, and count those that are held."""
        asked = self._house().recordings
        tiers = await self._tiers({one.customer for one in some if one.customer})
        calls = {one.call for one in some if one.call}
        directions = await self._directions(calls)

        def over(one: Recording, *, held: bool) -> bool:
            tier = tiers.get(one.customer or "", "")
            direction = directions.get(one.call or "", "")
            return rules.due(one, now, tier=tier, direction=direction, rules=asked, held=held)

        old = [one for one in some if over(one, held=False)]
        holding = await self.holds({one.call for one in old if one.call}, [one.id for one in old])
        free = [one for one in old if over(one, held=one.call in holding or one.id in holding)]
        return free, len(old) - len(free)

    # -- holding

    async def holds(
        self, calls: Collection[str], recordings: Collection[str] = ()
    ) -> dict[str, list[Hold]]:
        """Give all that holds the recordings of calls now, by call, and some recordings, by id."""
        now = self._clock.now()
        found = await self._store.held(calls, now, recordings)
        for why, ask in self._undecided.items():
            for call, ref in (await ask(calls)).items():
                found.setdefault(call, []).append(
                    Hold(id="", call=call, why=why, ref=ref, since=now, until=None, person=CTI)
                )
        return found

    async def kept_until(self, one: Recording) -> datetime:
        """Say until when the rules keep a recording, were nothing to hold it."""
        tiers = await self._tiers([one.customer] if one.customer else [])
        directions = await self._directions([one.call] if one.call else [])
        return rules.kept_until(
            one,
            tiers.get(one.customer or "", ""),
            directions.get(one.call or "", ""),
            self._house().recordings,
        )

    async def hold(
        self,
        call: str,
        person: Person,
        reason: str,
        until: datetime | None,
        address: str = "",
        *,
        recording: str | None = None,
    ) -> None:
        """Let a person hold the recordings of a call, until an instant or until it is lifted.

        Without a call it is the one `recording` that is held.

        Raises `Refused`: hold_right, bad_text, hold_over.
        """
        reason, now = self._checked(person, reason), self._clock.now()
        if until is not None and until <= now:
            raise Refused("hold_over", "a hold ends in the future")
        made = Hold(
            id=new_id(now),
            call=call,
            recording=recording,
            why=BY_HAND,
            ref="",
            since=now,
            until=until,
            person=person.id,
            reason=reason,
        )
        await self._store.hold(made, address)

    async def lift(self, hold: str, person: Person, reason: str, address: str = "") -> None:
        """End a hold that somebody made. Raises `Refused`: hold_right, bad_text, no_hold."""
        reason = self._checked(person, reason)
        await self._store.lift(
            hold, who=person.id, at=self._clock.now(), reason=reason, address=address
        )

    def _checked(self, person: Person, reason: str) -> str:
        if not person.may(Right.REVIEW):
            raise Refused("hold_right", "whoever looks after the work holds recordings")
        return checked_text("reason", reason, REASON_LIMIT, least=1)
