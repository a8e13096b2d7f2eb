"""What does the PBX say is going on now? Asked after each (re)connection, on the acting session.

The listening session is subscribed before; what it hears meanwhile is applied after, and all
of it may be applied twice. Source: the call model, section 9.8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from cti.errors import CtiError, PbxUnavailable
from cti.pbx import actions
from cti.pbx.events import LegId, LiveLeg, LiveVisit
from cti.pbx.frames import Frame
from cti.pbx.session import Answer
from cti.pbx.translate import bridge_kind, sight

log = structlog.get_logger(__name__)

WITHIN = timedelta(seconds=5)


class Act(Protocol):
    """The acting session."""

    async def act(self, action: actions.Action, within: timedelta = ...) -> Answer:
        """Ask once; see `Link.act`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The PBX at one moment."""

    boot: str
    legs: tuple[LiveLeg, ...]
    visits: tuple[LiveVisit, ...]
    devices: tuple[tuple[str, str], ...]
    """(device, state)."""
    members: tuple[tuple[str, str, bool, str], ...]
    """(queue, interface, paused, reason of the pause)."""


async def take(act: Act) -> Snapshot:
    """Ask the PBX for all that lives.

    Raises `PbxUnavailable` when one of the lists that a book cannot do without (boot, channels)
    could not be had whole; an action that this PBX lacks or forbids is logged and left out.
    """
    boot = await _boot(act)
    channels = await _list(act, actions.core_show_channels(), needed=True)
    kinds = {
        bridge: bridge_kind(item)
        for item in await _list(act, actions.bridge_list())
        if (bridge := item.first("BridgeUniqueid"))
    }
    queues = await _list(act, actions.queue_status())
    devices = await _list(act, actions.device_state_list())
    return Snapshot(
        boot=boot,
        legs=tuple(leg for item in channels if (leg := _leg(item, kinds))),
        visits=tuple(visit for item in queues if (visit := _visit(item))),
        devices=tuple(
            (device, item.first("State") or "")
            for item in devices
            if (device := item.first("Device"))
        ),
        members=tuple(
            (
                item.first("Queue") or "",
                who,
                item.first("Paused") == "1",
                item.first("PausedReason") or "",
            )
            for item in queues
            if item.event == "QueueMember" and (who := _interface(item))
        ),
    )


async def _boot(act: Act) -> str:
    answer = await act.act(actions.core_status(), WITHIN)
    told = answer.headers.first
    date, time = told("CoreStartupDate"), told("CoreStartupTime")
    if not answer.ok or not date or not time:
        raise PbxUnavailable(f"CoreStatus: {answer.message or 'no start time in its answer'}")
    return f"{date} {time}"


async def _list(act: Act, action: actions.Action, *, needed: bool = False) -> Sequence[Frame]:
    name = actions.name_of(action)
    try:
        answer = await act.act(action, WITHIN)
    except PbxUnavailable:
        raise
    except CtiError as fault:
        if needed:
            raise PbxUnavailable(f"{name}: {fault}") from fault
        log.warning("snapshot_part_missing", action=name, why=str(fault))
        return ()
    if answer.ok and answer.complete:
        return answer.items
    if needed:
        raise PbxUnavailable(f"{name}: {answer.message or 'its list was not whole'}")
    log.warning("snapshot_part_missing", action=name, why=answer.message or "list not whole")
    return answer.items if answer.ok else ()


def _leg(item: Frame, kinds: Mapping[str, str]) -> LiveLeg | None:
    who = sight(item)
    if who is None:
        return None
    bridge = item.first("BridgeId") or None
    return LiveLeg(
        who=who,
        lasted=_duration(item.first("Duration") or ""),
        bridge=bridge,
        kind=kinds.get(bridge or "", "basic"),
    )


def _interface(item: Frame) -> str | None:
    return item.first("StateInterface") or item.first("Location")


def _visit(item: Frame) -> LiveVisit | None:
    leg, queue = item.first("Uniqueid"), item.first("Queue")
    if item.event != "QueueEntry" or not leg or not queue:
        return None
    wait = item.first("Wait") or "0"
    seconds = int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 8 else 0
    return LiveVisit(leg=LegId(leg), queue=queue, waited=timedelta(seconds=seconds))


def _duration(text: str) -> timedelta:
    """Read `HH:MM:SS`; nothing sensible is no time."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return timedelta()
    hours, minutes, seconds = (int(part[:6]) for part in parts)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)
