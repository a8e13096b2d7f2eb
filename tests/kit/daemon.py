"""How does a test run the daemon as an operator does? `cti run`, with its settings in a file."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from cti.db import migrate

REPOSITORY = Path(__file__).parents[2]


class Daemon:
    """The daemon of one data directory; it may be started, stopped and killed many times."""

    def __init__(self, data: Path, pbx: Mapping[str, Any], *, url: str = "", **more: Any) -> None:
        self.data, self.config, self.log = data, data / "cti.toml", data / "cti.log"
        data.mkdir(parents=True, exist_ok=True)
        self._pbx, self._more, self._port = dict(pbx), more, 0
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self.url = ""

    @property
    def database(self) -> str:
        """The address of its database; SQLite in its directory if no other was named."""
        return self._url or f"sqlite+aiosqlite:///{self.data / 'cti.sqlite3'}"

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    async def prepare(self) -> None:
        """Make its database."""
        await migrate.upgrade(self.database)

    async def start(self, within: float = 60) -> None:
        """Start it, and wait until it serves pages; the PBX may still be away."""
        self.launch()
        await self.serves(within)

    def launch(self) -> None:
        """Start it."""
        self._write()
        self._read = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  returns at once
                [sys.executable, "-m", "cti", "run", "--config", str(self.config)],
                cwd=REPOSITORY,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    async def serves(self, within: float = 60) -> None:
        """Wait until it serves pages."""
        said = await self.says("cti_started", within=within)
        self.url = said["url"]
        self._port = int(self.url.rpartition(":")[2])

    async def stop(self, within: float = 15) -> float:
        """Ask it to end, as an operator's SIGTERM does; give how many seconds that took."""
        began = time.monotonic()
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
        await self._gone(within)
        return time.monotonic() - began

    def freeze(self) -> None:
        """Let it stand still, as a machine that is held up does."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on, as if nothing had been."""
        os.kill(self.pid, signal.SIGCONT)

    async def gone(self, within: float = 30) -> None:
        """Wait until it has ended by itself."""
        await self._gone(within)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
        await self._gone(5)

    async def _gone(self, within: float) -> None:
        async with asyncio.timeout(within):
            while self.running:  # noqa: ASYNC110  a process tells nobody
                await asyncio.sleep(0.01)

    def facts(self, event: str = "") -> list[dict[str, Any]]:
        """Give what it has logged since its last start; lines of that event alone if named."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            lines = file.read().decode("utf-8", "replace").splitlines()
        facts = [json.loads(line) for line in lines if line.startswith("{")]
        return [fact for fact in facts if not event or fact["event"] == event]

    def ever(self, event: str) -> list[dict[str, Any]]:
        """Give the lines of that event of all its lives."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        facts = [json.loads(line) for line in lines if line.startswith("{")]
        return [fact for fact in facts if fact["event"] == event]

    async def says(self, event: str, times: int = 1, within: float = 60) -> dict[str, Any]:
        """Wait for a line of its log, the `times`-th since its start."""
        end = time.monotonic() + within
        while len(found := self.facts(event)) < times:
            if not self.running or time.monotonic() > end:
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise AssertionError(f"the daemon did not say {event}; it said:\n{tail}")
            await asyncio.sleep(0.02)
        return found[times - 1]

    async def fetch(self, path: str) -> tuple[int, str]:
        """Ask for a page without logging in; give its status and text."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(self.url + path) as answer,
        ):
            return answer.status, await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """Give one figure of /metrics; 0 if it is not there."""
        _, text = await self.fetch("/metrics")
        for line in text.splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == name and all(
                f'{key}="{said}"' in head for key, said in labels.items()
            ):
                return float(value)
        return 0.0

    def cpu_seconds(self) -> float:
        """Give the processor time that the process has used, user and system."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Give its resident memory."""
        stat = Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8")
        return int(stat.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1_000_000

    def _write(self) -> None:
        lines = [f"data = {json.dumps(str(self.data))}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self._more.items()]
        if self._url:
            lines += ["[database]", f"url = {json.dumps(self._url)}"]
        lines += ["[web]", 'host = "127.0.0.1"', f"port = {self._port}", "[[pbx]]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self._pbx.items()]
        self.config.touch(mode=0o600)
        self.config.write_text("\n".join([*lines, ""]), encoding="utf-8")
