"""What a good house file says about fines, shifts, line tests and calls becomes values."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from cti import house_file
from cti.house import (
    Amounts,
    CallTimes,
    CustomerRules,
    DialingRules,
    DueTest,
    House,
    InboundRules,
    LineTestRules,
    PenaltyRule,
    PenaltyRules,
    RecordingRules,
    ShiftRules,
    ShiftType,
    WorkingDays,
)
from cti.house import TestedLine as LineUnderTest

CARD = '[house]\nid = "may"\ntimezone = "Asia/Taipei"\n'
LITERAL = """
[ring]
short_abandon_ms = 0
[penalties.missed_call]
exempt = []
merge_repeat = "0s"
recovered_within = "0s"
supervisor_line = [
  "rang_out", "abandoned_ringing", "rejected", "not_offered", "no_one_rostered", "all_busy",
]
"""


def read(more: str = "", card: str = CARD) -> House:
    """Read a house file of which only a part matters."""
    return house_file.parse((card + more).encode(), now=datetime(2025, 3, 7, 4, tzinfo=UTC))


def test_a_file_that_says_nothing_has_the_reference_rules() -> None:
    house = read()

    assert (house.inbound, house.penalties) == (InboundRules(), PenaltyRules())
    assert (house.line_test, house.shifts) == (LineTestRules(), ShiftRules())
    assert (house.call_times, house.dialing) == (CallTimes(), DialingRules())


def test_who_is_recorded_can_be_written() -> None:
    house = read(
        '[recordings]\nrequired = false\ndirections = ["inbound"]\nmissing_after = "10m"\n'
        'retention = "52w"\nmin_free_gb = 50\n'
    )

    rules = RecordingRules(
        required=False,
        directions=("inbound",),
        missing_after=timedelta(minutes=10),
        retention=timedelta(weeks=52),
        min_free_gb=50,
    )
    assert rules == house.recordings
    assert RecordingRules() == read().recordings


def test_the_literal_rule_can_be_written() -> None:
    house = read(LITERAL)

    rules = house.penalties.missed_call
    assert house.ring.short_abandon == rules.merge_repeat == rules.recovered_within == timedelta()
    assert rules.exempt == ()
    assert "all_busy" in rules.supervisor_line


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("24h", timedelta(hours=24)),
        ("1d", timedelta(days=1)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_has_its_unit(said: str, expected: timedelta) -> None:
    assert read(f'[inbound]\nmissed_call_callback = "{said}"\n').inbound.missed_call_callback == (
        expected
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [("5wd", WorkingDays(days=5)), ("2w", timedelta(weeks=2)), ("36h", timedelta(hours=36))],
)
def test_a_term_may_be_in_working_days(said: str, expected: object) -> None:
    assert read(f'[penalties]\nappeal_window = "{said}"\n').penalties.appeal_window == expected


def test_a_rule_is_laid_over_the_one_of_the_same_id() -> None:
    rules = read(
        "[penalties]\n"
        'disable = ["media_exposure"]\n'
        'rules = [{ id = "exam_fail", agent = "40.00" }, '
        '{ id = "late", trigger = "manual", agent = "5.00" }]\n'
    ).penalties.rules

    before = PenaltyRules().rules
    assert list(rules) == [*(one for one in before if one != "media_exposure"), "late"]
    assert rules["exam_fail"].amounts == Amounts(agent=Decimal("40.00"))
    assert rules["exam_fail"].consecutive_agent == Decimal("80.00")
    assert rules["late"] == PenaltyRule(
        id="late", trigger="manual", amounts=Amounts(agent=Decimal("5.00"))
    )


def test_dated_amounts_hold_from_their_first_to_their_last_day() -> None:
    rules = read(
        "[penalties.missed_call]\n"
        "dated = [{ since = 2025-02-01, until = 2025-04-30, agent = '20.00' }]\n"
    ).penalties.missed_call

    days = (date(2025, 1, 31), date(2025, 2, 1), date(2025, 4, 30), date(2025, 5, 1))
    assert ["10.00", "20.00", "20.00", "10.00"] == [
        str(rules.amounts_on(day).agent) for day in days
    ]
    assert rules.amounts_on(days[1]).supervisor == Decimal("50.00")


def test_shifts_are_laid_over_the_reference_and_dropped() -> None:
    shifts = read(
        '[shifts]\ndisable = ["middle"]\ncleaning = { daily = "night", weekly = "" }\n'
        'types = [{ id = "night", time = ["22:00", "06:00"] }, { id = "late", '
        'relieved_by = "night" }]\n'
        '[line_test]\ntests = [{ shift = "night", by = "23:30" }]\n'
    )

    assert shifts.shifts.types == {
        "early": ShiftType(id="early", start=time(8, 15), end=time(17, 15), relieved_by="late"),
        "late": ShiftType(id="late", start=time(13), end=time(22), relieved_by="night"),
        "night": ShiftType(id="night", start=time(22), end=time(6)),
    }
    assert (shifts.shifts.cleaning_daily, shifts.shifts.cleaning_weekly) == ("night", "")
    assert shifts.line_test.tests == (DueTest(shift="night", by=time(23, 30)),)


def test_lines_contacts_and_departments_are_read() -> None:
    house = read(
        '[inbound]\ndepartments = { 4000 = "Sales", support = "客服部" }\n'
        '[line_test]\ncontacts = [{ role = "exchange_room", number = "021 6123" }]\n'
        'lines = [{ trunk = "", dial = "" }, '
        '{ trunk = "PJSIP/a", dial = "0216", arrives_at = "6123" }]\n'
    )

    assert house.inbound.departments == {"4000": "Sales", "support": "客服部"}
    assert house.line_test.contacts == {"exchange_room": "021 6123", "telephone_manager": ""}
    assert house.line_test.lines == (
        LineUnderTest(trunk="PJSIP/a", dial="0216", arrives_at="6123"),
    )


def test_calls_out_are_read() -> None:
    house = read(
        '[visits]\nwindows = [["15:00", "24:00"], ["10:00", "12:00"]]\nholiday_mode = "closed"\n'
        '[dialing]\ntrunks = ["PJSIP/b", "PJSIP/a"]\ncaller_id = "+862161234567"\n'
        'prefixes = ["021"]\nbreaker = { failed_in_a_row = 3, pause = "5m" }\n'
    )

    assert house.call_times.windows == ((time(10), time(12)), (time(15), time(0)))
    assert house.call_times.holiday_mode == "closed"
    assert house.dialing == DialingRules(
        trunks=("PJSIP/b", "PJSIP/a"),
        caller_id="+862161234567",
        prefixes=("021",),
        breaker_failed=3,
        breaker_pause=timedelta(minutes=5),
    )


def warned(more: str = "", card: str = CARD) -> list[str]:
    """Say what a good file is warned of: key, code and facts."""
    return [
        f"{one.key} {one.code} {' '.join(map(str, one.facts.values()))}".strip()
        for one in read(more, card).warnings
    ]


NONE = '[penalties]\nsettlement = "none"\n'


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("CN-GD", "penalties.settlement money_forbidden CN-GD"),
        ("TW", "penalties.settlement money_forbidden TW"),
        ("HK", "penalties.settlement money_forbidden HK"),
        ("CN", "penalties.settlement money_doubted CN"),
        ("CN-SH", "penalties.settlement money_doubted CN-SH"),
    ],
)
def test_fines_in_money_are_warned_of_where_the_law_forbids_or_doubts_them(
    place: str, expected: str
) -> None:
    card = f"{CARD}jurisdiction = '{place}'\n"

    assert warned(card=card) == [expected]
    assert warned('[penalties]\nsettlement = "points"\n', card) == []


def test_where_no_law_is_named_nothing_is_warned_of() -> None:
    assert warned(card=f"{CARD}jurisdiction = ''\n") == []


def test_a_gap_between_dated_amounts_is_warned_of() -> None:
    gap = (
        f"{NONE}[penalties.missed_call]\n"
        "dated = [{ since = 2025-06-01 }, { since = 2025-02-01, until = 2025-04-30 }]\n"
    )
    none = (
        f"{NONE}rules = [{{ id = 'exam_fail', "
        "dated = [{ until = 2025-04-30 }, { since = 2025-05-01 }] }]\n"
    )

    assert warned(gap) == ["penalties.missed_call.dated gap 2025-05-01 2025-05-31"]
    assert warned(none) == []


def test_opening_hours_without_a_shift_are_warned_of_with_their_days() -> None:
    hours = '[hours]\ndefault = [["08:00", "22:00"]]\nsat = [["20:00", "02:00"]]\nsun = []\n'

    assert warned(NONE + hours) == [
        "shifts.types uncovered 08:00 08:15 ('mon', 'tue', 'wed', 'thu', 'fri')",
        "shifts.types uncovered 22:00 02:00 ('sat',)",
    ]


def test_a_night_shift_covers_the_morning_too() -> None:
    night = '[shifts]\ntypes = [{ id = "night", time = ["22:00", "08:15"] }]\n'

    hours = '[hours]\ndefault = [["00:00", "24:00"]]\nsat = [["20:00", "02:00"]]\nsun = []\n'

    assert warned(NONE + hours + night) == []


def test_a_call_that_rings_too_seldom_is_warned_of() -> None:
    assert warned(f'{NONE}[ring]\ncycle_ms = "us"\n[dialing]\nring_for = "20s"\n') == [
        "dialing.ring_for few_rings 3 6 4"
    ]


def test_rules_that_are_still_to_come_are_warned_of_in_the_house_s_own_day() -> None:
    tomorrow = "effective_from = 2025-03-08\n" + CARD

    late = house_file.parse((tomorrow + NONE).encode(), now=datetime(2025, 3, 7, 16, tzinfo=UTC))
    early = house_file.parse((tomorrow + NONE).encode(), now=datetime(2025, 3, 7, 15, tzinfo=UTC))

    assert [one.code for one in late.warnings] == []
    assert [one.code for one in early.warnings] == ["waits"]


def test_a_house_names_its_tiers_and_what_is_to_be_minded() -> None:
    house = read(
        '[customers]\ncare_flags = ["hearing", "輪椅"]\nmask_numbers = false\n'
        'disable = ["normal"]\ntiers = [{ id = "gold", name = "金鑽", en = "Diamond" }, '
        '{ id = "silver", name = "銀卡" }]\n'
    )

    rules = house.customers
    assert ["gold", "vip", "silver"] == list(rules.tiers)
    assert {"en": "Diamond", "zh-Hant": "金鑽", "zh-Hans": "金鑽"} == rules.tiers["gold"].labels
    assert ["gold", "silver"] == list(rules.own_names)
    assert ("hearing", "輪椅") == rules.care_flags
    assert not rules.mask_numbers
    assert CustomerRules() == read().customers
