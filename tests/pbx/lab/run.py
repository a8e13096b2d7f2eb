"""How does the lab start other programs? Here alone, always by a list, never through a shell."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(words: Sequence[str], *, within: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and give what it said; a failure is the caller's to judge."""
    return subprocess.run(  # noqa: S603  words of the lab's own
        list(words), capture_output=True, text=True, timeout=within, check=False
    )


def launch(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a program that stays, in a session of its own; what it says goes to `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603  words of the lab's own
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
