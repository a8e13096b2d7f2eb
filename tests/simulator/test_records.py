"""The simulator may stand in for Asterisk in a quick test: the product's records are the same."""

from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

from cti.calls.book import trunk_matcher
from cti.calls.replay import as_json, replay
from cti.house import House
from cti.pbx.simulator import Day, Guest, Simulator
from tests.kit.tiny_ami import TinyClient
from tests.simulator.stories import TAPES, TRACES, Story, lab

HERE: Final = Path(__file__).parent
OWN: Final = frozenset({"began", "channel", "recordings"})
"""What each PBX names by itself."""


def recorded(raw: bytes) -> list[dict[str, Any]]:
    """Give the product's records of a stream."""
    records = replay([(raw, None)], is_trunk=trunk_matcher(["PJSIP/trunk*"]), house=House())
    return [as_json(record) for record in records]


async def stream(story: Story, *, with_two: bool) -> bytes:
    """Let the simulator play a story; give what went over the wire."""
    sim = lab(with_two=with_two)
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login()
        await story(sim, client)
        await client.heard()
        await client.close()
    return bytes(client.raw)


def alike(real: Any, simulated: Any, within_ms: int) -> bool:
    """Compare records: times within so many milliseconds, all else exactly."""
    if isinstance(real, dict) and isinstance(simulated, dict):
        return real.keys() == simulated.keys() and all(
            alike(value, simulated[name], 0 if name == "rings" else within_ms)
            for name, value in real.items()
            if name not in OWN
        )
    if isinstance(real, list) and isinstance(simulated, list):
        return len(real) == len(simulated) and all(
            alike(one, other, within_ms) for one, other in zip(real, simulated, strict=True)
        )
    if type(real) is int and type(simulated) is int:
        return abs(real - simulated) <= within_ms
    return bool(real == simulated)


@pytest.mark.parametrize("name", TRACES)
async def test_the_product_records_the_traces_and_their_simulation_alike(name: str) -> None:
    real = recorded((HERE.parent / "traces" / f"{name}.ami").read_bytes())

    simulated = recorded(await stream(TRACES[name], with_two=False))

    assert alike(real, simulated, within_ms=50), (real, simulated)


@pytest.mark.parametrize("name", TAPES)
async def test_the_product_records_the_tapes_and_their_simulation_alike(name: str) -> None:
    """Transfers and hang-ups by AMI were done by hand: their instants are not the same."""
    real = recorded((HERE / "tapes" / f"{name}.ami").read_bytes())

    simulated = recorded(await stream(TAPES[name], with_two=True))

    assert alike(real, simulated, within_ms=700), (real, simulated)


async def test_every_call_of_a_day_is_recorded_once_and_whole(
    sim: Simulator, client: TinyClient
) -> None:
    guests = [Guest(number=f"1380013{place:04d}") for place in range(40)]
    today = Day(guests, lines=["4000", "4001"], phones=["6001", "6002", "6003"], seed=5)
    lived = today.begin(sim)
    for _ in range(90):
        await sim.passes(60)
        await client.heard()
    lived.end()
    await sim.passes(300)
    await client.heard()

    records = recorded(bytes(client.raw))

    planned = list(islice(today.calls(), len(records)))
    assert len(records) > 80
    assert not any(record["approximate"] for record in records)
    assert [one.guest.number if one.guest else "anonymous" for one in planned] == [
        record["caller"] for record in records
    ]
    assert {"answered", "missed"} == {record["outcome"] for record in records}
    lost = {record["reason"] for record in records}
    assert {None, "all_busy", "abandoned_ringing", "rang_out"} <= lost
    assert sum(one.course != "answered" for one in planned) <= sum(
        record["outcome"] == "missed" for record in records
    )
