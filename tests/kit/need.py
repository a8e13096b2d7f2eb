"""What a test needs of the machine, and what happens where it is missing."""

import os

import pytest


def need(part: str, why_missing: str | None) -> None:
    """Skip the test if a part of the machine is missing; fail it where the part is required.

    `CTI_TEST_REQUIRE` is `all`, or a list of parts with commas.
    """
    if why_missing is None:
        return
    required = os.environ.get("CTI_TEST_REQUIRE", "").split(",")
    if "all" in required or part in required:
        pytest.fail(f"{part} is required, but {why_missing}")
    pytest.skip(f"{part}: {why_missing}")
