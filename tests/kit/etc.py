"""The folder of Asterisk's configuration, as an operator fills in the shipped one."""

import re
import shutil
from pathlib import Path

from cti import shipped

SECRET = "s" + "0123456789abcdef" * 3
SYSTEMNAME = "q7Rk2vXe9TzLw4HcYb8NsJm3Ug6PdFa1Ko5ViQxBnEtDrCyM"
QUEUE = """
[support](cti)
strategy = ringall
member => PJSIP/6001,0,May Chen,PJSIP/6001
"""


def make_etc(folder: Path) -> Path:
    """Make a folder that has all that config/asterisk/README.md asks for."""
    shutil.copytree(shipped.config() / "asterisk", folder)
    fill(folder / "manager.conf", "secret", SECRET)
    fill(folder / "asterisk.conf", "systemname", SYSTEMNAME)
    with (folder / "queues.conf").open("a", encoding="utf-8") as queues:
        queues.write(QUEUE)
    (folder / "features.conf").write_text("[featuremap]\nblindxfer => ##\n", encoding="utf-8")
    logs = folder / "log"
    for name in ("cdr-custom", "cel-custom"):
        (logs / name).mkdir(parents=True)
    with (folder / "asterisk.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"[directories]\nastlogdir => {logs}\n")
    return folder


def fill(file: Path, key: str, value: str) -> None:
    """Set the line that is left to the operator."""
    text = file.read_text(encoding="utf-8")
    text, count = re.subn(rf"^;{key} =$", f"{key} = {value}", text, flags=re.MULTILINE)
    assert count == 1
    file.write_text(text, encoding="utf-8")


def spoil(file: Path, old: str, new: str) -> None:
    """Change one thing in a file; it must have been there."""
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
