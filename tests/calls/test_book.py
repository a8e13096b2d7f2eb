"""Which events are one call, when is it over, and what is left of it after a gap."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti.calls.book import CLOSE_EVERY, WINDOW, trunk_matcher
from cti.calls.cards import card_states
from cti.calls.effects import Close, Merge, Note
from cti.calls.offers import agent_offers
from cti.calls.record import CallRecord, State
from cti.pbx.events import (
    AgentCalled,
    Event,
    HungUp,
    LegBorn,
    LegId,
    LegSeen,
    LiveVisit,
    Passed,
    Sight,
)
from tests.kit.any_event import INSTANTS, any_event
from tests.kit.story import (
    BO,
    LIN,
    MAY,
    NUMBER,
    SUPPORT,
    WANG,
    WU,
    Story,
    at,
    offer_to,
    offers_of,
    outcome_of,
    verdict,
)
from tests.kit.tapes import closed, new_book


def ringing() -> Story:
    """Wang calls, May's phone alerts after one second."""
    return Story().calls(0).asks(1, WANG, MAY).rang(1, MAY)


def talking() -> Story:
    """Wang talks to May since second 5."""
    return ringing().up(0, WANG).answered(5, MAY)


def consulting() -> Story:
    """Wang talks to May, who asks Bo from her phone's second line."""
    story = talking().calls(10, f"{MAY}#2", to="6002", number="6001")
    return story.asks(10, f"{MAY}#2", BO).rang(10, BO).answered(12, BO, f"{MAY}#2")


class TestOneCall:
    """Identity I1 to I5: sightings unite, nothing parts."""

    def test_whoever_is_dialled_by_a_call_belongs_to_it(self) -> None:
        assert len(ringing().all_over()) == 1

    def test_two_callers_are_two_calls(self) -> None:
        story = ringing().calls(2, WU, number="02161234567").asks(3, WU, BO)

        assert [record.caller for record in story.all_over()] == [NUMBER, "02161234567"]

    def test_the_same_number_twice_is_two_calls(self) -> None:
        assert len(Story().calls(0).calls(1, WU, number=NUMBER).all_over()) == 2

    def test_sharing_a_conference_makes_nobody_part_of_a_call(self) -> None:
        story = Story().calls(0).calls(1, WU)

        story.talk(2, WANG, WU, kind="conference", bridge="room")

        assert len(story.all_over()) == 2

    def test_a_linked_id_that_another_channel_bears_unites(self) -> None:
        story = Story().calls(0).calls(1, BO)
        both = story.sight(BO)._replace(linked=story.sight(WANG).leg)

        story.hears(LegSeen(at=at(2), who=both))

        assert story.merges() == [("call-2", "call-1")]

    def test_a_linked_id_that_flaps_back_parts_nothing(self) -> None:
        story = Story().calls(0).calls(1, BO)
        old = story.sight(BO)
        story.hears(LegSeen(at=at(2), who=old._replace(linked=story.sight(WANG).leg)))

        story.hears(LegSeen(at=at(3), who=old))

        assert len(story.all_over()) == 1

    def test_dialling_unites_whatever_the_linked_ids_say(self) -> None:
        story = Story().calls(0).born(1, MAY, 0).dials(1.1, WANG, MAY)

        assert len(story.all_over()) == 1

    def test_two_halves_of_a_local_channel_are_one_call(self) -> None:
        story = Story().born(0, "a;1", 0, channel="Local/a@x-1;1")
        story.born(0, "a;2", 4, channel="Local/a@x-1;2").joined(0.1, "a;1", "a;2")

        assert len(story.live()) == 1

    def test_who_takes_anothers_place_in_a_bridge_takes_over_his_call(self) -> None:
        story = talking().born(8, BO, 4).swapped(9, BO, MAY)

        assert len(story.live()) == 1
        assert verdict(story.over()) == "answered by 6001"

    def test_a_pickup_makes_the_picker_part_of_the_call(self) -> None:
        story = ringing().calls(3, BO, to="*8").picks_up(3.1, BO, MAY)

        assert story.merges() == [("call-2", "call-1")]

    def test_a_transfer_joins_all_its_parties(self) -> None:
        story = consulting()
        assert len(story.live()) == 2

        story.joined(20, MAY, f"{MAY}#2", WANG, BO)

        assert len(story.live()) == 1

    def test_of_two_calls_that_are_one_the_older_id_stays(self) -> None:
        story = consulting().joined(20, f"{MAY}#2", BO, WANG, MAY)

        assert story.merges() == [("call-2", "call-1")]
        assert story.now().id == "call-1"

    def test_three_calls_that_are_one_keep_one_id(self) -> None:
        story = Story().calls(0).calls(1, BO).calls(2, LIN)

        story.joined(3, LIN, BO).joined(4, WANG, BO)

        assert story.merges() == [("call-3", "call-2"), ("call-2", "call-1")]
        assert [record.id for record in story.all_over()] == ["call-1"]

    def test_a_call_that_was_merged_away_is_never_closed(self) -> None:
        story = consulting().joined(20, MAY, f"{MAY}#2", WANG, BO)

        assert [record.id for record in story.all_over()] == ["call-1"]

    def test_parking_holds_a_call_and_opens_no_new_one(self) -> None:
        story = talking().parts(10, WANG, MAY).talk(10, WANG, bridge="lot", kind="holding")
        story.joined(10, WANG).leaves_for_good(10.5, MAY).calls(30, BO, to="701")
        story.joined(30, WANG, BO).talk(30.1, WANG, BO).leaves_for_good(40).gone(40, BO)

        record = story.over()

        assert [(t.phone.agent, t.began_at, t.ended_at) for t in record.talks] == [
            ("6001", at(5), at(10)),
            ("6002", at(30.1), at(40)),
        ]

    def test_what_no_channel_names_opens_nothing(self) -> None:
        story = Story()
        nobody = Sight(LegId(""), "", "")

        story.hears(LegSeen(at=at(0), who=nobody), HungUp(at=at(1), who=nobody, cause=16))

        assert story.live() == []

    @pytest.mark.parametrize(
        ("device", "is_one"),
        [("PJSIP/trunk", True), ("PJSIP/trunk-b", True), ("PJSIP/6001", False), ("", False)],
    )
    def test_trunks_are_told_by_pattern(self, device: str, is_one: bool) -> None:
        assert trunk_matcher(["PJSIP/trunk*"])(device) is is_one


class TestOver:
    """When a call is over, and that it stays so."""

    def test_a_call_lives_as_long_as_one_of_its_legs(self) -> None:
        story = talking().hangs_up(9, WANG).gone(9, WANG).passed(60)

        assert story.records == []
        assert story.now().state is State.TALKING or story.now().ended_at is None

    def test_a_call_is_judged_two_seconds_after_its_last_leg(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG)

        assert story.passed(10.9).records == []
        assert len(story.passed(11).records) == 1

    def test_what_comes_late_but_in_time_still_counts(self) -> None:
        story = ringing().gone(4, MAY).gone(4, WANG).passed(5).hangs_up(4, WANG)

        story.ended(4, MAY, "CANCEL")

        assert outcome_of(story.over()) == "caller_gave_up"

    def test_a_call_that_gets_a_new_leg_in_time_goes_on(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).passed(10)
        story.born(10.5, BO, 0, story.sight(WANG).linked)

        assert story.passed(60).records == []

    def test_in_a_stream_without_our_clock_the_events_themselves_tell_that_time_passed(
        self,
    ) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).calls(20, WU)

        for second in range(WINDOW + CLOSE_EVERY):
            story.named(20 + second, WU, name="x")

        assert [record.caller for record in story.records] == [NUMBER]

    def test_over_stays_over(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).passed(12)
        [record] = story.records

        story.up(13, MAY).ended(13, MAY, "ANSWER").hangs_up(13, WANG).gone(14, WANG).passed(20)

        assert story.records == [record]
        assert story.live() == []

    def test_a_late_channel_of_a_call_that_is_over_opens_none(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).passed(12)
        story.does(Close)

        story.born(13, BO, 0, story.sight(WANG).linked)

        story.does(Note)
        assert story.live() == []

    def test_names_of_calls_long_over_are_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cti.calls.book.REMEMBERED", 10)
        book = new_book()
        for n in range(300):
            who = Sight(LegId(str(n)), str(n), "PJSIP/trunk-1")
            book.hear(HungUp(at=at(n * 3), who=who, cause=16))

        assert len(book._ended) == 10
        assert not book._named.keys() - {call for c in book._calls.values() for call in c.names}

    def test_a_stamp_far_ahead_keeps_no_other_call_open(self) -> None:
        story = Story().calls(0).gone(7200, WANG).passed(1)

        story.calls(2, WU).gone(3, WU).passed(8).passed(11)

        assert story.live() == []

    def test_a_clock_that_steps_back_an_hour_keeps_no_call_open(self) -> None:
        story = Story().calls(3600).passed(3601).gone(3602, WANG).passed(3602)

        story.passed(4).calls(5, WU).gone(6, WU).passed(9)

        assert story.live() == []

    def test_whatever_was_heard_at_the_end_of_a_stream_everything_is_closed(self) -> None:
        story = ringing().calls(2, WU)

        records = story.all_over()

        assert len(records) == 2
        assert all(record.over and record.approximate for record in records)

    def test_what_is_closed_as_a_whole_is_exact(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG)

        assert not story.over().approximate

    def test_two_calls_that_were_over_and_turn_out_to_be_one_are_closed_once(self) -> None:
        story = Story().calls(0).calls(0.5, BO, to="6002").gone(4, WANG).gone(5, BO)

        story.joined(5, WANG, BO).passed(6.9)
        assert story.records == []

        assert [record.id for record in story.passed(7).records] == ["call-1"]
        assert len(story.records[0].legs) == 2

    def test_no_word_of_a_channel_that_is_over_opens_a_call(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).passed(12)
        story.hears(LegBorn(at=at(13), who=story.sight(WANG)))
        story.dials(13, WANG, MAY).picks_up(13, MAY, WANG).talk(13, WANG, MAY).joins(13)
        story.agent(13, AgentCalled, MAY).recorded(13, WANG, "/a.wav").named(13, WANG, name="x")

        story.resynced(14, story.alive(WANG))

        assert story.live() == []


class TestStates:
    """Where a live call stands."""

    def test_a_call_passes_through_its_states(self) -> None:
        story = Story().calls(0).up(0, WANG)
        states = [story.now().state]
        for tell in (
            lambda: story.joins(1),
            lambda: story.asks(2, WANG, MAY).rang(2, MAY),
            lambda: story.rang_out(8, MAY),
            lambda: story.asks(9, WANG, BO).rang(9, BO),
            lambda: story.leaves(12).answered(12, BO),
            lambda: story.gone(20, BO).gone(20, WANG),
        ):
            tell()
            states.append(story.now().state)

        assert states == [
            State.MENU, State.WAITING, State.RINGING, State.WAITING, State.RINGING,
            State.TALKING, State.ENDED,
        ]  # fmt: skip

    def test_a_call_of_a_book_that_knows_none_is_nothing(self) -> None:
        assert new_book().view(ringing().now().id) is None

    def test_who_is_live_is_told_oldest_first(self) -> None:
        story = ringing().calls(3, WU)

        assert [record.id for record in story.live()] == ["call-1", "call-2"]


class TestGap:
    """Section 9.8: the link was lost, and the PBX says what lives now."""

    def test_a_call_that_rang_when_the_link_was_lost_and_is_gone_was_not_observed(self) -> None:
        record = ringing().link_lost(3).resynced(300).over()

        assert verdict(record) == "unobserved"
        assert record.approximate
        assert record.ended_by is None

    def test_times_that_ended_unseen_are_unknown_not_as_long_as_the_gap(self) -> None:
        record = ringing().link_lost(3).resynced(18000).over()

        assert (record.ring_ms, record.rings, record.wait_ms) == (None, None, None)
        assert offers_of(record) == [("6001", None, "unknown")]

    def test_a_talk_that_ended_unseen_has_no_length(self) -> None:
        record = talking().link_lost(9).resynced(18000).over()

        assert (record.ring_ms, record.talk_ms) == (4000, None)

    def test_a_call_answered_before_the_gap_stays_answered(self) -> None:
        record = talking().link_lost(9).resynced(300).over()

        assert verdict(record) == "answered by 6001"
        assert (record.approximate, record.reason, record.ended_by) == (True, None, None)

    def test_a_live_call_goes_on_after_the_gap(self) -> None:
        story = talking().link_lost(9)
        story.resynced(60, story.alive(WANG), story.alive(MAY))

        record = story.leaves_for_good(100).gone(100, MAY).over()

        assert verdict(record) == "answered by 6001"
        assert (record.talk_ms, record.ended_by) == (95000, "caller")
        assert record.approximate

    def test_a_phone_that_rings_through_the_gap_rings_on(self) -> None:
        story = ringing().link_lost(2)
        story.resynced(4, story.alive(WANG), story.alive(MAY, 5, 3))

        record = story.answered(7, MAY).leaves_for_good(20).gone(20, MAY).over()

        assert (verdict(record), record.ring_ms, record.rings) == ("answered by 6001", 6000, 3)

    def test_a_call_that_was_picked_up_in_the_gap_is_answered_after_an_unknown_ring(self) -> None:
        story = ringing().link_lost(3).unseen_talk(WANG, MAY)
        story.resynced(300, story.alive(WANG), story.alive(MAY))

        assert story.now().state is State.TALKING
        record = story.leaves_for_good(330).gone(330, MAY).over()

        assert verdict(record) == "answered by 6001"
        assert (record.ring_ms, record.rings, record.wait_ms) == (None, None, None)
        assert offers_of(record) == [("6001", None, "answered")]

    def test_an_open_call_that_ends_after_the_gap_without_an_answer_was_not_observed(self) -> None:
        story = ringing().link_lost(2)
        story.resynced(4, story.alive(WANG), story.alive(MAY, 5, 3))

        record = story.hangs_up(30, WANG).cancelled(30, MAY).gone(30, WANG).over()

        assert verdict(record) == "unobserved"

    def test_a_call_that_the_book_did_not_know_is_opened_and_approximate(self) -> None:
        story = Story().unseen(WANG, number=NUMBER, exten="4000")
        story.unseen(MAY, story.sight(WANG).linked).unseen_talk(WANG, MAY)

        story.resynced(10, story.alive(WANG), story.alive(MAY))

        assert story.now().state is State.TALKING
        record = story.leaves_for_good(30).gone(30, MAY).over()
        assert (record.direction, record.caller, verdict(record)) == (
            "inbound", NUMBER, "answered by 6001",
        )  # fmt: skip
        assert (record.began, record.approximate) == (None, True)

    def test_a_phone_found_ringing_pops_and_has_rung_no_longer_than_it_lived(self) -> None:
        story = Story().unseen(WANG, number=NUMBER, exten="4000")
        story.unseen(MAY, story.sight(WANG).linked)

        story.resynced(10, story.alive(WANG), story.alive(MAY, 5, 6))

        offer = offer_to(story.now())
        assert (offer.rang, offer.rang_at, story.now().state) == (True, at(4), State.RINGING)
        assert offer_to(story.answered(13, MAY).over()).ring_ms == 9000

    def test_a_caller_found_waiting_has_waited_as_long_as_the_queue_says(self) -> None:
        story = Story().calls(0).link_lost(1)
        waits = LiveVisit(leg=story.sight(WANG).leg, queue=SUPPORT, waited=timedelta(seconds=7))

        story.resynced(10, story.alive(WANG), waits=[waits])

        assert (story.now().queues, story.now().waiting_since) == ((SUPPORT,), at(3))

    def test_a_snapshot_that_says_what_is_known_changes_nothing_but_certainty(self) -> None:
        story = talking()
        story.resynced(8, story.alive(WANG), story.alive(MAY))
        before = story.now()

        story.resynced(9, story.alive(WANG), story.alive(MAY))

        assert story.now() == before

    def test_a_bridge_that_was_left_before_the_gap_is_not_left_again(self) -> None:
        story = talking().parts(9, WANG, MAY).gone(9, MAY)
        story.asks(9, WANG, BO).rang(9, BO).answered(12, BO).link_lost(15)

        for second in (20, 30):
            story.resynced(second, story.alive(WANG), story.alive(BO))
        record = story.leaves_for_good(42).gone(42, BO).over()

        assert [(t.phone.agent, t.began_at, t.ended_at) for t in record.talks] == [
            ("6001", at(5), at(9)),
            ("6002", at(12), at(42)),
        ]
        assert record.talk_ms == 34000

    def test_a_talk_that_a_snapshot_finds_over_is_over(self) -> None:
        story = talking().link_lost(9)

        story.resynced(30, story.alive(WANG, bridged=False), story.alive(MAY, bridged=False))

        assert story.now().state is not State.TALKING or story.now().talks[0].ended_at == at(30)

    def test_a_bridge_entered_again_in_the_gap_is_seen(self) -> None:
        story = talking()
        bridge = story._inside[WANG]
        story.parts(9, WANG, MAY).link_lost(10)
        story._inside |= {WANG: bridge, MAY: bridge}

        story.resynced(30, story.alive(WANG), story.alive(MAY))

        assert story.now().talks[-1].ended_at is None

    def test_a_pbx_that_was_started_anew_ends_every_call(self) -> None:
        story = talking()
        story.resynced(6, story.alive(WANG), story.alive(MAY), boot="one").link_lost(9)

        story.resynced(60, boot="two")

        assert story.live() == []
        [record] = story.records
        assert (verdict(record), record.boot, record.approximate) == (
            "answered by 6001", "one", True,
        )  # fmt: skip

    def test_after_a_start_anew_the_old_ids_may_come_again(self) -> None:
        story = talking().gone(9, MAY).gone(9, WANG).passed(12)
        story.resynced(20, boot="one").link_lost(30).resynced(60, boot="two")

        story.born(61, WU, 4, leg=story.sight(WANG).leg)

        assert len(story.live()) == 1

    def test_a_channel_of_the_old_pbx_with_a_new_ones_id_is_another_channel(self) -> None:
        story = talking()
        story.resynced(6, story.alive(WANG), story.alive(MAY), boot="one").link_lost(9)

        story.resynced(60, story.alive(WANG), boot="two")

        assert len(story.records) == 1
        assert len(story.live()) == 1
        assert story.live()[0].id != story.records[0].id

    def test_a_pbx_that_does_not_say_when_it_was_started_ends_nothing(self) -> None:
        story = talking()
        story.resynced(6, story.alive(WANG), story.alive(MAY), boot="one")

        story.resynced(60, story.alive(WANG), story.alive(MAY), boot="")

        assert len(story.live()) == 1
        assert story.book.boot == "one"

    def test_a_call_over_just_before_the_link_was_lost_is_not_touched_by_it(self) -> None:
        story = ringing().hangs_up(9, WANG).cancelled(9, MAY).gone(9, WANG)

        record = story.link_lost(9.5).passed(12).records[0]

        assert (verdict(record), record.approximate) == ("abandoned_ringing", False)

    def test_a_new_call_after_the_gap_is_exact(self) -> None:
        story = ringing().link_lost(3).resynced(20)
        story.calls(30, WU).asks(31, WU, BO).rang(31, BO).answered(33, BO, WU)

        record = story.gone(40, BO).gone(40, WU).passed(50).records[-1]

        assert (verdict(record), record.approximate) == ("answered by 6002", False)


class TestResume:
    """Another process wrote the calls down; this one goes on."""

    def after_restart(self, story: Story) -> Story:
        """The same cast at a new book that was given the evidence of the old."""
        texts = [text for call in story.book.live() if (text := story.book.evidence(call))]
        story.book = new_book()
        story.done, story.records = [], []
        story._do(story.book.resume(texts))
        return story

    def test_a_live_call_goes_on_under_its_id(self) -> None:
        story = self.after_restart(talking())
        story.resynced(20, story.alive(WANG), story.alive(MAY))

        record = story.leaves_for_good(30).gone(30, MAY).over()

        assert (record.id, verdict(record), record.talk_ms) == ("call-1", "answered by 6001", 25000)
        assert record.approximate

    def test_a_call_that_ended_meanwhile_is_closed_once(self) -> None:
        story = self.after_restart(ringing()).resynced(20).passed(30)

        assert [verdict(record) for record in story.records] == ["unobserved"]

    def test_a_call_that_was_over_and_only_waited_to_be_judged_is_judged_as_it_was(self) -> None:
        story = ringing().hangs_up(9, WANG).cancelled(9, MAY).gone(9, WANG)

        [record] = self.after_restart(story).resynced(20).passed(30).records

        assert (verdict(record), record.approximate) == ("abandoned_ringing", False)

    def test_merged_calls_are_one_after_a_restart_too(self) -> None:
        story = self.after_restart(consulting().joined(20, MAY, f"{MAY}#2", WANG, BO))

        story.named(30, f"{MAY}#2", name="May")

        assert len(story.live()) == 1

    def test_a_text_that_is_none_of_ours_is_noted_and_the_others_are_read(self) -> None:
        story = talking()
        good = story.book.evidence(story.now().id)
        assert good is not None
        book = new_book()

        done = book.resume(["", "[]", "{}", '{"id": 1}', "null", good])

        assert len(book.live()) == 1
        assert [type(effect) for effect in done] == [Note] * 5

    def test_the_boot_of_the_pbx_is_remembered(self) -> None:
        story = talking()
        story.resynced(6, story.alive(WANG), story.alive(MAY), boot="one")

        assert self.after_restart(story).book.boot == "one"

    def test_no_evidence_is_given_of_a_call_that_is_over(self) -> None:
        story = talking()
        call = story.now().id
        story.gone(9, MAY).gone(9, WANG).passed(20)

        assert story.book.evidence(call) is None


def test_impossible_instants_are_borne() -> None:
    story = Story().calls(0).asks(1, WANG, MAY).rang(1, MAY)
    edge = datetime.max.replace(tzinfo=UTC)

    for instant in (datetime.min.replace(tzinfo=UTC), edge):
        story.hears(Passed(at=instant))
        story.hears(HungUp(at=instant, who=story.sight(MAY), cause=1))

    assert len(story.all_over()) == 1


LEGS = [
    ("1", "PJSIP/trunk-1"), ("2", "PJSIP/6001-2"), ("3", "PJSIP/6002-3"),
    ("4", "Local/x@y-4;1"), ("5", "Local/x@y-4;2"), ("6", "PJSIP/trunk-b-6"),
]  # fmt: skip


@st.composite
def sights(draw: st.DrawFn) -> Sight:
    """Some channel, with some Linkedid."""
    leg, channel = draw(st.sampled_from(LEGS))
    linked = draw(st.sampled_from(["", *[name for name, _ in LEGS]]))
    number = draw(st.sampled_from([None, NUMBER]))
    state = draw(st.sampled_from([None, 0, 4, 5, 6]))
    return Sight(LegId(leg), linked, channel, number, None, "4000", state)


EVENTS = any_event(sights(), INSTANTS | st.none())


class TestAnything:
    """No order of events breaks a book."""

    @staticmethod
    def hear(events: Sequence[Event]) -> list[CallRecord]:
        book, records = new_book(), list[CallRecord]()
        whose = {"PJSIP/6001": "may", "PJSIP/6002": "bo"}.get
        gone = set[str]()
        for event in events:
            effects = book.hear(event)
            records += closed(effects)
            gone |= {effect.call for effect in effects if isinstance(effect, Merge)}
            for call in book.live():
                record = book.view(call)
                assert record is not None
                assert record.id not in gone
                assert book.evidence(call)
                card_states(record, agent_offers(record, whose), whose, at(30))
        return records + closed(book.settle())

    @settings(max_examples=150, deadline=None)
    @given(st.lists(EVENTS, max_size=30))
    def test_no_order_of_events_raises_or_ends_a_call_twice(self, heard: list[Event]) -> None:
        records = self.hear(heard)

        ids = [record.id for record in records]
        assert len(ids) == len(set(ids))
        for record in records:
            assert record.over
            assert record.outcome is not None
            assert all(offer.outcome is not None for offer in record.offers)
            clocks = (record.ring_ms, record.wait_ms, record.talk_ms, record.rings)
            assert all(clock is None or clock >= 0 for clock in clocks)
            assert (record.rings is None) == (record.ring_ms is None)


class TestOurOwnCalls:
    """Calls that we dial ourselves, and what our part of the dialplan says in them."""

    def dialled(self) -> Story:
        """We dial a number of the house by way of the line test's context."""
        story = Story().local(0, None, "4001")
        story.said(0.1, "4001;2", "line_test", "out").said(0.2, "4001;2", "dial", "dial")
        return story.asks(0.3, "4001;2", WANG, to="02161110000@trunk")

    def test_a_live_call_is_found_by_the_id_of_any_of_its_channels(self) -> None:
        story = self.dialled()

        call = story.now().id
        assert call == story.book.call_of(story.sight("4001;1").leg)
        assert call == story.book.call_of(story.sight(WANG).leg)
        assert story.book.call_of("cti-unknown") is None

    def test_what_became_of_the_far_end_is_known_though_it_is_no_offer(self) -> None:
        story = self.dialled().rang(1, WANG).answered(3, WANG, "4001;2")
        story.said(5, "4001;1", "line_test", "heard").gone(6, "4001;1").gone(6, "4001;2")

        record = story.gone(6, WANG).over()

        assert (record.direction, record.offers) == ("outbound", ())
        assert record.far is not None
        assert (record.far.picked_at, record.far.ring_ms) == (at(3), 2000)
        words = [(one.topic, one.word) for one in record.said]
        assert words == [("line_test", "out"), ("dial", "dial"), ("line_test", "heard")]
        assert record.purpose == "line_test"

    def test_a_far_end_that_was_busy_says_so(self) -> None:
        story = self.dialled().hangs_up(1, WANG, 17).ended(1, WANG, "BUSY").gone(1, WANG, 17)

        record = story.gone(1, "4001;2").gone(1, "4001;1").over()

        assert record.far is not None
        assert record.far.outcome == "busy"

    def test_the_words_survive_a_restart_and_count_once(self) -> None:
        story = self.dialled()
        call = story.now().id
        text = story.book.evidence(call)
        assert text is not None
        again = Story(book=new_book())
        again._do(again.book.resume([text]))

        assert [one.word for one in again.now().said] == ["out", "dial"]

    def test_a_call_without_such_words_has_no_purpose(self) -> None:
        record = Story().calls(0).said(1, WANG, "dial", "dial").gone(2, WANG).over()

        assert record.purpose is None
        assert record.far is None
