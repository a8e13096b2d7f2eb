"""How do the PBX and the world start, stop and die? By the pids that we started, never by name."""

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tests.pbx.lab.place import Place, free_place
from tests.pbx.lab.root import Missing, missing, root
from tests.pbx.lab.run import launch, run
from tests.pbx.lab.trees import Secrets, write_trees

BOOT_S = 60


class Asterisk:
    """One Asterisk with a tree of its own."""

    def __init__(self, tree: str) -> None:
        self.tree = tree
        self.pid = 0
        self._child: subprocess.Popen[bytes] | None = None
        self.born = ""  # when that pid began, so that a pid given anew is not taken for ours

    @property
    def folder(self) -> Path:
        """Where its tree lies, seen from outside."""
        return root() / self.tree.lstrip("/")

    def start(self, *, ours: bool) -> None:
        """Start it and wait until it is fully booted. `ours`: it dies with this thread."""
        (self.folder / "run/asterisk.ctl").unlink(missing_ok=True)
        conf = f"{self.tree}/etc/asterisk.conf"
        words = ["chroot", str(root()), "/usr/sbin/asterisk", "-C", conf, "-f"]
        tied = ["setpriv", "--pdeathsig", "KILL", "--"] if ours else []
        child = launch([*tied, *words], self.folder / "log/console.log")
        self.pid, self.born = child.pid, _born(child.pid)
        self._child = child
        self.booted()

    def booted(self) -> None:
        """Wait until it is fully booted. Raises `Missing` with what it said instead."""
        end = time.monotonic() + BOOT_S
        while True:
            if (self.folder / "run/asterisk.ctl").exists():
                done = self.cli("core waitfullybooted")
                if "fully booted" in done:
                    return
            if not self.alive() or time.monotonic() > end:
                tail = (self.folder / "log/console.log").read_text(errors="replace")[-800:]
                raise Missing(f"Asterisk did not come up; {self.folder}/log says: {tail}")
            time.sleep(0.02)

    def cli(self, command: str) -> str:
        """Give what the console answers."""
        conf = f"{self.tree}/etc/asterisk.conf"
        done = run(["chroot", str(root()), "/usr/sbin/asterisk", "-C", conf, "-rx", command])
        return done.stdout

    def alive(self) -> bool:
        """Tell whether the process that we started still runs."""
        child = self._child
        if child is not None and child.poll() is not None:
            return False
        return self.pid > 0 and bool(self.born) and _born(self.pid) == self.born

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM, 10)
        self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL, 10)

    def cpu_seconds(self) -> float:
        """Give the processor time that it has used, user and system."""
        fields = _stat(self.pid)
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Give its resident memory."""
        return int(_stat(self.pid)[21]) * os.sysconf("SC_PAGE_SIZE") / 1_000_000

    def _end(self, how: signal.Signals, within: float) -> None:
        end = time.monotonic() + within
        if self.alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, how)
        while self.alive() and time.monotonic() < end:
            time.sleep(0.02)
        if self._child is not None and not self.alive():
            self._child.wait(1)


@dataclass(slots=True, kw_only=True)
class Pair:
    """The PBX under test and the world that rings it."""

    name: str
    place: Place
    secret: Secrets
    pbx: Asterisk
    world: Asterisk
    ours: bool = field(default=True)

    @classmethod
    def start(
        cls,
        *,
        place: Place | None = None,
        name: str = "",
        ours: bool = True,
        secret: Secrets | None = None,
    ) -> Self:
        """Write both trees and start both Asterisks: about 2 s. Raises `Missing`.

        Without `place` the first free one is taken. `ours`: both die with the thread that
        called this, so call it from the main thread.
        """
        if why := missing():
            raise Missing(why)
        name = name or f"t{secrets.token_hex(4)}"
        inside = f"/lab/{name}"
        with _one_at_a_time():
            place = place or free_place()
            if not place.free():
                raise Missing(f"{place.pbx} is taken: another lab runs there")
            if _lives_in(inside):
                raise Missing(f"another lab runs in {inside}; wait for it, or choose another name")
            secret = secret or Secrets()
            write_trees(root(), inside, place, secret)
            pbx, world = Asterisk(f"{inside}/pbx"), Asterisk(f"{inside}/world")
            pair = cls(name=name, place=place, secret=secret, pbx=pbx, world=world, ours=ours)
            try:
                world.start(ours=ours)
                pbx.start(ours=ours)
            except BaseException:
                pair.stop()
                raise
        return pair

    def stop(self) -> None:
        """End both; their trees go."""
        self.pbx.stop()
        self.world.stop()
        shutil.rmtree(root() / "lab" / self.name, ignore_errors=True)

    def saved(self) -> str:
        """Give what another process needs to find this pair again. It holds secrets."""
        pids = {side.tree.rpartition("/")[2]: [side.pid, side.born] for side in self._sides()}
        state = {"name": self.name, "place": self.place.number, "pids": pids}
        return json.dumps({**state, "secret": asdict(self.secret)}, indent=1)

    @classmethod
    def found(cls, saved: str) -> Self:
        """Find a pair that another process started."""
        state = json.loads(saved)
        sides = {}
        for side, (pid, born) in state["pids"].items():
            sides[side] = Asterisk(f"/lab/{state['name']}/{side}")
            sides[side].pid, sides[side].born = pid, born
        place, secret = Place(number=state["place"]), Secrets(**state["secret"])
        return cls(name=state["name"], place=place, secret=secret, ours=False, **sides)

    def _sides(self) -> tuple[Asterisk, Asterisk]:
        return self.pbx, self.world


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Between looking for a free place and taking it nobody else may look."""
    folder = root() / "lab"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lives_in(inside: str) -> bool:
    """Tell whether an Asterisk runs in this tree: whoever started it, it must not be cleared."""
    for noted in (root() / inside.lstrip("/")).glob("*/run/asterisk.pid"):
        words = Path(f"/proc/{noted.read_text().strip()}/cmdline")
        if words.exists() and f"{inside}/".encode() in words.read_bytes():
            return True
    return False


def _stat(pid: int) -> list[str]:
    """Give the fields of /proc/PID/stat from the third on; the second may hold blanks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    fields = text.rpartition(")")[2].split()
    return [] if fields[0] == "Z" else fields


def _born(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""
