"""Section `[visits]`, and the forms and scripts that its rules name."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cti import house_file, shipped
from cti.calendar import Period
from cti.errors import HouseError
from cti.house import House
from cti.house_visits import (
    RULES,
    AbandonRules,
    Node,
    Quota,
    Reminder,
    Retry,
    VisitRule,
    VisitRules,
)
from cti.results.forms import LOCALES, PLAIN

CARD = '[house]\nid = "may"\ntimezone = "Asia/Shanghai"\n'
NOW = datetime(2025, 3, 7, 4, tzinfo=UTC)
BOOKED = '{ id = "booked", event = "booking", class = "service", form = "own", script = "own/a" }'
FORM = 'en = "Own"\n[[fields]]\nid = "room"\ntype = "satisfaction"\nen = "Room?"\n'


def read(more: str = "") -> House:
    """Read a house file of which only a part matters."""
    return house_file.parse((CARD + more).encode(), now=NOW)


def with_texts(folder: Path, form: str = FORM, script: str = "# en\n## closing\nBye.\n") -> Path:
    """Write a house with a form and a script of its own beside it."""
    (folder / "forms").mkdir()
    (folder / "scripts" / "own").mkdir(parents=True)
    (folder / "forms" / "own.toml").write_text(form)
    (folder / "scripts" / "own" / "a.md").write_text(script)
    path = folder / "may.toml"
    path.write_text(f"{CARD}[visits]\nrules = [{BOOKED}]\n")
    return path


def findings(path: Path) -> list[str]:
    """Say what is wrong with a house file."""
    with pytest.raises(HouseError) as caught:
        house_file.read(path)
    return [finding.line() for finding in caught.value.findings]


def test_a_house_that_says_nothing_has_the_reference_rules() -> None:
    house = read()

    assert house.visits == VisitRules()
    assert set(house.forms) == {"complaint_visit", "satisfaction"}


def test_everything_can_be_said() -> None:
    visits = read(
        '[visits]\ndeadline = "1w"\ndeadline_edge = "exact"\nmember_coverage = 0.98\n'
        'dayparts = { early = ["09:00", "12:00"], late = ["14:00", "24:00"] }\n'
        'retry.busy = { after = "20m", same_daypart = 3 }\nretry.failed.per_day = 1\n'
        'retry.solution_refused = { other_agent = false, min_gap = "1d", max = 1 }\n'
        'quota = { per_week = 5, population = "members" }\nend_of_day = "17:30"\n'
        'merchant_quiet = []\nprogressive_after = "5s"\n'
        'abandoned = { within = "3s", cap = 0.01, window = "1d", rest = "48h" }\n'
        'reminders = [{ id = "gown", event = "session", offset = "-5d", to = "shop" }]\n'
        'nodes = [{ id = "news", trigger = "operator", class = "marketing" }]\n'
    ).visits

    assert (visits.deadline, visits.deadline_edge) == (7, "exact")
    assert visits.member_coverage == Decimal("0.98")
    assert visits.dayparts == {"early": (time(9), time(12)), "late": (time(14), time())}
    assert visits.retry == Retry(
        busy_after=timedelta(minutes=20),
        busy_same_daypart=3,
        failed_per_day=1,
        refused_other_agent=False,
        refused_min_gap=timedelta(days=1),
        refused_max=1,
    )
    assert visits.quota == Quota(per_week=5, population="members")
    assert (visits.end_of_day, visits.merchant_quiet) == (time(17, 30), ())
    assert visits.progressive_after == timedelta(seconds=5)
    assert visits.abandoned == AbandonRules(
        within=timedelta(seconds=3),
        cap=Decimal("0.01"),
        window=timedelta(days=1),
        rest=timedelta(hours=48),
    )
    assert visits.reminders == (Reminder(id="gown", event="session", offset=-5, to="shop"),)
    assert visits.nodes == (
        Node(id="news", trigger="operator", channels=("sms",), purpose="marketing"),
    )


def test_a_rule_is_laid_over_the_reference_of_its_id() -> None:
    rules = read(
        '[visits]\ndisable = ["after_service"]\nrules = ['
        '{ id = "birthday", channels = ["phone"] },'
        '{ id = "member_cycle", every = "6mo" },'
        '{ id = "after_complaint", every = "half_month", population = "clients" },'
        '{ id = "booked", event = "booking", offset = "1d", deadline = "0d", class = "care" }]\n'
    ).visits.rules

    assert list(rules) == ["after_complaint", "member_cycle", "birthday", "booked"]
    assert rules["birthday"].channels == ("phone",)
    assert (rules["birthday"].at, rules["birthday"].deadline) == (time(10), 0)
    assert rules["member_cycle"].every == Period(months=6)
    assert rules["member_cycle"].population == "members"
    assert (rules["after_complaint"].event, rules["after_complaint"].every) == (
        "",
        Period(half_months=1),
    )
    assert rules["booked"] == VisitRule(
        id="booked", purpose="care", event="booking", offset=1, deadline=0
    )


def test_what_a_rule_does_not_say_the_defaults_say() -> None:
    rules = read(
        '[visits]\nrule_defaults = { script = "general/visit", by = "supervisor", gift = true }\n'
        'rules = [{ id = "booked", event = "booking", class = "care", by = "" }]\n'
    ).visits.rules

    booked = rules["booked"]
    assert (booked.script, booked.by, booked.gift) == ("general/visit", "", True)
    assert rules["birthday"] == RULES["birthday"]


def test_forms_and_scripts_stand_beside_the_house_file(tmp_path: Path) -> None:
    house = house_file.read(with_texts(tmp_path))

    assert [one.id for one in house.form("own").fields] == [
        "room",
        "satisfaction",
        "opinion",
        "result",
    ]
    script = house.script("own/a")
    assert script is not None
    assert [part.text for part in script.told("zh-Hans", {})] == ["Bye."]
    assert house.form("") == PLAIN.asking(("satisfaction", "opinion", "result"))


def test_another_word_in_a_form_is_another_version_of_the_rules(tmp_path: Path) -> None:
    path = with_texts(tmp_path)
    before = house_file.load(path)

    (tmp_path / "forms" / "own.toml").write_text(FORM.replace("Room?", "The room?"))

    after = house_file.load(path)
    assert before.version != after.version
    assert house_file.understood(before).form("own").fields[0].labels["en"] == "Room?"


def test_what_is_wrong_with_a_form_is_told_with_file_and_key(tmp_path: Path) -> None:
    form = (
        'en = "Own"\ncolour = 1\n[[fields]]\nid = "room"\ntype = "stars"\n'
        '[[fields]]\nid = "size"\ntype = "choice"\nen = "?"\nchoices = [{ id = "s", en = "s" }]\n'
        '[[fields]]\nid = "day"\ntype = "text"\nen = "Day?"\nevent = "session"\n'
        '[[fields]]\nid = "who"\ntype = "text"\nen = "Who?"\nstaff = "stylist"\n'
        '[[fields]]\nid = "satisfaction"\nstaff = "Big boss"\n'
    )

    told = findings(with_texts(tmp_path, form, "# en\n## bye\nBye\n"))

    assert told == [
        "forms/own.toml: fields[1].type: must be one of satisfaction, choice, choices, text, "
        'number, date, flag, seating, not "stars"',
        "forms/own.toml: fields[1].en: is required",
        "forms/own.toml: fields[2].choices: must have 2 to 50 choices",
        "forms/own.toml: fields[3].event: only a field of the type date names the day of an event",
        "forms/own.toml: fields[4].staff: only a question of the type satisfaction is about a "
        "person",
        "forms/own.toml: fields[5].staff: must be 1 to 32 of a-z 0-9 _, a letter first, "
        'not "Big boss"',
        "forms/own.toml: colour: no such key",
        'scripts/own/a.md: line 2: "bye" is no step',
    ]


@pytest.mark.parametrize(
    ("said", "days", "after"),
    [
        ("10m", 0, timedelta(minutes=10)),
        ("2h", 0, timedelta(hours=2)),
        ("1w", 7, timedelta()),
    ],
)
def test_a_visit_begins_days_after_an_event_or_minutes_after_its_time(
    said: str, days: int, after: timedelta
) -> None:
    one = f'{{ id = "seat", event = "booking", offset = "{said}", class = "service" }}'

    rule = read(f"[visits]\nrules = [{one}]\n").visits.rules["seat"]

    assert (days, after) == (rule.offset, rule.after)


@pytest.mark.parametrize("said", ["0m", "100m", "-5m", "10s"])
def test_an_offset_that_is_none_is_told(said: str) -> None:
    one = f'{{ id = "seat", event = "booking", offset = "{said}", class = "service" }}'

    with pytest.raises(HouseError) as caught:
        read(f"[visits]\nrules = [{one}]\n")

    assert ["visits.rules.seat.offset"] == [one.key for one in caught.value.findings]


def test_a_form_about_a_seating_asks_nothing_that_it_does_not_say() -> None:
    house = house_file.read(shipped.houses()["booking"], NOW)

    assert ["seating", "said"] == [one.id for one in house.form("seating").fields]
    assert {"satisfaction", "opinion", "result"} <= {one.id for one in house.form("").fields}


def test_a_form_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    told = findings(with_texts(tmp_path, "fields = 1 2"))

    assert [one.partition(" (")[0] for one in told] == [
        "forms/own.toml: not valid TOML: Expected newline or end of document after a statement"
    ]


def cautions(more: str) -> list[str]:
    """Give what a house's manager should know of its visits."""
    return [f"{one.key} {one.code}" for one in read(more).warnings if one.key.startswith("visits")]


def test_a_deadline_that_no_window_can_meet_is_warned_of() -> None:
    assert cautions("") == []
    assert cautions(
        '[visits]\nrules = [{ id = "late", event = "booking", at = "21:00", class = "care" }]\n'
    ) == ["visits.rules.late.at at_never"]
    assert cautions('[visits]\ndeadline_edge = "exact"\n') == [
        "visits.rules.birthday.deadline deadline_at_once"
    ]


def test_rest_on_holidays_that_outlasts_a_deadline_is_warned_of() -> None:
    mornings = 'windows = [["09:00", "12:00"]]\ndayparts = { morning = ["09:00", "12:00"] }\n'
    rest = [f"visits.rules.{one}.deadline deadline_rest" for one in RULES]

    assert cautions('[visits]\nholiday_mode = "closed"\n') == rest
    assert set(rest) <= set(cautions(f"[visits]\n{mornings}"))


def test_time_that_belongs_to_no_part_of_the_day_is_warned_of() -> None:
    assert cautions('[visits]\nwindows = [["09:00", "12:00"], ["13:00", "21:00"]]\n') == [
        "visits.dayparts no_daypart"
    ]


def test_ringing_customers_first_is_warned_of() -> None:
    assert cautions('[visits]\nmode = "customer_first"\n') == ["visits.mode mode_customer_first"]


def test_a_form_that_asks_too_much_is_warned_of() -> None:
    assert cautions("[visits]\nmax_questions = 2\n") == [
        "visits.rules.after_complaint.form questions",
        "visits.rules.after_service.form questions",
    ]


@pytest.mark.parametrize("path", shipped.houses().values(), ids=lambda path: path.stem)
def test_each_shipped_house_has_forms_and_scripts_of_its_own(path: Path) -> None:
    house = house_file.read(path, NOW)

    own = {rule.form for rule in house.visits.rules.values()} - {
        rule.form for rule in RULES.values()
    }
    assert own & set(house.forms)
    assert all(house.script(rule.script) for rule in house.visits.rules.values())
    assert all(set(script.parts) == set(LOCALES) for script in house.scripts.values())
    assert [one.code for one in house.warnings if one.key.startswith("visits")] == []


def test_every_shipped_form_and_script_is_named_by_a_house() -> None:
    folder = shipped.config() / "houses"
    houses = [house_file.read(path, NOW) for path in shipped.houses().values()]

    forms = {path.stem for path in (folder / "forms").glob("*.toml")}
    scripts = {
        str(path.relative_to(folder / "scripts").with_suffix(""))
        for path in (folder / "scripts").rglob("*.md")
    }
    assert forms == {name for house in houses for name in house.forms}
    assert scripts == {name for house in houses for name in house.scripts}
