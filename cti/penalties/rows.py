"""How are rows of penalties read and made? In the transaction of whoever asks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Column, ColumnElement, Row, Select, Table, insert, or_, select

from cti.db.schema import Connection, new_id
from cti.errors import Refused
from cti.house import House
from cti.penalties import review, rules
from cti.penalties import statement as months
from cti.penalties.record import (
    Appeal,
    AppealVerdict,
    BonusLine,
    Bundle,
    BundleChoice,
    Decision,
    Draft,
    Evidence,
    Incident,
    IncidentKind,
    IncidentState,
    LineState,
    MissedCall,
    MissedFilter,
    MissReason,
    Page,
    PenaltyLine,
    Pick,
    ReviewFilter,
    StatementState,
)
from cti.penalties.tables import (
    CTI,
    appeals,
    bonus,
    bundles,
    decisions,
    incidents,
    lines,
    missed_calls,
    missed_rang,
    statements,
)
from cti.people.rules import Role

EVIDENCE: Final = TypeAdapter(Evidence)
"""Writes what is known of a missed call, and reads it back."""
_LINE = tuple(one.name for one in fields(PenaltyLine))
_ENUMS: Final[Mapping[str, Callable[[str], Any]]] = {
    "kind": IncidentKind,
    "role": Role,
    "state": LineState,
}


def no_incident() -> Refused:
    """Say that there is no such incident."""
    return Refused("no_incident", "there is no such incident")


def line_changed() -> Refused:
    """Say that somebody was faster."""
    return Refused("line_changed", "somebody changed this line meanwhile: look at it again")


def bad_cursor() -> Refused:
    """Say that a page's address is damaged."""
    return Refused("bad_cursor", "this page's address is damaged: begin at the first page")


def check_version(line: PenaltyLine, pick: Pick) -> None:
    """Raise `Refused` (line_changed) unless a line is as it was seen."""
    if line.version != pick.version:
        raise line_changed()


def optional_reason(reason: str) -> str:
    """Give a reason that need not be told, checked. Raises `Refused`."""
    return review.checked_reason(reason) if reason.strip() else ""


def lines_wanted(wanted: ReviewFilter) -> Iterable[ColumnElement[bool]]:
    """Give the conditions for the lines that a filter wants."""
    if wanted.since:
        yield lines.c.at >= wanted.since
    if wanted.until:
        yield lines.c.at < wanted.until
    for name in ("person", "department", "shift", "entry", "rule", "reason", "bundle"):
        if value := getattr(wanted, name):
            yield lines.c[name] == value
    if wanted.states:
        yield lines.c.state.in_(list(wanted.states))
    if wanted.escalated is not None:
        yield lines.c.escalated.is_(wanted.escalated)


def calls_wanted(wanted: MissedFilter) -> Iterable[ColumnElement[bool]]:
    """Give the conditions for the missed calls that a filter wants."""
    if wanted.since:
        yield missed_calls.c.at >= wanted.since
    if wanted.until:
        yield missed_calls.c.at < wanted.until
    for name in ("number", "department", "entry"):
        if value := getattr(wanted, name):
            yield missed_calls.c[name] == value
    if wanted.reasons:
        yield missed_calls.c.reason.in_(list(wanted.reasons))
    if wanted.rang:
        rang = select(missed_rang.c.call).where(missed_rang.c.person == wanted.rang)
        yield missed_calls.c.call.in_(rang)


async def page(
    conn: Connection,
    table: Table,
    key: Column[str],
    conditions: Sequence[ColumnElement[bool]],
    after: str,
    limit: int,
    read: Callable[[Row[Any]], Any],
) -> Page[Any]:
    """Give one page, newest first; the cursor is the instant and key of its last row."""
    at = table.c.at
    wanted = select(table).where(*conditions).order_by(at.desc(), key.desc()).limit(limit + 1)
    if after:
        when, last = _cursor(after)
        wanted = wanted.where(at <= when, or_(at < when, key < last))
    found = (await conn.execute(wanted)).all()
    rows = tuple(read(row) for row in found[:limit])
    if len(found) <= limit:
        return Page(rows=rows, after="")
    end = found[limit - 1]
    return Page(rows=rows, after=f"{end.at.isoformat()}~{end._mapping[key.name]}")


def _cursor(after: str) -> tuple[datetime, str]:
    when, _, key = after.partition("~")
    try:
        at = datetime.fromisoformat(when.replace(" ", "+"))
        if at.tzinfo is None or not key or len(key) > 32:
            raise bad_cursor()
        return at.astimezone(UTC), key
    except (ValueError, OverflowError):
        raise bad_cursor() from None


def line_of(row: Row[Any]) -> PenaltyLine:
    """Read a line."""
    told = row._mapping
    return PenaltyLine(
        **{name: _ENUMS[name](told[name]) if name in _ENUMS else told[name] for name in _LINE}
    )


def missed(row: Row[Any]) -> MissedCall:
    """Read a missed call, with its evidence."""
    return MissedCall(
        call=row.call,
        incident=row.incident,
        joined=row.joined,
        at=row.at,
        ended_at=row.ended_at,
        number=row.number,
        department=row.department,
        entry=row.entry,
        reason=MissReason(row.reason),
        recovered_by=row.recovered_by,
        evidence=EVIDENCE.validate_json(row.evidence),
    )


def bonus_line(row: Row[Any]) -> BonusLine:
    """Read a bonus line."""
    return BonusLine(**row._mapping)


async def find_line(conn: Connection, line: str) -> PenaltyLine:
    """Find a line. Raises `Refused` (no_line)."""
    row = (await conn.execute(select(lines).where(lines.c.id == line))).first()
    if row is None:
        raise Refused("no_line", "there is no such line")
    return line_of(row)


async def lines_of(conn: Connection, *conditions: ColumnElement[bool]) -> list[PenaltyLine]:
    """Give the lines that meet some conditions, the oldest first."""
    found = await conn.execute(select(lines).where(*conditions).order_by(lines.c.at, lines.c.id))
    return [line_of(row) for row in found]


async def incident_of(conn: Connection, incident: str) -> Any:
    """Find the row of an incident; None for none."""
    return (await conn.execute(select(incidents).where(incidents.c.id == incident))).first()


async def incident_of_source(conn: Connection, source: str) -> str | None:
    """Find an incident by what it is about."""
    found = await conn.scalar(select(incidents.c.id).where(incidents.c.source == source))
    return None if found is None else str(found)


def _calls(incident: str) -> Select[Any]:
    return (
        select(missed_calls)
        .where(missed_calls.c.incident == incident)
        .order_by(missed_calls.c.at, missed_calls.c.call)
    )


async def calls_of(conn: Connection, incident: str) -> list[MissedCall]:
    """Give the missed calls of an incident, the oldest first."""
    return [missed(row) for row in await conn.execute(_calls(incident))]


async def evidence_of(conn: Connection, incident: str) -> list[Evidence]:
    """Give what is known of each missed call of an incident."""
    return [one.evidence for one in await calls_of(conn, incident)]


async def deciding_evidence(conn: Connection, row: Row[Any]) -> Evidence:
    """Give what is known of the call from which the lines come."""
    wanted = select(missed_calls.c.evidence).where(missed_calls.c.call == row.call)
    return EVIDENCE.validate_json((await conn.execute(wanted)).scalar_one())


async def keep_evidence(
    conn: Connection, incident: str, joined: int, department: str, evidence: Evidence
) -> None:
    """Keep a missed call, what is known of it, and whose phones rang."""
    facts = evidence.facts
    await conn.execute(
        insert(missed_calls).values(
            call=facts.call,
            incident=incident,
            joined=joined,
            at=facts.began,
            ended_at=facts.ended_at,
            number=facts.number,
            department=department,
            entry=facts.entry,
            reason=evidence.reason,
            evidence=EVIDENCE.dump_json(evidence).decode(),
        )
    )
    rang = sorted({one.person for one in facts.offers if one.person and one.rang_at})
    if rang:
        await conn.execute(
            insert(missed_rang), [{"person": person, "call": facts.call} for person in rang]
        )


async def decisions_of(conn: Connection, incident: str) -> list[Decision]:
    """Give the decisions on an incident, the oldest first."""
    found = await conn.execute(
        select(decisions)
        .where(decisions.c.incident == incident)
        .order_by(decisions.c.at, decisions.c.id)
    )
    return [Decision(**row._mapping) for row in found]


async def appeals_of(conn: Connection, incident: str) -> list[Appeal]:
    """Give the appeals against lines of an incident, the oldest first."""
    found = await conn.execute(
        select(appeals).where(appeals.c.incident == incident).order_by(appeals.c.at)
    )
    return [
        Appeal(**{**row._mapping, "verdict": AppealVerdict(row.verdict) if row.verdict else None})
        for row in found
    ]


async def parties_of(conn: Connection, incident: str) -> set[str]:
    """Give everybody who has a line in an incident."""
    return set(await conn.scalars(select(lines.c.person).where(lines.c.incident == incident)))


def drafts(incident: Incident) -> tuple[Draft, ...]:
    """Give the lines that an incident would have."""
    return incident.evidence.drafts if incident.evidence else ()


def parties(incident: Incident) -> frozenset[str]:
    """Give everybody who has a line in an incident, or would have one."""
    drafted = frozenset(draft.person for draft in drafts(incident))
    return drafted | {line.person for line in incident.lines}


def waiting(bundle: Bundle) -> list[Incident]:
    """Give the incidents of a bundle that wait. Raises `Refused`."""
    if any(one.state is IncidentState.OPEN for one in bundle.incidents):
        raise Refused(
            "bundle_growing", "misses may still join this bundle: decide it when they cannot"
        )
    waiting = [one for one in bundle.incidents if one.state is IncidentState.BUNDLED]
    if not waiting:
        raise Refused("already_decided", "nothing of this bundle waits for a decision")
    return waiting


def chosen(waiting: Sequence[Incident], choice: BundleChoice, incident: str) -> Sequence[Incident]:
    """Give the incidents of a bundle that are to cost something. Raises `Refused`."""
    match choice:
        case BundleChoice.PER_CALL:
            return waiting
        case BundleChoice.ONCE:
            found = [one for one in waiting if incident in ("", one.id)]
            if not found:
                raise no_incident()
            return found[:1]
        case BundleChoice.NONE:
            return ()


async def make_bundle(conn: Connection, source: str, fault: str, at: datetime) -> str:
    """Give the bundle of a source; make it if it is not there."""
    there = await conn.scalar(select(bundles.c.id).where(bundles.c.source == source))
    if there is not None:
        return str(there)
    key = new_id(at)
    await conn.execute(insert(bundles).values(id=key, source=source, fault=fault, began=at))
    return key


def incident_row(key: str, **facts: Any) -> dict[str, Any]:
    """Make the row of an incident, open and empty but for some facts."""
    return {
        "id": key,
        "state": IncidentState.OPEN,
        "number": None,
        "department": "",
        "entry": "",
        "reason": "",
        "call": None,
        "fault": "",
        "bundle": "",
        "recovered": False,
        "note": "",
        "ref": "",
        "entered_by": CTI,
        "policy": "",
        "roster": "",
    } | facts


def line_row(
    incident: Any, draft: Draft, now: datetime, house: House, lapse_at: datetime | None
) -> dict[str, Any]:
    """Make the row of a line, as it is proposed."""
    return {
        "id": new_id(now),
        "incident": incident.id,
        "kind": incident.kind,
        "rule": draft.rule,
        "person": draft.person,
        "role": draft.role,
        "amount": draft.amount,
        "proposed": draft.amount,
        "unit": "" if draft.amount is None else rules.unit(house),
        "state": LineState.EXEMPTED if draft.exemption else LineState.PROPOSED,
        "exemption": draft.exemption,
        "at": incident.at,
        "department": incident.department,
        "shift": draft.shift,
        "entry": incident.entry,
        "reason": incident.reason,
        "policy": incident.policy,
        "proposed_at": now,
        "lapse_at": lapse_at,
        "appealed": False,
        "escalated": False,
        "bundle": incident.bundle,
        "version": 1,
    }


def told_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """Give of a line what the audit says."""
    return {name: line[name] for name in ("id", "person", "role", "amount", "exemption")}


async def is_entered(conn: Connection, row: months.BonusRow) -> bool:
    """Tell whether a line of a file was entered before."""
    same = (
        bonus.c.person == row.person,
        bonus.c.month == row.month,
        bonus.c.what == row.what,
        bonus.c.source == "csv",
    )
    return await conn.scalar(select(bonus.c.id).where(*same).limit(1)) is not None


async def states_of(conn: Connection, month: date) -> dict[str, StatementState]:
    """Give how the statements of a month stand, by person."""
    found = await conn.execute(
        select(statements.c.person, statements.c.state).where(statements.c.month == month)
    )
    return {row.person: StatementState(row.state) for row in found}


async def months_fixed(conn: Connection, person: str) -> set[date]:
    """Give the months of somebody that nothing changes any more."""
    fixed = (StatementState.FINAL, StatementState.EXPORTED)
    mine = statements.c.person == person, statements.c.state.in_(fixed)
    return set(await conn.scalars(select(statements.c.month).where(*mine)))
