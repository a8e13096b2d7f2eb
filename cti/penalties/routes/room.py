"""All pages of this room, with their guards and their places in the navigation."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from cti.penalties.routes.common import Asks
from cti.penalties.routes.own import Own
from cti.penalties.routes.review import Review
from cti.penalties.routes.statements import Statements
from cti.people.rules import Right
from cti.web.rooms import Kit, Place

READ: Final = (Right.REVIEW, Right.APPEALS, Right.AUDIT)
DECIDE: Final = (Right.REVIEW, Right.APPEALS)
OWN: Final = (Right.OWN_WORK,)
CHECK: Final = (Right.APPEALS, Right.AUDIT)


class PenaltyPages:
    """Missed calls, review, own lines, statements, audit."""

    places = (
        Place(path="/missed", key="penalties.nav.missed", rights=READ),
        Place(path="/review", key="penalties.nav.review", rights=READ),
        Place(path="/statements", key="penalties.nav.statements", rights=READ, seldom=True),
        Place(path="/mine/penalties", key="penalties.nav.mine", rights=OWN),
        Place(path="/audit", key="penalties.nav.audit", rights=CHECK, seldom=True),
    )

    def __init__(self, asks: Asks) -> None:
        self._asks = asks

    def routes(self, kit: Kit) -> Sequence[web.RouteDef]:
        """Give all routes, each with its guard."""
        guard = kit.auth.guard
        review, own = Review(kit, self._asks), Own(kit, self._asks)
        pay = Statements(kit, self._asks)
        return [
            web.get("/missed", guard(review.missed, rights=READ)),
            web.get("/review", guard(review.queue, rights=READ)),
            web.post("/review", guard(review.decide, rights=DECIDE)),
            web.get("/review/manual", guard(review.manual_form, rights=DECIDE)),
            web.post("/review/manual", guard(review.manual, rights=DECIDE)),
            web.get("/incidents/{id}", guard(review.incident, rights=(*READ, *OWN))),
            web.post("/incidents/{id}", guard(review.decide_incident, rights=DECIDE)),
            web.get("/bundles/{id}", guard(review.bundle, rights=READ)),
            web.post("/bundles/{id}", guard(review.decide_bundle, rights=DECIDE)),
            web.get("/mine/penalties", guard(own.lines, rights=OWN)),
            web.post("/mine/penalties", guard(own.appeal, rights=OWN)),
            web.get("/mine/statement", guard(own.statement, rights=OWN)),
            web.get("/statements", guard(pay.month, rights=READ)),
            web.post("/statements", guard(pay.change, rights=DECIDE)),
            web.get("/statements/{person}", guard(pay.person, rights=READ)),
            web.get("/reviewers", guard(pay.reviewers, rights=CHECK)),
            web.get("/audit", guard(pay.audit, rights=CHECK)),
        ]
