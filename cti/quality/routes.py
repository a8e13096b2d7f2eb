"""The pages of quality: what was drawn and is to be scored, one score, and one's own scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from aiohttp import web

from cti.clock import Clock
from cti.errors import Refused
from cti.house import House
from cti.people.rules import Person, Right
from cti.quality import rules
from cti.quality.desk import QualityDesk
from cti.quality.record import Mark, Sample, State
from cti.web.auth import Visitor
from cti.web.pages import see_other
from cti.web.ports import Players
from cti.web.rooms import Kit, Place

SEE: Final = (Right.REVIEW, Right.AUDIT)
OWN: Final = (Right.OWN_WORK,)
PER_PAGE: Final = 50


class Comments(Protocol):
    """The comments beside a recording (`recordings.store`)."""

    async def __call__(self, recording: str) -> Sequence[tuple[str, str, str]]:
        """Give (moment, who, text) of each, in the order of the sound."""
        ...


class QualityRoom:
    """The pages of quality."""

    places: Sequence[Place] = (
        Place(path="/quality", key="quality.nav", rights=SEE, seldom=True),
        Place(path="/mine/quality", key="quality.mine", rights=OWN, seldom=True),
    )

    def __init__(
        self,
        desk: QualityDesk,
        players: Players,
        comments: Comments,
        *,
        who: Callable[[str], str],
        house: Callable[[], House],
        clock: Clock,
    ) -> None:
        self._desk, self._players, self._comments = desk, players, comments
        self._who, self._house, self._clock = who, house, clock

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give the pages with their guards."""
        guard = kit.auth.guard
        self._kit = kit
        return [
            web.get("/quality", guard(self.some, rights=SEE)),
            web.get("/quality/{id}", guard(self.one, rights=SEE)),
            web.post("/quality/{id}", guard(self.act, rights=(Right.REVIEW,))),
            web.get("/mine/quality", guard(self.mine, rights=OWN)),
            web.get("/mine/quality/{id}", guard(self.my_one, rights=OWN)),
            web.post("/mine/quality/{id}", guard(self.object, rights=OWN)),
        ]

    # -- who looks after the work

    async def some(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List what waits to be scored, the objections, and what is scored, newest first."""
        before = request.query.get("before", "")[:32]
        over = await self._desk.store.some((State.SCORED, State.DECIDED), before, PER_PAGE + 1)
        return self._page(
            request,
            visitor,
            "quality/some.html",
            waiting=await self._desk.store.some((State.WAITING,), "", 200),
            objected=await self._desk.store.some((State.OBJECTED,), "", 200),
            over=over[:PER_PAGE],
            more=over[PER_PAGE - 1].id if len(over) > PER_PAGE else "",
        )

    async def one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one sample, to be heard and scored."""
        return await self._one(request, visitor, await self._desk.store.get(_id(request)))

    async def act(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Score a sample, or decide an objection to its score."""
        form, person = await request.post(), _person(visitor)
        fields = {key: str(text) for key, text in form.items()}
        given = {
            key.removeprefix("item-"): text
            for key, text in fields.items()
            if key.startswith("item-")
        }
        decides = fields.get("do") == "decide"
        try:
            await (self._desk.decide if decides else self._desk.score)(
                _id(request),
                _version(fields),
                given,
                fields.get("text", ""),
                by=person,
                address=self._from(request),
            )
        except Refused as refusal:
            sample = await self._desk.store.get(_id(request))
            return await self._one(request, visitor, sample, refusal, fields)
        return see_other(f"/quality?done={'objection_decided' if decides else 'scored'}")

    # -- the agent

    async def mine(self, request: web.Request, visitor: Visitor) -> web.Response:
        """List one's own scores."""
        before = request.query.get("before", "")[:32]
        found = await self._desk.store.of_person(_person(visitor).id, before, PER_PAGE + 1)
        return self._page(
            request,
            visitor,
            "quality/mine.html",
            rows=found[:PER_PAGE],
            more=found[PER_PAGE - 1].id if len(found) > PER_PAGE else "",
        )

    async def my_one(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Show one score of one's own."""
        return await self._one(request, visitor, await self._own(request, visitor))

    async def object(self, request: web.Request, visitor: Visitor) -> web.Response:
        """Object to a score of one's own."""
        form, sample = await request.post(), await self._own(request, visitor)
        fields = {key: str(text) for key, text in form.items()}
        try:
            await self._desk.object(
                sample.id,
                _version(fields),
                fields.get("text", ""),
                by=_person(visitor),
                address=self._from(request),
            )
        except Refused as refusal:
            return await self._one(request, visitor, sample, refusal, fields)
        return see_other(f"/mine/quality/{sample.id}?done=score_objected")

    async def _own(self, request: web.Request, visitor: Visitor) -> Sample:
        """Give a score of one's own. Raises `Refused` (no_sample): others' are not there."""
        found = await self._desk.store.get(_id(request))
        if found.person != _person(visitor).id or found.state is State.WAITING:
            raise Refused("no_sample", "there is no such score")
        return found

    # -- pages

    async def _one(
        self,
        request: web.Request,
        visitor: Visitor,
        sample: Sample,
        refusal: Refused | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> web.Response:
        person, now = _person(visitor), self._clock.now()
        asked = self._house().quality
        own = request.path.startswith("/mine/")
        heard = await self._players(
            [sample.call] if sample.call else [], person, self._from(request)
        )
        return self._page(
            request,
            visitor,
            "quality/one.html",
            status=409 if refusal else 200,
            refusal=refusal,
            it=sample,
            own=own,
            players=[one for one in heard if one["it"].id == sample.recording],
            comments=await self._comments(sample.recording),
            draw=await self._desk.store.draw_of(sample),
            form=_form(sample, asked.items.values()),
            marks=list(Mark),
            typed=typed or {},
            scores=not own and _allowed(rules.check_scores, person, sample),
            decides=not own and _allowed(rules.check_decides, person, sample),
            objects=own and rules.may_object(sample, now, asked),
            until=sample.scored_at + asked.objection if sample.scored_at else None,
            limit=rules.TEXT_LIMIT,
        )

    def _page(
        self, request: web.Request, visitor: Visitor, template: str, **facts: Any
    ) -> web.Response:
        return self._kit.pages.page(request, visitor, template, who=self._who, **facts)

    def _from(self, request: web.Request) -> str:
        return self._kit.auth.site.address(request)


def _form(sample: Sample, items: Any) -> list[tuple[str, int, Mapping[str, str], str]]:
    """Give (id, weight, texts, answer) of each question, as it was scored or is to be."""
    if sample.answers:
        return [(one.item, one.weight, one.labels, one.mark.value) for one in sample.answers]
    return [(one.id, one.weight, one.labels, "") for one in items]


def _allowed(check: Callable[[Person, Sample], None], person: Person, sample: Sample) -> bool:
    try:
        check(person, sample)
    except Refused:
        return False
    return True


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None  # noqa: S101  the guard saw to it
    return visitor.person


def _id(request: web.Request) -> str:
    return request.match_info["id"][:32]


def _version(fields: Mapping[str, str]) -> int:
    text = fields.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0
