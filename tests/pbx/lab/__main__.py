"""The lab by hand: `python -m tests.pbx.lab COMMAND`, or `make lab` for `start`."""

import argparse
import asyncio
import gzip
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.pbx.lab import demo, talks, visits
from tests.pbx.lab.lab import Lab
from tests.pbx.lab.load import Borne, Load, bear
from tests.pbx.lab.pair import Pair
from tests.pbx.lab.root import Missing, install, missing, root
from tests.pbx.lab.scenes import SCENES
from tests.pbx.lab.tapes import SYSTEMNAME, Tape, record
from tests.pbx.lab.trees import CROWD, Secrets
from tests.pbx.lab.truth import lines, plain

TRACES = Path(__file__).parents[2] / "traces" / "lab"


def main() -> int:
    """Run one command; 1 with one clear sentence if the lab cannot be had."""
    given = _parser().parse_args()
    if given.apart:
        _apart()
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "install": _install,
        "start": _start,
        "stop": _stop,
        "status": _status,
        "call": _call,
        "behave": _behave,
        "load": _load,
        "tapes": _tapes,
        "talks": _talks,
        "chaos": _chaos,
        "delays": _delays,
    }
    try:
        return commands[given.command](given)
    except Missing as why:
        sys.stderr.write(f"lab: {why}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.pbx.lab", description=__doc__)
    parser.add_argument("--apart", action="store_true", help="in a network namespace of its own")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="bring Asterisk to this machine (root, Debian; once)")
    commands.add_parser("start", help="install if need be, start the demo's pair")
    commands.add_parser("stop", help="end the demo's pair")
    commands.add_parser("status", help="say what is installed and what runs")
    call = commands.add_parser("call", help="let a customer ring the demo's PBX")
    call.add_argument("--number", default="13800138000", help="who calls; `anonymous`: withheld")
    call.add_argument("--name", default="王小明")
    call.add_argument("--to", default="4000", help="what the customer dials")
    call.add_argument("--patience", type=float, default=30, help="gives up after so many seconds")
    call.add_argument("--talk", type=float, default=10, help="hangs up after so many seconds")
    behave = commands.add_parser("behave", help="say what a phone of the demo does when rung")
    behave.add_argument("number")
    behave.add_argument("does", help="answer,RING,TALK | ring,MAX | busy | reject,RING | ...")
    load = commands.add_parser("load", help="many queue calls on a pair of its own")
    load.add_argument("--calls", type=int, default=500)
    load.add_argument("--rate", type=float, default=20.0)
    load.add_argument("--mixed", action="store_true", help="some give up, decline, never answer")
    load.add_argument(
        "--tape", type=Path, help="FILE.ami.gz: what the product's account hears; truth beside it"
    )
    tapes = commands.add_parser("tapes", help="record tests/traces/lab again")
    tapes.add_argument("names", nargs="*", help="these scenes alone")
    tapes.add_argument("--into", type=Path, default=TRACES)
    talks = commands.add_parser("talks", help="recorded calls, and whose each recording is")
    talks.add_argument("--calls", type=int, default=200)
    chaos = commands.add_parser("chaos", help="kill the daemon while it dials, again and again")
    chaos.add_argument("--kills", type=int, default=1000)
    chaos.add_argument("--seed", type=int, default=22, help="the same seed plays the same kills")
    delays = commands.add_parser("delays", help="how soon is dialled what becomes due")
    delays.add_argument("--dials", type=int, default=100, help="each by another agent")
    delays.add_argument("--rate", type=float, default=10.0, help="so many a second")
    return parser


def _install(_: argparse.Namespace) -> int:
    _say(f"installed: {root()}" if install() else f"already there: {root()}")
    return 0


def _start(_: argparse.Namespace) -> int:
    install()
    pair = demo.start()
    asyncio.run(_take_their_time(pair))
    _say(f"PBX      {pair.place.pbx}  AMI {pair.place.ami}  pid {pair.pbx.pid}")
    _say(f"world    {pair.place.carrier} carrier, {pair.place.phones} phones  pid {pair.world.pid}")
    _say(f"settings {demo.state() / 'cti.toml'}")
    _say("Let a customer ring: python -m tests.pbx.lab call   End it: python -m tests.pbx.lab stop")
    return 0


async def _take_their_time(pair: Pair) -> None:
    """Let the demo's phones ring so long that a person sees the pop before somebody answers."""
    async with Lab(pair) as lab:
        await lab.behave_all(p6001="answer,8,25", p6002="answer,12,25", p6003="answer,16,25")


def _stop(_: argparse.Namespace) -> int:
    _say("stopped" if demo.stop() else "nothing ran")
    return 0


def _status(_: argparse.Namespace) -> int:
    why = missing()
    _say(f"asterisk {why or 'installed in ' + str(root())}")
    pair = demo.running()
    _say(f"demo     {'up at ' + pair.place.pbx if pair else 'not running'}")
    return 0 if why is None else 1


def _call(given: argparse.Namespace) -> int:
    async def ring() -> None:
        async with Lab(_demo()) as lab:
            wait = {"patience": given.patience, "talk": given.talk}
            if given.number == "anonymous":
                call = await lab.anonymous_calls(to=given.to, **wait)
            else:
                call = await lab.customer_calls(given.number, to=given.to, name=given.name, **wait)
            await call.over(within=given.patience + given.talk + 60)
            await lab.records_quiet()
            for side in lab.sides():
                _say(" ".join(f"{key}={value}" for key, value in plain(side).items()))

    asyncio.run(ring())
    return 0


def _behave(given: argparse.Namespace) -> int:
    async def tell() -> None:
        async with Lab(_demo()) as lab:
            await lab.behave(given.number, given.does)

    asyncio.run(tell())
    return 0


def _load(given: argparse.Namespace) -> int:
    load = Load(calls=given.calls, rate=given.rate, mixed=given.mixed)
    name, secret = ("tape", Secrets(systemname=SYSTEMNAME)) if given.tape else ("", None)
    pair = Pair.start(name=name, secret=secret)
    try:
        borne, tape, truth = asyncio.run(_bear(pair, load))
    finally:
        pair.stop()
    if given.tape:
        _pack(given.tape, tape)
        _pack(given.tape.with_suffix("").with_suffix(".truth.json.gz"), truth.encode())
    _say(f"customers {dict(Counter(c.how for c in borne.customers))}")
    _say(f"phones    {dict(Counter(r.how for r in borne.rung))}")
    _say(f"queue_log {borne.queue_log}")
    _say(f"events    {tape.count(b'Event: ')}, {len(tape)} bytes as account cti")
    _say(f"PBX       {borne.cpu_seconds:.2f} CPU-seconds, {borne.memory_mb:.0f} MB")
    _say(f"lasted    {borne.seconds:.1f} s")
    return 0


async def _bear(pair: Pair, load: Load) -> tuple[Borne, bytes, str]:
    async with Lab(pair) as lab:
        tape = Tape("cti")
        await tape.listen(lab)
        borne = await bear(lab, load)
        await tape.end()
        truth = {
            "systemname": SYSTEMNAME,
            "customers": [asdict(customer) for customer in borne.customers],
            "rung": [asdict(rung) for rung in borne.rung],
            "queue_log": lab.queue_log(),
            "cdr": lab.cdr(),
        }
        return borne, tape.data, lines(truth)


def _pack(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def _tapes(given: argparse.Namespace) -> int:
    unknown = set(given.names) - {scene.name for scene in SCENES}
    if unknown:
        raise Missing(f"no such scene: {', '.join(sorted(unknown))}")
    for scene in SCENES:
        if not given.names or scene.name in given.names:
            sizes = asyncio.run(record(scene, given.into))
            _say(f"{scene.name}: " + ", ".join(f"{who} {size}" for who, size in sizes.items()))
    return 0


def _talks(given: argparse.Namespace) -> int:
    async def play(pair: Pair, data: Path) -> dict[str, Any]:
        async with Lab(pair) as lab, talks.recorded(pair, data) as house:
            evening, planned = talks.Evening(house, lab), talks.planned(given.calls)
            await evening.play(planned)
            await lab.records_quiet()
            await house.none_open()
            await talks.all_collected(house)
            return await evening.judge(planned)

    pair = Pair.start()
    try:
        with tempfile.TemporaryDirectory() as data:
            figures = asyncio.run(play(pair, Path(data)))
    finally:
        pair.stop()
    _say(json.dumps(figures, indent=1))
    return 0 if figures["right"] == figures["calls"] else 1


def _chaos(given: argparse.Namespace) -> int:
    async def play(pair: Pair, data: Path) -> visits.Verdict:
        async with Lab(pair) as lab, visits.visiting(pair, data, lab) as played:
            lab.mark()
            dice = random.Random(given.seed)  # noqa: S311  kills that can be played again
            await visits.Chaos(played=played, kills=given.kills, dice=dice).run()
            await lab.records_quiet()
            return await visits.judge(played, lab.cel())

    pair = Pair.start()
    try:
        with tempfile.TemporaryDirectory() as data:
            said = asyncio.run(play(pair, Path(data)))
    finally:
        pair.stop()
    _say(json.dumps({"kills": given.kills, **asdict(said)}, indent=1))
    return 1 if said.faults or said.double or said.lost or said.stuck else 0


def _delays(given: argparse.Namespace) -> int:
    async def play(pair: Pair, data: Path) -> list[float]:
        async with Lab(pair) as lab, visits.visiting(pair, data, lab, crowd=CROWD) as played:
            return await visits.delays(played, given.dials, given.rate)

    pair = Pair.start()
    try:
        with tempfile.TemporaryDirectory() as data:
            cuts = quantiles(asyncio.run(play(pair, Path(data))), n=100)
    finally:
        pair.stop()
    _say(json.dumps({"p50_s": round(cuts[49], 3), "p99_s": round(cuts[98], 3)}))
    return 0 if cuts[98] <= 1 else 1


def _demo() -> Pair:
    pair = demo.running()
    if pair is None:
        raise Missing("the demo's pair does not run: python -m tests.pbx.lab start")
    return pair


def _apart() -> None:
    """Become this command again, in a network namespace where nothing but loopback is."""
    words = [word for word in sys.argv[1:] if word != "--apart"]
    inner = 'ip link set lo up && exec "$@"'
    again = ["sh", "-c", inner, "sh", sys.executable, "-m", "tests.pbx.lab", *words]
    os.execvp("unshare", ["unshare", "--net", *again])  # noqa: S606, S607  words of the lab's own


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


sys.exit(main())
