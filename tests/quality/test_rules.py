"""Chance alone draws, the form alone scores, and nobody decides about himself."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.errors import Refused
from cti.house import QUALITY_ITEMS, QualityRules
from cti.people.rules import Person, Role
from cti.quality import rules
from cti.quality.record import Answer, Mark, Sample, State, Verdict
from tests.kit.web import BO, LIN, MAY, OU

MEI = Person(id="p-mei", number="5003", name="Mei", role=Role.SUPERVISOR)
NOON = datetime(2026, 11, 27, 4, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
MARKS = st.sampled_from(Mark)


def answer(mark: Mark, weight: int = 10) -> Answer:
    """Answer some question."""
    return Answer(item="x", weight=weight, labels={}, mark=mark)


def sample(state: State = State.WAITING, person: str = MAY.id, by: str = LIN.id) -> Sample:
    """A call that was drawn, and scored if its state says so."""
    return Sample(
        id="s-1",
        person=person,
        week=date(2026, 11, 16),
        recording="r-1",
        call="call-1",
        drawn_at=NOON,
        state=state,
        scored_by="" if state is State.WAITING else by,
        scored_at=None if state is State.WAITING else NOON,
    )


def code_of(check: object, *given: object) -> str:
    """Give the code with which something is refused, or nothing."""
    try:
        check(*given)  # type: ignore[operator]
    except Refused as refusal:
        return refusal.code
    return ""


@given(st.lists(st.text(min_size=1), unique=True), st.integers(0, 9), st.text())
def test_the_same_seed_draws_the_same_from_the_same(pool: list[str], many: int, seed: str) -> None:
    found = rules.drawn(pool, many, seed)

    assert rules.drawn(list(reversed(pool)), many, seed) == found
    assert min(many, len(pool)) == len(set(found))
    assert set(found) <= set(pool)


def test_every_recording_is_drawn_about_as_often() -> None:
    pool = [f"r-{n}" for n in range(10)]
    times = dict.fromkeys(pool, 0)

    for seed in range(2000):
        for one in rules.drawn(pool, 3, str(seed)):
            times[one] += 1

    assert all(500 < n < 700 for n in times.values())  # 600 each, give or take five deviations


@pytest.mark.parametrize(
    ("answers", "points"),
    [
        ([answer(Mark.YES)], "100.0"),
        ([answer(Mark.NO)], "0.0"),
        ([answer(Mark.YES, 10), answer(Mark.PARTLY, 10)], "75.0"),
        ([answer(Mark.YES, 10), answer(Mark.NO, 5)], "66.7"),
        ([answer(Mark.YES, 10), answer(Mark.NONE, 90)], "100.0"),
        ([answer(Mark.PARTLY, 1), answer(Mark.NO, 7)], "6.3"),
    ],
)
def test_a_score_is_weighted_and_what_did_not_come_up_does_not_count(
    answers: list[Answer], points: str
) -> None:
    assert Decimal(points) == rules.points(answers)


@given(st.lists(st.builds(answer, MARKS, st.integers(1, 100)), min_size=1))
def test_a_score_is_from_0_to_100(answers: list[Answer]) -> None:
    if all(one.mark is Mark.NONE for one in answers):
        assert "quality_empty" == code_of(rules.points, answers)
    else:
        assert 0 <= rules.points(answers) <= 100


def test_every_question_is_to_be_answered() -> None:
    form = dict.fromkeys(QUALITY_ITEMS, "yes")

    assert 9 == len(rules.asked_form(form, QualityRules()))
    for wrong in ({}, form | {"tone": "perhaps"}):
        assert "quality_mark" == code_of(rules.asked_form, wrong, QualityRules())


def test_the_weights_of_the_reference_are_of_a_hundred() -> None:
    assert 100 == sum(item.weight for item in QUALITY_ITEMS.values())


def test_a_week_is_drawn_an_hour_after_it_is_over_in_the_time_of_the_house() -> None:
    monday = datetime(2026, 11, 23, tzinfo=SHANGHAI)

    assert date(2026, 11, 9) == rules.weeks_over(monday + timedelta(minutes=59), SHANGHAI)[-1]
    assert [date(2026, 10, 26), date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16)] == (
        rules.weeks_over(monday + timedelta(hours=1), SHANGHAI)
    )
    assert (monday - timedelta(weeks=1), monday) == rules.span_of(date(2026, 11, 16), SHANGHAI)


@pytest.mark.parametrize(
    ("who", "whose", "code"),
    [
        (LIN, MAY, ""),
        (LIN, LIN, "quality_own"),
        (BO, MAY, "quality_right"),
        (OU, MAY, "quality_right"),
    ],
)
def test_who_looks_after_the_work_scores_and_nobody_himself(
    who: Person, whose: Person, code: str
) -> None:
    assert code == code_of(rules.check_scores, who, sample(person=whose.id))


@pytest.mark.parametrize("state", [State.SCORED, State.OBJECTED, State.DECIDED])
def test_a_call_is_scored_once(state: State) -> None:
    assert "sample_changed" == code_of(rules.check_scores, LIN, sample(state))


@pytest.mark.parametrize(
    ("who", "state", "code"),
    [
        (MEI, State.OBJECTED, ""),
        (LIN, State.OBJECTED, "quality_scorer"),
        (MAY, State.OBJECTED, "quality_right"),
        (MEI, State.SCORED, "sample_changed"),
        (MEI, State.DECIDED, "sample_changed"),
    ],
)
def test_somebody_else_decides_an_objection(who: Person, state: State, code: str) -> None:
    assert code == code_of(rules.check_decides, who, sample(state))


@pytest.mark.parametrize(
    ("who", "state", "days", "code"),
    [
        (MAY, State.SCORED, 7, ""),
        (MAY, State.SCORED, 8, "objection_over"),
        (MAY, State.OBJECTED, 1, "objection_over"),
        (MAY, State.DECIDED, 1, "objection_over"),
        (BO, State.SCORED, 1, "no_sample"),
    ],
)
def test_the_agent_objects_once_and_in_time(
    who: Person, state: State, days: int, code: str
) -> None:
    later = NOON + timedelta(days=days)

    assert code == code_of(rules.check_objects, who, sample(state), later, QualityRules())


def test_an_objection_that_changes_no_point_leaves_the_score() -> None:
    assert Verdict.UPHELD is rules.verdict(Decimal("70.0"), Decimal("70.0"))
    assert Verdict.CHANGED is rules.verdict(Decimal("70.0"), Decimal("70.5"))
