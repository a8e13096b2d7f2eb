"""What a screen asks about a live recording: by whom, in which form, and what it is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from cti.errors import Refused
from cti.people.rules import Person
from recordings.live import LiveRoom
from tests.kit.web import LIN, MAY, OU, TAM, Seat, Stage, stage


class FakeControl:
    """Notes what it is asked; refuses one call."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str]] = []

    async def do(self, deed: str, call: str, person: Person, address: str = "") -> None:
        if call == "unsure":
            raise Refused("control_unsure", "the PBX did not answer")
        self.done.append((deed, call, person.id))


@dataclass
class Place:
    """The one address, served."""

    control: FakeControl
    it: Stage

    async def asks(self, seat: Seat, body: Any, call: str = "k1", **how: Any) -> tuple[int, Any]:
        path, headers = f"/api/v1/calls/{call}/recording", how.pop("headers", seat.headers)
        async with seat.browser.post(path, headers=headers, json=body, **how) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A server with nothing else."""
    control = FakeControl()
    async with stage(rooms=[LiveRoom(control)]) as it:
        yield Place(control, it)


async def test_who_is_in_the_call_and_who_leads_may_ask(place: Place) -> None:
    for who in (MAY, LIN):
        told = await place.asks(await place.it.enters(who), {"do": "pause"})

        assert (200, {"done": "pause"}) == told
    assert [("pause", "k1", MAY.id), ("pause", "k1", LIN.id)] == place.control.done


@pytest.mark.parametrize("who", [OU, TAM], ids=["auditor", "technician"])
async def test_who_only_reads_may_not(place: Place, who: Person) -> None:
    status, told = await place.asks(await place.it.enters(who), {"do": "pause"})

    assert (403, "role") == (status, told["code"])
    assert [] == place.control.done


async def test_without_the_pages_token_nothing_is_done(place: Place) -> None:
    status, told = await place.asks(await place.it.enters(MAY), {"do": "pause"}, headers={})

    assert (403, "csrf") == (status, told["code"])


@pytest.mark.parametrize("body", [{"do": "erase"}, {}, [], {"do": "pause", "channel": "x"}])
async def test_what_is_no_deed_is_refused(place: Place, body: Any) -> None:
    status, told = await place.asks(await place.it.enters(MAY), body)

    assert (400, "body") == (status, told["code"])
    assert [] == place.control.done


async def test_a_pbx_that_does_not_answer_is_told_in_words(place: Place) -> None:
    status, told = await place.asks(await place.it.enters(MAY), {"do": "pause"}, call="unsure")

    assert (409, "control_unsure") == (status, told["code"])
    assert "take it that the call is being recorded" in told["message"]
