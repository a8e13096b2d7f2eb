"""What concerns oneself: own missed calls and lines, an appeal, the month's statement."""

from datetime import timedelta

from aiohttp import web

from cti.errors import Refused
from cti.penalties.record import LineState, MissedFilter, PenaltyLine, ReviewFilter
from cti.penalties.review import as_told
from cti.penalties.routes.common import Part, person_of, picks, read_month, text
from cti.web.auth import Visitor
from cti.web.pages import see_other


class Own(Part):
    """Everybody's own lines; nobody else's."""

    async def lines(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List one's own lines and the missed calls for which one's phone rang."""
        return await self._lines(request, visitor)

    async def _lines(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: str = "",
    ) -> web.Response:
        person = person_of(visitor)
        page = await self.store.lines(
            ReviewFilter(person=person.id), after=request.query.get("after", "")
        )
        since = self.begin_of(self.today() - timedelta(days=31))
        missed = await self.store.missed_calls(MissedFilter(rang=person.id, since=since))
        now = self.asks.clock.now()
        return self.page(
            request,
            visitor,
            "own.html",
            refusal=refusal,
            typed=typed,
            rows=[as_told(row) for row in page.rows],
            more=page.after,
            missed=missed.rows,
            recorded=await self.asks.recordings.known([row.call for row in missed.rows], person),
            unseen=[row for row in page.rows if row.notified_at and not row.seen_at],
            appealable=lambda row: _appealable(row) and row.appeal_until > now,
            month=self.today().replace(day=1),
        )

    async def appeal(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Object to a line of one's own, or note that the lines were seen."""
        fields, person = await request.post(), person_of(visitor)
        try:
            seen = picks(fields)
            if text(fields, "do") == "seen":
                await self.store.mark_seen(person.id, [one.line for one in seen])
                return see_other("/mine/penalties?done=seen")
            address = self.kit.pages.site.address(request)
            await self.store.appeal(seen[0], by=person, text=text(fields, "text"), address=address)
        except Refused as refusal:
            return await self._lines(request, visitor, refusal, text(fields, "text"))
        return see_other("/mine/penalties?done=appealed")

    async def statement(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one's own month, as it stands."""
        this = self.today().replace(day=1)
        try:
            month = read_month(request.query.get("month", "")) or this
        except Refused as refusal:
            found = await self.store.statement(person_of(visitor).id, this)
            return self.page(request, visitor, "statement.html", it=found, refusal=refusal)
        found = await self.store.statement(person_of(visitor).id, month)
        return self.page(request, visitor, "statement.html", it=found)


def _appealable(row: PenaltyLine) -> bool:
    decided = row.state in (LineState.APPROVED, LineState.REDUCED)
    return decided and row.notified_at is not None and not row.appealed and bool(row.appeal_until)
