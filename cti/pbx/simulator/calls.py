"""How does a call go on the simulated PBX? How it begins, and what its dialplan does with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cti.pbx.simulator.channels import UNKNOWN, Channel
from cti.pbx.simulator.legs import LATE_S, STATUS, TECH, Legs
from cti.pbx.simulator.queues import Waiting
from cti.pbx.simulator.time import SECOND, Life
from cti.pbx.simulator.words import (
    Done,
    Ended,
    Goto,
    Killed,
    Moved,
    Next,
    Order,
    Picked,
    Rang,
    Step,
)

PRESENTATION: Final = ("CID-CallingPres", "0 (Presentation Allowed, Not Screened)")
MOST_CHANNELS: Final = 5000
MOST_ATTEMPTS: Final = 10_000

GUARD: Final = "cti-dial"
RECORDED: Final = "cti-recorded"


class Call(Legs):
    """One call, from its first channel to its last. Say words to it, and read what became of it."""

    def call_in(self, *, number: str, name: str, to: str, patience: float, talk: float) -> None:
        """Let a customer call; `patience` until the answer, `talk` after it, in seconds."""
        self.number, self.patience, self.talk = number, patience, talk
        self.lead(self._inbound(name, to))

    def originate(self, order: Order) -> None:
        """Let AMI call out."""
        self.lead(self._originated(order))

    def _inbound(self, name: str, to: str) -> Life[None]:
        if self.plant.line("from-trunk", to) is None:
            return  # the trunk is told 404, and no channel is born
        party = (self.number, name)
        root = self.board.birth(self.plant.trunk, 4, context="from-trunk", exten=to, party=party)
        self.root = self.caller = self.own(root)
        root.dialled = to
        self.later(self.patience + LATE_S, Ended(root))
        yield from self._plan({})

    def _originated(self, order: Order) -> Life[None]:
        if not self._possible(order):
            yield 0.0
            self._response(order, None, 0)
            return
        self.root = root = self._first_leg(order)
        if (yield from self._first_answer(order)):
            root.context, root.exten = order.context, order.exten
            yield from self._plan(order.variables)

    def _possible(self, order: Order) -> bool:
        """Tell whether the ordered leg can be born: no phone, no contact, or an id that lives."""
        known = order.device in self.plant.phones or order.device == self.plant.trunk
        taken = {channel.uniqueid for channel in self.board.channels.values()}
        reached = order.device not in self.board.unregistered and len(taken) < MOST_CHANNELS
        return known and reached and order.channel_id not in taken

    def _first_leg(self, order: Order) -> Channel:
        board, outside = self.board, order.device == self.plant.trunk
        root = board.birth(
            order.device,
            0,
            context="from-trunk" if outside else "internal",
            exten="s",
            party=self.plant.party(order.device),
            uniqueid=order.channel_id,
        )
        number, title = order.caller
        if number or title:
            root.number, root.title = number or root.number, title or root.title
            board.about("NewCallerid", root, PRESENTATION)
            root.other_number, root.other_title = number, title
            board.about("NewConnectedLine", root)
        name = order.device.partition("/")[2]
        dialled = f"{order.number}@{name}" if outside else name
        board.dial("DialBegin", None, root, ("DialString", dialled))
        self.own(root, "AppDial2", "(Outgoing Line)")
        self.ask(root, order.number if outside else order.device)
        return root

    def _first_answer(self, order: Order) -> Life[bool]:
        """Ring the leg that AMI ordered; tell whether it was picked up."""
        board, root, until = self.board, self.root, self.until(order.timeout)
        while True:
            match (yield self.left(until)):
                case Rang(leg) if leg is root:
                    board.alert(None, root)
                case Picked(leg) if leg is root:
                    board.up(root)
                    self._response(order, root, 4)
                    board.dial_end(None, root, "ANSWER")
                    self.talks(root)
                    return True
                case Ended(leg, cause) if leg is root:
                    board.hang_request(root, cause, TECH.get(cause, ""))
                    board.dial_end(None, root, STATUS.get(cause, "NOANSWER"))
                    self._response(order, None, 0)
                    board.death(root, cause, TECH.get(cause, ""))
                    return False
                case Killed(channel) if channel is root:  # assumed
                    board.dial_end(None, root, "CANCEL")
                    self._response(order, None, 0)
                    board.death(root, 16)
                    return False
                case None:
                    self._response(order, None, 3)
                    board.death(root, 19, TECH[19])
                    return False
                case _:
                    pass

    def _response(self, order: Order, root: Channel | None, reason: int) -> None:
        number, title = order.caller
        headers = [
            ("ActionID", order.action_id),
            ("Response", "Success" if root else "Failure"),
            ("Channel", root.name if root else order.device),
            ("Context", order.context),
            ("Exten", order.exten),
            ("Reason", str(reason)),
            ("Uniqueid", root.uniqueid if root else order.channel_id or UNKNOWN),
            ("CallerIDNum", number or UNKNOWN),
            ("CallerIDName", title or UNKNOWN),
        ]
        if root:
            headers.append((f"ChanVariable({root.name})", f"MIXMONITOR_FILENAME={root.recording}"))
        self.board.tell("OriginateResponse", "call", headers if order.action_id else headers[1:])

    # The dialplan

    def _plan(self, variables: Mapping[str, str]) -> Life[None]:
        step: Step = Goto()
        while isinstance(step, Goto):
            if self.root.context == RECORDED:
                self._record()
                self.root.context = GUARD
            if self.root.context == GUARD:
                step = yield from self._guarded(variables)
            else:
                step = yield from self._line()
        if isinstance(step, Next):
            self.root.priority += 1
            self.board.soft_hangup(self.root)
            self.board.death(self.root, step.cause, step.tech)

    def _line(self) -> Life[Step]:
        root, line = self.root, self.plant.line(self.root.context, self.root.exten)
        if line is None:
            return Next()
        if root.context == "from-trunk":
            self._record()
            root.priority = 2
        if (queue := self.board.queues.get(line.queue)) is not None:
            root.application, root.data = "Queue", f"{queue.name},t,,,{line.within:.0f}"
            return (yield from Waiting(self, queue).lead(line.within))
        return (yield from self._dial(line.phones, line.within))

    def _record(self) -> None:
        root = self.root
        if self.plant.records and not root.recording:
            self.plant.recorded += 1
            began = datetime.fromtimestamp(root.born // SECOND, UTC)
            name = f"{began:%Y%m%d-%H%M%S}-{self.plant.recorded:05d}"
            root.recording = f"/var/spool/asterisk/monitor/{name}.wav"
            self.board.about("MixMonitorStart", replace(root, context="rec", exten="s", priority=2))

    def _guarded(self, variables: Mapping[str, str]) -> Life[Step]:
        """Dial a customer once per attempt: the context that config/asterisk ships."""
        root, store, now = self.root, self.board.store, self.time.at // SECOND
        attempt, last = variables.get("CTI_ATTEMPT", ""), variables.get("CTI_DEADLINE", "")
        if not attempt or not last.isdecimal() or now > int(last):
            return self._refused(attempt, "refused", 13)
        if f"cti/{attempt}" in store:
            return self._refused(attempt, "duplicate", 11)
        if len(store) >= MOST_ATTEMPTS:
            del store[next(iter(store))]
        store[f"cti/{attempt}"] = str(now)
        root.priority = 7
        self._guard_says(attempt, "dial")
        root.priority = 8
        ring = variables.get("CTI_RING", "")
        within = float(ring[:4]) if ring.isdecimal() else 60.0
        return (yield from self._dial((f"{self.plant.trunk}:{root.exten}",), within))

    def _refused(self, attempt: str, result: str, priority: int) -> Step:
        self.root.priority = priority
        self._guard_says(attempt, result)
        return Next()

    def _guard_says(self, attempt: str, result: str) -> None:
        words = [("UserEvent", "CtiDial"), ("Attempt", attempt), ("Result", result)]
        self.board.tell("UserEvent", "user", [*self.root.headers(), *words])

    # Dial

    def _dial(self, targets: Sequence[str], within: float) -> Life[Step]:
        board, root = self.board, self.root
        names = "&".join(target.partition(":")[0] for target in targets)
        root.application, root.data = "Dial", f"{names},{within:.0f},tT"
        legs = [leg for target in targets if (leg := self._leg(target)) is not None]
        if not legs:
            return Next(3, "404")
        for leg in legs:
            board.dial("DialBegin", root, leg, ("DialString", leg.dialled))
        if len(legs) == 1:
            root.connect(legs[0])
            board.about("NewConnectedLine", root)
        until, failed = self.until(within), Next()
        while legs:
            match (yield self.left(until)):
                case Rang(leg) if leg in legs:
                    board.alert(root, leg)
                    board.refresh(root.device)
                case Picked(leg) if leg in legs:
                    return (yield from self._taken(leg, legs))
                case Ended(leg, cause) if leg in legs:
                    failed = self._not_taken(leg, legs, cause)
                case Killed(channel) if channel in legs:
                    legs.remove(channel)
                    board.dial_end(root, channel, "NOANSWER")
                    board.death(channel, 0)
                case None:
                    self.cancel(legs, "NOANSWER", 0)
                    failed = Next()
                case word:
                    if (step := self._caller_goes(word, legs)) is not None:
                        return step
        return failed

    def _leg(self, target: str) -> Channel | None:
        """Bring a dialled leg into being; None when the phone is not registered."""
        device, _, number = target.partition(":")
        if device in self.board.unregistered:
            return None
        leg = self.born_leg(device, "AppDial", outside=bool(number))
        leg.connect(self.root)
        leg.exten = self.root.exten
        leg.dialled = device.partition("/")[2]
        if number:
            leg.number, leg.dialled = number, f"{number}@{leg.dialled}"
            self.board.about("NewCallerid", leg, PRESENTATION)
        self.board.about("NewConnectedLine", leg)
        self.ask(leg, number or device)
        return leg

    def _taken(self, leg: Channel, legs: list[Channel]) -> Life[Step]:
        board, root = self.board, self.root
        board.up(leg)
        leg.exten = ""
        if (root.other_number, root.other_title) != (leg.number, leg.title):
            root.connect(leg)
            board.about("NewConnectedLine", root)
        losers = [other for other in legs if other is not leg]
        for loser in losers:
            board.dial_end(root, loser, "CANCEL")
        board.dial_end(root, leg, "ANSWER")
        board.up(root)
        for loser in losers:
            board.death(loser, 26)
        return (yield from self.talking(leg))

    def _not_taken(self, leg: Channel, legs: list[Channel], cause: int) -> Next:
        legs.remove(leg)
        tech = TECH.get(cause, "")
        self.board.hang_request(leg, cause, tech)
        self.board.dial_end(self.root, leg, STATUS.get(cause, "NOANSWER"))
        self.board.death(leg, cause, tech)
        return Next(cause, tech)

    def _caller_goes(self, word: object, legs: list[Channel]) -> Step | None:
        """Handle what ends a dialling from the caller's side; None: the word is none of that."""
        board, root = self.board, self.root
        match word:
            case Ended(gone) if gone is root:
                cause, tech = self.root_leaves()
                self.cancel(legs, "CANCEL", cause, TECH.get(cause, ""))
                board.soft_hangup(root, tech)
                board.death(root, cause, tech)
                return Done()
            case Killed(channel, cause) if channel is root:
                self.cancel(legs, "CANCEL", 16)
                board.soft_hangup(root)
                board.death(root, cause)
                return Done()
            case Moved(channel, context, exten) if channel is root:
                self.cancel(legs, "CANCEL", 16)  # assumed
                return self.goes_on(root, context, exten)
            case _:
                return None
