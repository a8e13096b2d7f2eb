"""How fast is the way from bytes to calls, beside a bare panoramisk on the same bytes?

Both are fed the same pieces in one process, in turn; processor time is counted, medians are given.
"""

import asyncio
import itertools
import resource
import time
from statistics import median
from typing import Any, Final

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from cti.calls.book import Book, trunk_matcher
from cti.clock import SystemClock
from cti.house import House
from cti.pbx.aside import SetAside
from cti.pbx.frames import Gate
from cti.pbx.inbox import SETTLE, Inbox
from cti.pbx.reader import Reader
from cti.pbx.session import Session
from cti.pbx.translate import rings, translate, wanted
from tests.bench import tape

TURNS: Final = 7
CALLS: Final = 100_000
WARM: Final = 60
"""Rounds until memory has found its size: the book remembers 50,000 channels of ended calls."""


class Way:
    """Link, filter, translate and book, as the daemon has them."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.aside = SetAside("bench", clock)
        self.inbox = Inbox(self.aside, gather=SETTLE, urgent=rings)
        gate = Gate(tape.SYSTEMNAME)
        self.session = Session(
            Reader(self.aside, gate=gate, wanted=wanted), clock=clock, dispatch=self.inbox.put
        )
        self.session.accepted = True
        gate.greet()
        self.session.release()
        numbers = itertools.count()
        self.book = Book(lambda: f"c{next(numbers)}", trunk_matcher(tape.TRUNKS), House())
        self.effects = 0

    def feed(self, pieces: list[bytes]) -> None:
        """Take bytes and do all that follows, up to the book's effects."""
        for piece in pieces:
            self.session.data_received(piece)
            for frame in self.inbox.take_now():
                event = translate(frame)
                if event is not None:
                    self.effects += len(self.book.hear(event))
        assert not self.aside.counts, self.aside.counts


def our_seconds(pieces: list[bytes]) -> float:
    """Give the processor time of our whole way."""
    way = Way()
    began = time.process_time()
    way.feed(pieces)
    return time.process_time() - began


def bare_seconds(pieces: list[bytes], events: int) -> float:
    """Give the processor time of panoramisk with one callback for every event."""
    manager, heard = Manager(), 0

    def callback(_manager: Any, _event: Any) -> None:
        nonlocal heard
        heard += 1

    manager.register_event("*", callback)
    loop = manager.loop = asyncio.get_running_loop()
    protocol = AMIProtocol()
    protocol.connection_made(asyncio.Transport())
    made = loop.create_future()
    made.set_result((asyncio.Transport(), protocol))
    manager.connection_made(made)
    began = time.process_time()
    for piece in pieces:
        protocol.data_received(piece)
    took = time.process_time() - began
    manager.pinger.cancel()
    assert heard == events, (heard, events)
    return took


async def throughput() -> dict[str, Any]:
    """Measure both in turn; `ratio` says how many times as fast our way is (at least 3)."""
    data = tape.data()
    pieces, events = tape.pieces(data), tape.events(data)
    pairs = [(bare_seconds(pieces, events), our_seconds(pieces)) for _ in range(TURNS)]
    bare, ours = (median(times) for times in zip(*pairs, strict=True))
    return {
        "events": events,
        "ours_per_s": round(events / ours),
        "panoramisk_per_s": round(events / bare),
        "ratio": round(median(b / o for b, o in pairs), 2),
    }


async def memory() -> dict[str, Any]:
    """Let 100,000 calls go by; give the resident memory after the first rounds and at the end."""
    way, rounds = Way(), tape.Rounds()
    after_warm = 0.0
    for n in range(CALLS // tape.CALLS):
        way.feed(tape.pieces(rounds.round(n)))
        if n == WARM:
            after_warm = resident_mb()
    end = resident_mb()
    return {
        "calls": CALLS,
        "warm_mb": round(after_warm, 1),
        "end_mb": round(end, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1),
        "ratio": round(end / after_warm, 3),
    }


def resident_mb() -> float:
    """Give this process's memory."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1_000_000
