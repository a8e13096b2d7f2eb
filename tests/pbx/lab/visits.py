"""Agents make return visits on a real PBX, while the daemon is killed or not.

The witness is Asterisk's CEL: which attempts went out by the trunk, and how often.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cti.clock import SystemClock
from cti.customers.rules import Entry, normal
from cti.customers.store import CustomerStore
from cti.dials.rules import NEVER_DIALLED, Attempt, AttemptState
from cti.dials.store import DialStore
from cti.errors import Refused
from cti.visits.record import Kind, Outcome, Owed, State, Try, Visit
from cti.visits.store import VisitStore
from tests.kit.house import House, engage, opened
from tests.pbx.lab.lab import Lab
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.sip import Manner, Phones
from tests.pbx.lab.trees import CROWD, CROWD_PORT
from tests.pbx.lab.truth import CHANNEL, LINKEDID, TYPE

CLOCK: Final = SystemClock()
AGENTS: Final = ("6001", "6002", "6003", "6004")
ALL_AGENTS: Final = tuple(str(number) for number in range(6001, 6010))
LATER: Final = timedelta(days=90)
"""So late no visit is given to anybody by the day's plan: who works on it, the test says."""
TAKES: Final = "answer,0,60"
"""An agent's phone picks up at once, and stays until the customer hangs up."""
MANNERS: Final[dict[str, Outcome | None]] = {
    "answer,0.3,0.7": None,
    "busy": Outcome.BUSY,
    "reject": Outcome.REJECTED,
    "ring,60": Outcome.NO_ANSWER,
    "dead": Outcome.FAILED,
}
"""What a customer's phone does, and what comes of it; None: he answers."""


def zone() -> ZoneInfo:
    """Give the zone in which it is ten in the morning now, or a little later."""
    hour = CLOCK.now().hour
    west = hour - 10 if hour < 23 else -11
    return ZoneInfo(f"Etc/GMT{west:+d}" if west else "Etc/GMT")


def rules(folder: Path, **more: str) -> Path:
    """Write a house file by which it is ten in the morning now, on a day like any other."""
    lines = [
        "schema = 1",
        "[house]",
        'id = "visits"',
        f'timezone = "{zone()}"',
        "[recordings]",
        "required = false",
        "[line_test]",
        "automatic = false",
        "[visits]",
        'holiday_mode = "normal"',
        *(f"{key} = {value}" for key, value in more.items()),
        "[dialing]",
        'trunks = ["PJSIP/trunk"]',
        'ring_for = "15s"',
        "per_minute = 1000",
        "per_number_day = 100",
        "per_agent_hour = 1000",
        "breaker = { failed_in_a_row = 1000 }",
        'prefixes = ["139"]',
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "house.toml"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@dataclass
class Round:
    """Visits that are owed and made; everybody who works on them is played from here."""

    lab: Lab
    house: House
    n: int = 0
    numbers: dict[str, str] = field(default_factory=dict)
    """Each customer's number."""

    @property
    def store(self) -> VisitStore:
        """The visits, beside the daemon."""
        return VisitStore(self.house.db)

    async def owe(self, manner: str, owner: str = "") -> Visit:
        """Let a new customer be owed a visit, now; his phone does as said.

        `owner` is the phone of whom it is meant for; empty: whoever takes it.
        """
        self.n += 1
        number = f"139{self.n:08}"
        phones = ((normal(number, "CN").normal or "", number),)
        customers = CustomerStore(self.house.db)
        customer = await customers.add(Entry(name=f"Customer {self.n}", phones=phones))
        await self.lab.behave(number, manner)
        now = CLOCK.now()
        owed = Owed(
            kind=Kind.VISIT,
            origin=f"lab|{self.n}",
            customer=customer.id,
            rule="after_service",
            purpose="service",
            period="",
            from_at=now - timedelta(minutes=1),
            due_at=now + LATER,
            give_up_at=now + 2 * LATER,
            zone="UTC",
            owner=self.house.staff[owner].id if owner else None,
        )
        async with self.house.db.write() as conn:
            await self.store.owe(conn, [owed], now, "lab")
        self.numbers[customer.id] = number
        return await self.nth(self.n)

    async def nth(self, n: int) -> Visit:
        """Give the visit that was owed as the n-th, as it stands."""
        found = await self.store.by_origin(f"lab|{n}")
        assert found is not None
        return found

    def number_of(self, visit: Visit) -> str:
        """Give the number by which its customer calls and is called."""
        return self.numbers[visit.customer]

    async def dials(self, phone: str) -> Visit | None:
        """Let an agent take the next visit and have it dialled at once; None: nothing is due."""
        now, person = CLOCK.now(), self.house.staff[phone].id
        for _ in range(5):
            try:
                visit = await self.store.claim_next(
                    person, now, timedelta(minutes=5), supervisor=False
                )
            except Refused:  # somebody was faster, or he still works on one
                await asyncio.sleep(0.05)
                continue
            if visit is not None:
                await self.store.will_dial(visit, now)
            return visit
        return None

    async def settled(self, visit: Visit, within: float = 90) -> Visit:
        """Wait until nobody dials a visit any more."""
        async with asyncio.timeout(within):
            while True:
                found = await self.store.get(visit.id)
                assert found is not None
                if found.state not in (State.CLAIMED, State.IN_ATTEMPT):
                    return found
                await asyncio.sleep(0.05)

    async def works(self, phone: str, visits: Sequence[Visit]) -> None:
        """Let an agent make visits until all of these have come to their end."""
        while not await self.over(visits):
            visit = await self.dials(phone)
            if visit is None:
                await asyncio.sleep(0.2)
                continue
            after = await self.settled(visit)
            if after.state == State.WRAP_UP:
                await self.wraps_up(after)

    async def over(self, visits: Sequence[Visit]) -> bool:
        """Tell whether all of these have ended, or wait for a person's decision."""
        now = [await self.store.get(one.id) for one in visits]
        return all(one and (one.is_over or one.state == State.NEEDS_DECISION) for one in now)

    async def all_settled(self, within: float = 120) -> None:
        """Wait until no attempt is open, and none is asked for."""
        async with asyncio.timeout(within):
            while await self.store.open_tries() or await self._asked():  # noqa: ASYNC110  a row tells nobody
                await asyncio.sleep(0.1)

    async def _asked(self) -> bool:
        """Tell whether somebody waits for his call to begin."""
        held = [await self.store.held(one.id) for one in self.house.staff.values()]
        return any(visit.state == State.CLAIMED for visits in held for visit in visits)

    async def frees(self, phone: str) -> bool:
        """Let somebody finish what he was about, if the attempt at it is over; tell whether."""
        free = True
        for visit in await self.store.held(self.house.staff[phone].id):
            if visit.state == State.WRAP_UP:
                await self.wraps_up(visit)
            else:
                free = False
        return free

    async def wraps_up(self, visit: Visit) -> None:
        """Let the agent say that the customer was reached."""
        last = (await self.store.tries_at(visit.id))[-1]
        async with self.house.db.write() as conn:
            await self.store.says(conn, last.id, Outcome.DONE)
            now = CLOCK.now()
            done = {
                "state": State.DONE.value,
                "held_by": None,
                "ended_at": now,
                "ended_by": visit.held_by,
                "outcome": Outcome.DONE.value,
            }
            await self.store.move(conn, visit, done)


@asynccontextmanager
async def visiting(
    pair: Pair,
    data: Path,
    lab: Lab,
    *,
    url: str = "",
    crowd: Iterable[int] = (),
    **more: str,
) -> AsyncIterator[Round]:
    """A house at work whose agents make visits; `url` is its database if it is not SQLite.

    `crowd` are phones of further agents.
    """
    async with opened(pair, data, rules=rules(data, **more), url=url) as house:
        for number in map(str, crowd):
            if number not in house.staff:
                await engage(house, number, f"Agent {number}")
        await house.daemon.start()
        await house.daemon.says("pbx_resynced")
        await lab.behave_all(**{f"p{phone}": TAKES for phone in ALL_AGENTS})
        yield Round(lab, house)


# -- what Asterisk says


def dials_of(cel: Sequence[Sequence[str]]) -> Counter[str]:
    """Count how often each attempt went out by the trunk, by its id."""
    return Counter(
        row[LINKEDID]
        for row in cel
        if row[TYPE] == "CHAN_START"
        and row[CHANNEL].startswith("PJSIP/trunk")
        and row[LINKEDID].startswith("cti-")
    )


@dataclass(kw_only=True)
class Verdict:
    """What is to be said of many attempts: each field counts, `faults` must be empty."""

    visits: int = 0
    attempts: int = 0
    dialled: int = 0
    never_dialled: int = 0
    unknown: int = 0
    double: int = 0
    lost: int = 0
    stuck: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    """Of attempts."""
    ends: dict[str, int] = field(default_factory=dict)
    """Of visits, as they stand."""
    faults: list[str] = field(default_factory=list)


async def judge(played: Round, cel: Sequence[Sequence[str]]) -> Verdict:
    """Hold every attempt against what Asterisk wrote down."""
    dialled, store = dials_of(cel), played.store
    found = Verdict()
    known: set[str] = set()
    for n in range(1, played.n + 1):
        visit = await store.by_origin(f"lab|{n}")
        found.visits += 1
        if visit is None:
            found.lost += 1
            continue
        found.ends[visit.state] = found.ends.get(visit.state, 0) + 1
        if visit.state in (State.CLAIMED, State.IN_ATTEMPT):
            found.stuck += 1
        made = await store.tries_at(visit.id)
        attempts = await DialStore(played.house.db).find([one.id for one in made])
        known |= {one.id for one in made}
        for one in made:
            _judge_one(one, attempts.get(one.id), dialled[one.id], found)
    found.faults += [f"{one} went out and is not known" for one in dialled.keys() - known]
    found.double = sum(count > 1 for count in dialled.values())
    return found


def _judge_one(made: Try, attempt: Attempt | None, dials: int, found: Verdict) -> None:
    found.attempts += 1
    found.dialled += dials
    outcome = made.outcome or "answered"
    found.outcomes[outcome] = found.outcomes.get(outcome, 0) + 1
    if made.ended_at is None:
        found.stuck += 1
        return
    unknown = attempt is not None and attempt.state is AttemptState.UNKNOWN
    never = attempt is None or attempt.state is AttemptState.PLANNED
    never = never or (attempt is not None and attempt.cause in NEVER_DIALLED)
    never = never or (attempt is not None and attempt.state is AttemptState.AGENT_NO_SHOW)
    found.unknown += unknown
    found.never_dialled += never
    if not unknown and dials != (0 if never else 1):
        found.faults.append(f"{made.id} ({made.outcome}) went out {dials} times")


# -- how soon


async def delays(played: Round, dials: int, rate: float) -> list[float]:
    """Let so many visits become due, `rate` a second; give how late each was sent, in seconds.

    Each has an agent of the crowd, whose phone picks up; customers are busy.
    """
    place = played.lab.pair.place
    phones = Phones((place.phones, CROWD_PORT), (place.pbx, 5060), lambda _: Manner(ring=0.1))
    owed, due = [await played.owe("busy") for _ in range(dials)], dict[str, datetime]()
    await phones.open()
    try:
        for n, visit in enumerate(owed):
            person = played.house.staff[str(CROWD[n % len(CROWD)])]
            taken = await played.store.claim(visit.id, person.id, CLOCK.now(), timedelta(minutes=5))
            due[visit.id] = CLOCK.now()
            await played.store.will_dial(taken, due[visit.id])
            await asyncio.sleep(1 / rate)
        await played.all_settled()
    finally:
        phones.close()
    found = list[float]()
    for visit in owed:
        (made,) = await played.store.tries_at(visit.id)
        sent = (await DialStore(played.house.db).attempt(made.id)).sent_at
        assert sent is not None, made
        found.append((sent - due[visit.id]).total_seconds())
    return found


# -- chaos


@dataclass(kw_only=True)
class Chaos:
    """Kill the daemon at any moment while agents dial, again and again."""

    played: Round
    kills: int
    dice: random.Random
    done: int = 0

    async def run(self) -> None:
        """Kill so often; then let all be settled."""
        daemon = self.played.house.daemon
        while self.done < self.kills:
            began = CLOCK.now()
            for phone in await self._free():
                await self.played.owe(self.dice.choice(tuple(MANNERS)))
                await self.played.dials(phone)
            await self._begun(began)
            await asyncio.sleep(self.dice.choice((0.0, 0.002, 0.01, 0.05, 0.2, 0.6, 1.5)))
            await daemon.kill()
            self.done += 1
            await daemon.start()
        await daemon.says("pbx_resynced")
        await self.played.all_settled(within=180)

    async def _free(self) -> list[str]:
        """Wait until somebody is free; give two at the most, by chance.

        Whose attempt was cut by the last kill is not, until it is known what became of it.
        """
        async with asyncio.timeout(120):
            while True:
                free = [phone for phone in ALL_AGENTS if await self.played.frees(phone)]
                if free:
                    return self.dice.sample(free, min(2, len(free)))
                await asyncio.sleep(0.1)

    async def _begun(self, since: datetime) -> None:
        """Wait until an attempt of this life is written down."""
        store = self.played.store
        async with asyncio.timeout(60):
            while not any(one.began_at >= since for one in await store.open_tries()):  # noqa: ASYNC110  a row tells nobody
                await asyncio.sleep(0.002)
