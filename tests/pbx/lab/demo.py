"""How does a pair stay up after the command that started it? As the demo's PBX, on
127.0.0.1 if nobody listens there, else on the next free place.

In the state folder (`CTI_LAB_STATE`, default data/lab): pair.json for these commands, cti.toml
and cti.secret for cti. They hold secrets: readable by their owner alone, or, under sudo, by the
user who asked.
"""

import json
import os
import shutil
from pathlib import Path

from tests.pbx.lab.pair import Pair
from tests.pbx.lab.place import free_place

REPOSITORY = Path(__file__).parents[3]


def state() -> Path:
    """Give the folder that remembers the demo's pair."""
    return Path(os.environ.get("CTI_LAB_STATE", REPOSITORY / "data" / "lab"))


def running() -> Pair | None:
    """Give the demo's pair if both of it live."""
    try:
        pair = Pair.found((state() / "pair.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return pair if pair.pbx.alive() and pair.world.alive() else None


def start() -> Pair:
    """Start the demo's pair, or give the one that runs. Raises `Missing`."""
    if pair := running():
        return pair
    stop()
    pair = Pair.start(place=free_place(first=0), ours=False)
    folder = state()
    folder.mkdir(parents=True, exist_ok=True)
    _keep(folder / "pair.json", pair.saved())
    _keep(folder / "cti.secret", pair.secret.cti + "\n")
    _keep(folder / "cti.toml", settings(pair, folder / "cti.secret"))
    return pair


def stop() -> bool:
    """End the demo's pair; False: there was none."""
    try:
        saved = (state() / "pair.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    Pair.found(saved).stop()
    for name in ("pair.json", "cti.secret", "cti.toml"):
        (state() / name).unlink(missing_ok=True)
    return True


def settings(pair: Pair, secret_file: Path) -> str:
    """Give the part of cti's settings that names this PBX, as TOML."""
    monitor = f"{pair.pbx.tree}/spool/monitor = {pair.pbx.folder / 'spool/monitor'}"
    lines = [
        "[[pbx]]",
        'name = "lab"',
        f"host = {json.dumps(pair.place.pbx)}",
        f"port = {pair.place.ami}",
        'user = "cti"',
        f"secret_file = {json.dumps(str(secret_file.absolute()))}",
        f"systemname = {json.dumps(pair.secret.systemname)}",
        'trunks = ["PJSIP/trunk*"]',
        f"recordings = {json.dumps([monitor])}",
    ]
    return "\n".join([*lines, ""])


def _keep(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    if asker := os.environ.get("SUDO_UID"):
        shutil.chown(path, int(asker))
