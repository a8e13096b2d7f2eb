"""Wait until something is so, and no longer; too long is a failure, never a guess."""

import asyncio
from collections.abc import Callable

LONGEST = 20.0


async def until(is_so: Callable[[], bool], *, within: float = LONGEST) -> None:
    """Look again and again until `is_so()`."""
    async with asyncio.timeout(within):
        while not is_so():  # noqa: ASYNC110  what is watched tells nobody
            await asyncio.sleep(0.005)
