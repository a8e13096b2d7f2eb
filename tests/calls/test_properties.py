"""No order, repetition or loss of events breaks a call. On every tape."""

import random
from collections.abc import Callable, Sequence

import pytest

from cti.calls.effects import Close
from cti.calls.record import CallRecord, Outcome
from cti.pbx.events import AgentCompleted, AgentConnected, BridgeEntered, Event, Joined, PickedUp
from tests.kit.tapes import TAPES, closed, events_of, new_book, told

WINDOW = 50
SHUFFLES = 40
NAMES = [path.stem for path in TAPES]
EVENTS = {path.stem: events_of(path.read_bytes()) for path in TAPES}

Channels = Callable[[Event], frozenset[str]]


def all_channels(event: Event) -> frozenset[str]:
    """Every channel that an event names."""
    if isinstance(event, Joined):
        return frozenset(who.leg for who in event.parties)
    if isinstance(event, PickedUp):
        return frozenset({event.picker.leg, event.target.leg})
    sights = (getattr(event, name, None) for name in ("who", "caller", "dest"))
    return frozenset(sight.leg for sight in sights if sight)


def own_channel(event: Event) -> frozenset[str]:
    """The channel under which Asterisk files an event: the one without a prefix."""
    sight = getattr(event, "who", None) or getattr(event, "caller", None)
    sight = sight or getattr(event, "dest", None)
    return frozenset({sight.leg}) if sight else all_channels(event)


def shuffled(events: Sequence[Event], rnd: random.Random, channels: Channels) -> list[Event]:
    """Reorder within a window; events that share a channel keep their order."""
    waiting, out = list(events), []
    while waiting:
        free, held = [], set[str]()
        for place, event in enumerate(waiting[:WINDOW]):
            mine = channels(event)
            if not mine & held:
                free.append(place)
            held |= mine
        out.append(waiting.pop(rnd.choice(free)))
    return out


def doubled(events: Sequence[Event], rnd: random.Random) -> list[Event]:
    """Say a tenth of the events twice."""
    return [event for event in events for _ in range(1 + (rnd.random() < 0.1))]


@pytest.mark.parametrize("channels", [all_channels, own_channel])
@pytest.mark.parametrize("name", NAMES)
def test_disorder_and_repetition_change_nothing(name: str, channels: Channels) -> None:
    truth = told(EVENTS[name])

    for seed in range(SHUFFLES):
        rnd = random.Random(seed)  # noqa: S311
        assert told(doubled(shuffled(EVENTS[name], rnd, channels), rnd)) == truth, seed


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_heard_twice_changes_nothing(name: str) -> None:
    assert told([*EVENTS[name], *EVENTS[name]]) == told(EVENTS[name])


def seen_connected(events: Sequence[Event]) -> set[str]:
    """Customers' legs of whom these events prove that a person was connected."""
    proven = {e.who.leg for e in events if isinstance(e, AgentConnected | AgentCompleted)}
    rooms: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, BridgeEntered):
            rooms.setdefault(event.bridge, set()).add(event.who.leg)
    return proven | {leg for room in rooms.values() if len(room) > 1 for leg in room}


@pytest.mark.parametrize("name", NAMES)
def test_no_loss_and_no_order_raises_or_hides_a_connected_person(name: str) -> None:
    for seed in range(SHUFFLES):
        rnd = random.Random(seed)  # noqa: S311
        left = [event for event in EVENTS[name] if rnd.random() < 0.5]
        if seed % 2:
            rnd.shuffle(left)

        records = told(left)

        proven = seen_connected(left)
        for record in records:
            if proven & {leg for leg, _ in record.legs}:
                assert record.outcome is Outcome.ANSWERED, (seed, record)


@pytest.mark.parametrize("name", NAMES)
def test_a_tape_from_any_later_frame_on_raises_nothing(name: str) -> None:
    for start in range(len(EVENTS[name])):
        told(EVENTS[name][start:])


@pytest.mark.parametrize("name", NAMES)
def test_a_call_ends_once_and_stays_ended(name: str) -> None:
    for seed in range(SHUFFLES):
        rnd = random.Random(seed)  # noqa: S311
        book = new_book()
        ended: list[CallRecord] = []
        events = list(EVENTS[name]) * 2
        rnd.shuffle(events)

        for event in events:
            ended += closed(book.hear(event))
        ended += [e.record for e in book.settle() if isinstance(e, Close)]

        ids = [record.id for record in ended]
        assert len(ids) == len(set(ids))
        legs = [leg for record in ended for leg, _ in record.legs]
        assert len(legs) == len(set(legs))
        assert book.live() == []
