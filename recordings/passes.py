"""How is a recording's address given to one person, for a short time?

A pass names the recording, the person and the end of its time, signed with a secret that this
process made at its start and shows to nobody. It is no right: rights are asked with every
request. A restart ends all passes; the page asks for a new one.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final

from cti.errors import Refused
from cti.value import value

LASTS: Final = timedelta(minutes=10)
"""Beside the length of the recording: time to begin, and to look something up."""
LONGEST: Final = 200
"""Characters of a pass."""
SWEEP_AT: Final = 1000


@value
class Pass:
    """A pass as it was read. `once` names it."""

    once: str
    until: datetime


class Passes:
    """Issues passes, reads them, and knows which were used before."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._used: dict[str, datetime] = {}

    def issue(self, recording: str, person: str, until: datetime) -> str:
        """Give a new pass, as it stands in an address."""
        head = f"{int(until.timestamp())}.{secrets.token_urlsafe(9)}"
        return f"{head}.{self._signed(head, recording, person)}"

    def read(self, text: str, recording: str, person: str, now: datetime) -> Pass:
        """Read a pass. Raises `Refused` (recording_pass) for one that is somebody else's,
        another recording's, over, or was never issued."""
        head, _, signed = text[:LONGEST].rpartition(".")
        right = self._signed(head, recording, person)
        if not hmac.compare_digest(signed.encode(), right.encode()):
            raise Refused("recording_pass", "this address was not made for you")
        seconds, _, once = head.partition(".")
        until = datetime.fromtimestamp(int(seconds), now.tzinfo)
        if until < now:
            raise Refused("recording_pass", "this address is too old: reload the page")
        if len(self._used) >= SWEEP_AT:
            self._used = {one: end for one, end in self._used.items() if end >= now}
        return Pass(once=once, until=until)

    def used_before(self, found: Pass) -> bool:
        """Tell whether a pass was used before; from now on it was."""
        if found.once in self._used:
            return True
        self._used[found.once] = found.until
        return False

    def unused(self, found: Pass) -> None:
        """Take back that a pass was used: what it was for did not happen."""
        self._used.pop(found.once, None)

    def _signed(self, head: str, recording: str, person: str) -> str:
        told = "\n".join((head, recording, person)).encode("utf-8", "replace")
        made = hmac.new(self._secret, told, hashlib.sha256).digest()
        return urlsafe_b64encode(made[:24]).decode()
