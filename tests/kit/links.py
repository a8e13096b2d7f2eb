"""A link to a scripted AMI server, with short pauses, and what it told and heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from cti.clock import SystemClock
from cti.pbx.frames import Frame
from cti.pbx.link import Link, Pace
from cti.settings import PbxSettings
from tests.kit.ami import FakeAmi, States

SOON = timedelta(seconds=5)
QUICK = Pace(first=0.01, longest=0.02, refused=0.03)
CLOCK = SystemClock()


def settings(port: int, **changed: Any) -> PbxSettings:
    return PbxSettings.model_validate({"port": port, "secret": "s3cret", **changed})


class Heard:
    """What the consumer of a link was given."""

    def __init__(self, states: States) -> None:
        self.frames: list[Frame] = []
        self.states = states

    def __call__(self, frames: list[Frame]) -> None:
        self.frames += frames
        self.states.ring()

    @property
    def names(self) -> list[str]:
        return [frame.event for frame in self.frames]

    async def reach(self, count: int) -> list[str]:
        await self.states.until(lambda: len(self.frames) >= count)
        return self.names


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[asyncio.Task[None]]:
    """Run a link for a while, then stop it."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(link.run())
        try:
            yield task
        finally:
            await link.stop()


def new_link(fake: FakeAmi, **given: Any) -> tuple[Link, States, Heard]:
    states = States()
    heard = Heard(states)
    of_settings = given.pop("settings", {})
    role = given.pop("role", "listen")
    kwargs: dict[str, Any] = {"on_frames": heard, "on_state": states, "pace": QUICK, **given}
    link = Link(settings(fake.port, **of_settings), role, clock=CLOCK, **kwargs)
    return link, states, heard
