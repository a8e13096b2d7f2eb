"""What is said to a call, and what the calls of one simulated PBX share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from cti.pbx.simulator.channels import Board, Channel
from cti.pbx.simulator.time import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What a phone does when it is called. Seconds; `after` is how long it rings before that.

    Called again while it is in a call, a phone is busy.
    """

    does: Literal["answers", "rings", "ends"] = "rings"
    after: float = 0.0
    cause: int = 17
    talk: float | None = None
    transfers_to: str = ""
    transfers_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a number does: a queue, or phones that ring together, for so many seconds."""

    queue: str = ""
    phones: tuple[str, ...] = ()
    within: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An Originate that was accepted."""

    device: str
    number: str = ""
    context: str
    exten: str
    timeout: float = 30.0
    caller: tuple[str, str] = ("", "")
    channel_id: str = ""
    action_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rang:
    """A dialled phone says 180."""

    leg: Channel


@dataclass(frozen=True, slots=True)
class Picked:
    """A dialled phone says 200."""

    leg: Channel


@dataclass(frozen=True, slots=True)
class Ended:
    """The far end of a leg hangs up, or refuses."""

    leg: Channel
    cause: int = 16


@dataclass(frozen=True, slots=True)
class Killed:
    """AMI hangs a channel up."""

    channel: Channel
    cause: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """A channel is sent to another number: by AMI, or blindly by the party that it talks to."""

    channel: Channel
    context: str
    exten: str
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """The dialplan goes on, which here means to its Hangup."""

    cause: int = 16
    tech: str = ""


@dataclass(frozen=True, slots=True)
class Goto:
    """The dialplan goes on at another number."""


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left of the call."""


Step = Next | Goto | Done


@dataclass(slots=True, kw_only=True)
class Plant:
    """What the calls of one PBX share."""

    board: Board
    time: Timeline
    lines: Mapping[str, Line]
    phones: Mapping[str, tuple[str, str]]
    habit: Callable[[str, str], Habit]
    trunk: str
    records: bool = True
    calls: set[Callable[[], None]] = field(default_factory=set)
    """How to let each call that is going on vanish."""
    recorded: int = 0

    def party(self, device: str) -> tuple[str, str]:
        """Give the number and name of a device; a trunk has none."""
        return self.phones.get(device, ("", ""))

    def line(self, context: str, exten: str) -> Line | None:
        """Tell what a number does in a context; None: there is no such number."""
        if context == "internal":
            device = f"PJSIP/{exten}"
            if device in self.phones:
                return Line(phones=(device,))
            if exten.isdecimal() and len(exten) >= 8:
                return Line(phones=(f"{self.trunk}:{exten}",), within=60)
        return self.lines.get(exten)
