"""What does the wallboard show now? Who waits, how everybody stands, and what is an alarm."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, Protocol

from cti.calls.record import CallRecord, Direction, State
from cti.clock import Clock
from cti.errors import CtiError
from cti.house import House
from cti.people.rules import Directory
from cti.presence.alarms import LEAST_ANSWERED, Alarms, limits_of
from cti.presence.states import AgentState, Interval, Source, joined

EVERY: Final = 1.0
"""Seconds after which the figures are judged again: a wait grows without an event."""
AWAY_EVERY: Final = timedelta(seconds=10)
"""Breaks, callings away and visits are asked for again so often, while somebody looks."""
LOOKED: Final = timedelta(minutes=1)
"""Somebody who asked this long ago still looks."""

Targets = Callable[[datetime, datetime], Awaitable[Mapping[str, int]]]
"""Counts between two instants: `promised` and `kept`, `visited` and `recorded`."""
Away = Callable[[str, datetime, datetime], Awaitable[Sequence[Interval]]]
"""Gives somebody's approved breaks and callings away between two instants."""


class Calls(Protocol):
    """What is asked of the desk of calls."""

    directory: Directory

    def records(self) -> list[CallRecord]:
        """Give all live calls, and those that were over a moment ago."""
        ...

    def today(self) -> Mapping[str, Any]:
        """Give the day's figures so far."""
        ...

    def phones_changed(self) -> None:
        """Tell all boards."""
        ...


class Standing(Protocol):
    """What is asked of the watch."""

    def now(self) -> Mapping[str, Interval]:
        """Give how each person stands by phones, queues and links."""
        ...


async def nobody_away(_person: str, _began: datetime, _ended: datetime) -> Sequence[Interval]:
    """Know of no break."""
    return ()


async def no_targets(_began: datetime, _ended: datetime) -> Mapping[str, int]:
    """Know of no promise and no visit."""
    return {"promised": 0, "kept": 0, "visited": 0, "recorded": 0}


class Wall:
    """The figures of the wallboard."""

    def __init__(
        self,
        *,
        calls: Calls,
        watch: Standing,
        clock: Clock,
        house: House,
        away: Away = nobody_away,
        recordings: Callable[[], float | None] = lambda: None,
        targets: Targets = no_targets,
    ) -> None:
        """`recordings`: 0 all is well, 1 little room, 2 none, or none can be collected."""
        self._calls, self._watch, self._clock, self._house = calls, watch, clock, house
        self._ask_away, self._recordings, self._ask_targets = away, recordings, targets
        self._targets: Mapping[str, int] = {}
        self._alarms = Alarms(limits_of(house.ring))
        self._away: list[Interval] = []
        self._talked: dict[str, Interval] = {}
        self._looked = self._asked = clock.now() - timedelta(days=1)

    def obey(self, house: House) -> None:
        """Go by these rules from now on."""
        self._house, self._alarms = house, Alarms(limits_of(house.ring))

    def now(self) -> dict[str, Any]:
        """Give all figures, as they go over the wire (`cti.web.wire.Wall`)."""
        self._looked = now = self._clock.now()
        waits = self._waits()
        self._judge(waits, now)
        agents = self._agents(now)
        return {
            "waiting": len(waits),
            "longest": _iso(min(waits, default=None)),
            "states": dict(Counter(agent["state"] for agent in agents)),
            "agents": agents,
            "alarms": [
                {"key": alarm.key, "level": alarm.level.name.lower(), "since": _iso(alarm.since)}
                for alarm in self._alarms.now.values()
            ],
            "targets": dict(self._targets) or None,
        }

    async def run(self) -> None:
        """Judge the figures as time goes by, for ever. One task."""
        while True:
            now = self._clock.now()
            if now - self._looked < LOOKED and now - self._asked >= AWAY_EVERY:
                self._asked = now
                with suppress(CtiError):
                    await self.ask(now)
            if self._judge(self._waits(), now):
                self._calls.phones_changed()
            await asyncio.sleep(EVERY)

    async def ask(self, now: datetime) -> None:
        """Learn who is on a break or called away just now, and what became of the day's visits."""
        day = now.astimezone(self._house.zone).date()
        began, ended = (
            datetime.combine(one, time(), self._house.zone)
            for one in (day, day + timedelta(days=1))
        )
        self._targets = await self._ask_targets(began, ended)
        self._away = [
            one
            for person in self._watch.now()
            for one in await self._ask_away(person, now, now + AWAY_EVERY)
        ]

    def _judge(self, waits: Sequence[datetime], now: datetime) -> bool:
        today = self._calls.today()
        figures = {
            "waiting": float(len(waits)),
            "longest_wait": (now - min(waits)).total_seconds() if waits else 0.0,
            "service_level": today["standard_rate"]
            if today["answered"] >= LEAST_ANSWERED
            else None,
            "recordings": self._recordings(),
        }
        return self._alarms.look(figures, now)

    def _waits(self) -> list[datetime]:
        """Give since when each caller waits whom nobody has answered yet."""
        return [
            since
            for record in self._calls.records()
            if record.direction is Direction.INBOUND
            and record.state in (State.WAITING, State.RINGING)
            and (since := record.waiting_since or record.began) is not None
        ]

    def _agents(self, now: datetime) -> list[dict[str, Any]]:
        standing = self._watch.now()
        self._learn_talks()
        people = [
            person for who in standing if (person := self._calls.directory.by_id(who)) is not None
        ]
        laid = joined(
            standing.values(),
            [*self._live_talks(), *self._talked.values()],
            self._away,
            self._house.penalties.missed_call.wrap_up_limit,
        )
        holds = {
            one.person: one for one in reversed(laid) if not one.ended_at or one.ended_at > now
        }
        return [
            {
                "number": person.number,
                "name": person.name,
                "state": holds[person.id].state.value,
                "since": _iso(holds[person.id].began_at),
            }
            for person in sorted(people, key=lambda person: person.number)
        ]

    def _learn_talks(self) -> None:
        """Remember each person's last talk: wrap-up is counted from its end."""
        for talk in self._talks():
            known = self._talked.get(talk.person)
            if talk.ended_at and (known is None or known.began_at < talk.began_at):
                self._talked[talk.person] = talk

    def _live_talks(self) -> list[Interval]:
        return [talk for talk in self._talks() if talk.ended_at is None]

    def _talks(self) -> list[Interval]:
        """Give who talks, or talked a moment ago, with a customer."""
        directory = self._calls.directory
        return [
            Interval(
                person=owner.id,
                state=AgentState.ON_CALL,
                began_at=talk.began_at,
                ended_at=talk.ended_at,
                source=Source.CALLS,
                cause=record.id,
            )
            for record in self._calls.records()
            if record.direction is not Direction.INTERNAL
            for talk in record.talks
            if talk.began_at is not None
            and (owner := directory.by_device(record.pbx, talk.phone.device)) is not None
        ]


def _iso(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
