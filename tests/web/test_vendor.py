import hashlib
import tomllib
from pathlib import Path

import pytest

import cti.web

ROOT = Path(__file__).parents[2]
FOLDERS = [Path(cti.web.__file__).parent / "static" / "vendor", ROOT / "tests/browser/vendor"]


@pytest.mark.parametrize("folder", FOLDERS, ids=["shipped", "for tests"])
def test_what_others_wrote_is_what_they_published(folder: Path) -> None:
    for file in tomllib.loads((folder / "VENDOR.toml").read_text())["file"]:
        found = hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest()

        assert file["sha256"] == found, file["name"]
        assert (folder / file["licence_file"]).stat().st_size > 500
        assert file["version"] in file["name"]


@pytest.mark.parametrize("folder", FOLDERS, ids=["shipped", "for tests"])
def test_nothing_of_others_lies_there_unnamed(folder: Path) -> None:
    listed = tomllib.loads((folder / "VENDOR.toml").read_text())["file"]
    named = {name for file in listed for name in (file["name"], file["licence_file"])}

    assert named | {"VENDOR.toml"} == {
        path.name for path in folder.iterdir() if not path.name.endswith(".entry.js")
    }
