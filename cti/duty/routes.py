"""The pages of duty: the week's plan, who is on now, wishes, notices, and everybody's own shifts.

Plain forms, no script: each page takes its own form by POST with an `action`, and answers with a
redirect, or with itself again when the wish was refused.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from babel.dates import format_date
from multidict import MultiDictProxy

from cti.clock import Clock
from cti.duty import plan, requests, rules
from cti.duty.plan import DAYS
from cti.duty.requests import Answer, Away, SwapState
from cti.duty.rules import Assignment, By, DutyState, HandoverState
from cti.duty.store import BODY_LIMIT, NOTES_LIMIT, TITLE_LIMIT, DutyStore, Pick
from cti.errors import Refused
from cti.house import WEEKDAYS, House, ShiftType
from cti.people.rules import Directory, Person, Right
from cti.web.auth import Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place

SEES: Final = (Right.REVIEW, Right.AUDIT)
PLANS: Final = (Right.REVIEW,)
WORKS: Final = (Right.OWN_WORK,)
WEEKS_AHEAD: Final = timedelta(weeks=5)
BREAK_MINUTES: Final = 30

Form = Mapping[str, Any]
Deed = Callable[[By, "Said"], Awaitable[Any]]
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a form says. A field that is not there is empty."""

    form: Form
    many: Callable[[str], Sequence[Any]]

    def __getitem__(self, name: str) -> str:
        return str(self.form.get(name, "")).replace("\0", "")

    def yes(self) -> bool:
        """Tell whether the answer is yes."""
        return self["answer"] == "yes"

    def day(self, name: str) -> date:
        """Read a day. Raises `Refused` (duty_bad_input)."""
        return read_day(self[name])

    def week(self) -> date:
        """Read which week is meant. Raises `Refused` (duty_bad_input)."""
        return plan.monday(self.day("week"))

    def number(self, name: str) -> int:
        """Read a whole number. Raises `Refused` (duty_bad_input)."""
        text = self[name].strip()
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise Refused("duty_bad_input", f"{name} is no number")
        return int(text)

    def picks(self) -> list[Pick]:
        """Read which assignments were ticked, each as it stood then."""
        found = list[Pick]()
        for text in self.many("pick"):
            key, _, version = str(text).replace("\0", "").rpartition(".")
            if not version.isascii() or not version.isdigit() or len(version) > 9:
                raise Refused("duty_bad_input", "no such choice")
            found.append(Pick(key, int(version)))
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its template, what it shows, what can be done there, and what is then said."""

    path: str
    template: str
    facts: Callable[[web.Request, Person], Awaitable[Facts]]
    deeds: Mapping[str, tuple[Deed, str]] = field(default_factory=dict)
    keep: Collection[str] = ()
    """Parts of the address that stay after a deed."""


class DutyPages:
    """The duty room's pages."""

    places: Final = (
        Place(path="/duty", key="duty.nav.plan", rights=SEES),
        Place(path="/duty/mine", key="duty.nav.mine", rights=WORKS),
    )

    def __init__(
        self,
        store: DutyStore,
        *,
        house: Callable[[], House],
        people: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._store, self._house, self._people, self._clock = store, house, people, clock

    def routes(self, kit: Kit) -> list[web.RouteDef]:
        """Give the pages, each with who may see it and who may use its forms."""
        found = list[web.RouteDef]()
        for page, sees, uses in (
            (self._week_page(), SEES, PLANS),
            (self._now_page(), SEES, PLANS),
            (self._requests_page(), SEES, PLANS),
            (self._notices_page(), SEES, PLANS),
            (self._mine_page(), WORKS, WORKS),
        ):
            show, use = self._shower(kit, page), self._user(kit, page)
            found.append(web.get(page.path, kit.auth.guard(show, rights=sees)))
            found.append(web.post(page.path, kit.auth.guard(use, rights=uses)))
        return found

    def _shower(self, kit: Kit, page: Page) -> Any:
        async def show(request: web.Request, visitor: Visitor) -> web.Response:
            return await self._shown(kit, page, request, visitor)

        return show

    def _user(self, kit: Kit, page: Page) -> Any:
        async def use(request: web.Request, visitor: Visitor) -> web.Response:
            assert visitor.person is not None  # noqa: S101  the guard saw to it
            form = await request.post()
            said = Said(form, lambda name: form.getall(name, []))
            by = By(person=visitor.person, address=kit.auth.site.address(request))
            try:
                if (found := page.deeds.get(said["action"])) is None:
                    raise Refused("duty_bad_input", "there is no such button")
                await found[0](by, said)
            except Refused as refusal:
                return await self._shown(kit, page, request, visitor, refusal, form)
            kept = {name: said[name] for name in page.keep if said[name]}
            return see_other(f"{page.path}?{urlencode(kept | {'done': found[1]})}")

        return use

    async def _shown(
        self,
        kit: Kit,
        page: Page,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: MultiDictProxy[Any] | None = None,
    ) -> web.Response:
        assert visitor.person is not None  # noqa: S101  the guard saw to it
        try:
            facts = await page.facts(request, visitor.person)
        except Refused as fault:  # an address that says nonsense: the page as it is by itself
            refusal = refusal or fault
            facts = await page.facts(request.clone(rel_url=page.path), visitor.person)
        locale = visitor.locale.replace("-", "_").replace("en", "en_GB")
        return kit.pages.page(
            request,
            visitor,
            page.template,
            status=409 if refusal else 200,
            refusal=refusal,
            typed=defaultdict(str, typed or {}),
            ticked=typed.getall("day", []) if typed is not None else [],
            uses=visitor.person.may(Right.REVIEW),
            name=self._name,
            day_name=lambda day: (
                format_date(day, "EEE d MMM", locale)
                if locale == "en_GB"
                else format_date(day, "M月d日 EEE", locale)
            ),
            **facts,
        )

    def _name(self, person: str) -> str:
        """Give somebody's name, also of one who has left."""
        found = self._people().by_id(person)
        return found.name if found else person

    def _workers(self) -> list[Person]:
        return sorted(self._people().with_right(Right.OWN_WORK), key=lambda one: one.number)

    def _kinds(self) -> list[ShiftType]:
        return sorted(self._house().shifts.types.values(), key=lambda kind: (kind.start, kind.id))

    def _today(self) -> date:
        return self._clock.now().astimezone(self._house().zone).date()

    def _week_page(self) -> Page:
        store = self._store

        async def move(by: By, said: Said) -> None:
            await store.move(by, said.picks(), said.day("to_day"), said["to_shift"])

        async def add(by: By, said: Said) -> None:
            days = [read_day(str(day)) for day in said.many("day")]
            await store.add(by, said["person"], said["shift"], days)

        return Page(
            "/duty",
            "duty/week.html",
            self._week,
            {
                "add": (add, "duty_added"),
                "remove": (lambda by, said: store.remove(by, said.picks()), "duty_removed"),
                "keep": (lambda by, said: store.keep(by, said.picks()), "duty_kept"),
                "move": (move, "duty_moved"),
                "copy": (lambda by, said: store.copy_week(by, said.week()), "duty_copied"),
                "publish": (lambda by, said: store.publish(by, said.week()), "duty_published"),
            },
            keep=("week",),
        )

    async def _week(self, request: web.Request, _person: Person) -> Facts:
        asked = request.query.get("week")
        week = plan.monday(read_day(asked) if asked else self._today())
        roster = await self._store.week(week)
        grid: dict[tuple[date, str], list[Assignment]] = {}
        for one in roster:
            grid.setdefault((one.day, one.shift), []).append(one)
        for cell in grid.values():
            cell.sort(key=lambda one: (not one.supervises, self._name(one.person)))
        kinds = self._kinds()
        gone = sorted({one.shift for one in roster} - {kind.id for kind in kinds})
        house, now = self._house(), self._clock.now()
        since = now if week == plan.monday(self._today()) else datetime.min.replace(tzinfo=UTC)
        return {
            "week": week,
            "before": week - timedelta(days=DAYS),
            "after": week + timedelta(days=DAYS),
            "days": plan.week_days(week),
            "kinds": kinds,
            "columns": [(kind.id, kind) for kind in kinds] + [(one, None) for one in gone],
            "grid": grid,
            "workers": self._workers(),
            "lacks": [gap for gap in await self._store.lacks(week) if gap.ended >= since],
            "plan": await self._store.plan(week),
            "changed": any(one.published_at is None or one.dropping for one in roster),
            "holidays": house.calendar.holidays,
        }

    def _now_page(self) -> Page:
        store = self._store
        return Page(
            "/duty/now",
            "duty/now.html",
            self._now,
            {
                "exception": (
                    lambda by, said: store.let_go(by, said["assignment"], said["reason"]),
                    "duty_excepted",
                ),
                "away": (
                    lambda by, said: store.call_away(by, said["assignment"], said["reason"]),
                    "duty_called_away",
                ),
                "excuse": (
                    lambda by, said: store.excuse(by, said["assignment"], said["reason"]),
                    "duty_excused",
                ),
                "seat": (
                    lambda by, said: store.seat(by, said["assignment"], give=True),
                    "duty_seated",
                ),
                "unseat": (
                    lambda by, said: store.seat(by, said["assignment"], give=False),
                    "duty_unseated",
                ),
                "end": (lambda by, said: store.end_away(by, said["away"]), "duty_back"),
                "call_in": (
                    lambda by, said: store.call_in(by, said["person"], said["shift"]),
                    "duty_called_in",
                ),
            },
        )

    async def _now(self, _request: web.Request, _person: Person) -> Facts:
        now, today, house = self._clock.now(), self._today(), self._house()
        duty, around = await self._store.duty_and_roster(now)
        found = [duty.supervisor] if duty.supervisor else []
        on = {one.assignment: one for one in (*duty.agents, *found)}
        roster = [one for one in around if one.counts(now)]
        here = [one for one in roster if one.day == today or one.id in on]
        here.sort(key=lambda one: (one.id not in on, one.starts, self._name(one.person)))
        seats = await self._store.seats(today - timedelta(days=1), today)
        return {
            "duty": duty,
            "on": on,
            "here": here,
            "clock": {one.id: rules.attendance(one, now) for one in here},
            "aways": [one for one in await self._store.away_at(now) if one.holds(now)],
            "handovers": [
                one
                for one in await self._store.handovers(now)
                if one.state is HandoverState.OFFERED
            ],
            "seats": seats,
            "cleaner": rules.cleaner(roster, today, house.shifts.cleaning_daily, now),
            "big_clean": WEEKDAYS[today.weekday()] == house.shifts.cleaning_weekly,
            "workers": self._workers(),
            "kinds": self._kinds(),
        }

    def _requests_page(self) -> Page:
        store = self._store
        return Page(
            "/duty/requests",
            "duty/requests.html",
            self._requests,
            {
                "swap": (
                    lambda by, said: store.decide_swap(
                        by, said["id"], yes=said.yes(), why=said["reason"]
                    ),
                    "duty_decided",
                ),
                "leave": (
                    lambda by, said: store.decide_leave(
                        by, said["id"], yes=said.yes(), why=said["reason"]
                    ),
                    "duty_decided",
                ),
                "break": (
                    lambda by, said: store.decide_break(
                        by, said["id"], yes=said.yes(), why=said["reason"]
                    ),
                    "duty_decided",
                ),
            },
        )

    async def _requests(self, _request: web.Request, _person: Person) -> Facts:
        now = self._clock.now()
        swaps = await self._store.swaps(open_only=True)
        return {
            "swaps": [one for one in swaps if one.state is SwapState.ACCEPTED_BY_PEER],
            "leaves": await self._store.leaves(open_only=True),
            "breaks": [one for one in await self._store.away_at(now) if _asked(one)],
        }

    def _notices_page(self) -> Page:
        async def post(by: By, said: Said) -> None:
            await self._store.post(by, said["title"], said["body"])

        return Page(
            "/duty/notices", "duty/notices.html", self._notices, {"post": (post, "duty_posted")}
        )

    async def _notices(self, _request: web.Request, _person: Person) -> Facts:
        return {
            "notices": await self._store.notices(),
            "readers": [one.id for one in self._workers()],
            "title_limit": TITLE_LIMIT,
            "body_limit": BODY_LIMIT,
        }

    def _mine_page(self) -> Page:
        store = self._store

        async def check(by: By, said: Said) -> None:
            items = [str(item) for item in said.many("item")]
            await store.check_off(by, said["assignment"], said["kind"], items)

        return Page(
            "/duty/mine",
            "duty/mine.html",
            self._mine,
            {
                "clock_in": (lambda by, _: store.clock_in(by), "duty_clocked_in"),
                "clock_out": (lambda by, _: store.clock_out(by), "duty_clocked_out"),
                "break": (
                    lambda by, said: store.ask_break(by, said.number("minutes"), said["reason"]),
                    "duty_break_asked",
                ),
                "end": (lambda by, said: store.end_away(by, said["away"]), "duty_back"),
                "offer": (
                    lambda by, said: store.offer(by, said["notes"], said["open_items"]),
                    "duty_offered",
                ),
                "accept": (lambda by, said: store.accept(by, said["handover"]), "duty_accepted"),
                "leave": (
                    lambda by, said: store.ask_leave(by, said["assignment"], said["reason"]),
                    "duty_leave_asked",
                ),
                "swap": (
                    lambda by, said: store.ask_swap(
                        by, said["first"], said["back"], said["reason"]
                    ),
                    "duty_swap_asked",
                ),
                "swap_answer": (
                    lambda by, said: store.answer_swap(by, said["swap"], yes=said.yes()),
                    "duty_answered",
                ),
                "swap_withdraw": (
                    lambda by, said: store.withdraw_swap(by, said["swap"]),
                    "duty_withdrawn",
                ),
                "read": (lambda by, said: store.read(by, said["notice"]), "duty_read"),
                "check": (check, "duty_checked"),
            },
        )

    async def _mine(self, request: web.Request, person: Person) -> Facts:
        now, house = self._clock.now(), self._house()
        monday = plan.times(plan.monday(self._today()), (_MIDNIGHT, _MIDNIGHT), house.zone)[0]
        colleague = self._colleague(request.query.get("colleague", ""), person)
        wanted = {person.id} | ({colleague.id} if colleague else set())
        roster = await self._store.roster(monday, now + WEEKS_AHEAD, wanted)
        mine = [one for one in roster if one.person == person.id]
        ahead = [one for one in roster if one.starts > now and not one.excused(now)]
        away = [one for one in await self._store.away_at(now) if one.person == person.id]
        shown = [one for one in mine if one.starts < monday + timedelta(weeks=2)]
        return {
            "shifts": shown,
            "clock": {one.id: rules.attendance(one, now) for one in shown},
            "ahead": [one for one in ahead if one.person == person.id],
            "leave_ahead": [one for one in mine if one.ends > now and not one.excused(now)],
            "theirs": [one for one in ahead if colleague and one.person == colleague.id],
            "colleague": colleague,
            "colleagues": [one for one in self._workers() if one.id != person.id],
            "running": [one for one in away if one.holds(now)],
            "asked": [one for one in away if _asked(one)],
            "holidays": house.calendar.holidays,
            "unread": [one for one in await self._store.notices() if person.id not in one.reads],
            "swaps": await self._swaps(person),
            "leaves": (await self._store.leaves(person.id))[:10],
            "break_minutes": BREAK_MINUTES,
            "notes_limit": NOTES_LIMIT,
        } | await self._my_duty(person, now)

    async def _my_duty(self, person: Person, now: datetime) -> Facts:
        """Tell what somebody's duty is now, and what can be done with it."""
        house = self._house()
        roster = await self._store.around(now)
        mine = [one for one in roster if one.person == person.id and one.counts(now)]
        states = {
            one.id: rules.seen(one, roster, now, stay=house.shifts.stay_until_relieved)
            for one in mine
        }
        here = [one for one in mine if states[one.id] in _ON or one.present(now)]
        shift = here[0] if here else None
        hands = [one for one in here if one.relieved_by and not one.handed_over_at]
        offers = [
            one
            for one in await self._store.handovers(now)
            if one.state is HandoverState.OFFERED
            if one.person != person.id and any(each.shift == one.relieved_by for each in here)
        ]
        return {
            "shift": shift,
            "state": states[shift.id] if shift else None,
            "states": states,
            "present": any(one.present(now) for one in here),
            "may_clock_in": _may_clock_in(mine, now),
            "hands": hands[0] if hands else None,
            "offers": offers,
            "checklists": rules.CHECKLISTS,
            "checked": await self._store.checked(shift.id) if shift else {},
            "seat": bool(shift and shift.id in await self._store.seats(shift.day, shift.day)),
            "cleans": bool(
                shift
                and shift.shift == house.shifts.cleaning_daily
                and rules.cleaner(roster, shift.day, shift.shift, now) == person.id
            ),
        }

    async def _swaps(self, person: Person) -> list[tuple[requests.Swap, SwapState]]:
        now = self._clock.now()
        return [(one, requests.had(one, now)) for one in (await self._store.swaps(person.id))[:10]]

    def _colleague(self, asked: str, person: Person) -> Person | None:
        found = self._people().by_id(asked)
        return found if found and found.id != person.id and found.may(Right.OWN_WORK) else None


_MIDNIGHT: Final = datetime.min.time()
_ON: Final = (DutyState.PLANNED, DutyState.STARTED, DutyState.HANDING_OVER)


def _may_clock_in(mine: Sequence[Assignment], now: datetime) -> bool:
    try:
        rules.to_clock_in(mine, now)
    except Refused:
        return False
    return True


def _asked(one: Away) -> bool:
    return one.state is Answer.REQUESTED and one.ended_at is None


def read_day(text: str) -> date:
    """Read a day of a form or an address. Raises `Refused` (duty_bad_input)."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 2000 <= found.year <= 2200:
        raise Refused("duty_bad_input", f"{text[:20]!r} is no day")
    return found
