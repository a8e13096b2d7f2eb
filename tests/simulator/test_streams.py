"""What keeps the simulator honest: in the same situation it tells what a real Asterisk told.

Compared are all events that an account with the product's read rights hears, with all headers and
their order, per channel, dialled leg, visit, bridge, device and queue member. Not compared are
ids, times, and what depends on earlier calls. `tests/traces` was recorded with all classes; the
tapes here with the product's account, `systemname`, `timestampevents` and `channelvars`.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.kit.tiny_ami import Shaper, TinyClient, Told, seconds, told
from tests.simulator.stories import TAPES, TRACES, Story, lab

HERE: Final = Path(__file__).parent
RACES: Final = frozenset(
    {
        ("DialState", "DestChannelState"),  # DialState overtakes Newstate 5 now and then
        ("DialState", "DestChannelStateDesc"),
    }
)
RACES_OF_THE_TAPES: Final = RACES | {
    ("MixMonitorStart", "Priority"),  # a shorter dialplan
    ("OriginateResponse", "ActionID"),
    ("BridgeLeave", "BridgeNumChannels"),  # two threads leave at once
    ("BridgeLeave", "BridgeTechnology"),  # native_rtp, if there was time to change to it
    ("BridgeDestroy", "BridgeTechnology"),
}
RACES_OF_QUEUES: Final = RACES_OF_THE_TAPES | {
    ("NewConnectedLine", ""),  # the dialled leg learns the caller before or after it rings
    ("DialBegin", "DestExten"),
    ("DialBegin", "DestConnectedLineNum"),
    ("DialBegin", "DestConnectedLineName"),
}


async def played(story: Story, *, with_two: bool) -> list[Told]:
    """Let the simulator play a story; give what a client hears."""
    sim = lab(with_two=with_two)
    async with sim.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login()
        await story(sim, client)
        heard = await client.heard()
        await client.close()
    return heard


def same_seconds(real: list[Told], simulated: list[Told]) -> bool:
    """Whole seconds may differ by the one that the clock's second makes."""
    pairs = zip(seconds(real), seconds(simulated), strict=True)
    return all(r[:2] == s[:2] and abs(r[2] - s[2]) <= 1 for r, s in pairs)


@pytest.mark.parametrize("name", TRACES)
async def test_it_tells_what_asterisk_told_in_the_traces(name: str) -> None:
    real = told((HERE.parent / "traces" / f"{name}.ami").read_bytes())

    simulated = await played(TRACES[name], with_two=False)

    assert Shaper(RACES).shape(real) == Shaper(RACES).shape(simulated)
    assert same_seconds(real, simulated)


@pytest.mark.parametrize("name", TAPES)
async def test_it_tells_what_asterisk_told_on_the_tapes(name: str) -> None:
    real = told((HERE / "tapes" / f"{name}.ami").read_bytes())
    races = RACES_OF_QUEUES if "queue" in name else RACES_OF_THE_TAPES

    simulated = await played(TAPES[name], with_two=True)

    assert Shaper(races).shape(real) == Shaper(races).shape(simulated)
    assert same_seconds(real, simulated)


def test_a_stream_that_lacks_one_frame_has_another_shape() -> None:
    real = told((HERE.parent / "traces" / "answered-third-ring.ami").read_bytes())
    place = next(i for i, frame in enumerate(real) if frame.event == "Newstate")

    assert Shaper().shape(real) != Shaper().shape(real[:place] + real[place + 1 :])


@pytest.mark.parametrize("name", ["queue-ringall-one-answers", "caller-gives-up", "click-to-call"])
async def test_rings_last_as_long_as_on_the_real_phone(name: str) -> None:
    real = told((HERE.parent / "traces" / f"{name}.ami").read_bytes())

    simulated = await played(TRACES[name], with_two=False)

    assert rung(real) == pytest.approx(rung(simulated), abs=0.05)


def rung(frames: list[Told]) -> list[float]:
    """Give how long each leg rang, in seconds."""
    began = {
        f["Uniqueid"]: f.at for f in frames if (f.event, f["ChannelState"]) == ("Newstate", "5")
    }
    ended = {f["DestUniqueid"]: f.at for f in reversed(frames) if f.event == "DialEnd"}
    return [ended[leg] - at for leg, at in began.items()]


async def test_a_stream_played_again_is_the_same_but_for_its_times() -> None:
    first = await played(TAPES["queue-two-callers"], with_two=True)

    again = await played(TAPES["queue-two-callers"], with_two=True)

    assert [f.event for f in first] == [f.event for f in again]
    assert [round(f.at - first[1].at, 6) for f in first[1:]] == [
        round(f.at - again[1].at, 6) for f in again[1:]
    ]
