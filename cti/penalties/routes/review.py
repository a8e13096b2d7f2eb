"""Missed calls, the review queue, one incident with its evidence, bundles, lines by hand."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from cti.customers.rules import normal
from cti.errors import Refused
from cti.penalties.record import (
    AppealVerdict,
    BundleChoice,
    Done,
    Incident,
    LineState,
    MissedCall,
    MissedFilter,
    MissReason,
    PenaltyLine,
    Pick,
    ReviewFilter,
    Verdict,
)
from cti.penalties.review import incident_as_told
from cti.penalties.routes.common import (
    EXPORT_PAGE,
    Fields,
    Part,
    choice,
    person_of,
    picks,
    read_amount,
    read_day,
    text,
)
from cti.penalties.rules import is_by_hand
from cti.penalties.timeline import WIDTH, timeline
from cti.people.rules import Person, Right
from cti.reports.sheets import Column, Kind, Sheet
from cti.web.auth import Denied, Visitor
from cti.web.downloads import wanted
from cti.web.pages import see_other

TODO: Final = (LineState.PROPOSED,)
DAYS: Final = 31
"""The days that a list shows when none are named."""
ALL: Final = "all"


class Review(Part):
    """What supervisors, manager and owner work with; the auditor reads."""

    # -- missed calls

    async def missed(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List missed calls by filter; as a file with `as=csv` or `as=xlsx` (MISS-10)."""
        try:
            asked = self._missed_filter(request)
            if form := wanted(request):
                return await self.file(await self._missed_sheet(visitor, asked), form)
            page = await self.store.missed_calls(asked, after=request.query.get("after", ""))
        except Refused as refusal:
            return self.page(
                request, visitor, "missed.html", refusal=refusal, rows=(), more="", **_NO_CALLS
            )
        calls = [row.call for row in page.rows]
        customers = {row.evidence.facts.customer for row in page.rows}
        return self.page(
            request,
            visitor,
            "missed.html",
            rows=page.rows,
            more=page.after,
            reasons=list(MissReason),
            callbacks=await self.asks.callbacks(calls),
            customers=await self.asks.customers({one for one in customers if one}),
            recorded=await self.asks.recordings.known(calls, person_of(visitor)),
        )

    def _missed_filter(self, request: web.Request) -> MissedFilter:
        since, until = self.span(request, DAYS)
        reason = choice(MissReason, request.query.get("reason", ""), None)
        number = request.query.get("number", "").strip()[:64]
        return MissedFilter(
            since=self.begin_of(since),
            until=self.begin_of(until + timedelta(days=1)),
            number=normal(number, self.asks.house().card.country).normal or number,
            entry=request.query.get("entry", "")[:80],
            reasons=(reason,) if reason else (),
            rang=request.query.get("rang", "")[:32],
        )

    async def _missed_sheet(self, visitor: Visitor, asked: MissedFilter) -> Sheet:
        rows, after = list[MissedCall](), ""
        while True:
            page = await self.store.missed_calls(asked, after=after, limit=EXPORT_PAGE)
            rows += page.rows
            if not (after := page.after):
                break
        states = await self.asks.callbacks([row.call for row in rows])
        titles = [
            ("at", Kind.INSTANT),
            ("caller", Kind.PHONE),
            ("entry", Kind.TEXT),
            ("reason", Kind.TEXT),
            ("rings", Kind.WHOLE),
            ("wait", Kind.DURATION),
            ("rang", Kind.TEXT),
            ("duty", Kind.TEXT),
            ("callback", Kind.TEXT),
        ]
        return Sheet(
            name="missed-calls",
            columns=[
                Column(title=self.say(visitor, f"penalties.col.{key}"), kind=kind)
                for key, kind in titles
            ],
            rows=[self._missed_row(visitor, row, states.get(row.call, "")) for row in rows],
            zone=self.asks.house().zone,
        )

    def _missed_row(
        self, visitor: Visitor, row: MissedCall, callback: str
    ) -> list[str | int | datetime | timedelta | None]:
        facts = row.evidence.facts
        rang = [self.who(offer.person) or offer.agent for offer in facts.offers if offer.rang_at]
        return [
            row.at,
            self.caller_of(visitor, row.number, facts.caller),
            row.entry,
            self.name(visitor, "reason", row.reason),
            facts.rings,
            None if facts.wait_ms is None else timedelta(milliseconds=facts.wait_ms),
            ", ".join(dict.fromkeys(rang)),
            ", ".join(self.who(agent.duty.person) for agent in row.evidence.agents),
            self.name(visitor, "callback_state", callback) if callback else "",
        ]

    # -- the queue

    async def queue(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List lines by filter, first those that wait for a decision; bundles above them."""
        return await self._queue(request, visitor)

    async def _queue(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        partly: Done | None = None,
    ) -> web.Response:
        try:
            asked = self._line_filter(request)
            if form := wanted(request):
                return await self.file(await self._line_sheet(visitor, asked), form)
            page = await self.store.lines(asked, after=request.query.get("after", ""))
        except Refused as wrong:
            return self.page(
                request, visitor, "review.html", refusal=wrong, rows=(), more="", **_NO_LINES
            )
        return self.page(
            request,
            visitor,
            "review.html",
            refusal=refusal,
            partly=partly,
            rows=page.rows,
            more=page.after,
            bundles=await self.store.waiting_bundles(),
            states=list(LineState),
            reasons=list(MissReason),
            may_decide=_may_decide(visitor),
            undo=self._undo_open,
        )

    def _undo_open(self, line: PenaltyLine) -> bool:
        """Tell whether the notice of a decided line is still to go out."""
        decided = (LineState.APPROVED, LineState.REDUCED, LineState.WAIVED)
        return line.state in decided and line.notified_at is None

    def _line_filter(self, request: web.Request) -> ReviewFilter:
        query = request.query
        named = "since" in query or "until" in query
        since, until = self.span(request, DAYS)
        state = query.get("state", "")
        one = choice(LineState, state, None)
        return ReviewFilter(
            since=self.begin_of(since) if named else None,
            until=self.begin_of(until + timedelta(days=1)) if named else None,
            person=query.get("person", "")[:32],
            shift=query.get("shift", "")[:64],
            entry=query.get("entry", "")[:80],
            rule=query.get("rule", "")[:64],
            reason=query.get("reason", "")[:32],
            states=(one,) if one else () if state == ALL else TODO,
            escalated=True if query.get("escalated") else None,
        )

    async def _line_sheet(self, visitor: Visitor, asked: ReviewFilter) -> Sheet:
        rows, after = list[PenaltyLine](), ""
        while True:
            page = await self.store.lines(asked, after=after, limit=EXPORT_PAGE)
            rows += page.rows
            if not (after := page.after):
                break
        titles = [
            ("at", Kind.INSTANT),
            ("person", Kind.TEXT),
            ("role", Kind.TEXT),
            ("rule", Kind.TEXT),
            ("reason", Kind.TEXT),
            ("entry", Kind.TEXT),
            ("shift", Kind.TEXT),
            ("amount", Kind.MONEY),
            ("unit", Kind.TEXT),
            ("state", Kind.TEXT),
            ("exemption", Kind.TEXT),
            ("decided_by", Kind.TEXT),
        ]
        return Sheet(
            name="penalty-lines",
            columns=[
                Column(title=self.say(visitor, f"penalties.col.{key}"), kind=kind)
                for key, kind in titles
            ],
            rows=[
                [
                    row.at,
                    self.who(row.person),
                    self.name(visitor, "role", row.role),
                    self.name(visitor, "penalties.rule", row.rule),
                    self.name(visitor, "reason", row.reason),
                    row.entry,
                    self.name(visitor, "duty_shift", row.shift),
                    row.amount,
                    row.unit,
                    self.name(visitor, "penalties.line", row.state),
                    self.name(visitor, "state", row.exemption),
                    self.who(row.decided_by),
                ]
                for row in rows
            ],
            zone=self.asks.house().zone,
        )

    async def decide(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Decide several lines at once, with one reason; or take decisions back."""
        fields = await request.post()
        try:
            done = await self._decide(request, visitor, fields)
        except Refused as refusal:
            return await self._queue(request, visitor, refusal)
        if done.refused:
            return await self._queue(request, visitor, partly=done)
        return see_other(_with_done(request, "undone" if _undoes(fields) else "decided"))

    async def _decide(self, request: web.Request, visitor: Visitor, fields: Fields) -> Done:
        by, address = person_of(visitor), self.kit.pages.site.address(request)
        reason, seen = text(fields, "reason"), picks(fields)
        if _undoes(fields):
            return await self.store.undo(seen, by=by, reason=reason, address=address)
        verdict = choice(Verdict, text(fields, "do"), None)
        if verdict is None:
            raise Refused("no_verdict", "say what you decide")
        amount = read_amount(text(fields, "amount")) if verdict is Verdict.REDUCE else None
        return await self.store.decide(
            seen, verdict, by=by, reason=reason, amount=amount, address=address
        )

    # -- one incident

    async def incident(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show all evidence of an incident on one screen (UI-25)."""
        found = await self.store.incident(request.match_info["id"])
        return await self._incident(request, visitor, self._told(visitor, found))

    def _told(self, visitor: Visitor, incident: Incident) -> Incident:
        """Let an agent see incidents with a line of his own, as he was told, and no others."""
        person = person_of(visitor)
        if _reads(person):
            return incident
        if all(line.person != person.id for line in incident.lines):
            raise Denied(403, "role")
        return incident_as_told(incident)

    async def _incident(
        self,
        request: web.Request,
        visitor: Visitor,
        incident: Incident,
        refusal: Refused | None = None,
        typed: str = "",
    ) -> web.Response:
        customers = {call.evidence.facts.customer for call in incident.calls}
        calls = [call.call for call in incident.calls]
        return self.page(
            request,
            visitor,
            "incident.html",
            refusal=refusal,
            it=incident,
            typed=typed,
            picture=timeline(incident.evidence) if incident.evidence else None,
            width=WIDTH,
            callbacks=await self.asks.callbacks(calls),
            customers=await self.asks.customers({one for one in customers if one}),
            reads=_reads(person_of(visitor)),
            may_decide=_may_decide(visitor) and person_of(visitor).id in incident.deciders,
            undo=self._undo_open,
            may_undo=any(map(self._undo_open, incident.lines)),
            recordings=await self.players(request, visitor, calls),
        )

    async def decide_incident(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Decide about lines, an exemption or an appeal of one incident."""
        fields, id = await request.post(), request.match_info["id"]
        try:
            done = await self._act(request, visitor, fields)
        except Refused as refusal:
            if refusal.code in ("no_line", "no_incident"):
                raise
            found = await self.store.incident(id)
            return await self._incident(request, visitor, found, refusal, text(fields, "reason"))
        return see_other(f"/incidents/{id}?done={done}")

    async def _act(self, request: web.Request, visitor: Visitor, fields: Fields) -> str:
        by, address = person_of(visitor), self.kit.pages.site.address(request)
        reason, do = text(fields, "reason"), text(fields, "do")
        if do == "lift":
            await self.store.lift(_one(picks(fields)), by=by, reason=reason, address=address)
            return "lifted"
        if do == "reverse":
            await self.store.reverse(_one(picks(fields)), by=by, reason=reason, address=address)
            return "reversed"
        appeal = choice(AppealVerdict, do.removeprefix("appeal_"), None)
        if do.startswith("appeal_") and appeal:
            amount = read_amount(text(fields, "amount")) if appeal is AppealVerdict.REDUCE else None
            await self.store.decide_appeal(
                _one(picks(fields)), appeal, by=by, reason=reason, amount=amount, address=address
            )
            return "appeal_decided"
        done = await self._decide(request, visitor, fields)
        if done.refused and not done.done:
            raise Refused(done.refused[0][1], "refused")
        return "undone" if _undoes(fields) else "decided"

    # -- bundles

    async def bundle(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the incidents of a storm, to be decided together."""
        return await self._bundle(request, visitor)

    async def _bundle(
        self, request: web.Request, visitor: Visitor, refusal: Refused | None = None
    ) -> web.Response:
        found = await self.store.bundle(request.match_info["id"])
        return self.page(
            request,
            visitor,
            "bundle.html",
            refusal=refusal,
            it=found,
            may_decide=_may_decide(visitor) and person_of(visitor).id in found.deciders,
        )

    async def decide_bundle(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Pick the lines of each call, those of one, or none."""
        fields, id = await request.post(), request.match_info["id"]
        try:
            picked = choice(BundleChoice, text(fields, "do"), None)
            if picked is None:
                raise Refused("no_verdict", "say what you decide")
            await self.store.decide_bundle(
                id,
                picked,
                by=person_of(visitor),
                reason=text(fields, "reason"),
                incident=text(fields, "incident", 64),
                address=self.kit.pages.site.address(request),
            )
        except Refused as refusal:
            if refusal.code == "no_bundle":
                raise
            return await self._bundle(request, visitor, refusal)
        return see_other(f"/bundles/{id}?done=decided")

    # -- by hand

    async def manual_form(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show the form of a line that a person proposes."""
        typed = dict.fromkeys(("rule", "day", "evidence"), "") | {"once": secrets.token_hex(16)}
        return self._manual(
            request, visitor, {**typed, "person": request.query.get("person", "")[:64]}
        )

    def _manual(
        self,
        request: web.Request,
        visitor: Visitor,
        typed: dict[str, str],
        refusal: Refused | None = None,
    ) -> web.Response:
        rules = filter(is_by_hand, self.asks.house().penalties.rules.values())
        return self.page(
            request,
            visitor,
            "manual.html",
            refusal=refusal,
            typed=typed,
            by_hand=list(rules),
            today=self.today(),
        )

    async def manual(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Propose a line by hand, with its evidence."""
        fields = await request.post()
        keys = ("rule", "person", "day", "evidence", "once")
        typed = {key: text(fields, key) for key in keys}
        try:
            day = read_day(typed["day"]) or self.today()
            if day > self.today():
                raise Refused("bad_date", "that day is still to come", date=typed["day"])
            incident = await self.store.add_manual(
                typed["rule"],
                typed["person"],
                at=self.begin_of(day),
                evidence=typed["evidence"],
                once=typed["once"],
                by=person_of(visitor),
                address=self.kit.pages.site.address(request),
            )
        except Refused as refusal:
            return self._manual(request, visitor, typed, refusal)
        return see_other(f"/incidents/{incident}?done=proposed")


_NO_CALLS: Final = {
    "reasons": list(MissReason),
    "callbacks": {},
    "customers": {},
    "recorded": (),
}
_NO_LINES: Final = {
    "bundles": (),
    "states": list(LineState),
    "reasons": list(MissReason),
    "may_decide": False,
    "partly": None,
    "undo": lambda _line: False,
}


def _reads(person: Person) -> bool:
    return any(map(person.may, (Right.REVIEW, Right.APPEALS, Right.AUDIT)))


def _may_decide(visitor: Visitor) -> bool:
    person = person_of(visitor)
    return person.may(Right.REVIEW) or person.may(Right.APPEALS)


def _undoes(fields: Fields) -> bool:
    return fields.get("do") == "undo"


def _one(seen: Sequence[Pick]) -> Pick:
    return seen[0]


def _with_done(request: web.Request, done: str) -> str:
    return str(request.rel_url.without_query_params("after").update_query(done=done))
