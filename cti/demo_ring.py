"""How does a customer of a running demo ring at once? Loads little, so that the phone rings soon.

The demo leaves its address and a token in its data directory; who may read them may ring.
"""

import re
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from cti.errors import ConfigError

TOKEN_FILE: Final = "demo.token"  # noqa: S105  a file's name
URL_FILE: Final = "demo.url"
TOKEN_HEADER: Final = "X-Demo-Token"  # noqa: S105  a header's name
WITHHELD: Final = "anonymous"
CALLER: Final = re.compile(rf"\+?[0-9]{{0,20}}|{WITHHELD}")


def ring_now(data: Path, number: str = "", what: str = "ring") -> str:
    """Ask a running demo to let a customer ring; give what it says.

    `number` says who, `anonymous` somebody who withholds it; `what` is `ring`, or `miss` for one
    whom nobody answers. Raises `ConfigError`.
    """
    if not CALLER.fullmatch(number):
        raise ConfigError(
            f"nobody rings from {number!r}",
            f"give digits, {WITHHELD}, or nothing: then somebody rings",
            code="demo_number",
        )
    try:
        url = (data / URL_FILE).read_text(encoding="ascii")
        token = (data / TOKEN_FILE).read_text(encoding="ascii")
        path = f"{url}/demo/{what}?{urlencode({'number': number})}"
        asked = Request(path, method="POST", headers={TOKEN_HEADER: token})  # noqa: S310  ours
        no_proxy = build_opener(ProxyHandler({}))  # the demo is on this machine
        with no_proxy.open(asked, timeout=5) as answer:
            said: bytes = answer.read()
            return said.decode()
    except (OSError, URLError, HTTPException, ValueError) as fault:
        raise ConfigError(
            f"no demo runs with the data directory {data}",
            "start it with `make demo` (or `cti demo`), then ring again from a second terminal",
            code="no_demo",
        ) from fault
