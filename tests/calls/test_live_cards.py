"""What do the screens show while a call lives, if every event is shown by itself?

A PBX says the moment of an answer or a hang-up piece by piece, and a network may part the
pieces. So the tapes of the lab are heard event by event, with a look at all cards after each.
"""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from cti.calls.book import Book
from cti.calls.cards import SENT_ON, CardState, card_states, undecided_since
from cti.calls.effects import Close, Effect, Show
from cti.calls.offers import agent_offers
from cti.calls.record import CallRecord
from tests.kit.tapes import TRACES, new_book, tape

FOLDER = TRACES / "lab"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ami"))
Cards = dict[tuple[str, str], list[CardState]]


def owner(device: str) -> str | None:
    """Everybody has one phone."""
    return device if device.startswith("PJSIP/6") else None


def records(book: Book, effects: list[Effect]) -> Iterator[CallRecord]:
    for effect in effects:
        if isinstance(effect, Show) and (live := book.view(effect.call)):
            yield live
        elif isinstance(effect, Close):
            yield effect.record


def lives(name: str) -> Cards:
    """Every state of every card of a tape, by call and person."""
    book = new_book()
    cards: Cards = {}
    for event in tape(f"lab/{name}"):
        for record in records(book, list(book.hear(event))):
            _look(record, cards)
    for record in records(book, list(book.settle())):
        _look(record, cards)
    return cards


def _look(record: CallRecord, cards: Cards) -> None:
    offers = agent_offers(record, owner)
    for who, card in card_states(record, offers, owner).items():
        states = cards.setdefault((record.id, who), [])
        if not states or states[-1] != card:
            states.append(card)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_that_has_ended_comes_back_only_when_a_phone_rings_anew(name: str) -> None:
    for states in lives(name).values():
        for before, after in pairwise(states):
            if before.state == "ended" and after.state != "ended":
                assert ("ringing", True) == (after.state, after.rang_at != before.rang_at)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_word_about_an_end_is_the_last(name: str) -> None:
    for states in lives(name).values():
        ended = [card for card in states if card.state == "ended"]
        outcomes = list(dict.fromkeys((card.outcome, card.by, card.rang_at) for card in ended))
        per_ring = [rang_at for _, _, rang_at in outcomes]
        if name == "blind-transfer-nobody-answers":  # sent on, and in the end nobody else had it
            continue
        assert len(set(per_ring)) == len(per_ring), outcomes


def test_who_let_a_call_go_to_a_colleague_is_told_to_whom_at_once() -> None:
    states = lives("queue-answered")

    losers = {who: cards[-1] for (_, who), cards in states.items() if who != "PJSIP/6001"}
    first = {
        who: next(card for card in cards if card.state == "ended")
        for (_, who), cards in states.items()
        if who != "PJSIP/6001"
    }
    assert losers == first
    assert {("answered_elsewhere", "PJSIP/6001")} == {(c.outcome, c.by) for c in first.values()}


def test_who_left_a_customer_behind_loses_the_card_after_a_second() -> None:
    book = new_book()
    parked: CallRecord | None = None
    for event in tape("lab/parking-gives-up"):
        for record in records(book, list(book.hear(event))):
            if parked is None and undecided_since(record):
                parked = record
    assert parked is not None
    since = undecided_since(parked)
    assert since is not None
    offers = agent_offers(parked, owner)

    words = [
        card_states(parked, offers, owner, at)["PJSIP/6001"].state
        for at in (since, since + SENT_ON * 0.9, since + SENT_ON)
    ]

    assert ["talking", "talking", "ended"] == words
