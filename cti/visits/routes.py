"""The pages of the visits: an agent's list, one visit, the board, the plan, the calendar,
campaigns, weeks.

Plain forms: all works without a script.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from multidict import MultiMapping

from cti.customers.rules import normal, seen_by
from cti.errors import PbxUnavailable, Refused
from cti.people.rules import Person, Right
from cti.reports.sheets import Column, Kind, Sheet
from cti.results.desk import ResultDesk
from cti.results.record import OpinionKind
from cti.results.rules import NOTE_LIMIT, OPINIONS, TEXT_LIMIT
from cti.visits.allowed import Allowed
from cti.visits.criteria import KINDS, criteria_of
from cti.visits.desk import NAME_LIMIT, Brief, Case, Order, VisitDesk
from cti.visits.lists import RISK, Wanted
from cti.visits.quota import month_after, month_before
from cti.visits.reckoner import Month
from cti.visits.record import BY_AGENT, OPEN, PROMISE_RULE, Outcome, State, Visit
from cti.visits.selections import Chosen
from cti.web.auth import Denied, Visitor
from cti.web.downloads import wanted as wanted_form
from cti.web.pages import see_other
from cti.web.ports import Players
from cti.web.refusals import readable
from cti.web.rooms import Kit, Place
from cti.web.words import Locale

PATH: Final = "/visits"
ONE: Final = f"{PATH}/{{visit:[0-9a-f]{{26}}}}"
SELECTION: Final = f"{PATH}/selections/{{id:[0-9a-f]{{26}}}}"
SEERS: Final = (Right.OWN_WORK, Right.REVIEW, Right.AUDIT)
OVERSEERS: Final = (Right.REVIEW, Right.AUDIT)
STATES: Final = (
    "open",
    State.NEEDS_DECISION,
    State.DONE,
    State.UNREACHABLE,
    State.REFUSED,
    State.WRONG_NUMBER,
    State.CANCELLED,
    "any",
)
ROWS: Final = 3
"""So many empty rows for opinions has the form; more come when these are filled."""
CALENDAR_WEEKS: Final = 5
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MONTH: Final = re.compile(r"20[0-9]{2}-[0-9]{2}")
_PERIOD: Final = re.compile(r"[0-9A-Za-z-]{1,32}")
_TYPED_MOST: Final = 4 * TEXT_LIMIT
_FIELDS_MOST: Final = 200
_EPOCH_MOST: Final = 9

Act = Callable[["Sent"], Awaitable[str]]
"""Does what a form asks; gives what was done, and by `>` where it leads."""


class Switch(Protocol):
    """Whether dialling is switched off for the house (`cti.dials.store.DialStore`)."""

    async def switched(self) -> Any:
        """Tell who has switched dialling off or on last; None: nobody ever did."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A visit as a page says it. `left` is until it is due: less than nothing when overdue."""

    visit: Visit
    state: str
    name: str
    tier: str
    number: str
    flags: Sequence[str]
    do_not_call: bool
    owner: str
    holder: str
    left: timedelta
    ready: bool
    """It may be made now, as far as its own time goes."""

    @property
    def late(self) -> bool:
        """Whether its deadline is over."""
        return self.left <= timedelta()

    @property
    def clock(self) -> str:
        """How long until it is due, or since, as `h:mm`."""
        minutes = int(abs(self.left).total_seconds()) // 60
        return f"{minutes // 60 % 24}:{minutes % 60:02}"

    @property
    def days(self) -> int:
        """How many whole days until it is due, or since."""
        return abs(self.left) // timedelta(days=1)

    @property
    def risky(self) -> bool:
        """Whether most of its time is over."""
        return self.visit.warned >= RISK


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What somebody sent about one thing."""

    person: Person
    about: str
    address: str
    fields: Mapping[str, Sequence[str]]

    @property
    def epoch(self) -> int:
        """Which holding of the visit the page was about; -1: none that there is."""
        text = self.said("epoch")
        is_one = text.isascii() and text.isdigit() and len(text) <= _EPOCH_MOST
        return int(text) if is_one else -1

    def said(self, name: str) -> str:
        """What stands in a field."""
        return next(iter(self.fields.get(name, ())), "")

    @property
    def plain(self) -> dict[str, str]:
        """What stands in each field."""
        return {name: self.said(name) for name in self.fields}


class VisitPages:
    """The pages of this room."""

    places: Sequence[Place] = (Place(path=PATH, key="visits.nav", rights=SEERS),)

    def __init__(
        self, desk: VisitDesk, results: ResultDesk, recordings: Players, switch: Switch
    ) -> None:
        self.desk, self.results = desk, results
        self.recordings, self.switch = recordings, switch

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the routes, each with its guard; which visit one may see, the desk says."""
        self.kit = kit
        guard = kit.auth.guard
        deeds: dict[str, tuple[Act, Right]] = {
            "claim": (self._claim, Right.OWN_WORK),
            "in-call": (self._in_call, Right.OWN_WORK),
            "dial": (self._dial, Right.OWN_WORK),
            "give-back": (self._give_back, Right.OWN_WORK),
            "result": (self._result, Right.OWN_WORK),
            "restaurant": (self._restaurant, Right.OWN_WORK),
            "postpone": (self._postpone, Right.OWN_WORK),
            "pass-on": (self._pass_on, Right.OWN_WORK),
            "assign": (self._assign, Right.REVIEW),
            "cancel": (self._cancel, Right.REVIEW),
            "resume": (self._resume, Right.REVIEW),
        }
        return [
            web.get(PATH, guard(self.due, rights=SEERS)),
            web.post(f"{PATH}/next", guard(self.next, rights=(Right.OWN_WORK,))),
            web.get(f"{PATH}/all", guard(self.all, rights=OVERSEERS)),
            web.get(f"{PATH}/coverage", guard(self.coverage, rights=OVERSEERS)),
            web.get(f"{PATH}/quota", guard(self.quota, rights=OVERSEERS)),
            web.get(f"{PATH}/plan", guard(self.plan, rights=OVERSEERS)),
            web.get(f"{PATH}/calendar", guard(self.calendar, rights=SEERS)),
            web.get(f"{PATH}/week", guard(self.week, rights=SEERS)),
            web.get(f"{PATH}/campaigns", guard(self.campaigns, rights=OVERSEERS)),
            web.post(f"{PATH}/campaigns", guard(self.make, rights=(Right.REVIEW,))),
            web.get(
                f"{PATH}/campaigns/{{id:[0-9a-f]{{26}}}}", guard(self.report, rights=OVERSEERS)
            ),
            web.post(
                f"{PATH}/campaigns/{{id:[0-9a-f]{{26}}}}",
                guard(self.conclude, rights=(Right.REVIEW,)),
            ),
            web.get(f"{PATH}/selections", guard(self.selections, rights=OVERSEERS)),
            web.post(f"{PATH}/selections", guard(self.save, rights=(Right.REVIEW,))),
            web.get(SELECTION, guard(self.selection, rights=OVERSEERS)),
            web.post(SELECTION, guard(self.change, rights=(Right.REVIEW,))),
            web.get(ONE, guard(self.one, rights=SEERS)),
            *(
                web.post(f"{ONE}/{name}", guard(partial(self._do, name, act), rights=(right,)))
                for name, (act, right) in deeds.items()
            ),
        ]

    # -- an agent's pages

    async def due(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        """Show an agent's own visits and the free ones; who makes none sees the board."""
        person = _person(visitor)
        if not person.may(Right.OWN_WORK):
            return see_other(f"{PATH}/coverage")
        due = await self.desk.due(person, _id(request, "after"))
        free = [self._line(case, person) for case in due.free]
        return self.kit.pages.page(
            request,
            visitor,
            "visits/due.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            own=[self._line(case, person) for case in due.own],
            free=free,
            back=await self.desk.given_back([one.visit.id for one in (*due.own, *due.free)]),
            more=free[-1].visit.id if due.more and free else "",
            paged="after" in request.query,
            due=due,
            **self._frame(person),
        )

    async def next(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Claim what somebody should do next, and show it."""
        try:
            visit = await self.desk.calls.claim(_person(visitor))
        except Refused as refusal:
            return await self.due(request, visitor, refusal)
        return see_other(f"{PATH}/{visit.id}?done=visit_claim")

    async def one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one visit: who and why, what to say, what may be done, what came of it."""
        return await self._file(request, visitor, request.match_info["visit"])

    async def _file(
        self,
        request: web.Request,
        visitor: Visitor,
        visit: str,
        *,
        refusal: Refused | None = None,
        typed: Sent | None = None,
    ) -> web.Response:
        person = _person(visitor)
        try:
            brief = await self.desk.brief(person, visit, visitor.locale)
        except Refused as unknown:
            raise Denied(404, unknown.code) from unknown
        it = brief.case.visit
        wrong = refusal.facts.get("wrong", {}) if refusal else {}
        zone = brief.zone
        return self.kit.pages.page(
            request,
            visitor,
            "visits/one.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            wrong=wrong,
            offer=_offer(refusal, zone),
            brief=brief,
            order=brief.order and self._order(brief.order, it, person),
            line=self._line(brief.case, person),
            recordings=await self._sounds(brief, person, request),
            recorded=await self.recordings.known([one.call for one in brief.contacts], person),
            said_code="" if isinstance(brief.said, Allowed) else brief.said.code,
            holds=it.held_by == person.id,
            first=await self.desk.first(),
            may_take=it.state == OPEN and person.may(Right.OWN_WORK),
            decides=person.may(Right.REVIEW),
            outcomes=_outcomes(it),
            kinds=list(OpinionKind),
            rows=max(ROWS, min(OPINIONS, _filled(typed) + 1)),
            his=lambda at: at.astimezone(zone),
            other_zone=zone != self.desk.house.zone,
            name=self._name,
            typed=typed.said if typed else lambda _name: "",
            many=typed.fields if typed else {},
            row=partial(_row, typed),
            most=NOTE_LIMIT,
            text_most=TEXT_LIMIT,
            **self._frame(person),
        )

    async def _sounds(
        self, brief: Brief, person: Person, request: web.Request
    ) -> Sequence[Mapping[str, Any]]:
        calls = [one.call for one in brief.tries if one.call]
        return await self.recordings(calls, person, self.kit.pages.site.address(request))

    async def week(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show what somebody's week came to; whose, only who oversees may choose."""
        person = _person(visitor)
        oversees = any(map(person.may, OVERSEERS))
        chosen = _id(request, "agent") if oversees else person.id
        agent = self.desk.people.by_id(chosen or person.id) or person
        day = _day(request, "day", self._today())
        (since, until), report = await self.desk.week(agent.id, day, everybody=oversees)
        return self.kit.pages.page(
            request,
            visitor,
            "visits/week.html",
            agent=agent,
            day=day,
            since=since,
            until=until - timedelta(days=1),
            before=day - timedelta(weeks=1),
            after=day + timedelta(weeks=1),
            report=report,
            made=(await self.desk.reckoner.of(agent.id, day))[0],
            quota=self.desk.house.visits.quota,
            **self._frame(person),
        )

    async def calendar(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the weeks to come: what becomes due each day, and what customers named."""
        person = _person(visitor)
        start = _day(request, "from", self._today())
        start -= timedelta(days=start.weekday())
        days = await self.desk.days(start, 7 * CALENDAR_WEEKS)
        named = await self.desk.appointments(start, 7 * CALENDAR_WEEKS)
        mine = [one for one in named if self._shown(one, person)]
        return self.kit.pages.page(
            request,
            visitor,
            "visits/calendar.html",
            weeks=[days[n : n + 7] for n in range(0, len(days), 7)],
            today=self._today(),
            holidays=self.desk.house.calendar.holidays,
            appointments=[self._line(case, person) for case in mine],
            before=start - timedelta(weeks=CALENDAR_WEEKS),
            after=start + timedelta(weeks=CALENDAR_WEEKS),
            **self._frame(person),
        )

    def _shown(self, case: Case, person: Person) -> bool:
        return any(map(person.may, OVERSEERS)) or case.visit.owner in (None, person.id)

    # -- a supervisor's pages

    async def all(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show every visit that the filters in the URL name."""
        wanted = _wanted(request)
        found, more = await self.desk.find(wanted)
        lines = [self._line(case, _person(visitor)) for case in found]
        following = {**request.query, "after": lines[-1].visit.id} if more else {}
        return self.kit.pages.page(
            request,
            visitor,
            "visits/all.html",
            lines=lines,
            wanted=wanted,
            states=STATES,
            rules=[*self.desk.house.visits.rules, PROMISE_RULE, "campaign"],
            more=urlencode(following),
            **self._frame(_person(visitor)),
        )

    async def coverage(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show what is due, done, at risk and breached, by rule and period (V10)."""
        said = request.query.get("since", "")
        since = said if _PERIOD.fullmatch(said) else f"{self._today() - timedelta(days=31):%Y-%m}"
        house = self.desk.house
        return self.kit.pages.page(
            request,
            visitor,
            "visits/coverage.html",
            covers=await self.desk.coverage(since),
            since=since,
            targets={name: rule.coverage for name, rule in house.visits.rules.items()},
            first=await self.desk.first(),
            switch=await self.switch.switched(),
            switcher=_person(visitor).may(Right.REVIEW),
            name=self._name,
            most=NOTE_LIMIT,
            **self._frame(_person(visitor)),
        )

    async def quota(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show what each agent made of a month's quota (CB-22, CB-23); as a file with `as`."""
        now = self._today().replace(day=1)
        month = min(_month(request, now), now)
        board = await self.desk.reckoner.board(month, self._today())
        if form := wanted_form(request):
            sheet = self._quota_sheet(board, visitor.locale)
            return await self.kit.downloads.answer(sheet, form)
        return self.kit.pages.page(
            request,
            visitor,
            "visits/quota.html",
            it=board,
            quota=self.desk.house.visits.quota,
            before=month_before(month),
            after=month_after(month) if month < now else None,
            who=self.desk.people.by_id,
            **self._frame(_person(visitor)),
        )

    def _quota_sheet(self, board: Month, locale: Locale) -> Sheet:
        house, words = self.desk.house, self.kit.words
        columns = [
            ("visits.col_number", Kind.TEXT),
            ("visits.col_agent", Kind.TEXT),
            ("visits.col_month", Kind.TEXT),
            ("visits.col_effective", Kind.WHOLE),
            ("visits.col_target", Kind.WHOLE),
            ("visits.col_lacking", Kind.WHOLE),
            ("visits.col_proposed", Kind.TEXT),
        ]
        return Sheet(
            name=f"visits-{board.month:%Y-%m}",
            columns=[Column(title=words.say(locale, key), kind=kind) for key, kind in columns],
            rows=[
                [
                    known.number if (known := self.desk.people.by_id(one.person)) else "",
                    self._name(one.person),
                    f"{board.month:%Y-%m}",
                    one.made,
                    house.visits.quota.per_month,
                    one.lacking,
                    ", ".join(
                        words.name(locale, "penalties.line", line.state) for line in one.lines
                    ),
                ]
                for one in board.people
            ],
            zone=house.zone,
        )

    async def plan(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show who has how much to do, and what becomes due in the next days."""
        load, days = await self.desk.plan()
        return self.kit.pages.page(
            request,
            visitor,
            "visits/plan.html",
            load=load,
            days=days,
            most_open=max((one.open for one in load), default=0) or 1,
            most_due=max((one.due for one in days), default=0) or 1,
            **self._frame(_person(visitor)),
        )

    async def campaigns(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
        count: int | None = None,
    ) -> web.Response:
        """Show campaigns, and the form that makes one."""
        house = self.desk.house
        return self.kit.pages.page(
            request,
            visitor,
            "visits/campaigns.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            campaigns=await self.desk.campaigns(),
            typed=typed or {"saved": _id(request, "saved")},
            saved=await self.desk.selections(),
            wrong=_wrong(refusal),
            choices=self._choices(visitor.locale),
            count=count,
            forms=house.forms,
            scripts=sorted(house.scripts),
            name=self._name,
            name_most=NAME_LIMIT,
            makes=_person(visitor).may(Right.REVIEW),
            today=self._today(),
            until=self._today() + timedelta(days=house.visits.deadline),
            **self._frame(_person(visitor)),
        )

    async def make(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Count whom a campaign would visit, or make it."""
        sent = await self._sent(request, visitor)
        fields = sent.plain
        try:
            if fields.get("do") != "make":
                count = await self.desk.count(fields)
                return await self.campaigns(request, visitor, typed=fields, count=count)
            campaign = await self.desk.campaign(sent.person, fields, sent.address)
        except Refused as refusal:
            return await self.campaigns(request, visitor, refusal, fields)
        return see_other(f"{PATH}/campaigns/{campaign}?done=campaign_made")

    # -- saved selections

    async def selections(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
        found: tuple[int, Sequence[Chosen]] | None = None,
    ) -> web.Response:
        """Show the saved selections, and the form that saves one."""
        return self._selecting(
            request,
            visitor,
            "visits/selections.html",
            refusal,
            typed or {},
            found,
            selections=await self.desk.selections(),
        )

    async def save(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Look whom criteria select, or save them."""
        sent = await self._sent(request, visitor)
        fields = sent.plain
        try:
            if fields.get("do") != "save":
                found = await self.desk.selects(self.desk.criteria(fields))
                return await self.selections(request, visitor, typed=fields, found=found)
            saved = await self.desk.save_selection(sent.person, "", fields, sent.address)
        except Refused as refusal:
            return await self.selections(request, visitor, refusal, fields)
        return see_other(f"{PATH}/selections/{saved}?done=selection_saved")

    async def selection(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
        found: tuple[int, Sequence[Chosen]] | None = None,
    ) -> web.Response:
        """Show one saved selection: how many customers it selects, and the first of them."""
        try:
            it = await self.desk.selection(request.match_info["id"])
        except Refused as unknown:
            raise Denied(404, unknown.code) from unknown
        if found is None and refusal is None:
            found = await self.desk.selects(criteria_of(it.criteria))
        plain = {"name": it.name, **it.criteria}
        page = "visits/selection.html"
        return self._selecting(request, visitor, page, refusal, typed or plain, found, it=it)

    async def change(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Look whom changed criteria select, save them, or delete the selection."""
        sent = await self._sent(request, visitor)
        fields, selection = sent.plain, request.match_info["id"]
        try:
            match fields.get("do"):
                case "delete":
                    await self.desk.delete_selection(sent.person, selection, sent.address)
                    return see_other(f"{PATH}/selections?done=selection_deleted")
                case "save":
                    await self.desk.save_selection(sent.person, selection, fields, sent.address)
                case _:
                    found = await self.desk.selects(self.desk.criteria(fields))
                    return await self.selection(request, visitor, typed=fields, found=found)
        except Refused as refusal:
            return await self.selection(request, visitor, refusal, fields)
        return see_other(f"{PATH}/selections/{selection}?done=selection_saved")

    def _selecting(
        self,
        request: web.Request,
        visitor: Visitor,
        page: str,
        refusal: Refused | None,
        typed: Mapping[str, Any],
        found: tuple[int, Sequence[Chosen]] | None,
        **facts: Any,
    ) -> web.Response:
        count, some = found or (None, ())
        return self.kit.pages.page(
            request,
            visitor,
            page,
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            typed=typed,
            wrong=_wrong(refusal),
            count=count,
            some=some,
            choices=self._choices(visitor.locale),
            name=self._name,
            name_most=NAME_LIMIT,
            makes=_person(visitor).may(Right.REVIEW),
            **facts,
            **self._frame(_person(visitor)),
        )

    def _choices(self, locale: Locale) -> Mapping[str, Any]:
        """Give what criteria may name."""
        rules = self.desk.house.customers
        tiers = {id: one.labels[locale] for id, one in rules.tiers.items()}
        return {"kinds": KINDS, "tiers": tiers, "flags": rules.care_flags}

    async def report(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        """Show what a campaign came to."""
        try:
            campaign, report = await self.desk.report(request.match_info["id"])
        except Refused as unknown:
            raise Denied(404, unknown.code) from unknown
        return self.kit.pages.page(
            request,
            visitor,
            "visits/campaign.html",
            status=409 if refusal else 200,
            refusal=refusal and self._told(refusal, visitor.locale),
            it=campaign,
            report=report,
            name=self._name,
            concludes=_person(visitor).may(Right.REVIEW),
            most=4 * TEXT_LIMIT,
            **self._frame(_person(visitor)),
        )

    async def conclude(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Write down what a campaign showed."""
        sent = await self._sent(request, visitor)
        campaign = request.match_info["id"]
        try:
            await self.desk.conclude(sent.person, campaign, sent.said("conclusion"), sent.address)
        except Refused as refusal:
            return await self.report(request, visitor, refusal)
        return see_other(f"{PATH}/campaigns/{campaign}?done=campaign_concluded")

    # -- deeds

    async def _do(
        self, name: str, act: Act, request: web.Request, visitor: Visitor
    ) -> web.Response:
        sent = await self._sent(request, visitor)
        try:
            leads = await act(sent)
        except PbxUnavailable as fault:
            refusal = Refused(fault.code, str(fault))
            return await self._file(request, visitor, sent.about, refusal=refusal, typed=sent)
        except Refused as refusal:
            return await self._file(request, visitor, sent.about, refusal=refusal, typed=sent)
        return see_other(f"{leads}?done=visit_{name.replace('-', '_')}")

    async def _sent(self, request: web.Request, visitor: Visitor) -> Sent:
        form = await request.post()
        return Sent(
            person=_person(visitor),
            about=request.match_info.get("visit", ""),
            address=self.kit.pages.site.address(request),
            fields=_fields(form),
        )

    async def _in_call(self, sent: Sent) -> str:
        await self.desk.calls.take_in_call(sent.person, sent.about)
        return f"{PATH}/{sent.about}"

    async def _claim(self, sent: Sent) -> str:
        await self.desk.calls.claim(sent.person, sent.about)
        return f"{PATH}/{sent.about}"

    async def _dial(self, sent: Sent) -> str:
        await self.desk.calls.dial(sent.person, sent.about, sent.epoch)
        return f"{PATH}/{sent.about}"

    async def _give_back(self, sent: Sent) -> str:
        await self.desk.calls.give_back(sent.person, sent.about, sent.epoch)
        return PATH

    async def _result(self, sent: Sent) -> str:
        await self.results.result(sent.person, sent.about, sent.epoch, sent.fields, sent.address)
        return PATH

    async def _restaurant(self, sent: Sent) -> str:
        done = await self.results.restaurant(
            sent.person, sent.about, sent.epoch, sent.fields, sent.address
        )
        return PATH if done else f"{PATH}/{sent.about}"

    async def _postpone(self, sent: Sent) -> str:
        await self.desk.postpone(
            sent.person,
            sent.about,
            sent.said("at"),
            named=bool(sent.said("named")),
            reason=sent.said("reason"),
            address=sent.address,
        )
        return PATH

    async def _pass_on(self, sent: Sent) -> str:
        to, reason = sent.said("to"), sent.said("reason")
        await self.desk.pass_on(sent.person, sent.about, to, reason, sent.address)
        return PATH

    async def _assign(self, sent: Sent) -> str:
        to, reason = sent.said("to"), sent.said("reason")
        await self.desk.assign(sent.person, sent.about, to, reason, sent.address)
        return f"{PATH}/{sent.about}"

    async def _cancel(self, sent: Sent) -> str:
        await self.desk.cancel(sent.person, sent.about, sent.said("reason"), sent.address)
        return f"{PATH}/{sent.about}"

    async def _resume(self, sent: Sent) -> str:
        await self.desk.resume(sent.person, sent.about, sent.said("reason"), sent.address)
        return f"{PATH}/{sent.about}"

    # -- saying it

    def _frame(self, person: Person) -> dict[str, Any]:
        """Give what every page of this room wants."""
        return {
            "agents": self.desk.agents(),
            "me": person,
            "works": person.may(Right.OWN_WORK),
            "oversees": any(map(person.may, OVERSEERS)),
        }

    def _order(self, order: Order, visit: Visit, person: Person) -> Order:
        """Give a booking with the restaurant's numbers as somebody may see them."""
        rules, holds = self.desk.house.customers, visit.held_by == person.id
        numbers = [seen_by(person, one, rules, at_work=holds) for one in order.numbers]
        return replace(order, numbers=numbers)

    def _line(self, case: Case, person: Person) -> Line:
        visit, customer, house = case.visit, case.customer, self.desk.house
        now = self.desk.clock.now()
        number = customer.phones[0] if customer and customer.phones else ""
        number = number and (normal(number, house.card.country).shown or number)
        holds = visit.held_by == person.id
        return Line(
            visit=visit,
            state=_state(visit, now),
            name=customer.name if customer else "",
            tier=customer.tier if customer else "",
            number=seen_by(person, number, house.customers, at_work=holds),
            flags=customer.care_flags if customer else (),
            do_not_call=customer.do_not_call if customer else False,
            owner=self._name(visit.owner) if visit.owner else "",
            holder=self._name(visit.held_by) if visit.held_by else "",
            left=visit.due_at - now,
            ready=visit.state == OPEN and visit.next_at <= now,
        )

    def _name(self, person: str | None) -> str:
        known = self.desk.people.by_id(person or "")
        return known.name if known else person or ""

    def _today(self) -> date:
        return self.desk.clock.now().astimezone(self.desk.house.zone).date()

    def _told(self, refusal: Refused, locale: Locale) -> Refused:
        words = self.kit.words
        code = refusal.facts.get("why", "")
        why = words.name(locale, "visit_refusal", "rest_then" if code == "rest" else code)
        plain = {"by": words.say(locale, "visits.somebody"), "until": "", "reason": why}
        return readable(refusal, self._name, self.kit.pages.site.zone, **plain)


def _wrong(refusal: Refused | None) -> Sequence[str]:
    """Give the fields that a refusal is about."""
    return str(refusal.facts.get("fields", "")).split() if refusal else ()


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _state(visit: Visit, now: datetime) -> str:
    """Name where a visit stands: what is open is planned, waiting or due (22.3)."""
    if visit.state != OPEN:
        return visit.state
    if now < visit.from_at:
        return State.PLANNED
    return State.DUE if now >= visit.next_at else State.WAITING


def _outcomes(visit: Visit) -> list[str]:
    """Give what an agent may say: an answering machine only where something picked up."""
    if visit.state in (State.IN_ATTEMPT, State.WRAP_UP):
        return [one.value for one in Outcome if one in BY_AGENT]
    return [Outcome.DONE.value]


def _offer(refusal: Refused | None, zone: ZoneInfo) -> datetime | None:
    """Give the nearest time that is allowed where one was refused, by the customer's clock."""
    free = refusal.facts.get("nearest") if refusal else None
    return free.astimezone(zone) if isinstance(free, datetime) else None


def _row(typed: Sent | None, name: str, n: int) -> str:
    """Give what somebody typed in the n-th of several fields of one name."""
    some = typed.fields.get(name, ()) if typed else ()
    return some[n] if n < len(some) else ""


def _filled(typed: Sent | None) -> int:
    """Count the rows of opinions that somebody filled in."""
    return sum(bool(text.strip()) for text in typed.fields.get("opinion_text", ())) if typed else 0


def _fields(form: MultiMapping[Any]) -> dict[str, list[str]]:
    """Give each field of a form with its values; files and what is too much are left out."""
    found: dict[str, list[str]] = {}
    for key, said in list(form.items())[:_FIELDS_MOST]:
        if isinstance(said, str):
            found.setdefault(key, []).append(said[:_TYPED_MOST])
    return found


def _id(request: web.Request, name: str) -> str:
    """Read an id from the URL; what is none counts as not said."""
    said = request.query.get(name, "")
    return said if _ID.fullmatch(said) else ""


def _day(request: web.Request, name: str, plain: date) -> date:
    """Read a day from the URL; what is none counts as not said."""
    try:
        found = date.fromisoformat(request.query.get(name, ""))
    except ValueError:
        return plain
    return found if abs(found - plain) <= timedelta(days=3660) else plain


def _month(request: web.Request, plain: date) -> date:
    """Read a month from the URL, as its first day; what is none counts as not said."""
    said = request.query.get("month", "")
    try:
        return date.fromisoformat(f"{said}-01") if _MONTH.fullmatch(said) else plain
    except ValueError:
        return plain


def _wanted(request: web.Request) -> Wanted:
    """Read the filters; what makes no sense counts as not said."""
    state = request.query.get("state", "open")
    period = request.query.get("period", "")
    return Wanted(
        state="" if state == "any" else state if state in STATES else "open",
        rule=_id(request, "rule"),
        period=period if _PERIOD.fullmatch(period) else "",
        owner=_id(request, "owner"),
        campaign=_id(request, "campaign"),
        risk=request.query.get("risk") == "1",
        after=_id(request, "after"),
    )
