"""Who hears what, and is it written down? Between the pages on one side, store and storage on
the other.

Rights are asked with every request. What was heard, taken away or listed is in the audit before
the first byte leaves the house (REC-06).
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Final, Protocol, TypeVar

import structlog

from cti.clock import Clock
from cti.db.schema import new_id
from cti.errors import CtiError, Refused
from cti.house import RecordingRules
from cti.people.rules import Person, checked_text
from cti.value import value
from recordings.access import hears_all, may_hear, may_mark, may_take, may_unmark
from recordings.audio import EAGER, Codec, Piece, Sound, looked, pieces
from recordings.passes import LASTS, Pass, Passes
from recordings.record import Consent, Marker, Recording
from recordings.store import RecordingStore
from recordings.wave import Gap, gaps, paths, place

log = structlog.get_logger(__name__)
T = TypeVar("T")

TEXT_LIMIT: Final = 500
REASON_LIMIT: Final = 500
MARKERS: Final = 200
"""Comments that one recording may have."""
THREADS: Final = 8
AHEAD: Final = 2
"""So many pieces are made while one is on its way: the cores are the browser's as well."""
DEAR: Final = (Codec.GSM, Codec.WAV49)
BEGINNINGS: Final = 256
"""Parts of beginnings that are remembered: some 20 MB."""
KNOWN: Final = 256
"""Heads of files that are remembered: who moves about in an hour asks for it many times."""


class Reader(Protocol):
    """What is kept at a place. Blocks."""

    @property
    def size(self) -> int:
        """Give the bytes of the content."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Give a part of it."""
        ...


class Sounds(Protocol):
    """Where the sound lies (`recordings.storage`)."""

    def open(self, place: str) -> AbstractContextManager[Reader]:
        """Open what is kept at a place. Raises `Unavailable`."""
        ...


class Concerned(Protocol):
    """Whose call is it?"""

    async def __call__(self, calls: Collection[str]) -> Mapping[str, Collection[str]]:
        """Give the people whom calls concern, by call."""
        ...


@value
class Shown:
    """One recording as a page shows it to one person. `address` is empty where nothing plays."""

    it: Recording
    address: str
    waves: Sequence[str]
    gaps: Sequence[Gap]
    markers: Sequence[tuple[Marker, int]]
    """Each with its place on the drawing."""
    may_unmark: Collection[str]
    """The comments that this person may take away."""
    consent: Consent | None
    may_mark: bool
    may_take: bool


@value
class Asked:
    """Which recordings: of a call, a customer, an agent, or all; from before one of them on."""

    call: str = ""
    customer: str = ""
    person: str = ""
    before: str = ""


class Threads:
    """Threads for listening alone: who listens waits for no collector, and a storage that is slow
    holds up nobody else."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "listening")

    async def run(self, work: Callable[..., T], *given: object) -> T:
        """Let one of them do something that blocks."""
        return await self.begin(work, *given)

    def begin(self, work: Callable[..., T], *given: object) -> asyncio.Future[T]:
        """Let one of them begin with something that blocks; it is done whoever waits for it."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *given)


class Ahead:
    """Pieces that are being made while those before them are sent, in order.

    It is begun at once, and must be ended: what threads are about needs the file.
    """

    def __init__(
        self, pieces: Iterable[Piece], make: Callable[[Piece], asyncio.Future[bytes]]
    ) -> None:
        self._pieces, self._make = iter(pieces), make
        self._making: deque[asyncio.Future[bytes]] = deque()
        self._fill()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each as it is made. Raises what making it raised."""
        while self._making:
            made = await asyncio.shield(self._making[0])
            self._making.popleft()
            self._fill()
            yield made

    async def end(self) -> None:
        """Wait for what threads are about; whatever comes of it."""
        if self._making:
            await asyncio.shield(asyncio.gather(*self._making, return_exceptions=True))

    def _fill(self) -> None:
        for piece in islice(self._pieces, AHEAD - len(self._making)):
            self._making.append(self._make(piece))


class Beginnings:
    """How recordings begin that are dear to decode, made while somebody looks at their page.

    Known by place and part; the oldest go. Threads come here.
    """

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._one = Lock()

    def get(self, place: str, piece: Piece) -> bytes | None:
        """Give a part that was made."""
        with self._one:
            return self._made.get((place, piece.first, piece.stop))

    def make(self, sounds: Sounds, place: str, name: str) -> None:
        """Make how the content at a place begins, if that is dear and was not done."""
        try:
            with sounds.open(place) as reader:
                sound = looked(reader.read, reader.size, name)
                if not sound.is_dear:
                    return
                for piece in pieces(sound, 0, min(EAGER, sound.sent_size)):
                    if self.get(place, piece) is None:
                        made = piece.sent(reader.read(piece.offset, piece.length))
                        self._put((place, piece.first, piece.stop), made)
        except CtiError as fault:
            log.debug("beginning_not_made", why=str(fault))  # who plays it is told

    def _put(self, key: tuple[str, int, int], made: bytes) -> None:
        with self._one:
            self._made[key] = made
            while len(self._made) > BEGINNINGS:
                self._made.popitem(last=False)


class Playing:
    """One content that is open, with the sound in it."""

    def __init__(
        self, sound: Sound, reader: Reader, threads: Threads, place: str, begins: Beginnings
    ) -> None:
        self.sound, self._reader, self._threads = sound, reader, threads
        self._place, self._begins = place, begins

    def ahead(self, pieces: Iterable[Piece]) -> "Ahead":
        """Begin to make of pieces what a browser gets, in order; some of them at once."""
        return Ahead(pieces, lambda piece: self._threads.begin(self._made, piece))

    async def raw(self, offset: int, length: int) -> bytes:
        """Read a part of the content as it is kept."""
        return await self._threads.run(self._reader.read, offset, length)

    @property
    def size(self) -> int:
        """The bytes of the content as it is kept."""
        return self._reader.size

    def _made(self, piece: Piece) -> bytes:
        known = self._begins.get(self._place, piece) if self.sound.is_dear else None
        return known or piece.sent(self._reader.read(piece.offset, piece.length))


class Listening:
    """Everything that a person may do with recordings by hearing."""

    def __init__(
        self,
        store: RecordingStore,
        sounds: Sounds,
        *,
        concerned: Concerned,
        rules: Callable[[], RecordingRules],
        clock: Clock,
        passes: Passes | None = None,
    ) -> None:
        self.store, self._sounds = store, sounds
        self._concerned, self._rules, self._clock = concerned, rules, clock
        self._passes = passes or Passes()
        self._threads, self._begins = Threads(), Beginnings()
        self._known: OrderedDict[tuple[str, str], Sound] = OrderedDict()

    # -- what a page shows

    async def one(self, recording: str, person: Person, address: str = "") -> Shown:
        """Give one recording. Raises `Refused` (no_such_recording)."""
        found = await self.allowed(recording, person)
        await self._note_listed([found], person, address)
        shown = await self._shown(found, person)
        if shown.address and found.format in DEAR:
            self._threads.begin(self._begins.make, self._sounds, found.place, found.source)
        return shown

    async def of_calls(
        self, calls: Collection[str], person: Person, address: str = ""
    ) -> dict[str, list[Shown]]:
        """Give those recordings of calls that somebody may hear, by call."""
        found = await self.store.of_calls(calls)
        if not found:
            return {}
        heard = await self._heard([one for ones in found.values() for one in ones], person)
        await self._note_listed(heard, person, address)
        shown: dict[str, list[Shown]] = {}
        for one in heard:
            shown.setdefault(str(one.call), []).append(await self._shown(one, person))
        return shown

    async def known(self, calls: Collection[str], person: Person) -> set[str]:
        """Give those calls of which somebody may hear a recording; nothing is told of it."""
        found = [one for ones in (await self.store.of_calls(calls)).values() for one in ones]
        return {str(one.call) for one in await self._heard(found, person) if one.playable}

    async def page(
        self, person: Person, asked: Asked, limit: int, address: str = ""
    ) -> tuple[list[Recording], str]:
        """List what somebody may hear, newest first; and where the next page begins, or "".

        Raises `Refused` (recordings_not_heard) where the house lets agents hear nothing.
        """
        if not hears_all(person) and not self._rules().agents_listen:
            raise Refused("recordings_not_heard", "the house does not let agents hear recordings")
        found = await self._asked(person, asked, limit + 1)
        more = found[limit - 1].id if len(found) > limit else ""
        heard = await self._heard([one for one in found[:limit] if one.place], person)
        await self._note_listed(heard, person, address)
        return heard, more

    async def refused(self, some: Sequence[Recording]) -> set[str]:
        """Give the calls of some recordings whose customers refused to be recorded."""
        found = await self.store.consents_of([one.call for one in some if one.call])
        return {call for call, consent in found.items() if consent.refused_at}

    async def _asked(self, person: Person, asked: Asked, limit: int) -> list[Recording]:
        before = asked.before or None
        if asked.call:
            return (await self.store.of_call(asked.call))[: limit - 1]
        if asked.customer:
            return await self.store.of_customer(asked.customer, before, limit)
        if asked.person or not hears_all(person):
            return await self.store.of_person(asked.person or person.id, before, limit)
        return await self.store.kept(before, limit)

    async def _heard(self, some: Sequence[Recording], person: Person) -> list[Recording]:
        rules = self._rules()
        calls = {one.call for one in some if one.call}
        people = {} if hears_all(person) or not calls else await self._concerned(calls)
        return [one for one in some if may_hear(person, one, people.get(one.call or "", ()), rules)]

    async def _shown(self, one: Recording, person: Person) -> Shown:
        length = one.duration_ms or 0
        pauses = await self.store.pauses_of(one.call) if one.call else []
        mine = [pause for pause in pauses if pause.recording in (None, one.id)]
        markers = await self.store.markers_of(one.id)
        return Shown(
            it=one,
            address=self.address(one, person) if one.playable else "",
            waves=paths(await self.store.peaks(one.id) or b"", one.channels),
            gaps=gaps(mine, one.began, length),
            markers=[(marker, place(marker.at_ms, length)) for marker in markers],
            may_unmark={marker.id for marker in markers if may_unmark(person, marker)},
            consent=(await self.store.consents_of([one.call])).get(one.call) if one.call else None,
            may_mark=may_mark(person) and one.playable,
            may_take=may_take(person, self._rules()) and one.playable,
        )

    async def _note_listed(self, some: Sequence[Recording], person: Person, address: str) -> None:
        """Note what was shown: by call, where there is one."""
        about: dict[str, dict[str, list[str]]] = {}
        for one in some:
            thing = f"call:{one.call}" if one.call else f"recording:{one.id}"
            about.setdefault(thing, {"recordings": []})["recordings"].append(one.id)
        if about:
            await self.store.note(
                "recordings_listed", about, who=person.id, at=self._clock.now(), address=address
            )

    # -- rights and passes

    async def allowed(self, recording: str, person: Person) -> Recording:
        """Give a recording that somebody may hear.

        Raises `Refused` (no_such_recording): who may not hear it is not told that it is there.
        """
        one = await self.store.get(recording)
        if not await self._heard([one], person):
            raise Refused("no_such_recording", "there is no such recording")
        return one

    def address(self, one: Recording, person: Person) -> str:
        """Give the address at which one person may hear a recording for a while."""
        length = timedelta(milliseconds=one.duration_ms or 0)
        made = self._passes.issue(one.id, person.id, self._clock.now() + LASTS + length)
        return f"/recordings/{one.id}/audio?pass={made}"

    async def renewed(self, recording: str, person: Person) -> str:
        """Give a new address, when the old one is over.

        Raises `Refused`: no_such_recording, recording_silent, and what `understood` raises.
        """
        one = await self.allowed(recording, person)
        async with self.opened(one):
            return self.address(one, person)

    def checked(self, text: str, recording: str, person: Person) -> Pass:
        """Read a pass. Raises `Refused` (recording_pass)."""
        return self._passes.read(text, recording, person.id, self._clock.now())

    # -- hearing

    @asynccontextmanager
    async def opened(self, one: Recording) -> AsyncIterator[Playing]:
        """Open the sound of a recording.

        Raises `Refused` (recording_gone: deleted; recording_silent: nothing there; and what
        `understood` raises), and `Unavailable` while the storage is away.
        """
        if one.gone_at is not None:
            raise Refused("recording_gone", "this recording was deleted", why=one.gone_reason)
        if not one.playable:
            raise Refused("recording_silent", "this recording has no sound, or none any more")
        kept = self._sounds.open(one.place)
        reader = await self._threads.run(kept.__enter__)
        try:
            sound = await self._sound(one, reader)
            yield Playing(sound, reader, self._threads, one.place, self._begins)
        finally:
            await asyncio.shield(self._threads.run(kept.__exit__, None, None, None))

    async def _sound(self, one: Recording, reader: Reader) -> Sound:
        key = (one.place, one.source)
        if key not in self._known:
            self._known[key] = await self._threads.run(looked, reader.read, reader.size, one.source)
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    async def note_play(self, one: Recording, used: Pass, person: Person, address: str) -> None:
        """Note that a recording is heard, once for each pass. Raises `Unavailable`: no play."""
        if self._passes.used_before(used):
            return
        try:
            await self._note(one, "recording_played", person, address)
        except BaseException:
            self._passes.unused(used)
            raise

    async def take(self, recording: str, person: Person, reason: str, address: str) -> Recording:
        """Let somebody take a file away; why is in the audit.

        Raises `Refused`: no_such_recording, recording_not_taken, bad_text.
        """
        one = await self.allowed(recording, person)
        if not may_take(person, self._rules()):
            raise Refused("recording_not_taken", "your role may not take recordings away")
        reason = checked_text("reason", reason, REASON_LIMIT, least=1)
        async with self.opened(one):
            await self._note(one, "recording_downloaded", person, address, reason)
        return one

    async def mark(
        self, recording: str, person: Person, at_ms: int, text: str, address: str = ""
    ) -> Marker:
        """Keep a comment at a moment of a recording.

        Raises `Refused`: no_such_recording, marker_right, marker_time, markers_full, bad_text.
        """
        one = await self.allowed(recording, person)
        if not may_mark(person):
            raise Refused("marker_right", "whoever only reads writes no comments")
        if not 0 <= at_ms <= (one.duration_ms or 0):
            raise Refused("marker_time", "the recording has no such moment")
        text = checked_text("text", text, TEXT_LIMIT, least=1)
        if len(await self.store.markers_of(one.id)) >= MARKERS:
            raise Refused("markers_full", "this recording has too many comments", n=MARKERS)
        now = self._clock.now()
        made = Marker(
            id=new_id(now), recording=one.id, at_ms=at_ms, person=person.id, text=text, made_at=now
        )
        await self.store.mark(made, address)
        return made

    async def unmark(self, recording: str, marker: str, person: Person, address: str = "") -> None:
        """Take a comment away. One that is gone already is gone.

        Raises `Refused`: no_such_recording, marker_not_yours.
        """
        one = await self.allowed(recording, person)
        there = [it for it in await self.store.markers_of(one.id) if it.id == marker]
        for found in there:
            if not may_unmark(person, found):
                raise Refused("marker_not_yours", "this comment is somebody else's")
            await self.store.unmark(found, who=person.id, at=self._clock.now(), address=address)

    async def _note(
        self, one: Recording, what: str, person: Person, address: str, reason: str = ""
    ) -> None:
        known = {"call": one.call, "sha256": one.sha256}
        at: datetime = self._clock.now()
        about = {f"recording:{one.id}": known}
        await self.store.note(what, about, who=person.id, at=at, reason=reason, address=address)
