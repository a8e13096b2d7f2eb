"""What does a screen get to read just now? Messages in the shapes of `cti.web.wire`."""

from collections.abc import Mapping
from typing import Any

from cti.bus import Letter
from cti.clock import Clock
from cti.people.rules import Person
from cti.web import wire
from cti.web.ports import Desk
from cti.web.roles import sees_callers, without_callers


class Messages:
    """Builds messages from the desk as it is at this moment. Never waits."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    def snapshot(self, person: Person) -> dict[str, Any]:
        """Everything on this person's screen."""
        return self._message(
            "snapshot",
            seq=self._desk.last_seq(),
            epoch=self._desk.epoch,
            person={"number": person.number, "name": person.name, "role": person.role},
            links=list(self._desk.links()),
            cards=list(self._desk.cards(person.id)),
        )

    def card(self, person: str, call: str, seq: int | None) -> dict[str, Any]:
        """One card as it is now; a call that is forgotten takes its card away."""
        card = self._desk.card(person, call) or wire.gone(call)
        return self._message("card", seq=seq, card=card)

    def board(self, person: Person) -> dict[str, Any]:
        """The board, as far as this person may see it."""
        board: Mapping[str, Any] = self._desk.board()
        if not sees_callers(person):
            board = without_callers(board)
        return self._message("board", board=board)

    def links(self) -> dict[str, Any]:
        """The links to the PBXs."""
        return self._message("links", links=list(self._desk.links()))

    def ping(self) -> dict[str, Any]:
        """A sign of life."""
        return self._message("ping")

    def reset(self) -> dict[str, Any]:
        """What was missed is no longer kept."""
        return self._message("reset")

    def last_seq(self) -> int:
        """Give the number up to which a message built now knows everything."""
        return self._desk.last_seq()

    def missed(
        self, person: str, since: int | None, epoch: str | None
    ) -> list[dict[str, Any]] | None:
        """What a screen needs that knows everything up to `since`; nothing: it must begin anew.

        Each call once, as it is now, under its latest number; then the links.
        """
        if since is None or epoch != self._desk.epoch or since > self._desk.last_seq():
            return None
        changes = self._desk.since(person, since)
        if changes is None:
            return None
        latest = {call: seq for seq, call in changes}
        cards = sorted((seq, call) for call, seq in latest.items())
        return [*(self.card(person, call, seq) for seq, call in cards), self.links()]

    def of(self, letter: Letter, person: Person) -> bytes:
        """Encode what a letter points at, once for all who may see the same."""
        push = letter.push
        form = push.kind if sees_callers(person) else f"{push.kind} without callers"
        text = letter.texts.get(form)
        if text is None:
            text = letter.texts[form] = wire.encode(self._pointed_at(letter, person))
        return text

    def _pointed_at(self, letter: Letter, person: Person) -> dict[str, Any]:
        push = letter.push
        match push.kind:
            case "card":
                return self.card(person.id, push.call or "", push.seq)
            case "board":
                return self.board(person)
            case "links":
                return self.links()

    def _message(self, type: str, **content: Any) -> dict[str, Any]:
        return {"type": type, "now": wire.stamp(self._clock.now()), **content}
