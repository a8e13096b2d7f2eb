"""Commands as a person types them: what they print, what they refuse, with which exit code."""

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from cti.cli import run
from cti.db import migrate

COMMAND = Path(sys.executable).parent / "cti"
TAPE = Path(__file__).parents[1] / "traces" / "queue-ringall-one-answers.ami"


@pytest.fixture
def settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """A new installation: `--config FILE`."""
    assert run(["init", str(tmp_path / "site")]) == 0
    capsys.readouterr()
    return ["--config", str(tmp_path / "site" / "cti.toml")]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str], str]:
    """Run a command; give exit code, lines and what it said on standard error."""
    code = run(words)
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_a_new_installation_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines, _err = told(capsys, "init", str(tmp_path / "a b"), "--house", "hotel")

    home = tmp_path / "a b"
    assert code == 0
    assert lines[0] == f"made {home}/cti.toml, {home}/house.toml and an empty database"
    assert 'id = "hotel"' in (home / "house.toml").read_text()
    assert (home / "ami-secret").stat().st_mode & 0o777 == 0o600
    assert (home / "data" / "cti.sqlite3").exists()
    assert told(capsys, "migrate", "--config", f"{home}/cti.toml")[1] == [
        f"database {home}/data/cti.sqlite3: ready (revision {migrate.newest()})"
    ]


def test_nothing_is_overwritten(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _lines, err = told(capsys, "init", str(tmp_path / "site"))

    assert code == 2
    assert err == (
        f"cti: {tmp_path}/site/cti.toml is there already\n"
        "  What to do: take another directory, or remove the file first\n"
    )


def test_an_unknown_shipped_house_names_the_seven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _lines, err = told(capsys, "init", str(tmp_path), "--house", "bakery")

    assert code == 2
    assert "booking, dealer, hotel, invest, property, retail, studio" in err


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, _lines, err = told(capsys, "init", "/proc/cti-test")

    assert code == 2
    assert "cti: cannot write in /proc/cti-test" in err


def test_a_person_is_added_with_a_link_and_listed(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--name", "小美", "--role", "agent", "--device", "PJSIP/6001", "--link", *settings]

    code, lines, _err = told(capsys, "user", "add", "6001", "--department", "前台", *words)

    assert code == 0
    assert lines[:2] == [
        "added 6001  小美  agent  前台  main:PJSIP/6001",
        "a link to set a password, good once, for 24 hours:",
    ]
    assert re.fullmatch(r"  http://127\.0\.0\.1:8080/login/link/[\w-]{43}", lines[2])
    assert told(capsys, "user", "list", *settings)[1] == [
        "6001  小美  agent  前台  main:PJSIP/6001"
    ]


def test_phones_are_given_shown_and_taken_away(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["user", "add", "6001", "--name", "May", "--link", *settings])
    capsys.readouterr()

    given = told(capsys, "user", "device", "6001", "pjsip/1", "main:PJSIP/2", *settings)
    shown = told(capsys, "user", "device", "6001", *settings)
    taken = told(capsys, "user", "device", "6001", "--none", *settings)

    assert given[1] == shown[1] == ["6001  May  agent  main:PJSIP/1, main:PJSIP/2"]
    assert taken[1] == ["6001  May  agent  no phone"]


def test_who_left_is_listed_only_when_asked_for(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["user", "add", "6001", "--name", "May", "--link", *settings])
    run(["user", "leave", "6001", *settings])
    capsys.readouterr()

    assert told(capsys, "user", "list", *settings)[1] == []
    assert told(capsys, "user", "list", "--all", *settings)[1] == [
        "6001  May  agent  no phone  (has left)"
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["user", "leave", "9"], "cti: there is nobody with the number 9\n"),
        (["user", "add", "9", "--name", "x", "--role", "boss", "--link"], "no role 'boss'"),
        (["user", "add", "9", "--name", "x", "--device", "6001", "--link"], "is no device"),
        (
            ["user", "add", "9", "--name", "x", "--device", "far:SIP/1", "--link"],
            "cti: the settings know no PBX far; they know: main\n",
        ),
        (
            ["user", "add", "9", "--name", "x"],
            "cti: there is no terminal to ask for a password\n  What to do: give --link",
        ),
    ],
)
def test_what_is_refused_says_why(
    settings: list[str], capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    code, _lines, err = told(capsys, *words, *settings)

    assert code == 2
    assert expected in err
    assert told(capsys, "user", "list", *settings)[1] == []


def test_a_number_is_not_added_twice(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["user", "add", "6001", "--name", "May", "--link", *settings]
    run(words)
    capsys.readouterr()

    code, _lines, err = told(capsys, *words)

    assert (code, err) == (2, "cti: somebody has the number 6001 already\n")


def test_a_database_that_was_never_made_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "cti.toml"
    config.write_text(f'data = "{tmp_path}"\n')

    code, _lines, err = told(capsys, "user", "list", "--config", str(config))

    assert code == 2
    assert err == (
        f"cti: database {tmp_path}/cti.sqlite3 does not exist\n"
        "  What to do: run: cti migrate, with the same --config\n"
    )


def test_a_house_file_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('[house]\nid = "may"\ntimezone = "Asia/Taipei"\n')
    bad.write_text('[house]\nid = "may"\ntimezone = "Asia/Taipeh"\n')

    assert told(capsys, "house", "check", str(good))[1][0].startswith(f"{good}: good (house may")
    code, _lines, err = told(capsys, "house", "check", str(bad))
    assert code == 2
    assert f"{bad}: house.timezone: must be a time zone as Asia/Taipei" in err


def test_events_are_told_by_a_file_and_planned(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.csv").write_text("external_id,name,owner\nC1,王小明,\n")
    told(capsys, "customers", "import", str(tmp_path / "c.csv"), *settings)
    file = tmp_path / "e.csv"
    file.write_text(
        "external_id,kind,day\nC1,purchase,2999-01-01\nC1,complaint_handled,2099-01-01\n"
    )

    told_of = told(capsys, "customers", "events", str(file), *settings)
    dry = told(capsys, "visits", "plan", "--dry-run", *settings)
    done = told(capsys, "visits", "plan", *settings)
    again = told(capsys, "visits", "plan", *settings)

    assert told_of[0] == 1
    assert told_of[1] == [
        f"{file}: 1 added, 0 changed, 0 the same, 1 broken",
        "  line 2: day: '2999-01-01' is no day as 2025-03-07",
    ]
    assert [one[1][0].partition(",")[0] for one in (dry, done, again)] == [
        "visits: 1 new",
        "visits: 1 new",
        "visits: 0 new",
    ]


def test_a_programs_token_is_shown_once_and_ended(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    made = told(capsys, "token", "add", "booking", *settings)
    twice = told(capsys, "token", "add", "booking", *settings)
    ended = told(capsys, "token", "end", "booking", *settings)
    listed = told(capsys, "token", "list", *settings)

    assert made[0] == 0
    assert made[1][0].startswith("cti_")
    assert (twice[0], ended[1]) == (2, ["booking has no token any more"])
    assert re.fullmatch(r"booking  made \S+  ended \S+", listed[1][0])
    assert made[1][0] not in "".join(listed[1])


def test_customers_are_imported_and_broken_lines_make_the_exit_code_1(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("name,phones\nMay,13800138000\nBo,none\n")

    dry = told(capsys, "customers", "import", str(file), "--dry-run", *settings)
    done = told(capsys, "customers", "import", str(file), *settings)
    again = told(capsys, "customers", "import", str(file), *settings)

    counts = "1 added, 0 changed, 0 the same, 1 broken"
    assert dry[:2] == (
        1,
        [f"{file}: {counts} (dry run: nothing was stored)", "  line 3: phone 'none' is no number"],
    )
    assert done[1][0] == f"{file}: {counts}"
    assert again[1][0] == f"{file}: 0 added, 0 changed, 1 the same, 1 broken"


def test_a_good_file_makes_the_exit_code_0_and_an_unreadable_one_2(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("name,phones\nMay,13800138000\n")

    assert told(capsys, "customers", "import", str(file), *settings)[0] == 0
    assert told(capsys, "customers", "import", str(tmp_path / "none.csv"), *settings)[0] == 2


def test_an_unknown_command_is_told_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2


@pytest.mark.parametrize("words", [["-", "--json"], ["--json", "-"], ["--json", "--", "-"]])
def test_a_lone_dash_is_standard_input(words: list[str]) -> None:
    told = subprocess.run(  # noqa: S603  our own words
        [str(COMMAND), "replay", *words], input=TAPE.read_bytes(), capture_output=True, check=True
    )

    assert len(told.stdout.splitlines()) == 1
    assert b'"rings": 2' in told.stdout


def test_who_reads_no_further_ends_a_command_quietly() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as closed:
        done = subprocess.run(  # noqa: S603  our own words
            [str(COMMAND), "replay", str(TAPE)], stdout=closed, stderr=subprocess.PIPE, check=False
        )

    assert (done.returncode, done.stderr) == (1, b"")


def test_help_loads_no_database_and_no_pbx() -> None:
    code = (
        "import sys; from cti.cli import run; run(['--help']); "
        "sys.exit(bool({'sqlalchemy', 'panoramisk', 'aiohttp', 'alembic'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603

    assert done.returncode == 0, done.stderr


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(
    settings: list[str], tmp_path: Path
) -> None:
    words = [str(COMMAND), "user", "add", "6001", "--name", "May", *settings]

    code, shown = typed(words, b"correct horse\n", b"correct horse\n")

    assert code == 0, shown
    assert "the password of 6001 is set" in shown
    assert "correct horse" not in shown


def test_two_passwords_that_differ_add_nobody(
    settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(COMMAND), "user", "add", "6001", "--name", "May", *settings]

    code, shown = typed(words, b"correct horse\n", b"correct house\n")

    assert code == 2
    assert "the two passwords differ: nothing was changed" in shown
    assert told(capsys, "user", "list", *settings)[1] == []


def typed(words: list[str], *answers: bytes) -> tuple[int, str]:
    """Run a command on a terminal of its own and type an answer behind each question."""
    ours, theirs = os.openpty()
    with subprocess.Popen(  # noqa: S603  our own words
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        shown = b""
        left = list(zip((b"characters): ", b"Again: "), answers, strict=True))
        while select.select([ours], [], [], 30)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if left and shown.endswith(left[0][0]):
                os.write(ours, left.pop(0)[1])
        else:
            process.kill()
        os.close(ours)
        return process.wait(30), shown.decode()
