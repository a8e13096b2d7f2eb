"""What each agent's screen shows of a call: one card a person, moved once by a transfer."""

from collections.abc import Mapping

import pytest

from cti.calls.cards import CardState, card_states
from cti.calls.offers import agent_offers
from cti.calls.record import CallRecord
from tests.kit.story import BO, CHEN, LIN, MAY, MOBILE, WANG, WU, Story, at
from tests.kit.tapes import TAPES, TRACES, Book, closed, events_of, new_book

DESK = "PJSIP/6001-desk"
PEOPLE = {MAY: "may", DESK: "may", BO: "bo", LIN: "lin"}


def cards_of(record: CallRecord) -> Mapping[str, CardState]:
    """The cards of a call, by person."""
    return card_states(record, agent_offers(record, PEOPLE.get), PEOPLE.get)


def cards(story: Story) -> dict[str, str]:
    """What each person sees of the newest call: a word, and who took it."""
    record = story.live()[-1] if story.book.live() else story.records[-1]
    return {who: _word(card) for who, card in cards_of(record).items()}


def _word(card: CardState) -> str:
    if card.state != "ended":
        assert card.outcome is None
        return card.state
    return f"{card.outcome} by {card.by}" if card.by else str(card.outcome)


def ringing(*phones: str) -> Story:
    """Wang waits; phones alert after one second."""
    return Story().calls(0, to="4000").joins(0.5).asks(1, WANG, *phones).rang(1, *phones)


def talking() -> Story:
    """Wang talks to May since second 5."""
    return ringing(MAY).answered(5, MAY)


def test_only_a_phone_that_rings_opens_a_card() -> None:
    story = Story().calls(0).joins(0.5)
    assert cards(story) == {}
    assert cards(story.asks(1, WANG, MAY)) == {}
    assert cards(story.rang(1.2, MAY)) == {"may": "ringing"}


def test_a_stranger_sees_nothing() -> None:
    assert cards(ringing(MAY, CHEN)) == {"may": "ringing"}


def test_a_card_knows_since_when_it_rings_and_talks() -> None:
    story = ringing(MAY)
    assert cards_of(story.now())["may"].rang_at == at(1)

    card = cards_of(story.answered(5, MAY).now())["may"]

    assert (card.state, card.rang_at, card.answered_at) == ("talking", at(1), at(5))


def test_who_picks_up_before_anybody_saw_his_phone_ring_gets_a_card() -> None:
    assert cards(Story().calls(0).asks(1, WANG, MAY).answered(2, MAY)) == {"may": "talking"}


def test_one_answers_and_the_others_cards_say_who_took_it() -> None:
    story = ringing(MAY, BO, LIN).picked_up(4, BO)
    assert cards(story) == {"may": "ringing", "bo": "talking", "lin": "ringing"}

    story.cancelled(4.01, MAY, LIN).talk(4.02, WANG, BO)

    assert cards(story) == {
        "may": "answered_elsewhere by bo",
        "bo": "talking",
        "lin": "answered_elsewhere by bo",
    }


def test_two_phones_of_one_agent_are_one_card() -> None:
    story = ringing(MAY, DESK)
    assert cards(story) == {"may": "ringing"}

    story.picked_up(4, DESK).cancelled(4.01, MAY).talk(4.02, WANG, DESK)
    assert cards(story) == {"may": "talking"}

    story.leaves_for_good(9).gone(9, DESK)
    assert cards(story) == {"may": "completed"}


def test_a_phone_that_falls_silent_while_the_agents_other_rings_leaves_the_card() -> None:
    story = ringing(MAY, DESK).ended(3, MAY, "NOANSWER").gone(3, MAY)

    assert cards(story) == {"may": "ringing"}


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (lambda s: s.rang_out(7, MAY), "rang_out"),
        (lambda s: s.ended(7, MAY, "BUSY").gone(7, MAY, 17), "rejected"),
        (lambda s: s.ended(7, MAY, "CANCEL", "Local/1@x").gone(7, MAY), "forwarded"),
        (lambda s: s.hangs_up(7, WANG).cancelled(7, MAY).gone(7, WANG), "caller_gave_up"),
        (lambda s: s.torn_down(7, WANG).cancelled(7, MAY).gone(7, WANG), "withdrawn"),
        (lambda s: s.link_lost(7).resynced(60), "unknown"),
    ],
)
def test_a_card_ends_with_what_became_of_the_offer(end: object, outcome: str) -> None:
    story = ringing(MAY)
    end(story)  # type: ignore[operator]

    assert cards(story) == {"may": outcome}


def test_a_call_that_a_colleague_picks_up_moves_to_him() -> None:
    story = ringing(MAY).born(4, BO, 4, exten="*8").picks_up(4.1, BO, MAY).up(4.1, BO)
    story.cancelled(4.1, MAY).dials(4.1, WANG, BO).ended(4.2, BO, "ANSWER").talk(4.2, WANG, BO)

    assert cards(story) == {"may": "picked_up_by_other by bo", "bo": "talking"}


def test_a_second_round_opens_the_same_card_again() -> None:
    story = ringing(MAY).rang_out(7, MAY)
    assert cards(story) == {"may": "rang_out"}

    story.asks(12, WANG, MAY).rang(12, MAY)

    assert cards(story) == {"may": "ringing"}
    assert cards_of(story.now())["may"].rang_at == at(12)


def test_the_hunt_goes_on_at_the_next_phone_and_the_first_card_ends() -> None:
    story = ringing(MAY).rang_out(7, MAY).asks(12, WANG, BO).rang(12, BO)

    assert cards(story) == {"may": "rang_out", "bo": "ringing"}


class TestTransfer:
    """A call goes from one agent to another, and its card with it, once."""

    def told(self, *steps: object) -> list[dict[str, str]]:
        """What is seen after each step, without repetition."""
        story, seen = talking(), list[dict[str, str]]()
        for step in steps:
            step(story)  # type: ignore[operator]
            now = cards(story)
            if not seen or seen[-1] != now:
                seen.append(now)
        return seen

    def test_a_blind_transfer(self) -> None:
        assert self.told(
            lambda s: s.joined(10, MAY, WANG),
            lambda s: s.hangs_up(10, MAY).gone(10, MAY),
            lambda s: s.asks(10, WANG, BO).rang(10, BO),
            lambda s: s.answered(13, BO),
            lambda s: s.leaves_for_good(20).gone(20, BO),
        ) == [
            {"may": "talking"},  # until somebody else is asked, it may just as well be over
            {"may": "transferred", "bo": "ringing"},
            {"may": "transferred", "bo": "talking"},
            {"may": "transferred", "bo": "completed"},
        ]

    def test_a_blind_transfer_that_nobody_takes(self) -> None:
        story = talking().joined(10, MAY, WANG).leaves_for_good(10, MAY)
        story.asks(10, WANG, BO).rang(10, BO).ended(30, BO, "NOANSWER").gone(30, BO)

        assert cards(story.gone(30, WANG)) == {"may": "completed", "bo": "rang_out"}

    def test_an_attended_transfer(self) -> None:
        line = f"{MAY}#2"
        story = talking().calls(10, line, to="6002").asks(10, line, BO).rang(10, BO)
        story.answered(12, BO, line)
        kept, consult = story.live()
        assert {w: _word(c) for w, c in cards_of(kept).items()} == {"may": "talking"}
        assert {w: _word(c) for w, c in cards_of(consult).items()} == {"bo": "talking"}

        story.joined(20, MAY, line, WANG, BO)
        assert set(cards(story)) == {"may", "bo"}

        story.parts(20, BO, line).talk(20, WANG, BO).gone(20.1, MAY).gone(20.1, line)
        assert cards(story) == {"may": "transferred", "bo": "talking"}

        story.leaves_for_good(40).gone(40, BO)
        assert cards(story) == {"may": "transferred", "bo": "completed"}

    def test_a_call_that_comes_back_is_talked_about_again(self) -> None:
        story = talking().joined(10, MAY, WANG).leaves_for_good(10, MAY)
        story.asks(10, WANG, BO).rang(10, BO).answered(12, BO).leaves_for_good(20, BO)

        story.asks(20, WANG, MAY).rang(20, MAY)
        assert cards(story) == {"may": "ringing", "bo": "transferred"}

        story.answered(23, MAY)
        assert cards(story) == {"may": "talking", "bo": "transferred"}

        story.leaves_for_good(40).gone(40, MAY)
        assert cards(story) == {"may": "completed", "bo": "transferred"}

    def test_a_call_taken_from_a_mobile_is_on_nobodys_screen(self) -> None:
        story = Story().calls(0).asks(1, WANG, MOBILE, to="137@t").rang(1, MOBILE)

        assert cards(story.answered(4, MOBILE)) == {}

    def test_a_colleague_who_is_taken_by_a_mobile_is_named_by_its_number(self) -> None:
        story = ringing(MAY).asks(1, WANG, MOBILE, to="137@t").rang(1, MOBILE)
        story.picked_up(4, MOBILE).cancelled(4.01, MAY).talk(4.02, WANG, MOBILE)

        assert cards(story) == {"may": "answered_elsewhere by 137"}


class TestOutbound:
    """Calls that we make."""

    def test_who_dials_has_a_card_once_his_call_is_outbound(self) -> None:
        story = Story().calls(0, MAY, to="013900139000").asks(1, MAY, WU, to="139@t")
        assert cards(story) == {"may": "ringing"}

        story.rang(2, WU).answered(5, WU, MAY)
        assert cards(story) == {"may": "talking"}

        story.leaves_for_good(9, WU).gone(9, MAY)
        assert cards(story) == {"may": "completed"}

    def test_a_customer_who_does_not_answer(self) -> None:
        story = Story().calls(0, MAY, to="013900139000").asks(1, MAY, WU, to="139@t").rang(2, WU)

        story.ended(30, WU, "NOANSWER").gone(30, WU).gone(30, MAY)

        assert cards(story) == {"may": "rang_out"}

    def test_the_agent_of_a_click_to_call(self) -> None:
        story = Story().asks(0, None, MAY).rang(0, MAY).picked_up(2, MAY)
        story.asks(3, MAY, WU, to="139@t").rang(3, WU).answered(6, WU, MAY)

        assert cards(story) == {"may": "talking"}


@pytest.mark.parametrize(
    "path", [*TAPES, *sorted((TRACES / "lab").glob("*.ami"))], ids=lambda path: path.stem
)
def test_on_no_tape_does_an_ended_card_open_again_without_a_ring(path: object) -> None:
    """A pop must not come back when the call is over (and never flicker)."""
    book: Book = new_book()
    last: dict[tuple[str, str], CardState] = {}
    for event in events_of(path.read_bytes()):  # type: ignore[attr-defined]
        records = closed(book.hear(event))
        records += [record for call in book.live() if (record := book.view(call))]
        for record in records:
            whose = {f"PJSIP/{n}": str(n) for n in range(6001, 6020)}.get
            for who, card in card_states(record, agent_offers(record, whose), whose).items():
                before = last.get((record.id, who))
                if before and before.state == "ended" and card.state != "ended":
                    assert card.rang_at != before.rang_at or card.state == "talking"
                last[record.id, who] = card
