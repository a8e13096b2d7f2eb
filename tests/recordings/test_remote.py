"""Files on another machine and in a bucket: found, copied whole, left as they are, away, back."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import obstore
import pytest

from cti.errors import ConfigError
from recordings.bucket import Bucket, store_of
from recordings.objects import BucketSpool
from recordings.record import State
from recordings.sftp import SftpSpool
from recordings.spool import SourceAway, SourceGone
from tests.kit.s3 import s3
from tests.kit.sftp import PASSWORD, Host, sftp_host
from tests.kit.sound import tone, wav
from tests.recordings.conftest import MONITOR, Plant, at

SPEECH = wav(tone(5))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    """A machine with an empty folder `/monitor`."""
    async with sftp_host(tmp_path) as made:
        yield made


@pytest.fixture
async def far(host: Host) -> AsyncIterator[SftpSpool]:
    """Its folder, as a collector sees it."""
    made = SftpSpool("main", MONITOR, host.server)
    yield made
    await asyncio.to_thread(made.close)


def writes(host: Host, name: str, sound: bytes = SPEECH, ended: float = 9) -> Path:
    """Let the PBX there write a file, the last byte of it at an instant."""
    file = host.root / "monitor" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(sound)
    os.utime(file, (at(ended).timestamp(), at(ended).timestamp()))
    return file


async def swept(far: SftpSpool) -> list[str]:
    found = await asyncio.to_thread(far.sweep)
    return sorted(one.path for one in found.found)


async def collects_from(plant: Plant, far: SftpSpool | BucketSpool) -> None:
    """Let the plant collect from there alone."""
    plant.collector.close()
    plant.sources = [far]
    plant.start()
    await plant.goes(-30)


class TestSftp:
    """A folder on another machine."""

    async def test_a_file_is_kept_and_linked_and_stays_where_it_is(
        self, plant: Plant, host: Host, far: SftpSpool
    ) -> None:
        await collects_from(plant, far)
        file = writes(host, "2026/a.wav")
        before = file.stat().st_mtime_ns

        await plant.calls("2026/a.wav")
        await plant.goes(21)

        one = await plant.one_of()
        assert (State.LINKED, 5000) == (one.state, one.duration_ms)
        assert SPEECH == plant.content(one) == file.read_bytes()
        assert before == file.stat().st_mtime_ns

    async def test_a_file_is_not_taken_before_it_is_still(
        self, plant: Plant, host: Host, far: SftpSpool
    ) -> None:
        await collects_from(plant, far)
        await plant.calls("a.wav")
        writes(host, "a.wav", SPEECH[:20_000], ended=9)
        await plant.goes(12)
        early = (await plant.one_of()).state

        writes(host, "a.wav", SPEECH, ended=13)
        await plant.goes(23)
        await plant.goes(34)

        assert (State.EXPECTED, State.LINKED) == (early, (await plant.one_of()).state)
        assert SPEECH == plant.content(await plant.one_of())

    async def test_links_and_ways_out_are_left_alone(self, host: Host, far: SftpSpool) -> None:
        (host.root / "secret.wav").write_bytes(SPEECH)
        writes(host, "good.wav")
        (host.root / "monitor" / "link.wav").symlink_to("../secret.wav")
        (host.root / "monitor" / "folder").symlink_to("..")
        os.mkfifo(host.root / "monitor" / "pipe.wav")

        assert ["good.wav"] == await swept(far)
        for path in ("link.wav", "folder/secret.wav", "../secret.wav", "none.wav"):
            with pytest.raises(SourceGone):
                await asyncio.to_thread(far.open(path).__enter__)

    async def test_odd_names_are_read_as_they_are(self, host: Host, far: SftpSpool) -> None:
        odd = os.fsdecode(b"na\xefve\n\xe7\x8e\x8b.wav")
        writes(host, odd)

        assert [odd] == await swept(far)
        assert [odd] == [one.path for one in await asyncio.to_thread(far.family, odd)]

    async def test_a_message_of_a_mailbox_waits_for_its_note(
        self, host: Host, far: SftpSpool
    ) -> None:
        box = SftpSpool("main", "/var/spool/asterisk", replace(host.server, folder="/"))
        writes(host, "../voicemail/default/6001/INBOX/msg0000.wav")
        before = await asyncio.to_thread(box.sweep)
        writes(host, "../voicemail/default/6001/INBOX/msg0000.txt", b"msg_id=7-0001\n")

        after = await asyncio.to_thread(box.sweep)

        await asyncio.to_thread(box.close)
        assert ([], ["msg_id=7-0001\n"]) == (before.found, [one.note for one in after.found])

    async def test_a_password_lets_in_as_well(self, host: Host) -> None:
        server = replace(host.server, key_file=None, password=PASSWORD)
        far = SftpSpool("main", MONITOR, server)
        writes(host, "a.wav")

        assert ["a.wav"] == await swept(far)
        await asyncio.to_thread(far.close)

    async def test_a_host_whose_key_is_not_known_is_not_spoken_with(self, host: Host) -> None:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        host.server.known_hosts.write_text(f"[127.0.0.1]:{host.server.port} {other}")
        far = SftpSpool("main", MONITOR, host.server)

        with pytest.raises(SourceAway, match="key"):
            await asyncio.to_thread(far.sweep)
        await asyncio.to_thread(far.close)

    async def test_who_may_not_log_in_is_told_so(self, host: Host) -> None:
        far = SftpSpool("main", MONITOR, replace(host.server, user="chen", key_file=None))

        with pytest.raises(SourceAway, match="Permission denied"):
            await asyncio.to_thread(far.sweep)
        await asyncio.to_thread(far.close)

    async def test_a_host_that_is_away_loses_nothing(
        self, plant: Plant, host: Host, far: SftpSpool
    ) -> None:
        await collects_from(plant, far)
        await host.goes()
        await plant.goes(5)
        troubles = dict(plant.collector.figures.troubles)
        writes(host, "a.wav")
        await plant.calls("a.wav")
        await plant.goes(200)
        missing = (await plant.one_of()).state

        await host.comes()
        await plant.goes(215)
        await plant.goes(230)

        assert [far.name] == list(troubles)
        assert "127.0.0.1" in troubles[far.name]
        assert {} == plant.collector.figures.troubles
        assert (State.EXPECTED, State.LINKED) == (missing, (await plant.one_of()).state)

    async def test_a_connection_that_is_cut_while_a_file_is_read_is_made_again(
        self, host: Host, far: SftpSpool
    ) -> None:
        writes(host, "a.wav")
        kept = far.open("a.wav")
        opened = await asyncio.to_thread(kept.__enter__)
        await host.goes()
        with pytest.raises(SourceGone):
            await asyncio.to_thread(opened.read, 0, 100)
        await asyncio.to_thread(kept.__exit__, None, None, None)

        await host.comes()

        assert ["a.wav"] == await swept(far)

    @pytest.mark.parametrize(
        ("spoilt", "code"), [("key_file", "sftp_key"), ("known_hosts", "sftp_known_hosts")]
    )
    async def test_a_file_that_cannot_be_used_is_told_before_anything_starts(
        self, host: Host, tmp_path: Path, spoilt: str, code: str
    ) -> None:
        broken = tmp_path / "broken"
        broken.write_bytes(b"\xff\xfe nothing of the kind")

        with pytest.raises(ConfigError) as told:
            SftpSpool("main", MONITOR, replace(host.server, **{spoilt: broken}))

        assert code == told.value.code


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A server with a bucket."""
    with s3() as made:
        yield made


class TestBucket:
    """Objects that somebody puts into a bucket."""

    async def test_an_object_is_kept_and_linked_at_once_and_stays(
        self, plant: Plant, bucket: Bucket
    ) -> None:
        there = replace(bucket, prefix="pbx/one")
        obstore.put(store_of(there), "2026/a.wav", SPEECH)
        obstore.put(store_of(there), "readme.txt", b"nothing to hear")

        await plant.calls("2026/a.wav")
        await collects_from(plant, BucketSpool("main", MONITOR, there))
        await plant.goes(11)

        one = await plant.one_of()
        assert (State.LINKED, SPEECH) == (one.state, plant.content(one))
        assert SPEECH == bytes(obstore.get(store_of(there), "2026/a.wav").bytes())

    async def test_a_bucket_that_is_away_is_told(self, bucket: Bucket) -> None:
        away = BucketSpool("main", MONITOR, replace(bucket, endpoint="http://127.0.0.1:9"))

        with pytest.raises(SourceAway, match="s3://recordings"):
            await asyncio.to_thread(away.sweep)

    async def test_an_object_that_is_not_there_is_gone(self, bucket: Bucket) -> None:
        there = BucketSpool("main", MONITOR, bucket)

        with pytest.raises(SourceGone):
            there.open("none.wav").__enter__()
        assert [] == there.family("none.wav")
