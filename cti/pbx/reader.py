"""Bytes in, frames out: what the live link and a replayed tape have in common. No I/O.

In this order, cheapest first: cut on bytes, replies to whoever asked, unwanted events dropped
by name, forged ones set aside. Whether a frame is sound in itself (`sound`) is asked when it
is taken from the queue, so that a waiting frame costs its bytes and little more.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

import structlog

from cti.pbx.aside import Counters, SetAside
from cti.pbx.frames import LINE_END, Frame, Framer, Gate, name_of

log = structlog.get_logger(__name__)

Wanted = Callable[[str], bool]
_MOST_NAMES = 1024


class Reader:
    """Read one stream: a session with a PBX, or a tape.

    `wanted` says whether an event of this name is of use; it is asked once a name. `claim`, set
    while replies may come, is given each payload and says whether it has dealt with it. On a
    tape the PBX's greeting is told by the answer to the login, which nobody here awaits.
    """

    def __init__(
        self,
        aside: SetAside,
        *,
        gate: Gate | None = None,
        wanted: Wanted | None = None,
        counters: Counters | None = None,
        tape: bool = False,
    ) -> None:
        self.aside = aside
        self.gate = gate or Gate()
        self.counters = counters or Counters()
        self.claim: Callable[[bytes], bool] | None = None
        self.framer = Framer()
        self._tape = tape
        self._wanted = wanted
        self._names: dict[bytes, str | None] = {}

    def feed(self, data: bytes, arrived: datetime | None = None) -> list[Frame]:
        """Take the next bytes; give the events completed by them, in order. Raises nothing."""
        framer, too_long = self.framer, self.framer.too_long
        payloads = framer.feed(data)
        self.counters.bytes_read += len(data)
        if framer.too_long != too_long:
            for _ in range(framer.too_long - too_long):
                self.aside.put("too_long", framer.sample)
        if payloads and self.claim is not None:
            payloads = [payload for payload in payloads if not self._claimed(payload)]
        return self._events(payloads, arrived) if payloads else []

    def _claimed(self, payload: bytes) -> bool:
        try:
            return self.claim is not None and self.claim(payload)
        except Exception:
            log.exception("reply_failed", pbx=self.aside.pbx)
            self.aside.put("handler", payload)
            return True

    def _events(self, payloads: list[bytes], arrived: datetime | None) -> list[Frame]:
        names, gate = self._names, self.gate
        genuine = gate.genuine if gate.systemname else None
        ask = gate.greeting  # the greeting is believed once: for this read the gate itself judges
        frames, unwanted = list[Frame](), 0
        for payload in payloads:
            head = payload.partition(LINE_END)[0]
            try:
                name = names[head]
            except KeyError:
                name = self._meet(head, payload)
            if not name:
                unwanted += name is None
            elif genuine is None or (not ask and genuine(payload)):
                frames.append(Frame(payload, arrived, name))
            elif why := gate.forgery(payload):
                self.aside.put(why, payload)
            else:
                frames.append(Frame(payload, arrived, name))
        self.counters.unwanted += unwanted
        self.counters.events += len(frames)
        return frames

    def _meet(self, head: bytes, payload: bytes) -> str | None:
        """Look at a first line not seen before: the event's name, None if unwanted, else ""."""
        name = name_of(payload)
        if not name:
            self._meet_no_event(payload)
            return ""
        try:
            wanted = self._wanted is None or self._wanted(name)
        except Exception:
            log.exception("wanted_failed", pbx=self.aside.pbx)
            self.aside.put("handler", payload)
            return ""
        if len(self._names) >= _MOST_NAMES:  # a forger may invent names
            self._names.clear()
        self._names[head] = name if wanted else None
        return self._names[head]

    def _meet_no_event(self, payload: bytes) -> None:
        if not payload.startswith(b"Response: "):
            self.aside.put("no_head", payload)
            return
        self.counters.unclaimed += 1
        if self._tape and b"\r\nMessage: Authentication accepted" in payload:
            self.gate.greet()


def sound(frames: Iterable[Frame], aside: SetAside) -> list[Frame]:
    """Give the frames without a fault; the others are set aside. Raises nothing."""
    good = list[Frame]()
    for frame in frames:
        try:
            why = frame.fault()
        except Exception:
            log.exception("frame_failed", pbx=aside.pbx)
            why = "handler"
        if why is None:
            good.append(frame)
        else:
            aside.put(why, frame.payload)
    return good


def each(frames: Iterable[Frame], handle: Callable[[Frame], object], aside: SetAside) -> None:
    """Give every frame to `handle`. One that makes it raise is set aside, alone."""
    for frame in frames:
        try:
            handle(frame)
        except Exception:
            log.exception("handler_failed", pbx=aside.pbx, pbx_event=frame.event)
            aside.put("handler", frame.payload)
