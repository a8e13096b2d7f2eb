"""How long it rang, waited and talked, who ended it, and who is who: the rest of the verdict.

Rings R1 to R8, the clocks of section 9.6, and identity I6 and I7 of the call model.
"""

from dataclasses import replace
from datetime import timedelta

from cti.calls.record import EndedBy
from cti.calls.rings import RingRules
from cti.house import House
from tests.kit.story import (
    BO,
    MAY,
    MOBILE,
    WANG,
    WU,
    Story,
    at,
    offer_to,
    offers_of,
    verdict,
)
from tests.kit.tapes import HOUSE


def ringing(house: House = HOUSE) -> Story:
    """Wang calls, May's phone alerts after one second."""
    return Story(house).calls(0).asks(1, WANG, MAY).rang(1, MAY)


def ring_all(*phones: str) -> Story:
    """Wang waits in a queue and all phones alert after one second."""
    story = Story().calls(0, to="4000").joins(0.5)
    return story.asks(1, WANG, *phones).rang(1, *phones)


class TestClocks:
    """Section 9.6, and rings R1 to R8."""

    def test_ringing_begins_with_the_first_of_two_words(self) -> None:
        early = Story().calls(0).asks(1, WANG, MAY).dial_rang(1.2, MAY).rang(1.25, MAY)
        late = Story().calls(0).asks(1, WANG, MAY).rang(1.2, MAY).dial_rang(1.25, MAY)

        assert [offers_of(s.answered(5, MAY).over())[0][1] for s in (early, late)] == [3800, 3800]

    def test_a_phone_may_ring_before_its_dialling_is_told(self) -> None:
        story = Story().calls(0).born(1, MAY, 0, "1772413200.1").rang(1.1, MAY)
        record = story.dials(1.2, WANG, MAY).answered(4.1, MAY).over()

        assert offers_of(record) == [("6001", 3000, "answered")]

    def test_early_media_alone_is_ringing_from_the_dialling_on_and_approximate(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).moved(1.5, MAY).answered(5, MAY)

        assert offers_of(story.over()) == [("6001", 4000, "answered")]
        assert story.records[0].approximate

    def test_early_media_beside_ringing_is_exact(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).moved(1.1, MAY).rang(1.5, MAY)
        record = story.answered(5, MAY).leaves_for_good(9).gone(9, MAY).over()

        assert (record.ring_ms, record.approximate) == (3500, False)

    def test_a_phone_that_says_nothing_never_rang(self) -> None:
        record = Story().calls(0).asks(1, WANG, MAY).answered(5, MAY).over()

        assert offers_of(record) == [("6001", None, "answered")]
        assert (record.ring_ms, record.rings) == (None, None)

    def test_halves_of_a_local_channel_ring_for_nobody(self) -> None:
        story = Story().calls(0).joins(0.5).local(1, WANG, "may").asks(1.1, "may;2", MAY)
        story.rang(1.2, MAY).rang(1.2, "may;1").picked_up(5.2, MAY)
        story.talk(5.3, "may;2", MAY).talk(5.4, WANG, "may;1")

        record = story.leaves_for_good(9).over()

        assert offers_of(record) == [("6001", 4000, "answered")]

    def test_a_phone_that_is_dialled_anew_before_it_fell_silent_rings_on(self) -> None:
        story = ringing().ended(4, MAY, "NOANSWER").born(3, BO, 4, exten="6001")
        record = story.dials(4.01, BO, MAY).joined(4.01, WANG, BO).answered(8, MAY).over()

        assert offer_to(record).ring_ms == 7000

    def test_of_two_ends_after_a_begin_the_first_wins(self) -> None:
        story = ringing().ended(7, MAY, "NOANSWER").ended(8, MAY, "CANCEL").gone(9, MAY)

        assert offer_to(story.over()).ring_ms == 6000

    def test_a_hang_up_closes_a_phone_whose_end_was_not_told(self) -> None:
        assert offer_to(ringing().gone(7, MAY).over()).ring_ms == 6000

    def test_our_own_first_leg_is_no_offer_and_never_a_miss(self) -> None:
        story = Story().asks(0, None, MAY).rang(0, MAY).ended(20, MAY, "NOANSWER").gone(20, MAY)

        assert offers_of(story.over()) == []

    def test_our_own_first_leg_behind_a_local_channel_is_no_offer_either(self) -> None:
        story = Story().local(0, None, "may").asks(0.1, "may;2", MAY).rang(0.2, MAY)
        story.picked_up(2, MAY).talk(2, "may;2", MAY).asks(2.5, "may;1", WANG, to="139@trunk")

        record = story.rang(3, WANG).over()

        assert [agent for agent, _, _ in offers_of(record)] == ["139"]

    def test_the_customers_phone_is_what_rings_in_an_outbound_call(self) -> None:
        story = Story().asks(0, None, MAY).rang(0, MAY).picked_up(3, MAY)
        story.asks(4, MAY, WANG, to="13900139000@trunk").rang(5, WANG).answered(9, WANG, MAY)
        record = story.leaves_for_good(20, MAY).gone(20, WANG).over()

        assert (record.ring_ms, record.wait_ms, record.talk_ms) == (4000, None, 11000)
        assert (record.caller, record.dialled) == ("6001", "13900139000")
        assert verdict(record) == "answered by 6001"

    def test_a_mobile_that_the_call_is_sent_to_counts_as_a_person(self) -> None:
        story = Story().calls(0).asks(1, WANG, MOBILE, to="PJSIP/13700137000@trunk-mobile")
        record = story.rang(2, MOBILE).answered(8, MOBILE).leaves_for_good(20).over()

        assert offers_of(record) == [("13700137000", 6000, "answered")]
        assert (record.direction, verdict(record)) == ("inbound", "answered by 13700137000")

    def test_the_calls_ringing_runs_on_between_rounds(self) -> None:
        story = Story().calls(0).joins(0).asks(1, WANG, MAY).rang(1, MAY).rang_out(7, MAY)
        story.asks(12, WANG, BO).rang(12, BO).answered(15, BO)
        record = story.over()

        assert (record.ring_ms, record.rings, record.wait_ms) == (14000, 5, 15000)

    def test_an_unanswered_calls_ringing_ends_with_the_last_phone(self) -> None:
        story = ring_all(MAY).rang_out(7, MAY).hangs_up(30, WANG).abandons(30).gone(30, WANG)

        assert (story.over().ring_ms, story.records[0].wait_ms) == (6000, 29500)

    def test_waiting_begins_with_the_queue_or_the_first_phone(self) -> None:
        queue = Story().calls(0).joins(2).asks(5, WANG, MAY).rang(5, MAY).answered(9, MAY)
        phone = Story().calls(0).asks(5, WANG, MAY).rang(5, MAY).answered(9, MAY)

        assert (queue.over().wait_ms, phone.over().wait_ms) == (7000, 4000)

    def test_the_menu_is_no_waiting(self) -> None:
        record = Story().calls(0).up(0, WANG).leaves_for_good(30).over()

        assert record.wait_ms is None

    def test_talk_is_what_the_customer_and_any_person_had_together(self) -> None:
        story = ringing().answered(5, MAY).parts(15, WANG, MAY).gone(15, MAY)
        story.asks(16, WANG, BO).rang(16, BO).answered(20, BO)
        record = story.leaves_for_good(26).gone(26, BO).over()

        assert record.talk_ms == 16000
        assert [talk.phone.agent for talk in record.talks] == ["6001", "6002"]

    def test_three_who_talk_at_once_talk_once(self) -> None:
        story = ring_all(MAY, BO).picked_up(4, MAY).picked_up(4, BO)
        story.talk(5, WANG, MAY, BO, kind="conference", bridge="room")

        assert story.leaves_for_good(15).gone(15, MAY).gone(15, BO).over().talk_ms == 10000

    def test_ring_counts_are_the_houses(self) -> None:
        china = replace(HOUSE, ring=RingRules(cycle=timedelta(seconds=5)))

        record = ringing(china).answered(16, MAY).over()

        assert (record.ring_ms, record.rings) == (15000, 4)

    def test_stamps_that_step_back_never_make_less_than_no_time(self) -> None:
        record = ringing().answered(0.9994, MAY).over()

        assert record.rings in (None, 1)
        assert record.ring_ms in (None, 0)

    def test_without_stamps_there_are_outcomes_and_no_times(self) -> None:
        story = Story(stamped=False).calls(0).joins(0.5).asks(1, WANG, MAY, BO).rang(1, MAY, BO)
        story.picked_up(4, BO).cancelled(4, MAY).talk(4, WANG, BO)
        record = story.leaves_for_good(9).gone(9, BO).over()

        assert offers_of(record) == [
            ("6001", None, "answered_elsewhere"),
            ("6002", None, "answered"),
        ]
        assert (record.ring_ms, record.wait_ms, record.talk_ms, record.rings) == (None,) * 4
        assert not record.approximate


class TestEndedBy:
    """The last part of section 9.6."""

    def talking(self) -> Story:
        return ringing().answered(5, MAY)

    def test_the_customer_hung_up(self) -> None:
        record = self.talking().hangs_up(9, WANG).gone(9, WANG).gone(9, MAY).over()

        assert record.ended_by is EndedBy.CALLER

    def test_the_agent_hung_up(self) -> None:
        record = self.talking().hangs_up(9, MAY).gone(9, MAY).gone(9, WANG).over()

        assert record.ended_by is EndedBy.AGENT

    def test_the_pbx_hung_up(self) -> None:
        assert self.talking().gone(9, MAY).gone(9, WANG).over().ended_by is EndedBy.PBX

    def test_the_last_to_hang_up_ended_it(self) -> None:
        story = self.talking().hangs_up(9, MAY).hangs_up(9.4, WANG).gone(9.5, MAY).gone(9.5, WANG)

        assert story.over().ended_by is EndedBy.CALLER

    def test_who_transferred_the_call_and_left_did_not_end_it(self) -> None:
        story = self.talking().hangs_up(9, MAY).gone(9, MAY)
        story.asks(9, WANG, BO).rang(9, BO).answered(12, BO).gone(40, BO).gone(40, WANG)

        assert story.over().ended_by is EndedBy.PBX

    def test_the_customer_of_an_outbound_call_is_the_caller_too(self) -> None:
        story = Story().asks(0, None, MAY).picked_up(1, MAY).asks(2, MAY, WANG).rang(2, WANG)
        story.answered(5, WANG, MAY).leaves_for_good(9, WANG).gone(9, MAY)

        assert story.over().ended_by is EndedBy.CALLER

    def test_our_person_may_end_an_outbound_call(self) -> None:
        story = Story().asks(0, None, MAY).picked_up(1, MAY).asks(2, MAY, WANG).rang(2, WANG)
        story.answered(5, WANG, MAY).leaves_for_good(9, MAY).gone(9, WANG)

        assert story.over().ended_by is EndedBy.AGENT

    def test_an_end_that_was_not_seen_is_nobodys(self) -> None:
        assert self.talking().link_lost(9).resynced(60).over().ended_by is None


class TestWhoIsWho:
    """Identity I6 and I7."""

    def test_a_call_that_begins_on_a_trunk_is_inbound(self) -> None:
        record = ringing().over()

        assert (record.direction, record.caller, record.dialled) == (
            "inbound", "13800138000", "4001",
        )  # fmt: skip

    def test_a_colleagues_call_is_internal(self) -> None:
        story = Story().calls(0, MAY, to="6002", number="6001").asks(1, MAY, BO).rang(1, BO)
        record = story.answered(3, BO, MAY).leaves_for_good(9, MAY).over()

        assert (record.direction, record.caller, record.dialled) == ("internal", "6001", "6002")
        assert verdict(record) == "answered by 6002"
        assert record.wait_ms is None

    def test_a_colleague_who_dials_out_makes_an_outbound_call(self) -> None:
        story = Story().calls(0, MAY, to="013900139000", number="4000")
        record = story.asks(1, MAY, WU, to="PJSIP/13900139000@trunk-b").over()

        assert (record.direction, record.caller, record.dialled) == (
            "outbound", "6001", "13900139000",
        )  # fmt: skip
        assert record.caller_name is None

    def test_the_customers_number_survives_every_later_name(self) -> None:
        story = Story().calls(0, name="王小明").asks(1, WANG, MAY).rang(1, MAY).answered(2, MAY)
        record = story.named(5, WANG, name="Support", number="4000").over()

        assert (record.caller, record.caller_name) == ("13800138000", "王小明")

    def test_a_number_that_the_dialplan_finds_out_before_anybody_is_asked_counts(self) -> None:
        story = Story().calls(0, number=None).named(0.2, WANG, number="13800138000")

        assert story.asks(1, WANG, MAY).over().caller == "13800138000"

    def test_a_number_that_comes_after_the_first_dialling_is_not_the_customers(self) -> None:
        story = Story().calls(0, number=None).asks(1, WANG, MAY).rang(1, MAY).answered(2, MAY)

        assert story.named(5, WANG, number="6002").over().caller is None

    def test_a_number_that_comes_after_the_queue_is_not_the_customers(self) -> None:
        story = Story().calls(0, number=None).joins(1)

        assert story.named(5, WANG, number="4000").over().caller is None

    def test_a_withheld_number_stays_as_it_was_sent(self) -> None:
        assert Story().calls(0, number="anonymous").over().caller == "anonymous"

    def test_a_leg_whose_own_birth_was_not_seen_began_the_call_that_bears_its_name(self) -> None:
        story = Story().unseen(WANG, number="13800138000", exten="4001")
        record = story.asks(3, WANG, MAY).rang(3, MAY).over()

        assert (record.direction, record.channel, record.began) == (
            "inbound", story.sight(WANG).channel, None,
        )  # fmt: skip
        assert record.seen_at == at(3)
        assert record.approximate

    def test_files_belong_to_the_call_by_any_of_its_channels_each_once(self) -> None:
        story = ringing().recorded(1, WANG, "/a.wav").answered(5, MAY).recorded(6, MAY, "/b.wav")

        assert story.recorded(7, MAY, "/b.wav").over().recordings == ("/a.wav", "/b.wav")

    def test_queues_are_told_in_the_order_of_the_visits(self) -> None:
        story = Story().calls(0).joins(1, "sales").abandons(9, "sales").joins(10, "support")
        record = story.abandons(20, "support").gone(20, WANG).over()

        assert record.queues == ("sales", "support")
        assert [(v.queue, v.joined_at, v.left_at, v.abandoned) for v in record.visits] == [
            ("sales", at(1), at(9), True),
            ("support", at(10), at(20), True),
        ]
