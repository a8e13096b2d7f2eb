"""The whole check against a simulated PBX: all well, and one thing spoiled at a time."""

import asyncio
import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cti.clock import SystemClock
from cti.errors import ConfigError
from cti.pbx.check import check, run_check
from cti.pbx.check.point import exit_code
from cti.pbx.simulator import Simulator
from cti.settings import PbxSettings, Settings
from tests.kit.etc import SECRET, SYSTEMNAME, make_etc
from tests.kit.pbx import READ, WRITE, a_customer_calls, account, checked, settings_of, simulator

OTHER = SYSTEMNAME[::-1]


async def test_a_pbx_that_is_set_up_well_shows_nothing_wrong(tmp_path: Path) -> None:
    async with (sim := simulator()).running():
        found = await checked(
            sim, story=a_customer_calls, etc=make_etc(tmp_path / "etc"), devices=["PJSIP/6001"]
        )

    assert {key: point for key, point in found.items() if point.state != "ok"} == {}
    assert exit_code(found.values()) == 0


async def test_a_pbx_without_files_and_calls_leaves_that_unseen() -> None:
    async with (sim := simulator()).running():
        found = await checked(sim)

    assert exit_code(found.values()) == 0
    assert {point.state for point in found.values()} == {"ok", "unseen"}
    assert found["read.call"].found.startswith("not heard in ")
    assert found["conf.acl"].found == "not visible over AMI"


WITHOUT = {
    "originate": ["Originate"],
    "call": ["Redirect", "Hangup", "MixMonitorMute"],
    "agent": ["QueuePause"],
    "reporting": ["CoreSettings", "CoreStatus", "CoreShowChannels", "DBGet", "ShowDialPlan"],
}


@pytest.mark.parametrize("missing", WITHOUT)
async def test_a_write_right_that_is_missing_is_told(missing: str) -> None:
    write = ",".join(name for name in WRITE.split(",") if name != missing)
    async with (sim := simulator(accounts=[account(write=write)])).running():
        found = await checked(sim)

    assert {
        point.key.removeprefix("write.") for point in found.values() if point.state == "missing"
    } == set(WITHOUT[missing])
    assert all(
        f"`{missing}`" in found[f"write.{name}"].todo or missing in found[f"write.{name}"].todo
        for name in WITHOUT[missing]
    )


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ("command", "write.not-command", "Command"),
        ("user", "write.not-user", "UserEvent"),
        ("config", "write.not-config", "UpdateConfig"),
        ("config", "write.not-config-or-system", "GetConfig, Reload"),
        ("system", "write.not-system", "DBDel, DBPut, MixMonitor"),
    ],
)
async def test_a_write_right_too_many_is_told_with_its_danger(
    more: str, key: str, says: str
) -> None:
    async with (sim := simulator(accounts=[account(write=f"{WRITE},{more}")])).running():
        found = await checked(sim)

    assert (found[key].state, found[key].found) == ("wrong", f"the account may {says}")
    assert "write.not" not in found


@pytest.mark.parametrize("missing", ["call", "agent"])
async def test_a_class_that_is_not_read_is_not_seen(missing: str) -> None:
    read = ",".join(name for name in READ.split(",") if name != missing)
    async with (sim := simulator(accounts=[account(read=read)])).running():
        found = await checked(sim, story=a_customer_calls)

    assert found[f"read.{missing}"].state == "unseen"
    assert "ring" in found[f"read.{missing}"].found


async def test_without_the_class_system_that_is_told() -> None:
    async with (sim := simulator(accounts=[account(read="call,agent,user")])).running():
        found = await checked(sim)

    assert found["read.system"].state == "missing"


@pytest.mark.parametrize(
    ("spoiled", "of", "key", "state"),
    [
        ({"timestamps": False}, {}, "read.timestampevents", "wrong"),
        ({"systemname": ""}, {}, "pbx.systemname", "missing"),
        ({"systemname": ""}, {}, "read.genuine", "unseen"),
        ({"systemname": "pbx1"}, {}, "pbx.systemname", "wrong"),
        ({"systemname": "a" * 48}, {}, "pbx.systemname", "wrong"),
        ({}, {"systemname": OTHER}, "pbx.systemname", "wrong"),
        ({}, {"systemname": OTHER}, "read.genuine", "wrong"),
        ({}, {"systemname": SYSTEMNAME}, "pbx.systemname", "ok"),
        ({"version": "22.9.3"}, {}, "pbx.version", "wrong"),
        ({"version": "20.17.0"}, {}, "pbx.version", "unseen"),
        ({"accounts": [account(multiple=False)]}, {}, "link.two", "wrong"),
        ({"dialplan": {}}, {}, "dial.guard", "missing"),
        ({"dialplan": {"cti-dial": [("_X.", "", "Dial", "x")]}}, {}, "dial.guard", "wrong"),
        (
            {"variables": {"AST_CONFIG(manager.conf,general,enabled)": "yes"}},
            {},
            "write.not-files",
            "wrong",
        ),
        ({}, {"trunks": ["PJSIP/carrier*"]}, "dial.trunk:PJSIP/carrier*", "wrong"),
        ({}, {"trunks": ["PJSIP/*"]}, "dial.trunk:PJSIP/*", "wrong"),
        ({}, {"trunks": ["DAHDI/g1"]}, "dial.trunk:DAHDI/g1", "unseen"),
        ({"queues": []}, {}, "dial.queues", "unseen"),
    ],
)
async def test_one_thing_spoiled_is_told(
    spoiled: dict[str, Any], of: dict[str, Any], key: str, state: str
) -> None:
    async with (sim := simulator(**spoiled)).running():
        found = await checked(sim, story=a_customer_calls, of=of)

    assert found[key].state == state


async def test_a_phone_that_the_pbx_does_not_know_is_told() -> None:
    async with (sim := simulator()).running():
        found = await checked(sim, devices=["PJSIP/6001", "PJSIP/6999", "SIP/1"])

    assert found["dial.people"].found == "the PBX does not know PJSIP/6999"


async def test_clocks_that_differ_are_told() -> None:
    class Late(SystemClock):
        def now(self) -> Any:
            return super().now() - timedelta(seconds=90)

    async with (sim := simulator()).running():
        found = await check(
            settings_of(sim), clock=Late(), listen_for=timedelta(), etc=None, say=lambda _: None
        )

    (point,) = [point for point in found if point.key == "link.clock"]
    assert point.state == "wrong"
    assert " s ahead of this machine" in point.found


async def test_a_link_that_breaks_is_told() -> None:
    async def cut(sim: Simulator) -> None:
        sim.drop_sessions()

    async with (sim := simulator()).running():
        found = await checked(sim, story=cut)

    assert found["link.stays"].state == "wrong"


async def test_a_wrong_password_is_told_in_the_pbxs_own_words() -> None:
    async with (sim := simulator()).running():
        found = await checked(sim, of={"secret": "wrong"})

    assert list(found) == ["link.login"]
    assert found["link.login"].found == "login refused: Authentication failed"
    assert "permit and deny" in found["link.login"].todo
    assert exit_code(found.values()) == 2


async def test_a_wrong_password_is_explained_by_the_files(tmp_path: Path) -> None:
    async with (sim := simulator()).running():
        found = await checked(sim, of={"secret": "wrong"}, etc=make_etc(tmp_path / "etc"))

    assert found["conf.secret"].found == "another one than in cti's settings"
    assert exit_code(found.values()) == 2


async def test_a_pbx_that_does_not_answer_is_told() -> None:
    async with (sim := simulator()).running():
        await sim.goes_down()
        found = await checked(sim)

    assert list(found) == ["link.reachable"]
    assert found["link.reachable"].found.startswith(f"nothing listens on 127.0.0.1:{sim.port}")
    assert exit_code(found.values()) == 2


async def test_no_secret_is_ever_told(tmp_path: Path) -> None:
    async with (sim := simulator()).running():
        told = await checked(sim, story=a_customer_calls, etc=make_etc(tmp_path / "etc"))
        refused = await checked(sim, of={"user": SECRET, "systemname": SYSTEMNAME})

    for text in (SECRET, SYSTEMNAME):
        assert text not in f"{told} {refused}"


async def test_a_folder_that_is_none_is_told_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent/manager\.conf"):
        await check(
            PbxSettings.model_validate({"port": 1}),
            clock=SystemClock(),
            listen_for=timedelta(),
            etc=tmp_path / "absent",
            say=lambda _: None,
        )


class Told:
    """What a command said, and to whom."""

    def __init__(self, *pbxs: PbxSettings) -> None:
        self.settings = Settings(pbx=list(pbxs))
        self.said: list[str] = []
        self.progress: list[str] = []

    async def run(self, **more: Any) -> int:
        return await run_check(
            self.settings,
            **{"say": self.said.append, "tell": self.progress.append, "seconds": 0.01, **more},
        )


async def test_the_command_tells_each_pbx_and_ends_with_the_worse_code() -> None:
    async with (one := simulator()).running(), (two := simulator(version="22.1.0")).running():
        told = Told(settings_of(one, name="one"), settings_of(two, name="two"))
        code = await told.run()

    titles = [line for line in told.said if line.startswith("PBX ")]
    assert titles == [
        f"PBX one: 127.0.0.1:{one.port}, account cti",
        f"PBX two: 127.0.0.1:{two.port}, account cti",
    ]
    assert code == 1
    assert told.said[-1].startswith("This PBX needs attention: ")
    assert len(told.progress) == 2


async def test_the_command_tells_all_as_json() -> None:
    async with (sim := simulator()).running():
        told = Told(settings_of(sim, name="one"))
        code = await told.run(as_json=True)

    (text,) = told.said
    answer = json.loads(text)
    assert (answer["exit"], list(answer["pbxs"])) == (code, ["one"])
    assert {"key", "what", "state", "found", "why", "todo"} == set(answer["pbxs"]["one"][0])


async def test_the_command_checks_the_pbx_that_is_named() -> None:
    async with (sim := simulator()).running():
        told = Told(settings_of(sim, name="one"), settings_of(sim, name="two"))
        await told.run(pbx="two", as_json=True)

    assert list(json.loads(told.said[0])["pbxs"]) == ["two"]


@pytest.mark.parametrize(
    ("more", "code"), [({"pbx": "three"}, "unknown_pbx"), ({"etc": Path("/etc")}, "which_pbx")]
)
async def test_the_command_says_when_it_cannot_tell_which(more: dict[str, Any], code: str) -> None:
    told = Told(
        PbxSettings.model_validate({"name": "one"}), PbxSettings.model_validate({"name": "two"})
    )

    with pytest.raises(ConfigError) as refused:
        await told.run(**more)

    assert refused.value.code == code


async def test_ctrl_c_ends_the_listening_and_not_the_result() -> None:
    async with (sim := simulator()).running():
        told = Told(settings_of(sim))
        listening = asyncio.Event()

        def progress(_: str) -> None:
            listening.set()

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(told.run(seconds=600, tell=progress))
            await listening.wait()
            os.kill(os.getpid(), signal.SIGINT)
        code = task.result()

    assert (code, bool(told.said)) == (0, True)
