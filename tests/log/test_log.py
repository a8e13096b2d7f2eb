"""Does the program go on when its log cannot be written?"""

import errno
import io
import json

import structlog
from typing_extensions import override

from cti import log


class FullDisk(io.StringIO):
    """A file whose disk is full, until there is room."""

    room = False

    @override
    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_line_that_cannot_be_written_stops_nobody_and_the_next_one_is_there() -> None:
    disk = FullDisk()
    log.configure("json", "info", disk)

    structlog.get_logger().info("lost")
    disk.room = True
    structlog.get_logger().info("kept", call="k1")

    (line,) = disk.getvalue().splitlines()
    assert ("kept", "k1") == (json.loads(line)["event"], json.loads(line)["call"])
