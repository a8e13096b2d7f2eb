"""What do all calls have in common? One root, dialled legs, phones that act, and the talk.

What is told, in which order and with which causes follows recorded streams of Asterisk 22
(tests/traces, tests/simulator/tapes); what no recording shows is marked as assumed.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cti.pbx.simulator.channels import Channel, Headers
from cti.pbx.simulator.time import SECOND, Life, Living, Timer
from cti.pbx.simulator.words import (
    Done,
    Ended,
    Goto,
    Habit,
    Killed,
    Moved,
    Picked,
    Plant,
    Rang,
    Step,
)

POST_DELAY_S: Final = 0.0012
"""From the INVITE to the phone's first answer, as on a local network."""
LATE_S: Final = 0.004
"""What was to last so long lasts a little longer, as on every recording: never less."""
TECH: Final = {17: "486", 19: "480", 21: "403", 27: "502"}
STATUS: Final = {17: "BUSY", 34: "CONGESTION", 3: "CHANUNAVAIL", 20: "CHANUNAVAIL"}


class Legs:
    """A call's channels, and what any of them may do."""

    def __init__(self, plant: Plant, *, over: Callable[[], None] | None = None) -> None:
        self.plant, self.board, self.time = plant, plant.board, plant.time
        self._over = over
        self._timers: list[Timer] = []
        self._asked: dict[str, Habit] = {}
        self._living: Living | None = None
        self._root: Channel | None = None
        self.caller: Channel | None = None
        self.number, self.patience, self.talk = "", 0.0, 0.0
        self.habits: Mapping[str, Habit] = {}
        self.answered_by = ""
        self.over = False

    @property
    def root(self) -> Channel:
        """The channel that the dialplan runs on; others are dialled from it."""
        if self._root is None:
            raise RuntimeError("a call without its first channel")
        return self._root

    @root.setter
    def root(self, channel: Channel) -> None:
        self._root = channel

    def say(self, word: object) -> None:
        """Tell the call what a phone, the customer or AMI does."""
        if self._living is not None:
            self._living.say(word)

    def vanish(self) -> None:
        """Let nothing be left of it, untold, as when the PBX dies."""
        if self._living is not None:
            self._living.end()
        self._close()

    def lead(self, life: Life[None]) -> None:
        """Let the call begin."""
        self._living = Living(self.time, self._watched(life))
        self.plant.calls.add(self.vanish)
        self._living.begin()

    def _watched(self, life: Life[None]) -> Life[None]:
        yield from life
        self._close()

    def _close(self) -> None:
        self.quiet()
        self.plant.calls.discard(self.vanish)
        if not self.over:
            self.over = True
            if self._over is not None:
                self._over()

    # Channels

    def own(self, channel: Channel, application: str = "", data: str = "") -> Channel:
        """Take a channel into this call."""
        channel.hear, channel.application, channel.data = self.say, application, data
        return channel

    def born_leg(self, device: str, application: str, *, outside: bool = False) -> Channel:
        """Bring a dialled leg into being."""
        leg = self.board.birth(
            device,
            0,
            context="from-trunk" if outside else "internal",
            exten="s",
            party=self.plant.party(device),
            parent=self.root,
        )
        return self.own(leg, application, "(Outgoing Line)")

    def cancel(self, legs: list[Channel], status: str, cause: int, tech: str = "") -> None:
        """Stop dialling all these legs."""
        for leg in legs:
            self.board.dial_end(self.root, leg, status)
        for leg in legs:
            self.board.death(leg, cause, tech)
        legs.clear()

    def root_leaves(self) -> tuple[int, str]:
        """Tell that the caller hangs up while others ring; give cause and SIP code of it."""
        cause, tech = (16, "") if self.root.state == 6 else (19, "487")
        self.board.hang_request(self.root, cause, tech)
        return cause, tech

    def goes_on(self, channel: Channel, context: str, exten: str) -> Goto:
        """Send a channel to another number; whoever waits there has patience anew."""
        self.quiet()
        if self.patience:
            self.later(self.patience + LATE_S, Ended(channel))
        channel.context, channel.exten, channel.priority = context, exten, 1
        return Goto()

    # Talk

    def talking(self, leg: Channel, complete: Callable[[str], None] | None = None) -> Life[Step]:
        """Let the caller and a leg talk until one of them hangs up or is sent elsewhere.

        A queue that brought the talk about hears by `complete` when it is over, and why.
        """
        board, root = self.board, self.root
        bridge = board.bridge(leg, root)
        self._connected(leg)
        where = (root.context, root.exten)
        polite = 0 if complete else 16  # a queue's HangupRequest shows no cause
        while True:
            word = yield None
            match word:
                case Ended(gone) if gone in (root, leg):
                    board.hang_request(gone, polite)
                    first, reason = gone, "caller" if gone is root else "agent"
                case Killed(channel) if channel in (root, leg):
                    first, reason = channel, "caller" if channel is root else "agent"
                case Moved(goer, context, exten) if goer in (root, leg):
                    first, reason = goer, "transfer"
                    where = (context, exten)
                    self._transfers(bridge.headers(), leg if goer is root else root, word)
                case _:
                    continue
            break
        if complete is not None:
            complete(reason)
        last = leg if first is root else root
        if reason == "transfer":
            self.goes_on(first, *where)
        board.leave(bridge, first)
        board.leave(bridge, last)
        if reason == "transfer":
            self.root = first
            board.death(last, 16)
            return Goto()
        board.death(leg, 16)
        board.soft_hangup(root)
        board.death(root, 16)
        return Done()

    def _transfers(self, bridge: Headers, stays: Channel, move: Moved) -> None:
        if move.blind:
            self.board.about("Unhold", stays)
            headers = [
                ("Result", "Success"),
                *stays.headers("Transferer"),
                *move.channel.headers("Transferee"),
                *bridge,
                ("IsExternal", "Yes"),
                ("Context", move.context),
                ("Extension", move.exten),
            ]
            self.board.tell("BlindTransfer", "call", headers)

    def _connected(self, leg: Channel) -> None:
        self.quiet()
        self.answered_by = leg.device
        self.talks(leg)
        self.talks(self.root)
        if self.talk and self.root.device == self.plant.trunk:
            self.later(self.talk + LATE_S, Ended(self.root))

    def talks(self, channel: Channel) -> None:
        """Let a phone that was called do what it does in a talk."""
        habit = self._asked.get(channel.name)
        if habit is None:
            return
        if habit.talk is not None:
            self.later(habit.talk + LATE_S, Ended(channel))
        if habit.transfers_to and channel is not self.root:
            move = Moved(self.root, "internal", habit.transfers_to, blind=True)
            self.later(habit.transfers_after + LATE_S, move)

    # Phones and time

    def ask(self, leg: Channel, whom: str) -> None:
        """Let a phone hear that it is called: a device, or a number outside."""
        others = [c for c in self.board.channels.values() if c.device == leg.device]
        habit = self.habits.get(whom) or self.plant.habit(whom, self.number)
        if len(others) > 1 and leg.device != self.plant.trunk:
            habit = Habit(does="ends")
        self._asked[leg.name] = habit
        if habit.does != "ends" or habit.after > 0:
            self.later(POST_DELAY_S, Rang(leg))
        if habit.does == "answers":
            self.later(POST_DELAY_S + habit.after + LATE_S, Picked(leg))
        elif habit.does == "ends":
            late = habit.after + LATE_S if habit.after > 0 else 0.0
            self.later(POST_DELAY_S + late, Ended(leg, habit.cause))

    def later(self, seconds: float, word: object) -> None:
        """Say something to the call then, unless it comes to a talk or another number before."""
        self._timers.append(self.time.after(seconds, lambda: self.say(word)))

    def quiet(self) -> None:
        """Forget what was to be said later."""
        for timer in self._timers:
            timer.off()
        self._timers.clear()

    def until(self, seconds: float) -> int:
        """Give the instant when something that is to last so many seconds from now is over."""
        return self.time.at + round((seconds + LATE_S) * SECOND)

    def left(self, until: int) -> float:
        """Give the seconds left until an instant, never less than none."""
        return max(until - self.time.at, 0) / SECOND

    def whole_seconds(self, since: int) -> int:
        """Count seconds as Asterisk does, by the second's number on the clock."""
        return self.time.at // SECOND - since // SECOND
