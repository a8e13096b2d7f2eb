"""What the rules say in words, in each language."""

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from cti import house_file
from cti.house import House
from cti.policy.told import Told, caution_facts, tell
from cti.web.words import LOCALES, Locale, Words

HOUSES = sorted((Path(__file__).parents[2] / "config" / "houses").glob("*.toml"))
CARD = '[house]\nid = "may"\ntimezone = "Asia/Shanghai"\n'
NOW = datetime(2025, 3, 7, 4, tzinfo=UTC)
WORDS = Words()
WHO = "agents; 100 % are to be covered"


def read(more: str = "") -> House:
    """Read a house file of which only a part matters."""
    return house_file.parse((CARD + more).encode(), now=NOW)


def told(house: House, part: str, locale: Locale = "en") -> Told:
    """Give one part of what a house's rules say."""
    say, word = partial(WORDS.say, locale), partial(WORDS.name, locale)
    return {one.id: one for one in tell(house, date(2025, 3, 7), say, word, locale)}[part]


def test_the_reference_says_what_a_missed_call_costs_whom() -> None:
    lines = told(read(), "missed").lines

    assert lines[0] == (
        "A missed call costs everybody on duty 10.00\u00a0CNY, "
        "and the supervisor on duty 50.00\u00a0CNY."
    )
    assert "A caller who tries again within 2 minutes belongs to the same incident." in lines
    assert any(line.startswith("Exempt is who,") and "wrap-up" in line for line in lines)


def test_the_same_in_chinese() -> None:
    house = read()

    assert told(house, "missed", "zh-Hans").lines[0] == (
        "每漏接一个电话，当班人员每人扣 10.00\u00a0CNY，当班主管扣 50.00\u00a0CNY。"
    )
    assert told(house, "missed", "zh-Hant").lines[0] == (
        "每漏接一個電話，當班人員每人扣 10.00\u00a0CNY，當班主管扣 50.00\u00a0CNY。"
    )


def test_the_literal_rule_says_that_nobody_is_exempt() -> None:
    house = read('[penalties.missed_call]\nexempt = []\nmerge_repeat = "0s"\n')

    lines = told(house, "missed").lines

    assert "Nobody is exempt." in lines
    assert "Each missed call is an incident of its own." in lines


def test_points_and_dated_amounts_are_told() -> None:
    house = read(
        '[penalties]\nsettlement = "points"\n[penalties.missed_call]\nscope = "first_rung"\n'
        "dated = [{ since = 2025-04-01, agent = '20.00' }]\n"
    )

    lines = told(house, "missed").lines

    assert lines[:2] == [
        "A missed call costs the one whose phone rang first 10.00\u00a0points, "
        "and the supervisor on duty 50.00\u00a0points.",
        "From 2025-04-01 on: agent 20.00\u00a0points, supervisor 50.00\u00a0points.",
    ]


def test_a_house_that_fines_nobody_says_so_and_names_no_amount() -> None:
    house = read('[penalties]\nsettlement = "none"\n')
    say, word = partial(WORDS.say, "en"), partial(WORDS.name, "en")

    parts = tell(house, date(2025, 3, 7), say, word, "en")

    assert "fines" not in [part.id for part in parts]
    assert not any("CNY" in line for part in parts for line in part.lines)


def test_terms_are_told_in_their_own_units() -> None:
    house = read('[penalties]\nreview_due = "36h"\nlapse_after = "2w"\nnotice_after = "90s"\n')

    lines = told(house, "review").lines

    assert "What nobody has decided after 36 hours goes to the next level." in lines
    assert "What nobody has decided after 14 days lapses: nothing is approved by itself." in lines
    assert "A decision can be taken back for 90 seconds; then the notice goes out." in lines
    assert any("within 3 working days after the notice" in line for line in lines)


def test_hours_holidays_and_worked_weekends_are_told() -> None:
    house = read('[hours]\ndefault = [["09:00", "24:00"]]\nsun = []\n')

    hours = told(house, "hours")

    assert hours.rows[0] == ("Monday", "09:00–24:00")
    assert hours.rows[6] == ("Sunday", "closed")
    assert hours.lines[0].startswith("Coming holidays: 2025-04-04 清明节, 2025-05-01 劳动节")
    assert hours.lines[1].startswith("Weekend days that are worked: 2025-04-27")


def test_shifts_swaps_and_tests_are_told() -> None:
    house = read()

    assert told(house, "shifts").rows[0] == ("Early", "08:15–17:15", "Late")
    assert told(house, "line_test").rows == [("Early", "10:00"), ("Middle", "15:00")]
    assert told(house, "swaps").lines[0].startswith("Each person may swap 3 times a month")
    assert told(house, "fines").rows[9][4] == "2 months running: 80.00\u00a0CNY instead."


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("path", HOUSES, ids=lambda path: path.stem)
def test_every_house_can_be_told_in_every_language(path: Path, locale: Locale) -> None:
    house = house_file.read(path, NOW)
    say, word = partial(WORDS.say, locale), partial(WORDS.name, locale)

    parts = tell(house, date(2025, 3, 7), say, word, locale)

    cells = [cell for part in parts for row in part.rows for cell in row]
    texts = [part.heading for part in parts] + [line for part in parts for line in part.lines]
    assert len(texts) > 30
    assert not [text for text in [*texts, *cells] if "policy." in text or "{" in text]
    assert not [part for part in parts for row in part.rows if len(row) != len(part.columns)]


def test_a_caution_names_its_weekdays() -> None:
    (caution, *_) = [
        one
        for one in read('[hours]\nsun = [["06:00", "08:15"]]\n').warnings
        if one.code == "uncovered"
    ]

    facts = caution_facts(caution, partial(WORDS.say, "en"), partial(WORDS.name, "en"))

    assert facts == {"start": "06:00", "end": "08:15", "days": "Sunday"}


def test_the_visits_that_are_owed_are_told() -> None:
    house = house_file.read(next(path for path in HOUSES if path.stem == "studio"), NOW)

    part = told(house, "visits")

    assert part.rows[-3:] == [
        ("after viewing (service)", "10 days after: viewing", "the same day", "phone", WHO),
        ("after collection (service)", "5 days after: collection", "the same day", "phone", WHO),
        (
            "wedding day (care)",
            "on the day: wedding",
            "the same day",
            "phone, text message",
            WHO,
        ),
    ]
    assert "A reminder for shop assistant: 5 days before: session." in part.lines
    assert "One agent carries all visits of one customer." in part.lines
    assert told(house, "visits", "zh-Hans").rows[-2][:2] == ("取件后沟通（服务）", "取件后第 5 天")


def test_visits_that_return_are_told_with_whom_they_concern() -> None:
    def begins(name: str) -> str:
        house = house_file.read(next(path for path in HOUSES if path.stem == name), NOW)
        return told(house, "visits").rows[-1][1]

    assert begins("property") == "every 6 months: households of each area"
    assert begins("dealer") == "every 365 days: customers without a service for 365 days"
    assert begins("retail") == (
        "on the 1st and the 16th: the 3 customers who spent most in each department, "
        "and customers of the tier key customer"
    )


def test_attempts_records_and_the_quota_are_told() -> None:
    tries, record = told(read(), "visit_tries").lines, told(read(), "visit_record").lines

    assert tries[0] == "The agent reads the brief and presses to dial."
    assert (
        "A solution that is refused is explained again by another agent in another part of the "
        "day after 4 hours at the earliest, 2 times at most."
    ) in tries
    assert record[-1] == (
        "Each agent owes 20 effective visits of old members a week, 80 a month; they are counted "
        "on day 1."
    )
    assert told(read(), "visit_record", "zh-Hant").lines[0] == (
        "記錄須填寫完整：滿意度、意見與建議、結果。"
    )


def test_ringing_customers_first_is_told_with_what_is_done_about_those_who_meet_nobody() -> None:
    first = read('[visits]\nmode = "customer_first"\nabandoned = { cap = 0.025, window = "2w" }\n')

    assert told(first, "visit_tries").lines[:2] == [
        "The agent reads the brief; after 20 seconds the customer's phone rings first, then the "
        "agent's.",
        "A customer who picks up and meets nobody within 2 seconds is abandoned, and is not called "
        "again for 3 days. At 2.5% of all who answered within 14 days calls are made as in "
        "preview, until it is less again.",
    ]
    assert told(first, "visit_tries", "zh-Hans").lines[0] == (
        "客服专员先看资料，20 秒后先响客户的电话，再响专员的电话。"
    )


def test_what_is_recorded_and_who_hears_it_is_told() -> None:
    house = read(
        '[recordings]\nretention_purposes = { voicemail = "90d" }\n'
        'pause_by = ["agent"]\npause_longest = "2m"\nopus = true\n'
    )

    assert told(house, "recordings").lines == [
        "These calls are recorded: incoming calls, outgoing calls. "
        "One without a recording is reported.",
        "A recording is kept for 365 days.",
        "Kept otherwise: voicemail, for 90 days.",
        "The caller is told that he is recorded; when he refuses, the agent notes it and nothing "
        "more is recorded.",
        "Agents may hear the recordings of their own calls.",
        "As a file they may be taken away by: manager, owner.",
        "A live recording may be paused by: agent, for 2 minutes at most.",
        "Recordings are made smaller for storage; what the telephone system wrote is kept for "
        "another 30 days.",
    ]


def test_a_house_that_records_nothing_says_so() -> None:
    house = read("[recordings]\nrequired = false\nannounce = false\nagents_listen = false\n")

    assert "No call has to be recorded." == told(house, "recordings", "en").lines[0]
    assert "客服专员不可收听录音。" in told(house, "recordings", "zh-Hans").lines


def test_tiers_and_masking_are_told() -> None:
    house = read(
        '[customers]\ncare_flags = ["hearing"]\nmask_numbers = false\n'
        'tiers = [{ id = "gold", name = "金鑽" }]\n'
    )

    assert told(house, "customers", "zh-Hant").lines == [
        "客戶等級：金鑽、VIP、普通。",
        "對客戶須留意：聽力不佳。",
        "客戶號碼完整顯示。",
    ]
    assert told(read(), "customers").lines[2].startswith("The middle of customers' numbers")
