"""The pages of recordings: to hear one, to find some; the sound itself, in ranges; comments.

No address holds a path: a recording is asked for by its id, and the storage knows where it lies.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from pydantic import ValidationError

from cti.errors import Refused, Unavailable
from cti.people.rules import Person
from cti.web import wire
from cti.web.api import answer
from cti.web.auth import Denied, Visitor
from cti.web.pages import see_other
from cti.web.rooms import Kit, Place
from recordings.access import ANY
from recordings.audio import EAGER, pieces
from recordings.listening import REASON_LIMIT, TEXT_LIMIT, Ahead, Asked, Listening, Playing, Shown
from recordings.record import Recording
from recordings.wave import HEIGHT, WIDTH, clock, read_clock

log = structlog.get_logger(__name__)

PER_PAGE: Final = 50
TAKEN_AT_ONCE: Final = 262_144
PACE: Final = 4_000_000
"""Bytes a second after what a browser needs to begin: 250 times as fast as a call is heard."""
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Names(Protocol):
    """The names of customers."""

    async def __call__(self, customers: Collection[str]) -> Mapping[str, str]:
        """Give names by id."""
        ...


class NewMarker(wire.Shape):
    """A comment at a moment of a recording."""

    at_ms: int
    text: str


class RecordingRoom:
    """The pages on which recordings are heard."""

    places: Sequence[Place] = (Place(path="/recordings", key="player.nav", rights=ANY),)

    def __init__(
        self, listening: Listening, *, who: Callable[[str], str], customers: Names
    ) -> None:
        self._listening, self._who, self._customers = listening, who, customers

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards."""
        guard = kit.auth.guard
        pages = _Pages(kit, self._listening, self._who, self._customers)
        return [
            web.get("/recordings", guard(pages.some, rights=ANY)),
            web.get("/recordings/{id}", guard(pages.one, rights=ANY)),
            web.get("/recordings/{id}/audio", guard(pages.audio, rights=ANY)),
            web.post("/recordings/{id}/markers", guard(pages.mark, rights=ANY)),
            web.post("/recordings/{id}/markers/{marker}", guard(pages.unmark, rights=ANY)),
            web.post("/recordings/{id}/download", guard(pages.take, rights=ANY)),
            web.post("/api/v1/recordings/{id}/address", guard(pages.renew, rights=ANY)),
            web.post("/api/v1/recordings/{id}/markers", guard(pages.mark_api, rights=ANY)),
            web.post(
                "/api/v1/recordings/{id}/markers/{marker}", guard(pages.unmark_api, rights=ANY)
            ),
        ]


class Players:
    """The recordings of calls, for the pages of other rooms (`cti.web.ports.Players`)."""

    def __init__(self, listening: Listening, who: Callable[[str], str]) -> None:
        self._listening, self._who = listening, who

    async def __call__(
        self, calls: Collection[str], person: Person, address: str
    ) -> list[Mapping[str, Any]]:
        """Give what `recordings/player.html` shows, in the order of the calls."""
        if not any(map(person.may, ANY)):
            return []
        found = await self._listening.of_calls(calls, person, address)
        return [facts_of(one, self._who) for call in calls for one in found.get(call, ())]

    async def known(self, calls: Collection[str], person: Person) -> Collection[str]:
        """Give those calls of which somebody may hear a recording."""
        return await self._listening.known(calls, person) if any(map(person.may, ANY)) else ()


def facts_of(shown: Shown, who: Callable[[str], str]) -> dict[str, Any]:
    """Give the facts that the player's template wants."""
    one = shown.it
    people = {marker.person for marker, _ in shown.markers} | {gap.person for gap in shown.gaps}
    if shown.consent and shown.consent.refused_by:
        people.add(shown.consent.refused_by)
    return {
        "shown": shown,
        "it": one,
        "person": who(one.person) if one.person else one.agent,
        "sides": _sides(one),
        "names": {person: who(person) for person in people},
        "clock": clock,
        "width": WIDTH,
        "height": HEIGHT,
        "text_limit": TEXT_LIMIT,
        "reason_limit": REASON_LIMIT,
    }


def _sides(one: Recording) -> list[str]:
    """Say who is heard on which side: left first; "" where both are in one."""
    if one.channels != 2:
        return [""]
    if one.left not in ("agent", "customer"):
        return ["left", "right"]
    return ["agent", "customer"] if one.left == "agent" else ["customer", "agent"]


class _Pages:
    def __init__(
        self, kit: Kit, listening: Listening, who: Callable[[str], str], customers: Names
    ) -> None:
        self._kit, self._listening, self._who = kit, listening, who
        self._customers = customers

    # -- to read

    async def some(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List recordings, newest first: of a call, a customer, an agent, or all."""
        keys = ("call", "customer", "person", "before")
        asked = {key: request.query.get(key, "")[:32] for key in keys}
        refusal, found, more = None, list[Recording](), ""
        try:
            found, more = await self._listening.page(
                _person(visitor), Asked(**asked), PER_PAGE, self._from(request)
            )
        except Refused as refused:
            refusal = refused
        return self._kit.pages.page(
            request,
            visitor,
            "recordings/some.html",
            status=409 if refusal else 200,
            refusal=refusal,
            rows=found,
            more={**{key: asked[key] for key in keys if asked[key]}, "before": more}
            if more
            else {},
            narrowed=bool(asked["call"] or asked["customer"] or asked["person"]),
            who=self._who,
            refused=await self._listening.refused(found),
            customers=await self._names(found),
            clock=clock,
        )

    async def one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one recording, to be heard."""
        return await self._one(request, visitor)

    async def _one(
        self,
        request: web.Request,
        visitor: Visitor,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        shown = await self._listening.one(_id(request), _person(visitor), self._from(request))
        return self._kit.pages.page(
            request,
            visitor,
            "recordings/one.html",
            status=409 if refusal else 410 if shown.it.gone_at else 200,
            refusal=refusal,
            typed={"at": "", "text": "", "reason": ""} | dict(typed or {}),
            facts=facts_of(shown, self._who),
            original=await self._listening.store.original(shown.it.id),
            customers=await self._names([shown.it]),
        )

    async def _names(self, some: Sequence[Recording]) -> Mapping[str, str]:
        return await self._customers({one.customer for one in some if one.customer})

    # -- to hear

    async def audio(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        """Send the sound, or a range of it, as a browser plays it."""
        person, recording = _person(visitor), _id(request)
        used = self._listening.checked(request.query.get("pass", ""), recording, person)
        one = await self._listening.allowed(recording, person)
        async with self._listening.opened(one) as playing:
            size = playing.sound.sent_size
            span = _asked(request.headers.get("Range", ""), size)
            if span is None:
                return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
            if request.method == "HEAD":
                return await _answered(request, playing, *span)
            ahead = playing.ahead(pieces(playing.sound, *span[1:]))  # while the row is stored
            try:
                await self._listening.note_play(one, used, person, self._from(request))
                return await _sent(await _answered(request, playing, *span), request, ahead)
            finally:
                await ahead.end()

    async def renew(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Give a new address where the old one is over; or say why nothing plays."""
        return answer({"address": await self._listening.renewed(_id(request), _person(visitor))})

    # -- to do

    async def take(self, request: web.Request, visitor: Visitor) -> web.StreamResponse:
        """Send the file as it is kept, to be taken away."""
        reason = str((await request.post()).get("reason", ""))
        try:
            one = await self._listening.take(
                _id(request), _person(visitor), reason, self._from(request)
            )
        except Refused as refusal:
            if refusal.code == "no_such_recording":
                raise
            return await self._one(request, visitor, refusal, {"reason": reason[:REASON_LIMIT]})
        async with self._listening.opened(one) as playing:
            return await _taken(request, one, playing)

    async def mark(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Keep a comment; without a script."""
        form = await request.post()
        typed = {key: str(form.get(key, ""))[: TEXT_LIMIT + 1] for key in ("at", "text")}
        recording, person = _id(request), _person(visitor)
        try:
            at_ms = read_clock(typed["at"])
            await self._listening.mark(recording, person, at_ms, typed["text"], self._from(request))
        except Refused as refusal:
            if refusal.code == "no_such_recording":
                raise
            return await self._one(request, visitor, refusal, typed)
        return see_other(f"/recordings/{recording}?done=recording_marked")

    async def mark_api(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Keep a comment; give it as it is shown."""
        if request.content_type != "application/json":
            raise Denied(400, "body")
        try:
            wanted = NewMarker.model_validate_json(await request.read())
        except ValidationError:
            raise Denied(400, "body") from None
        person = _person(visitor)
        made = await self._listening.mark(
            _id(request), person, wanted.at_ms, wanted.text, self._from(request)
        )
        return answer({"id": made.id, "at_ms": made.at_ms, "text": made.text, "who": person.name})

    async def unmark(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Take a comment away; without a script."""
        await self._unmark(request, visitor)
        return see_other(f"/recordings/{_id(request)}?done=recording_unmarked")

    async def unmark_api(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Take a comment away."""
        await self._unmark(request, visitor)
        return answer({"done": "recording_unmarked"})

    async def _unmark(self, request: web.Request, visitor: Visitor) -> None:
        marker = request.match_info["marker"][:32]
        await self._listening.unmark(_id(request), marker, _person(visitor), self._from(request))

    def _from(self, request: web.Request) -> str:
        return self._kit.auth.site.address(request)


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _id(request: web.Request) -> str:
    return request.match_info["id"][:32]


def _asked(header: str, size: int) -> tuple[int, int, int] | None:
    """Read which bytes are wanted: status, first, and the one after the last.

    None where there is no such byte (RFC 9110, 14.1.2 and 15.5.17). What is no single range is
    answered with the whole, as the same says.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not any(found.groups()):
        return 200, 0, size
    first, last = found.groups()
    if not first:
        return (206, max(0, size - int(last)), size) if int(last) and size else None
    if last and int(last) < int(first):
        return 200, 0, size
    if int(first) >= size:
        return None
    return 206, int(first), min(size, int(last) + 1) if last else size


async def _answered(
    request: web.Request, playing: Playing, status: int, first: int, stop: int
) -> web.StreamResponse:
    """Begin to answer with a range."""
    response = web.StreamResponse(status=status)
    response.content_type = playing.sound.sent_type
    response.content_length = stop - first
    response.headers["Accept-Ranges"] = "bytes"
    if status == 206:
        response.headers["Content-Range"] = f"bytes {first}-{stop - 1}/{playing.sound.sent_size}"
    await response.prepare(request)
    return response


async def _sent(
    response: web.StreamResponse, request: web.Request, ahead: Ahead
) -> web.StreamResponse:
    """Send what is made piece by piece: at once what a browser needs to begin, then in its time.

    A browser takes all that it is given. Minutes of sound that nobody hears yet must not be made
    while it begins to play, nor while somebody else's does.
    """
    sent = 0
    try:
        async for made in ahead:
            await response.write(made)
            sent += len(made)
            if sent > EAGER:
                await asyncio.sleep(len(made) / PACE)
    except ConnectionError:  # the browser has heard enough
        return response
    except Unavailable:
        _cut(request)
    return response


async def _taken(request: web.Request, one: Recording, playing: Playing) -> web.StreamResponse:
    began = f"{one.began or one.seen_at:%Y%m%d-%H%M%S}"
    ending = re.sub(r"[^a-z0-9]", "", one.source.rpartition(".")[2].lower())[:8]
    if playing.sound.sent_type == "audio/ogg":
        ending = "ogg"
    response = web.StreamResponse()
    response.content_type = "application/octet-stream"
    response.content_length = playing.size
    name = f"recording-{began}-{one.id[-6:]}.{ending or 'wav'}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    await response.prepare(request)
    try:
        for at in range(0, playing.size, TAKEN_AT_ONCE):
            await response.write(await playing.raw(at, TAKEN_AT_ONCE))
    except ConnectionError:
        return response
    except Unavailable:
        _cut(request)
    return response


def _cut(request: web.Request) -> None:
    """End a half-sent answer so that it is seen to be one."""
    log.warning("recording_cut_off", path=request.path, exc_info=True)
    if request.transport is not None:
        request.transport.abort()
