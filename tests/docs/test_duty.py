"""The duty page tells the states, the reasons and the pages that the code has."""

import inspect
import re

from cti.duty import routes, rules
from cti.duty.rules import DutyState
from tests.docs.texts import DOCS, first_names, text_of

PAGE = DOCS / "duty.md"


def test_states_are_those_of_the_code() -> None:
    assert set(DutyState) == set(first_names(PAGE, "Who is on duty"))


def test_pages_are_those_of_the_room() -> None:
    served = set(re.findall(r'^ +"(/duty[a-z/]*)",$', inspect.getsource(routes), re.MULTILINE))

    assert served | {"/duty/notices"} == set(first_names(PAGE, "Pages"))


def test_reasons_are_those_of_the_code() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if one.startswith("The answer says why"))
    given = set(re.findall(r'yield "(\w+)"', inspect.getsource(rules)))

    assert given | {"swap", "pay_back", "extra"} == set(re.findall(r"`(\w+)`", line))
