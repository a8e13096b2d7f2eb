"""What does the PBX bear, and what does it say meanwhile? Many queue calls, a hundred phones.

Plain: every customer waits, every phone answers after 1 or 2 s. Mixed: some customers give up,
some phones are busy, are declined or are not answered. The same seed plays the same day.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.pbx.lab.lab import Lab
from tests.pbx.lab.sip import Customer, Customers, Manner, Phones, Rung
from tests.pbx.lab.trees import CROWD_PORT

QUEUE = "4005"
NAMES = ("", "", "王小明", "Lin Mei-ling", "陳大文")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many calls, how many a second, and of which kind."""

    calls: int = 500
    rate: float = 20.0
    mixed: bool = False
    seed: int = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """What came of it: as the user agents saw it, as queue_log says, and what it cost the PBX."""

    customers: list[Customer]
    rung: list[Rung]
    queue_log: dict[str, int]
    seconds: float
    cpu_seconds: float
    memory_mb: float


async def bear(lab: Lab, load: Load) -> Borne:
    """Play the load against the lab's PBX; returns when every record is written."""
    dice = random.Random(load.seed)  # noqa: S311  a day that can be played again, no secret
    place, pbx = lab.pair.place, (lab.pair.place.pbx, 5060)
    phones = Phones((place.phones, CROWD_PORT), pbx, manners(load, dice))
    callers = Customers((place.carrier, CROWD_PORT), pbx, QUEUE)
    crowd = customers(load, dice)
    lab.mark()
    loop = asyncio.get_running_loop()
    begun, cpu = loop.time(), lab.pair.pbx.cpu_seconds()
    await phones.open()
    await callers.open()
    try:
        for number, customer in enumerate(crowd):
            loop.call_at(begun + number / load.rate, callers.dial, customer)
        await asyncio.sleep(load.calls / load.rate)  # the last is dialled by now
        async with asyncio.timeout(120):
            await callers.idle.wait()
            await lab.records_quiet()
    finally:
        phones.close()
        callers.close()
    return Borne(
        customers=crowd,
        rung=phones.rung,
        queue_log=dict(Counter(line.split("|")[4] for line in lab.queue_log())),
        seconds=loop.time() - begun,
        cpu_seconds=lab.pair.pbx.cpu_seconds() - cpu,
        memory_mb=lab.pair.pbx.memory_mb(),
    )


def customers(load: Load, dice: random.Random) -> list[Customer]:
    """Make up the callers; each has a number of his own."""
    crowd = []
    for number in range(load.calls):
        customer = Customer(number=f"139{number:08d}", name=dice.choice(NAMES))
        customer.talk = dice.choice((1.0, 2.0, 3.0))
        if load.mixed and dice.random() < 0.12:
            customer.patience = dice.choice((0.5, 0.5, 2.5, 5.5))
        crowd.append(customer)
    return crowd


def manners(load: Load, dice: random.Random) -> Callable[[str], Manner]:
    """Make up what a phone does each time it is rung."""

    def manner(phone: str) -> Manner:
        chance = dice.random() if load.mixed else 1.0
        if chance < 0.04:
            return Manner(ring=0, refuse=486)
        if chance < 0.07:
            return Manner(ring=1, refuse=403)
        if chance < 0.10:
            return Manner(ring=0, answer=False)
        return Manner(ring=dice.choice((1.0, 1.0, 2.0)))

    return manner
