"""How long does a push take to the screens, and what does it cost? `python -m tests.bench.live`.

100 agents, each in a session of its own, listen from another process. 20 calls a second ring
three of them each, one answers, the call ends: seven pushes per call. Then one call a second
rings all 100. Measured from `Bus.publish` (the card's building and encoding included) to the
frame in the client's hands.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from statistics import quantiles
from typing import Any

import aiohttp
import uvloop

from cti.clock import SystemClock
from cti.people.rules import Person
from tests.kit.web import Stage, stage


def agents(n: int) -> list[Person]:
    return [Person(id=f"p-{i}", number=str(6000 + i), name=f"Agent {i}") for i in range(n)]


async def _listen(socket: aiohttp.ClientWebSocketResponse, took: list[float]) -> None:
    async for message in socket:
        now = time.monotonic()
        card = json.loads(message.data).get("card")
        if card:
            took.append((now - float(card["caller_name"])) * 1000)


async def _clients(pipe: Connection, origin: str, tickets: Sequence[str]) -> None:
    took = list[float]()
    async with aiohttp.ClientSession(headers={"Origin": origin}) as session:
        sockets = [
            await session.ws_connect(f"{origin}/api/v1/live", protocols=("cti.v1", f"ticket.{one}"))
            for one in tickets
        ]
        for socket in sockets:
            await socket.send_str('{"type":"hello"}')
            await socket.receive()
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(_listen(socket, took)) for socket in sockets]
            await asyncio.to_thread(pipe.send, "ready")
            while await asyncio.to_thread(pipe.recv) != "stop":
                await asyncio.to_thread(pipe.send, took[:])
                took.clear()
            for task in listening:
                task.cancel()


def _run_clients(pipe: Connection, origin: str, tickets: Sequence[str]) -> None:
    uvloop.run(_clients(pipe, origin, tickets))


def _stamp() -> str:
    return repr(time.monotonic())


async def _busy(it: Stage, people: Sequence[Person], seconds: float) -> int:
    """20 calls a second ring three agents each; seven pushes per call."""
    loop = asyncio.get_running_loop()
    began, n = loop.time(), 0
    while loop.time() - began < seconds:
        three = [people[(n * 3 + i) % len(people)] for i in range(3)]
        it.desk.rings(f"k{n}", *three, caller_name=_stamp())
        await asyncio.sleep(0.02)
        for screen in three:
            it.desk.screens[screen.id][f"k{n}"]["caller_name"] = _stamp()
        it.desk.answered(f"k{n}", three[0])
        await asyncio.sleep(0.02)
        it.desk.screens[three[0].id][f"k{n}"]["caller_name"] = _stamp()
        it.desk.over_for_all(f"k{n}", "completed")
        n += 1
        await asyncio.sleep(max(0.0, began + n / 20 - loop.time()))
    return n * 7


async def _ring_all(it: Stage, people: Sequence[Person], seconds: float) -> int:
    for n in range(int(seconds)):
        it.desk.rings(f"all{n}", *people, caller_name=_stamp())
        await asyncio.sleep(1)
    return int(seconds) * len(people)


async def measure(n: int, seconds: float) -> list[dict[str, Any]]:
    """Measure both situations; give figures."""
    people, results = agents(n), []
    async with stage(clock=SystemClock(), people=people) as it:
        seats = [await it.enters(person) for person in people]
        tickets = [await seat.ticket() for seat in seats]
        here, there = multiprocessing.Pipe()
        other = multiprocessing.Process(target=_run_clients, args=(there, it.origin, tickets))
        other.start()
        await asyncio.to_thread(here.recv)
        for scene in (_busy, _ring_all):
            before = resource.getrusage(resource.RUSAGE_SELF)
            pushes = await scene(it, people, seconds)
            after = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.sleep(0.3)
            here.send("more")
            took = await asyncio.to_thread(here.recv)
            cuts = quantiles(took, n=1000)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            results.append(
                {
                    "scene": scene.__name__.strip("_"),
                    "clients": n,
                    "pushes": pushes,
                    "frames": len(took),
                    "p50_ms": round(cuts[499], 2),
                    "p95_ms": round(cuts[949], 2),
                    "p99_ms": round(cuts[989], 2),
                    "most_ms": round(max(took), 2),
                    "cpu_us_per_push": round(cpu / pushes * 1e6),
                }
            )
        here.send("stop")
        await asyncio.to_thread(other.join)
    return results


def main() -> None:
    """Read the command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--clients", type=int, default=100)
    reader.add_argument("--seconds", type=float, default=15)
    given = reader.parse_args()
    multiprocessing.set_start_method("spawn")
    for result in uvloop.run(measure(given.clients, given.seconds)):
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
