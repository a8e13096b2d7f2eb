"""Where are missed calls, incidents, lines, decisions, appeals and statements kept?

Every change by a person and its audit row lie in one transaction; a line is changed only in the
version that was seen. Transactions that write stand in one row, also on PostgreSQL, so that an
incident is judged by all of its lines. Nothing is deleted: corrections are counter-entries.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from cti.clock import Clock
from cti.db.audit import audit, record
from cti.db.engine import Database
from cti.db.schema import Connection, Instant, new_id
from cti.duty.rules import DutySet
from cti.errors import Refused
from cti.house import House
from cti.penalties import incidents as merging
from cti.penalties import review, rows, rules
from cti.penalties import statement as months
from cti.penalties.record import (
    AppealVerdict,
    AuditRow,
    Bundle,
    BundleChoice,
    CallFacts,
    Done,
    Draft,
    Evidence,
    Incident,
    IncidentKind,
    IncidentState,
    LineState,
    MissedCall,
    MissedFilter,
    Page,
    PenaltyLine,
    Pick,
    Reviewed,
    ReviewFilter,
    Statement,
    StatementState,
    Verdict,
    WaitingBundle,
)
from cti.penalties.tables import (
    CTI,
    appeals,
    began,
    bonus,
    bundles,
    decisions,
    incidents,
    lines,
    missed_calls,
    statements,
)
from cti.people.rules import Directory, Person, Right, checked_text

AT_ONCE: Final = 200
TIMES_MOST: Final = 1000
_STATEMENT: Final = TypeAdapter(Statement)
_UNDECIDED: Final = (LineState.PROPOSED, LineState.APPEALED)
_WAITING: Final = (IncidentState.PROPOSED, IncidentState.BUNDLED, IncidentState.REOPENED)


class PenaltyStore:
    """Missed calls and what they may cost, in the database.

    Whoever acts is given as `by`; rights and conflicts of interest are checked here, in the
    transaction of the change (requirements MISS-09, V4).
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        house: Callable[[], House],
        directory: Callable[[], Directory],
    ) -> None:
        self._db, self._clock, self._house, self._directory = db, clock, house, directory

    # What pages ask

    async def lines(
        self, wanted: ReviewFilter, *, after: str = "", limit: int = 50
    ) -> Page[PenaltyLine]:
        """Give lines, newest first. Raises `Refused` (bad_cursor)."""
        conditions = list(rows.lines_wanted(wanted))
        async with self._db.read() as conn:
            return await rows.page(conn, lines, lines.c.id, conditions, after, limit, rows.line_of)

    async def missed_calls(
        self, wanted: MissedFilter, *, after: str = "", limit: int = 50
    ) -> Page[MissedCall]:
        """Give missed calls with their evidence, newest first. Raises `Refused` (bad_cursor)."""
        conditions = list(rows.calls_wanted(wanted))
        key = missed_calls.c.call
        async with self._db.read() as conn:
            return await rows.page(conn, missed_calls, key, conditions, after, limit, rows.missed)

    async def line(self, line: str) -> PenaltyLine:
        """Find a line. Raises `Refused` (no_line)."""
        async with self._db.read() as conn:
            return await rows.find_line(conn, line)

    async def incident(self, incident: str) -> Incident:
        """Find an incident, with all that is shown of it. Raises `Refused` (no_incident)."""
        async with self._db.read() as conn:
            found = await self._incidents(conn, incidents.c.id == incident)
        if not found:
            raise rows.no_incident()
        return found[0]

    async def concerned(self, calls: Collection[str]) -> dict[str, set[str]]:
        """Give whom the lines about some missed calls concern, by call."""
        asked = (
            select(missed_calls.c.call, lines.c.person)
            .join(lines, lines.c.incident == missed_calls.c.incident)
            .where(missed_calls.c.call.in_(sorted(calls)))
        )
        found: dict[str, set[str]] = {}
        async with self._db.read() as conn:
            for row in await conn.execute(asked.distinct()):
                found.setdefault(row.call, set()).add(row.person)
        return found

    async def undecided(self, calls: Collection[str]) -> dict[str, str]:
        """Give those calls about which something may still be decided or appealed, by incident."""
        asked = sorted(calls)
        missed = select(missed_calls.c.call, incidents.c.id).join(
            incidents, incidents.c.id == missed_calls.c.incident
        )
        named = select(incidents.c.ref.label("call"), incidents.c.id)
        open_ = incidents.c.state != IncidentState.CLOSED
        found: dict[str, str] = {}
        async with self._db.read() as conn:
            for wanted in (
                missed.where(open_, missed_calls.c.call.in_(asked)),
                named.where(open_, incidents.c.ref.in_(asked)),
            ):
                found |= {row.call: row.id for row in await conn.execute(wanted)}
        return found

    async def forget_numbers(
        self, conn: Connection, calls: Collection[str], numbers: Collection[str]
    ) -> None:
        """Let missed calls forget whose they were, in the transaction of `conn`.

        What was decided, and on which evidence about people of the house, stays.
        """
        asked = sorted(calls)
        for start in range(0, len(asked), AT_ONCE):
            his = missed_calls.c.call.in_(asked[start : start + AT_ONCE])
            for row in (await conn.execute(select(missed_calls).where(his))).all():
                found = rows.EVIDENCE.validate_json(row.evidence)
                nobodys = replace(
                    found.facts, number=None, caller=None, customer=None, recordings=()
                )
                evidence = rows.EVIDENCE.dump_json(replace(found, facts=nobodys)).decode()
                await conn.execute(
                    update(missed_calls)
                    .where(missed_calls.c.call == row.call)
                    .values(number=None, evidence=evidence)
                )
                await conn.execute(
                    update(incidents).where(incidents.c.id == row.incident).values(number=None)
                )

    async def bundles(self, *, decided: bool = False) -> Sequence[Bundle]:
        """List bundles that wait for a decision, or the others; newest first, at most 200."""
        waits = (
            select(incidents.c.id)
            .where(
                incidents.c.bundle == bundles.c.id,
                incidents.c.state.in_((IncidentState.OPEN, IncidentState.BUNDLED)),
            )
            .exists()
        )
        wanted = (
            select(bundles.c.id)
            .where(~waits if decided else waits)
            .order_by(bundles.c.began.desc())
            .limit(AT_ONCE)
        )
        async with self._db.read() as conn:
            found = (await conn.execute(wanted)).scalars().all()
            return [await self._bundle(conn, one) for one in found]

    async def waiting_bundles(self) -> Sequence[WaitingBundle]:
        """List bundles that wait for a decision, newest first, at most 200: a storm is long."""
        joined = bundles.join(incidents, incidents.c.bundle == bundles.c.id).join(
            missed_calls, missed_calls.c.incident == incidents.c.id
        )
        wanted = (
            select(
                bundles.c.id,
                bundles.c.fault,
                func.min(missed_calls.c.at).label("began"),
                func.max(missed_calls.c.ended_at).label("ended"),
                func.count(incidents.c.id.distinct()).label("incidents"),
            )
            .select_from(joined)
            .where(incidents.c.state.in_((IncidentState.OPEN, IncidentState.BUNDLED)))
            .group_by(bundles.c.id, bundles.c.fault, bundles.c.began)
            .order_by(bundles.c.began.desc())
            .limit(AT_ONCE)
        )
        async with self._db.read() as conn:
            return [WaitingBundle(**row._mapping) for row in await conn.execute(wanted)]

    async def bundle(self, bundle: str) -> Bundle:
        """Find a bundle with its incidents. Raises `Refused` (no_bundle)."""
        async with self._db.read() as conn:
            return await self._bundle(conn, bundle)

    # What reviewers do

    async def decide(
        self,
        picks: Sequence[Pick],
        verdict: Verdict,
        *,
        by: Person,
        reason: str = "",
        amount: Decimal | None = None,
        address: str = "",
    ) -> Done:
        """Approve, reduce (to `amount`) or waive lines; a reason is needed for all but approval.

        Of several, those that can be decided are. Raises `Refused` when none can be: no_line,
        own_case, already_decided, line_changed, reason_missing, bad_amount, no_right.
        """
        why = (
            rows.optional_reason(reason)
            if verdict is Verdict.APPROVE
            else review.checked_reason(reason)
        )
        now, house = self._clock.now(), self._house()

        async def one(conn: Connection, line: PenaltyLine) -> None:
            state, after = review.decided(line, verdict, amount)
            values = {
                "state": state,
                "amount": after,
                "decided_at": now,
                "decided_by": by.id,
                "notice_at": now + house.penalties.notice_after,
            }
            await self._change(conn, line, verdict, by.id, why, address, values)

        return await self._each(picks, by, one)

    async def decide_bundle(
        self,
        bundle: str,
        choice: BundleChoice,
        *,
        by: Person,
        reason: str,
        incident: str = "",
        address: str = "",
    ) -> Done:
        """Pick the lines of each call, those of one call (`incident`, else the first), or none.

        The lines that are picked are approved. Give their ids. Raises `Refused`: no_bundle,
        own_case, supervisor_first, already_decided, bundle_growing, reason_missing,
        no_incident, no_right.
        """
        why, now, house = review.checked_reason(reason), self._clock.now(), self._house()
        async with self._alone() as conn:
            found = await self._bundle(conn, bundle)
            parties = frozenset[str]().union(*map(rows.parties, found.incidents))
            review.check_decider(by, self._directory(), house, parties)
            late = any(one.escalated_at for one in found.incidents)
            review.check_turn(by, self._directory(), house, parties, escalated=late)
            waiting = rows.waiting(found)
            chosen = rows.chosen(waiting, choice, incident)
            made = list[str]()
            for one in waiting:
                drafts = rows.drafts(one) if one in chosen else ()
                made += await self._approve_drafts(conn, one, drafts, by, why)
                await self._decision(conn, one.id, "", "bundle", by.id, why, one.state, choice)
                await self._settle_state(conn, one.id, IncidentState.PROPOSED)
            values = {"decided": choice, "decided_by": by.id, "decided_at": now}
            await conn.execute(update(bundles).where(bundles.c.id == bundle).values(values))
            await record(
                conn,
                at=now,
                who=by.id,
                what="penalty.bundle",
                about=f"bundle:{bundle}",
                after={"choice": choice, "incidents": [one.id for one in chosen], "lines": made},
                reason=why,
                policy=house.version,
                address=address,
            )
        return Done(done=tuple(made))

    async def undo(
        self, picks: Sequence[Pick], *, by: Person, reason: str = "", address: str = ""
    ) -> Done:
        """Take decisions back, before their notices go out: the lines are proposed again.

        Raises `Refused` when none can be: no_line, own_case, undo_over, line_changed, no_right.
        """
        why, now, house = rows.optional_reason(reason), self._clock.now(), self._house()

        async def one(conn: Connection, line: PenaltyLine) -> None:
            review.check_undo(line, now, house)
            values = {
                "state": LineState.PROPOSED,
                "amount": line.proposed,
                "decided_at": None,
                "decided_by": None,
                "notice_at": None,
            }
            await self._change(conn, line, "undo", by.id, why, address, values)

        return await self._each(picks, by, one, in_turn=False)

    async def lift(self, pick: Pick, *, by: Person, reason: str, address: str = "") -> None:
        """Lift an exemption: the line is proposed and must be decided.

        Raises `Refused`: no_line, own_case, not_exempted, line_changed, reason_missing, no_right.
        """
        why, now, house = review.checked_reason(reason), self._clock.now(), self._house()

        async def one(conn: Connection, line: PenaltyLine) -> None:
            if line.state is not LineState.EXEMPTED:
                raise Refused("not_exempted", "this line is not exempted", state=line.state)
            values = {
                "state": LineState.PROPOSED,
                "proposed_at": now,
                "lapse_at": review.ends(now, house.penalties.lapse_after, house),
            }
            await self._change(conn, line, "lift", by.id, why, address, values)
            await self._wait_anew(conn, line.incident, now, house)

        await self._each([pick], by, one)

    async def add_manual(
        self,
        rule: str,
        person: str,
        *,
        at: datetime,
        evidence: str,
        by: Person,
        call: str = "",
        times: int = 1,
        once: str = "",
        address: str = "",
    ) -> str:
        """Propose a line by hand, by a rule for which it takes a person; give its incident.

        `once` names the form: the same sent by the same person again proposes no more. Raises
        `Refused`: no_rule, no_person, reason_missing (no evidence), bad_amount (times),
        own_case, no_right.
        """
        note, house, now = review.checked_reason(evidence), self._house(), self._clock.now()
        found = house.penalties.rules.get(rule)
        if found is None or not rules.is_by_hand(found):
            raise Refused("no_rule", f"the house has no manual penalty {rule[:64]!r}")
        if not 1 <= times <= TIMES_MOST:
            raise Refused("bad_amount", f"it happened 1 to {TIMES_MOST} times")
        concerned = self._person(person)
        review.check_decider(by, self._directory(), house, {person})
        drafts = rules.fined_alone(rule, person, house, at, times)
        key = new_id(now)
        said = (by.id, once, rule, person, at.isoformat(), note, times)
        named = f"manual:{hashlib.sha256(repr(said).encode()).hexdigest() if once else key}"
        async with self._alone() as conn:
            if (there := await rows.incident_of_source(conn, named)) is not None:
                return there
            row = rows.incident_row(
                key,
                source=named,
                kind=IncidentKind.MANUAL,
                at=at,
                department=concerned.department,
                note=note,
                ref=call[:32],
                entered_by=by.id,
                policy=house.version,
                due_at=now,
            )
            await conn.execute(insert(incidents).values(row))
            await self._propose(conn, key, drafts, house, by.id, address)
        return key

    async def propose_line_fault(
        self, source: str, *, at: datetime, duty: DutySet, supervisor: str | None, note: str
    ) -> str:
        """Propose what an undetected line fault costs those on duty (PEN-02); give its incident.

        `source` names what is charged, once for ever: the skipped test, or the fault.
        """
        house, now = self._house(), self._clock.now()
        drafts = rules.fined(rules.LINE_FAULT, duty, supervisor, house, at)
        key = new_id(now)
        async with self._alone() as conn:
            named = f"fault:{source}"
            if (there := await rows.incident_of_source(conn, named)) is not None:
                return there
            row = rows.incident_row(
                key,
                source=named,
                kind=IncidentKind.LINE_FAULT,
                at=at,
                department=duty.department,
                note=note,
                ref=source[:32],
                policy=house.version,
                roster=duty.version,
                due_at=now,
            )
            await conn.execute(insert(incidents).values(row))
            await self._propose(conn, key, drafts, house, CTI)
        return key

    async def propose_shortfall(
        self, person: str, month: date, lacking: int, *, at: datetime, note: str
    ) -> str | None:
        """Propose what visits cost that somebody did not make in a month (PEN-10), once for ever.

        Gives its incident; None where no rule has the trigger `visit_quota`, or nothing is fined.
        """
        house, now = self._house(), self._clock.now()
        drafts = tuple(
            draft
            for rule in house.penalties.rules.values()
            if rule.trigger == "visit_quota"
            for draft in rules.fined_alone(rule.id, person, house, at, lacking)
        )
        if not drafts or house.penalties.settlement == "none":
            return None
        concerned = self._person(person)
        key, named = new_id(now), _of_month(month, person)
        async with self._alone() as conn:
            if (there := await rows.incident_of_source(conn, named)) is not None:
                return there
            row = rows.incident_row(
                key,
                source=named,
                kind=IncidentKind.VISITS,
                at=at,
                department=concerned.department,
                note=note,
                ref="",
                policy=house.version,
                due_at=now,
            )
            await conn.execute(insert(incidents).values(row))
            await self._propose(conn, key, drafts, house, CTI)
        return key

    async def shortfalls(self, month: date) -> Sequence[PenaltyLine]:
        """Give the lines for what visits of a month lack, as they stand (REPORT-10)."""
        sources = [_of_month(month, person) for person in self._directory().people]
        theirs = select(incidents.c.id).where(incidents.c.source.in_(sources))
        async with self._db.read() as conn:
            return await rows.lines_of(conn, lines.c.incident.in_(theirs))

    # What the person concerned does, and what becomes of it

    async def appeal(self, pick: Pick, *, by: Person, text: str, address: str = "") -> str:
        """Object to one's own line, within the window; give the appeal.

        Raises `Refused`: no_line, not_yours, not_appealable, appeal_over, appealed_already,
        line_changed, reason_missing.
        """
        why, now, house = review.checked_reason(text), self._clock.now(), self._house()
        key = new_id(now)
        async with self._alone() as conn:
            line = await rows.find_line(conn, pick.line)
            review.check_appeal(line, by, now)
            rows.check_version(line, pick)
            values = {
                "state": LineState.APPEALED,
                "appealed": True,
                "final_at": None,
                "lapse_at": review.ends(now, house.penalties.lapse_after, house),
            }
            await self._change(conn, line, "appeal", by.id, why, address, values)
            row = {
                "id": key,
                "line": line.id,
                "incident": line.incident,
                "person": by.id,
                "at": now,
                "text": why,
                "reason": "",
            }
            await conn.execute(insert(appeals).values(row))
            await self._wait_anew(conn, line.incident, now, house)
        return key

    async def decide_appeal(
        self,
        pick: Pick,
        verdict: AppealVerdict,
        *,
        by: Person,
        reason: str,
        amount: Decimal | None = None,
        address: str = "",
    ) -> None:
        """Uphold, reduce (to `amount`) or overturn an appealed line, with a reason.

        Raises `Refused`: no_line, own_case, same_decider, not_appealed, line_changed,
        reason_missing, bad_amount, no_right.
        """
        why, now = review.checked_reason(reason), self._clock.now()

        async def one(conn: Connection, line: PenaltyLine) -> None:
            state, after = review.appeal_decided(line, verdict, amount)
            final = None if state is LineState.OVERTURNED else now
            values = {"state": state, "amount": after, "final_at": final}
            await self._change(conn, line, f"appeal_{verdict}", by.id, why, address, values)
            await conn.execute(
                update(appeals)
                .where(appeals.c.line == line.id)
                .values(verdict=verdict, decided_by=by.id, decided_at=now, reason=why)
            )

        await self._each([pick], by, one)

    async def reverse(self, pick: Pick, *, by: Person, reason: str, address: str = "") -> str:
        """Give back a settled line by a counter-entry in a later month; give its bonus line.

        Raises `Refused`: no_line, own_case, not_settled, line_changed, reason_missing, no_right.
        """
        why, now = review.checked_reason(reason), self._clock.now()
        key = new_id(now)

        async def one(conn: Connection, line: PenaltyLine) -> None:
            if line.state is not LineState.SETTLED or line.month is None:
                raise Refused("not_settled", "this line was not settled", state=line.state)
            fixed = await rows.months_fixed(conn, line.person)
            row = {
                "id": key,
                "person": line.person,
                "month": months.counter_month(line.month, now, self._house().zone, fixed),
                "what": line.rule,
                "amount": line.amount or Decimal("0.00"),
                "note": why,
                "source": "counter",
                "reverses": line.id,
                "entered_by": by.id,
                "entered_at": now,
            }
            values = {"state": LineState.REVERSED}
            await self._change(conn, line, "reverse", by.id, why, address, values)
            await conn.execute(insert(bonus).values(row))

        await self._each([pick], by, one, in_turn=False)
        return key

    async def mark_seen(self, person: str, seen: Collection[str]) -> None:
        """Note that somebody saw these lines of his; the first time stands."""
        mine = (lines.c.id.in_(list(seen)[:AT_ONCE]), lines.c.person == person)
        async with self._db.write() as conn:
            await conn.execute(
                update(lines)
                .where(*mine, lines.c.seen_at.is_(None))
                .values(seen_at=self._clock.now())
            )

    # Months

    async def add_bonus(
        self,
        person: str,
        month: date,
        *,
        what: str,
        amount: Decimal,
        by: Person,
        note: str = "",
        once: str = "",
        address: str = "",
    ) -> str:
        """Enter a bonus line by hand; a negative amount corrects one. Give its id.

        `once` names the form: the same sent by the same person again enters no more. Raises
        `Refused`: no_person, bad_amount, bad_text, statement_fixed, own_case, no_right.
        """
        row = months.BonusRow(
            person=self._person(person).id,
            month=month.replace(day=1),
            what=checked_text("what", what, months.WHAT_LIMIT, least=1),
            amount=months.checked_amount(str(amount)),
            note=checked_text("note", note, months.NOTE_LIMIT),
        )
        return (await self._enter([row], "hand", by, address, once))[0]

    async def import_bonus(self, content: str, *, by: Person, address: str = "") -> int:
        """Enter bonus lines from a CSV table with the heading number, month, what, amount, note.

        All or none; what was imported for the same number, month and what already is refused.
        Give how many. Raises `Refused`: bonus_table (with `line` and `why`), bonus_again,
        statement_fixed, own_case, no_right.
        """
        people = self._directory().people.values()
        told = months.read_bonus(content, {person.number: person.id for person in people})
        return len(await self._enter(told, "csv", by, address))

    async def statement(self, person: str, month: date) -> Statement:
        """Give the statement of a person and month as it stands. Raises `Refused` (no_person)."""
        self._person(person)
        async with self._db.read() as conn:
            return await self._statement(conn, person, month.replace(day=1))

    async def statements(self, month: date) -> Sequence[Statement]:
        """Give the statements of everybody who has entries in a month, by person's number."""
        month = month.replace(day=1)
        async with self._db.read() as conn:
            people = await self._with_entries(conn, month)
            return [await self._statement(conn, person, month) for person in people]

    async def publish(self, month: date, *, by: Person, address: str = "") -> int:
        """Publish all open statements of a month that is over; give how many.

        Raises `Refused`: month_open, no_right.
        """
        month, now, house = month.replace(day=1), self._clock.now(), self._house()
        self._check_statements(by)
        if now < months.begins(months.following(month), house.zone):
            raise Refused("month_open", "a month is published when it is over", month=month)
        async with self._alone() as conn:
            there = await rows.states_of(conn, month)
            new = [p for p in await self._with_entries(conn, month) if p not in there]
            for person in new:
                row = {"person": person, "month": month, "state": StatementState.PUBLISHED}
                await conn.execute(insert(statements).values(**row, published_at=now))
                await self._tell(conn, by.id, "statement.publish", person, month, address)
        return len(new)

    async def finalise(self, month: date, *, by: Person, address: str = "") -> int:
        """Make all published statements of a month final: their lines are settled.

        Raises `Refused` (no_right).
        """
        month, now = month.replace(day=1), self._clock.now()
        self._check_statements(by)
        async with self._alone() as conn:
            there = await rows.states_of(conn, month)
            ready = [who for who, state in there.items() if state is StatementState.PUBLISHED]
            for person in ready:
                found = replace(
                    await self._statement(conn, person, month),
                    state=StatementState.FINAL,
                    final_at=now,
                )
                await self._settle(conn, found, by, address)
        return len(ready)

    async def export(self, month: date, *, by: Person, address: str = "") -> Sequence[Statement]:
        """Give the final statements of a month for the pay office, and note that they left.

        Raises `Refused`: not_final (some statement is not), no_right.
        """
        month, now = month.replace(day=1), self._clock.now()
        self._check_statements(by)
        async with self._alone() as conn:
            there = await rows.states_of(conn, month)
            fixed = (StatementState.FINAL, StatementState.EXPORTED)
            people = await self._with_entries(conn, month)
            if not people or any(there.get(person) not in fixed for person in people):
                raise Refused("not_final", "only final statements leave the house", month=month)
            await conn.execute(
                update(statements)
                .where(statements.c.month == month, statements.c.state == StatementState.FINAL)
                .values(state=StatementState.EXPORTED, exported_at=now)
            )
            await self._tell(conn, by.id, "statement.export", "all", month, address)
            return [await self._statement(conn, person, month) for person in people]

    async def reviewed(self, since: datetime, until: datetime) -> Sequence[Reviewed]:
        """Count the decisions of each reviewer in a time."""
        async with self._db.read() as conn:
            counted = await conn.execute(
                select(decisions.c.by, decisions.c.what, func.count().label("n"))
                .where(decisions.c.at >= since, decisions.c.at < until, decisions.c.by != CTI)
                .group_by(decisions.c.by, decisions.c.what)
            )
            found: dict[str, dict[str, int]] = {}
            for row in counted:
                found.setdefault(row.by, {})[row.what] = row.n
            lost = await conn.execute(
                select(lines.c.decided_by, func.count().label("n"))
                .join(appeals, appeals.c.line == lines.c.id)
                .where(
                    appeals.c.decided_at >= since,
                    appeals.c.decided_at < until,
                    appeals.c.verdict.in_((AppealVerdict.OVERTURN, AppealVerdict.REDUCE)),
                )
                .group_by(lines.c.decided_by)
            )
            overturned = {row.decided_by: row.n for row in lost}
        return [
            Reviewed(
                by=who,
                approved=n.get("approve", 0),
                reduced=n.get("reduce", 0),
                waived=n.get("waive", 0),
                lifted=n.get("lift", 0),
                undone=n.get("undo", 0),
                overturned=overturned.get(who, 0),
            )
            for who, n in sorted(found.items())
            if n.keys() & {*Verdict, "lift", "undo"} or who in overturned
        ]

    async def audit(
        self, *, about: str = "", who: str = "", after: str = "", limit: int = 100
    ) -> Page[AuditRow]:
        """Give rows of the audit log, newest first. Raises `Refused` (bad_cursor)."""
        wanted = select(audit).order_by(audit.c.seq.desc()).limit(limit + 1)
        if about:
            wanted = wanted.where(audit.c.about == about)
        if who:
            wanted = wanted.where(audit.c.who == who)
        if after:
            if not after.isdecimal() or len(after) > 18:
                raise rows.bad_cursor()
            wanted = wanted.where(audit.c.seq < int(after))
        names = [one.name for one in fields(AuditRow)]
        async with self._db.read() as conn:
            found = (await conn.execute(wanted)).all()
        told = tuple(AuditRow(**{name: row._mapping[name] for name in names}) for row in found)
        more = len(told) > limit
        return Page(rows=told[:limit], after=str(told[limit - 1].seq) if more else "")

    # What the desk does

    async def began(self) -> datetime:
        """Give since when misses are judged: the first time that this was asked."""
        async with self._alone() as conn:
            at: datetime | None = await conn.scalar(select(began.c.at))
            if at is None:
                at = self._clock.now()
                await conn.execute(insert(began).values(id=1, at=at))
        return at

    async def newest(self) -> datetime | None:
        """Give when the newest missed call that was judged had begun; None: there is none."""
        async with self._db.read() as conn:
            at: datetime | None = await conn.scalar(select(func.max(missed_calls.c.at)))
        return at

    async def judged(self, calls: Collection[str]) -> set[str]:
        """Give which of these missed calls have been judged."""
        found, wanted = set[str](), sorted(calls)
        async with self._db.read() as conn:
            for start in range(0, len(wanted), AT_ONCE):
                some = missed_calls.c.call.in_(wanted[start : start + AT_ONCE])
                found |= set(await conn.scalars(select(missed_calls.c.call).where(some)))
        return found

    async def joins(self, facts: CallFacts) -> tuple[str, Evidence] | None:
        """Give the incident that a miss would join, with the evidence of its first miss."""
        async with self._db.read() as conn:
            incident = await self._joined(conn, facts)
            return (incident, (await rows.evidence_of(conn, incident))[0]) if incident else None

    async def keep_missed(
        self, evidence: Evidence, department: str, *, into: str | None
    ) -> str | None:
        """Keep a missed call with its evidence, in the incident `into` or in a new one.

        Give the incident. None when nothing was kept: the call was kept before, or it belongs
        to another incident by now, so that it must be judged again.
        """
        facts, house = evidence.facts, self._house()
        async with self._alone() as conn:
            there = select(missed_calls.c.call).where(missed_calls.c.call == facts.call)
            if await conn.scalar(there) is not None:
                return None
            incident = await self._joined(conn, facts)
            if incident != into:
                return None
            if incident is None:
                incident = await self._open(conn, facts, department, evidence, house)
                await rows.keep_evidence(conn, incident, 1, department, evidence)
                return incident
            before = await rows.evidence_of(conn, incident)
            await rows.keep_evidence(conn, incident, len(before) + 1, department, evidence)
            await self._extend(conn, incident, [*before, evidence], house)
            return incident

    async def pending(self) -> frozenset[str]:
        """Tell which of notify, escalate, lapse and close have something to do now."""
        found = await self._db.ask(_PENDING, {"now": self._clock.now()})
        return frozenset(row.step for row in found)

    async def due(self, now: datetime) -> Sequence[tuple[str, datetime, Sequence[MissedCall]]]:
        """Give the open incidents whose merging time is over: id, when it was, their calls."""
        found = await self._db.ask(_DUE, {"now": now})
        if not found:
            return ()
        async with self._db.read() as conn:
            return [(row.id, row.due_at, await rows.calls_of(conn, row.id)) for row in found]

    async def propose(self, incident: str, recovered: Mapping[str, str]) -> bool:
        """Propose the lines of an open incident, or bundle it; False when it is open no more.

        `recovered` gives the call in which the caller of a miss was answered soon after.
        """
        house = self._house()
        async with self._alone() as conn:
            row = await rows.incident_of(conn, incident)
            if row is None or row.state != IncidentState.OPEN:
                return False
            for call, by in recovered.items():
                mine = missed_calls.c.call == call, missed_calls.c.incident == incident
                await conn.execute(update(missed_calls).where(*mine).values(recovered_by=by))
            bundle = row.bundle or await self._bundled(conn, row, house)
            evidence = await rows.deciding_evidence(conn, row)
            costs = any(not draft.exemption for draft in evidence.drafts)
            values = {"recovered": bool(recovered), "bundle": bundle}
            await conn.execute(update(incidents).where(incidents.c.id == incident).values(values))
            if bundle and costs:
                await self._hold(conn, incident, house)
            else:
                await self._propose(conn, incident, evidence.drafts, house, CTI)
        return True

    async def notify(self) -> Sequence[PenaltyLine]:
        """Send the notices that are due; give their lines. From then on the appeal window runs."""
        now, house = self._clock.now(), self._house()
        async with self._alone() as conn:
            found = await conn.execute(select(lines).where(*_notices(now)).limit(AT_ONCE))
            told = [rows.line_of(row) for row in found]
            for line in told:
                until = review.ends(now, house.penalties.appeal_window, house)
                waived = line.state is LineState.WAIVED
                values = {
                    "notice_at": None,
                    "notified_at": now,
                    "appeal_until": None if waived else until,
                    "final_at": None if waived else until,
                }
                await self._change(conn, line, "notice", CTI, "", "", values)
        return told

    async def escalate(self) -> int:
        """Show to the next level what was not reviewed in time; give how many incidents."""
        now = self._clock.now()
        async with self._alone() as conn:
            found = await conn.execute(select(incidents.c.id).where(*_late(now)).limit(AT_ONCE))
            late = list(found.scalars())
            for incident in late:
                one = incidents.c.id == incident
                await conn.execute(update(incidents).where(one).values(escalated_at=now))
                mine = lines.c.incident == incident, lines.c.state.in_(_UNDECIDED)
                await conn.execute(update(lines).where(*mine).values(escalated=True))
                await self._audit(conn, CTI, "penalty.escalate", f"incident:{incident}")
        return len(late)

    async def lapse(self) -> int:
        """Let lapse what nobody decided in time, never approve it (21.5); give how many.

        An appeal lapses only when nobody is left who may decide it.
        """
        now = self._clock.now()
        async with self._alone() as conn:
            found = await conn.execute(
                select(lines).where(*_lapsing(now)).order_by(lines.c.lapse_at)
            )
            count = 0
            for line in [rows.line_of(row) for row in found]:
                if line.state is LineState.APPEALED and await self._appeal_deciders(conn, line):
                    continue
                values = {"state": LineState.LAPSED, "final_at": None}
                await self._change(conn, line, "lapse", CTI, "", "", values)
                count += 1
            return count + await self._lapse_bundled(conn, now)

    async def close(self) -> int:
        """Close incidents about which nothing can change any more; give how many."""
        now = self._clock.now()
        async with self._alone() as conn:
            done = await conn.execute(
                update(incidents).where(*_finished(now)).values(state=IncidentState.CLOSED)
            )
            return int(done.rowcount)

    # How incidents come about

    async def _joined(self, conn: Connection, facts: CallFacts) -> str | None:
        """Find the incident of the same caller's previous miss, if this one joins it."""
        if facts.number is None:
            return None
        merge = self._house().penalties.missed_call.merge_repeat
        found = await conn.execute(
            select(missed_calls.c.incident, missed_calls.c.at, missed_calls.c.ended_at)
            .where(
                missed_calls.c.number == facts.number,
                missed_calls.c.ended_at >= facts.began - merge,
                missed_calls.c.at <= facts.began,
            )
            .order_by(missed_calls.c.ended_at.desc(), missed_calls.c.call.desc())
        )
        miss = facts.began, facts.ended_at
        for row in found:
            if merging.joins((row.at, row.ended_at), miss, merge):
                return str(row.incident)
        return None

    async def _open(
        self,
        conn: Connection,
        facts: CallFacts,
        department: str,
        evidence: Evidence,
        house: House,
    ) -> str:
        key = new_id(facts.began)
        row = rows.incident_row(
            key,
            source=f"call:{facts.call}",
            kind=IncidentKind.MISSED_CALL,
            at=facts.began,
            number=facts.number,
            department=department,
            entry=facts.entry,
            reason=evidence.reason,
            call=facts.call,
            fault=evidence.fault,
            policy=evidence.policy,
            roster=evidence.roster,
            due_at=facts.ended_at + merging.wait(house.penalties.missed_call),
        )
        await conn.execute(insert(incidents).values(row))
        return key

    async def _extend(
        self, conn: Connection, incident: str, misses: Sequence[Evidence], house: House
    ) -> None:
        """Let a miss count in its incident; what was proposed already stays as it is (V18)."""
        row = await rows.incident_of(conn, incident)
        if row is None or row.state != IncidentState.OPEN:
            return
        decides = misses[merging.deciding(misses)]
        ended = max(one.facts.ended_at for one in misses)
        values = {
            "call": decides.facts.call,
            "reason": decides.reason,
            "policy": decides.policy,
            "due_at": ended + merging.wait(house.penalties.missed_call),
        }
        await conn.execute(update(incidents).where(incidents.c.id == incident).values(values))

    async def _bundled(self, conn: Connection, row: Row[Any], house: House) -> str:
        """Find or make the bundle to which a due incident belongs; empty: it stands alone."""
        if row.fault:
            return await rows.make_bundle(conn, f"fault:{row.fault}", row.fault, row.at)
        mates = await self._storm(conn, row, house)
        if not mates:
            return ""
        found = await conn.execute(
            select(incidents.c.id, incidents.c.bundle, incidents.c.state, bundles.c.decided)
            .outerjoin(bundles, bundles.c.id == incidents.c.bundle)
            .where(incidents.c.id.in_(mates))
            .order_by(incidents.c.at, incidents.c.id)
        )
        known = found.all()
        running = [one.bundle for one in known if one.bundle and one.decided is None]
        bundle = (
            running[0] if running else await rows.make_bundle(conn, f"storm:{row.id}", "", row.at)
        )
        open_ = [one.id for one in known if not one.bundle and one.state == IncidentState.OPEN]
        mine = incidents.c.id.in_(open_), incidents.c.fault == ""
        await conn.execute(update(incidents).where(*mine).values(bundle=bundle))
        return bundle

    async def _storm(self, conn: Connection, row: Row[Any], house: House) -> list[str]:
        """Give the incidents of the storm in which a miss of this one lies; none: no storm."""
        rule = house.penalties.missed_call
        mine = await rows.calls_of(conn, row.id)
        first, last = mine[0].at - rule.storm_within, mine[-1].at + rule.storm_within
        found = await conn.execute(
            select(missed_calls.c.at, missed_calls.c.incident)
            .where(missed_calls.c.at >= first, missed_calls.c.at <= last)
            .order_by(missed_calls.c.at, missed_calls.c.call)
        )
        near = found.all()
        mates = set[str]()
        for start, end in merging.storms([one.at for one in near], rule):
            storm = {one.incident for one in near[start : end + 1]}
            mates |= storm if row.id in storm else set()
        return sorted(mates)

    async def _propose(
        self,
        conn: Connection,
        incident: str,
        drafts: Iterable[Draft],
        house: House,
        by: str,
        address: str = "",
    ) -> None:
        """Make the lines of an incident, proposed or exempted, and let the time limits run."""
        now = self._clock.now()
        await self._wait_anew(conn, incident, now, house)
        values = {
            "proposed_at": now,
            "lapse_at": review.ends(now, house.penalties.lapse_after, house),
        }
        await conn.execute(update(incidents).where(incidents.c.id == incident).values(values))
        row = await rows.incident_of(conn, incident)
        made = [rows.line_row(row, draft, now, house, values["lapse_at"]) for draft in drafts]
        if made:
            await conn.execute(insert(lines), made)
        await self._audit(
            conn,
            by,
            "penalty.propose",
            f"incident:{incident}",
            after={"lines": [rows.told_of(one) for one in made]},
            address=address,
        )
        await self._settle_state(conn, incident, IncidentState.PROPOSED)

    async def _hold(self, conn: Connection, incident: str, house: House) -> None:
        """Leave an incident of a bundle without lines until the bundle is decided."""
        now = self._clock.now()
        await self._wait_anew(conn, incident, now, house)
        values = {
            "state": IncidentState.BUNDLED,
            "proposed_at": now,
            "lapse_at": review.ends(now, house.penalties.lapse_after, house),
        }
        await conn.execute(update(incidents).where(incidents.c.id == incident).values(values))
        await self._audit(conn, CTI, "penalty.bundled", f"incident:{incident}")

    async def _approve_drafts(
        self, conn: Connection, incident: Incident, drafts: Iterable[Draft], by: Person, why: str
    ) -> list[str]:
        """Make the lines that were picked of a bundle: approved, or exempted as they were."""
        now, house = self._clock.now(), self._house()
        row = await rows.incident_of(conn, incident.id)
        made = list[str]()
        for draft in drafts:
            values = rows.line_row(row, draft, now, house, incident.lapse_at)
            if not draft.exemption:
                values |= {
                    "state": LineState.APPROVED,
                    "decided_at": now,
                    "decided_by": by.id,
                    "notice_at": now + house.penalties.notice_after,
                }
                made.append(values["id"])
            await conn.execute(insert(lines).values(values))
            if not draft.exemption:
                line = await rows.find_line(conn, values["id"])
                await self._decision(
                    conn,
                    incident.id,
                    line.id,
                    Verdict.APPROVE,
                    by.id,
                    why,
                    LineState.PROPOSED,
                    LineState.APPROVED,
                    (line.amount, line.amount),
                )
        return made

    async def _lapse_bundled(self, conn: Connection, now: datetime) -> int:
        found = list(await conn.scalars(select(incidents.c.id).where(*_lapsing_bundled(now))))
        for incident in found:
            one = incidents.c.id == incident
            await conn.execute(update(incidents).where(one).values(state=IncidentState.CLOSED))
            await self._decision(
                conn, incident, "", "lapse", CTI, "", IncidentState.BUNDLED, IncidentState.CLOSED
            )
            await self._audit(conn, CTI, "penalty.lapse", f"incident:{incident}")
        return len(found)

    async def _wait_anew(
        self, conn: Connection, incident: str, now: datetime, house: House
    ) -> None:
        values = {
            "escalate_at": review.ends(now, house.penalties.review_due, house),
            "escalated_at": None,
        }
        await conn.execute(update(incidents).where(incidents.c.id == incident).values(values))
        await conn.execute(
            update(lines).where(lines.c.incident == incident).values(escalated=False)
        )

    # How lines are changed

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        """Open a writing transaction beside which no other of this room runs."""
        async with self._db.write() as conn:
            await self._db.alone(conn, "penalties")
            yield conn

    async def _each(
        self,
        picks: Sequence[Pick],
        by: Person,
        act: Callable[[Connection, PenaltyLine], Any],
        *,
        in_turn: bool = True,
    ) -> Done:
        """Do something to each line that may be touched; what was refused is told.

        With `in_turn` only by whose turn it is (MISS-09). Raises the first refusal when nothing
        was done.
        """
        done, refused = list[str](), list[Refused]()
        codes = list[tuple[str, str]]()
        async with self._alone() as conn:
            for pick in {one.line: one for one in picks}.values():
                try:
                    line = await rows.find_line(conn, pick.line)
                    parties = await rows.parties_of(conn, line.incident)
                    directory, house = self._directory(), self._house()
                    first = line.decided_by if line.state is LineState.APPEALED else None
                    review.check_decider(by, directory, house, parties, first=first)
                    if in_turn:
                        late = line.escalated
                        review.check_turn(by, directory, house, parties, but=first, escalated=late)
                    rows.check_version(line, pick)
                    await act(conn, line)
                except Refused as fault:
                    refused.append(fault)
                    codes.append((pick.line, fault.code))
                else:
                    done.append(pick.line)
        if refused and not done:
            raise refused[0]
        return Done(done=tuple(done), refused=tuple(codes))

    async def _change(
        self,
        conn: Connection,
        line: PenaltyLine,
        what: str,
        by: str,
        reason: str,
        address: str,
        values: Mapping[str, Any],
    ) -> None:
        """Change a line in the version that was read, with decision, audit and incident."""
        changed = await conn.execute(
            update(lines)
            .where(lines.c.id == line.id, lines.c.version == line.version)
            .values(**values, version=line.version + 1)
        )
        if not changed.rowcount:
            raise rows.line_changed()
        after = values.get("state", line.state)
        amounts = line.amount, values.get("amount", line.amount)
        await self._decision(
            conn, line.incident, line.id, what, by, reason, line.state, after, amounts
        )
        await record(
            conn,
            at=self._clock.now(),
            who=by,
            what=f"penalty.{what}",
            about=f"line:{line.id}",
            before={"state": line.state, "amount": line.amount},
            after={"state": after, "amount": amounts[1]},
            reason=reason,
            policy=line.policy,
            address=address,
        )
        await self._settle_state(conn, line.incident)

    async def _decision(
        self,
        conn: Connection,
        incident: str,
        line: str,
        what: str,
        by: str,
        reason: str,
        before: str,
        after: str,
        amounts: tuple[Decimal | None, Decimal | None] = (None, None),
    ) -> None:
        now = self._clock.now()
        row = {
            "id": new_id(now),
            "incident": incident,
            "line": line,
            "what": what,
            "by": by,
            "at": now,
            "reason": reason,
            "before": before,
            "after": after,
            "amount_before": amounts[0],
            "amount_after": amounts[1],
        }
        await conn.execute(insert(decisions).values(row))

    async def _settle_state(
        self, conn: Connection, incident: str, was: IncidentState | None = None
    ) -> None:
        """Bring an incident's state to where its lines stand."""
        if was is None:
            row = await rows.incident_of(conn, incident)
            was = IncidentState(row.state)
        mine = await rows.lines_of(conn, lines.c.incident == incident)
        state = review.incident_state(mine, self._clock.now(), was=was)
        await conn.execute(update(incidents).where(incidents.c.id == incident).values(state=state))

    async def _audit(
        self,
        conn: Connection,
        who: str,
        what: str,
        about: str,
        after: Mapping[str, Any] | None = None,
        address: str = "",
    ) -> None:
        await record(
            conn,
            at=self._clock.now(),
            who=who,
            what=what,
            about=about,
            after=after,
            policy=self._house().version,
            address=address,
        )

    # How incidents are read

    async def _incidents(self, conn: Connection, condition: ColumnElement[bool]) -> list[Incident]:
        found = await conn.execute(
            select(incidents).where(condition).order_by(incidents.c.at, incidents.c.id)
        )
        return [await self._whole(conn, row) for row in found.all()]

    async def _whole(self, conn: Connection, row: Row[Any]) -> Incident:
        calls = await rows.calls_of(conn, row.id)
        mine = await rows.lines_of(conn, lines.c.incident == row.id)
        appealed = next((one for one in mine if one.state is LineState.APPEALED), None)
        evidence = next((one.evidence for one in calls if one.call == row.call), None)
        drafts = evidence.drafts if evidence else ()
        return Incident(
            id=row.id,
            kind=IncidentKind(row.kind),
            state=IncidentState(row.state),
            at=row.at,
            number=row.number,
            department=row.department,
            entry=row.entry,
            reason=row.reason,
            calls=tuple(calls),
            recovered=row.recovered,
            bundle=row.bundle,
            lines=tuple(mine),
            decisions=tuple(await rows.decisions_of(conn, row.id)),
            appeals=tuple(await rows.appeals_of(conn, row.id)),
            evidence=evidence,
            note=row.note,
            ref=row.ref,
            entered_by=row.entered_by,
            policy=row.policy,
            roster=row.roster,
            due_at=row.due_at,
            proposed_at=row.proposed_at,
            escalate_at=row.escalate_at,
            escalated_at=row.escalated_at,
            lapse_at=row.lapse_at,
            deciders=review.deciders(
                self._directory(),
                self._house(),
                {one.person for one in mine} | {one.person for one in drafts},
                but=appealed.decided_by if appealed else None,
                escalated=row.escalated_at is not None,
            ),
        )

    async def _bundle(self, conn: Connection, bundle: str) -> Bundle:
        row = (await conn.execute(select(bundles).where(bundles.c.id == bundle))).first()
        if row is None:
            raise Refused("no_bundle", "there is no such bundle of missed calls")
        found = await self._incidents(conn, incidents.c.bundle == bundle)
        calls = [call for one in found for call in one.calls]
        parties = frozenset[str]().union(*map(rows.parties, found))
        return Bundle(
            id=bundle,
            fault=row.fault,
            began=min((call.at for call in calls), default=row.began),
            ended=max((call.ended_at for call in calls), default=row.began),
            incidents=tuple(found),
            decided=BundleChoice(row.decided) if row.decided else None,
            decided_by=row.decided_by,
            decided_at=row.decided_at,
            deciders=review.deciders(
                self._directory(),
                self._house(),
                parties,
                escalated=any(one.escalated_at for one in found),
            ),
        )

    async def _appeal_deciders(self, conn: Connection, line: PenaltyLine) -> tuple[str, ...]:
        parties = await rows.parties_of(conn, line.incident)
        return review.deciders(self._directory(), self._house(), parties, but=line.decided_by)

    # How months are made

    def _person(self, person: str) -> Person:
        found = self._directory().by_id(person)
        if found is None:
            raise Refused("no_person", "there is nobody with this number")
        return found

    def _check_statements(self, by: Person) -> None:
        """Refuse who may not make statements: it takes a manager or the owner."""
        person = self._directory().by_id(by.id)
        if person is None or not person.may(Right.APPEALS):
            raise Refused("no_right", "only managers and owners make statements")

    async def _enter(
        self,
        told: Sequence[months.BonusRow],
        source: str,
        by: Person,
        address: str,
        once: str = "",
    ) -> list[str]:
        self._check_statements(by)
        now, made = self._clock.now(), list[str]()
        alone = review.deciders(self._directory(), self._house(), {by.id}) == (by.id,)
        async with self._alone() as conn:
            for row in told:
                if row.person == by.id and not alone:
                    raise Refused("own_case", "nobody enters a bonus for himself")
                if row.month in await rows.months_fixed(conn, row.person):
                    raise Refused(
                        "statement_fixed", "this month's statement is final", month=row.month
                    )
                if source == "csv" and await rows.is_entered(conn, row):
                    raise Refused(
                        "bonus_again",
                        f"{row.what} was imported for this person and month already",
                        what=row.what,
                    )
                key = hashlib.sha256(repr((by.id, once, row)).encode()).hexdigest()[:26]
                if once and await conn.scalar(select(bonus.c.id).where(bonus.c.id == key)):
                    return [key]
                values = {
                    "id": key if once else new_id(now),
                    "person": row.person,
                    "month": row.month,
                    "what": row.what,
                    "amount": row.amount,
                    "note": row.note,
                    "source": source,
                    "entered_by": by.id,
                    "entered_at": now,
                }
                await conn.execute(insert(bonus).values(values))
                about = f"bonus:{values['id']}"
                after = {"person": row.person, "month": row.month, "what": row.what}
                after |= {"amount": row.amount}
                await self._audit(conn, by.id, "bonus.enter", about, after, address)
                made.append(str(values["id"]))
        return made

    async def _statement(self, conn: Connection, person: str, month: date) -> Statement:
        mine = statements.c.person == person, statements.c.month == month
        row = (await conn.execute(select(statements).where(*mine))).first()
        if row is not None and row.content:
            fixed = _STATEMENT.validate_json(row.content)
            return replace(fixed, state=StatementState(row.state), exported_at=row.exported_at)
        house = self._house()
        earned = await conn.execute(
            select(bonus).where(bonus.c.person == person, bonus.c.month == month)
        )
        found = months.made(
            person,
            month,
            bonus=[rows.bonus_line(one) for one in earned],
            penalties=await self._payable(conn, month, lines.c.person == person),
            floor=house.penalties.floor,
            unit=rules.unit(house),
        )
        if row is None:
            return found
        return replace(found, state=StatementState(row.state), published_at=row.published_at)

    async def _payable(
        self, conn: Connection, month: date, *conditions: ColumnElement[bool]
    ) -> list[PenaltyLine]:
        """Give the lines that count in a month (V3)."""
        house, now = self._house(), self._clock.now()
        zone, unit = house.zone, rules.unit(house)
        start, end = (
            months.begins(month, zone),
            months.begins(months.following(month), zone),
        )
        open_ = and_(
            lines.c.state.in_(review.PAYABLE), lines.c.final_at >= start, lines.c.final_at < end
        )
        found = await rows.lines_of(conn, or_(open_, lines.c.month == month), *conditions)
        return [one for one in found if months.payable(one, month, zone, now, unit)]

    async def _with_entries(self, conn: Connection, month: date) -> list[str]:
        """Give who has entries in a month, by number."""
        earned = await conn.scalars(select(bonus.c.person).where(bonus.c.month == month).distinct())
        people = {*earned, *(one.person for one in await self._payable(conn, month))}
        people |= set(await rows.states_of(conn, month))
        known = self._directory().people
        return sorted(people, key=lambda who: (known[who].number if who in known else "", who))

    async def _settle(self, conn: Connection, found: Statement, by: Person, address: str) -> None:
        for line in await self._payable(conn, found.month, lines.c.person == found.person):
            values = {"state": LineState.SETTLED, "month": found.month}
            await self._change(conn, line, "settle", by.id, "", address, values)
        mine = statements.c.person == found.person, statements.c.month == found.month
        values = {
            "state": StatementState.FINAL,
            "final_at": found.final_at,
            "content": _STATEMENT.dump_json(found).decode(),
        }
        await conn.execute(update(statements).where(*mine).values(values))
        await self._tell(conn, by.id, "statement.final", found.person, found.month, address, found)

    async def _tell(
        self,
        conn: Connection,
        who: str,
        what: str,
        person: str,
        month: date,
        address: str,
        found: Statement | None = None,
    ) -> None:
        after = {"sum": found.sum, "total": found.total, "unit": found.unit} if found else None
        await self._audit(conn, who, what, f"statement:{person}:{month:%Y-%m}", after, address)


_Conditions = tuple[ColumnElement[bool], ...]
_Now = datetime | BindParameter[datetime]


def _notices(now: _Now) -> _Conditions:
    return (lines.c.notice_at <= now,)


def _late(now: _Now) -> _Conditions:
    return (
        incidents.c.state.in_(_WAITING),
        incidents.c.escalate_at <= now,
        incidents.c.escalated_at.is_(None),
    )


def _lapsing(now: _Now) -> _Conditions:
    return lines.c.state.in_(_UNDECIDED), lines.c.lapse_at <= now


def _lapsing_bundled(now: _Now) -> _Conditions:
    return incidents.c.state == IncidentState.BUNDLED, incidents.c.lapse_at <= now


def _finished(now: _Now) -> _Conditions:
    """Find incidents of which no line may still be appealed, and no notice is due."""
    open_ = lines.c.final_at.is_(None) | (lines.c.final_at > now)
    unfinished = (
        select(lines.c.id)
        .where(
            lines.c.incident == incidents.c.id,
            or_(
                and_(lines.c.state.in_(review.PAYABLE), open_),
                and_(lines.c.state == LineState.WAIVED, lines.c.notified_at.is_(None)),
            ),
        )
        .exists()
    )
    return incidents.c.state == IncidentState.DECIDED, ~unfinished


def _step(name: str, key: ColumnElement[str], conditions: _Conditions) -> Select[tuple[str]]:
    """Ask whether a step has something to do: its name, or nothing."""
    return select(literal_column(f"'{name}'").label("step")).where(
        select(key).where(*conditions).exists()
    )


_AT: Final[BindParameter[datetime]] = bindparam("now", type_=Instant)
_STEPS: Final = (
    _step("notify", lines.c.id, _notices(_AT)),
    _step("escalate", incidents.c.id, _late(_AT)),
    _step("lapse", lines.c.id, _lapsing(_AT)),
    _step("lapse", incidents.c.id, _lapsing_bundled(_AT)),
    _step("close", incidents.c.id, _finished(_AT)),
)
_PENDING: Final = union_all(*_STEPS)
_DUE: Final = (
    select(incidents.c.id, incidents.c.due_at)
    .where(incidents.c.state == IncidentState.OPEN, incidents.c.due_at <= _AT)
    .order_by(incidents.c.due_at, incidents.c.id)
    .limit(AT_ONCE)
)


def _of_month(month: date, person: str) -> str:
    """Name what somebody's month of visits lacks, as the source of its incident."""
    return f"visits:{month:%Y-%m}:{person}"
