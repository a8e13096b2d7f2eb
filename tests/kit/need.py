"""A test needs a part of the machine: is a missing part a skip or a failure?"""

import os

import pytest

PARTS = ("postgres", "browser", "lab")


def need(part: str, why_missing: str | None) -> None:
    """Go on when nothing is missing; else skip, or fail where the part is required.

    `CTI_TEST_REQUIRE` names the parts that must be there, parted by commas; `all` means each.
    """
    if why_missing is None:
        return
    required = {word.strip() for word in os.environ.get("CTI_TEST_REQUIRE", "").split(",")}
    if required & {"all", part}:
        pytest.fail(f"{part} is required here: {why_missing}", pytrace=False)
    pytest.skip(f"{part}: {why_missing}")
