"""What is measured, by name. A module of its own, so that another process can import it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvloop

from tests.bench import (
    claiming,
    collecting,
    latency,
    load,
    pages,
    planning,
    playing,
    reading,
)

Measured = dict[str, Any]


def _reading(_data: Path) -> Measured:
    return asyncio.run(reading.throughput())


def _memory(_data: Path) -> Measured:
    return asyncio.run(reading.memory())


def _latency(data: Path) -> Measured:
    return uvloop.run(latency.measure(data))


def _load(data: Path) -> Measured:
    return asyncio.run(load.measure(data))


def _collecting(data: Path) -> Measured:
    return uvloop.run(collecting.measure(data))


def _playing(data: Path) -> Measured:
    return asyncio.run(playing.measure(data))


def _pages(data: Path) -> Measured:
    return asyncio.run(pages.measure(data))


def _claiming(data: Path) -> Measured:
    return uvloop.run(claiming.measure(data))


def _planning(data: Path) -> Measured:
    return uvloop.run(planning.measure(data))


PARTS: Final[dict[str, tuple[Callable[[Path], Measured], str]]] = {
    "reading": (_reading, "events a second, bytes to book, beside a bare panoramisk: at least 3"),
    "memory": (_memory, "memory over 100,000 calls, end by warm: flat"),
    "latency": (_latency, "from the PBX's word to the card, 100 agents: p50 5 ms, p99 30 ms"),
    "load": (_load, "processor time per call, by Asterisk's own: at most 0.25"),
    "collecting": (_collecting, "beside cp and sha256sum of the same files: 1.5 times as long"),
    "playing": (
        _playing,
        "ms to the sound of an hour among 100,000 [median, 9 of 10, worst]: at most 300",
    ),
    "pages": (_pages, "pages of a big house: p95 at most 200 ms; a month's report at most 2 s"),
    "claiming": (_claiming, "the next of 1,000,000 visits: p99 at most 10 ms; none claimed twice"),
    "planning": (_planning, "seconds for the visits of a day, among 1,000,000 customers"),
}
