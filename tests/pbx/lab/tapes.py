"""How do the tapes in tests/traces/lab come to be? Each scene on a fresh pair, heard twice.

    NAME.ami            the product's account, from the banner on
    NAME.truth.json     what Asterisk wrote itself, what each phone did, and the scene in words
    tracer/NAME.ami.gz  the same scene heard by an account with every class

After a restart of the PBX the second session's bytes follow the first's; `connections` has the
offsets at which they begin.
"""

import gzip
from pathlib import Path
from typing import Any

from tests.pbx.lab.ami import Ami
from tests.pbx.lab.lab import Lab
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.root import Missing
from tests.pbx.lab.scenes import Scene
from tests.pbx.lab.trees import Secrets
from tests.pbx.lab.truth import lines, plain

SYSTEMNAME = "lab-known-to-everyone-and-so-not-a-secret-0123456789ab"


class Tape:
    """Everything one account hears, over several sessions if the PBX goes away."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._sessions: list[Ami] = []

    async def listen(self, lab: Lab) -> None:
        """Begin, or go on after a restart."""
        self._sessions.append(await lab.listen(self.account))

    async def end(self) -> None:
        """Log off once all is said: the tape ends with the PBX's good-bye."""
        await self._sessions[-1].silence()
        await self._sessions[-1].bye()

    @property
    def data(self) -> bytes:
        """The bytes as they came."""
        return b"".join(bytes(session.tape) for session in self._sessions)

    @property
    def connections(self) -> list[int]:
        """Where each session begins."""
        lengths = [len(session.tape) for session in self._sessions]
        return [sum(lengths[:index]) for index in range(len(lengths))]


async def record(scene: Scene, folder: Path) -> dict[str, int]:
    """Play a scene until it comes true, and write its tapes; gives their sizes."""
    for _ in range(20):
        if sizes := await _record(scene, folder):
            return sizes
    raise Missing(f"{scene.name} did not come true in 20 times")


async def _record(scene: Scene, folder: Path) -> dict[str, int]:
    pair = Pair.start(name="tape", secret=Secrets(systemname=SYSTEMNAME))
    try:
        async with Lab(pair) as lab:
            tapes = [Tape("cti"), Tape("tracer")]
            for tape in tapes:
                await tape.listen(lab)
                lab.on_restart.append(tape.listen)
            await scene.play(lab)
            await lab.records_quiet()
            for tape in tapes:
                await tape.end()
            if not scene.came_true(lab):
                return {}
            truth = _truth(scene, lab, tapes[0])
    finally:
        pair.stop()
    (folder / "tracer").mkdir(parents=True, exist_ok=True)
    (folder / f"{scene.name}.ami").write_bytes(tapes[0].data)
    packed = gzip.compress(tapes[1].data, compresslevel=9, mtime=0)
    (folder / "tracer" / f"{scene.name}.ami.gz").write_bytes(packed)
    (folder / f"{scene.name}.truth.json").write_text(lines(truth), encoding="utf-8")
    return {tape.account: len(tape.data) for tape in tapes}


def _truth(scene: Scene, lab: Lab, tape: Tape) -> dict[str, Any]:
    return {
        "scenario": scene.name,
        "what": scene.what,
        "systemname": SYSTEMNAME,
        "trunks": ["PJSIP/trunk*"],
        "connections": tape.connections,
        "sides": [plain(side) for side in lab.sides()],
        "queue_log": lab.queue_log(),
        "cdr": lab.cdr(),
        "cel": lab.cel(),
    }
