"""Which calls are scored, what is a score, and who may say what to it? Pure.

The draw needs no trust: the seed and all that might have been drawn are kept, and the same seed
draws the same calls again (QM-05). The seed is made by chance when the week is over.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from cti.errors import Refused
from cti.house import QualityRules
from cti.people.rules import Person, Right, checked_text
from cti.quality.record import Answer, Mark, Sample, State, Verdict

TEXT_LIMIT: Final = 2000
AFTER: Final = timedelta(hours=1)
"""So long after a week its last recordings are there."""
WEEKS: Final = 4
"""A week that was not drawn, as when nothing ran, is drawn so many weeks later still."""
WORTH: Final[Mapping[Mark, Decimal]] = {
    Mark.YES: Decimal(1),
    Mark.PARTLY: Decimal("0.5"),
    Mark.NO: Decimal(0),
}


def drawn(pool: Sequence[str], many: int, seed: str) -> tuple[str, ...]:
    """Draw some recordings, in an order that only the seed decides (QM-05)."""
    return tuple(sorted(set(pool), key=lambda one: _lot(seed, one))[:many])


def _lot(seed: str, one: str) -> str:
    return hashlib.sha256(f"{seed}:{one}".encode()).hexdigest()


def weeks_over(now: datetime, zone: ZoneInfo) -> list[date]:
    """Give the Mondays of the last weeks that are over and may be drawn, the oldest first."""
    today = (now - AFTER).astimezone(zone).date()
    this = today - timedelta(days=today.weekday())
    return [this - timedelta(weeks=n) for n in range(WEEKS, 0, -1)]


def span_of(week: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give the instants between which a week lies."""
    end = week + timedelta(weeks=1)
    return datetime.combine(week, time(), zone), datetime.combine(end, time(), zone)


def points(answers: Sequence[Answer]) -> Decimal:
    """Score a form: weighted, of 100, to one place; what did not come up does not count.

    Raises `Refused` (quality_empty) when nothing counts.
    """
    counted = [one for one in answers if one.mark is not Mark.NONE]
    whole = sum(one.weight for one in counted)
    if not whole:
        raise Refused("quality_empty", "answer at least one question")
    got = sum((one.weight * WORTH[one.mark] for one in counted), Decimal(0))
    return (100 * got / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)


def asked_form(given: Mapping[str, str], rules: QualityRules) -> tuple[Answer, ...]:
    """Read the house's form as it was filled in. Raises `Refused` (quality_mark)."""
    return tuple(
        Answer(item=one.id, weight=one.weight, labels=one.labels, mark=_mark(given.get(one.id)))
        for one in rules.items.values()
    )


def asked_again(given: Mapping[str, str], answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Read the form of a score as it is filled in once more. Raises `Refused` (quality_mark)."""
    return tuple(
        Answer(item=one.item, weight=one.weight, labels=one.labels, mark=_mark(given.get(one.item)))
        for one in answers
    )


def _mark(text: str | None) -> Mark:
    try:
        return Mark(text or "")
    except ValueError:
        raise Refused("quality_mark", "answer every question") from None


def check_scores(by: Person, sample: Sample) -> None:
    """Refuse who may not score: quality_right, quality_own, sample_changed."""
    _check_reviews(by, sample)
    if sample.state is not State.WAITING:
        raise Refused("sample_changed", "it has been scored meanwhile")


def check_decides(by: Person, sample: Sample) -> None:
    """Refuse who may not decide an objection: quality_right, quality_own, quality_scorer."""
    _check_reviews(by, sample)
    if sample.state is not State.OBJECTED:
        raise Refused("sample_changed", "there is no objection that is open")
    if by.id == sample.scored_by:
        raise Refused("quality_scorer", "somebody other than the scorer decides")


def _check_reviews(by: Person, sample: Sample) -> None:
    if not by.may(Right.REVIEW):
        raise Refused("quality_right", "supervisors, managers and owners score")
    if by.id == sample.person:
        raise Refused("quality_own", "nobody scores a call of his own")


def may_object(sample: Sample, now: datetime, rules: QualityRules) -> bool:
    """Tell whether the agent may still object: once, within the house's time."""
    if sample.state is not State.SCORED or sample.scored_at is None:
        return False
    return now <= sample.scored_at + rules.objection


def check_objects(by: Person, sample: Sample, now: datetime, rules: QualityRules) -> None:
    """Refuse who may not object: no_sample (not his), objection_over."""
    if by.id != sample.person:
        raise Refused("no_sample", "there is no such score")
    if not may_object(sample, now, rules):
        raise Refused("objection_over", "this score may no longer be objected to")


def said(text: str, least: int = 1) -> str:
    """Give a comment, reason or objection, cleaned. Raises `Refused` (bad_text)."""
    return checked_text("text", text, TEXT_LIMIT, least=least)


def verdict(before: Decimal | None, after: Decimal) -> Verdict:
    """Say what became of an objection."""
    return Verdict.UPHELD if before == after else Verdict.CHANGED
