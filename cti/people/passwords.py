"""Is this the password? Argon2id, slow on purpose, and never on the event loop."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

AT_ONCE: Final = 2
"""Each hash takes 64 MiB and a good part of a second of one core."""


class Passwords:
    """Hashes and checks, in threads, only a few at once."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Give the text to be stored."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, stored: str | None, password: str) -> bool:
        """Tell whether the password is the stored one.

        Nothing stored takes as long as a wrong password, so that the time tells nobody which
        numbers exist.
        """
        if stored is None:
            self._nobody = self._nobody or await self.hash("nobody has this password")
        async with self._turn:
            fits = await asyncio.to_thread(self._fits, stored or self._nobody or "", password)
        return fits and stored is not None

    def is_old(self, stored: str) -> bool:
        """Tell whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
