"""Figures, facts of the log, reasons and limits stand in operate.md as they are in the code."""

import ast
import asyncio
import importlib
import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from cti import settings as settings_file
from cti.app import App
from cti.db import migrate
from tests.docs.texts import DOCS, ROOT, first_names, table, text_of
from tests.kit.until import until

PAGE = DOCS / "operate.md"
PLAY = ("demo.py", "simulator")
"""What only the demo says is for nobody who operates."""
SOURCES = [
    path
    for path in [*(ROOT / "cti").rglob("*.py"), *(ROOT / "recordings").glob("*.py")]
    if not any(word in path.parts for word in PLAY)
]
LEVELS = {"exception": "error"}
OURS = "Always a fault of ours"


async def figures(directory: Path) -> list[Metric]:
    """Give what /metrics says of a daemon that runs, with a PBX that is away."""
    given = {"host": "127.0.0.1", "port": 9, "secret": "s"}
    settings = settings_file.load(data=directory, pbx=[given], web={"port": 0})
    await migrate.upgrade(settings.database_url)
    app = App(settings)
    async with running(app):
        app.lines[0].listen.aside.put("forged", b"Event: X")
        await until(lambda: bool(app.desk.links()))
        async with aiohttp.ClientSession() as session, session.get(f"{app.url}/metrics") as answer:
            return list(text_string_to_metric_families(await answer.text()))


class running:  # noqa: N801  reads as a word
    """Run an app while the block lasts."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __aenter__(self) -> None:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._tasks.create_task(self._app.run())
        await self._app.ready.wait()

    async def __aexit__(self, *fault: Any) -> None:
        self._app.stop()
        await self._tasks.__aexit__(*fault)


async def test_every_figure_stands_in_the_table(tmp_path: Path) -> None:
    told = {row.names()[0]: row.cells[1] for row in table(PAGE, "Figures")}

    found = {
        family.name: family.type
        for family in await figures(tmp_path)
        if not family.name.endswith("_created")
    }
    assert found == told


async def test_every_figure_has_the_labels_that_the_table_names(tmp_path: Path) -> None:
    told = {
        row.names()[0]: set(row.cells[2].replace(" ", "").split(",")) - {""}
        for row in table(PAGE, "Figures")
    }

    for family in await figures(tmp_path):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert set(sample.labels) == told[family.name], family.name


def facts() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Give (event, level, keys) of every fact that the program may log."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(text_of(path))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = ast.unparse(node.func.value)
            if owner not in ("log", "self.log") or not node.args:
                continue
            event, level = node.args[0], node.func.attr
            if isinstance(event, ast.Constant) and level not in ("configure", "bind"):
                keys = frozenset(word.arg for word in node.keywords if word.arg)
                yield event.value, LEVELS.get(level, level), keys


LOGGED = list(facts())


def told_facts() -> dict[str, str]:
    """Give every fact that operate.md names, with its level."""
    found = {
        name: row.cells[1]
        for heading in ("Facts", "Warnings and alarms")
        for row in table(PAGE, heading)
        for name in row.names()
    }
    (ours,) = (line for line in text_of(PAGE).splitlines() if line.startswith(OURS))
    return found | dict.fromkeys(re.findall(r"`(\w+)`", ours), "error")


def test_every_fact_stands_in_a_table_with_its_level() -> None:
    assert {(event, level) for event, level, _ in LOGGED} == set(told_facts().items())


@pytest.mark.parametrize("heading", ["Facts", "Warnings and alarms"])
def test_every_fact_is_told_once(heading: str) -> None:
    told = first_names(PAGE, heading)

    assert sorted(set(told)) == sorted(told)


def test_a_fault_of_ours_comes_with_a_traceback() -> None:
    (ours,) = (line for line in text_of(PAGE).splitlines() if line.startswith(OURS))
    traced = {
        match
        for path in SOURCES
        for match in re.findall(r"log\.exception\(\s*\"(\w+)\"", text_of(path))
    }

    assert set(re.findall(r"`(\w+)`", ours)) == traced


def test_the_keys_of_a_finished_call_are_told() -> None:
    (line,) = (one for one in text_of(PAGE).splitlines() if one.startswith("Keys of `call_over`"))
    (keys,) = (keys for event, _, keys in LOGGED if event == "call_over")

    assert {*re.findall(r"`(\w+)`", line)} - {"call_over"} == keys


def test_every_reason_for_setting_a_message_aside_is_told() -> None:
    said = "".join(text_of(path) for path in (ROOT / "cti" / "pbx").glob("*.py"))
    put = set(re.findall(r"aside\.put\(\"(\w+)\"", said))

    assert put | judged() == set(first_names(PAGE, "Messages set aside"))


def judged() -> set[str]:
    """Give the reasons that the judges of a frame return."""
    return {
        word.value.partition(":")[0]
        for node in ast.walk(ast.parse(text_of(ROOT / "cti" / "pbx" / "frames.py")))
        if isinstance(node, ast.FunctionDef) and node.name in ("forgery", "_judge", "_repeat")
        for given in ast.walk(node)
        if isinstance(given, ast.Return) and given.value
        for word in ast.walk(given.value)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }


LIMITS = [(row.cells[0], row.names(2), row.cells[1]) for row in table(PAGE, "Limits")]


@pytest.mark.parametrize(("what", "names", "said"), LIMITS, ids=[each[0] for each in LIMITS])
def test_a_limit_is_what_the_code_says(what: str, names: list[str], said: str) -> None:
    values = [str(value_of(name)) for name in names]

    assert set(values) <= set(re.findall(r"[\d.]+", said.replace(",", ""))), f"{what}: {values}"


def value_of(name: str) -> Any:
    """Give the value of `module.NAME`, or the default of `module.Class(parameter)`."""
    path, _, parameter = name.rstrip(")").partition("(")
    module, _, attribute = path.rpartition(".")
    found = getattr(importlib.import_module(module), attribute)
    if parameter:
        found = inspect.signature(found).parameters[parameter].default
    if isinstance(found, timedelta):
        found = found.days if found.days else found.total_seconds()
    return int(found) if found == int(found) else found
