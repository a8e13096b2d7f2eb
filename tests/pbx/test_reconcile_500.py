"""500 queue calls at 20 a second: does every call stand in our records as it happened?

Three witnesses: Asterisk's queue_log, its CDR, and the callers and phones themselves.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.kit.house import House, Kept, Row, at_work
from tests.pbx.lab import Lab, Pair
from tests.pbx.lab.load import Borne, Load, bear
from tests.pbx.lab.sip import Rung
from tests.pbx.lab.trees import CROWD

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

CALLS = 500
CLOSE_MS = 200
WATCHED = ("6101", "6150", "6200")


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of the load: by its own account, in our database, and by Asterisk's files."""

    house: House
    borne: Borne
    rows: list[Row]
    queue_log: Path
    cdr: Path


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=[False, True])
async def day(
    request: pytest.FixtureRequest, pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Day]:
    """The load, borne while the daemon listened: plain, then with all that can go wrong."""
    mixed: bool = request.param
    data = tmp_path_factory.mktemp("load")
    async with Lab(pair) as lab:
        await lab.records_quiet()
        lab.mark()
        async with at_work(pair, data, more=CROWD) as house:
            await house.watch(*WATCHED)
            borne = await bear(lab, Load(calls=100 if mixed else CALLS, mixed=mixed))
            rows = await house.none_open()
            queue_log, cdr = data / "queue_log", data / "cdr.csv"
            queue_log.write_text("\n".join(lab.queue_log()), encoding="utf-8")
            cdr.write_text(lab.records.text("cdr", lab.since), encoding="utf-8")
            yield Day(house=house, borne=borne, rows=rows, queue_log=queue_log, cdr=cdr)


async def test_queue_log_and_cdr_say_nothing_else(day: Day) -> None:
    words = ["reconcile", "--queue-log", str(day.queue_log), "--cdr", str(day.cdr)]
    words += ["--config", str(day.house.daemon.config)]

    done = subprocess.run(  # noqa: S603, ASYNC221  words of our own
        [sys.executable, "-m", "cti", *words], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr), done.stdout


async def test_every_customers_call_is_there_once_and_over(day: Day) -> None:
    callers = sorted(row["caller"] for row in day.rows)

    assert sorted(customer.number for customer in day.borne.customers) == callers
    assert {True} == {row["over"] for row in day.rows}
    assert {"inbound"} == {row["direction"] for row in day.rows}
    assert [] == await day.house.gaps()


async def test_who_answered_whom_is_what_the_phones_say(day: Day) -> None:
    truth = {rung.caller: rung.phone for rung in day.borne.rung if rung.how == "answered"}
    served = {c.number for c in day.borne.customers if c.answered}

    stored = {row["caller"]: row["agent"] for row in day.rows if row["outcome"] == "answered"}

    assert {caller: phone for caller, phone in truth.items() if caller in served} == stored


async def test_every_phone_rang_as_long_as_it_says(day: Day) -> None:
    truth: dict[str, list[Rung]] = {}
    for rung in day.borne.rung:
        truth.setdefault(rung.caller, []).append(rung)

    worst = 0.0
    for row in day.rows:
        kept: Kept = await day.house.whole(row)
        rang = [rung for rung in truth[row["caller"]] if rung.how != "busy"]
        stored = sorted((o["began"], o["agent"], o["ring_ms"]) for o in kept.offers if o["rang_at"])
        phones = sorted((rung.rang, rung.phone, own_ms(rung)) for rung in rang)
        assert [who for _, who, _ in phones] == [who for _, who, _ in stored]
        for (_, _, own), (_, _, ms) in zip(phones, stored, strict=True):
            worst = max(worst, abs(own - ms))
    assert worst <= CLOSE_MS


async def test_no_screen_saw_a_card_twice_or_too_long(day: Day) -> None:
    ends: list[list[str]] = []
    for phone in WATCHED:
        screen = day.house.screens[phone]
        rang = [rung for rung in day.borne.rung if rung.phone == phone and rung.how != "busy"]
        said: list[Any] = [
            screen.words(call) for call in sorted({card["call"] for _, card in screen.told})
        ]
        assert len(rang) == sum(words.count("ringing") for words in said)
        ends += [[word for word in words if word.startswith("ended ")] for words in said]
        assert [words[-1] for words in said] == [last for *_, last in ends[len(ends) - len(said) :]]

    # the queue goes round by its own memory: one of these phones may be passed over, not all
    assert {1} == {len(end) for end in ends}


def own_ms(rung: Rung) -> float:
    """How long a phone rang, by itself."""
    end = rung.answered or rung.ended
    assert end is not None
    return (end - rung.rang) * 1000
