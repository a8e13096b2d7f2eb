"""An S3 of its own for tests: a real server on this machine, in a process of its own."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from recordings.bucket import Bucket

NAME = "recordings"


@contextmanager
def s3() -> Iterator[Bucket]:
    """Start it, make a bucket; end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(f"{url}/{NAME}")
        yield Bucket(
            name=NAME, prefix="house", endpoint=url, region="us-east-1", key_id="k", secret="s"
        )
    finally:
        server.terminate()
        server.wait(10)


def _make_bucket(url: str, within: float = 30) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end:
        with suppress(OSError):
            asked = urllib.request.Request(url, method="PUT")  # noqa: S310  of this machine
            with urllib.request.urlopen(asked, timeout=5):  # noqa: S310
                return
        time.sleep(0.05)
    raise AssertionError("the S3 of the tests did not come up")
