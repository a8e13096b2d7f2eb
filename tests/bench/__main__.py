"""Measures: `make bench`, or `python -m tests.bench PART...` for some of `tests.bench.parts`."""

import argparse
import json
import multiprocessing
import sys
import tempfile
from pathlib import Path

from tests.bench.parts import PARTS
from tests.kit.scenes import chromium
from tests.pbx.lab import missing


def main() -> int:
    """Measure each part in a process of its own, one after the other; a JSON line for each."""
    reader = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    reader.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)}; default all")
    spawn = multiprocessing.get_context("spawn")
    wanted = reader.parse_args().parts or list(PARTS)
    if unknown := [part for part in wanted if part not in PARTS]:
        reader.error(f"there is no part {unknown[0]!r}; the parts are: {', '.join(PARTS)}")
    for part in wanted:
        measure, what = PARTS[part]
        if why := _missing(part):
            sys.stdout.write(f"{part}: left out: {why}\n")
            continue
        with tempfile.TemporaryDirectory() as data, spawn.Pool(1) as pool:
            figures = pool.apply(measure, (Path(data),))
        sys.stdout.write(f"{part}: {what}\n  {json.dumps(figures)}\n")
        sys.stdout.flush()
    return 0


def _missing(part: str) -> str | None:
    """Say what this machine lacks for a part."""
    if part == "playing":
        return None if chromium() else "no chromium on this machine"
    return missing() if part == "load" else None


if __name__ == "__main__":
    sys.exit(main())
