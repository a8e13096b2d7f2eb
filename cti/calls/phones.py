"""Which state is each phone in, as the PBX says? Read anew at each connection, never counted up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AgentState = Literal["available", "ringing", "on_call", "paused", "unreachable", "unknown"]

_OF: dict[str, AgentState] = {
    "NOT_INUSE": "available",
    "INUSE": "on_call",
    "BUSY": "on_call",
    "ONHOLD": "on_call",
    "RINGING": "ringing",
    "RINGINUSE": "ringing",
    "UNAVAILABLE": "unreachable",
    "INVALID": "unreachable",
}
_ORDER: tuple[AgentState, ...] = ("on_call", "ringing", "paused", "available", "unreachable")


@dataclass(frozen=True, slots=True)
class Standing:
    """A state, and since when as far as we saw."""

    state: AgentState
    since: datetime | None


class Phones:
    """The devices of one PBX and who is paused in its queues."""

    def __init__(self) -> None:
        self._devices: dict[str, Standing] = {}
        self._paused: dict[str, dict[str, datetime | None]] = {}

    def forget(self) -> None:
        """Know nothing any more: the PBX is not heard."""
        self._devices.clear()
        self._paused.clear()

    def device(self, name: str, state: str, at: datetime | None) -> bool:
        """Take a device's state; tell whether that changed anything."""
        known = self._devices.get(name)
        now = _OF.get(state, "unknown")
        if known and known.state == now:
            return False
        self._devices[name] = Standing(now, at)
        return True

    def member(self, queue: str, name: str, *, paused: bool, at: datetime | None) -> bool:
        """Take a queue member's standing; tell whether that changed anything."""
        queues = self._paused.setdefault(name, {})
        if paused == (queue in queues):
            return False
        if paused:
            queues[queue] = at
        else:
            del queues[queue]
        return True

    def standing(self, devices: Sequence[str]) -> Standing:
        """Say how an agent with these phones stands: the busiest phone speaks for all."""
        known = [found for name in devices if (found := self._devices.get(name))]
        paused = [at for name in devices for at in self._paused.get(name, {}).values()]
        states = {found.state for found in known}
        if paused:
            states = (states - {"available"}) | {"paused"}
        for state in _ORDER:
            if state in states:
                if state == "paused":
                    return Standing(state, min((at for at in paused if at), default=None))
                return next(found for found in known if found.state == state)
        return Standing("unknown", None)
