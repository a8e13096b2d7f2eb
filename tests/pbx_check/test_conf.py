"""Asterisk's configuration files are read as Asterisk reads them."""

from pathlib import Path

import pytest

from cti.pbx import conf


def read(folder: Path, text: str, **others: str) -> conf.Conf:
    for name, content in others.items():
        (folder / f"{name}.conf").write_text(content, encoding="utf-8")
    (folder / "main.conf").write_text(text, encoding="utf-8")
    return conf.read(folder / "main.conf")


def test_keys_are_read_with_either_sign_and_in_any_case(tmp_path: Path) -> None:
    section = read(tmp_path, "[general]\nEnabled=yes\nmember =>  PJSIP/6001 \n").section("general")

    assert (section.last("enabled"), section.last("Member")) == ("yes", "PJSIP/6001")


def test_comments_are_no_values(tmp_path: Path) -> None:
    text = """
    ; [x]
    [a]
    one = 1 ; two = 2
    ;-- three = 3
    [b]
    --; four = 4
    five = a\\;b
    six = 6 ;-- inside --;
    ;--- seven = 7
    """

    assert read(tmp_path, text).section("a").lines == [
        ("one", "1"),
        ("four", "4"),
        ("five", "a;b"),
        ("six", "6"),
    ]


@pytest.mark.parametrize(
    ("written", "is_on"), [("yes", True), ("TRUE", True), ("1", True), ("no", False), ("x", False)]
)
def test_a_switch_is_on_by_asterisks_words(tmp_path: Path, written: str, is_on: bool) -> None:
    assert read(tmp_path, f"[a]\nsw = {written}\n").section("a").on("sw", not is_on) is is_on


def test_of_a_key_given_twice_the_last_counts(tmp_path: Path) -> None:
    section = read(tmp_path, "[a]\nx = 1\n[b]\n[a](+)\nx = 2\n").section("a")

    assert (section.last("x"), section.all("x")) == ("2", ["1", "2"])


def test_a_template_is_no_section_and_gives_its_values(tmp_path: Path) -> None:
    found = read(tmp_path, "[t](!)\nx = 1\ny = 1\n[q](t)\ny = 2\n[general]\n")

    assert [section.name for section in found.real("general")] == ["q"]
    assert (found.section("q").last("x"), found.section("q").last("y")) == ("1", "2")


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    section = read(tmp_path, "").section("none")

    assert (section.last("x"), section.last("x", "d"), section.on("x")) == ("", "d", False)


def test_includes_are_followed_by_name_and_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more/1.conf").write_text("[one]\nx = 1\n")
    (tmp_path / "more/2.conf").write_text("y = 2\n")
    text = f'#include "more/*.conf"\n[here]\n#tryinclude <{tmp_path}/more/2.conf>\n'

    found = read(tmp_path, text)

    assert found.section("one").last("x") == "1"
    assert found.section("here").last("y") == "2"
    assert found.gaps == []


def test_what_cannot_be_followed_is_named(tmp_path: Path) -> None:
    text = """
    #include absent.conf
    #tryinclude absent.conf
    #exec /usr/bin/make-conf
    #include round.conf
    """

    gaps = read(tmp_path, text, round="#include round.conf\n").gaps

    assert gaps == [
        "absent.conf: not there",
        "#exec /usr/bin/make-conf",
        "round.conf: included more than 10 deep",
    ]


def test_a_directory_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "dir.conf").mkdir()

    assert read(tmp_path, "#include dir.conf\n").gaps == ["dir.conf: Is a directory"]


def test_a_dialplan_is_read_line_by_line(tmp_path: Path) -> None:
    text = """
    [ctx]
    exten => _X.,1,Set(A=${FILTER(0-9,${B})})
     same => n(dup),Hangup()
    include => other
    exten => s,1,NoOp
    """

    assert conf.dialplan(read(tmp_path, text), "ctx") == [
        ("_X.", "", "Set", "A=${FILTER(0-9,${B})}"),
        ("_X.", "dup", "Hangup", ""),
        ("s", "", "NoOp", ""),
    ]
