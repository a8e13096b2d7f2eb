"""What the PBX says of phones is written down as it happens; what is not known says so."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from cti.clock import SetClock
from cti.errors import StoreUnavailable
from cti.pbx.events import ContactChanged, DeviceChanged, MemberChanged
from cti.pbx.snapshot import Snapshot
from cti.people.rules import Device, Directory, Person
from cti.presence.phones import Change, Entry
from cti.presence.states import AgentState, Interval, Source
from cti.presence.watch import Watch

NINE = datetime(2026, 3, 2, 1, tzinfo=UTC)
MAY = Person(id="p-may", number="6001", name="May", devices=(Device("main", "PJSIP/6001"),))
BO = Person(id="p-bo", number="6002", name="Bo", devices=(Device("main", "PJSIP/6002"),))
HERE = Snapshot(
    boot="b1",
    legs=(),
    visits=(),
    devices=(("PJSIP/6001", "NOT_INUSE"), ("PJSIP/6002", "RINGING")),
    members=(("support", "PJSIP/6001", False, ""), ("support", "PJSIP/6002", False, "")),
)
Told = list[tuple[str, str, float]]


def second(n: float) -> datetime:
    return NINE + timedelta(seconds=n)


class Paper:
    """What the writer is given; with `full` it takes nothing."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.full = False

    def put(self, batch: Sequence[Change], *, soon: bool) -> None:
        assert not soon, "nobody waits for it, and a commit of its own would be in calls' way"
        if self.full:
            raise StoreUnavailable("too much waits", code="store_full")
        self.changes += batch

    def read(self) -> Told:
        """Say what came since the last look: who, what, second."""
        came, self.changes = self.changes, []
        return [
            (
                change.person.removeprefix("p-"),
                change.entry.interval.state.value if change.entry else "gone",
                round((change.at - NINE).total_seconds(), 3),
            )
            for change in came
        ]


class Scene:
    """A watch over May and Bo, with a clock and a paper."""

    def __init__(self, *people: Person) -> None:
        self.clock, self.paper = SetClock(NINE), Paper()
        self.watch = Watch(
            pen=self.paper, directory=Directory(people or (MAY, BO)), clock=self.clock
        )

    def says(self, n: float, device: str, state: str) -> None:
        self.watch.heard("main", DeviceChanged(at=None, device=device, state=state), second(n))


@pytest.fixture
def scene() -> Scene:
    """All is known at second 0."""
    made = Scene()
    made.watch.resume([], {})
    made.watch.synced("main", HERE, second(0))
    made.paper.read()
    return made


def test_before_the_pbx_is_heard_nobodys_state_is_known() -> None:
    scene = Scene()

    scene.watch.resume([], {})
    scene.watch.synced("main", HERE, second(3))

    assert scene.paper.read() == [
        ("may", "unknown", 0),
        ("bo", "unknown", 0),
        ("may", "available", 3),
        ("bo", "ringing", 3),
    ]


def test_each_change_is_told_at_the_pbxs_time(scene: Scene) -> None:
    scene.says(5, "PJSIP/6001", "RINGING")
    scene.says(6, "PJSIP/6001", "RINGING")
    scene.says(7, "PJSIP/6001", "INUSE")
    scene.says(8, "PJSIP/7777", "INUSE")

    assert scene.paper.read() == [("may", "ringing", 5), ("may", "busy_elsewhere", 7)]


def test_a_pause_and_a_signing_off_are_told(scene: Scene) -> None:
    def pause(n: float, *, paused: bool, reason: str = "", present: bool = True) -> None:
        fact = MemberChanged(
            at=None,
            queue="support",
            interface="PJSIP/6001",
            paused=paused,
            reason=reason,
            present=present,
        )
        scene.watch.heard("main", fact, second(n))

    pause(1, paused=True, reason="lunch")
    pause(2, paused=False)
    pause(3, paused=False, present=False)
    for n, status in ((4, "Reachable"), (5, "Removed")):
        fact = ContactChanged(at=None, device="PJSIP/6001", contact="sip:a", status=status)
        scene.watch.heard("main", fact, second(n))
    scene.says(5, "PJSIP/6001", "UNAVAILABLE")

    assert scene.paper.read() == [
        ("may", "pause_unapproved", 1),
        ("may", "available", 2),
        ("may", "available", 3),  # in no queue
        ("may", "logged_out", 5),
    ]


def test_while_the_link_is_lost_nothing_is_known(scene: Scene) -> None:
    scene.watch.lost("main", second(10))
    scene.watch.lost("main", second(12))
    scene.says(11, "PJSIP/6001", "INUSE")
    scene.watch.synced("main", HERE, second(20))

    assert scene.paper.read() == [
        ("may", "unknown", 10),
        ("bo", "unknown", 10),
        ("may", "available", 20),
        ("bo", "ringing", 20),
    ]


def entry(person: Person, state: str, began: float) -> Entry:
    interval = Interval(
        person=person.id,
        state=AgentState(state),
        began_at=second(began),
        ended_at=None,
        source=Source.DEVICE,
    )
    return Entry(id=f"old-{person.id}", interval=interval)


def test_after_a_kill_nothing_is_known_since_the_pbx_was_last_heard() -> None:
    scene = Scene()
    scene.clock.at = second(100)

    scene.watch.resume([entry(MAY, "available", 0), entry(BO, "ringing", 55)], {"main": second(50)})

    assert scene.paper.read() == [("may", "unknown", 50), ("bo", "unknown", 55)]


def test_who_left_while_nobody_watched_has_no_state_any_more() -> None:
    scene = Scene(BO)
    scene.clock.at = second(100)

    scene.watch.resume([entry(MAY, "available", 0)], {"main": second(50)})

    assert scene.paper.read() == [("may", "gone", 100), ("bo", "unknown", 100)]


def test_people_come_go_and_change_phones(scene: Scene) -> None:
    lin = Person(id="p-lin", number="5001", name="Lin", devices=(Device("main", "PJSIP/6002"),))
    scene.clock.at = second(30)

    scene.watch.people(Directory((MAY, lin)))

    assert scene.paper.read() == [("bo", "gone", 30), ("lin", "ringing", 30)]


def test_what_could_not_be_taken_is_unknown_afterwards(scene: Scene) -> None:
    scene.paper.full = True
    with capture_logs() as logs:
        scene.says(5, "PJSIP/6001", "RINGING")
        scene.says(9, "PJSIP/6001", "NOT_INUSE")
    scene.paper.full = False
    scene.clock.at = second(60)

    scene.says(60, "PJSIP/6002", "INUSE")

    assert ["presence_not_stored"] == [line["event"] for line in logs]
    assert scene.paper.read() == [
        ("bo", "busy_elsewhere", 60),
        ("may", "unknown", 5),
        ("may", "available", 60),
    ]
    scene.says(61, "PJSIP/6002", "NOT_INUSE")
    assert scene.paper.read() == [("bo", "available", 61)]


def test_how_everybody_stands_can_be_asked(scene: Scene) -> None:
    scene.says(5, "PJSIP/6001", "INUSE")

    assert {"p-may": ("busy_elsewhere", 5), "p-bo": ("ringing", 0)} == {
        who: (one.state.value, (one.began_at - NINE).seconds)
        for who, one in scene.watch.now().items()
    }
