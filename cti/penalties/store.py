"""Where are missed calls, incidents, lines, decisions, appeals and statements kept?

Every change by a person and its audit row lie in one transaction; a line is changed only in the
version that was seen.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from decimal import Decimal

from cti.clock import Clock
from cti.db.engine import Database
from cti.duty.rules import DutySet
from cti.house import House
from cti.penalties.record import (
    AppealVerdict,
    AuditRow,
    Bundle,
    BundleChoice,
    Done,
    Incident,
    MissedCall,
    MissedFilter,
    Page,
    PenaltyLine,
    Pick,
    Reviewed,
    ReviewFilter,
    Statement,
    Verdict,
)
from cti.people.rules import Directory, Person


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

    async def lines(
        self, wanted: ReviewFilter, *, after: str = "", limit: int = 50
    ) -> Page[PenaltyLine]:
        """Give lines, newest first. Raises `Refused` (bad_cursor)."""
        raise NotImplementedError

    async def missed_calls(
        self, wanted: MissedFilter, *, after: str = "", limit: int = 50
    ) -> Page[MissedCall]:
        """Give missed calls with their evidence, newest first. Raises `Refused` (bad_cursor)."""
        raise NotImplementedError

    async def line(self, line: str) -> PenaltyLine:
        """Find a line. Raises `Refused` (no_line)."""
        raise NotImplementedError

    async def incident(self, incident: str) -> Incident:
        """Find an incident, with all that is shown of it. Raises `Refused` (no_incident)."""
        raise NotImplementedError

    async def bundles(self, *, decided: bool = False) -> Sequence[Bundle]:
        """List bundles that wait for a decision, or those decided; newest first, at most 200."""
        raise NotImplementedError

    async def bundle(self, bundle: str) -> Bundle:
        """Find a bundle with its incidents. Raises `Refused` (no_bundle)."""
        raise NotImplementedError

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
        raise NotImplementedError

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

        The lines that are picked are approved. Raises `Refused`: no_bundle, own_case,
        already_decided, reason_missing, no_incident, no_right.
        """
        raise NotImplementedError

    async def undo(
        self, picks: Sequence[Pick], *, by: Person, reason: str = "", address: str = ""
    ) -> Done:
        """Take decisions back, before their notices go out: the lines are proposed again.

        Raises `Refused` when none can be: no_line, own_case, undo_over, line_changed, no_right.
        """
        raise NotImplementedError

    async def lift(self, pick: Pick, *, by: Person, reason: str, address: str = "") -> None:
        """Lift an exemption: the line is proposed and must be decided.

        Raises `Refused`: no_line, own_case, not_exempted, line_changed, reason_missing, no_right.
        """
        raise NotImplementedError

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
        address: str = "",
    ) -> str:
        """Propose a line by hand, by a rule whose trigger is manual; give its incident.

        Raises `Refused`: no_rule, no_person, reason_missing (no evidence), bad_amount, no_right.
        """
        raise NotImplementedError

    async def propose_line_fault(
        self, source: str, *, at: datetime, duty: DutySet, supervisor: str | None, note: str
    ) -> str:
        """Propose what an undetected line fault costs those on duty (PEN-02); give its incident.

        `source` names what is charged, once for ever: the skipped test, or the fault.
        """
        raise NotImplementedError

    async def appeal(self, pick: Pick, *, by: Person, text: str, address: str = "") -> str:
        """Object to one's own line, within the window; give the appeal.

        Raises `Refused`: no_line, not_yours, not_appealable, appeal_over, appealed_already,
        line_changed, reason_missing.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    async def reverse(self, pick: Pick, *, by: Person, reason: str, address: str = "") -> str:
        """Give back a settled line by a counter-entry in a later month; give its bonus line.

        Raises `Refused`: no_line, own_case, not_settled, line_changed, reason_missing, no_right.
        """
        raise NotImplementedError

    async def mark_seen(self, person: str, lines: Collection[str]) -> None:
        """Note that somebody saw these lines of his; the first time stands."""
        raise NotImplementedError

    async def add_bonus(
        self,
        person: str,
        month: date,
        *,
        what: str,
        amount: Decimal,
        by: Person,
        note: str = "",
        address: str = "",
    ) -> str:
        """Enter a bonus line by hand; a negative amount corrects one. Give its id.

        Raises `Refused`: no_person, bad_amount, bad_text, statement_fixed, no_right.
        """
        raise NotImplementedError

    async def import_bonus(
        self, rows: Sequence[Sequence[str]], *, by: Person, address: str = ""
    ) -> int:
        """Enter bonus lines from a table with the heading number, month, what, amount, note.

        All or none; the same row again (number, month, what) is refused. Give how many.
        Raises `Refused`: bonus_table (with `line` and `why`), statement_fixed, no_right.
        """
        raise NotImplementedError

    async def statement(self, person: str, month: date) -> Statement:
        """Give the statement of a person and month as it stands. Raises `Refused` (no_person)."""
        raise NotImplementedError

    async def statements(self, month: date) -> Sequence[Statement]:
        """Give the statements of everybody who has entries in a month, by person's number."""
        raise NotImplementedError

    async def publish(self, month: date, *, by: Person, address: str = "") -> int:
        """Publish all open statements of a month that is over; give how many.

        Raises `Refused`: month_open, no_right.
        """
        raise NotImplementedError

    async def finalise(self, month: date, *, by: Person, address: str = "") -> int:
        """Make all published statements of a month final: their lines are settled.

        Raises `Refused`: no_right.
        """
        raise NotImplementedError

    async def export(self, month: date, *, by: Person, address: str = "") -> Sequence[Statement]:
        """Give the final statements of a month for the pay office, and note that they left.

        Raises `Refused`: not_final (some statement is not), no_right.
        """
        raise NotImplementedError

    async def reviewed(self, since: datetime, until: datetime) -> Sequence[Reviewed]:
        """Count the decisions of each reviewer in a time."""
        raise NotImplementedError

    async def audit(
        self, *, about: str = "", who: str = "", after: str = "", limit: int = 100
    ) -> Page[AuditRow]:
        """Give rows of the audit log, newest first. Raises `Refused` (bad_cursor)."""
        raise NotImplementedError
