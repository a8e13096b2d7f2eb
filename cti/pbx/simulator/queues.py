"""How does a caller fare in a queue? Who is called, in which order, and who gives up when."""

from dataclasses import replace
from typing import Final

from cti.pbx.simulator.channels import Channel, Headers, Member, Queue, Visit
from cti.pbx.simulator.legs import TECH, Legs
from cti.pbx.simulator.time import SECOND, Life
from cti.pbx.simulator.words import Done, Ended, Killed, Moved, Next, Picked, Rang, Step

SHORTEST_RETRY_S: Final = 0.1


class Waiting:
    """One caller's stay in one queue."""

    def __init__(self, call: Legs, queue: Queue) -> None:
        self.call, self.queue, self.board = call, queue, call.board
        self.visit = Visit(
            queue=queue,
            channel=call.root,
            joined=call.time.at,
            first_position=len(queue.visits) + 1,
        )
        self._began = 0
        self._legs: dict[Channel, Member] = {}

    def lead(self, within: float) -> Life[Step]:
        """Wait until somebody takes the call, the caller leaves, or so many seconds are over."""
        visit, queue, call = self.visit, self.queue, self.call
        until = call.until(within)
        queue.visits.append(visit)
        self.board.crowd(queue)
        here = str(visit.position())
        self._tell("QueueCallerJoin", ("Position", here), ("Count", here))
        while (left := call.left(until)) > 0:
            if members := self._turn():
                visit.served = True
                step = yield from self._round(members, min(queue.timeout, left))
                visit.served = False
                if step is not None:
                    return step
            pause = min(max(queue.retry, SHORTEST_RETRY_S), call.left(until))
            if (step := (yield from self._rest(pause))) is not None:
                return step
        self._abandons()
        return Next()

    def _turn(self) -> list[Member]:
        """Tell who may be called for this caller now, in which order; none: others are first."""
        visit, queue = self.visit, self.queue
        free = list(self.board.free(queue))
        if not all(other.served for other in queue.visits[: visit.position() - 1]):
            return []
        if queue.strategy == "ringall":
            return free
        first = visit.next_member if queue.strategy == "linear" else queue.next_member
        places = {id(member): place for place, member in enumerate(queue.members)}
        return sorted(free, key=lambda member: (places[id(member)] < first, places[id(member)]))

    def _rest(self, seconds: float) -> Life[Step | None]:
        until = self.call.until(seconds)
        while (left := self.call.left(until)) > 0:
            word = yield left
            if word is not None and (step := self._caller_goes(word)) is not None:
                return step
        return None

    def _round(self, members: list[Member], timeout: float) -> Life[Step | None]:
        """Ring one round; None when nobody took the call and the caller still waits."""
        board, call, legs = self.board, self.call, self._legs
        self._began, until = call.time.at, call.until(timeout)
        self._call_next(members)
        while legs:
            match (yield call.left(until)):
                case Rang(leg) if leg in legs:
                    board.alert(call.root, leg)
                    board.about("NewConnectedLine", leg)
                case Picked(leg) if leg in legs:
                    return (yield from self._taken(leg))
                case Ended(leg, cause) if leg in legs:
                    board.hang_request(leg, cause, TECH.get(cause, ""))
                    self._not_taken(leg, cause)
                case Killed(channel) if channel in legs:
                    self._not_taken(channel, 0)
                case None:
                    self._round_over(timeout)
                    return None
                case word:
                    if (step := self._caller_goes(word)) is not None:
                        return step
            self._call_next(members)
        return None

    def _call_next(self, members: list[Member]) -> None:
        """Call all who are left, or the next when nobody rings: as the strategy says."""
        while members and (self.queue.strategy == "ringall" or not self._legs):
            self._call(members.pop(0))

    def _call(self, member: Member) -> None:
        board, queue, root = self.board, self.queue, self.call.root
        leg = self.call.born_leg(member.device, "AppQueue")
        self._legs[leg] = member
        before = replace(leg)  # DialBegin shows the leg as it was before it knew the caller
        leg.connect(root)
        leg.exten = root.exten
        self._agent("AgentCalled", leg, member)
        board.dial("DialBegin", root, before, ("DialString", member.device))
        self.visit.next_member = queue.next_member = queue.members.index(member) + 1
        if queue.strategy != "ringall":
            root.connect(leg)
            board.about("NewConnectedLine", root)
        self.call.ask(leg, member.device)

    def _taken(self, leg: Channel) -> Life[Step]:
        board, root, queue, member = self.board, self.call.root, self.queue, self._legs.pop(leg)
        losers = list(self._legs)
        self._legs.clear()
        member.in_call = True
        board.up(leg)
        board.dial_end(root, leg, "ANSWER")
        for loser in losers:
            board.dial_end(root, loser, "CANCEL")
        if queue.strategy == "ringall":
            root.connect(leg)
            board.about("NewConnectedLine", root)
        self.call.cancel(losers, "CANCEL", 26)
        self._leaves()
        held = self.call.whole_seconds(self.visit.joined)
        rang = (self.call.time.at - self._began) // SECOND
        hold = ("HoldTime", str(held))
        self._agent("AgentConnect", leg, member, hold, ("RingTime", str(rang)))
        queue.hold_s = (queue.hold_s * 3 + held) // 4 if queue.hold_s else held
        board.up(root)
        began = self.call.time.at

        def complete(reason: str) -> None:
            talk = self.call.whole_seconds(began)
            queue.completed, queue.talk_s = queue.completed + 1, talk
            member.taken, member.in_call = member.taken + 1, False
            member.last_call = self.call.time.at // SECOND
            self._agent(
                "AgentComplete", leg, member, hold, ("TalkTime", str(talk)), ("Reason", reason)
            )

        return (yield from self.call.talking(leg, complete))

    def _not_taken(self, leg: Channel, cause: int) -> None:
        member = self._legs.pop(leg)
        self.board.dial_end(self.call.root, leg, "NOANSWER")
        rang = self.call.whole_seconds(self._began) * 1000
        self._agent("AgentRingNoAnswer", leg, member, ("RingTime", str(rang)))
        self.board.death(leg, cause, TECH.get(cause, ""))

    def _round_over(self, timeout: float) -> None:
        for leg, member in self._legs.items():
            rang = ("RingTime", str(round(timeout) * 1000))
            self._agent("AgentRingNoAnswer", leg, member, rang)
            self.board.dial_end(self.call.root, leg, "NOANSWER")
        self.call.cancel(list(self._legs), "CANCEL", 0)
        self._legs.clear()

    def _caller_goes(self, word: object) -> Step | None:
        """Handle what takes the caller out of the queue; None: the word is none of that."""
        call, board, root = self.call, self.board, self.call.root
        legs, cause, tech = list(self._legs), 0, ""
        match word:
            case Ended(gone) if gone is root:
                cause, tech = call.root_leaves()
            case Killed(channel, asked) if channel is root:
                cause = asked
            case Moved(channel, context, exten) if channel is root:
                self._legs.clear()
                call.cancel(legs, "CANCEL", 0)  # assumed
                self._leaves()
                return call.goes_on(root, context, exten)
            case _:
                return None
        self._legs.clear()
        for leg in legs:
            board.dial_end(root, leg, "CANCEL")
        call.cancel(legs, "CANCEL", 0)
        self._abandons()
        board.soft_hangup(root, tech)
        board.death(root, cause, tech)
        return Done()

    def _abandons(self) -> None:
        self.queue.abandoned += 1
        self._tell(
            "QueueCallerAbandon",
            ("Position", str(self.visit.position())),
            ("OriginalPosition", str(self.visit.first_position)),
            ("HoldTime", str(self.call.whole_seconds(self.visit.joined))),
        )
        self._leaves()

    def _leaves(self) -> None:
        where = ("Position", str(self.visit.position()))
        self.queue.visits.remove(self.visit)
        self.board.crowd(self.queue)
        self._tell("QueueCallerLeave", where, ("Count", str(len(self.queue.visits))))

    def _tell(self, event: str, *more: tuple[str, str]) -> None:
        headers = [*self.visit.channel.headers(), ("Queue", self.queue.name), *more]
        self.board.tell(event, "agent", headers)

    def _agent(self, event: str, leg: Channel, member: Member, *more: tuple[str, str]) -> None:
        who: Headers = [
            ("Queue", self.queue.name),
            ("Interface", member.device),
            ("MemberName", member.name),
        ]
        headers = [*self.visit.channel.headers(), *leg.headers("Dest"), *who, *more]
        self.board.tell(event, "agent", headers)
