"""What happens to a frame that cannot be believed or read? It is counted, kept and told.

The stream goes on without it. An alarm comes at most once a minute for each reason.
"""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from cti.clock import Clock
from cti.log import clean
from cti.pbx.frames import name_of

log = structlog.get_logger(__name__)

ALARM_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A frame that was set aside, as an operator may see it: cleaned, bounded, no secret in it."""

    at: datetime
    reason: str
    text: str


class Counters:
    """How much one link has read and lost, for `/metrics`. They only rise."""

    __slots__ = (
        "bytes_read",
        "cut",
        "events",
        "logins",
        "lost",
        "refused",
        "unclaimed",
        "unwanted",
    )

    def __init__(self) -> None:
        self.bytes_read = 0
        self.events = 0  # handed on
        self.unwanted = 0  # dropped by name
        self.unclaimed = 0  # replies nobody waits for any more
        self.cut = 0  # frames lost half-way with their link
        self.logins = 0
        self.refused = 0
        self.lost = 0  # links that were up


class SetAside:
    """The frames of one PBX that were set aside.

    `counts` counts by reason: those of `Frame.fault` and `Gate.forgery` without their detail,
    `too_long`, `before_login`, and `handler` (our own code failed on it).
    `kept` holds the last few.
    """

    def __init__(self, pbx: str, clock: Clock, *, keep: int = 50) -> None:
        self.pbx = pbx
        self.counts = Counter[str]()
        self.kept = deque[Kept](maxlen=keep)
        self._clock = clock
        self._secrets: list[str] = []
        self._told: dict[str, tuple[float, int]] = {}

    def hide(self, secret: str) -> None:
        """Never show this text: the systemname, which begins every uniqueid."""
        if secret and secret not in self._secrets:
            self._secrets.append(secret)

    def put(self, reason: str, payload: bytes) -> None:
        """Set a frame aside. `reason` may bear a detail after a colon; it is counted without."""
        kind, _, detail = reason.partition(":")
        self.counts[kind] += 1
        self.kept.append(
            Kept(at=self._clock.now(), reason=clean(reason, 80), text=self._shown(payload))
        )
        self._alarm(kind, detail, payload)

    def _shown(self, payload: bytes) -> str:
        text = payload[:4096].decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return clean(text.replace("\r\n", " | "), 1000)

    def _alarm(self, kind: str, detail: str, payload: bytes) -> None:
        now = self._clock.monotonic()
        at, counted = self._told.get(kind, (-ALARM_EVERY.total_seconds(), 0))
        if now - at < ALARM_EVERY.total_seconds() and counted:
            return
        self._told[kind] = (now, self.counts[kind])
        log.warning(
            "frame_set_aside",
            pbx=self.pbx,
            reason=kind,
            header=clean(detail, 60) or None,
            pbx_event=clean(name_of(payload), 60) or None,
            since_last=self.counts[kind] - counted,
            total=self.counts[kind],
        )
