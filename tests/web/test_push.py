import asyncio
import json
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from cti import bus
from cti.bus import Push
from cti.clock import SetClock
from cti.errors import StoreUnavailable
from cti.people.rules import Person
from cti.web.push import Pace
from cti.web.site import Site
from tests.kit.until import until
from tests.kit.web import BO, LIN, MAY, NOON, OU, TAM, WANG, Seat, Stage, stage

Socket = aiohttp.ClientWebSocketResponse


async def hear(live: Socket) -> dict[str, Any]:
    """Give the next message; a closed channel fails the test."""
    message = await live.receive(timeout=5)
    assert message.type is WSMsgType.TEXT, message
    heard: dict[str, Any] = json.loads(message.data)
    return heard


async def closed(live: Socket) -> int | None:
    """Read to the end; give the close code."""
    async with asyncio.timeout(5):
        async for _ in live:
            pass
    return live.close_code


async def clients(it: Stage, n: int) -> None:
    """Wait until the server has this many."""
    await until(lambda: it.registry.get_sample_value("cti_live_clients") == n)


class TestTheDoor:
    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", "", "http://127.0.0.1", "http://[::1", "x"]
    )
    async def test_a_page_that_is_not_on_the_list_is_turned_away_at_once(
        self, it: Stage, origin: str
    ) -> None:
        seat = await it.enters(MAY)
        ticket = await seat.ticket()

        with pytest.raises(WSServerHandshakeError) as refused:
            await seat.browser.ws_connect(
                "/api/v1/live", protocols=("cti.v1", f"ticket.{ticket}"), origin=origin
            )

        assert 403 == refused.value.status
        assert "snapshot" == (await hear(await _hello(await seat.socket(ticket))))["type"]

    async def test_a_program_without_origin_is_turned_away(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        ticket = await seat.ticket()

        async with aiohttp.ClientSession(it.url) as bare:
            with pytest.raises(WSServerHandshakeError):
                await bare.ws_connect("/api/v1/live", protocols=("cti.v1", f"ticket.{ticket}"))

    async def test_a_page_on_the_list_may_listen(self) -> None:
        async with stage(site=Site(origins=("https://crm.example.org/",))) as it:
            seat = await it.enters(MAY)
            ticket = await seat.ticket()
            live = await seat.browser.ws_connect(
                "/api/v1/live",
                protocols=("cti.v1", f"ticket.{ticket}"),
                origin="https://crm.example.org",
            )

            assert "snapshot" == (await hear(await _hello(live)))["type"]

    async def test_a_ticket_is_used_once_and_never_echoed(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        ticket = await seat.ticket()

        first, second = await seat.socket(ticket), await seat.socket(ticket)

        assert ("cti.v1", 4401) == (first.protocol, await closed(second))
        assert "snapshot" == (await hear(await _hello(first)))["type"]

    @pytest.mark.parametrize("ticket", ["", "made-up", "x" * 3000])
    async def test_a_made_up_ticket_opens_nothing(self, it: Stage, ticket: str) -> None:
        seat = await it.enters(MAY)

        assert 4401 == await closed(await seat.socket(ticket))

    async def test_a_ticket_is_good_for_half_a_minute(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        late, in_time = await seat.ticket(), await seat.ticket()
        assert isinstance(it.clock, SetClock)

        it.clock.go(timedelta(seconds=29))
        assert "snapshot" == (await hear(await _hello(await seat.socket(in_time))))["type"]
        it.clock.go(timedelta(seconds=1))
        assert 4401 == await closed(await seat.socket(late))

    async def test_unused_tickets_do_not_pile_up(self) -> None:
        async with stage(pace=Pace(tickets=3)) as it:
            seat = await it.enters(MAY)
            tickets = [await seat.ticket() for _ in range(4)]

            assert 4401 == await closed(await seat.socket(tickets[0]))
            assert "snapshot" == (await hear(await _hello(await seat.socket(tickets[1]))))["type"]

    async def test_a_page_of_another_version_is_told_to_reload(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        ticket = await seat.ticket()

        live = await seat.browser.ws_connect(
            "/api/v1/live", protocols=("cti.v0", f"ticket.{ticket}")
        )

        assert 4426 == await closed(live)

    @pytest.mark.parametrize(
        "said",
        [
            "{}",
            "not json",
            '{"type":"hello","since":-1}',
            '{"type":"hello","view":"all"}',
            '{"type":"hello","since":"7"}x',
            '{"type":"hello","extra":1}',
            '{"type":"token"}',
            "[" * 1000,
        ],
    )
    async def test_a_bad_hello_is_the_end(self, it: Stage, said: str) -> None:
        live = await (await it.enters(MAY)).socket()

        await live.send_str(said)

        assert 4400 == await closed(live)

    async def test_silence_is_the_end(self) -> None:
        async with stage(pace=Pace(hello_within=0.05)) as it:
            assert 4408 == await closed(await (await it.enters(MAY)).socket())

    async def test_who_has_said_hello_has_nothing_more_to_say(self, it: Stage) -> None:
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        await live.send_str('{"type":"hello"}')

        assert 4400 == await closed(live)

    @pytest.mark.parametrize(("person", "view"), [(MAY, "board"), (TAM, "agent"), (OU, "agent")])
    async def test_a_role_gets_only_its_views(self, it: Stage, person: Person, view: str) -> None:
        live = await (await it.enters(person)).listens(view=view)

        assert 4403 == await closed(live)


async def _hello(live: Socket, **more: Any) -> Socket:
    await live.send_json({"type": "hello", **more})
    return live


class TestCards:
    async def test_the_first_message_is_everything_on_the_screen(self, it: Stage) -> None:
        it.desk.rings("k1", MAY, BO, customers=[WANG])

        snapshot = await hear(await (await it.enters(MAY)).listens())

        assert "2026-11-22T04:00:00.000Z" == snapshot.pop("now")
        assert {
            "type": "snapshot",
            "seq": 2,
            "epoch": "epoch-1",
            "person": {"number": "6001", "name": "May", "role": "agent"},
            "links": it.desk.links(),
            "cards": [it.desk.card(MAY.id, "k1")],
        } == snapshot

    async def test_each_change_is_told_with_its_number(self, it: Stage) -> None:
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        it.desk.rings("k1", MAY, BO)
        rang = await hear(live)
        it.desk.answered("k1", BO)
        over = await hear(live)

        assert (1, "ringing", None) == (rang["seq"], rang["card"]["state"], rang["card"]["by"])
        assert (3, "ended", "answered_elsewhere", "Bo") == (
            over["seq"], over["card"]["state"], over["card"]["outcome"], over["card"]["by"],
        )  # fmt: skip

    async def test_a_hint_that_comes_late_is_not_told_again(self, it: Stage) -> None:
        it.desk.rings("k1", MAY)
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        it.bus.publish(Push(audience=bus.person(MAY.id), kind="card", seq=1, call="k1"))
        it.desk.rings("k2", MAY)

        assert "k2" == (await hear(live))["card"]["call"]

    async def test_nobody_hears_of_the_calls_of_others(self, it: Stage) -> None:
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        it.desk.rings("k1", BO)
        it.desk.rings("k2", MAY)

        assert "k2" == (await hear(live))["card"]["call"]

    async def test_a_forgotten_call_takes_its_card_away(self, it: Stage) -> None:
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        it.desk.seq = 1
        it.bus.publish(Push(audience=bus.person(MAY.id), kind="card", seq=1, call="k9"))

        card = (await hear(live))["card"]
        assert ("k9", "ended", "unknown") == (card["call"], card["state"], card["outcome"])

    async def test_the_links_are_told_to_everybody(self, it: Stage) -> None:
        may = await (await it.enters(MAY)).listens()
        lin = await (await it.enters(LIN)).listens(view="board")
        await hear(may), await hear(lin)

        it.desk.link(up=False)

        for live in (may, lin):
            message = await hear(live)
            assert ("links", False) == (message["type"], message["links"][0]["up"])

    async def test_in_silence_there_is_a_sign_of_life(self) -> None:
        async with stage(pace=Pace(ping_after=0.02)) as it:
            live = await (await it.enters(MAY)).listens()

            types = [(await hear(live))["type"] for _ in range(3)]

        assert ["snapshot", "ping", "ping"] == types

    async def test_a_name_with_broken_characters_does_not_break_the_channel(
        self, it: Stage
    ) -> None:
        live = await (await it.enters(MAY)).listens()
        await hear(live)

        it.desk.rings("k1", MAY, caller_name="a\ud800b\x00\u202e<script>")

        assert "a?b\x00\u202e<script>" == (await hear(live))["card"]["caller_name"]


class TestComingBack:
    async def test_what_was_missed_comes_again_each_call_once_as_it_is_now(self, it: Stage) -> None:
        it.desk.rings("k1", MAY, BO)
        it.desk.rings("k2", MAY)
        it.desk.rings("k3", BO)
        it.desk.answered("k1", BO)

        live = await (await it.enters(MAY)).listens(since=1, epoch="epoch-1")

        heard = [await hear(live) for _ in range(3)]
        assert [("card", "k2", "ringing", 3), ("card", "k1", "ended", 5)] == [
            (m["type"], m["card"]["call"], m["card"]["state"], m["seq"]) for m in heard[:2]
        ]
        assert "links" == heard[2]["type"]

    async def test_who_missed_nothing_hears_only_of_the_links(self, it: Stage) -> None:
        it.desk.rings("k1", MAY)

        live = await (await it.enters(MAY)).listens(since=1, epoch="epoch-1")

        assert "links" == (await hear(live))["type"]

    @pytest.mark.parametrize(
        ("since", "epoch"),
        [(1, "epoch-0"), (1, None), (99, "epoch-1"), (0, "epoch-1")],
        ids=["another database", "no epoch", "from the future", "too long ago"],
    )
    async def test_who_cannot_be_told_begins_anew(self, since: int, epoch: str | None) -> None:
        async with stage(window=2) as it:
            for n in range(5):
                it.desk.rings(f"k{n}", MAY)

            live = await (await it.enters(MAY)).listens(since=since, epoch=epoch)

            assert ["reset", "snapshot"] == [(await hear(live))["type"] for _ in range(2)]

    async def test_nothing_is_told_twice_that_the_greeting_has_told(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        live = await seat.socket()
        await _hello(live)
        it.desk.rings("k1", MAY)  # before the server has read the hello

        snapshot = await hear(live)
        it.desk.rings("k2", MAY)
        following = await hear(live)

        assert (1, ["k1"]) == (snapshot["seq"], [card["call"] for card in snapshot["cards"]])
        assert (2, "k2") == (following["seq"], following["card"]["call"])


class Screen:
    """What a page makes of the messages."""

    def __init__(self) -> None:
        self.cards: dict[str, Any] = {}
        self.last = 0

    def hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "snapshot":
            self.last = message["seq"]
            self.cards = {card["call"]: card for card in message["cards"]}
        elif message["type"] == "card" and message["seq"] > self.last:
            self.last = message["seq"]
            self.cards.pop(message["card"]["call"], None)
            if message["card"]["state"] != "ended":
                self.cards[message["card"]["call"]] = message["card"]


def _rings(it: Stage, call: str) -> None:
    it.desk.rings(call, MAY, BO)


def _may(it: Stage, call: str) -> None:
    if call in it.desk.screens.get(MAY.id, {}):
        it.desk.answered(call, MAY)


def _bo(it: Stage, call: str) -> None:
    if call in it.desk.screens.get(BO.id, {}):
        it.desk.answered(call, BO)


def _over(it: Stage, call: str) -> None:
    it.desk.over_for_all(call, "caller_gave_up")


DEEDS = [_rings, _may, _bo, _over]


@pytest.mark.parametrize("seed", range(12))
async def test_what_a_screen_shows_after_pushes_is_what_a_new_screen_shows(
    it: Stage, seed: int
) -> None:
    seat, screen = await it.enters(MAY), Screen()
    live = await seat.listens()
    screen.hear(await hear(live))
    for step in range(40):
        turn = seed * 7919 + step * 104_729
        DEEDS[turn % 4](it, f"k{turn // 4 % 5}")
        if turn % 11 == 0:  # let the server speak in between, or not
            await asyncio.sleep(0)
        if turn % 13 == 0:  # lose the line, and come back
            await live.close()
            live = await seat.listens(since=screen.last, epoch="epoch-1")
            screen.hear(await hear(live))
    mine = [seq for seq, who, _ in it.desk.log if who == MAY.id]
    while screen.last < mine[-1]:
        screen.hear(await hear(live))

    fresh = Screen()
    fresh.hear(await hear(await seat.listens()))

    assert fresh.cards == screen.cards


class TestBoard:
    async def test_the_whole_board_comes_at_once_and_after_each_change(self, it: Stage) -> None:
        live = await (await it.enters(LIN)).listens(view="board")
        first = await hear(live)

        it.desk.set_board(agents=[{"number": "6001"}])

        assert ("board", []) == (first["type"], first["board"]["agents"])
        assert [{"number": "6001"}] == (await hear(live))["board"]["agents"]

    async def test_many_changes_at_once_become_one_now_and_one_a_little_later(self) -> None:
        async with stage(pace=Pace(board_every=0.2)) as it:
            live = await (await it.enters(LIN)).listens(view="board")
            await hear(live)
            loop, shown = asyncio.get_running_loop(), list[int]()

            it.desk.set_board(standard=0)
            shown.append((await hear(live))["board"]["standard"])
            began = loop.time()
            for n in range(1, 30):
                it.desk.set_board(standard=n)
                await asyncio.sleep(0)
            shown.append((await hear(live))["board"]["standard"])

        assert [0, 29] == shown
        assert loop.time() - began >= 0.15

    async def test_a_technician_sees_lines_but_not_who_is_calling(self, it: Stage) -> None:
        call = {"call": "k1", "shown": "138", "caller_name": "王", "customer": "王", "line": "4000"}
        tam = await (await it.enters(TAM)).listens(view="board")
        lin = await (await it.enters(LIN)).listens(view="board")
        await hear(tam), await hear(lin)

        it.desk.set_board(calls=[call])

        assert [call] == (await hear(lin))["board"]["calls"]
        assert [call | {"shown": None, "caller_name": None, "customer": None}] == (await hear(tam))[
            "board"
        ]["calls"]


class TestRightsEnd:
    async def test_logging_out_closes_all_tabs_of_that_session_and_no_other(
        self, it: Stage
    ) -> None:
        seat, other = await it.enters(MAY), await it.enters(MAY)
        tabs = [await seat.listens() for _ in range(3)]
        elsewhere = await other.listens()
        for live in (*tabs, elsewhere):
            await hear(live)

        async with seat.browser.post("/logout", data={"csrf": seat.csrf}):
            pass

        assert [4410, 4410, 4410] == [await closed(live) for live in tabs]
        it.desk.rings("k1", MAY)
        assert "card" == (await hear(elsewhere))["type"]

    async def test_a_session_that_ended_elsewhere_is_noticed(self) -> None:
        async with stage(pace=Pace(ping_after=0.02)) as it:
            seat = await it.enters(MAY)
            live = await seat.listens()
            await hear(live)
            assert isinstance(it.clock, SetClock)

            it.accounts.sessions.clear()
            it.clock.go(timedelta(seconds=61))

            assert 4410 == await closed(live)

    async def test_a_role_that_was_taken_away_is_noticed(self) -> None:
        async with stage(pace=Pace(ping_after=0.02)) as it:
            live = await (await it.enters(LIN)).listens(view="board")
            await hear(live)
            assert isinstance(it.clock, SetClock)

            it.accounts.people[LIN.id] = Person(id=LIN.id, number="5001", name="Lin")
            it.clock.go(timedelta(seconds=61))

            assert 4403 == await closed(live)

    async def test_a_database_that_is_away_blinds_nobody(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with stage(pace=Pace(ping_after=0.02)) as it:
            live = await (await it.enters(MAY)).listens()
            await hear(live)
            assert isinstance(it.clock, SetClock)

            async def away(_token: str) -> None:
                raise StoreUnavailable("down")

            monkeypatch.setattr(it.accounts, "session", away)
            it.clock.go(timedelta(seconds=61))

            assert ["ping", "ping"] == [(await hear(live))["type"] for _ in range(2)]

    async def test_when_the_server_goes_the_clients_are_told_to_come_back(self) -> None:
        async with stage() as it:
            live = await (await it.enters(MAY)).listens()
            await hear(live)
            async with asyncio.TaskGroup() as tasks:
                code = tasks.create_task(closed(live))
                await it.app.shutdown()

            assert 1012 == code.result()


async def stuck(it: Stage, seat: Seat) -> socket.socket:
    """Open a channel whose client never reads: a bare socket with a small buffer."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", it.url.port))
    head = (
        f"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:{it.url.port}\r\nOrigin: {it.origin}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: cti.v1, ticket.{await seat.ticket()}\r\n\r\n"
    )
    body = b'{"type":"hello"}'
    masked = bytes([0x81, 0x80 | len(body)]) + b"\0\0\0\0" + body
    await loop.sock_sendall(raw, head.encode())
    answer = await loop.sock_recv(raw, 64)
    assert b"101" in answer
    await loop.sock_sendall(raw, masked)
    return raw


BULKY = "x" * 30_000


def open_files() -> int:
    """Count the sockets and files that this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


class TestSlowClients:
    async def test_who_does_not_read_is_dropped_and_nobody_else_notices(self) -> None:
        async with stage(pace=Pace(send_within=0.3)) as it:
            seat = await it.enters(MAY)
            raw = await stuck(it, seat)
            good = await seat.listens()
            await hear(good)
            await clients(it, 2)
            held = open_files()

            n = 0
            while it.registry.get_sample_value("cti_live_clients") == 2:
                n += 1
                it.desk.rings(f"k{n % 40}", MAY, caller_name=BULKY)
                message = await hear(good)
                assert f"k{n % 40}" == message["card"]["call"]

            assert 1 == it.registry.get_sample_value("cti_live_closed_total", {"code": "4413"})
            await until(lambda: open_files() == held - 1, within=2)
            raw.close()

    async def test_ten_stuck_clients_of_a_hundred_hold_up_nobody(self) -> None:
        async with stage(pace=Pace(send_within=0.5)) as it:
            seat = await it.enters(MAY)
            raws = [await stuck(it, seat) for _ in range(10)]
            good = [await seat.listens() for _ in range(90)]
            for live in good:
                await hear(live)
            await clients(it, 100)
            loop, took, n = asyncio.get_running_loop(), list[float](), 0

            async def read(live: Socket, began: float) -> None:
                assert WSMsgType.TEXT is (await live.receive(timeout=5)).type
                took.append(loop.time() - began)

            while it.registry.get_sample_value("cti_live_clients") != 90:
                n += 1
                it.desk.rings(f"k{n % 40}", MAY, caller_name=BULKY)
                began = loop.time()
                async with asyncio.TaskGroup() as tasks:
                    for live in good:
                        tasks.create_task(read(live, began))

            assert sorted(took)[len(took) * 99 // 100] < 0.5
            assert 10 == it.registry.get_sample_value("cti_live_closed_total", {"code": "4413"})
            for raw in raws:
                raw.close()

    async def test_a_client_for_whom_too_much_waits_is_told_to_come_back(self) -> None:
        async with stage(pace=Pace(room=5)) as it:
            live = await (await it.enters(MAY)).listens()
            snapshot = await hear(live)

            for n in range(6):  # in one breath: nobody can read in between
                it.desk.rings(f"k{n}", MAY)
            assert 4413 == await closed(live)

            back = await (await it.enters(MAY)).listens(
                since=snapshot["seq"], epoch=snapshot["epoch"]
            )
            heard = [await hear(back) for _ in range(7)]
            assert [f"k{n}" for n in range(6)] == [m["card"]["call"] for m in heard[:6]]

    async def test_a_message_is_encoded_once_for_all(
        self, it: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seat = await it.enters(MAY)
        tabs = [await seat.listens() for _ in range(10)]
        for live in tabs:
            await hear(live)
        asked = list[str]()
        card = it.desk.card
        monkeypatch.setattr(
            it.desk, "card", lambda who, call: (asked.append(call), card(who, call))[1]
        )

        it.desk.rings("k1", MAY)

        assert 1 == len({json.dumps(await hear(live)) for live in tabs})
        assert ["k1"] == asked

    async def test_a_client_that_goes_leaves_nothing_behind(self, it: Stage) -> None:
        seat = await it.enters(MAY)
        tabs = [await seat.listens() for _ in range(5)]
        for live in tabs:
            await hear(live)
        await clients(it, 5)

        for live in tabs[:3]:
            await live.close()
        for live in tabs[3:]:  # without a word
            assert live._response.connection is not None
            live._response.connection.close()

        await clients(it, 0)
        assert {} == it.bus._boxes


def test_the_cast_is_at_noon() -> None:
    assert "2026-11-22T04:00:00+00:00" == NOON.isoformat()
