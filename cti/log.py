"""How facts reach the operator: an event name and keys, as JSON or as lines for the eye."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str, limit: int = 500) -> str:
    """Make outside text harmless on a terminal: no control or direction characters, bounded."""
    if not text.isprintable():
        text = _CONTROL.sub("\ufffd", text)
    return text if len(text) <= limit else text[:limit] + "…"


def _clean_values(
    _logger: Any, _method: str, fact: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in fact.items():
        if isinstance(value, str):
            fact[key] = clean(value) if key != "exception" else value
    return fact


class Unfailing:
    """A stream that swallows what cannot be written now: a full disk, a reader gone, closed.

    A line of the log may be lost then; the work that it tells of goes on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if that is possible."""
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Flush if that is possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(
    form: Literal["json", "console"] = "json", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up logging once, at the start of a command.

    `form` is `json` (one object per line) or `console`; `level` a name of `logging`.
    Library logs go the same way, from `warning` on.
    """
    out = stream or sys.stderr
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _clean_values,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, level.upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Unfailing(out))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=out, format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)  # it logs actions whole (D21)
