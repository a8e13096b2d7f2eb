"""How values are made: by keyword, slotted, and never changed after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a class of values, frozen for the type checker.

    Freezing at run time too would triple what it costs to make one, and those that are made
    with this are made some thousand times a second.
    """
    make: Callable[[type[T]], type[T]] = dataclass(slots=True, kw_only=True)
    return make(cls)
