"""What the commands that speak with a PBX have in common: which one."""

from collections.abc import Callable

from cti.errors import ConfigError
from cti.settings import PbxSettings, Settings

Say = Callable[[str], None]
"""Takes a line for the person at the terminal."""


def chosen(settings: Settings, name: str, *, one: bool) -> list[PbxSettings]:
    """Give the PBX of that name, or all; `one`: there may be one only.

    Raises `ConfigError`: unknown_pbx, which_pbx.
    """
    known = ", ".join(pbx.name for pbx in settings.pbx)
    found = [pbx for pbx in settings.pbx if name in ("", pbx.name)]
    if not found:
        raise ConfigError(
            f"the settings know no PBX {name}" if name else "the settings know no PBX",
            f"take one of: {known}" if known else "write a section [[pbx]] into the settings",
            code="unknown_pbx",
        )
    if one and len(found) > 1:
        raise ConfigError(
            f"the settings know several PBXs: {known}", "say which, by --pbx", code="which_pbx"
        )
    return found
