"""What did a real PBX say in 500 queue calls at 20 a second? The same again, as other calls.

`load.ami.gz` is what the product's own account heard in the lab (`python -m tests.pbx.lab load`).
"""

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
TRUTH: Final = json.loads(gzip.decompress((HERE / "load.truth.json.gz").read_bytes()))
SYSTEMNAME: Final[str] = TRUTH["systemname"]
CALLS: Final = len(TRUTH["customers"])
TRUNKS: Final = ("PJSIP/trunk*",)
END: Final = b"\r\n\r\n"

_ID: Final = re.compile(
    rb"((?:Timestamp: |" + SYSTEMNAME.encode() + rb"-)\d{10}"  # an instant, or a Uniqueid's
    rb"|PJSIP/\w+-[0-9a-f]{8}"  # a channel
    rb"|BridgeUniqueid: [0-9a-f]{8}"
    rb"|\b139\d{8}\b)"  # a customer
)


@cache
def data() -> bytes:
    """Give the bytes of the tape, behind the answer to the login."""
    whole = gzip.decompress((HERE / "load.ami.gz").read_bytes())
    return whole[whole.index(b"Event: Newchannel") :]


def events(some: bytes) -> int:
    """Count the events in bytes of the tape."""
    return some.count(b"Event: ")


def pieces(some: bytes, size: int = 64 * 1024) -> list[bytes]:
    """Cut bytes as a socket gives them when there are many."""
    return [some[at : at + size] for at in range(0, len(some), size)]


class Rounds:
    """The tape again and again: each time other customers, channels, bridges and instants."""

    seconds = 60
    """From one round to the next; the tape is shorter, so that every call is over."""

    def __init__(self) -> None:
        self._parts = _ID.split(data())
        self._ids = set(self._parts[1::2])

    def round(self, n: int, later: int = 0) -> bytes:
        """Give the bytes of round `n`, all instants `later` seconds later."""
        new = {one: _again(one, n, later + n * self.seconds) for one in self._ids}
        parts = self._parts.copy()
        parts[1::2] = map(new.__getitem__, self._parts[1::2])
        return b"".join(parts)


def _again(one: bytes, n: int, later: int) -> bytes:
    if one.startswith(b"139"):
        return b"%d" % (int(one) + n * CALLS)
    if one.startswith(b"PJSIP/"):
        return one[:-8] + b"%08x" % (int(one[-8:], 16) + n * 2 * CALLS)
    if one.startswith(b"BridgeUniqueid"):
        return one[:-8] + b"%08x" % n
    return one[:-10] + b"%d" % (int(one[-10:]) + later)
