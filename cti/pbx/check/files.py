"""What stands in the PBX's configuration files? Asked where the folder is at hand.

What a file says may differ from what runs, until Asterisk is reloaded; so what was asked over
AMI is judged besides. Values are shown only where they are no secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cti import shipped
from cti.errors import ConfigError
from cti.log import clean
from cti.pbx import conf
from cti.pbx.check import account, asked, heard
from cti.pbx.check.point import Point, good, unseen
from cti.pbx.conf import Conf
from cti.settings import PbxSettings

LOGS: Final = "/var/log/asterisk"
GUARD: Final = "cti-dial"
LINE_TEST: Final = "cti-line-test"
CONNECT: Final = "cti-connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of one file: what it must be, what it is when it is not there, what it costs."""

    key: str
    file: str
    section: str
    name: str
    want: bool
    default: bool
    why: str
    label: str = ""

    @property
    def what(self) -> str:
        """Name it: by file and name, unless it is a point of what is heard, too."""
        return self.label or f"{self.file} {self.name}"


SETTINGS: Final = (
    Setting(
        key="read.timestampevents",
        file="manager.conf",
        section="general",
        name="timestampevents",
        want=True,
        default=False,
        why="rings are counted by arrival and marked approximate; no penalty can rest on them",
        label="timestampevents",
    ),
    Setting(
        key="conf.webenabled",
        file="manager.conf",
        section="general",
        name="webenabled",
        want=False,
        default=False,
        why="a second door to AMI, where the web server listens",
    ),
    Setting(
        key="conf.live_dangerously",
        file="asterisk.conf",
        section="options",
        name="live_dangerously",
        want=False,
        default=False,
        why="an account that may originate or read variables can run programs",
    ),
    Setting(
        key="conf.cdr.enable",
        file="cdr.conf",
        section="general",
        name="enable",
        want=True,
        default=True,
        why="`cti reconcile` has nothing to compare with",
    ),
    Setting(
        key="conf.cdr.unanswered",
        file="cdr.conf",
        section="general",
        name="unanswered",
        want=True,
        default=False,
        why="a call that nobody took leaves no row: missed calls cannot be compared",
    ),
    Setting(
        key="conf.cdr.congestion",
        file="cdr.conf",
        section="general",
        name="congestion",
        want=True,
        default=False,
        why="a call that could not be placed leaves no row",
    ),
    Setting(
        key="conf.cdr.batch",
        file="cdr.conf",
        section="general",
        name="batch",
        want=False,
        default=False,
        why="the rows of the last minutes are lost when Asterisk dies",
    ),
    Setting(
        key="conf.cel.enable",
        file="cel.conf",
        section="general",
        name="enable",
        want=True,
        default=False,
        why="what happened while the link was down stays unobserved",
    ),
    Setting(
        key="read.cel",
        file="cel.conf",
        section="manager",
        name="enabled",
        want=False,
        default=False,
        why=f"costs {heard.CEL_COST}",
        label="no CEL over AMI",
    ),
    Setting(
        key="conf.queue_log",
        file="logger.conf",
        section="general",
        name="queue_log",
        want=True,
        default=True,
        why="`cti reconcile` has nothing to compare queue calls with",
    ),
)


class Etc:
    """The folder, each file read once.

    Raises `ConfigError` (asterisk_etc) if it holds no manager.conf that can be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, Conf] = {}
        self.unreadable: dict[str, str] = {}
        self.manager = self.conf("manager.conf")
        if why := self.unreadable.get("manager.conf"):
            raise ConfigError(
                f"{folder / 'manager.conf'}: {why}",
                "give --asterisk-etc the folder of Asterisk's configuration, usually "
                "/etc/asterisk, as a user who may read it",
                code="asterisk_etc",
            )

    def conf(self, name: str) -> Conf:
        """Give a file; an empty one when it is not there or cannot be read (see `unreadable`)."""
        if name not in self._read:
            self._read[name] = Conf()
            try:
                self._read[name] = conf.read(self.folder / name)
            except OSError as fault:
                self.unreadable[name] = fault.strerror or str(fault)
        return self._read[name]

    def files(self) -> list[tuple[str, Conf]]:
        """Give what was read so far, by name."""
        return sorted(self._read.items())

    def hidden(self, name: str) -> bool:
        """Tell whether a file is there and may not be read."""
        self.conf(name)
        return name in self.unreadable and (self.folder / name).exists()


def shipped_guard(context: str = GUARD) -> asked.Guard:
    """Give the lines of the guard, or of another context, as they are shipped."""
    return conf.dialplan(conf.read(shipped.config() / "asterisk/extensions.conf"), context)


def points(etc: Etc, settings: PbxSettings, running: str) -> list[Point]:
    """Judge the files; `running` is the systemname that the PBX told, if it did."""
    found = [
        *account.points(etc.manager, settings),
        *(_setting(etc, setting) for setting in SETTINGS),
        _systemname(etc, running),
        _cel_events(etc),
        _mapping(etc, "cdr_custom.conf", "`cti reconcile` cannot read the CDR"),
        _mapping(etc, "cel_custom.conf", "what happened while the link was down stays unobserved"),
        _log_folders(etc),
        *_queues(etc),
        _transfer(etc),
        _guard(etc),
        _line_test(etc),
        _connect(etc),
    ]
    return [*found, *_gaps(etc)]


_IN_FILES: Final[Sequence[tuple[str, str]]] = (
    *account.IN_FILES,
    *((s.key, s.what) for s in SETTINGS if s.key.startswith("conf.")),
    ("conf.systemname", "systemname in asterisk.conf"),
    ("conf.cel.events", "cel.conf apps, events"),
    ("conf.cdr_custom", "cdr_custom.conf"),
    ("conf.cel_custom", "cel_custom.conf"),
    ("conf.log_folders", "folders of cdr and cel"),
    ("conf.ringinuse", "queues.conf ringinuse"),
    ("conf.autofill", "queues.conf autofill"),
    ("conf.transfer", "features.conf"),
)


def not_given() -> list[Point]:
    """Name what only the files can tell, when no folder was given."""
    return [unseen(key, what) for key, what in _IN_FILES]


def _setting(etc: Etc, setting: Setting) -> Point:
    if etc.hidden(setting.file):
        return unseen(setting.key, setting.what, _unreadable(etc, setting.file))
    section = etc.conf(setting.file).section(setting.section)
    is_on, written = section.on(setting.name, setting.default), section.last(setting.name)
    found = clean(written, 20) if written else f"{_word(setting.default)}, by default"
    if is_on == setting.want:
        return good(setting.key, setting.what, found)
    return Point(
        key=setting.key,
        what=setting.what,
        state="wrong",
        found=found,
        why=setting.why,
        todo=f"{setting.file}: {setting.name} = {_word(setting.want)} in [{setting.section}]",
    )


def _word(on: bool) -> str:
    return "yes" if on else "no"


def _unreadable(etc: Etc, name: str) -> str:
    return f"{name} cannot be read: {etc.unreadable.get(name, '')}"


def _systemname(etc: Etc, running: str) -> Point:
    key, what = "conf.systemname", "systemname in asterisk.conf"
    if etc.hidden("asterisk.conf"):
        return unseen(key, what, _unreadable(etc, "asterisk.conf"))
    written = etc.conf("asterisk.conf").section("options").last("systemname")
    if written and running and written != running:
        return Point(
            key=key,
            what=what,
            state="wrong",
            found="Asterisk runs with another one",
            why="what the file says is not in force",
            todo="restart Asterisk when no call is lost by it: core restart when convenient",
        )
    return replace(asked.systemname(written, ""), key=key, what=what)


def _cel_events(etc: Etc) -> Point:
    key, what = "conf.cel.events", "cel.conf apps, events"
    general = etc.conf("cel.conf").section("general")
    apps = {word.strip().lower() for word in general.last("apps").split(",")}
    events = {word.strip().upper() for word in general.last("events").split(",")}
    if "ALL" in events and (apps >= {"dial", "queue", "park"} or "all" in apps):
        return good(key, what, "dial, queue and park; all events")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found="not all that is needed",
        why="what happened while the link was down is known in part only",
        todo="cel.conf: apps = dial,queue,park and events = ALL in [general]",
    )


def _mapping(etc: Etc, name: str, why: str) -> Point:
    key, what = f"conf.{name.removesuffix('.conf')}", name
    if etc.hidden(name):
        return unseen(key, what, _unreadable(etc, name))
    want = _plain(
        conf.read(shipped.config() / "asterisk" / name).section("mappings").last("cti.csv")
    )
    mappings = etc.conf(name).section("mappings").lines
    if any(_plain(value) == want for _, value in mappings):
        return good(key, what, "the columns that cti reads")
    return Point(
        key=key,
        what=what,
        state="wrong" if mappings else "missing",
        found="other columns than cti reads" if mappings else "no mapping",
        why=why,
        todo=f"add the line `cti.csv => …` of config/asterisk/{name} to [mappings]",
    )


def _plain(text: str) -> str:
    return "".join(text.split())


def _log_folders(etc: Etc) -> Point:
    key, what = "conf.log_folders", "folders of cdr and cel"
    logs = Path(etc.conf("asterisk.conf").section("directories").last("astlogdir") or LOGS)
    try:
        if not logs.is_dir():
            return unseen(key, what, f"{clean(str(logs), 60)} is not on this machine")
        lost = [name for name in ("cdr-custom", "cel-custom") if not (logs / name).is_dir()]
    except OSError as fault:
        return unseen(key, what, f"cannot be seen: {fault.strerror}")
    if not lost:
        return good(key, what, "both are there")
    return Point(
        key=key,
        what=what,
        state="missing",
        found=f"not in {clean(str(logs), 60)}: {', '.join(lost)}",
        why="Asterisk writes nothing, and says nothing",
        todo="make them, owned by the user that Asterisk runs as",
    )


def _queues(etc: Etc) -> list[Point]:
    named = (("conf.ringinuse", "queues.conf ringinuse"), ("conf.autofill", "queues.conf autofill"))
    if etc.hidden("queues.conf"):
        return [unseen(key, what, _unreadable(etc, "queues.conf")) for key, what in named]
    file = etc.conf("queues.conf")
    queues = file.real("general")
    if not queues:
        return [unseen(key, what, "no queue in queues.conf") for key, what in named]
    autofill = file.section("general").on("autofill")
    rung = [queue.name for queue in queues if queue.on("ringinuse", True)]
    serial = [queue.name for queue in queues if not queue.on("autofill", autofill)]
    count = len(queues)
    return [
        _of_queues(
            *named[0],
            rung,
            count,
            "a phone in a call is rung again: busy agents look like agents who do not answer",
            "ringinuse = no",
        ),
        _of_queues(
            *named[1],
            serial,
            count,
            "callers wait behind one another while agents are free",
            "autofill = yes",
        ),
    ]


def _of_queues(key: str, what: str, bad: Sequence[str], count: int, why: str, line: str) -> Point:
    if not bad:
        return good(key, what, f"{line.rpartition(' ')[2]} in all {count} queues")
    return Point(
        key=key,
        what=what,
        state="wrong",
        found=f"not so in {clean(', '.join(bad[:6]), 120)}{' …' if bad[6:] else ''}",
        why=why,
        todo=f"queues.conf: {line} in each of them, or make them of the template: [NAME](cti)",
    )


def _transfer(etc: Etc) -> Point:
    key, what = "conf.transfer", "features.conf"
    if etc.hidden("features.conf"):
        return unseen(key, what, _unreadable(etc, "features.conf"))
    keys = etc.conf("features.conf").section("featuremap")
    blind, attended = keys.last("blindxfer"), keys.last("atxfer")
    told = [
        f"{how} transfer by {clean(value, 12)}"
        for how, value in (("blind", blind), ("attended", attended))
        if value
    ]
    return good(key, what, ", ".join(told) or "no transfer by keys; phones may transfer themselves")


def _guard(etc: Etc) -> Point:
    if etc.hidden("extensions.conf"):
        return unseen("dial.guard", f"guard [{GUARD}]", _unreadable(etc, "extensions.conf"))
    found = conf.dialplan(etc.conf("extensions.conf"), GUARD)
    return asked.guard_lines(found, shipped_guard())


def _line_test(etc: Etc) -> Point:
    if etc.hidden("extensions.conf"):
        key, what = "dial.line_test", f"line test [{LINE_TEST}]"
        return unseen(key, what, _unreadable(etc, "extensions.conf"))
    found = conf.dialplan(etc.conf("extensions.conf"), LINE_TEST)
    return asked.line_test_lines(found, shipped_guard(LINE_TEST))


def _connect(etc: Etc) -> Point:
    if etc.hidden("extensions.conf"):
        key, what = "dial.connect", f"customer first [{CONNECT}]"
        return unseen(key, what, _unreadable(etc, "extensions.conf"))
    found = conf.dialplan(etc.conf("extensions.conf"), CONNECT)
    return asked.connect_lines(found, shipped_guard(CONNECT))


def _gaps(etc: Etc) -> list[Point]:
    return [
        unseen(f"conf.gap.{name}", name, f"not followed: {clean('; '.join(file.gaps), 200)}")
        for name, file in etc.files()
        if file.gaps
    ]
