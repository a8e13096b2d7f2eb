"""Who wants to hear that something changed? Publish and subscribe inside one process.

A push is a hint to look again, never the news itself: whoever misses one asks anew.
Publishing never waits for a reader. Each reader has a mailbox with a bounded room in which
a newer push about the same thing takes the place of the older; when the room is full that
mailbox alone is closed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["card", "board", "links"]
Reason = Literal["overflow", "ended", "stopping", "left", "broke_rules"]
"""Why a mailbox was closed: too much waits, its rights are over, we stop, its reader went, or
did what it must not."""

BOARD: Final = "board"
"""The audience of the board: who may see all calls."""
ALL: Final = "all"
"""The audience of what every screen shows, such as the links to the PBXs."""


def person(id: str) -> str:
    """Name the audience that is one person, in however many tabs."""
    return f"person:{id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Something changed for an audience: `person:<id>`, `board` or `all`.

    `seq` is the number of the stored change (cards always have one), `call` the call that
    it is about.
    """

    audience: str
    kind: Kind
    seq: int | None = None
    call: str | None = None


class Letter:
    """One push on its way to many readers.

    `texts` keeps its encoded forms, so that it is encoded once, not once per reader.
    """

    __slots__ = ("push", "texts")

    def __init__(self, push: Push) -> None:
        self.push = push
        self.texts: dict[str, bytes] = {}


class Mailbox:
    """What one reader has not taken yet. Only the bus makes one; only one task takes from it."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._letters: dict[tuple[Kind, str | None], Letter] = {}
        self._waiting: asyncio.Future[None] | None = None
        self.closed: Reason | None = None

    def put(self, letter: Letter) -> None:
        """Add a letter in place of an older one about the same thing; close when full."""
        if self.closed is not None:
            return
        about = (letter.push.kind, letter.push.call)
        self._letters.pop(about, None)  # the newer goes to the end: numbers stay in order
        if len(self._letters) >= self._room:
            self.close("overflow")
            return
        self._letters[about] = letter
        self._wake()

    def close(self, reason: Reason) -> None:
        """Stop taking letters in and drop those that wait; the first reason stays."""
        if self.closed is None:
            self.closed = reason
            self._letters.clear()
            self._wake()

    async def take(self, within: float) -> list[Letter]:
        """Give what came, oldest first, as soon as there is any.

        Empty after `within` seconds of silence, and when the mailbox is `closed`.
        """
        if not self._letters and self.closed is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            silence = loop.call_later(within, self._wake)
            try:
                await self._waiting
            finally:
                silence.cancel()
                self._waiting = None
        letters = list(self._letters.values())
        self._letters.clear()
        return letters

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Bus:
    """The post office of one process."""

    def __init__(self) -> None:
        self._boxes: dict[str, set[Mailbox]] = {}

    def publish(self, push: Push) -> None:
        """Tell everybody in the push's audience. Never waits, never raises."""
        boxes = self._boxes.get(push.audience)
        if boxes:
            letter = Letter(push)
            for box in tuple(boxes):
                box.put(letter)

    @contextmanager
    def subscribe(self, *audiences: str, room: int = 256) -> Iterator[Mailbox]:
        """Open a mailbox for these audiences; it is gone when the block ends."""
        box = Mailbox(room)
        for audience in audiences:
            self._boxes.setdefault(audience, set()).add(box)
        try:
            yield box
        finally:
            for audience in audiences:
                boxes = self._boxes[audience]
                boxes.discard(box)
                if not boxes:
                    del self._boxes[audience]
