from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.calls.rings import RingRules
from cti.web.pages import lasted
from cti.web.wire import stamp
from tests.browser.conftest import Room
from tests.kit.web import MAY

IN_A_BROWSER = pytest.mark.asyncio(loop_scope="session")
RANG_MS = [-5000, -1, 0, 1, 2999, 3000, 3001, 8999, 9000, 11_999, 12_000, 14_999, 15_000, 20_000]


@IN_A_BROWSER
@pytest.mark.browser
async def test_the_browser_counts_rings_as_the_server_does(room: Room) -> None:
    may = await room.opens(MAY)
    for cycle_ms in (3000, 5000, 6000, 4321):
        rules = RingRules(cycle=timedelta(milliseconds=cycle_ms))
        counted = await may.page.evaluate(
            """async ([times, cycle]) => {
              const base = document.querySelector('script[type=module]').src;
              const { rings } = await import(new URL('./figures.js', base));
              return times.map((ms) => rings(ms, cycle));
            }""",
            [RANG_MS, cycle_ms],
        )

        assert [rules.rings(timedelta(milliseconds=ms)) for ms in RANG_MS] == counted


@IN_A_BROWSER
@pytest.mark.browser
async def test_the_browser_writes_durations_as_the_server_does(room: Room) -> None:
    may = await room.opens(MAY)
    times = [-1000, 0, 999, 1000, 59_999, 60_000, 3_599_000, 3_600_000, 36_061_000]
    now = datetime(2026, 11, 22, tzinfo=UTC)

    written = await may.page.evaluate(
        """async (times) => {
          const base = document.querySelector('script[type=module]').src;
          const { duration } = await import(new URL('./figures.js', base));
          return times.map(duration);
        }""",
        times,
    )

    assert [lasted(stamp(now - timedelta(milliseconds=ms)), now) for ms in times] == written


@given(st.integers(0, 10**9))
def test_a_duration_is_never_shorter_than_what_is_written(ms: int) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    *hours, minutes, seconds = lasted(stamp(now - timedelta(milliseconds=ms)), now).split(":")

    written = int(seconds) + 60 * int(minutes) + 3600 * sum(int(hour) for hour in hours)

    assert ms // 1000 == written
