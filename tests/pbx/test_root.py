"""Does a machine that cannot have the lab say why?"""

import os
from pathlib import Path

import pytest

from tests.pbx.lab import Missing, missing, root


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert "needs root" in str(missing())
    with pytest.raises(Missing, match="needs root"):
        root.install()


def test_a_machine_without_asterisk_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("CTI_LAB_ROOT", str(tmp_path))

    assert missing() == (
        f"no Asterisk in {tmp_path}: run `make lab` as root on Debian, or set CTI_LAB_ROOT"
    )


def test_another_system_than_debian_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("CTI_LAB_ROOT", str(tmp_path))
    monkeypatch.setattr(root, "_os_release", lambda: {"ID": "ubuntu"})

    with pytest.raises(Missing, match="needs Debian; this is ubuntu"):
        root.install()
