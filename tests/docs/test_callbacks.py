"""States, reasons, times and addresses stand in callbacks.md as they are in the code."""

from datetime import datetime

from cti.callbacks import routes, rules
from cti.callbacks.rules import LEASE, State, WhyNone, plan
from cti.house import House, InboundRules
from tests.docs.texts import DOCS, first_names, table, text_of

PAGE = DOCS / "callbacks.md"


def test_states_are_those_of_the_code() -> None:
    assert [state.value for state in State] == first_names(PAGE, "Its states")


def test_why_a_missed_call_opens_none_is_told() -> None:
    assert [why.value for why in WhyNone] == first_names(PAGE, "What opens one")


def test_a_call_is_due_when_the_page_says() -> None:
    house = House()
    day = datetime(2026, 3, 2, tzinfo=house.zone)

    for row in table(PAGE, "When it is due"):
        hour, minute = map(int, row.cells[0].split(":"))
        found = plan(house, day.replace(hour=hour, minute=minute))
        assert found
        due = found.due_at.astimezone(house.zone)
        suffix = " of the next day" if due.day > day.day else ""
        assert row.cells[1] == f"{due:%H:%M}{suffix}"


def test_durations_are_those_of_the_code() -> None:
    minutes = InboundRules().missed_call_callback.total_seconds() / 60
    held = LEASE.total_seconds() / 60

    assert f"due after {minutes:g} minutes of callable time" in text_of(PAGE)
    assert f"holds it for {held:g} minutes" in text_of(PAGE)
    assert f"a claim ends after {held:g} minutes" in text_of(DOCS / "errors.md")
    assert f"At most {rules.NOTE_LIMIT} characters" in text_of(DOCS / "errors.md")


def test_pages_are_those_of_the_server() -> None:
    told = first_names(PAGE, "The pages")

    assert [routes.PATH, f"{routes.PATH}/all", f"{routes.PATH}/ID"] == told
