"""The tables of the call model are those of the code; what docstrings cite is there."""

import ast
import json
import re
from pathlib import Path

import pytest

from cti.calls import replay
from cti.calls.book import trunk_matcher
from cti.calls.record import Direction, EndedBy, OfferOutcome, Outcome, Reason
from cti.house import House
from cti.pbx.tape import read_tape
from tests.docs.texts import DOCS, ROOT, blocks, first_names, table, text_of

CALLS, REPLAY = DOCS / "calls.md", DOCS / "replay.md"
TAPE = ROOT / "tests" / "traces" / "queue-ringall-one-answers.ami"
SOURCES = [*(ROOT / "cti").rglob("*.py"), *(ROOT / "tests" / "calls").glob("*.py")]


def test_the_outcomes_of_an_offer_are_those_of_the_code() -> None:
    assert sorted(OfferOutcome) == sorted(first_names(CALLS, "9.4 Outcome of an offer"))


def test_the_reasons_of_a_missed_call_stand_in_the_order_of_the_code() -> None:
    told = [row.names()[0] for row in table(CALLS, "9.5 Outcome and reason of a call")]

    assert list(Reason) == told
    assert judged() == told


def judged() -> list[str]:
    """Give the reasons in the order in which `judge` tries them."""
    for node in ast.walk(ast.parse(text_of(ROOT / "cti" / "calls" / "judge.py"))):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "first_that_fits":
            assert isinstance(node.value, ast.Tuple)
            pairs = [pair for pair in node.value.elts if isinstance(pair, ast.Tuple)]
            return [str(Reason[ast.unparse(pair.elts[1]).partition(".")[2]]) for pair in pairs]
    raise AssertionError("judge.py has no first_that_fits")


CITED = sorted(
    {
        (path.name, one)
        for path in SOURCES
        for one in re.findall(r"(?<=[( ])([IR][1-9])(?=[),: ])", text_of(path))
    }
)


@pytest.mark.parametrize(("where", "rule"), CITED, ids=lambda part: part)
def test_a_rule_that_is_cited_is_told(where: str, rule: str) -> None:
    assert f"\n- {rule} " in text_of(CALLS), where


def test_a_section_that_is_cited_is_there() -> None:
    told = set(re.findall(r"^#+ ([\d.]+) ", text_of(CALLS), re.MULTILINE))
    pattern = r"call\s+model,?\s+(?:section\s+)?([\d.]*\d)|\((9\.\d)\)"
    cited = {one or other for path in SOURCES for one, other in re.findall(pattern, text_of(path))}

    assert len(cited) > 3
    assert cited - told == set()


def test_rules_are_cited_at_all() -> None:
    assert {"I5", "R1", "R7"} <= {rule for _, rule in CITED}


def test_replay_gives_the_keys_that_its_page_names() -> None:
    assert list(replayed()) == first_names_of_keys()


def first_names_of_keys() -> list[str]:
    return [row.names()[0] for row in table(REPLAY, "With `--json`")]


def replayed() -> dict[str, object]:
    records = replay.replay(
        read_tape(TAPE), is_trunk=trunk_matcher(["PJSIP/trunk*"]), house=House()
    )
    told: dict[str, object] = json.loads(json.dumps(replay.as_json(records[0])))
    return told


@pytest.mark.parametrize(
    ("key", "kind"), [("direction", Direction), ("outcome", Outcome), ("ended_by", EndedBy)]
)
def test_replay_names_every_value_of_a_key(key: str, kind: type[Direction]) -> None:
    (row,) = (row for row in table(REPLAY, "With `--json`") if row.names() == [key])

    assert set(row.names(1)) == set(kind)


def test_replay_prints_the_line_that_its_page_shows() -> None:
    lines = list(blocks(REPLAY))
    (command,) = (line for line in lines if line.startswith("$ cti replay"))
    shown = lines[lines.index(command) + 1]
    assert command.split()[3] == TAPE.relative_to(ROOT).as_posix()

    said = replay.run(
        Path(TAPE),
        trunks=["PJSIP/trunk*"],
        house=None,
        systemname="",
        as_objects=False,
        warn=lambda _: None,
    )
    assert list(said) == [shown]
