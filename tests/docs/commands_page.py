"""docs/commands.md, made from the command line itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cyclopts import App

from cti.cli import app

PAGE: Final = Path(__file__).parents[2] / "docs" / "commands.md"


def commands(inside: App = app, words: tuple[str, ...] = ("cti",)) -> Iterator[tuple[str, App]]:
    """Give every command that does something, with its whole name."""
    for name in sorted(name for name in inside if not name.startswith("-")):
        found, called = inside[name], (*words, name)
        if found.default_command:
            yield " ".join(called), found
        yield from commands(found, called)


def options(command: App) -> set[str]:
    """Give the options that a command takes."""
    arguments = command.assemble_argument_collection(parse_docstring=True)
    return {name for argument in arguments for name in argument.names if name.startswith("--")}


def page() -> str:
    """Give what is made of docs/commands.md."""
    return "\n".join(line for name, command in commands() for line in _section(name, command))


def _section(name: str, command: App) -> Iterator[str]:
    arguments = command.assemble_argument_collection(parse_docstring=True)
    given = " ".join(_shown(argument) for argument in arguments if _by_place(argument))
    yield f"## `{name}`"
    yield ""
    yield from _told(command)
    yield ""
    further = " [options]" if any(not _by_place(argument) for argument in arguments) else ""
    yield f"    {name}{further} {given}".rstrip()
    yield ""
    yield "| given | what it is | default |"
    yield "|---|---|---|"
    for argument in arguments:
        said = argument.parameter.help or ""
        yield f"| `{_shown(argument)}` | {said} | {_default(argument)} |"
    yield ""


def _told(command: App) -> Iterator[str]:
    """Give the sentences of a docstring, a line each, up to its parameters."""
    text = " ".join((command.help or "").partition("Parameters\n")[0].split())
    yield from text.replace(". ", ".\n").splitlines()


def _by_place(argument: Any) -> bool:
    return argument.index is not None


def _shown(argument: Any) -> str:
    name = argument.names[0].lstrip("-")
    if _by_place(argument):
        many = "..." if str(argument.hint).startswith("tuple") else ""
        return name.upper() if argument.required else f"[{name.upper()}{many}]"
    return f"--{name}" if argument.hint is bool else f"--{name} {_value(argument)}"


def _value(argument: Any) -> str:
    hint = str(argument.hint)
    if any(number in hint for number in ("int", "float")):
        return "N"
    return "PATH" if "Path" in hint else "TEXT"


def _default(argument: Any) -> str:
    default = argument.field_info.default
    if argument.required:
        return "required"
    empty = default in (None, "", (), False) or isinstance(default, type)
    return "" if empty else f"`{default}`"
