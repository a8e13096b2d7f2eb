"""The files of config/asterisk are judged good, and each thing that is spoiled is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cti.errors import ConfigError
from cti.pbx.check import files
from cti.pbx.check.point import Point
from cti.settings import PbxSettings
from tests.kit.etc import SECRET, SYSTEMNAME, make_etc, spoil

SETTINGS = PbxSettings.model_validate({"secret": SECRET})


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return make_etc(tmp_path / "etc")


def judge(etc: Path, settings: PbxSettings = SETTINGS, running: str = "") -> dict[str, Point]:
    return {point.key: point for point in files.points(files.Etc(etc), settings, running)}


def test_the_shipped_files_are_all_well(etc: Path) -> None:
    found = judge(etc, running=SYSTEMNAME)

    assert [point for point in found.values() if point.state != "ok"] == []


def test_the_files_as_shipped_say_what_is_left_to_do(tmp_path: Path) -> None:
    from cti import shipped

    found = judge(shipped.config() / "asterisk")

    assert {k for k, point in found.items() if point.state == "missing"} == {
        "conf.secret",
        "conf.systemname",
    }


MANAGER, ASTERISK = "manager.conf", "asterisk.conf"


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "state"),
    [
        (MANAGER, "timestampevents = yes", "", "read.timestampevents", "wrong"),
        (MANAGER, "webenabled = no", "webenabled = yes", "conf.webenabled", "wrong"),
        (MANAGER, "MIXMONITOR_FILENAME", "OTHER", "read.channelvars", "missing"),
        (MANAGER, "allowmultiplelogin = yes", "allowmultiplelogin = no", "link.two", "wrong"),
        (MANAGER, "writetimeout = 5000", "writetimeout = 500", "conf.writetimeout", "wrong"),
        (MANAGER, "writetimeout = 5000", "", "conf.writetimeout", "wrong"),
        (MANAGER, "writetimeout = 5000", "writetimeout = ten", "conf.writetimeout", "wrong"),
        (MANAGER, "deny = 0.0.0.0/0.0.0.0", "", "conf.acl", "missing"),
        (MANAGER, "deny = 0.0.0.0/0.0.0.0", "acl = house", "conf.acl", "unseen"),
        (MANAGER, "127.0.0.1/255.255.255.255", "10.0.0.0/8", "conf.acl", "wrong"),
        (MANAGER, "127.0.0.1/255.255.255.255", "anywhere", "conf.acl", "wrong"),
        (MANAGER, "127.0.0.1/255.255.255.255", "10.1.2.0/24", "conf.acl", "ok"),
        (MANAGER, "bindaddr = 127.0.0.1", "bindaddr = ::", "conf.acl", "wrong"),
        (MANAGER, "bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0", "conf.bindaddr", "wrong"),
        (MANAGER, "bindaddr = 127.0.0.1", "", "conf.bindaddr", "wrong"),
        (MANAGER, "bindaddr = 127.0.0.1", "tlsenable = yes", "conf.bindaddr", "ok"),
        (MANAGER, "bindaddr = 127.0.0.1", "bindaddr = 192.168.7.2", "conf.bindaddr", "ok"),
        (MANAGER, "read = system,call", "read = system", "read.call", "missing"),
        (MANAGER, "read = system,call", "read = call", "read.system", "missing"),
        (MANAGER, "agent,user\n", "agent\n", "read.user", "missing"),
        (MANAGER, "agent,user\n", "user\n", "read.agent", "missing"),
        (MANAGER, "agent,user\n", "agent,user,dialplan\n", "read.more", "wrong"),
        (MANAGER, "read = system,call,agent,user", "read = all", "read.more", "wrong"),
        (MANAGER, "read = system,call,agent,user", "read = all", "read.call", "ok"),
        (MANAGER, "agent,reporting", "agent,reporting,system", "conf.write", "wrong"),
        (MANAGER, "write = originate", "write = all,originate", "conf.write", "wrong"),
        (MANAGER, "write = originate,call", "write = call", "conf.write", "missing"),
        (MANAGER, "[cti]", "[other]", "conf.account", "missing"),
        (MANAGER, "[cti]", "[ops]\nsecret=x\nwrite=all\n[cti]", "conf.others", "wrong"),
        (MANAGER, "[cti]", "[ops]\nsecret=x\nwrite=user\n[cti]", "conf.others", "wrong"),
        (MANAGER, "[cti]", "[ops]\nwrite=user\n[cti]", "conf.others", "ok"),
        (MANAGER, "[cti]", "[ops]\nsecret=x\nwrite=call\n[cti]", "conf.others", "ok"),
        (MANAGER, "[cti]\n", "[cti]\neventfilter = !Event: X\n", "conf.eventfilter", "unseen"),
        (MANAGER, f"secret = {SECRET}", "", "conf.secret", "missing"),
        (MANAGER, f"secret = {SECRET}", "secret = another", "conf.secret", "wrong"),
        (
            ASTERISK,
            "live_dangerously = no",
            "live_dangerously = yes",
            "conf.live_dangerously",
            "wrong",
        ),
        (ASTERISK, f"systemname = {SYSTEMNAME}", "", "conf.systemname", "missing"),
        (ASTERISK, SYSTEMNAME, "pbx1", "conf.systemname", "wrong"),
        (ASTERISK, "astlogdir => ", "astlogdir => /absent", "conf.log_folders", "unseen"),
        ("cdr.conf", "enable = yes", "enable = no", "conf.cdr.enable", "wrong"),
        ("cdr.conf", "unanswered = yes", "", "conf.cdr.unanswered", "wrong"),
        ("cdr.conf", "congestion = yes", "congestion = no", "conf.cdr.congestion", "wrong"),
        ("cdr.conf", "batch = no", "batch = yes", "conf.cdr.batch", "wrong"),
        ("cdr_custom.conf", "CDR(src)", "CDR(dst)", "conf.cdr_custom", "wrong"),
        ("cdr_custom.conf", "cti.csv", ";", "conf.cdr_custom", "missing"),
        ("cdr_custom.conf", "cti.csv", "Master.csv", "conf.cdr_custom", "ok"),
        ("cel.conf", "enable = yes", "enable = no", "conf.cel.enable", "wrong"),
        ("cel.conf", "dial,queue,park", "dial", "conf.cel.events", "wrong"),
        ("cel.conf", "dial,queue,park", "all", "conf.cel.events", "ok"),
        ("cel.conf", "events = ALL", "events = CHAN_START", "conf.cel.events", "wrong"),
        ("cel.conf", "events = ALL", "events = ALL\n[manager]\nenabled = yes", "read.cel", "wrong"),
        ("cel_custom.conf", "eventtime", "x", "conf.cel_custom", "wrong"),
        ("queues.conf", "ringinuse = no", "", "conf.ringinuse", "wrong"),
        ("queues.conf", "autofill = yes", "autofill = no", "conf.autofill", "wrong"),
        ("queues.conf", "autofill = yes", "[general]\nautofill = yes", "conf.autofill", "ok"),
        ("queues.conf", "[support](cti)", "[support](!)", "conf.ringinuse", "unseen"),
        ("features.conf", "blindxfer", "other", "conf.transfer", "ok"),
        ("extensions.conf", "[cti-dial]", "[cti-call]", "dial.guard", "missing"),
        ("extensions.conf", "?dup)", "?go)", "dial.guard", "wrong"),
        ("extensions.conf", " same => n(dup)", " same => n", "dial.guard", "wrong"),
        ("extensions.conf", "[cti-line-test]", "[cti-test]", "dial.line_test", "unseen"),
        ("extensions.conf", "Wait(8)", "Wait(80)", "dial.line_test", "wrong"),
        ("extensions.conf", "[cti-connect]", "[cti-join]", "dial.connect", "unseen"),
        ("extensions.conf", "Result: abandoned", "Result: left", "dial.connect", "wrong"),
        (
            "extensions.conf",
            "[cti-record]",
            "#include absent.conf\n[cti-record]",
            "conf.gap.extensions.conf",
            "unseen",
        ),
    ],
)
def test_one_thing_spoiled_is_told(
    etc: Path, file: str, old: str, new: str, key: str, state: str
) -> None:
    spoil(etc / file, old, new)

    assert judge(etc)[key].state == state


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("cdr_custom.conf", "conf.cdr_custom"),
        ("cel_custom.conf", "conf.cel_custom"),
        ("extensions.conf", "dial.guard"),
    ],
)
def test_a_file_that_is_not_there_is_missing(etc: Path, name: str, key: str) -> None:
    (etc / name).unlink()

    assert judge(etc)[key].state == "missing"


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("asterisk.conf", ["conf.live_dangerously", "conf.systemname"]),
        ("cdr.conf", ["conf.cdr.batch"]),
        ("cdr_custom.conf", ["conf.cdr_custom"]),
        ("queues.conf", ["conf.ringinuse", "conf.autofill"]),
        ("features.conf", ["conf.transfer"]),
        ("extensions.conf", ["dial.guard", "dial.line_test", "dial.connect"]),
    ],
)
def test_a_file_that_cannot_be_read_is_not_judged(etc: Path, name: str, keys: list[str]) -> None:
    (etc / name).unlink()
    (etc / name).mkdir()

    found = judge(etc)

    assert [found[key].state for key in keys] == ["unseen"] * len(keys)
    assert found[keys[0]].found == f"{name} cannot be read: Is a directory"


def test_folders_that_are_not_there_are_told(etc: Path) -> None:
    (etc / "log/cel-custom").rmdir()

    point = judge(etc)["conf.log_folders"]

    assert (point.state, point.found.endswith(": cel-custom")) == ("missing", True)


def test_a_systemname_that_is_not_in_force_yet_is_told(etc: Path) -> None:
    point = judge(etc, running=SYSTEMNAME[::-1])["conf.systemname"]

    assert (point.state, point.found) == ("wrong", "Asterisk runs with another one")


@pytest.mark.parametrize("secret", ["change-me", "amp111", "<your secret>", "MySecret1", "short"])
def test_a_secret_that_anybody_guesses_is_told(etc: Path, secret: str) -> None:
    spoil(etc / MANAGER, SECRET, secret)

    point = judge(etc, PbxSettings.model_validate({"secret": secret}))["conf.secret"]

    assert point.state == "wrong"


def test_an_account_of_another_name_is_judged(etc: Path) -> None:
    spoil(etc / MANAGER, "[cti]", "[desk]")
    settings = PbxSettings.model_validate({"secret": SECRET, "user": "desk"})

    assert "conf.account" not in judge(etc, settings)


@pytest.mark.parametrize(
    "make", [lambda etc: etc / "absent", lambda etc: etc / "manager.conf"], ids=["none", "a file"]
)
def test_a_folder_without_manager_conf_is_refused(etc: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(ConfigError, match=r"manager\.conf: ") as refused:
        files.Etc(make(etc))

    assert refused.value.code == "asterisk_etc"


def test_no_secret_stands_in_any_point(etc: Path) -> None:
    spoil(etc / MANAGER, "[cti]", "[ops]\nsecret = opssecretopssecret\nwrite = all\n[cti]")

    told = str(judge(etc, PbxSettings.model_validate({"secret": "x" * 40}), "y" * 48))

    assert not {"opssecret", SECRET, SYSTEMNAME, "x" * 40, "y" * 48} & set(told.split("'"))
    for text in ("opssecretops", SECRET, SYSTEMNAME, "x" * 40, "y" * 48):
        assert text not in told


def test_what_only_files_can_tell_is_named_without_them(etc: Path) -> None:
    fill_in = {point.key for point in files.not_given()}

    assert fill_in == {key for key in judge(etc) if key.startswith("conf.")}
    assert {point.found for point in files.not_given()} == {"not visible over AMI"}
