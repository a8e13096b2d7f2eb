"""Which agent was asked: all phones of one agent that are asked at once are one offer."""

import pytest

from cti.calls.offers import AgentOffer, agent_offers
from tests.kit.story import BO, MAY, MOBILE, WANG, Story, at

DESK, SOFT = "PJSIP/6001-desk", "PJSIP/6001-soft"
PEOPLE = {MAY: "may", DESK: "may", SOFT: "may", BO: "bo"}


def offers(story: Story) -> list[AgentOffer]:
    """The offers of the one call, live or over."""
    record = story.now() if story.book.live() else story.records[0]
    return agent_offers(record, PEOPLE.get)


def brief(story: Story) -> list[tuple[str | None, int, int | None, str | None]]:
    """Person, how many phones, how long they rang, outcome."""
    return [
        (o.person, len(o.phones), o.ring_ms, o.outcome and o.outcome.value) for o in offers(story)
    ]


def asked(*phones: str) -> Story:
    """Wang waits; phones are asked after one second and alert."""
    return Story().calls(0).joins(0.5).asks(1, WANG, *phones).rang(1, *phones)


def test_two_phones_of_one_agent_are_one_offer() -> None:
    story = asked(DESK, SOFT).picked_up(4, DESK).cancelled(4.01, SOFT).talk(4.02, WANG, DESK)

    assert brief(story) == [("may", 2, 3010, "answered")]
    assert offers(story)[0].picked_at == at(4)


def test_two_agents_are_two_offers() -> None:
    assert [offer.person for offer in offers(asked(MAY, BO))] == ["may", "bo"]


def test_two_registrations_of_one_phone_are_one_offer() -> None:
    story = asked(MAY, f"{MAY}#2")

    assert brief(story) == [("may", 2, None, None)]


def test_the_offer_is_open_as_long_as_one_phone_is_asked() -> None:
    story = asked(DESK, SOFT).ended(3, DESK, "NOANSWER").gone(3, DESK)

    [offer] = offers(story)
    assert (offer.ended, offer.outcome, offer.rang) == (False, None, True)


def test_it_rings_from_the_first_phone_to_the_last() -> None:
    story = Story().calls(0).joins(0).asks(1, WANG, DESK, SOFT).rang(2, SOFT).rang(3, DESK)
    story.ended(8, SOFT, "NOANSWER").gone(8, SOFT).ended(9, DESK, "NOANSWER").gone(9, DESK)

    assert brief(story) == [("may", 2, 7000, "rang_out")]
    assert offers(story)[0].rang_at == at(2)


def test_a_later_round_is_a_new_offer() -> None:
    story = Story().calls(0).joins(0)
    for start in (1, 20):
        story.asks(start, WANG, DESK, SOFT).rang(start, DESK, SOFT)
        story.rang_out(start + 6, DESK).rang_out(start + 6, SOFT)

    assert brief(story) == [("may", 2, 6000, "rang_out")] * 2


def test_a_round_that_begins_where_the_last_one_ended_is_a_new_offer() -> None:
    story = asked(MAY).rang_out(7, MAY).asks(7, WANG, MAY).rang(7, MAY).rang_out(13, MAY)

    assert brief(story) == [("may", 1, 6000, "rang_out")] * 2


def test_a_phone_asked_after_another_of_the_same_agent_fell_silent_is_a_new_offer() -> None:
    story = asked(DESK).rang_out(7, DESK).asks(8, WANG, SOFT).rang(8, SOFT).rang_out(14, SOFT)

    assert brief(story) == [("may", 1, 6000, "rang_out")] * 2


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("NOANSWER", "CHANUNAVAIL", "rang_out"),
        ("BUSY", "CHANUNAVAIL", "busy"),
        ("NOANSWER", "BUSY", "rang_out"),
    ],
)
def test_of_several_phones_the_weightiest_outcome_is_the_agents(
    first: str, second: str, outcome: str
) -> None:
    story = Story().calls(0).joins(0).asks(1, WANG, DESK, SOFT)
    if first == "NOANSWER":
        story.rang(1, DESK)
    story.ended(2, SOFT, second).gone(2, SOFT).ended(5, DESK, first).gone(5, DESK)

    assert brief(story)[0][3] == outcome


def test_who_declines_at_one_phone_has_declined_though_the_other_rang_out() -> None:
    story = asked(DESK, SOFT).hangs_up(3, DESK, 21).ended(3, DESK, "NOANSWER").gone(3, DESK, 21)

    assert brief(story.rang_out(7, SOFT))[0][3] == "rejected"


def test_a_phone_that_nobody_owns_is_an_offer_of_its_own() -> None:
    story = asked("PJSIP/7000", BO)

    assert [(o.agent, o.person) for o in offers(story)] == [("7000", None), ("6002", "bo")]


def test_a_mobile_is_named_by_the_number_that_was_dialled() -> None:
    story = Story().calls(0).asks(1, WANG, MOBILE, to="13700137000@trunk-mobile")

    assert [(o.agent, o.person) for o in offers(story)] == [("13700137000", None)]


def test_without_stamps_rounds_are_told_apart_by_the_phone() -> None:
    story = Story(stamped=False).calls(0).joins(0).asks(1, WANG, MAY).rang(1, MAY).rang_out(7, MAY)
    story.asks(9, WANG, MAY).rang(9, MAY).rang_out(15, MAY)

    assert [(o.person, len(o.phones), o.ring_ms) for o in offers(story)] == [("may", 1, None)] * 2
