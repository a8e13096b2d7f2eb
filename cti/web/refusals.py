"""How does a page say a refusal? With names for people, and times by the house's clock."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cti.errors import Refused


def readable(refusal: Refused, name: Callable[[str], str], zone: ZoneInfo, **plain: Any) -> Refused:
    """Give a refusal whose facts people can read; `plain` says what is not among them."""
    facts = dict(plain)
    for key, fact in refusal.facts.items():
        if isinstance(fact, datetime):
            facts[key] = f"{fact.astimezone(zone):%m-%d %H:%M}"
        elif fact is not None:
            facts[key] = name(fact) if key == "by" else fact
    return Refused(refusal.code, refusal.what, **facts)
