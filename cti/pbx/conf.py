"""What do Asterisk's own configuration files say? They are read as Asterisk reads them.

Sections with templates and additions, `=` and `=>`, comments, includes. What cannot be followed
(`#exec`, a file that is not there or may not be read) is named in `gaps`, never guessed.
Source: Asterisk's main/config.c.
"""

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DEEPEST: Final = 10
LONGEST_FILE: Final = 4 * 1024 * 1024
_SECTION: Final = re.compile(r"\[([^]]+)\]\s*(?:\(([^)]*)\))?")
_DIRECTIVE: Final = re.compile(r"#(include|tryinclude|exec)\b[\s:]*(.*)", re.IGNORECASE)
_COMMENT: Final = re.compile(r"(?<!\\);.*")
_TRUE: Final = ("yes", "true", "y", "t", "1", "on")


@dataclass(slots=True)
class Section:
    """A section: its lines in order, after those of its templates."""

    name: str
    template: bool = False
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, key: str) -> list[str]:
        """Give every value of a key."""
        return [value for name, value in self.lines if name == key.lower()]

    def last(self, key: str, default: str = "") -> str:
        """Give the value of a key that counts: its last."""
        return next(reversed(self.all(key)), default)

    def on(self, key: str, default: bool = False) -> bool:
        """Tell whether a switch is on."""
        value = self.last(key)
        return value.lower() in _TRUE if value else default


@dataclass(slots=True)
class Conf:
    """A file and all that it includes."""

    sections: dict[str, Section] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def section(self, name: str) -> Section:
        """Give a section; an empty one if there is none."""
        return self.sections.get(name) or Section(name)

    def real(self, *but: str) -> list[Section]:
        """Give the sections that are no templates, save those named."""
        return [s for s in self.sections.values() if not s.template and s.name not in but]


def read(path: Path) -> Conf:
    """Read a configuration file. Raises `OSError` if the file itself cannot be read."""
    conf = Conf()
    _read(conf, path, path.parent, None, 0)
    return conf


def dialplan(conf: Conf, context: str) -> list[tuple[str, str, str, str]]:
    """Give a context's lines as (extension, label, application, data), in their order."""
    found = list[tuple[str, str, str, str]]()
    exten = ""
    for key, value in conf.section(context).lines:
        if key == "exten":
            exten, _, value = value.partition(",")
        elif key != "same":
            continue
        priority, _, call = value.partition(",")
        label = priority.partition("(")[2].partition(")")[0]
        application, _, data = call.partition("(")
        found.append((exten.strip(), label, application.strip(), data.removesuffix(")")))
    return found


def _read(conf: Conf, path: Path, home: Path, section: Section | None, depth: int) -> None:
    with path.open("rb") as file:
        text = file.read(LONGEST_FILE).decode("utf-8", "replace")
    for line in _lines(text):
        if head := _SECTION.match(line):
            section = _begin(conf, head[1], head[2] or "")
        elif directive := _DIRECTIVE.match(line):
            _follow(conf, directive[1].lower(), directive[2], home, section, depth)
        elif section is not None and "=" in line:
            key, _, value = line.partition("=")
            section.lines.append((key.strip().lower(), value.removeprefix(">").strip()))


def _lines(text: str) -> Iterator[str]:
    """Give what is no comment: `;` to the end of a line, and `;-- … --;` over several."""
    block = False
    for line in text.splitlines():
        if block:
            _, end, line = line.partition("--;")
            if not end:
                continue
            block = False
        if re.search(r"(?<!\\);--(?!-)", line):
            line, _, rest = line.partition(";--")
            block = "--;" not in rest
            line += "" if block else rest.partition("--;")[2]
        if plain := _COMMENT.sub("", line).replace("\\;", ";").strip():
            yield plain


def _begin(conf: Conf, name: str, words: str) -> Section:
    marks = [word.strip() for word in words.split(",") if word.strip()]
    section = conf.sections.setdefault(name, Section(name))
    section.template = section.template or "!" in marks
    for mark in marks:
        if mark not in ("!", "+"):
            section.lines += conf.section(mark).lines
    return section


def _follow(
    conf: Conf, kind: str, rest: str, home: Path, section: Section | None, depth: int
) -> None:
    name = rest.strip().strip('"<>').strip()
    if kind == "exec":
        conf.gaps.append(f"#exec {name}")
        return
    if depth >= DEEPEST:
        conf.gaps.append(f"{name}: included more than {DEEPEST} deep")
        return
    paths = sorted(glob.glob(name, root_dir=home))
    if not paths and kind == "include":
        conf.gaps.append(f"{name}: not there")
    for path in paths:
        try:
            _read(conf, home / path, home, section, depth + 1)
        except OSError as fault:
            conf.gaps.append(f"{path}: {fault.strerror or fault}")
