"""The one reader of a PBX: what it hears goes to the book, what the book decides to the store.

    Inbox ─frames─▶ translate ─event─▶ book ─effects─▶ one batch ─▶ writer ─commit─▶ desk ─push─▶

Nothing is awaited between hearing and deciding. That a phone rings is heard at once; all else
gathers in the inbox for a moment, for an answer or a hang-up comes piece by piece. A link's
loss and return are markers in the stream: the frames before a marker are heard before it. After
a return the PBX is asked for all that lives before any newer frame is heard.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti.calls.book import Book
from cti.calls.cards import SENT_ON, CardState, card_states, undecided_since
from cti.calls.desk import Desk, Found, Turn, Update
from cti.calls.effects import Close, Effect, Merge, Note, Show
from cti.calls.offers import agent_offers
from cti.calls.record import CallId, CallRecord, Direction
from cti.calls.store import Batch, Gap, Keeping
from cti.clock import Clock
from cti.customers.rules import Number, normal
from cti.db.schema import new_id
from cti.errors import CtiError, StoreUnavailable
from cti.pbx import snapshot
from cti.pbx.events import (
    ContactChanged,
    DeviceChanged,
    Event,
    LinkLost,
    MemberChanged,
    Passed,
    Resynced,
)
from cti.pbx.frames import Frame
from cti.pbx.inbox import Inbox
from cti.pbx.link import LinkState
from cti.pbx.translate import translate

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2_000
"""So many frames become one batch at the most, or a read's worth more."""
TICK: Final = 0.5
"""Time is told to the book once in so many seconds."""
AGAIN: Final = timedelta(seconds=5)
"""Ask for a snapshot again this long after one that failed."""
PATIENCE: Final = timedelta(seconds=10)
"""Wait so long for the acting session before frames are heard without a snapshot."""

LATE: Final = 0.25
"""A change that is not stored after so many seconds is shown before it is."""
SAY_HEARD: Final = timedelta(seconds=10)
"""Write down this often that the PBX is heard."""

Item = tuple[Batch, Turn]


class Pen(Protocol):
    """What takes batches to the store: a `Writer`."""

    def put(self, batch: Sequence[Item], *, soon: bool = True) -> None:
        """Take items to be stored in one transaction; `soon` if somebody waits for it."""
        ...

    async def room(self) -> None:
        """Wait until `put` would take something."""
        ...

    @property
    def troubled(self) -> bool:
        """Whether the store cannot be written now."""
        ...


PhoneFact = DeviceChanged | MemberChanged | ContactChanged


class Follower(Protocol):
    """Who else follows the phones of a PBX, in the order in which it tells of them."""

    def heard(self, pbx: str, fact: PhoneFact, at: datetime) -> None:
        """Take what was said of a phone; `at` by the PBX's clock. Never waits, never raises."""
        ...

    def lost(self, pbx: str, at: datetime) -> None:
        """Take that nothing was heard since an instant."""
        ...

    def synced(self, pbx: str, taken: snapshot.Snapshot, at: datetime) -> None:
        """Take the PBX as it is now."""
        ...


class Nobody:
    """Follows nothing."""

    def heard(self, pbx: str, fact: PhoneFact, at: datetime) -> None:
        """Do nothing."""

    def lost(self, pbx: str, at: datetime) -> None:
        """Do nothing."""

    def synced(self, pbx: str, taken: snapshot.Snapshot, at: datetime) -> None:
        """Do nothing."""


LookUp = Callable[[Number, str], asyncio.Future[Found]]
"""Begin to look up a number for a call."""


@dataclass(frozen=True, slots=True)
class _Marker:
    place: int
    state: LinkState


@dataclass(slots=True)
class _Shown:
    """What was last decided about a live call."""

    number: Number
    raw: str | None
    found: asyncio.Future[Found] | None
    cards: dict[str, CardState] = field(default_factory=dict)
    beside: tuple[object, ...] = ()
    """What all its cards show besides."""

    def change(self, cards: dict[str, CardState], beside: tuple[object, ...]) -> list[str]:
        """Take what is decided now; give the people whose screens must look again."""
        before, self.cards = self.cards, cards
        same, self.beside = beside == self.beside, beside
        return [
            who
            for who in {**before, **cards}
            if before.get(who) != (card := cards.get(who))
            or not (same or card is None or card.state == "ended")
        ]


class Switchboard:
    """Reads one PBX for ever. `run` is its one task."""

    def __init__(
        self,
        *,
        book: Book,
        inbox: Inbox,
        act: snapshot.Act,
        pen: Pen,
        desk: Desk,
        look_up: LookUp,
        clock: Clock,
        follower: Follower | None = None,
    ) -> None:
        self.book, self.inbox, self.pbx = book, inbox, book.pbx
        self._follower = follower or Nobody()
        self._act, self._pen, self._desk = act, pen, desk
        self._look_up, self._clock = look_up, clock
        self._phones = desk.phones(book.pbx)
        self._markers: deque[_Marker] = deque()
        self._shown: dict[str, _Shown] = {}
        self._undecided: dict[CallId, datetime] = {}
        self._tick: asyncio.Timeout | None = None
        self._next_tick = 0.0
        self._offset = timedelta()
        self._up = self._laid = False
        self._gap: Gap | None = None
        self._owed_from: datetime | None = None
        self._said_heard: datetime | None = None
        self._updates = 0
        self.heard = 0
        self.last_heard: datetime | None = None
        self.lag_ms = 0.0
        """How long the last frame took from the PBX's stamp to us, if both clocks agree."""

    def link_state(self, state: LinkState) -> None:
        """Hear of the listening link, at its place in the stream. Never waits."""
        if state.phase == "connecting":
            return
        self._up, self._laid = state.phase == "up", False
        self._markers.append(_Marker(self.inbox.given, state))
        if self._tick is not None and not self._tick.expired():
            self._tick.reschedule(asyncio.get_running_loop().time())

    @property
    def current(self) -> bool:
        """Whether the book knows all that lives on the PBX: heard, and laid over since."""
        return self._laid

    def resume(self, evidence: Iterable[str], unheard: Gap | None = None) -> None:
        """Go on with the calls that were live when the program stopped, and with its gap."""
        self._gap = unheard
        self._perform(self.book.resume(evidence), resumed=True)

    async def run(self) -> None:
        """Hear the PBX until cancelled."""
        while True:
            await self._pen.room()
            marker = self._markers[0] if self._markers else None
            if marker and self.inbox.taken >= marker.place:
                self._markers.popleft()
                await self._link_changed(marker.state)
            else:
                self.hear(await self._frames())
            if self._owed_from and self._clock.now() - self._owed_from >= AGAIN:
                await self._resync(patience=timedelta())

    async def _frames(self) -> list[Frame]:
        """Take what has gathered, up to a marker; nothing when only time passed."""
        if self._markers:
            return self._take()
        try:
            async with asyncio.timeout(TICK) as self._tick:
                await self.inbox.some()
        except TimeoutError:
            if not self._markers:
                return []
        finally:
            self._tick = None
        return self._take()

    def _take(self) -> list[Frame]:
        """Take what has gathered by now, up to a marker."""
        marker = self._markers[0] if self._markers else None
        return self.inbox.take_now(marker.place - self.inbox.taken if marker else AT_ONCE)

    def hear(self, frames: Sequence[Frame]) -> None:
        """Hear frames and do what follows, at once. One bad frame costs itself."""
        effects: list[Effect] = []
        last: Event | None = None
        for frame in frames:
            try:
                event = translate(frame)
                if event is not None:
                    last = event
                    effects += self._event(event)
            except Exception:
                log.exception("frame_failed", pbx=self.pbx, event_name=frame.event)
                self.inbox.aside.put("handler", frame.payload)
        if frames:
            self._keep_time(last, frames[-1].arrived, len(frames))
        effects += self._tick_off()
        if effects:
            self._perform(effects)
        self._say_heard()

    def hear_rest(self) -> None:
        """Hear at once what has gathered."""
        while self.inbox.waiting and (frames := self._take()):
            self.hear(frames)

    def _say_heard(self) -> None:
        """Write down now and then that the PBX is heard, for whoever starts after a kill."""
        now = self._clock.now()
        due = self._said_heard is None or now - self._said_heard >= SAY_HEARD
        if due and self._up and self._gap is None and not self._markers:
            self._said_heard = now
            self._hand_on(Batch(at=now, heard={self.pbx: now}), Turn())

    def _tick_off(self) -> Sequence[Effect]:
        """Tell the book the time, every half second: what is due then is done in one go."""
        now = self._clock.monotonic()
        if now < self._next_tick:
            return ()
        self._next_tick = now + TICK
        at = self._pbx_now()
        due = [call for call, when in self._undecided.items() if when <= at]
        for call in due:
            del self._undecided[call]
        return [*self._heard(Passed(at=at)), *[Show(call=call) for call in due]]

    def _heard(self, event: Event) -> Sequence[Effect]:
        """Let the book hear what no frame told. One call that makes it fail costs itself."""
        try:
            return self.book.hear(event)
        except Exception:
            log.exception("event_failed", pbx=self.pbx, event_name=type(event).__name__)
            return []

    def _event(self, event: Event) -> Sequence[Effect]:
        if isinstance(event, PhoneFact):
            self._phone(event)
            return []
        return self.book.hear(event)

    def _phone(self, event: PhoneFact) -> None:
        """Take what was said of a phone."""
        self._follower.heard(self.pbx, event, event.at or self._pbx_now())
        if isinstance(event, DeviceChanged):
            if self._phones.device(event.device, event.state, self._clock.now()):
                self._desk.phones_changed()
        elif isinstance(event, MemberChanged):
            paused = event.paused and event.present
            name, at = event.interface, self._clock.now()
            if self._phones.member(event.queue, name, paused=paused, at=at):
                self._desk.phones_changed()

    def _keep_time(self, last: Event | None, arrived: datetime | None, count: int) -> None:
        """Learn how far the PBX's clock is from ours: waits are told in the PBX's time."""
        self.heard += count
        self.last_heard = self._clock.now()
        if last and last.at and last.exact and arrived:
            self._offset = last.at - arrived
            self.lag_ms = -self._offset / timedelta(milliseconds=1)

    def _pbx_now(self) -> datetime:
        return self._clock.now() + self._offset

    async def _link_changed(self, state: LinkState) -> None:
        if state.phase == "up":
            await self._resync()
            self._desk.link(self.pbx, up=True, since=state.at)
            return
        self._desk.link(self.pbx, up=False, since=state.at)
        self._phones.forget()
        self._follower.lost(self.pbx, (self.last_heard or state.at) + self._offset)
        if self._gap is None:
            self._gap = Gap(
                id=new_id(self._clock.now()),
                pbx=self.pbx,
                lost_at=self.last_heard or state.at,
                back_at=None,
                cause=state.reason[:200],
            )
            self._perform(self._heard(LinkLost(at=self._pbx_now())), gap=self._gap)

    async def _resync(self, patience: timedelta = PATIENCE) -> None:
        """Lay the PBX as it is now over the book, before newer frames are heard."""
        started = self._clock.now()
        while self._up:
            try:
                taken = await snapshot.take(self._act)
            except CtiError as fault:
                if self._clock.now() - started >= patience:
                    log.warning("resync_failed", pbx=self.pbx, why=str(fault))
                    self._owed_from = self._clock.now()
                    return
                await asyncio.sleep(0.2)
                continue
            self._owed_from = None
            self._lay_over(taken)
            return

    def _lay_over(self, taken: snapshot.Snapshot) -> None:
        now = self._clock.now()
        self._phones.forget()
        for device, state in taken.devices:
            self._phones.device(device, state, now)
        for queue, interface, paused, _ in taken.members:
            self._phones.member(queue, interface, paused=paused, at=now)
        self._desk.phones_changed()
        self._follower.synced(self.pbx, taken, self._pbx_now())
        restarted = bool(self.book.boot) and self.book.boot != taken.boot
        event = Resynced(at=self._pbx_now(), boot=taken.boot, legs=taken.legs, visits=taken.visits)
        gap, self._gap = self._gap, None
        if gap:
            gap = Gap(
                id=gap.id,
                pbx=gap.pbx,
                lost_at=gap.lost_at,
                back_at=now,
                cause=gap.cause,
                restarted=restarted,
            )
        self._perform(self._heard(event), gap=gap)
        self._laid = self._up and not self._markers
        log.info(
            "pbx_resynced",
            pbx=self.pbx,
            channels=len(taken.legs),
            waiting=len(taken.visits),
            restarted=restarted,
            gap_s=round((now - gap.lost_at).total_seconds(), 3) if gap else None,
        )

    def _perform(
        self, effects: Iterable[Effect], gap: Gap | None = None, *, resumed: bool = False
    ) -> None:
        """Gather effects into one batch and hand it on; what changed is judged once."""
        now = self._clock.now()
        batch, turn = Batch(at=now), Turn()
        changed: dict[CallId, None] = {}
        closed: list[CallRecord] = []
        for effect in effects:
            match effect:
                case Show():
                    changed[effect.call] = None
                case Merge():
                    batch.merges.append((effect.call, effect.into))
                    turn.gone.append(effect.call)
                    gone = self._shown.pop(effect.call, None)
                    open_cards = gone.cards.items() if gone else ()
                    batch.tell += [(w, effect.call) for w, c in open_cards if c.state != "ended"]
                case Close():
                    closed.append(effect.record)
                case Note():
                    log.info("call_note", pbx=self.pbx, text=effect.text, call=effect.call)
        if resumed:
            changed = dict.fromkeys(self.book.live())
        for record in closed:
            changed.pop(record.id, None)
            self._keep(record, batch, turn)
        for call in changed:
            if (live := self._view(call)) is not None:
                self._keep(live, batch, turn)
        if gap:
            batch.gaps.append(gap)
        if batch.calls or batch.merges or batch.gaps:
            self._hand_on(batch, turn)
        for record in closed:
            self._shown.pop(record.id, None)

    def _view(self, call: CallId) -> CallRecord | None:
        """Look at a live call. One that makes us fail costs itself, not its neighbours."""
        try:
            return self.book.view(call)
        except Exception:
            log.exception("call_failed", pbx=self.pbx, call=call)
            return None

    def _keep(self, record: CallRecord, batch: Batch, turn: Turn) -> None:
        shown = self._number_of(record)
        offers = agent_offers(record, self._whose)
        now = self._pbx_now()
        cards = card_states(record, offers, self._whose, now)
        if (since := undecided_since(record)) and now < since + SENT_ON:
            self._undecided[record.id] = since + SENT_ON
        changed = shown.change(cards, _beside(record))
        by = record.answered_by
        batch.calls.append(
            Keeping(
                record=record,
                number=shown.number.normal,
                house=self.book.house.version,
                offers=offers,
                person=self._whose(by.device) if by else None,
                talkers=[self._whose(talk.phone.device) for talk in record.talks],
                customer=self._desk.chosen(record.id) if record.over else None,
                evidence=None if record.over else self.book.evidence(record.id),
            )
        )
        batch.tell += [(who, record.id) for who in changed]
        self._updates += 1
        turn.updates.append(
            Update(
                n=self._updates,
                record=record,
                offers=offers,
                number=shown.number,
                cards=cards,
                found=shown.found,
            )
        )
        if record.over:
            _tell_of(record)

    def _number_of(self, record: CallRecord) -> _Shown:
        """Know the customer's number of a call; begin to look it up when it is first told."""
        outbound = record.direction is Direction.OUTBOUND
        raw = record.dialled if outbound else record.caller
        shown = self._shown.get(record.id)
        if shown is None:
            shown = _Shown(normal(None, ""), None, None)
            self._shown[record.id] = shown
        if raw != shown.raw:
            shown.raw = raw
            shown.number = normal(raw, self.book.house.card.country)
            shown.found = self._look_up(shown.number, record.id) if shown.number.normal else None
        return shown

    def _whose(self, device: str) -> str | None:
        found = self._desk.directory.by_device(self.pbx, device)
        return found.id if found else None

    def _hand_on(self, batch: Batch, turn: Turn) -> None:
        try:
            self._pen.put([(batch, turn)], soon=bool(batch.tell))
        except StoreUnavailable:
            log.error("change_not_stored", pbx=self.pbx, calls=[k.record.id for k in batch.calls])
        if self._pen.troubled:
            self._desk.show_unstored(turn)
        elif turn.updates:
            asyncio.get_running_loop().call_later(LATE, self._desk.show_unstored, turn)


def _beside(record: CallRecord) -> tuple[object, ...]:
    """Give what a card shows of its call, whosever card it is."""
    return (
        record.direction,
        record.caller,
        record.caller_name,
        record.dialled,
        record.queues[-1:],
        record.waiting_since,
        record.approximate,
        record.recorders,
        record.announced,
    )


def _tell_of(record: CallRecord) -> None:
    """Write the canonical line of a finished call."""
    log.info(
        "call_over",
        call=record.id,
        pbx=record.pbx,
        direction=record.direction.value,
        outcome=record.outcome and record.outcome.value,
        reason=record.reason and record.reason.value,
        rings=record.rings,
        ring_ms=record.ring_ms,
        wait_ms=record.wait_ms,
        talk_ms=record.talk_ms,
        ended_by=record.ended_by and record.ended_by.value,
        agent=record.answered_by.agent if record.answered_by else None,
        queue=record.queues[-1] if record.queues else None,
        offers=len(record.offers),
        approximate=record.approximate,
    )
