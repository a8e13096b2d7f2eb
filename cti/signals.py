"""How is a program asked to end? By Ctrl-C and SIGTERM; what they do is said here once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_CANNOT = (NotImplementedError, RuntimeError, ValueError)
"""Not the main thread, or a loop that hears no signals: then they do what they always do."""


@contextmanager
def on_end(do: Callable[[], None]) -> Iterator[None]:
    """Call `do` at Ctrl-C and SIGTERM, while the block lasts."""
    loop = asyncio.get_running_loop()
    for number in _NUMBERS:
        with suppress(*_CANNOT):
            loop.add_signal_handler(number, do)
    try:
        yield
    finally:
        for number in _NUMBERS:
            with suppress(*_CANNOT):
                loop.remove_signal_handler(number)


@contextmanager
def until_ended() -> Iterator[asyncio.Event]:
    """Give an event that Ctrl-C and SIGTERM set, while the block lasts."""
    ended = asyncio.Event()
    with on_end(ended.set):
        yield ended
