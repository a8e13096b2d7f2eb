"""Who talked with the customer, and when: up is not connected, and a Local is nobody."""

import pytest

from cti.calls.connect import NOBODY
from cti.calls.record import CallRecord, State
from tests.kit.story import BO, LIN, MAY, WANG, WU, Story, at, offers_of, verdict


def talks_of(record: CallRecord) -> list[tuple[str, float | None, float | None]]:
    """Who talked with the customer, from which second to which."""

    def second(moment: object) -> float | None:
        return None if moment is None else (moment - at(0)).total_seconds()  # type: ignore[operator]

    return [(t.phone.agent, second(t.began_at), second(t.ended_at)) for t in record.talks]


def called(*phones: str) -> Story:
    """Wang calls, phones alert after one second and are picked up after four."""
    story = Story().calls(0, to="4000").joins(0.5).asks(1, WANG, *phones).rang(1, *phones)
    for phone in phones:
        story.picked_up(4, phone)
    return story


def through_local(story: Story, name: str, phone: str, caller: str = WANG) -> Story:
    """A caller is connected with a phone through two halves of a Local channel."""
    story.local(1, caller, name).asks(1.1, f"{name};2", phone).rang(1.2, phone)
    return story.picked_up(4, phone).talk(4.1, f"{name};2", phone)


def test_up_is_not_connected() -> None:
    story = called(MAY)

    assert story.now().state is not State.TALKING
    assert verdict(story.gone(9, MAY).leaves_for_good(9).over()) != "answered by 6001"


def test_two_in_one_bridge_talk_as_long_as_both_are_in_it() -> None:
    record = called(MAY).talk(5, WANG).talk(6, MAY, bridge="bridge-1").parts(9, MAY).over()

    assert talks_of(record) == [("6001", 6, 9)]


def test_two_in_different_bridges_do_not_talk() -> None:
    record = called(MAY).talk(5, WANG).talk(5, MAY).over()

    assert record.talks == ()


def test_two_who_were_in_one_bridge_one_after_the_other_did_not_talk() -> None:
    story = called(MAY).talk(5, WANG, bridge="room").parts(6, WANG)

    record = story.talk(7, MAY, bridge="room").parts(8, MAY).over()

    assert record.talks == ()


def test_a_holding_bridge_is_no_talk() -> None:
    record = called(MAY).talk(5, WANG, MAY, kind="holding").over()

    assert record.talks == ()


def test_a_bridge_that_is_once_called_holding_is_holding_for_all() -> None:
    story = called(MAY).talk(5, WANG, bridge="lot", kind="holding")

    assert story.talk(6, MAY, bridge="lot").over().talks == ()


def test_whoever_comes_back_to_a_bridge_talks_twice() -> None:
    story = called(MAY).talk(5, WANG, MAY, bridge="b").parts(7, WANG)

    record = story.talk(9, WANG, bridge="b").parts(12, WANG).over()

    assert talks_of(record) == [("6001", 5, 7), ("6001", 9, 12)]
    assert record.talk_ms == 5000


def test_a_talk_ends_with_the_channel_of_either() -> None:
    record = called(MAY).talk(5, WANG, MAY).gone(8, MAY).gone(20, WANG).over()

    assert talks_of(record) == [("6001", 5, 8)]


def test_a_talk_is_open_while_both_are_there() -> None:
    assert talks_of(called(MAY).talk(5, WANG, MAY).now()) == [("6001", 5, None)]


def test_the_customer_is_heard_through_a_local_channel() -> None:
    story = through_local(Story().calls(0).joins(0.5), "may", MAY)

    record = story.talk(4.2, WANG, "may;1").parts(9, WANG).over()

    assert talks_of(record) == [("6001", 4.2, 9)]
    assert offers_of(record) == [("6001", 2800, "answered")]


def test_the_customer_is_heard_through_two_local_channels_in_a_row() -> None:
    story = Story().calls(0).joins(0.5).local(1, WANG, "a").local(1, "a;2", "b")
    story.asks(1.1, "b;2", MAY).rang(1.2, MAY).picked_up(4, MAY)

    record = story.talk(4, "b;2", MAY).talk(4.5, "a;2", "b;1").talk(5, WANG, "a;1").over()

    assert talks_of(record) == [("6001", 5, None)]
    assert verdict(record) == "answered by 6001"


def test_two_agents_behind_locals_are_told_apart() -> None:
    story = Story().calls(0).joins(0.5)
    for name, phone in (("may", MAY), ("bo", BO)):
        story.local(1, WANG, name).asks(1.1, f"{name};2", phone).rang(1.2, phone)
    story.picked_up(4, BO).talk(4, "bo;2", BO)
    story.ended(4.1, "may;1", "CANCEL").cancelled(4.1, MAY).gone(4.1, "may;1").gone(4.1, "may;2")

    record = story.talk(4.2, WANG, "bo;1").leaves_for_good(9).over()

    assert offers_of(record) == [
        ("6001", 2900, "answered_elsewhere"),
        ("6002", 2800, "answered"),
    ]


def test_a_talk_goes_on_when_asterisk_takes_the_local_channel_out() -> None:
    story = through_local(Story().calls(0).joins(0.5), "may", MAY).talk(4.2, WANG, "may;1")
    story.swapped(5, MAY, "may;1").gone(5, "may;1").gone(5, "may;2")

    record = story.leaves_for_good(12).gone(12, MAY).over()

    assert record.talk_ms == 7800
    assert {talk.phone.agent for talk in record.talks} == {"6001"}


def test_halves_that_lead_in_a_ring_are_walked_once() -> None:
    story = Story().calls(0).joins(0.5).local(1, WANG, "a").local(1, "a;2", "b")

    story.talk(2, WANG, "a;1", "b;2", bridge="x").talk(2, "a;2", "b;1", bridge="y")

    assert story.over().talks == ()


def test_a_half_whose_other_was_not_seen_leads_nowhere() -> None:
    story = Story().calls(0).born(1, "x;1", 0, "1772413200.1", channel="Local/x@y-9;1")

    assert story.dials(1, WANG, "x;1").talk(2, WANG, "x;1").over().talks == ()


@pytest.mark.parametrize("technology", NOBODY)
def test_machines_are_no_persons(technology: str) -> None:
    story = Story().calls(0).joins(0.5).asks(1, WANG, MAY).rang(1, MAY)
    story.born(2, "machine", 4, story.sight(WANG).linked, channel=f"{technology}x-1")

    record = story.talk(3, WANG, "machine").leaves_for_good(9).cancelled(9, MAY).over()

    assert record.outcome == "missed"


def test_who_answers_the_phone_of_a_conference_talks_with_the_customer() -> None:
    story = called(MAY, BO, LIN)

    record = story.talk(5, WANG, MAY, BO, LIN, bridge="room", kind="conference").over()

    assert {talk.phone.agent for talk in record.talks} == {"6001", "6002", "6003"}


def test_a_stranger_in_the_same_conference_is_not_part_of_the_call() -> None:
    story = called(MAY).calls(4, WU, number="02161234567")

    story.talk(5, WANG, MAY, WU, bridge="room", kind="conference")

    first, second = story.live()
    assert talks_of(first) == [("6001", 5, None)]
    assert second.talks == ()


def test_of_two_who_talk_the_first_has_answered() -> None:
    story = called(MAY).talk(5, WANG, MAY).parts(20, MAY).gone(20, MAY)
    story.asks(20, WANG, BO).rang(20, BO).picked_up(25, BO).talk(25, WANG, BO)

    record = story.leaves_for_good(40).gone(40, BO).over()

    assert verdict(record) == "answered by 6001"
    assert talks_of(record) == [("6001", 5, 20), ("6002", 25, 40)]


def test_one_side_of_a_talk_is_enough_once_all_is_over() -> None:
    story = Story().calls(0).asks(1, WANG, MAY).rang(1, MAY).picked_up(4, MAY).talk(4, WANG)

    assert story.now().outcome is None
    assert verdict(story.leaves_for_good(9).gone(9, MAY).over()) == "answered by 6001"


def test_a_talk_whose_beginning_was_not_seen_has_no_length() -> None:
    story = Story().unseen(WANG).unseen(MAY, "1772413200.1").unseen_talk(WANG, MAY)

    record = story.parts(5, WANG, MAY).leaves_for_good(5).gone(5, MAY).over()

    assert (verdict(record), record.talk_ms) == ("answered by 6001", None)
