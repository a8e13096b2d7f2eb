"""Every command that the docs and the program's own sentences name can be typed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cti import demo
from cti.people.rules import Person, Role
from tests.docs import commands_page
from tests.docs.texts import PAGES, ROOT, blocks, spans, text_of

KNOWN = {name: commands_page.options(command) for name, command in commands_page.commands()}
GROUPS = {" ".join(name.split()[:depth]) for name in KNOWN for depth in (1, 2)}
MAKEFILE = text_of(ROOT / "Makefile")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
BEFORE = re.compile(r"^(\$ |sudo -u \w+ |/opt/cti/bin/|\.venv/bin/|\$\(BIN\)/)+")
SOURCES = [*(ROOT / "cti").rglob("*.py"), ROOT / "config" / "systemd" / "cti.service"]


def said() -> Iterator[tuple[str, str]]:
    """Give (where, command line) of everything that looks like a command of ours."""
    for page in PAGES:
        for line in [*blocks(page), *spans(page)]:
            yield page.name, BEFORE.sub("", line)
    for source in SOURCES:
        for line in re.findall(r"`((?:cti|make) [^`\n{}]+)`|(?<=ExecStart=)(.+)", text_of(source)):
            yield source.name, BEFORE.sub("", line[0] or line[1])
        for line in re.findall(r"(?:run|then): (cti [a-z ]+)", text_of(source)):
            yield source.name, line


OURS = sorted(
    {
        (where, line)
        for where, line in said()
        if re.match(r"(cti|make) [a-z]", line) and not line.startswith("cti runs")
    }
)
MODULES = sorted({(where, line) for where, line in said() if line.startswith("python -m tests")})


def ids(case: object) -> str:
    return str(case)[:60]


@pytest.mark.parametrize(("where", "line"), [c for c in OURS if c[1].startswith("cti ")], ids=ids)
def test_a_command_of_cti_is_there_with_its_options(where: str, line: str) -> None:
    words = shlex.split(re.sub(r"…|\.\.\.|\[options\]", "", line), comments=True)
    name = next((n for n in (" ".join(words[:3]), " ".join(words[:2])) if n in KNOWN), "")

    assert name or " ".join(words[:2]) in GROUPS, f"{where}: {line}"
    options = {re.sub(r"[\[\]]|=.*", "", word) for word in words if "--" in word}
    assert options <= KNOWN.get(name, set()) | {"--help", "--version"}, f"{where}: {line}"


@pytest.mark.parametrize(("where", "line"), [c for c in OURS if c[1].startswith("make ")], ids=ids)
def test_a_command_of_make_is_there_with_its_variables(where: str, line: str) -> None:
    target, *given = shlex.split(line, comments=True)[1:]

    assert target in TARGETS, f"{where}: {line}"
    for word in given:
        assert f"$({word.partition('=')[0]})" in MAKEFILE, f"{where}: {line}"


@pytest.mark.parametrize(("where", "line"), MODULES, ids=ids)
def test_a_module_that_the_docs_run_is_there(where: str, line: str) -> None:
    module = Path(*shlex.split(line)[2].split("."))

    assert (ROOT / module.with_suffix(".py")).exists() or (ROOT / module / "__main__.py").exists()


def test_there_is_something_to_check() -> None:
    assert len(OURS) > 40
    assert {"cti run", "cti check", "cti record", "cti replay"} <= set(KNOWN)


def test_every_target_of_make_is_told_somewhere() -> None:
    told = {line.split()[1] for _, line in OURS if line.startswith("make ")}

    assert TARGETS - told == {"setup", "lock"}


def test_the_demo_says_what_the_first_page_shows() -> None:
    said: list[str] = []
    links = [
        (Person(id="", number=made.number, name=made.name, role=Role(made.role)), "…")
        for made in demo.PEOPLE
    ]
    demo._tell(said.append, "http://127.0.0.1:8080", links, simulated=True)

    shown = [line for line in blocks(ROOT / "docs" / "start.md") if line.startswith(("cti ", " "))]
    assert shown == said[1 : 1 + len(shown)]


def test_the_commands_of_the_readme_are_those_of_ci() -> None:
    assert "make test" in text_of(ROOT / ".ci" / "run").splitlines()
    assert {"make demo", "make test"} <= set(blocks(ROOT / "README.md"))
    assert re.search(r"^test: setup lint\n\t\$\(BIN\)/pytest\b", MAKEFILE, re.MULTILINE)
