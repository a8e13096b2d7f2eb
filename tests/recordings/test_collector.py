"""Every file of the PBX becomes one recording of the right call, whatever happens meanwhile."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cti.calls.record import SaidRecord
from cti.house import RecordingRules
from recordings import collector as shell
from recordings.intake import Taken
from recordings.names import Side
from recordings.record import Kind, NamedBy, State, Told
from recordings.rules import Room
from recordings.spool import Spool
from recordings.storage import Storage, StorageFull, StorageUnavailable
from tests.calls.test_store import batch, keep, live, missed
from tests.kit.sound import heard, silence, tone, wav
from tests.kit.until import until
from tests.recordings.conftest import MONITOR, Plant, at


async def test_a_file_that_the_pbx_named_is_the_calls_at_once(plant: Plant) -> None:
    await plant.calls("one.wav")
    file = plant.writes("one.wav")

    await plant.goes(20)

    one = await plant.one_of()
    assert (State.LINKED, NamedBy.EVENT, Kind.CALL) == (one.state, one.named_by, one.kind)
    assert (at(4), at(9), 5000) == (one.began, one.ended, one.duration_ms)
    assert ("6002", "p-bo") == (one.agent, one.person)
    assert file.read_bytes() == plant.content(one)
    assert ("pcm16", 8000, 1, file.stat().st_size) == (one.format, one.rate, one.channels, one.size)
    assert b"" != await plant.store.peaks(one.id)
    assert (f"{MONITOR}/one.wav", 0.0) == (one.source, one.silence_share)


async def test_it_is_awaited_as_soon_as_it_is_named(plant: Plant) -> None:
    await keep(plant.db, batch(live(recordings=(f"{MONITOR}/one.wav",))))
    await plant.goes(2)
    assert [State.RECORDING] == [one.state for one in await plant.all_of()]

    await plant.calls("one.wav")
    await plant.goes(10)

    assert [State.EXPECTED] == [one.state for one in await plant.all_of()]


async def test_a_file_that_lies_there_before_its_call_is_known_is_linked_later(
    plant: Plant,
) -> None:
    plant.writes("one.wav")
    await plant.goes(20)
    (stored,) = await plant.store.unlinked([State.STORED])

    await plant.calls("one.wav")
    await plant.goes(22)

    one = await plant.one_of()
    assert (stored.id, State.LINKED, at(22)) == (one.id, one.state, one.linked_at)


async def test_the_same_file_is_kept_once_however_often_it_is_seen(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav")

    for second in (20, 40, 60):
        plant.start()
        await plant.goes(second)

    assert 1 == len(await plant.all_of())
    assert 0 == plant.collector.figures.kept


async def test_a_transferred_call_keeps_all_its_files(plant: Plant) -> None:
    await plant.calls("one.wav", "two.wav")
    plant.writes("one.wav", seconds=2, ended=6)
    plant.writes("two.wav", seconds=3, ended=9)

    await plant.goes(20)

    assert [f"{MONITOR}/one.wav", f"{MONITOR}/two.wav"] == [
        one.source for one in await plant.all_of()
    ]


async def test_a_file_still_being_written_is_left_alone(plant: Plant) -> None:
    await keep(plant.db, batch(live(recordings=(f"{MONITOR}/one.wav",))))
    plant.writes("one.wav", ended=0)

    await plant.goes(600)

    assert [State.RECORDING] == [one.state for one in await plant.all_of()]
    assert 1 == plant.collector.figures.waiting


async def test_a_file_without_a_whole_header_is_waited_for_longer(plant: Plant) -> None:
    await plant.calls("cut.wav")
    whole = wav(tone(5))
    plant.writes("cut.wav", sound=whole[:4] + bytes(4) + whole[8:40] + bytes(4) + whole[44:])

    await plant.goes(20)
    assert [State.EXPECTED] == [one.state for one in await plant.all_of()]
    await plant.goes(60)

    one = await plant.one_of()
    assert (State.LINKED, True, 5000) == (one.state, one.mended, one.duration_ms)
    assert whole == plant.content(one)


async def test_an_unfinished_sample_at_the_end_is_cut_away(plant: Plant) -> None:
    await plant.calls("cut.wav")
    whole = wav(tone(5))
    plant.writes("cut.wav", sound=whole[:40] + bytes(4) + whole[44:-1])

    await plant.goes(60)

    samples, _ = heard(plant.content(await plant.one_of()))
    assert len(tone(5)) - 1 == len(samples)


async def test_two_sides_become_one_sound_with_the_customer_on_the_left(plant: Plant) -> None:
    await plant.calls("one.wav")
    customer, agent = tone(5, 300), tone(5, 900)
    plant.writes("one.wav", sound=wav((customer // 2) + (agent // 2)))
    plant.writes("one-rx.wav", sound=wav(customer))
    plant.writes("one-tx.wav", sound=wav(agent))

    await plant.goes(20)

    one = await plant.one_of()
    samples, _ = heard(plant.content(one))
    assert (2, "customer", 5000) == (one.channels, one.left, one.duration_ms)
    assert ((samples[:, 0] == customer).all(), (samples[:, 1] == agent).all()) == (True, True)


async def test_a_recording_whose_sides_are_closed_one_by_one_is_one_recording(
    plant: Plant,
) -> None:
    await plant.calls("one.wav")
    collecting = asyncio.get_running_loop().create_task(plant.collector.run())
    names = ("one.wav", "one-rx.wav", "one-tx.wav")
    files = [(plant.folder / name).open("wb") for name in names]
    for file in files:
        file.write(wav(tone(5)))
        file.flush()

    for file in files:
        file.close()
        await asyncio.sleep(0.3)  # longer than what is closed together is waited for
    await until(lambda: plant.collector.figures.kept == 1)
    collecting.cancel()

    one = await plant.one_of()
    assert (2, "customer") == (one.channels, one.left)


async def test_sides_that_are_not_in_step_give_way_to_the_mixed_file(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav", seconds=5)
    plant.writes("one-rx.wav", seconds=5)
    plant.writes("one-tx.wav", seconds=3)

    await plant.goes(20)

    one = await plant.one_of()
    assert (1, "", 5000) == (one.channels, one.left, one.duration_ms)


async def test_a_side_whose_whole_never_came_is_kept_by_itself(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one-rx.wav")

    await plant.goes(20)

    one = await plant.one_of()
    assert (State.LINKED, 1, 5000) == (one.state, one.channels, one.duration_ms)


async def test_a_call_that_nobody_answered_leaves_a_header_and_misses_nothing(
    plant: Plant,
) -> None:
    await keep(plant.db, batch(missed("call-1", recordings=(f"{MONITOR}/one.wav",))))
    plant.writes("one.wav", seconds=0)

    for second in (20, 100):
        await plant.goes(second)

    one = await plant.one_of()
    assert (State.LINKED, 0, False) == (one.state, one.duration_ms, one.playable)


async def test_what_is_awaited_of_a_call_that_nobody_answered_is_awaited_no_more(
    plant: Plant,
) -> None:
    await keep(plant.db, batch(missed("call-1", recordings=(f"{MONITOR}/one.wav",))))

    await plant.goes(20)
    assert 1 == len(await plant.all_of())
    await plant.goes(100)

    assert [] == await plant.all_of()


async def test_what_is_no_sound_is_kept_as_it_is_and_damaged(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav", sound=b"no sound at all")

    await plant.goes(60)

    one = await plant.one_of()
    assert (State.DAMAGED, "audio_unknown", False) == (one.state, one.fault, one.playable)
    assert b"no sound at all" == plant.content(one)
    assert [one] == await plant.store.missing()


# -- by name, by time


async def test_the_channel_in_a_name_tells_the_call(plant: Plant) -> None:
    record = await plant.calls()
    leg = record.legs[0][0]
    name = f"in-4000-13800138000-20260302-090000-{leg}.wav"
    plant.writes(name)

    await plant.goes(20)

    found = [one for one in await plant.all_of() if one.source]
    assert [(NamedBy.NAME, "call-1")] == [(one.named_by, one.call) for one in found]


async def test_the_numbers_in_a_name_and_the_time_tell_the_call(plant: Plant) -> None:
    await plant.calls()
    plant.writes("auto-1772413204-13800138000-6002.wav")

    await plant.goes(20)
    await plant.goes(45)

    one = await plant.one_of()
    assert (State.LINKED, NamedBy.OVERLAP) == (one.state, one.named_by)


async def test_what_fits_no_call_is_an_orphan_within_a_minute(plant: Plant) -> None:
    plant.writes("auto-1772413204-7777-6009.wav")

    await plant.goes(20)
    assert [] == await plant.store.orphans()
    await plant.goes(81)

    assert [State.ORPHAN] == [one.state for one in await plant.store.orphans()]


async def test_an_orphan_whose_call_turns_up_is_linked(plant: Plant) -> None:
    plant.writes("one.wav")
    for second in (20, 81):
        await plant.goes(second)
    assert 1 == len(await plant.store.orphans())

    await plant.calls("one.wav")
    await plant.goes(100)

    assert State.LINKED is (await plant.one_of()).state
    assert [] == await plant.store.orphans()


async def test_old_files_are_judged_at_once(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav")
    plant.writes("other.wav", ended=30)

    await plant.goes(3 * 86_400)

    assert State.LINKED is (await plant.one_of()).state
    assert [f"{MONITOR}/other.wav"] == [one.source for one in await plant.store.orphans()]


# -- names used again, files that change


async def test_a_name_that_the_pbx_uses_again_is_another_recording(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav")
    await plant.goes(20)

    later = missed("call-2", recordings=(f"{MONITOR}/one.wav",))
    moved = {"seen_at": at(3600), "began": at(3600), "ended_at": at(3660)}
    await keep(plant.db, batch(replace(later, **moved)))
    plant.writes("one.wav", seconds=7, ended=3660)
    await plant.goes(3700)

    first, second = await plant.one_of("call-1"), await plant.one_of("call-2")
    assert (0, 5000, 1, 7000) == (first.take, first.duration_ms, second.take, second.duration_ms)
    assert len(plant.content(first)) < len(plant.content(second))


async def test_a_file_that_went_on_replaces_what_was_kept_of_it(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav", seconds=2, ended=6)
    await plant.goes(20)
    before = await plant.one_of()

    plant.writes("one.wav", seconds=5, ended=9)
    await plant.goes(40)

    one = await plant.one_of()
    assert (before.id, 0, 5000) == (one.id, one.take, one.duration_ms)
    assert 1 == sum(file.is_file() for file in (plant.kept / one.place[:2]).iterdir())
    assert not (plant.kept / before.place).exists()


async def test_a_file_that_changes_while_it_is_read_is_read_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.calls("one.wav")
    file, put = plant.writes("one.wav", seconds=2, ended=6), plant.storage.put

    def goes_on(content: object) -> object:
        plant.writes("one.wav", seconds=5, ended=9)
        return put(content)  # type: ignore[arg-type]

    monkeypatch.setattr(plant.storage, "put", goes_on)
    await plant.goes(20)
    assert [State.EXPECTED] == [one.state for one in await plant.all_of()]
    monkeypatch.undo()
    await plant.goes(40)

    assert file.read_bytes() == plant.content(await plant.one_of())


# -- missing


async def test_a_call_that_should_have_one_and_has_none_is_missing_one(plant: Plant) -> None:
    await plant.calls()

    await plant.goes(40)
    assert [] == await plant.store.missing()
    await plant.goes(75)

    (one,) = await plant.store.missing()
    assert ("call-1", "none_named", "p-bo") == (one.call, one.fault, one.person)


async def test_a_file_that_was_named_and_never_came_is_missing(plant: Plant) -> None:
    await plant.calls("one.wav")

    await plant.goes(10)
    await plant.goes(75)

    (one,) = await plant.store.missing()
    assert ("not_found", f"{MONITOR}/one.wav") == (one.fault, one.source)


async def test_what_was_missing_and_comes_late_is_missing_no_more(plant: Plant) -> None:
    await plant.calls("one.wav")
    for second in (10, 75):
        await plant.goes(second)

    plant.writes("one.wav")
    await plant.goes(300)

    assert State.LINKED is (await plant.one_of()).state
    assert [] == await plant.store.missing()


async def test_an_answered_call_with_an_empty_file_has_nothing_to_be_heard(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav", seconds=0)

    await plant.goes(20)
    await plant.goes(80)

    assert [(State.DAMAGED, "empty")] == [
        (one.state, one.fault) for one in await plant.store.missing()
    ]


async def test_calls_from_before_recordings_were_collected_miss_nothing(plant: Plant) -> None:
    await plant.calls(seen_at=at(-600), began=at(-600), ended_at=at(-500))

    await plant.goes(75)

    assert [] == await plant.store.missing()


async def test_a_house_that_records_nothing_misses_nothing(plant: Plant) -> None:
    plant.rules = replace(plant.rules, required=False)
    await plant.calls()

    await plant.goes(75)

    assert [] == await plant.store.missing()


# -- storage and spool


@pytest.mark.parametrize("fault", [StorageFull("no room"), StorageUnavailable("gone")])
async def test_while_the_storage_takes_nothing_nothing_is_lost_or_called_missing(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def refuse(content: object) -> object:
        raise fault

    await plant.calls("one.wav", "two.wav")
    for name in ("one.wav", "two.wav"):
        plant.writes(name)
    monkeypatch.setattr(plant.storage, "put", refuse)
    for second in (20, 40, 90, 150):
        await plant.goes(second)
    assert {"keeping": str(fault)} == plant.collector.figures.troubles
    assert [] == await plant.store.missing()

    monkeypatch.undo()
    await plant.goes(151)

    assert [State.LINKED] * 2 == [one.state for one in await plant.all_of()]
    assert {} == plant.collector.figures.troubles


async def test_a_spool_that_is_away_is_told_and_calls_wait_for_it(plant: Plant) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav")
    away = plant.root / "away"
    plant.folder.rename(away)
    for second in (20, 40, 90, 150):
        await plant.goes(second)
    assert [f"main {MONITOR}"] == list(plant.collector.figures.troubles)
    assert [] == await plant.store.missing()

    away.rename(plant.folder)
    await plant.goes(170)

    assert State.LINKED is (await plant.one_of()).state
    assert {} == plant.collector.figures.troubles


async def test_the_empty_place_of_a_mount_gets_no_recording(plant: Plant) -> None:
    await plant.calls("one.wav", "two.wav")
    plant.writes("one.wav")
    await plant.goes(20)
    plant.kept.rename(plant.root / "away")
    plant.kept.mkdir()
    plant.start()

    plant.writes("two.wav")
    await plant.goes(40)

    assert [] == list(plant.kept.iterdir())
    assert "is not the folder" in plant.collector.figures.troubles["storage"]


async def test_too_little_room_is_told_and_at_last_nothing_more_is_kept(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.calls("one.wav")
    plant.writes("one.wav")
    monkeypatch.setattr(plant.storage, "room", lambda: 4_000_000_000)
    await plant.goes(11)
    assert Room.LOW is plant.collector.figures.room

    plant.collector._stop_below = 5_000_000_000
    await plant.goes(30)
    assert (Room.FULL, 0) == (plant.collector.figures.room, plant.collector.figures.kept)
    monkeypatch.undo()
    plant.collector._stop_below = 0
    await plant.goes(50)

    assert State.LINKED is (await plant.one_of()).state


# -- what is no recording


async def test_only_plain_files_within_the_spool_are_read(plant: Plant) -> None:
    secret = plant.root / "secret.wav"
    secret.write_bytes(wav(tone(1)))
    outside = plant.root / "outside"
    outside.mkdir()
    (outside / "far.wav").write_bytes(wav(tone(1)))
    (plant.folder / "link.wav").symlink_to(secret)
    (plant.folder / "folder").symlink_to(outside)
    os.mkfifo(plant.folder / "pipe.wav")
    (plant.folder / "directory.wav").mkdir()
    plant.writes("note.txt")

    await plant.goes(200)

    assert {} == await plant.store.counts()


async def test_odd_names_are_kept_and_obeyed_by_nothing(plant: Plant) -> None:
    odd = [b"a\nb.wav", b"\xff\xfe.wav", "錄音 '; DROP TABLE.wav".encode(), b"-rf.wav", b"%n.wav"]
    for name in odd:
        plant.writes(os.fsdecode(name))

    for second in (200, 261):
        await plant.goes(second)

    found = sorted(one.source.removeprefix(f"{MONITOR}/") for one in await plant.store.orphans())
    assert (
        sorted(["a%0Ab.wav", "%FF%FE.wav", "錄音 '; DROP TABLE.wav", "-rf.wav", "%25n.wav"])
        == found
    )


async def test_a_file_that_becomes_a_link_under_our_eyes_is_not_followed(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.writes("one.wav")
    secret = plant.root / "secret.wav"
    secret.write_bytes(wav(tone(1)))
    take = shell.take

    def swapped(spool: Spool, paths: Mapping[Side, str], storage: Storage) -> Taken:
        (plant.folder / "one.wav").unlink()
        (plant.folder / "one.wav").symlink_to(secret)
        return take(spool, paths, storage)

    monkeypatch.setattr(shell, "take", swapped)
    await plant.goes(20)

    assert {} == await plant.store.counts()
    with pytest.raises(Exception, match="leads out of the spool"):
        shell.take(
            Spool("main", MONITOR, plant.folder), {Side.BOTH: "../secret.wav"}, plant.storage
        )


# -- mailboxes

NOTE = "[message]\norigmailbox=6002\ncallerchan={channel}\norigtime={began}\nmsg_id=1772413205-1\n"


def leaves_message(plant: Plant, channel: str, folder: str = "INBOX", n: int = 0) -> Path:
    """Let a caller leave four seconds in Bo's mailbox, five seconds after his call began."""
    name = f"voicemail/default/6002/{folder}/msg{n:04}"
    note = NOTE.format(channel=channel, began=int(at(5).timestamp()))
    file = plant.writes(f"{name}.wav", seconds=4)
    file.with_suffix(".txt").write_text(note)
    return file


async def test_a_message_in_a_mailbox_is_the_missed_calls(plant: Plant) -> None:
    record = missed("call-1")
    await keep(plant.db, batch(record))
    leaves_message(plant, record.channel)

    await plant.goes(20)

    one = await plant.one_of()
    assert (Kind.VOICEMAIL, State.LINKED, at(5)) == (one.kind, one.state, one.began)
    assert f"{MONITOR}/voicemail/default/6002/1772413205-1.wav" == one.source


async def test_a_message_that_is_moved_is_the_same_message(plant: Plant) -> None:
    record = missed("call-1")
    await keep(plant.db, batch(record))
    file = leaves_message(plant, record.channel)
    await plant.goes(20)

    old = plant.folder / "voicemail/default/6002/Old"
    old.mkdir()
    for one in (file, file.with_suffix(".txt")):
        one.rename(old / one.name.replace("0000", "0003"))
    await plant.goes(40)

    assert 1 == len(await plant.all_of())
    assert 1 == plant.collector.figures.kept


async def test_a_message_without_its_note_is_not_finished(plant: Plant) -> None:
    leaves_message(plant, "PJSIP/trunk-00000001").with_suffix(".txt").unlink()

    await plant.goes(300)

    assert {} == await plant.store.counts()


# -- what was heard


async def test_how_much_is_silent_is_known(plant: Plant) -> None:
    import numpy as np

    await plant.calls("one.wav")
    plant.writes("one.wav", sound=wav(np.concatenate([tone(3), silence(1)])))

    await plant.goes(20)

    assert 0.25 == pytest.approx((await plant.one_of()).silence_share, abs=0.02)
    assert timedelta(seconds=4) == timedelta(milliseconds=(await plant.one_of()).duration_ms or 0)


async def test_how_the_customer_was_told_is_kept_with_his_call(plant: Plant) -> None:
    plant.rules = RecordingRules(announcing_lines=("4000",))
    said = (SaidRecord(topic="recording", word="told", code="", at=None),)
    plant.writes("a.wav")

    await plant.calls("a.wav", said=said)
    await plant.goes(11)

    (consent,) = (await plant.store.consents_of(["call-1"])).values()
    assert (Told.PBX, None) == (consent.told, consent.refused_at)


async def test_what_the_customer_refused_stays_when_it_becomes_known_how_he_was_told(
    plant: Plant,
) -> None:
    await plant.store.refuse("call-1", Told.NO, who="p-may", at=at(5))
    plant.writes("a.wav")

    await plant.calls("a.wav", dialled="4000")
    plant.rules = RecordingRules(announcing_lines=("4000",))
    await plant.goes(11)

    (consent,) = (await plant.store.consents_of(["call-1"])).values()
    assert (Told.LINE, at(5), "p-may") == (consent.told, consent.refused_at, consent.refused_by)
