"""What people do with visits: an agent's list and brief, a supervisor's board, plan, campaigns.

Whatever a visit is dialled with is `calling`; whatever it brought is `cti.results`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from cti.callbacks.rules import serves
from cti.clock import Clock
from cti.customers.events import Event
from cti.customers.rules import Customer, normal
from cti.db.schema import new_id
from cti.errors import Refused
from cti.house import House
from cti.house_visits import PURPOSES
from cti.people.rules import Directory, Person, Right, checked_text
from cti.results.forms import Form, Part, spoken_day
from cti.results.record import Campaign, Opinion, Record, Selection, WorkItem
from cti.results.rules import NOTE_LIMIT, TEXT_LIMIT, local_time, week_of, zone_of
from cti.results.store import By as ResultBy
from cti.results.store import Praise, ResultStore, Sum
from cti.visits.abandoned import Abandons, is_stopped
from cti.visits.allowed import Allowed, Refusal, may_dial, may_take, nearest
from cti.visits.attempts import APPOINTMENT_AHEAD
from cti.visits.criteria import Criteria, criteria_of, read_criteria
from cti.visits.lists import By, Cover, Day, Deed, VisitLists, Wanted
from cti.visits.reckoner import Reckoner
from cti.visits.record import MERCHANT, OPEN, PROMISE_RULE, Kind, Owed, State, Try, Visit, Wishes
from cti.visits.selections import Chosen, Selections
from cti.visits.store import VisitStore

log = structlog.get_logger(__name__)

LIST: Final = 50
PAGE: Final = 50
CONTACTS: Final = 8
RECORDS: Final = 5
HEARD: Final = 200
LOOK_BACK: Final = timedelta(days=8)
CAMPAIGN_MOST: Final = 5000
"""A campaign visits so many customers at the most."""
CAMPAIGN_DAYS: Final = 92
SAMPLE: Final = 20
"""So many customers of a selection are shown."""
NAME_LIMIT: Final = 120


class Customers(Protocol):
    """Whom we visit (`cti.customers.store.CustomerStore`)."""

    async def get(self, customer: str) -> Customer | None:
        """Find a customer by our id."""
        ...


class Contacts(Protocol):
    """The last calls with a customer, as a brief tells them."""

    async def __call__(self, customer: Customer, limit: int) -> Sequence[Any]:
        """Give calls with his numbers that are over, newest first (`calls.store.Contact`)."""
        ...


class Wanting(Protocol):
    """What a customer wants of us."""

    async def __call__(self, customer: str) -> Wishes:
        """Give his wishes; whom nobody knows any more wants no call."""
        ...


class Happened(Protocol):
    """What happened to customers (`cti.customers.store.EventStore`)."""

    async def get(self, event: str) -> Event | None:
        """Find an event by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A booking as a visit about it tells it: when, where, and what became of the table."""

    day: date
    time: time | None
    ref: str
    restaurant: str
    """Its name; what was told of it, where nobody knows it."""
    numbers: Sequence[str]
    seating: str
    note: str


class Orders(Protocol):
    """What was booked."""

    async def __call__(self, event: str) -> Order | None:
        """Give the booking that an event is; None: there is none any more."""
        ...


class Calls(Protocol):
    """Who claims and dials (`cti.visits.calling.VisitCalls`)."""

    async def claim(self, person: Person, visit: str | None = None) -> Visit:
        """Claim a visit, or the next one; see `VisitCalls.claim`."""
        ...

    def talks_with(self, person: Person, customer: Customer) -> str | None:
        """Give the call in which somebody talks with a customer who has called us."""
        ...

    async def take_in_call(self, person: Person, visit: str) -> Visit:
        """Let a visit be made in the call that somebody has with the customer anyway."""
        ...

    async def give_back(self, person: Person, visit: str, epoch: int) -> None:
        """Give a claimed visit back; others are asked first today."""
        ...

    async def let_go(self, person: Person, visit: str, epoch: int) -> None:
        """Let go of a claimed visit that is changed at once."""
        ...

    async def dial(self, person: Person, visit: str, epoch: int) -> Try:
        """Ring the agent's phone, then the customer's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """How ringing customers before their agents stands: who met nobody, and whether it goes on."""

    found: Abandons
    since: datetime
    cap: Decimal
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A visit with its customer."""

    visit: Visit
    customer: Customer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Effective visits of a week and a month, done and owed (CB-22, CB-23)."""

    week: int
    per_week: int
    month: int
    per_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An agent's list: his own, what he may take besides, his next appointment, his quota."""

    own: Sequence[Case]
    free: Sequence[Case]
    more: bool
    appointment_at: datetime | None
    quota: Quota
    work: int
    """So many things he has to do besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """All that an agent reads before dialling (CB-19), and what may be done."""

    case: Case
    tries: Sequence[Try]
    contacts: Sequence[Any]
    records: Sequence[Record]
    record: Record | None
    form: Form
    staff: Mapping[str, str]
    """Who served the customer, by role."""
    script: Sequence[Part]
    script_locale: str
    said: Allowed | Refusal
    nearest: datetime | None
    zone: ZoneInfo
    work: Sequence[WorkItem]
    deeds: Sequence[Deed]
    talks: bool
    """Whether this person talks with the customer now, who has called us."""
    takes: bool
    """Whether it may be taken, as far as calling goes."""
    order: Order | None
    """Where a restaurant is asked first: what is booked there."""
    given_back: Sequence[str] = ()
    """Who gave it back today, or did not pick up for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one person has to do; `person` None: what is nobody's."""

    person: Person | None
    open: int
    due_today: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a campaign came to (回訪總結報告, CB-06), or an agent's week (CB-24)."""

    sum: Sum
    cover: Cover | None
    opinions: Sequence[Opinion]
    persons: Sequence[Praise] = ()
    """How content customers were with those who served them, each by himself (CB-STUDIO-08)."""


class VisitDesk:
    """Lets people see and move visits. `house` and `people` are asked anew each time."""

    def __init__(
        self,
        store: VisitStore,
        lists: VisitLists,
        results: ResultStore,
        selections: Selections,
        *,
        calls: Calls,
        customers: Customers,
        contacts: Contacts,
        wishes: Wanting,
        events: Happened,
        reckoner: Reckoner,
        orders: Orders,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self.lists, self._store, self._results = lists, store, results
        self._selections, self._events = selections, events
        self.calls, self._customers, self._contacts = calls, customers, contacts
        self._wishes, self.reckoner, self._orders = wishes, reckoner, orders
        self._house, self._people, self.clock = house, people, clock

    @property
    def house(self) -> House:
        """The rules in force now."""
        return self._house()

    @property
    def people(self) -> Directory:
        """Everybody, as they are now."""
        return self._people()

    # -- an agent's

    async def due(self, person: Person, after: str = "") -> Due:
        """Give somebody's own visits, and a page of those that he may take besides."""
        now, supervisor = self.clock.now(), person.may(Right.REVIEW)
        own = await self.lists.mine(person.id, LIST)
        free = await self.lists.free(now, PAGE + 1, supervisor=supervisor, after=after)
        work = await self._results.open_work_of(person.id)
        return Due(
            own=await self._cases(own),
            free=[
                one
                for one in await self._cases(free[:PAGE])
                if serves(person, one.visit.department)
            ],
            more=len(free) > PAGE,
            appointment_at=await self.lists.next_appointment(person.id, now),
            quota=await self.quota(person),
            work=work,
        )

    async def quota(self, person: Person) -> Quota:
        """Count the effective visits of somebody in this week and this month."""
        quota = self.house.visits.quota
        week, month = await self.reckoner.of(person.id, self._today())
        return Quota(week=week, per_week=quota.per_week, month=month, per_month=quota.per_month)

    async def brief(self, person: Person, visit: str, locale: str) -> Brief:
        """Give all that is known of a visit: no_visit."""
        case, now = await self._case(person, visit), self.clock.now()
        it, house = case.visit, self.house
        wishes = await self._wishes(it.customer)
        tries = await self._store.tries_of(it.customer, now - LOOK_BACK)
        said = may_dial(it, wishes, tries, now, person.id, house)
        event = await self._events.get(it.event) if it.event else None
        record = await self._results.of_visit(visit)
        earlier = await self._results.of_customer(it.customer, RECORDS + 1)
        content = record.satisfaction if record else None
        script = house.script(it.script)
        told = (
            script.told(locale, self._facts(case, event, person, locale), content) if script else ()
        )
        return Brief(
            case=case,
            tries=await self.lists.tries_of(visit),
            contacts=await self._contacts(case.customer, CONTACTS) if case.customer else (),
            records=[one for one in earlier if one.visit != visit][:RECORDS],
            record=record,
            form=house.form(it.form),
            staff=event.staff if event else {},
            script=told,
            script_locale=script.language(locale) if script else locale,
            said=said,
            nearest=None
            if isinstance(said, Allowed)
            else nearest(it, wishes, tries, now, person.id, house),
            zone=zone_of(wishes, house),
            work=await self._results.work_of(visit),
            deeds=await self.lists.deeds(visit),
            talks=case.customer is not None
            and self.calls.talks_with(person, case.customer) is not None,
            takes=may_take(it, said, now),
            order=await self._orders(it.event) if it.event and MERCHANT in it.channels else None,
            given_back=sorted((await self.given_back([visit])).get(visit, ())),
        )

    async def given_back(self, some: Collection[str]) -> Mapping[str, Collection[str]]:
        """Give who gave each of some visits back today."""
        return await self._store.given_back(some, _starts(self._today(), self.house.zone))

    def _facts(
        self, case: Case, event: Event | None, person: Person, locale: str
    ) -> dict[str, str]:
        house, customer = self.house, case.customer
        day = event.day if event else case.visit.from_at.astimezone(house.zone).date()
        phone = house.card.phone or house.dialing.caller_id
        return {
            "customer": customer.name if customer else "",
            "title": customer.title if customer else "",
            "house": house.card.name,
            "agent": person.name,
            "number": person.number,
            "phone": normal(phone, house.card.country).shown if phone else "",
            "day": spoken_day(day, locale),
            "department": case.visit.department,
        }

    async def postpone(
        self, person: Person, visit: str, text: str, *, named: bool, reason: str, address: str
    ) -> datetime:
        """Put a visit off to an instant: `named` by the customer, or one that is allowed.

        `text` is by the customer's clock; empty: the next instant that is allowed in another
        part of the day than now. Raises `Refused`: no_visit, visit_not_yours, visit_over,
        visit_taken, visit_time, visit_time_past, visit_time_far, visit_time_refused (with why,
        and the `nearest` that is allowed), visit_never, bad_text.
        """
        case, now = await self._case(person, visit), self.clock.now()
        it, house = case.visit, self.house
        self._check_owner(it, person)
        reason = checked_text("reason", reason, NOTE_LIMIT)
        wishes = await self._wishes(it.customer)
        at = local_time(text, zone_of(wishes, house))
        tries = await self._store.tries_of(it.customer, now - LOOK_BACK)
        if at is None:
            at, named = self._later(it, wishes, tries, now, person), False
        if at <= now:
            raise Refused("visit_time_past", "this time has passed")
        if at > now + APPOINTMENT_AHEAD:
            raise Refused("visit_time_far", "a time within a year")
        values: dict[str, Any] = {"next_at": at, "appointment_at": at if named else None}
        if not named:
            self._check_allowed(it, wishes, tries, at, person)
        if it.held_by == person.id and it.state == State.CLAIMED:
            await self.calls.let_go(person, visit, it.epoch)
        what = "visit_appointed" if named else "visit_postponed"
        await self.lists.change(visit, self._by(person, address), what, values, reason)
        return at

    def _later(
        self, visit: Visit, wishes: Wishes, tries: Sequence[Try], now: datetime, person: Person
    ) -> datetime:
        """Give the next allowed instant after the gap between two attempts."""
        house = self.house
        plain = _anew(visit, now)
        found = nearest(plain, wishes, tries, now + house.visits.min_gap, person.id, house)
        if found is None:
            raise Refused("visit_never", "there is no time at which he may be called")
        return found

    def _check_allowed(
        self, visit: Visit, wishes: Wishes, tries: Sequence[Try], at: datetime, person: Person
    ) -> None:
        """Refuse an instant at which nobody may dial, and name the nearest that is allowed."""
        house, plain = self.house, _anew(visit, self.clock.now())
        said = may_dial(plain, wishes, [_over(one) for one in tries], at, person.id, house)
        if isinstance(said, Allowed):
            return
        free = nearest(plain, wishes, tries, at, person.id, house)
        free = None if free is None else _minute_after(free)
        raise Refused(
            "visit_time_refused" if free else "visit_never",
            "nobody may call then",
            why=said.code,
            nearest=free,
        )

    async def pass_on(self, person: Person, visit: str, to: str, reason: str, address: str) -> None:
        """Let somebody leave his visit to a colleague, or (empty) to whoever takes it.

        He is not asked for it again today while others are on duty.

        Raises `Refused`: no_visit, visit_not_yours, visit_over, visit_taken, visit_nobody,
        visit_reason, bad_text.
        """
        case = await self._case(person, visit)
        self._check_owner(case.visit, person)
        reason = _reason(reason)
        owner = self._colleague(to, case.visit).id if to else None
        if case.visit.held_by == person.id and case.visit.state == State.CLAIMED:
            await self.calls.let_go(person, visit, case.visit.epoch)
        by = self._by(person, address)
        await self.lists.change(visit, by, "visit_passed_on", {"owner": owner}, reason)

    # -- a supervisor's

    async def find(self, wanted: Wanted) -> tuple[Sequence[Case], bool]:
        """Give a page of visits, and whether another one follows."""
        found = await self.lists.find(wanted, PAGE + 1)
        return await self._cases(found[:PAGE]), len(found) > PAGE

    async def coverage(self, since: str) -> Sequence[Cover]:
        """Give how the visits of each rule stand, from a period on."""
        return await self.lists.coverage(
            (*self.house.visits.rules, PROMISE_RULE, "campaign"), since
        )

    async def first(self) -> First | None:
        """Tell how ringing customers first stands; None: the house does not want it."""
        rules = self.house.visits.abandoned
        if self.house.visits.mode != "customer_first":
            return None
        since = self.clock.now() - rules.window
        found = await self._store.abandons(since)
        return First(found=found, since=since, cap=rules.cap, stopped=is_stopped(found, rules))

    async def plan(self) -> tuple[Sequence[Load], Sequence[Day]]:
        """Give what each person has to do, and what becomes due on each of the next days."""
        house, today = self.house, self._today()
        load = await self.lists.load(_starts(today + timedelta(days=1), house.zone))
        people = [None, *self.agents()]
        known = [
            Load(person=one, open=n, due_today=due)
            for one in people
            for n, due in [load.get(one.id if one else None, (0, 0))]
        ]
        return known, await self.days(today, 14)

    async def days(self, start: date, count: int) -> Sequence[Day]:
        """Give what becomes due, and which appointments there are, on days from one on."""
        zone = self.house.zone
        some = [start + timedelta(days=n) for n in range(count)]
        edges = [(one, _starts(one, zone), _starts(one + timedelta(days=1), zone)) for one in some]
        return await self.lists.days(edges)

    async def appointments(self, start: date, count: int) -> Sequence[Case]:
        """Give the visits for which customers named a time in some days."""
        zone = self.house.zone
        since, until = _starts(start, zone), _starts(start + timedelta(days=count), zone)
        return await self._cases(await self.lists.appointments(since, until, LIST))

    async def assign(self, person: Person, visit: str, to: str, reason: str, address: str) -> None:
        """Give a visit to somebody, or (empty) to whoever takes it, as a supervisor does.

        Raises `Refused`: no_visit, visit_over, visit_taken, visit_nobody, visit_reason.
        """
        case = await self._case(person, visit)
        owner = self._colleague(to, case.visit).id if to else None
        values, reason = {"owner": owner}, _reason(reason)
        await self.lists.change(visit, self._by(person, address), "visit_assigned", values, reason)

    async def cancel(self, person: Person, visit: str, reason: str, address: str) -> None:
        """End a visit that need not be made: no_visit, visit_over, visit_taken, visit_reason."""
        await self._case(person, visit)
        by = self._by(person, address)
        values = {
            "state": State.CANCELLED.value,
            "ended_by": person.id,
            "ended_at": by.at,
            "next_at": by.at,
        }
        await self.lists.change(visit, by, "visit_cancelled", values, _reason(reason))

    async def resume(self, person: Person, visit: str, reason: str, address: str) -> None:
        """Let a visit go on that waits for a decision, or whose number was mended.

        Raises `Refused`: no_visit, visit_over, visit_taken, visit_not_waiting, visit_reason.
        """
        case = await self._case(person, visit)
        if case.visit.state not in (State.NEEDS_DECISION, State.WRONG_NUMBER):
            raise Refused("visit_not_waiting", "this visit waits for no decision")
        by = self._by(person, address)
        give_up = max(case.visit.give_up_at, by.at + self.house.visits.give_up_after)
        values = {
            "state": OPEN,
            "next_at": by.at,
            "give_up_at": give_up,
            "ended_at": None,
            "ended_by": None,
        }
        await self.lists.change(visit, by, "visit_resumed", values, _reason(reason))

    # -- selections of customers

    async def selections(self) -> Sequence[Selection]:
        """Give the saved selections, by name."""
        return await self._results.selections()

    async def selection(self, selection: str) -> Selection:
        """Give a saved selection: no_selection."""
        found = await self._results.selection(selection)
        if found is None:
            raise Refused("no_selection", "there is no such selection")
        return found

    def criteria(self, fields: Mapping[str, str]) -> Criteria:
        """Read criteria as a page sends them; refuses as `read_criteria`."""
        return read_criteria(fields, self.house.customers, list(self.people.people))

    async def selects(self, criteria: Criteria) -> tuple[int, Sequence[Chosen]]:
        """Count whom criteria select now, and give the first of them."""
        now, today = self.clock.now(), self._today()
        count = await self._selections.count(criteria, now, today)
        return count, await self._selections.page(criteria, now, today, limit=SAMPLE)

    async def save_selection(
        self, person: Person, selection: str, fields: Mapping[str, str], address: str
    ) -> str:
        """Save criteria under a name (CB-28), or (`selection`) change them; give its id.

        Raises `Refused`: no_selection, selection_name, selection_named, selection_wrong, bad_text.
        """
        by = self._result_by(person, address)
        before = await self.selection(selection) if selection else None
        name = checked_text("name", fields.get("name", ""), NAME_LIMIT)
        if not name:
            raise Refused("selection_name", "give it a name")
        saved = Selection(
            id=before.id if before else new_id(by.at),
            name=name,
            criteria=self.criteria(fields).plain,
            made_by=before.made_by if before else person.id,
            made_at=before.made_at if before else by.at,
            changed_by=person.id,
            changed_at=by.at,
        )
        await self._results.save_selection(saved, by)
        return saved.id

    async def delete_selection(self, person: Person, selection: str, address: str) -> None:
        """Delete a saved selection: no_selection."""
        await self._results.delete_selection(selection, self._result_by(person, address))

    # -- campaigns and summaries

    async def campaign(self, person: Person, fields: Mapping[str, str], address: str) -> str:
        """Visit a selection of customers (CB-06, CB-09, CB-28); give the campaign's id.

        `saved` names a saved selection; without it the criteria stand in the fields. Raises
        `Refused`: campaign_name, campaign_purpose, campaign_days, campaign_nobody,
        campaign_many, no_selection, selection_wrong, bad_text.
        """
        criteria, saved = await self._criteria(fields)
        wanted = self._wanted_campaign(fields)
        chosen = await self._chosen(criteria)
        if not chosen:
            raise Refused("campaign_nobody", "no customer fits")
        by, house = self._result_by(person, address), self.house
        named = {"saved": saved.id, "saved_name": saved.name} if saved else {}
        campaign = Campaign(
            id=new_id(by.at),
            selection={**criteria.plain, **named},
            made_by=person.id,
            made_at=by.at,
            visits=len(chosen),
            conclusion="",
            concluded_by=None,
            concluded_at=None,
            **wanted,
        )
        owed = [_owed(campaign, one, house) for one in chosen]
        async with self.lists.db.write() as conn:
            await self._results.add_campaign(conn, campaign, by)
            if saved:
                await self._results.use_selection(conn, saved.id, by, campaign.id)
            await self._store.owe(conn, owed, by.at, house.version)
        log.info("campaign_made", campaign=campaign.id, visits=len(chosen))
        return campaign.id

    async def count(self, fields: Mapping[str, str]) -> int:
        """Count whom a campaign would visit; refuses as `campaign`, but for how many."""
        criteria, _saved = await self._criteria(fields)
        self._wanted_campaign({"name": "-", **fields})
        return await self._selections.count(criteria, self.clock.now(), self._today())

    async def _criteria(self, fields: Mapping[str, str]) -> tuple[Criteria, Selection | None]:
        if saved := fields.get("saved", ""):
            found = await self.selection(saved)
            return criteria_of(found.criteria), found
        return self.criteria(fields), None

    def _wanted_campaign(self, fields: Mapping[str, str]) -> dict[str, Any]:
        house, today = self.house, self._today()
        name = checked_text("name", fields.get("name", ""), NAME_LIMIT)
        if not name:
            raise Refused("campaign_name", "give it a name")
        purpose = fields.get("purpose", "")
        if purpose not in PURPOSES:
            raise Refused("campaign_purpose", "say what it is for")
        start = _day(fields.get("from", ""), today)
        end = _day(fields.get("until", ""), start + timedelta(days=house.visits.deadline))
        if not today <= start <= end or (end - start).days > CAMPAIGN_DAYS:
            raise Refused("campaign_days", "the days are the wrong way round, past, or too many")
        form, script = fields.get("form", ""), fields.get("script", "")
        return {
            "name": name,
            "purpose": purpose,
            "form": form if form in house.forms else "",
            "script": script if script in house.scripts else "",
            "from_at": _starts(start, house.zone),
            "due_at": _starts(end + timedelta(days=1), house.zone) - timedelta(minutes=1),
        }

    async def _chosen(self, criteria: Criteria) -> Sequence[Chosen]:
        """Give whom criteria select, if they are not too many."""
        found = await self._selections.page(
            criteria, self.clock.now(), self._today(), limit=CAMPAIGN_MOST + 1
        )
        if len(found) > CAMPAIGN_MOST:
            raise Refused("campaign_many", "choose fewer", n=CAMPAIGN_MOST)
        return found

    async def campaigns(self) -> Sequence[Campaign]:
        """Give the newest campaigns."""
        return await self._results.campaigns(PAGE)

    async def report(self, campaign: str) -> tuple[Campaign, Report]:
        """Give a campaign and what it came to (CB-06): no_campaign."""
        known = await self._results.campaign(campaign)
        if known is None:
            raise Refused("no_campaign", "there is no such campaign")
        return known, Report(
            sum=await self._results.sum_of(campaign=campaign),
            cover=await self.lists.covered_by(campaign),
            opinions=await self._results.heard(campaign=campaign, limit=HEARD),
        )

    async def conclude(self, person: Person, campaign: str, text: str, address: str) -> None:
        """Write down what a campaign showed (CB-06): no_campaign, visit_reason, bad_text."""
        conclusion = checked_text("conclusion", text, 4 * TEXT_LIMIT)
        if not conclusion:
            raise Refused("visit_reason", "say what it showed")
        await self._results.conclude(campaign, self._result_by(person, address), conclusion)

    async def week(
        self, agent: str, day: date, *, everybody: bool = False
    ) -> tuple[tuple[datetime, datetime], Report]:
        """Give what an agent's week came to (CB-24).

        The scores of those who served customers are of his calls, or of `everybody`'s.
        """
        since, until = week_of(day, self.house.zone)
        return (since, until), Report(
            sum=await self._results.sum_of(agent=agent, since=since, until=until),
            cover=None,
            opinions=await self._results.heard(agent=agent, since=since, until=until, limit=HEARD),
            persons=await self._results.praise(since, until, agent="" if everybody else agent),
        )

    # -- helpers

    def agents(self) -> list[Person]:
        """Give who makes visits, by number."""
        return sorted(self.people.with_right(Right.OWN_WORK), key=lambda one: one.number)

    async def whose(self, customers: Collection[str]) -> dict[str, Customer]:
        """Give customers by id; whom nobody knows is left out."""
        found = [await self._customers.get(one) for one in sorted(set(customers))]
        return {one.id: one for one in found if one is not None}

    async def _cases(self, found: Sequence[Visit]) -> list[Case]:
        known = await self.whose([one.customer for one in found])
        return [Case(visit=one, customer=known.get(one.customer)) for one in found]

    async def _case(self, person: Person, visit: str) -> Case:
        known = await self._store.get(visit)
        if known is None or not _may_see(person, known):
            raise Refused("no_visit", "there is no such visit")
        return (await self._cases([known]))[0]

    def _check_owner(self, visit: Visit, person: Person) -> None:
        mine = person.id in (visit.owner, visit.held_by) or person.may(Right.REVIEW)
        if not mine and visit.owner is not None:
            raise Refused("visit_not_yours", "this is for somebody else", by=visit.owner)

    def _colleague(self, id: str, visit: Visit) -> Person:
        person = self.people.by_id(id)
        if person is None or not person.may(Right.OWN_WORK):
            raise Refused("visit_nobody", "choose somebody who makes visits")
        if not serves(person, visit.department):
            raise Refused("visit_nobody", "choose somebody of the department")
        return person

    def _today(self) -> date:
        return self.clock.now().astimezone(self.house.zone).date()

    def _by(self, person: Person, address: str) -> By:
        return By(
            person=person.id,
            at=self.clock.now(),
            address=address[:64],
            policy=self.house.version,
        )

    def _result_by(self, person: Person, address: str) -> ResultBy:
        by = self._by(person, address)
        return ResultBy(person=by.person, at=by.at, address=by.address, policy=by.policy)


def _may_see(person: Person, visit: Visit) -> bool:
    """Tell whether somebody may see a visit: one's own, one's department's, or all."""
    if person.may(Right.REVIEW) or person.may(Right.AUDIT):
        return True
    return person.id in (visit.owner, visit.held_by) or serves(person, visit.department)


def _reason(text: str) -> str:
    reason = checked_text("reason", text, NOTE_LIMIT)
    if not reason:
        raise Refused("visit_reason", "say why")
    return reason


def _starts(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _day(text: str, plain: date) -> date:
    try:
        return date.fromisoformat(text[:10]) if text else plain
    except ValueError as fault:
        raise Refused("campaign_days", "a day as 2026-03-02") from fault


def _minute_after(at: datetime) -> datetime:
    """Give the first whole minute that is not before an instant: a page names no seconds."""
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(minutes=1)


def _anew(visit: Visit, now: datetime) -> Visit:
    """Give a visit as if it might be made at any time from now on."""
    return replace(visit, next_at=now, appointment_at=None)


def _over(one: Try) -> Try:
    """Give an attempt as over: what is asked lies after it."""
    return replace(one, ended_at=one.ended_at or one.began_at)


def _owed(campaign: Campaign, customer: Chosen, house: House) -> Owed:
    return Owed(
        kind=Kind.VISIT,
        origin=f"campaign|{campaign.id}|{customer.id}",
        customer=customer.id,
        rule="campaign",
        purpose=campaign.purpose,
        period=f"{campaign.from_at.astimezone(house.zone):%Y-%m}",
        from_at=campaign.from_at,
        due_at=campaign.due_at,
        give_up_at=campaign.due_at + house.visits.give_up_after,
        zone=house.card.timezone,
        campaign=campaign.id,
        form=campaign.form,
        script=campaign.script,
    )
