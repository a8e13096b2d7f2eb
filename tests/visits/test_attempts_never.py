"""No history leads to an attempt in rest, over a cap, or on who does not want it (V6 to V8)."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from cti.calendar import Calendar, Span
from cti.house import CallTimes, House, HouseCard
from cti.house_visits import PURPOSES, VisitRules
from cti.visits.record import FREE_OF_CAPS, Outcome, Wishes
from tests.kit.owed import Told, visit
from tests.visits.test_times import NIGHTS

ZONES = ("Asia/Shanghai", *NIGHTS)
FREE_TIMES: tuple[tuple[Span, ...], ...] = (
    ((time(9), time(12)), (time(14), time(21))),
    ((time(0, 30), time(3, 30)), (time(20), time(23, 30))),
    ((time(10), time(18)),),
)
LIKES: tuple[tuple[Span, ...], ...] = ((), ((time(10), time(11, 30)),), ((time(17), time(2)),))
OUTCOMES = (
    *(4 * [Outcome.NO_ANSWER, Outcome.BUSY, Outcome.SOLUTION_REFUSED, Outcome.APPOINTMENT]),
    *Outcome,
)
AGENTS = ("may", "bo", "chen")
FREE_GAP = {Outcome.BUSY, Outcome.FAILED, Outcome.AGENT_NO_SHOW, Outcome.NOT_DIALLED}

houses = st.builds(
    House,
    card=st.builds(HouseCard, timezone=st.sampled_from(ZONES)),
    call_times=st.builds(
        CallTimes,
        windows=st.sampled_from(FREE_TIMES),
        holiday_mode=st.sampled_from(["afternoon_only", "closed", "normal"]),
    ),
    visits=st.builds(
        VisitRules,
        max_attempts=st.integers(1, 6),
        per_customer_day=st.integers(1, 3),
        marketing_per_week=st.integers(1, 3),
        same_day_retry=st.booleans(),
    ),
    calendar=st.just(Calendar(holidays={date(2026, 3, 30): "One", date(2026, 10, 26): "Two"})),
)
wishes = st.builds(
    Wishes,
    zone=st.sampled_from(("", *ZONES)),
    hours=st.sampled_from(LIKES),
    merchant=st.booleans(),
    do_not_call=st.sampled_from([False] * 9 + [True]),
    no=st.sampled_from([frozenset()] * 6 + [frozenset({one}) for one in PURPOSES]),
    yes=st.sampled_from([frozenset(), frozenset({"marketing"}), frozenset(PURPOSES)]),
)
deeds = st.lists(
    st.tuples(
        st.sampled_from(OUTCOMES),
        st.sampled_from(AGENTS),
        st.integers(0, 1),  # which of his two visits
        st.sampled_from([0, 0, 1, 7, 55, 180, 700]),  # minutes after it might be tried
        st.sampled_from([None, None, 45, 300, 1500]),  # minutes until the time that he names
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=300, deadline=None)
@given(houses, wishes, st.sampled_from(PURPOSES), deeds, st.sampled_from(list(NIGHTS)), st.data())
def test_no_history_leads_to_an_attempt_that_must_not_be(
    house: House,
    wishes: Wishes,
    purpose: str,
    deeds: list[tuple[Outcome, str, int, int, int | None]],
    night: str,
    data: st.DataObject,
) -> None:
    change = datetime.fromisoformat(data.draw(st.sampled_from(NIGHTS[night])))
    start = change.replace(tzinfo=UTC) - timedelta(hours=data.draw(st.integers(0, 60)))
    owed = visit(
        purpose=purpose,
        from_at=start,
        next_at=start,
        due_at=start + timedelta(days=data.draw(st.integers(0, 4))),
        give_up_at=start + timedelta(days=9),
    )
    both = [Told(house, owed, wishes), Told(house, replace(owed, id="v2"), wishes)]
    both[1].tries, now = both[0].tries, start

    for outcome, agent, which, later, named in deeds:
        told = both[which]
        if told.over:
            continue
        now = max(now, told.visit.next_at) + timedelta(minutes=later)
        said = told.asked(now, agent)
        if said in ("window", "appointment"):
            _check(told, now, agent, said)
            told.tried(now, outcome, agent, appointment=_named(outcome, now, named))
        elif said == "not_yet":
            assert told.visit.appointment_at is not None


def _named(outcome: Outcome, at: datetime, named: int | None) -> datetime | None:
    if named is None or outcome is not Outcome.APPOINTMENT:
        return None
    return at + timedelta(minutes=named)


def _check(told: Told, at: datetime, agent: str, said: str) -> None:
    """Check by hand what the rules forbid."""
    rules, wishes, visit = told.house.visits, told.wishes, told.visit
    wall = at.astimezone(ZoneInfo(wishes.zone or told.house.card.timezone))
    used = [one for one in told.tries if one.outcome not in FREE_OF_CAPS]
    own = [one for one in told.tries if one.visit == visit.id]

    assert not wishes.do_not_call
    assert visit.purpose not in wishes.no
    assert visit.purpose != "marketing" or "marketing" in wishes.yes
    assert sum(one in own for one in used) < rules.max_attempts
    refused = [one for one in own if one.outcome is Outcome.SOLUTION_REFUSED]
    if refused:
        assert refused[-1].agent != agent
        assert refused[-1].daypart != _part(told, wall)
    if said == "appointment":
        assert visit.appointment_at is not None
        assert abs(at - visit.appointment_at) <= rules.appointment_tolerance
        return
    days = [one.began_at.astimezone(wall.tzinfo).date() for one in used]
    assert days.count(wall.date()) < rules.per_customer_day
    assert all(
        at - one.began_at >= rules.min_gap for one in told.tries if one.outcome not in FREE_GAP
    )
    if visit.purpose == "marketing":
        weeks = [day.isocalendar()[:2] for day in days]
        assert weeks.count(wall.date().isocalendar()[:2]) < rules.marketing_per_week
    _check_awake(told, wall)


def _check_awake(told: Told, wall: datetime) -> None:
    house, wishes, now = told.house, told.wishes, wall.time()
    assert any(start <= now < end for start, end in house.call_times.windows)
    if house.calendar.is_holiday(wall.date()):
        mode, care = house.call_times.holiday_mode, told.visit.purpose == "care"
        assert mode != "closed"
        assert mode == "normal" or care or now >= time(12)
    if wishes.hours:
        assert any(
            start <= now < end if start < end else (now >= start or now < end)
            for start, end in wishes.hours
        )
    if wishes.merchant:
        assert not time(11) <= now < time(13, 30)
        assert not time(17) <= now < time(20)


def _part(told: Told, wall: datetime) -> str:
    kind = "weekday" if told.house.calendar.is_working_day(wall.date()) else "weekend"
    for name, (start, end) in told.house.visits.dayparts.items():
        if start <= wall.time() < end:
            return f"{kind}:{name}"
    return ""
