"""May a customer be rung before his agent? Only while few enough of them met nobody. Pure.

A call is *abandoned* when the customer has picked up and no agent is there for him in time. Of
all calls that a person answered, by whatever mode they were dialled, no more than the house's
`cap` may be abandoned within its `window` (requirement 21.2; 47 CFR 64.1200: 3 % in 30 days).
"""

from decimal import Decimal

from cti.house_visits import AbandonRules
from cti.value import value


@value
class Abandons:
    """What was counted in the window: `answered` by a person, the `abandoned` among them.

    `under_way` are rung first just now: what becomes of them is not known.
    """

    answered: int = 0
    abandoned: int = 0
    under_way: int = 0

    @property
    def rate(self) -> Decimal | None:
        """The share that was abandoned; None: nobody answered."""
        return Decimal(self.abandoned) / self.answered if self.answered else None


def may_ring_first(found: Abandons, rules: AbandonRules) -> bool:
    """Tell whether the cap still holds if one more, and all under way, are abandoned."""
    worst = found.under_way + 1
    return found.abandoned + worst <= rules.cap * (found.answered + worst)


def is_stopped(found: Abandons, rules: AbandonRules) -> bool:
    """Tell whether nobody may be rung first, even once all that is under way has ended well."""
    return not may_ring_first(Abandons(answered=found.answered, abandoned=found.abandoned), rules)
