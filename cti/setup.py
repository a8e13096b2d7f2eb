"""How does a new installation begin? A directory with settings, house file and data."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cti import shipped
from cti.errors import ConfigError

SETTINGS: Final = """\
# Settings of cti: what differs from the defaults. All of them stand in docs/settings.md.
data = {data}
house = {house}

[[pbx]]
name = "main"
host = "127.0.0.1"
user = "cti"
secret_file = {secret}
trunks = ["PJSIP/trunk*"]

[web]
host = "127.0.0.1"
port = 8080
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made, and where."""

    settings: Path
    house: Path
    secret: Path

    def lines(self) -> list[str]:
        """Say what there is now, and what comes next."""
        return [
            f"made {self.settings}, {self.house} and an empty database",
            "Next:",
            f"  put the AMI secret of the PBX into {self.secret}",
            f"  cti check --config {self.settings}",
            f"  adapt {self.house}, then: cti house check {self.house}",
            f"  cti user add 1001 --name NAME --role manager --config {self.settings}",
        ]


def make(directory: Path, house: str) -> Made:
    """Make the files of a new installation; overwrite none.

    Raises `ConfigError`: init_exists, init_failed, house_missing.
    """
    if (source := shipped.houses().get(house)) is None:
        raise ConfigError(
            f"there is no shipped house {house!r}",
            f"take one of: {', '.join(shipped.houses())}",
            code="house_missing",
        )
    home = directory.absolute()
    made = Made(home / "cti.toml", home / "house.toml", home / "ami-secret")
    for path in (made.settings, made.house, made.secret):
        if path.exists():
            raise ConfigError(
                f"{path} is there already",
                "take another directory, or remove the file first",
                code="init_exists",
            )
    try:
        _write(made, source)
    except OSError as fault:
        raise ConfigError(
            f"cannot write in {home}: {fault.strerror}",
            "take a directory that you may write",
            code="init_failed",
        ) from fault
    return made


def _write(made: Made, source: Path) -> None:
    data = made.settings.parent / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, made.house)
    made.secret.touch(0o600)
    words = {"data": data, "house": made.house, "secret": made.secret}
    made.settings.write_text(
        SETTINGS.format(**{key: json.dumps(str(path)) for key, path in words.items()}),
        encoding="utf-8",
    )
