"""What /metrics says: counted where it happens, read only when somebody asks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from cti.calls.switchboard import Switchboard
from cti.pbx.link import Link


class Plant(Collector):
    """The links, the switchboards and the writer, at the moment of asking."""

    def __init__(
        self,
        links: Iterable[tuple[Link, Link]],
        switchboards: Iterable[Switchboard],
        writer: Callable[[], tuple[int, int, bool]],
    ) -> None:
        """`writer` gives (waiting, refused, troubled)."""
        self._links, self._switchboards = list(links), list(switchboards)
        self._writer = writer

    @override
    def collect(self) -> Iterator[Metric]:
        yield from self._of_links()
        yield from self._of_switchboards()
        waiting, refused, troubled = self._writer()
        yield _gauge("cti_store_waiting", "Changes that wait to be stored.", waiting)
        yield _gauge("cti_store_refused", "Changes that the database refused for good.", refused)
        yield _gauge("cti_store_trouble", "1 while the database cannot be written.", troubled)

    def _of_links(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("cti_link_up", "1 while logged in.", labels=["pbx", "role"])
        logins = CounterMetricFamily("cti_link_logins", "Logins.", labels=["pbx", "role"])
        refused = CounterMetricFamily(
            "cti_link_refused", "Logins that the PBX refused.", labels=["pbx", "role"]
        )
        read = CounterMetricFamily("cti_link_bytes", "Bytes read.", labels=["pbx", "role"])
        unwanted = CounterMetricFamily(
            "cti_events_unwanted", "Events dropped by their name.", labels=["pbx"]
        )
        aside = CounterMetricFamily(
            "cti_frames_set_aside", "Frames not believed or not readable.", labels=["pbx", "reason"]
        )
        for pair in self._links:
            for link in pair:
                labels = [link.settings.name, link.role]
                up.add_metric(labels, float(link.state.phase == "up"))
                logins.add_metric(labels, link.counters.logins)
                refused.add_metric(labels, link.counters.refused)
                read.add_metric(labels, link.counters.bytes_read)
            listen = pair[0]
            unwanted.add_metric([listen.settings.name], listen.counters.unwanted)
            for reason, count in listen.aside.counts.items():
                aside.add_metric([listen.settings.name, reason], count)
        yield from (up, logins, refused, read, unwanted, aside)

    def _of_switchboards(self) -> Iterator[Metric]:
        heard = CounterMetricFamily("cti_events_heard", "Events heard.", labels=["pbx"])
        waiting = GaugeMetricFamily("cti_inbox_waiting", "Frames that wait.", labels=["pbx"])
        live = GaugeMetricFamily("cti_calls_live", "Calls that are not over.", labels=["pbx"])
        lag = GaugeMetricFamily(
            "cti_event_lag_ms", "From the PBX's stamp to us, by both clocks.", labels=["pbx"]
        )
        for board in self._switchboards:
            heard.add_metric([board.pbx], board.heard)
            waiting.add_metric([board.pbx], board.inbox.waiting)
            live.add_metric([board.pbx], len(board.book.live()))
            lag.add_metric([board.pbx], board.lag_ms)
        yield from (heard, waiting, live, lag)


class Figures(Protocol):
    """What the collector of recordings counts (`recordings.collector.Figures`)."""

    kept: int
    bytes: int
    waiting: int
    free: dict[str, int]
    troubles: dict[str, str]


class Collected(Collector):
    """The recordings that were collected since the start, at the moment of asking."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    @override
    def collect(self) -> Iterator[Metric]:
        now = self._figures
        yield CounterMetricFamily("cti_recordings_kept", "Recordings that were kept.", now.kept)
        yield CounterMetricFamily("cti_recordings_bytes", "Their bytes.", now.bytes)
        yield _gauge("cti_recordings_waiting", "Files that are not kept yet.", now.waiting)
        yield _gauge(
            "cti_recordings_trouble", "1 while something hinders collecting.", bool(now.troubles)
        )
        free = GaugeMetricFamily("cti_recordings_free_bytes", "Room that is left.", labels=["at"])
        for where, left in now.free.items():
            free.add_metric([where], left)
        yield free


def _gauge(name: str, what: str, value: float) -> Metric:
    metric = GaugeMetricFamily(name, what)
    metric.add_metric([], float(value))
    return metric
