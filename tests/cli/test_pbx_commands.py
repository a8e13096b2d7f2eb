"""`cti check` and `cti record` as a person types them, where no PBX answers."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cti.cli import run


@pytest.fixture
def config(tmp_path: Path) -> Iterator[str]:
    """Settings that name a PBX on a port where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        file = tmp_path / "cti.toml"
        file.write_text(f'[[pbx]]\nname = "main"\nport = {taken.getsockname()[1]}\n')
        yield str(file)


def test_a_pbx_that_is_down_is_told_point_by_point(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["check", "--config", config])

    out, err = capsys.readouterr()
    assert (code, err) == (2, "")
    assert "  WRONG     reachable  nothing listens on 127.0.0.1:" in out
    assert out.endswith("cti cannot log in to this PBX: 0 ok, 1 wrong, 0 missing, 0 not seen.\n")


def test_a_pbx_that_is_down_is_told_as_json(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["check", "--json", "--config", config])

    answer = json.loads(capsys.readouterr().out)
    assert (code, answer["exit"]) == (2, 2)
    assert [point["key"] for point in answer["pbxs"]["main"]] == ["link.reachable"]


def test_a_pbx_that_is_down_is_not_recorded(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["record", str(tmp_path / "a.ami"), "--config", config])

    _, err = capsys.readouterr()
    assert (code, "nothing was recorded\n  What to do: run `cti check`" in err) == (2, True)
    assert not (tmp_path / "a.ami").exists()


@pytest.mark.parametrize("command", [["check"], ["record", "a.ami"]])
def test_a_pbx_that_the_settings_do_not_know_is_told(
    config: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run([*command, "--pbx", "other", "--config", config])

    assert (code, "know no PBX other" in capsys.readouterr().err) == (2, True)
