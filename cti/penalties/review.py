"""Who may decide what, until when, and what becomes of a line? Pure.

`LEGAL` is the diagram of requirement 22.3; who decides is MISS-09 and V4.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from cti.errors import Refused
from cti.house import House, Lapse, WorkingDays
from cti.penalties.record import (
    AppealVerdict,
    IncidentState,
    LineState,
    PenaltyLine,
    Verdict,
)
from cti.people.rules import Directory, Person, Right, Role, checked_text

REASON_LIMIT: Final = 500

_S = LineState
LEGAL: Final[Mapping[LineState, frozenset[LineState]]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.REDUCED, _S.WAIVED, _S.LAPSED}),
    _S.EXEMPTED: frozenset({_S.PROPOSED}),
    _S.APPROVED: frozenset({_S.PROPOSED, _S.APPEALED, _S.SETTLED}),
    _S.REDUCED: frozenset({_S.PROPOSED, _S.APPEALED, _S.SETTLED}),
    _S.WAIVED: frozenset({_S.PROPOSED}),
    _S.APPEALED: frozenset({_S.UPHELD, _S.REDUCED, _S.OVERTURNED, _S.LAPSED}),
    _S.UPHELD: frozenset({_S.SETTLED}),
    _S.OVERTURNED: frozenset(),
    _S.SETTLED: frozenset({_S.REVERSED}),
    _S.REVERSED: frozenset(),
    _S.LAPSED: frozenset(),
}
DECIDED: Final = frozenset({_S.APPROVED, _S.REDUCED, _S.WAIVED})
PAYABLE: Final = frozenset({_S.APPROVED, _S.REDUCED, _S.UPHELD})
"""Only these reach a statement, and only once they are final (V3)."""
_AFTER: Final = {
    Verdict.APPROVE: _S.APPROVED,
    Verdict.REDUCE: _S.REDUCED,
    Verdict.WAIVE: _S.WAIVED,
}
_AFTER_APPEAL: Final = {
    AppealVerdict.UPHOLD: _S.UPHELD,
    AppealVerdict.REDUCE: _S.REDUCED,
    AppealVerdict.OVERTURN: _S.OVERTURNED,
}


def ends(at: datetime, lapse: Lapse, house: House) -> datetime:
    """Give when a window that begins at an instant is over.

    Working days begin the day after, and end with the last of them, in house time.
    """
    if isinstance(lapse, timedelta):
        return at + lapse
    return _end_of(at, lapse, house)


def _end_of(at: datetime, lapse: WorkingDays, house: House) -> datetime:
    last = house.calendar.after(at.astimezone(house.zone).date(), lapse.days)
    midnight = datetime.combine(last + timedelta(days=1), time(), house.zone)
    return midnight.astimezone(UTC)


def deciders(
    directory: Directory,
    house: House,
    parties: Collection[str],
    *,
    but: str | None = None,
    escalated: bool = False,
) -> tuple[str, ...]:
    """Give whose turn it is: supervisors without a line, else managers, else owners (MISS-09).

    `parties` have a line in the incident, proposed or exempted; `but` decided first. When it is
    escalated, managers see it too. None: nobody is left, and it lapses.
    """
    free = [
        person
        for person in directory.with_right(Right.REVIEW)
        if person.id not in parties and person.id != but
    ]
    by_role = {
        role: tuple(person.id for person in free if person.role is role)
        for role in (Role.SUPERVISOR, Role.MANAGER, Role.OWNER)
    }
    supervisors, managers, owners = by_role.values()
    turn = supervisors or managers or owners
    if escalated and turn == supervisors:
        turn += managers or owners
    return turn or _alone(directory, house)


def _alone(directory: Directory, house: House) -> tuple[str, ...]:
    """Give the owner of a house in which nobody else could ever decide (ORG-02, V4)."""
    able = directory.with_right(Right.REVIEW)
    agents = [p for p in directory.people.values() if p.active and p.role is Role.AGENT]
    only_owner = len(able) == 1 and able[0].role is Role.OWNER and len(agents) <= 1
    return (able[0].id,) if only_owner and house.card.single_agent_owner_decides else ()


def check_decider(
    by: Person,
    directory: Directory,
    house: House,
    parties: Collection[str],
    *,
    first: str | None = None,
) -> None:
    """Refuse who may not decide: `no_right`, `own_case`, for an appeal `same_decider` (V4)."""
    person = directory.by_id(by.id)
    if person is None or not person.may(Right.REVIEW):
        raise Refused("no_right", "only supervisors, managers and owners decide about penalties")
    if person.id in _alone(directory, house):
        return
    if person.id in parties:
        raise Refused(
            "own_case",
            "you have a line in this incident: another supervisor, the manager or the owner "
            "decides it",
        )
    if first is not None and person.id == first:
        raise Refused("same_decider", "who decided first does not decide about the appeal")


def check_turn(
    by: Person,
    directory: Directory,
    house: House,
    parties: Collection[str],
    *,
    but: str | None = None,
    escalated: bool = False,
) -> None:
    """Refuse who may decide, but only after others: `supervisor_first` (MISS-09)."""
    if by.id not in deciders(directory, house, parties, but=but, escalated=escalated):
        raise Refused(
            "supervisor_first", "others decide first; after some days it comes to you by itself"
        )


def checked_reason(text: str) -> str:
    """Give a reason, cleaned. Raises `Refused` (reason_missing, bad_text)."""
    reason = checked_text("reason", text, REASON_LIMIT)
    if not reason:
        raise Refused("reason_missing", "write why: everybody concerned will read it")
    return reason


def decided(
    line: PenaltyLine, verdict: Verdict, amount: Decimal | None
) -> tuple[LineState, Decimal | None]:
    """Give state and amount of a proposed line after a verdict.

    Raises `Refused`: already_decided, bad_amount (a reduced line costs less, but something).
    """
    after = _AFTER[verdict]
    if line.state is not LineState.PROPOSED:
        raise Refused("already_decided", "this line has been decided already", state=line.state)
    return after, _reduced(line, amount) if verdict is Verdict.REDUCE else line.amount


def appeal_decided(
    line: PenaltyLine, verdict: AppealVerdict, amount: Decimal | None
) -> tuple[LineState, Decimal | None]:
    """Give state and amount of an appealed line. Raises `Refused` (not_appealed, bad_amount)."""
    after = _AFTER_APPEAL[verdict]
    if line.state is not LineState.APPEALED:
        raise Refused("not_appealed", "no appeal is open for this line", state=line.state)
    return after, _reduced(line, amount) if verdict is AppealVerdict.REDUCE else line.amount


def _reduced(line: PenaltyLine, amount: Decimal | None) -> Decimal:
    if line.amount is None or amount is None or not 0 < amount < line.amount:
        raise Refused("bad_amount", "a reduced line costs less than before, and more than nothing")
    return amount


def check_undo(line: PenaltyLine, now: datetime, house: House) -> None:
    """Refuse to take back what was not decided, or whose notice is due (`undo_over`)."""
    due = line.decided_at and line.decided_at + house.penalties.notice_after
    if line.state not in DECIDED or line.appealed or line.notified_at or not due or now >= due:
        raise Refused("undo_over", "this decision can no longer be undone", state=line.state)


def check_appeal(line: PenaltyLine, by: Person, now: datetime) -> None:
    """Refuse an appeal: not_yours, appealed_already, not_appealable, appeal_over."""
    if line.person != by.id:
        raise Refused("not_yours", "only the person concerned may appeal")
    if line.appealed:
        raise Refused("appealed_already", "there was an appeal for this line already")
    if line.state not in (LineState.APPROVED, LineState.REDUCED) or line.appeal_until is None:
        raise Refused("not_appealable", "there is nothing to appeal yet", state=line.state)
    if now >= line.appeal_until:
        raise Refused("appeal_over", "the time for an appeal is over", until=line.appeal_until)


def shown_to(line: PenaltyLine) -> LineState:
    """Give the state as the person concerned sees it: a decision shows with its notice."""
    if line.state in DECIDED and line.notified_at is None:
        return LineState.PROPOSED
    return line.state


def incident_state(
    lines: Collection[PenaltyLine], now: datetime, *, was: IncidentState
) -> IncidentState:
    """Give where an incident stands, by its lines, once they have been proposed."""
    states = {line.state for line in lines}
    if LineState.APPEALED in states:
        return IncidentState.REOPENED
    if LineState.PROPOSED in states:
        reopened = was in (IncidentState.DECIDED, IncidentState.CLOSED, IncidentState.REOPENED)
        return IncidentState.REOPENED if reopened else IncidentState.PROPOSED
    return (
        IncidentState.CLOSED if all(_done(line, now) for line in lines) else IncidentState.DECIDED
    )


def _done(line: PenaltyLine, now: datetime) -> bool:
    match line.state:
        case LineState.WAIVED:
            return line.notified_at is not None
        case LineState.APPROVED | LineState.REDUCED | LineState.UPHELD:
            return line.final_at is not None and line.final_at <= now
        case _:
            return True
