"""Every error this program raises on purpose.

    CtiError
    |-- ConfigError        the operator: what is wrong, where it was read, what would be right
    |   `-- HouseError     the house's manager: file, key, why
    |-- Unavailable        time: retry, nothing is lost
    |   |-- PbxUnavailable
    |   `-- StoreUnavailable
    |-- Unknown            a look: something that may have happened; never repeated blindly
    |   |-- ActionUnknown
    |   `-- CommitUnknown
    |-- UnsafeAction       a value that must not reach the PBX: the header is named, never its value
    |-- Refused            the user: a stable `code`, the facts, a sentence
    `-- Bug                us: never caught, always reported

What the PBX sends is never an error: odd input becomes a `Note`.
"""

from typing import Any


class CtiError(Exception):
    """The root: whatever this program raises on purpose.

    `what` names the fault and where it was met, `todo` says what would be right. `code` is
    stable and stands in docs/errors.md.
    """

    code = "error"

    def __init__(self, what: str = "", todo: str = "", *, code: str = "") -> None:
        super().__init__(f"{what}\n  What to do: {todo}" if todo else what)
        self.what, self.todo = what, todo
        if code:
            self.code = code


class ConfigError(CtiError):
    """A setting is wrong; nothing was started."""

    code = "config"


class HouseError(ConfigError):
    """The house file is wrong: each finding names file, key and reason."""

    code = "house_file"

    def __init__(self, what: str, todo: str = "", *, code: str = "", findings: Any = ()) -> None:
        super().__init__(what, todo, code=code)
        self.findings = tuple(findings)


class Unavailable(CtiError):
    """Something outside does not answer now; retry later, nothing is lost."""

    code = "unavailable"


class PbxUnavailable(Unavailable):
    """The PBX link is down: the action was not sent."""

    code = "pbx_unavailable"


class StoreUnavailable(Unavailable):
    """The database cannot be written: nothing was stored."""

    code = "store_unavailable"


class Unknown(CtiError):
    """It may have happened: look before anything is done again."""

    code = "unknown"


class ActionUnknown(Unknown):
    """The action was written, and no answer came."""

    code = "action_unknown"


class CommitUnknown(Unknown):
    """The commit was begun, and its answer was lost: read back by key."""

    code = "commit_unknown"


class UnsafeAction(CtiError):
    """A value that must not reach the PBX. Names the header, never its value."""

    code = "unsafe_action"


class Refused(CtiError):
    """What a user asked for is not allowed or makes no sense.

    `code` is stable (docs/errors.md), `facts` are what a screen may show.
    """

    def __init__(self, code: str, sentence: str, **facts: Any) -> None:
        super().__init__(sentence, code=code)
        self.facts = facts


class Bug(CtiError):
    """Our own code broke a rule. Never caught, always reported."""

    code = "bug"
