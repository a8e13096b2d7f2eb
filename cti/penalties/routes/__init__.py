"""The pages of missed calls and penalties: for reviewers, for whom it concerns, for pay."""

from cti.penalties.routes.common import Asks
from cti.penalties.routes.room import PenaltyPages

__all__ = ["Asks", "PenaltyPages"]
