"""What is going on now? Every live call as the screens see it, once it is stored.

Decide, commit, push: the switchboard decides, the writer commits, and then the desk takes the
change over and tells the screens, in the order of the numbers. A screen reads here without
waiting; a hint that it missed is asked for again by number.
"""

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog

from cti.bus import ALL, BOARD, Bus, Push
from cti.bus import person as audience_of
from cti.calls.cards import CardState
from cti.calls.offers import AgentOffer
from cti.calls.phones import Phones, Standing
from cti.calls.record import CallRecord, Direction, State
from cti.calls.store import Contact, Day, Told
from cti.clock import Clock
from cti.customers.rules import Customer, Number, normal
from cti.errors import CtiError, Refused, StoreUnavailable
from cti.house import CallLimit, House
from cti.log import clean
from cti.people.rules import Directory, Person, Right
from cti.presence.states import Interval, talk_of

log = structlog.get_logger(__name__)

LINGER: Final = timedelta(seconds=30)
"""So long a finished card can still be looked at: a hint of it may be under way."""
_SWEEP_EVERY: Final = timedelta(seconds=1)
KEPT: Final = 20_000
"""So many hints are kept for screens that come back."""
TALK_LIMIT: Final = "enquiry"
"""By this limit of the house the calls of a day are shown: nobody says what each one is for."""
LOOK_WITHIN: Final = 0.3
"""Seconds to wait for the customer's record before a card goes out without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording that can be heard, and whose it is."""

    id: str
    person: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A return visit that the house owes a customer: it can be made in his own call (CB-35)."""

    visit: str
    customer: str
    due_at: datetime
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the house knows of a number."""

    customers: Sequence[Customer] = ()
    contacts: Sequence[Contact] = ()
    recorded: Mapping[str, Sequence[Recorded]] = field(default_factory=dict)
    """What can be heard of those contacts, by call."""
    owed: Sequence[Owed] = ()
    """The return visits whose time has come, of those customers."""


@dataclass(slots=True, kw_only=True)
class Update:
    """One call as it now is, on its way to the screens. `found` is awaited before it is shown.

    `n` counts up, so that an older state never takes the place of a newer one.
    """

    n: int = 0
    record: CallRecord
    offers: Sequence[AgentOffer]
    number: Number
    cards: Mapping[str, CardState]
    found: asyncio.Future[Found] | None = None


@dataclass(slots=True, kw_only=True)
class Turn:
    """What one turn of the reader changed, for the screens."""

    updates: list[Update] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    """Calls that turned out to be another."""
    stored: bool = False


class HasId(Protocol):
    """Somebody, by our id."""

    @property
    def id(self) -> str:
        """Our id."""
        ...


class Kept(Protocol):
    """What the desk asks of the stores."""

    async def day(self, start: datetime, end: datetime, standard: int) -> Day:
        """Count a day's calls; see `CallStore.day`."""
        ...

    async def choose(self, call: str, customer: str | None) -> bool:
        """Tie a call to a customer; see `CallStore.choose`."""
        ...

    def tell(self, people: Sequence[str], call: str) -> None:
        """Let hints for these people about a call be stored, and shown in their turn.

        Raises `StoreUnavailable` (store_full).
        """
        ...


@dataclass(slots=True, kw_only=True)
class _Live:
    update: Update
    found: Found
    chosen: str | None = None
    over_at: datetime | None = None


class Desk:
    """All live calls, cards and phones, of every PBX. See `cti.web.ports.Desk`."""

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        house: House,
        directory: Directory,
        kept: Kept,
        epoch: str,
        last_seq: int = 0,
        told: Sequence[tuple[int, str, str]] = (),
    ) -> None:
        self.epoch, self.house, self.directory = epoch, house, directory
        self._bus, self._clock, self._kept = bus, clock, kept
        self._last, self._seen_from = last_seq, told[0][0] - 1 if told else last_seq
        self._told: deque[tuple[int, str, str]] = deque(told, maxlen=KEPT)
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._links: dict[str, dict[str, Any]] = {}
        self._phones: dict[str, Phones] = {}
        self._day = Day(answered=0, missed=0, within_standard=0, counted=0, by_reason={})
        self._turns: asyncio.Queue[tuple[Turn, Told]] = asyncio.Queue()
        self.wall: Callable[[], dict[str, Any]] = empty_wall
        """What the wallboard shows besides; whoever knows it hangs it here."""
        self.recording: Callable[[CallRecord, str | None], dict[str, Any] | None] = not_recorded
        """How a call is recorded, and what a person may do about it; hung here likewise."""
        self._board_dirty = asyncio.Event()
        self._day_dirty, self._day_ends = True, clock.now()
        self._sweep_at = clock.now()

    def obey(self, house: House) -> None:
        """Go by these rules from now on; the day is counted anew by them."""
        self.house, self._day_dirty = house, True
        self._board_dirty.set()

    def last_seq(self) -> int:
        """Give the number of the latest change that is shown."""
        return self._last

    def since(self, person: str, seq: int) -> Sequence[tuple[int, str]] | None:
        """Give (number, call) of a person's changes after `seq`; None if some are forgotten."""
        first = self._told[0][0] - 1 if len(self._told) == KEPT else self._seen_from
        if seq < first or seq > self._last:
            return None
        return [(n, call) for n, whose, call in self._told if n > seq and whose == person]

    def cards(self, person: str) -> Sequence[dict[str, Any]]:
        """Give a person's open cards, first rung first."""
        mine = [
            (live, card)
            for live in self._live.values()
            if (card := live.update.cards.get(person)) and card.state != "ended"
        ]
        return [self._card(live, card, person) for live, card in mine]

    def card(self, person: str, call: str) -> dict[str, Any] | None:
        """Give one card as it is now, a finished one for some seconds more."""
        live = self._live.get(call)
        card = live.update.cards.get(person) if live else None
        return self._card(live, card, person) if live and card else None

    def links(self) -> Sequence[dict[str, Any]]:
        """Give the state of the link to each PBX."""
        return list(self._links.values())

    def board(self) -> dict[str, Any]:
        """Give the whole board: calls now, agents now, the day so far."""
        ring = self.house.ring
        return {
            "calls": [self._board_call(live) for live in self._live.values() if _lives(live)],
            "agents": [self._board_agent(p) for p in self._agents()],
            "today": self.today(),
            "wall": self.wall(),
            "links": self.links(),
            "cycle_ms": ring.cycle // timedelta(milliseconds=1),
            "standard": ring.standard,
            "talk_limit": _seconds(self.house.limits.get(TALK_LIMIT)),
            "apologise_from": ring.apologise_from,
            "pause_by": list(self.house.recordings.pause_by),
        }

    def today(self) -> dict[str, Any]:
        """Give the day's figures so far."""
        day = self._day
        return {
            "answered": day.answered,
            "missed": day.missed,
            "missed_by_reason": dict(day.by_reason),
            "within_standard": day.within_standard,
            "standard_rate": round(day.within_standard / day.counted, 4) if day.counted else None,
            "inbound": day.answered + day.missed,
            "talk_ms": day.talk_ms,
        }

    def records(self) -> list[CallRecord]:
        """Give all live calls, and those that were over a moment ago."""
        return [live.update.record for live in self._live.values()]

    async def choose(self, call: str, person: HasId, customer: str | None) -> None:
        """Say which customer is calling. Raises `Refused` (no_such_call, no_such_customer)."""
        live = self._live.get(call)
        if live is None or person.id not in live.update.cards:
            raise Refused("no_such_call", "this call is not on your screen", call=call)
        if customer is not None and all(c.id != customer for c in live.found.customers):
            raise Refused("no_such_customer", "this customer was not found for the call")
        await self._kept.choose(call, customer)
        live.chosen = customer
        log.info("customer_chosen", call=call, person=person.id, customer=customer)
        self._kept.tell(_open_for(live.update), call)
        self._board_dirty.set()

    def record(self, call: str) -> CallRecord | None:
        """Give a call that lives, or was over a moment ago."""
        live = self._live.get(call)
        return live.update.record if live else None

    def state(self, person: str, call: str) -> CardState | None:
        """Say how a call stands for one person; None where it is none of his."""
        live = self._live.get(call)
        return live.update.cards.get(person) if live else None

    def tell_again(self, call: str) -> None:
        """Let the screens of a call look again: what stands beside it has changed."""
        if live := self._live.get(call):
            people = _open_for(live.update)
            self._hint(people, call)
            with contextlib.suppress(StoreUnavailable):
                self._kept.tell(people, call)
            self._board_dirty.set()

    def chosen(self, call: str) -> str | None:
        """Give the customer that a person chose for a live call, or the only one there is."""
        live = self._live.get(call)
        if live is None:
            return None
        found = live.found.customers
        return live.chosen or (found[0].id if len(found) == 1 else None)

    def waiting(self) -> int:
        """Count the callers whom nobody talks to yet: nothing is dialled while they wait."""
        return sum(
            live.over_at is None
            and live.update.record.direction is Direction.INBOUND
            and live.update.record.state in (State.WAITING, State.RINGING)
            for live in self._live.values()
        )

    def talks(self) -> list[Interval]:
        """Give who talks, or talked, with the customer of a call that lives, in the PBX's time.

        Who dials a customer is on a call with him until he answers, too.
        """
        records = [live.update.record for live in self._live.values()]
        living = [one for one in records if not one.over]
        dialled = [
            talk_of(person.id, record.id, began, record.answered_at or record.ended_at)
            for record in living
            if record.direction is Direction.OUTBOUND
            if (began := record.began or record.seen_at)
            if (person := self.directory.by_device(record.pbx, record.channel.rpartition("-")[0]))
        ]
        return dialled + [
            talk_of(person.id, record.id, talk.began_at, talk.ended_at)
            for record in living
            if record.direction is not Direction.INTERNAL
            for talk in record.talks
            if talk.began_at
            if (person := self.directory.by_device(record.pbx, talk.phone.device))
        ]

    def phones(self, pbx: str) -> Phones:
        """Give the phones of a PBX, to be brought up to date by its reader."""
        return self._phones.setdefault(pbx, Phones())

    def phones_changed(self) -> None:
        """Look at the phones again."""
        self._board_dirty.set()

    def link(self, pbx: str, *, up: bool, since: datetime) -> None:
        """Take a link's state; screens are told when it changed."""
        known = self._links.get(pbx)
        if known and known["up"] == up:
            return
        self._links[pbx] = {"pbx": pbx, "up": up, "since": _iso(since)}
        self._bus.publish(Push(audience=ALL, kind="links"))
        self._board_dirty.set()

    def people(self, directory: Directory) -> None:
        """Take a new list of people."""
        self.directory = directory
        self._board_dirty.set()

    def committed(self, turn: Turn, told: Told) -> None:
        """Take a change that is stored; it is shown in its turn."""
        turn.stored = True
        self._turns.put_nowait((turn, told))

    async def show(self) -> None:
        """Show what was committed, in order, for ever. One task."""
        while True:
            turn, told = await self._turns.get()
            for update in turn.updates:
                await self._take(update)
            for call in turn.gone:
                self._merged(call)
            self._tell(told)
            self._sweep()
            self._board_dirty.set()

    def show_unstored(self, turn: Turn) -> None:
        """Show a change although it is not stored yet: a pop must not wait. Stored ones are not.

        Its hints have no number; they come again, numbered, when the store is back.
        """
        if turn.stored:
            return
        for update in turn.updates:
            if update.found is not None and not update.found.done():
                self._look_later(update, update.found)
            self._put(update, _ready(update.found))
            self._hint(update.cards, update.record.id)
        for call in turn.gone:
            if live := self._live.get(call):
                self._merged(call)
                self._hint(live.update.cards, call)
        self._board_dirty.set()

    def _hint(self, people: Iterable[str], call: str) -> None:
        for who in people:
            self._bus.publish(Push(audience=audience_of(who), kind="card", call=call))

    async def show_board(self, pause: float = 0.5, at_least: float = 5.0) -> None:
        """Tell the boards, for ever: of changes at once but `pause` seconds apart. One task.

        When nothing changes they are told every `at_least` seconds, so that they see that what
        they show is true.
        """
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_least):
                    await self._board_dirty.wait()
            self._board_dirty.clear()
            if self._day_dirty or self._clock.now() >= self._day_ends:
                await self.count_day()
            self._bus.publish(Push(audience=BOARD, kind="board"))
            await asyncio.sleep(pause)

    async def count_day(self) -> None:
        """Count the day so far, by the house's calendar; the old count stays if that fails."""
        start, end = _day_of(self._clock.now(), self.house)
        self._day_dirty, self._day_ends = False, end
        try:
            self._day = await self._kept.day(start, end, self.house.ring.standard)
        except CtiError as fault:
            self._day_dirty = True
            log.warning("day_not_counted", why=str(fault))

    async def _take(self, update: Update) -> None:
        found = _ready(update.found)
        if update.found is not None and not update.found.done():
            try:
                async with asyncio.timeout(LOOK_WITHIN):
                    found = await asyncio.shield(update.found)
            except TimeoutError:
                log.warning("customer_lookup_late", call=update.record.id)
                self._look_later(update, update.found)
            except CtiError as fault:
                log.warning("customer_lookup_failed", call=update.record.id, why=str(fault))
        self._put(update, found)

    def _look_later(self, update: Update, found: asyncio.Future[Found]) -> None:
        """Show what is found of a caller when it comes at last."""
        call = update.record.id

        def came(looked: asyncio.Future[Found]) -> None:
            live, now = self._live.get(call), _ready(looked)
            if live is None or now is None or live.found is now:
                return
            live.found = now
            people = _open_for(live.update)
            self._hint(people, call)
            self._board_dirty.set()
            try:
                self._kept.tell(people, call)
            except StoreUnavailable as fault:
                log.warning("hint_not_stored", call=call, why=fault.what)

        found.add_done_callback(came)

    def _merged(self, call: str) -> None:
        """Take a call away that turned out to be another: its cards end without a word."""
        live = self._live.get(call)
        if live is not None:
            live.over_at = self._clock.now()
            live.update.cards = {who: CardState(state="ended") for who in live.update.cards}

    def _put(self, update: Update, found: Found | None) -> _Live:
        live = self._live.get(update.record.id)
        if live is None:
            live = _Live(update=update, found=found or Found())
            self._live[update.record.id] = live
        if update.n >= live.update.n:
            live.update = update
        live.found = found or live.found
        if update.record.over and live.over_at is None:
            live.over_at = self._clock.now()
            self._day_dirty = True
        return live

    def _tell(self, told: Told) -> None:
        for seq, who, call in told:
            self._last = max(self._last, seq)
            self._told.append((seq, who, call))
        for seq, who, call in told:
            self._bus.publish(Push(audience=audience_of(who), kind="card", seq=seq, call=call))

    def _sweep(self) -> None:
        now = self._clock.now()
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_EVERY
        old = [
            call
            for call, live in self._live.items()
            if live.over_at and now - live.over_at > LINGER
        ]
        for call in old:
            del self._live[call]

    def _card(self, live: _Live, card: CardState, person: str) -> dict[str, Any]:
        record, number, ring = live.update.record, live.update.number, self.house.ring
        return {
            "call": record.id,
            "state": card.state,
            "outcome": card.outcome,
            "by": self._name(card.by) if card.by else None,
            "direction": record.direction.value,
            "number": "anonymous" if number.kind == "anonymous" else number.normal,
            "shown": number.shown or None,
            "caller_name": _sent_name(record.caller_name),
            "line": _text(record.dialled) if record.direction is not Direction.OUTBOUND else None,
            "queue": record.queues[-1] if record.queues else None,
            "rang_at": _iso(card.rang_at),
            "waiting_since": _iso(record.waiting_since),
            "answered_at": _iso(card.answered_at),
            "cycle_ms": ring.cycle // timedelta(milliseconds=1),
            "standard": ring.standard,
            "apologise_from": ring.apologise_from,
            "approximate": record.approximate,
            "customers": [_customer(one, self.house) for one in live.found.customers],
            "chosen": live.chosen,
            "contacts": [self._contact(one, live.found, person) for one in live.found.contacts],
            "owed": [_owed(one) for one in live.found.owed],
            "recording": self.recording(record, person) if card.state == "talking" else None,
        }

    def _contact(self, contact: Contact, found: Found, person: str) -> dict[str, Any]:
        agent = self._name(contact.person) if contact.person else contact.agent
        return {
            "at": _iso(contact.at),
            "direction": contact.direction,
            "outcome": contact.outcome or "missed",
            "reason": contact.reason,
            "rings": contact.rings,
            "agent": agent,
            "talk_ms": contact.talk_ms,
            "recording": self._heard(found.recorded.get(contact.call, ()), person),
        }

    def _heard(self, some: Sequence[Recorded], person: str) -> str | None:
        """Give the first recording that somebody may hear; asked again when it is played."""
        who = self.directory.by_id(person)
        if who is None:
            return None
        if who.may(Right.REVIEW) or who.may(Right.AUDIT):
            return next((one.id for one in some), None)
        listens = self.house.recordings.agents_listen
        return next((one.id for one in some if listens and one.person == person), None)

    def _name(self, who: str) -> str:
        """Name a person by id; what is no person's id is a phone's name."""
        found = self.directory.by_id(who)
        return found.name if found else who

    def _agents(self) -> list[Person]:
        return sorted(
            (p for p in self.directory.people.values() if p.active and p.devices),
            key=lambda p: p.number,
        )

    def _board_call(self, live: _Live) -> dict[str, Any]:
        record, number = live.update.record, live.update.number
        by_id = {customer.id: customer for customer in live.found.customers}
        only = live.found.customers[0] if len(live.found.customers) == 1 else None
        customer = by_id.get(live.chosen or "") or only
        return {
            "call": record.id,
            "state": record.state.value,
            "shown": number.shown or None,
            "caller_name": _sent_name(record.caller_name),
            "customer": customer.name if customer else None,
            "line": _text(record.dialled),
            "queue": record.queues[-1] if record.queues else None,
            "began": _iso(record.began),
            "rang_at": _iso(record.rang_at),
            "agents": self._busy_with(live),
            "direction": record.direction.value,
            "recording": self.recording(record, None),
        }

    def _busy_with(self, live: _Live) -> list[str]:
        """Name who rings for a call or talks to the customer now."""
        record = live.update.record
        if record.state is State.TALKING:
            now = [talk.phone for talk in record.talks if talk.ended_at is None]
        else:
            now = [o.phone for o in record.offers if o.rang and not o.ended]
        names = []
        for phone in now:
            owner = self.directory.by_device(record.pbx, phone.device)
            names.append(owner.name if owner else phone.agent)
        return list(dict.fromkeys(names))

    def _board_agent(self, someone: Person) -> dict[str, Any]:
        standings = [
            self._phones[pbx].standing([d.name for d in someone.devices if d.pbx == pbx])
            for pbx in dict.fromkeys(device.pbx for device in someone.devices)
            if pbx in self._phones
        ]
        known = [standing for standing in standings if standing.state != "unknown"]
        now = known[0] if known else Standing("unknown", None)
        call = next(
            (
                call
                for call, live in self._live.items()
                if (card := live.update.cards.get(someone.id)) and card.state != "ended"
            ),
            None,
        )
        return {
            "number": someone.number,
            "name": someone.name,
            "state": now.state,
            "since": _iso(now.since),
            "call": call,
        }


def _seconds(limit: CallLimit | None) -> dict[str, int] | None:
    """Give how long a call should last, and must not exceed, in seconds."""
    if limit is None:
        return None
    return {"target": int(limit.target.total_seconds()), "most": int(limit.ceiling.total_seconds())}


def not_recorded(_record: CallRecord, _person: str | None) -> None:
    """Know nothing of recordings."""


def empty_wall() -> dict[str, Any]:
    """Give a wallboard that knows of nobody."""
    return {
        "waiting": 0,
        "longest": None,
        "states": {},
        "agents": [],
        "alarms": [],
        "targets": None,
    }


def _lives(live: _Live) -> bool:
    """Tell whether a call goes on: its end is seen before the book is sure of it."""
    return live.over_at is None and live.update.record.state is not State.ENDED


def may_see_board(who: Person) -> bool:
    """Tell whether somebody may see all calls (requirement section 22.4)."""
    return who.may(Right.BOARD)


def _open_for(update: Update) -> list[str]:
    """Give the people who have a card of a call on their screens."""
    return [who for who, card in update.cards.items() if card.state != "ended"]


def _ready(found: asyncio.Future[Found] | None) -> Found | None:
    if found is None or not found.done() or found.cancelled() or found.exception():
        return None
    return found.result()


def _customer(customer: Customer, house: House) -> dict[str, Any]:
    own = house.customers.own_names.get(customer.tier)
    return {
        "id": customer.id,
        "name": customer.name,
        "tier": own[house.card.locale] if own else customer.tier or None,
        "company": customer.company or None,
        "area": customer.area or None,
        "phones": list(customer.phones),
    }


def _owed(owed: Owed) -> dict[str, Any]:
    return {
        "visit": owed.visit,
        "customer": owed.customer,
        "due_at": _iso(owed.due_at),
        "late": owed.late,
    }


def _sent_name(name: str | None) -> str | None:
    """Give the name that the network sent; "Anonymous" in its place is none."""
    return _text(name) if name and normal(name, "").kind != "anonymous" else None


def _text(text: str | None) -> str | None:
    return clean(text, 128) if text else None


def _iso(at: datetime | None) -> str | None:
    return (
        at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
    )


def _day_of(now: datetime, house: House) -> tuple[datetime, datetime]:
    """Give the house's day of an instant: its begin and end, aware."""
    local = now.astimezone(house.zone)
    start = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return start, (start + timedelta(days=1)).replace(hour=0)
