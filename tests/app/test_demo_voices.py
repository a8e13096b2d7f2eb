"""What the simulated PBX records: can it be heard, and who is on which side?"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile

from cti.clock import SetClock
from cti.demo import SPOOL
from cti.demo_voices import RATE, TURN_S, Voices
from cti.pbx.simulator import Simulator


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


async def test_a_talk_is_recorded_and_who_gives_up_is_not() -> None:
    recorded = list[tuple[str, float]]()
    clock = SetClock(datetime(2026, 11, 27, 4, tzinfo=UTC))
    simulator = Simulator(
        clock=clock, recorded=lambda path, seconds: recorded.append((path, seconds))
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
