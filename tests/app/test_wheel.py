"""The wheel is whole: whoever installs it needs no source tree."""

from pathlib import Path
from zipfile import ZipFile

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def files(folder: str) -> set[str]:
    """Every file under a folder of the tree, but what Python leaves there."""
    found = (ROOT / folder).rglob("*")
    return {
        str(path.relative_to(ROOT))
        for path in found
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_program_its_pages_and_its_configuration(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
        licences = [name for name in opened.namelist() if name.endswith("licenses/LICENSE")]

    expected = files("cti") | files("recordings") | {f"cti/{name}" for name in files("config")}
    assert expected == held
    assert len(licences) == 1
