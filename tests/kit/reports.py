"""Reports on calls that are told: the ports of `cti.reports.routes`, in memory."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from cti.calls.tally import MissedLine, Part, Tally, Wanted
from cti.clock import Clock
from cti.house import House, HouseCard
from cti.people.rules import Device, Directory, Person
from cti.reports.routes import ReportsRoom
from tests.kit.web import MAY, NOON

HOUSE = House(card=HouseCard(timezone="Asia/Taipei", country="TW"))
BO = Person(id="p-bo", number="6002", name="<b>Bo", devices=(Device("main", "PJSIP/6002"),))


class Told:
    """Stored calls, in memory; what was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[Wanted, Collection[Part]]] = []
        self.tallies: list[Tally] = []
        self.lines: list[MissedLine] = []
        self.before: list[tuple[datetime, str] | None] = []

    async def tally(
        self, wanted: Wanted, parts: Collection[Part], *, standard: int, late: int
    ) -> Sequence[Tally]:
        self.asked.append((wanted, parts))
        return self.tallies

    async def incoming(self, wanted: Wanted) -> Sequence[Tally]:
        return [Tally(at=NOON, calls=200)]

    async def missed(
        self, wanted: Wanted, limit: int, before: tuple[datetime, str] | None = None
    ) -> Sequence[MissedLine]:
        self.asked.append((wanted, []))
        self.before.append(before)
        return self.lines[:limit]


def counted(calls: int = 137, **facts: Any) -> Tally:
    """Calls at noon, of which 128 rang within the standard."""
    sums = {"known": calls, "within": calls - 9, "late": 4, "ring_ms": calls * 6000}
    return Tally(**{"at": NOON, "calls": calls, "wait_ms": calls * 61_000, **sums, **facts})


def missed_line(n: int, **facts: Any) -> MissedLine:
    line = {"number": "+886912345678", "caller": "0912345678", "line": "4000", "rings": 3}
    line |= {"queues": ["support"], "reason": "rang_out", "wait_ms": 9000, "rung": ["p-bo"]}
    return MissedLine(call=f"k{n}", at=NOON - timedelta(minutes=n), **{**line, **facts})


def reports_of(told: Told, clock: Clock) -> ReportsRoom:
    """The room of reports on what is told."""
    return ReportsRoom(
        counts=told, people=lambda: Directory([MAY, BO]), house=lambda: HOUSE, clock=clock
    )
