"""What the simulated PBX records: can it be heard, and who is on which side?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from cti.clock import SetClock
from cti.demo import SPOOL
from cti.demo_voices import RATE, TURN_S, Voices
from cti.pbx.simulator import Simulator
from tests.kit.etc import SECRET
from tests.kit.pbx import account
from tests.kit.tiny_ami import TinyClient


def test_customer_and_agent_speak_in_turn_each_on_a_side(tmp_path: Path) -> None:
    Voices(tmp_path / "spool").record(f"{SPOOL}/one.wav", 6.0)

    sound, rate = soundfile.read(tmp_path / "spool" / "one.wav")

    turn = int(TURN_S * RATE)
    loud = [
        [
            round(float(np.abs(sound[n * turn : (n + 1) * turn, side]).max()), 1) > 0
            for side in (0, 1)
        ]
        for n in (0, 1)
    ]
    assert (rate, len(sound)) == (RATE, 6 * RATE)
    assert [[True, False], [False, True]] == loud


def test_what_was_muted_is_silent(tmp_path: Path) -> None:
    Voices(tmp_path).record(f"{SPOOL}/one.wav", 6.0, [(1.0, 2.0), (5.5, 9.0)])

    sound, _ = soundfile.read(tmp_path / "one.wav")
    loud = [float(np.abs(sound[RATE * n // 2 : RATE * (n + 1) // 2]).max()) > 0 for n in range(12)]

    assert [2, 3, 11] == [half for half in range(12) if not loud[half]]


async def test_what_is_muted_at_the_pbx_is_told_with_the_recording() -> None:
    recorded = list[Sequence[tuple[float, float]]]()
    simulator = Simulator(
        clock=SetClock(datetime(2026, 11, 27, 4, tzinfo=UTC)),
        accounts=[account()],
        recorded=lambda _path, _seconds, muted: recorded.append(muted),
    )
    async with simulator.running() as (host, port):
        client = await TinyClient.open(host, port)
        await client.login(Secret=SECRET)
        simulator.phone("6001").answers_after(5)
        call = await simulator.customer_calls(number="13800138000", to="4000", talk=20)
        await simulator.passes(10)
        channel = next(name for name in simulator.board.channels if "trunk" in name)
        for state in ("1", "1", "0", "1"):
            await client.act("MixMonitorMute", Channel=channel, Direction="both", State=state)
            await simulator.passes(2)
        await simulator.passes(30)
        await call.ended()
        await client.close()

    (((on, off), (again, end)),) = recorded
    assert (4, 2, True) == (round(off - on), round(again - off), end > 19)


async def test_a_talk_is_recorded_and_who_gives_up_is_not() -> None:
    recorded = list[tuple[str, float]]()
    clock = SetClock(datetime(2026, 11, 27, 4, tzinfo=UTC))
    simulator = Simulator(
        clock=clock, recorded=lambda path, seconds, _muted: recorded.append((path, seconds))
    )
    async with simulator.running():
        gives_up = await simulator.customer_calls(number="13800138000", to="4000", patience=2)
        await simulator.passes(3)
        await gives_up.ended()
        simulator.phone("6001").answers_after(5)
        served = await simulator.customer_calls(number="13800138000", to="4000", talk=20)
        await simulator.passes(40)
        await served.ended()

    ((path, seconds),) = recorded
    assert path.startswith(f"{SPOOL}/")
    assert 20 <= seconds < 21
