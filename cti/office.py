"""The office: duty, lines, missed calls, penalties, callbacks, rules. Built for `cti.app`.

Stores do not know each other; what one room asks of another is fulfilled here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from cti.callbacks.desk import CallbackDesk
from cti.callbacks.routes import CallbackPages
from cti.callbacks.store import CallbackStore
from cti.calls.book import trunk_matcher
from cti.calls.desk import Desk, Owed, Recorded
from cti.calls.phones import Standing
from cti.calls.record import Direction
from cti.calls.store import CallStore, Contact
from cti.clock import Clock
from cti.customers.desk import CustomerDesk
from cti.customers.events import Event
from cti.customers.routes import CustomerRoom
from cti.customers.rules import Customer, normal
from cti.customers.store import CustomerStore, EventStore
from cti.db.engine import Database
from cti.db.schema import Connection, new_id
from cti.dials.dialer import Dialer, Exchange
from cti.dials.store import DialStore
from cti.duty.routes import DutyPages
from cti.duty.rules import DutySet
from cti.duty.store import DutyStore
from cti.house import House
from cti.lines.desk import LineDesk
from cti.lines.routes import LineRoom, RoomLeft
from cti.lines.store import LineStore
from cti.machines.store import MachineStore
from cti.penalties.desk import Asked, PenaltyDesk
from cti.penalties.routes import Asks, PenaltyPages
from cti.penalties.rules import supervisor_of
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory
from cti.policy.desk import PolicyDesk
from cti.policy.routes import PolicyRoom
from cti.presence.routes import WallboardRoom
from cti.presence.states import Interval, joined, talk_of
from cti.presence.store import PresenceStore
from cti.quality.desk import QualityDesk
from cti.quality.routes import QualityRoom
from cti.quality.store import QualityStore
from cti.reports.routes import ReportsRoom
from cti.results.desk import ResultDesk, WorkBook
from cti.results.record import WorkItem, WorkKind
from cti.results.routes import ResultPages
from cti.results.store import ResultStore
from cti.settings import Settings
from cti.visits.calling import VisitCalls
from cti.visits.desk import Order, VisitDesk
from cti.visits.lists import VisitLists
from cti.visits.owed import Reminding, wishes_of
from cti.visits.planner import Asked as PlanAsked
from cti.visits.planner import Planner
from cti.visits.reckoner import Proposed
from cti.visits.record import Wishes
from cti.visits.routes import VisitPages
from cti.visits.selections import Selections
from cti.visits.store import PlanStore, VisitStore
from cti.web.rooms import Room as WebRoom
from recordings import wave
from recordings.collector import Figures
from recordings.control import Control
from recordings.converter import Converter
from recordings.keeping import KeepingRoom
from recordings.listening import Listening
from recordings.lists import ListRoom
from recordings.live import LiveRoom
from recordings.record import State as RecordingState
from recordings.routes import Players, RecordingRoom
from recordings.rules import Room
from recordings.setup import collector_of, keeping_of
from recordings.storage import Storage
from recordings.store import RecordingStore


class Plant:
    """The PBXs as the lines' desk sees them (`cti.lines.desk.Plant`)."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._trunks = [(pbx.name, trunk_matcher(pbx.trunks)) for pbx in settings.pbx]
        self._desk = desk

    def pbx_of(self, trunk: str) -> str | None:
        """Name the PBX whose trunks' patterns fit; else the first one."""
        fits = (name for name, is_trunk in self._trunks if is_trunk(f"PJSIP/{trunk}"))
        return next(fits, self._trunks[0][0] if self._trunks else None)

    def standing(self, pbx: str, device: str) -> Standing:
        """Say how a device stands."""
        return self._desk.phones(pbx).standing([device])

    def devices_of(self, people: Collection[str]) -> dict[tuple[str, str], str]:
        """Give the devices of people, each with its owner."""
        found = filter(None, map(self._desk.directory.by_id, people))
        return {(one.pbx, one.name): person.id for person in found for one in person.devices}


class Live:
    """The calls that live now (`cti.visits.calling.Live`)."""

    def __init__(self, desk: Desk, house: Callable[[], House]) -> None:
        self._desk, self._house = desk, house

    def lives(self, numbers: Collection[str]) -> bool:
        """Tell whether a call with one of these numbers lives; in their normal form."""
        country = self._house().card.country
        said = (
            text
            for one in self._desk.records()
            if not one.over
            for text in (one.caller, one.dialled)
        )
        return any(normal(text, country).normal in numbers for text in said if text)

    def talk_of(self, person: str, numbers: Collection[str]) -> str | None:
        """Give the call in which somebody talks with one of these numbers now."""
        country, owner = self._house().card.country, self._desk.directory.by_device
        return next(
            (
                one.id
                for one in self._desk.records()
                if not one.over
                and one.direction is Direction.INBOUND
                and normal(one.caller or "", country).normal in numbers
                and any(
                    talk.ended_at is None
                    and (who := owner(one.pbx, talk.phone.device))
                    and who.id == person
                    for talk in one.talks
                )
            ),
            None,
        )


class States:
    """What people were doing, all sources joined (`cti.penalties.desk.States`)."""

    def __init__(
        self,
        presence: PresenceStore,
        calls: CallStore,
        desk: Desk,
        duty: DutyStore,
        visits: VisitStore,
        house: Callable[[], House],
    ) -> None:
        self._presence, self._calls, self._desk = presence, calls, desk
        self._duty, self._visits, self._house = duty, visits, house

    async def states(
        self, people: Collection[str], began: datetime, ended: datetime
    ) -> Sequence[Interval]:
        """Give every state of these people that meets a time."""
        limit = self._house().penalties.missed_call.wrap_up_limit
        phones = await self._presence.intervals(people, began, ended)
        talks = [one for one in self._desk.talks() if one.person in people]
        # a call that ended since then is stored by now
        talks += await self._calls.talks_of(people, began - limit, ended)
        owner = self._desk.directory.by_device
        talks += [
            talk_of(person.id, one.call, one.began, one.until)
            for one in await self._calls.dialled_by_us(began - limit, ended)
            if (person := owner(one.pbx, one.channel.rpartition("-")[0])) and person.id in people
        ]
        away = [one for who in people for one in await self._duty.away(who, began, ended)]
        dialled = await self._visits.dialling(people, began, ended)
        return [
            one
            for one in joined(phones, talks, away, limit, dialled)
            if one.began_at <= ended and (one.ended_at is None or one.ended_at > began)
        ]


class Evidence:
    """What is known of a call in which a visit was made (`cti.results.desk.Evidence`)."""

    def __init__(self, calls: CallStore, recordings: RecordingStore) -> None:
        self._calls, self._recordings = calls, recordings

    async def __call__(self, call: str) -> tuple[timedelta | None, bool]:
        """Give how long was talked, None while that is not known, and whether it can be heard."""
        known = await self._calls.whole(call)
        kept = (await self._recordings.of_calls([call])).get(call, ())
        linked = any(one.state is RecordingState.LINKED for one in kept)
        if known is None or not known.row["over"]:
            return None, linked
        picked, ended = known.row["far_picked_at"], known.row["ended_at"]
        if picked is not None and ended is not None:
            return ended - picked, linked
        talked = known.row["talk_ms"]
        return None if talked is None else timedelta(milliseconds=talked), linked


class Tests:
    """Which calls were line tests (`cti.callbacks.desk.Tests`)."""

    def __init__(self, calls: CallStore) -> None:
        self._calls = calls

    async def test_calls(self, calls: Collection[str]) -> Collection[str]:
        """Give those of some calls that were line tests."""
        return {call for call in calls if await self._calls.is_test(call)}


class Concerned:
    """Whose calls they are: who spoke, whom it may cost, who calls back (`recordings`)."""

    def __init__(
        self, *asked: Callable[[Collection[str]], Awaitable[Mapping[str, Collection[str]]]]
    ) -> None:
        self._asked = asked

    async def __call__(self, calls: Collection[str]) -> dict[str, set[str]]:
        """Give the people whom calls concern, by call."""
        found: dict[str, set[str]] = {}
        for ask in self._asked:
            for call, people in (await ask(calls)).items():
                found.setdefault(call, set()).update(people)
        return found


class Office:
    """All rooms beside the calls. `rooms` have pages, `work` is what runs for ever."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        clock: Clock,
        calls: CallStore,
        customers: CustomerStore,
        desk: Desk,
        presence: PresenceStore,
        policy: PolicyDesk,
        house: Callable[[], House],
        sounds: Storage,
    ) -> None:
        self._clock, self._house, self._desk, self._policy = clock, house, desk, policy
        self._customers, self._calls = customers, calls
        self.exchanges: dict[str, Exchange] = {}
        """Each PBX by name, as soon as it is built."""
        self.duty = DutyStore(db, clock, house=house, people=self._people)
        self.penalties = PenaltyStore(db, clock, house, self._people)
        self.callbacks = CallbackStore(db)
        self.visits = VisitStore(db)
        self.plans = PlanStore(db)
        self.events = EventStore(db)
        self.machines = MachineStore(db, clock)
        self.customer_desk = CustomerDesk(
            db,
            customers=customers,
            events=self.events,
            house=house,
            people=self._people,
            clock=clock,
        )
        self.dialer = Dialer(
            store=DialStore(db),
            calls=calls,
            exchanges=self.exchanges,
            house=house,
            clock=clock,
            waiting=desk.waiting,
        )
        self.results, self.visit_lists = ResultStore(db), VisitLists(db)
        self.planner = Planner(
            PlanAsked(
                db=db,
                customers=customers,
                events=self.events,
                visits=self.visits,
                plans=self.plans,
                duty=self.duty,
                penalties=self.penalties,
                remind=self._remind,
                remind_no_more=self.results.remind_no_more,
                effective=self.results.effective_ones,
                shortfalls=self._shortfalls,
            ),
            house=house,
            people=self._people,
            clock=clock,
        )
        plant = Plant(settings, desk)
        self.visit_calls = VisitCalls(
            db,
            self.visits,
            dialer=self.dialer,
            attempts=self.dialer.store,
            customers=customers,
            duty=self.duty,
            plant=plant,
            live=Live(desk, house),
            todo=WorkBook(self.results, house),
            house=house,
            people=self._people,
            clock=clock,
        )
        self.line_desk = LineDesk(
            store=LineStore(db),
            attempts=self.dialer.store,
            dialer=self.dialer,
            calls=calls,
            duty=self.duty,
            penalties=self.penalties,
            supervisor=self._supervisor,
            plant=plant,
            house=house,
            clock=clock,
        )
        self.penalty_desk = PenaltyDesk(
            self.penalties,
            Asked(
                calls=calls,
                duty=self.duty,
                states=States(presence, calls, desk, self.duty, self.visits, house),
                faults=self.line_desk.store,
            ),
            clock=clock,
            house=house,
            directory=self._people,
        )
        self.callback_desk = CallbackDesk(
            self.callbacks,
            calls=calls,
            customers=customers,
            house=house,
            people=self._people,
            clock=clock,
            duty=self.duty,
            tests=Tests(calls),
        )
        self.recordings = RecordingStore(db)
        self.collector = collector_of(
            settings, sounds, store=self.recordings, calls=calls, house=house, clock=clock
        )
        self.collecting = self.collector.figures if self.collector else Figures()
        """How collecting stands; nothing is counted where nothing is collected."""
        self.listening = Listening(
            self.recordings,
            sounds,
            concerned=Concerned(calls.spoke_in, self.penalties.concerned, self.callbacks.holders),
            rules=lambda: house().recordings,
            clock=clock,
        )

        self.control = Control(
            self.recordings,
            desk=desk,
            calls=calls,
            exchanges=self.exchanges,
            people=lambda person: self._people().by_id(person),
            house=lambda: house().recordings,
            clock=clock,
        )
        desk.recording = self.control.line

        self.result_desk = ResultDesk(
            self.results,
            self.visits,
            finisher=self.visit_calls,
            evidence=Evidence(calls, self.recordings),
            wishes=self._wishes,
            events=self.events,
            orders=self.events.seat,
            house=house,
            clock=clock,
        )
        self.visit_desk = VisitDesk(
            self.visits,
            self.visit_lists,
            self.results,
            Selections(db),
            calls=self.visit_calls,
            customers=customers,
            contacts=self._contacts,
            wishes=self._wishes,
            events=self.events,
            reckoner=self.planner.reckoner,
            orders=self._order,
            house=house,
            people=self._people,
            clock=clock,
        )
        self.quality = QualityStore(db)
        self.quality_desk = QualityDesk(
            self.quality, self.recordings.sampled_from, house=house, clock=clock
        )
        self.keeper, self.dossier = keeping_of(
            db,
            sounds,
            customers=customers,
            calls=calls,
            penalties=self.penalties,
            callbacks=self.callbacks,
            quality=self.quality,
            house=house,
            clock=clock,
            turn=self.collector.turn if self.collector else None,
            rooms=[self.events, self.plans, self.results],
        )
        self.converter = Converter(
            self.recordings,
            sounds,
            holds=self.keeper.holds,
            house=lambda: house().recordings,
            clock=clock,
            scratch=settings.data / "incoming",
            turn=self.collector.turn if self.collector else None,
        )
        self._data = settings.data

    def rooms(self) -> list[WebRoom]:
        """Give the rooms that have pages, in the order of the navigation."""
        players = Players(self.listening, self._name_of)
        return [
            WallboardRoom(),
            PenaltyPages(
                Asks(
                    store=self.penalties,
                    house=self._house,
                    directory=self._people,
                    clock=self._clock,
                    callbacks=self._callback_states,
                    customers=self._names_of,
                    recordings=players,
                )
            ),
            CallbackPages(self.callback_desk, players),
            VisitPages(self.visit_desk, self.result_desk, players, self.dialer.store),
            ResultPages(
                self.result_desk,
                players,
                self.visit_desk.whose,
                house=self._house,
                people=self._people,
            ),
            CustomerRoom(
                self.customer_desk,
                self.machines,
                who=self._name_of,
                house=self._house,
                clock=self._clock,
            ),
            DutyPages(self.duty, house=self._house, people=self._people, clock=self._clock),
            LineRoom(
                self.line_desk,
                self.dialer.store,
                who=lambda person: self._people().by_id(person),
                clock=self._clock,
                room=self._room_left,
            ),
            ListRoom(self.recordings, collector=self.collector, who=self._name_of),
            RecordingRoom(self.listening, who=self._name_of, customers=self._names_of),
            LiveRoom(self.control),
            KeepingRoom(
                self.keeper,
                self.dossier,
                self.listening,
                who=self._name_of,
                house=self._house,
                clock=self._clock,
                folder=self._data,
            ),
            QualityRoom(
                self.quality_desk,
                players,
                self._comments,
                who=self._name_of,
                house=self._house,
                clock=self._clock,
            ),
            ReportsRoom(
                counts=self._calls,
                people=self._people,
                house=self._house,
                clock=self._clock,
                roster=self.duty.roster,
            ),
            PolicyRoom(self._policy, self._clock, self._name_of),
        ]

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Give what runs for ever, by name."""
        collecting = {"recordings": self.collector.run()} if self.collector else {}
        return {
            **collecting,
            "control": self.control.run(),
            "converter": self.converter.run(),
            "keeper": self.keeper.run(),
            "quality": self.quality_desk.run(),
            "policy": self._policy.run(),
            "dialer": self.dialer.run(),
            "lines": self.line_desk.run(),
            "penalties": self.penalty_desk.run(),
            "callbacks": self.callback_desk.run(),
            "visits": self.visit_calls.run(),
            "planner": self.planner.run(),
        }

    def start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start all of it."""
        return [tasks.create_task(work, name=name) for name, work in self.work().items()]

    async def _remind(
        self,
        conn: Connection,
        events: Sequence[Event],
        some: Sequence[Reminding],
        now: datetime,
    ) -> int:
        """Keep, move and cancel what a plan reminds of, as work for people."""
        zone = self._house().zone
        items = [
            WorkItem(
                id=new_id(now),
                kind=WorkKind.REMINDER,
                origin=one.origin,
                visit=None,
                customer=one.customer,
                department="",
                owner=None,
                channel="",
                text=f"{one.reminder} · {one.to}",
                due_at=datetime.combine(one.day + timedelta(days=1), time(), zone),
                opened_at=now,
                done_by=None,
                done_at=None,
                note="",
            )
            for one in some
        ]
        whose = {one.id: one.customer for one in events}
        return await self.results.remind(conn, whose, items, now)

    async def _shortfalls(self, month: date) -> list[Proposed]:
        """Give what the penalties hold for what visits of a month lack."""
        return [
            Proposed(
                person=one.person,
                incident=one.incident,
                state=one.state,
                amount=one.amount,
                unit=one.unit,
            )
            for one in await self.penalties.shortfalls(month)
        ]

    def _people(self) -> Directory:
        return self._desk.directory

    def _supervisor(self, duty: DutySet) -> str | None:
        return supervisor_of(duty, self._people())

    def _name_of(self, person: str) -> str:
        """Give a person's name; whoever is not known keeps the id."""
        found = self._people().by_id(person)
        return found.name if found else person

    def _room_left(self) -> RoomLeft | None:
        """Tell how much room recordings have; None where none are collected."""
        if self.collector is None:
            return None
        now = self.collecting
        return RoomLeft(word=now.room.value, free=now.free, troubles=now.troubles)

    async def recorded(self, calls: Collection[str]) -> dict[str, list[Recorded]]:
        """Give what can be heard of some calls, by call."""
        return {
            call: [Recorded(id=one.id, person=one.person) for one in some if one.playable]
            for call, some in (await self.recordings.of_calls(calls)).items()
        }

    async def owed(self, customers: Collection[str]) -> list[Owed]:
        """Give the return visits of some customers whose time has come, the earliest first."""
        now = self._clock.now()
        return [
            Owed(visit=one.id, customer=one.customer, due_at=one.due_at, late=one.due_at < now)
            for one in await self.visits.due_with(customers, now)
        ]

    async def targets(self, since: datetime, until: datetime) -> dict[str, int]:
        """Count a day's promises and records of visits, as the wall shows them (QM-03)."""
        due, kept = await self.visit_lists.promised(since, until, self._clock.now())
        recorded = (await self.results.sum_of(since=since, until=until)).records
        owed = await self.visit_lists.unrecorded()
        return {
            "promised": due,
            "kept": kept,
            "visited": recorded + owed,
            "recorded": recorded,
        }

    def recordings_alarm(self) -> float | None:
        """Say how bad it is with recordings: 0 well, 1 little room, 2 none, or no collecting."""
        if self.collector is None:
            return None
        if self.collecting.room is Room.FULL or self.collecting.troubles:
            return 2.0
        return 1.0 if self.collecting.room is Room.LOW else 0.0

    async def _order(self, event: str) -> Order | None:
        country = self._house().card.country
        return await order_of(self.events, self._customers, event, country)

    async def _wishes(self, customer: str) -> Wishes:
        """Give what a customer wants; whom nobody knows any more wants no call."""
        known = await self._customers.get(customer)
        return wishes_of(known) if known else Wishes(do_not_call=True)

    async def _contacts(self, customer: Customer, limit: int) -> list[Contact]:
        """Give the last calls with any number of a customer, newest first."""
        found = [
            one for number in customer.phones for one in await self._calls.contacts(number, "")
        ]
        return sorted(found, key=lambda one: one.at, reverse=True)[:limit]

    async def _callback_states(self, calls: Collection[str]) -> Mapping[str, str]:
        found = await self.callbacks.of_calls(calls)
        return {call: miss.state.value for call, miss in found.items() if miss.state}

    async def _comments(self, recording: str) -> list[tuple[str, str, str]]:
        found = await self.recordings.markers_of(recording)
        return [(wave.clock(one.at_ms), one.person, one.text) for one in found]

    async def _names_of(self, customers: Collection[str]) -> Mapping[str, str]:
        return await names_of(self._customers, customers, self._house())


async def names_of(
    store: CustomerStore, customers: Collection[str], house: House
) -> Mapping[str, str]:
    """Give the names of customers, with what the house calls their tiers, by id (MISS-10)."""
    found = [await store.get(customer) for customer in sorted(customers)]
    tiers = {one.id: house.customers.name_of(one.tier, house.card.locale) for one in found if one}
    return {one.id: " · ".join(filter(None, (one.name, tiers[one.id]))) for one in found if one}


async def order_of(
    events: EventStore, store: CustomerStore, event: str, country: str
) -> Order | None:
    """Give a booking with its restaurant, which is told by its external id or its number."""
    known = await events.get(event)
    if known is None:
        return None
    number = normal(known.merchant, country)
    place = await store.by_external_id(known.merchant) if known.merchant else None
    if place is None and number.normal:
        place = next(iter(await store.find(number.normal)), None)
    own = [number.shown] if number.normal and number.shown else []
    return Order(
        day=known.day,
        time=known.time,
        ref=known.ref,
        restaurant=place.name if place else "" if own else known.merchant,
        numbers=[normal(one, country).shown or one for one in place.phones] if place else own,
        seating=known.seating,
        note=known.note,
    )
