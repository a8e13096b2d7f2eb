"""Criteria are read as a page sends them, and what is wrong with them is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.errors import Refused
from cti.house import CustomerRules
from cti.visits.criteria import Criteria, criteria_of, read_criteria

RULES = CustomerRules()


def read(**said: str) -> Criteria:
    return read_criteria(said, RULES, ["p-may"])


def test_everything_that_a_page_sends_is_read() -> None:
    found = read(
        kind="member",
        tier="金卡",
        area=" 静安 ",
        owner="p-may",
        care="hearing",
        not_since="90",
        spent_least="1280.5",
        spent_days="30",
    )

    assert found == Criteria(
        kind="member",
        tier="gold",
        area="静安",
        owner="p-may",
        care="hearing",
        not_since=90,
        spent_least="1280.5",
        spent_days=30,
    )
    assert 128_050 == found.spent_cents
    assert found == criteria_of(found.plain)


def test_nothing_said_is_everybody() -> None:
    assert Criteria() == read()
    assert (0, 365) == (Criteria().spent_cents, Criteria().spent_days)


def test_the_criteria_of_an_older_campaign_are_understood() -> None:
    assert Criteria(tier="gold", not_since=30) == criteria_of(
        {"tier": "gold", "area": "", "not_since": 30, "saved": "x"}
    )


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("kind", "friend"),
        ("tier", "platinum"),
        ("area", "x" * 81),
        ("area", "a\x00b"),
        ("owner", "p-gone"),
        ("care", "deaf"),
        ("not_since", "-1"),
        ("not_since", "3661"),
        ("not_since", "٣"),
        ("spent_least", "1,5"),
        ("spent_least", "1e9"),
        ("spent_days", "0"),
    ],
)
def test_what_is_wrong_is_named(field: str, said: str) -> None:
    with pytest.raises(Refused) as caught:
        read(**{field: said})

    assert ("selection_wrong", field) == (caught.value.code, caught.value.facts["fields"])


@given(st.dictionaries(st.sampled_from(list(Criteria().plain)), st.text(max_size=12)))
def test_no_text_raises_anything_else(said: dict[str, str]) -> None:
    try:
        found = read_criteria(said, RULES, [])
    except Refused as refusal:
        assert refusal.code == "selection_wrong"  # noqa: PT017  either is good
    else:
        assert found == criteria_of(found.plain)
