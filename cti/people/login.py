"""Who is this that logs in? Passwords, one-time links, limits; refusals that tell nothing."""

from datetime import timedelta

import structlog

from cti.clock import Clock, SystemClock
from cti.errors import Refused
from cti.people import rules
from cti.people.limits import LoginLimits
from cti.people.passwords import Passwords
from cti.people.rules import Person
from cti.people.store import PeopleStore, Purpose, link_over

log = structlog.get_logger()


class Login:
    """The door: everything by which somebody gets a session or a password, and keeps it."""

    def __init__(
        self,
        store: PeopleStore,
        *,
        lifetime: timedelta = timedelta(hours=12),
        passwords: Passwords | None = None,
        limits: LoginLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._store, self._lifetime = store, lifetime
        self._passwords = passwords or Passwords()
        self._limits = limits or LoginLimits()
        self._clock = clock or SystemClock()

    async def log_in(self, number: str, password: str, *, address: str, agent: str = "") -> str:
        """Begin a session by number and password; give its token.

        Raises `Refused`: login_refused (whatever was wrong), login_later (too many tries).
        """
        self._may_try(number, address)
        person = await self._store.by_number(number)
        stored = await self._store.password_hash(person.id) if person else None
        fits = await self._passwords.fits(stored, password[: rules.PASSWORD_MOST])
        if not (fits and person and stored):
            log.info("login_refused", number=number[:64], address=address)
            raise Refused("login_refused", "number or password is wrong")
        self._limits.succeeded(number, address)
        if self._passwords.is_old(stored):
            await self._store.renew_hash(person.id, stored, await self._passwords.hash(password))
        return await self._open(person, address, agent)

    async def look_at_link(self, token: str) -> Purpose | None:
        """Tell what a one-time link is for, while it holds; it is not used up."""
        found = await self._store.look_at_link(token)
        return found[1] if found else None

    async def log_in_by_link(self, token: str, *, address: str, agent: str = "") -> str:
        """Use a link up and begin a session; give its token. Raises `Refused` (link_over)."""
        return await self._open(await self._store.use_link(token, "log_in"), address, agent)

    async def set_password_by_link(
        self, token: str, password: str, *, address: str, agent: str = ""
    ) -> str:
        """Use a link up, set the password and begin a session; give its token.

        Raises `Refused`: link_over; password_short, password_long, password_easy leave the
        link as it is.
        """
        found = await self._store.look_at_link(token)
        if found is None or found[1] != "set_password":
            raise link_over()
        rules.checked_password(password, found[0].number)
        stored = await self._passwords.hash(password)
        person = await self._store.use_link(token, "set_password", stored)
        return await self._open(person, address, agent)

    async def session(self, token: str) -> Person | None:
        """Give the person of a session that holds, as that person is now."""
        found = await self._store.session(token)
        return found.person if found else None

    async def prolong(self, token: str) -> bool:
        """Let a session that holds begin anew; False when it is over."""
        return await self._store.prolong(token, self._lifetime)

    async def end_session(self, token: str) -> None:
        """End a session; ending it again does nothing."""
        await self._store.end_session(token)

    async def set_password(self, person: Person, password: str) -> None:
        """Set a password and end this person's sessions and links.

        Raises `Refused`: password_short, password_long, password_easy.
        """
        rules.checked_password(password, person.number)
        await self._store.set_password_hash(person.id, await self._passwords.hash(password))

    def _may_try(self, number: str, address: str) -> None:
        if wait := self._limits.wait(number, address, self._clock.now()):
            log.warning("login_limited", number=number[:64], address=address)
            seconds = int(wait.total_seconds()) + 1
            raise Refused(
                "login_later",
                "too many tries: wait a while, then try again",
                seconds=seconds,
            )

    async def _open(self, person: Person, address: str, agent: str) -> str:
        token = await self._store.open_session(
            person.id, self._lifetime, address=address, agent=agent
        )
        log.info("logged_in", person=person.number, address=address)
        return token
