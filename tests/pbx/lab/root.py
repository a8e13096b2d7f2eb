"""Where does the real Asterisk come from? From Debian's next release, in a folder of its own.

Debian 12 has no Asterisk package. debootstrap puts a small system with Asterisk 22 into
`CTI_LAB_ROOT` (about 90 s and 555 MB, once) from the mirror that apt already uses; signatures
are checked. It is run by chroot, which needs root.
"""

import os
import shutil
from pathlib import Path

from tests.pbx.lab.run import run

RELEASE = "forky"  # Debian 14, the first since Debian 11 that has Asterisk
PACKAGES = "ca-certificates,asterisk"
SPACE_MB = 900


class Missing(Exception):
    """The lab cannot be had here; says what is missing and how to get it."""


def root() -> Path:
    """Give the folder that holds, or will hold, the lab's Debian."""
    return Path(os.environ.get("CTI_LAB_ROOT", "/var/lib/cti-lab/root"))


def installed() -> bool:
    """Tell whether Asterisk is there."""
    return (root() / "usr/sbin/asterisk").exists()


def missing() -> str | None:
    """Say why the lab cannot run now, in one sentence; None: it can."""
    if os.geteuid() != 0:
        return "the real Asterisk runs by chroot, which needs root"
    if not installed():
        return f"no Asterisk in {root()}: run `make lab` as root on Debian, or set CTI_LAB_ROOT"
    for program in ("chroot", "setpriv"):
        if shutil.which(program) is None:
            return f"the program {program} is not installed"
    return None


def install() -> bool:
    """Bring Asterisk to this machine; False: it was there. Raises `Missing`."""
    if os.geteuid() != 0:
        raise Missing("this needs root: it makes a Debian by debootstrap and runs it by chroot")
    if installed():
        _names_without_waiting()
        return False
    mirror = _mirror()
    _debootstrap_there()
    free = shutil.disk_usage(_existing(root())).free // 1_000_000
    if free < SPACE_MB:
        raise Missing(f"{root()} needs {SPACE_MB} MB, {free} MB are free; set CTI_LAB_ROOT")
    root().parent.mkdir(parents=True, exist_ok=True)
    # debootstrap of Debian 12 knows the script `sid`, not the release's own name
    words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE]
    done = run([*words, str(root()), mirror, "sid"], within=1800)
    if done.returncode != 0 or not installed():
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise Missing(f"debootstrap failed (its log: {root()}/debootstrap): " + " / ".join(said))
    _names_without_waiting()
    return True


def _mirror() -> str:
    """Give the archive that apt uses for this release. Nothing is guessed."""
    release = _os_release()
    if release.get("ID") != "debian":
        raise Missing(f"the lab's Asterisk needs Debian; this is {release.get('ID', 'unknown')}")
    if shutil.which("apt-get") is None:
        raise Missing("apt-get is not here: the mirror is read from it")
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"]
    for attempt in range(2):
        for line in run([*words, "Created-By: Packages"]).stdout.splitlines():
            uri, _, codename = line.partition(" ")
            if codename == release.get("VERSION_CODENAME"):
                return uri
        if attempt == 0:
            run(["apt-get", "update"], within=600)
    raise Missing("apt-get indextargets names no mirror, even after apt-get update")


def _debootstrap_there() -> None:
    if shutil.which("debootstrap") is None:
        done = run(["apt-get", "install", "--yes", "debootstrap"], within=600)
        if done.returncode != 0:
            raise Missing("apt-get install debootstrap failed: " + done.stderr.strip()[-300:])


def _os_release() -> dict[str, str]:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key: value.strip('"') for key, _, value in pairs}


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _names_without_waiting() -> None:
    """Let Asterisk look names up in a file alone: else it waits 5 s per call for a resolver."""
    etc = root() / "etc"
    (etc / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename}\n", encoding="utf-8")
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").touch()
    switch = (etc / "nsswitch.conf").read_text(encoding="utf-8").splitlines()
    kept = [line for line in switch if not line.startswith("hosts:")]
    (etc / "nsswitch.conf").write_text("\n".join([*kept, "hosts: files", ""]), encoding="utf-8")
