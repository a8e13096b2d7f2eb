"""The link: up, down, refused, half-open, cut anywhere, and back again."""

import asyncio
import gc
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
import uvloop
from structlog.testing import capture_logs

from cti.errors import ConfigError, PbxUnavailable
from cti.pbx import actions
from cti.pbx.link import Link, LoginRefused, Pace
from tests.kit.ami import Asked, FakeAmi, event, reply
from tests.kit.links import CLOCK, QUICK, SOON, new_link, running, settings
from tests.kit.need import need

# --- up and stopped


async def test_a_link_logs_in_listens_and_logs_off() -> None:
    async with FakeAmi() as fake:
        link, states, heard = new_link(fake)
        async with running(link) as task:
            await states.reach("up")
            fake.visit.send(event("Newchannel", Channel="PJSIP/6001-1"))

            assert await heard.reach(2) == ["FullyBooted", "Newchannel"]
        login = await fake.heard("Login")

    assert (login["username"], login["secret"], login["events"]) == (["cti"], ["s3cret"], ["on"])
    assert fake.asked[-1]["action"] == ["Logoff"]
    assert states.phases == ["connecting", "up", "stopping", "down"]
    assert states.told[-1].reason == "stopped"
    assert task.done()


async def test_the_acting_session_asks_for_no_events() -> None:
    async with FakeAmi() as fake:
        link, states, heard = new_link(fake, role="act")
        async with running(link):
            await states.reach("up")
        login = await fake.heard("Login")

    assert login["events"] == ["off"]
    assert heard.names == []
    assert fake.times("CoreSettings") == 0


async def test_a_goodbye_that_is_not_answered_leaves_no_error_behind() -> None:
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(str(fault)))
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(link.run())
            await states.reach("up")
            fake.silent = True
            task.cancel()
    gc.collect()

    assert faults == []


async def test_a_link_that_is_cancelled_logs_off_too() -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(link.run())
            await states.reach("up")
            task.cancel()
        await fake.heard("Logoff")

    assert states.phases[-2:] == ["stopping", "down"]


async def test_a_link_that_was_never_run_is_stopped_at_once() -> None:
    async with FakeAmi() as fake:
        link, _, _ = new_link(fake)
        await link.stop()
        await link.run()

        assert fake.visits == []


async def test_a_link_is_stopped_while_it_waits_to_try_again() -> None:
    fake = FakeAmi()
    await fake.open()
    await fake.shut()
    link, states, _ = new_link(fake, pace=Pace(first=3600, longest=3600))
    async with running(link):
        await states.reach("down")

    assert states.phases == ["connecting", "down", "stopping", "down"]


async def test_a_link_is_stopped_while_the_pbx_is_silent() -> None:
    async with FakeAmi() as fake:
        fake.silent = True
        link, _, _ = new_link(fake)
        async with running(link):
            await fake.heard("Login")


async def test_several_pbxs_are_several_links() -> None:
    async with FakeAmi() as north, FakeAmi() as south:
        one, one_states, one_heard = new_link(north, settings={"name": "north"})
        two, two_states, two_heard = new_link(south, settings={"name": "south"})
        async with running(one), running(two):
            await one_states.reach("up")
            await two_states.reach("up")
            north.visit.send(event("InTheNorth"))
            south.visit.cut()
            await two_states.reach("up", times=2)
            await one_heard.reach(2)

    assert one_heard.names == ["FullyBooted", "InTheNorth"]
    assert two_heard.names == ["FullyBooted", "FullyBooted"]
    assert one_states.phases.count("up") == 1


def test_it_runs_on_uvloop_as_well() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_a_link_logs_in_listens_and_logs_off())
        runner.run(test_a_half_open_link_is_noticed_and_replaced())


# --- down and back


async def test_a_pbx_that_is_down_is_told_plainly_and_found_when_it_returns() -> None:
    fake = FakeAmi()
    await fake.open()
    await fake.shut()
    link, states, heard = new_link(fake)
    with capture_logs() as logs:
        async with running(link):
            down = await states.reach("down", times=3)
            await fake.open()
            await states.reach("up")
            await heard.reach(1)
        await fake.shut()

    told = [log for log in logs if log["event"] == "pbx_down"]
    assert down.reason.startswith(f"nothing listens on 127.0.0.1:{fake.port}: is Asterisk running")
    assert [(log["pbx"], log["role"], log["reason"]) for log in told] == [
        ("main", "listen", down.reason)
    ]


async def test_a_lost_link_comes_back_with_a_new_session() -> None:
    async with FakeAmi() as fake:
        link, states, heard = new_link(fake)
        async with running(link):
            for times in (1, 2, 3):
                await states.reach("up", times=times)
                fake.visit.cut()
                await states.reach("down", times=times)
            await states.reach("up", times=4)
            await heard.reach(4)

    assert link.counters.logins == 4
    assert link.counters.lost == 3
    assert "connection lost" in states.told[2].reason


async def test_a_login_that_is_never_answered_is_given_up() -> None:
    """D27, and fault 19: a black hole."""
    async with FakeAmi() as fake:
        fake.silent = True
        link, states, _ = new_link(fake, settings={"connect_within": 0.05})
        async with running(link):
            down = await states.reach("down", times=2)

    assert "Login: no answer within 0.05 s; is it AMI" in down.reason


async def test_a_link_lost_before_the_login_was_answered_is_tried_again() -> None:
    """D27."""
    async with FakeAmi() as fake:
        fake.scripts["login"] = lambda _: fake.visit.cut()
        link, states, _ = new_link(fake)
        async with running(link):
            down = await states.reach("down", times=2)

    assert "Login: connection lost" in down.reason


async def test_a_link_lost_right_after_the_login_was_never_up() -> None:
    async with FakeAmi() as fake:
        asked = fake.scripts["coresettings"]

        def cut(_: Asked) -> None:
            fake.scripts["coresettings"] = asked
            fake.visit.cut()

        fake.scripts["coresettings"] = cut
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")

    assert states.phases[:4] == ["connecting", "down", "connecting", "up"]


async def test_one_supervisor_makes_one_connection_at_a_time() -> None:
    """D26: a first connect that is refused, then a return."""
    fake = FakeAmi()
    await fake.open()
    await fake.shut()
    link, states, _ = new_link(fake, settings={"ping_every": QUICK.longest})
    async with running(link):
        await states.reach("down", times=2)
        await fake.open()
        await states.reach("up")
        await fake.heard("Ping", times=3)  # longer than any pause
        assert [visit.gone for visit in fake.visits] == [False]
    await fake.shut()


def test_the_pauses_grow_to_half_a_minute_and_never_beyond() -> None:
    pace = Pace()

    assert [pace.after(n, 1.0) for n in (0, 1, 2, 5, 6, 7, 10_000)] == [0.5, 1, 2, 16, 30, 30, 30]
    assert [pace.after(n, 0.0) for n in (0, 6)] == [0.25, 15]


async def test_only_an_accepted_login_makes_the_pauses_short_again() -> None:
    chances = list[int]()
    async with FakeAmi() as fake:
        fake.scripts["login"] = lambda _: fake.visit.cut()
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("down", times=3)
            chances.append(link._failures)
            fake.scripts["login"] = fake._login
            await states.reach("up")
            chances.append(link._failures)

    assert chances[0] >= 3
    assert chances[1] == 0


# --- half-open


async def test_a_half_open_link_is_noticed_and_replaced() -> None:
    """D10, and fault 2."""
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, settings={"ping_every": 0.02, "ping_within": 0.05})
        async with running(link):
            await states.reach("up")
            await fake.heard("Ping", times=2)
            fake.silent = True
            loop = asyncio.get_running_loop()
            began = loop.time()
            down = await states.reach("down")
            took = loop.time() - began
            fake.silent = False
            await states.reach("up", times=2)

    assert down.reason == "no answer to a ping within 0.05 s"
    assert 0.05 <= took < 1.0
    assert link.counters.lost == 1


async def test_events_alone_do_not_keep_a_link_that_answers_no_ping() -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, settings={"ping_every": 0.02, "ping_within": 0.1})
        async with running(link):
            await states.reach("up")
            fake.scripts["ping"] = lambda _: event("Newstate")

            down = await states.reach("down")

    assert down.reason.startswith("no answer to a ping")


def test_with_the_default_values_a_half_open_link_is_noticed_within_seven_seconds() -> None:
    """P5: at the worst the link dies right after a ping was answered."""
    given = settings(5038)

    assert given.ping_every + given.ping_within <= 7.0


async def test_the_kernel_gives_up_unsent_bytes_in_the_same_time() -> None:
    import socket

    async with FakeAmi() as fake:
        link, states, _ = new_link(fake)
        async with running(link):
            await states.reach("up")
            assert link._session is not None
            sock = link._session.transport.get_extra_info("socket")

            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4500


# --- refused


async def test_a_refused_login_is_one_clear_error_and_no_hot_loop() -> None:
    """D16."""
    async with FakeAmi() as fake:
        fake.scripts["login"] = lambda asked: reply(
            asked, ok=False, Message="Authentication failed"
        )
        link, states, _ = new_link(fake)
        with capture_logs() as logs:
            async with running(link):
                refused = await states.reach("refused")
                await fake.heard("Login", times=3)
                with pytest.raises(PbxUnavailable, match="refused"):
                    await link.act(actions.ping(), SOON)
        del fake.scripts["login"]

    told = [log for log in logs if log["event"] == "pbx_login_refused"]
    assert "Authentication failed" in refused.reason
    assert "manager.conf" in refused.reason
    assert [(log["log_level"], log["user"]) for log in told] == [("error", "cti")]
    assert "s3cret" not in repr(logs) + repr(states.told)
    assert states.phases == ["connecting", "refused", "stopping", "down"]


async def test_a_refused_login_is_tried_again_once_a_minute_at_most() -> None:
    link = Link(settings(5038), "listen", clock=CLOCK)

    with capture_logs():
        assert 60 <= link._refused(LoginRefused("Authentication failed")) <= 66


async def test_a_refused_login_that_is_mended_comes_up() -> None:
    async with FakeAmi() as fake:
        accept = fake.scripts["login"]
        fake.scripts["login"] = lambda asked: reply(asked, ok=False, Message="Login Already In Use")
        link, states, _ = new_link(fake)
        async with running(link):
            refused = await states.reach("refused")
            fake.scripts["login"] = accept
            await states.reach("up")

    assert "Login Already In Use" in refused.reason
    assert "allowmultiplelogin" in refused.reason


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"secret": "s3\ncret"}, "Secret cannot be sent"),
        ({"user": "c\rti"}, "Username cannot be sent"),
        ({"secret_file": "/nonexistent/secret"}, "cannot read secret_file"),
    ],
)
async def test_a_login_that_cannot_be_sent_is_told_as_one(
    changed: dict[str, str], said: str
) -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, settings=changed)
        async with running(link):
            refused = await states.reach("refused")

    assert said in refused.reason
    assert "cret\n" not in refused.reason
    assert fake.asked == []


# --- TLS


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-made certificate for 127.0.0.1, and its key beside it."""
    openssl = shutil.which("openssl")
    need("openssl", None if openssl else "the openssl program makes the certificate")
    made = tmp_path_factory.mktemp("tls") / "pbx.pem"
    subprocess.run(  # noqa: S603
        [
            *(str(openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(made.with_suffix(".key")), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    return made


def of_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


async def test_a_pbx_is_spoken_with_over_tls(certificate: Path) -> None:
    async with FakeAmi(tls=of_server(certificate)) as fake:
        link, states, heard = new_link(fake, settings={"tls": True, "tls_ca": certificate})
        async with running(link):
            await states.reach("up")
            fake.visit.send(event("Newchannel") * 1000)
            await heard.reach(1001)
            answer = await link.act(actions.ping(), SOON)

    assert answer.ok
    assert fake.times("Logoff") == 1


def test_tls_runs_on_uvloop_as_well(certificate: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_a_pbx_is_spoken_with_over_tls(certificate))
        runner.run(test_a_pbx_with_a_certificate_of_somebody_else_is_not_trusted(certificate))
        runner.run(test_tls_to_a_port_that_speaks_none_is_told_as_that(certificate))


async def test_a_pbx_with_a_certificate_of_somebody_else_is_not_trusted(certificate: Path) -> None:
    async with FakeAmi(tls=of_server(certificate)) as fake:
        link, states, _ = new_link(fake, settings={"tls": True})
        async with running(link):
            down = await states.reach("down")

    assert "is not trusted" in down.reason
    assert fake.asked == []


async def test_tls_to_a_port_that_speaks_none_is_told_as_that(certificate: Path) -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, settings={"tls": True, "tls_ca": certificate})
        async with running(link):
            down = await states.reach("down")

    assert "TLS" in down.reason


async def test_a_port_that_keeps_silent_is_given_up(certificate: Path) -> None:
    """Fault 19: a black hole, met before the login."""
    async with FakeAmi() as fake:
        fake.banner = b""
        given = {"tls": True, "tls_ca": certificate, "connect_within": 0.05}
        link, states, _ = new_link(fake, settings=given)
        async with running(link):
            down = await states.reach("down", times=2)

    assert down.reason.endswith("did not accept a connection within 0.05 s")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_told_before_anything_starts(
    tmp_path: Path, content: str | None
) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)

    with pytest.raises(ConfigError, match="cannot use tls_ca"):
        Link(settings(5039, tls=True, tls_ca=ca), "listen", clock=CLOCK)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no-such-host.invalid", "cannot connect to no-such-host.invalid:"),
        ("." * 300, "cannot connect to"),
    ],
)
async def test_a_host_that_cannot_be_found_is_told_by_name(host: str, said: str) -> None:
    async with FakeAmi() as fake:
        link, states, _ = new_link(fake, settings={"host": host})
        async with running(link):
            down = await states.reach("down")

    assert said in down.reason
