"""What does the daemon cost beside the PBX itself? 500 real queue calls, 100 agents connected."""

from pathlib import Path
from typing import Any

from tests.kit.house import at_work
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.load import Load, bear
from tests.pbx.lab.trees import CROWD


async def measure(data: Path) -> dict[str, Any]:
    """Bear the load; `ratio` is the daemon's processor time by Asterisk's (at most 0.25)."""
    load = Load()
    pair = Pair.start()
    try:
        async with Lab(pair) as lab:
            await lab.records_quiet()
            async with at_work(pair, data, more=CROWD) as house:
                await house.watch(*map(str, CROWD))
                before = house.daemon.cpu_seconds()
                borne = await bear(lab, load)
                await house.none_open()
                cpu = house.daemon.cpu_seconds() - before
    finally:
        pair.stop()
    return {
        "calls": load.calls,
        "daemon_ms_per_call": round(cpu / load.calls * 1000, 2),
        "asterisk_ms_per_call": round(borne.cpu_seconds / load.calls * 1000, 2),
        "ratio": round(cpu / borne.cpu_seconds, 3),
    }
