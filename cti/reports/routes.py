"""The reports' pages: how well the ring standard is kept, and which calls were missed.

Everything asked for stands in the address; a page and its files show the same rows, because both
are made from the same sheet.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from aiohttp import web

from cti.calls.record import Outcome, Reason
from cti.calls.tally import MissedLine, Part, Tally, Wanted
from cti.clock import Clock
from cti.customers.rules import seen_by
from cti.duty.rules import Assignment
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Directory, Right
from cti.reports.rules import By, Period, Row, period_of, rows_of, total_of
from cti.reports.sheets import Cell, Column, Kind, Sheet
from cti.value import value
from cti.web.auth import Visitor
from cti.web.downloads import wanted as wanted_form
from cti.web.rooms import Kit, Place
from cti.web.words import Locale

_RIGHTS: Final = (Right.REPORTS,)
PAGE: Final = 50
"""Missed calls on one page."""
MOST: Final = 50_000
"""Missed calls in one file."""
FIELDS: Final = ("from", "to", "by", "agent", "where", "reason")
RING_BY: Final = (By.DAY, By.WEEK, By.MONTH, By.HOUR, By.SHIFT, By.AGENT)
MISSED_BY: Final = (*RING_BY, By.REASON)


Roster = Callable[[datetime, datetime], Awaitable[Sequence[Assignment]]]
"""Gives the published assignments that touch a time."""


async def no_roster(_began: datetime, _ended: datetime) -> Sequence[Assignment]:
    """Know of no roster."""
    return ()


class Counts(Protocol):
    """What is asked of the stored calls."""

    async def tally(
        self, wanted: Wanted, parts: Collection[Part], *, standard: int, late: int
    ) -> Sequence[Tally]:
        """Count calls; see `CallStore.tally`."""
        ...

    async def incoming(self, wanted: Wanted) -> Sequence[Tally]:
        """Count all calls by time; see `CallStore.incoming`."""
        ...

    async def missed(
        self, wanted: Wanted, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[MissedLine]:
        """List missed calls, newest first; see `CallStore.missed`."""
        ...


@value
class Asked:
    """What the address asks for, as typed; `period` is what was read of it."""

    typed: Mapping[str, str]
    by: By
    period: Period
    refusal: Refused | None

    def url(self, path: str, **changed: str) -> str:
        """Give an address that asks for the same, but for what is changed."""
        asked = {key: text for key, text in {**self.typed, **changed}.items() if text}
        return f"{path}?{urlencode(asked)}" if asked else path


class ReportsRoom:
    """Shows the reports."""

    places: Sequence[Place] = (
        Place(path="/reports/ring", key="report.ring", rights=_RIGHTS, seldom=True),
        Place(path="/reports/missed", key="report.missed", rights=_RIGHTS, seldom=True),
    )

    def __init__(
        self,
        *,
        counts: Counts,
        people: Callable[[], Directory],
        house: Callable[[], House],
        clock: Clock,
        roster: Roster = no_roster,
    ) -> None:
        self._roster = roster
        self._counts, self._people, self._house, self._clock = counts, people, house, clock

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give both pages."""
        guard = kit.auth.guard

        async def ring(request: web.Request, visitor: Visitor) -> web.Response:
            return await self._ring(kit, request, visitor)

        async def missed(request: web.Request, visitor: Visitor) -> web.Response:
            return await self._missed(kit, request, visitor)

        return [
            web.get("/reports/ring", guard(ring, rights=_RIGHTS)),
            web.get("/reports/missed", guard(missed, rights=_RIGHTS)),
        ]

    async def _ring(self, kit: Kit, request: web.Request, visitor: Visitor) -> web.Response:
        asked = self._asked(request, RING_BY)
        wanted = self._wanted(asked, outcome=Outcome.ANSWERED, person=asked.typed["agent"] or None)
        tallies = await self._tally(wanted, ["person" if asked.by is By.AGENT else "slot"], asked)
        sheet = self._sheet(kit, visitor.locale, asked, "ring", await self._rows(asked, tallies))
        if (form := wanted_form(request)) and not asked.refusal:
            return await kit.downloads.answer(sheet, form)
        total = total_of(tallies)
        return self._page(
            kit, request, visitor, "ring", asked, RING_BY, sheet, figures=_ring_figures(total)
        )

    async def _missed(self, kit: Kit, request: web.Request, visitor: Visitor) -> web.Response:
        asked = self._asked(request, MISSED_BY)
        reason, rung = asked.typed["reason"] or None, asked.typed["agent"] or None
        wanted = self._wanted(asked, outcome=Outcome.MISSED, rung=rung, reason=reason)
        form = None if asked.refusal else wanted_form(request)
        if form and request.query.get("part") == "calls":
            lines = await self._counts.missed(wanted, MOST + 1)
            if len(lines) > MOST:
                raise Refused("sheet_too_long", "narrow the filter", n=len(lines), most=MOST)
            return await kit.downloads.answer(self._calls(kit, visitor, asked, lines), form)
        part: Part = "slot"
        if asked.by is By.AGENT:
            part = "rung"
        elif asked.by is By.REASON:
            part = "reason"
        tallies, of = await asyncio.gather(
            self._tally(wanted, [part], asked), self._incoming(asked)
        )
        rows = await self._rows(asked, tallies)
        if rung and asked.by is By.AGENT:
            rows = [row for row in rows if row.key == rung]
        sheet = self._sheet(kit, visitor.locale, asked, "missed", rows, of)
        if form:
            return await kit.downloads.answer(sheet, form)
        lines = [] if asked.refusal else await self._page_of_calls(wanted, request)
        more = f"{lines[PAGE - 1].at.isoformat()}~{lines[PAGE - 1].call}" if lines[PAGE:] else ""
        return self._page(
            kit,
            request,
            visitor,
            "missed",
            asked,
            MISSED_BY,
            sheet,
            figures=(),
            calls=_shown(self._calls(kit, visitor, asked, lines[:PAGE])),
            more=more and asked.url("/reports/missed", before=more),
        )

    # -- what is asked

    def _asked(self, request: web.Request, choices: Sequence[By]) -> Asked:
        typed = {key: request.query.get(key, "").strip()[:100] for key in FIELDS}
        today = self._clock.now().astimezone(self._house().zone).date()
        by = typed["by"] if typed["by"] in choices else By.DAY
        try:
            period, refusal = period_of(typed["from"], typed["to"], today), None
        except Refused as fault:
            period, refusal = period_of("", "", today), fault
        return Asked(typed=typed | {"by": by}, by=By(by), period=period, refusal=refusal)

    def _wanted(self, asked: Asked, **narrowed: Any) -> Wanted:
        began, ended = asked.period.instants(self._house().zone)
        return Wanted(began=began, ended=ended, where=asked.typed["where"] or None, **narrowed)

    async def _tally(self, wanted: Wanted, parts: list[Part], asked: Asked) -> Sequence[Tally]:
        if asked.refusal:
            return ()
        ring = self._house().ring
        return await self._counts.tally(
            wanted, parts, standard=ring.standard, late=ring.apologise_from
        )

    async def _incoming(self, asked: Asked) -> dict[str, int] | None:
        """Count all incoming calls in the same rows; None where a row is a part of the missed."""
        if asked.refusal or asked.by in (By.AGENT, By.REASON):
            return None
        tallies = await self._counts.incoming(self._wanted(asked))
        return {row.key: row.calls for row in await self._rows(asked, tallies)}

    async def _rows(self, asked: Asked, tallies: Sequence[Tally]) -> list[Row]:
        house = self._house()
        roster: Sequence[Assignment] = ()
        if asked.by is By.SHIFT and tallies:
            roster = await self._roster(*asked.period.instants(house.zone))
        return rows_of(tallies, asked.by, house.zone, house.shifts.types, roster)

    async def _page_of_calls(self, wanted: Wanted, request: web.Request) -> Sequence[MissedLine]:
        return await self._counts.missed(wanted, PAGE + 1, _before(request.query.get("before", "")))

    # -- what is shown

    def _sheet(
        self,
        kit: Kit,
        locale: Locale,
        asked: Asked,
        report: str,
        rows: Sequence[Row],
        of: Mapping[str, int] | None = None,
    ) -> Sheet:
        def say(key: str, kind: Kind = Kind.WHOLE) -> Column:
            return Column(title=kit.words.say(locale, f"report.col.{key}"), kind=kind)

        first = Column(title=kit.words.say(locale, f"report.by.{asked.by}"))
        if report == "ring":
            columns = [
                say("answered"),
                say("known"),
                say("within"),
                say("rate", Kind.RATIO),
                say("ring", Kind.DURATION),
                say("late"),
            ]
            cells: list[list[Cell]] = [
                [row.calls, row.known, row.within, row.rate, row.ring, row.late] for row in rows
            ]
        else:
            all_missed = sum(row.calls for row in rows)
            columns = [
                say("missed"),
                say("all_missed" if of is None else "incoming"),
                say("share", Kind.RATIO),
                say("wait", Kind.DURATION),
            ]
            cells = []
            for row in rows:
                whole = all_missed if of is None else of.get(row.key, row.calls)
                cells.append([row.calls, whole, row.calls / whole if whole else None, row.wait])
        return Sheet(
            name=self._name(report, asked),
            columns=[first, *columns],
            rows=[
                [self._label(kit, locale, asked.by, row.key), *rest]
                for row, rest in zip(rows, cells, strict=True)
            ],
            zone=self._house().zone,
        )

    def _calls(
        self, kit: Kit, visitor: Visitor, asked: Asked, lines: Sequence[MissedLine]
    ) -> Sheet:
        assert visitor.person is not None  # noqa: S101  the guard saw to it
        locale, shown = visitor.locale, partial(seen_by, visitor.person)
        kinds = {
            "at": Kind.INSTANT,
            "number": Kind.PHONE,
            "line": Kind.PHONE,
            "queue": Kind.TEXT,
            "reason": Kind.TEXT,
            "rings": Kind.WHOLE,
            "waited": Kind.DURATION,
            "rung": Kind.TEXT,
        }
        people = self._people()

        def name(who: str) -> str:
            found = people.by_id(who)
            return found.name if found else who

        return Sheet(
            name=self._name("missed-calls", asked),
            columns=[
                Column(title=kit.words.say(locale, f"report.col.{key}"), kind=kind)
                for key, kind in kinds.items()
            ],
            rows=[
                [
                    line.at,
                    shown(line.number or line.caller or "", self._house().customers),
                    line.line,
                    ", ".join(line.queues),
                    kit.words.name(locale, "reason", line.reason),
                    line.rings,
                    None if line.wait_ms is None else timedelta(milliseconds=line.wait_ms),
                    ", ".join(map(name, line.rung)),
                ]
                for line in lines
            ],
            zone=self._house().zone,
        )

    def _label(self, kit: Kit, locale: Locale, by: By, key: str) -> str:
        match by:
            case By.AGENT:
                person = self._people().by_id(key)
                if person is None:
                    return key or kit.words.say(locale, "report.nobody")
                return f"{person.name} ({person.number})"
            case By.SHIFT:
                if not key:
                    return kit.words.say(locale, "report.no_shift")
                return kit.words.name(locale, "duty_shift", key)
            case By.HOUR:
                return f"{key}:00–{int(key) + 1:02}:00"
            case By.REASON:
                return kit.words.name(locale, "reason", key)
            case _:
                return key

    def _name(self, report: str, asked: Asked) -> str:
        return f"{report}-{asked.by}-{asked.period.first}-{asked.period.last}"

    def _page(
        self,
        kit: Kit,
        request: web.Request,
        visitor: Visitor,
        report: str,
        asked: Asked,
        choices: Sequence[By],
        sheet: Sheet,
        **facts: Any,
    ) -> web.Response:
        ring = self._house().ring
        people = sorted(self._people().people.values(), key=lambda person: person.number)
        return kit.pages.page(
            request,
            visitor,
            "reports/report.html",
            status=400 if asked.refusal else 200,
            refusal=asked.refusal,
            report=report,
            asked=asked,
            choices=choices,
            reasons=list(Reason),
            agents=[person for person in people if person.devices],
            table=_shown(sheet),
            standard=ring.standard,
            sorry=ring.apologise_from,
            **facts,
        )


def _ring_figures(total: Row) -> tuple[tuple[str, str], ...]:
    return (
        ("rate", _text(Kind.RATIO, total.rate)),
        ("answered", _text(Kind.WHOLE, total.calls)),
        ("within", _text(Kind.WHOLE, total.within)),
        ("late", _text(Kind.WHOLE, total.late)),
    )


def _shown(sheet: Sheet) -> dict[str, Any]:
    """Give a sheet as a page shows it: titles, and rows of (text, title, whether a number)."""
    texts = {Kind.TEXT, Kind.PHONE, Kind.INSTANT, Kind.DAY}
    columns = [(column.title, column.kind not in texts) for column in sheet.columns]
    return {
        "columns": columns,
        "rows": [
            [
                (_text(column.kind, cell, sheet), column.title, column.kind not in texts)
                for column, cell in zip(sheet.columns, row, strict=True)
            ]
            for row in sheet.rows
        ],
    }


def _text(kind: Kind, cell: Cell, sheet: Sheet | None = None) -> str:
    match cell:
        case None:
            return "–"
        case datetime() if sheet is not None:
            return f"{cell.astimezone(sheet.zone):%Y-%m-%d %H:%M:%S}"
        case timedelta():
            seconds = round(cell.total_seconds())
            return f"{seconds // 60}:{seconds % 60:02}"
        case float() if kind is Kind.RATIO:
            return f"{cell * 100:.1f} %"
        case int():
            return f"{cell:,}"
        case _:
            return str(cell)


def _before(text: str) -> tuple[datetime, str] | None:
    """Read where a page of a list begins; nonsense is the beginning."""
    at, _, call = text.partition("~")
    try:
        found = datetime.fromisoformat(at)
        return (found.astimezone(UTC), call[:32]) if found.tzinfo and call else None
    except (ValueError, OverflowError):
        return None
