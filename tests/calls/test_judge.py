"""What became of each phone that was asked, and of the call: every line of the two tables.

The tables are 9.4 and 9.5 of the call model; the tests stand in their order.
"""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from cti.calls.record import Outcome, Reason
from cti.calls.rings import RingRules
from cti.house import House
from cti.pbx.events import AgentCompleted, AgentConnected, AgentRangOut
from tests.kit.story import (
    BO,
    LIN,
    MAY,
    WANG,
    Story,
    offers_of,
    outcome_of,
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


class TestOffer:
    """Table 9.4: the first that fits."""

    def test_who_is_connected_with_the_customer_has_answered(self) -> None:
        record = ringing().answered(5, MAY).leaves_for_good(9).gone(9, MAY).over()

        assert offers_of(record) == [("6001", 4000, "answered")]

    def test_a_phone_picked_up_but_never_connected_has_not_answered(self) -> None:
        record = ringing().picked_up(5, MAY).leaves_for_good(5.1).gone(5.1, MAY).over()

        assert outcome_of(record) == "caller_gave_up"
        assert verdict(record) == "short_abandon"

    def test_a_call_that_a_colleague_picks_up_is_not_the_phones_fault(self) -> None:
        story = ringing().born(4, BO, 4, exten="*8")
        story.picks_up(4.1, BO, MAY).up(4.1, BO).cancelled(4.1, MAY).dials(4.1, WANG, BO)
        record = story.ended(4.2, BO, "ANSWER").talk(4.2, WANG, BO).leaves_for_good(9).over()

        assert outcome_of(record, "6001") == "picked_up_by_other"
        assert outcome_of(record, "6002") == "answered"
        assert verdict(record) == "answered by 6002"

    def test_a_pickup_whose_own_event_was_lost_is_told_by_the_dialling_that_follows(self) -> None:
        story = ringing().born(4, BO, 4, exten="*8").cancelled(4.1, MAY).dials(4.1, WANG, BO)
        record = story.up(4.1, BO).talk(4.2, WANG, BO).leaves_for_good(9).over()

        assert outcome_of(record, "6001") == "picked_up_by_other"

    def test_a_phone_that_sends_the_call_on_has_forwarded_it(self) -> None:
        story = ringing().ended(2, MAY, "CANCEL", forward="Local/6002@agents").gone(2, MAY)
        record = story.asks(2, WANG, BO).rang(2, BO).answered(4, BO).leaves_for_good(9).over()

        assert outcome_of(record, "6001") == "forwarded"
        assert outcome_of(record, "6002") == "answered"

    def test_nobody_missed_a_call_that_a_colleague_took(self) -> None:
        story = ring_all(MAY, BO).picked_up(4, BO).cancelled(4.01, MAY).talk(4.02, WANG, BO)
        record = story.leaves_for_good(9).gone(9, BO).over()

        assert offers_of(record) == [
            ("6001", 3010, "answered_elsewhere"),
            ("6002", 3000, "answered"),
        ]

    def test_the_second_of_two_who_pick_up_at_once_has_lost_the_race(self) -> None:
        story = ring_all(MAY, BO).picked_up(4, BO).up(4.01, MAY).cancelled(4.02, MAY)
        record = story.talk(4.05, WANG, BO).leaves_for_good(9).gone(9, BO).over()

        assert outcome_of(record, "6001") == "answered_elsewhere"
        assert verdict(record) == "answered by 6002"

    def test_who_let_it_ring_out_before_a_colleague_was_asked_has_let_it_ring_out(self) -> None:
        story = Story().calls(0).joins(0).asks(1, WANG, MAY).rang(1, MAY).rang_out(7, MAY)
        story.asks(9, WANG, BO).rang(9, BO).answered(10, BO)
        record = story.leaves_for_good(20).gone(20, BO).over()

        assert outcome_of(record, "6001") == "rang_out"

    def test_a_phone_that_never_rang_and_says_busy_was_busy(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).ended(1.1, MAY, "BUSY").gone(1.1, MAY, 17)

        assert outcome_of(story.gone(1.2, WANG).over()) == "busy"

    def test_in_a_queue_a_busy_phone_is_told_by_its_own_hang_up(self) -> None:
        story = Story().calls(0).joins(0).asks(1, WANG, MAY).hangs_up(1.1, MAY, 17)
        story.agent(1.1, AgentRangOut, MAY).ended(1.1, MAY, "NOANSWER").gone(1.1, MAY, 17)

        assert outcome_of(story.leaves_for_good(30).over()) == "busy"

    def test_a_phone_that_hangs_up_as_declined_has_rejected(self) -> None:
        story = ringing().hangs_up(3, MAY, 21).ended(3, MAY, "NOANSWER").gone(3, MAY, 21)

        assert outcome_of(story.gone(3.1, WANG).over()) == "rejected"

    def test_a_declined_call_needs_no_ring_to_be_rejected(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).hangs_up(1.1, MAY, 21)
        story.ended(1.1, MAY, "NOANSWER").gone(1.1, MAY, 21)

        assert outcome_of(story.gone(1.2, WANG).over()) == "rejected"

    def test_a_phone_that_rang_and_then_says_busy_has_rejected(self) -> None:
        story = ringing().ended(3, MAY, "BUSY").gone(3, MAY, 17)

        assert outcome_of(story.gone(3.1, WANG).over()) == "rejected"

    def test_a_decline_key_that_sends_busy_in_a_queue_has_rejected(self) -> None:
        story = ring_all(MAY).hangs_up(3, MAY, 17).agent(3, AgentRangOut, MAY)
        story.ended(3, MAY, "NOANSWER").gone(3, MAY, 17)

        assert outcome_of(story.leaves_for_good(30).over()) == "rejected"

    @pytest.mark.parametrize("cause", [17, 21])
    def test_the_cause_on_a_cancelled_phone_is_not_the_phones(self, cause: int) -> None:
        story = ringing().hangs_up(3, WANG, cause).cancelled(3, MAY, cause=cause)

        assert outcome_of(story.gone(3.01, WANG, cause).over()) == "caller_gave_up"

    @pytest.mark.parametrize("cause", [16, 17, 21])
    def test_a_phone_that_hangs_up_as_it_is_let_go_has_rejected_nothing(self, cause: int) -> None:
        story = ringing().hangs_up(3, WANG).hangs_up(3, MAY, cause).cancelled(3, MAY, cause=cause)

        assert outcome_of(story.gone(3.01, WANG).over()) == "caller_gave_up"

    def test_the_caller_gave_up_when_he_hung_up_before_the_phone_was_let_go(self) -> None:
        story = ringing().hangs_up(4, WANG).cancelled(4.0001, MAY).gone(4.01, WANG)

        assert outcome_of(story.over()) == "caller_gave_up"

    def test_the_caller_gave_up_when_his_hang_up_is_told_after(self) -> None:
        story = ringing().cancelled(4, MAY).leaves_for_good(4.5)

        assert outcome_of(story.over()) == "caller_gave_up"

    def test_the_caller_gave_up_when_the_queue_says_so(self) -> None:
        story = ring_all(MAY, BO).hangs_up(4, WANG).cancelled(4, MAY, BO).abandons(4.01)

        record = story.gone(4.02, WANG).over()

        assert [outcome for _, _, outcome in offers_of(record)] == ["caller_gave_up"] * 2

    def test_a_hang_up_without_a_word_about_dialling_is_enough(self) -> None:
        story = ringing().hangs_up(4, WANG).gone(4, MAY, 19).gone(4, WANG)

        assert outcome_of(story.over()) == "caller_gave_up"

    def test_a_phone_let_go_long_before_the_caller_left_was_not_given_up_by_him(self) -> None:
        story = ringing().cancelled(4, MAY).leaves_for_good(30)

        assert outcome_of(story.over()) == "withdrawn"

    def test_what_we_hang_up_ourselves_is_withdrawn(self) -> None:
        story = Story().asks(0, None, MAY).rang(0, MAY).picked_up(1, MAY).asks(2, MAY, WANG)
        story.rang(2, WANG).torn_down(9, MAY).cancelled(9, WANG).gone(9, MAY)

        assert outcome_of(story.over(), "trunk") == "withdrawn"

    def test_a_caller_torn_down_by_us_gave_nothing_up(self) -> None:
        story = ringing().torn_down(4, WANG).cancelled(4, MAY).gone(4, WANG)

        assert outcome_of(story.over()) == "withdrawn"

    def test_a_caller_sent_elsewhere_took_the_call_from_the_phone(self) -> None:
        story = ringing().cancelled(4, MAY).asks(4.5, WANG, BO).rang(4.5, BO).answered(6, BO)

        assert outcome_of(story.leaves_for_good(40).over(), "6001") == "withdrawn"

    @pytest.mark.parametrize("status", ["CHANUNAVAIL", "CONGESTION", "NOANSWER"])
    def test_a_phone_that_never_rang_could_not_be_reached(self, status: str) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).ended(1.1, MAY, status).gone(1.1, MAY, 20)

        assert outcome_of(story.gone(1.2, WANG).over()) == "unreachable"

    @pytest.mark.parametrize("cause", [3, 18, 20, 27, 34])
    def test_a_cause_of_the_network_is_enough_where_no_end_was_told(self, cause: int) -> None:
        story = Story().calls(0).asks(1, WANG, MAY).gone(1.1, MAY, cause)

        assert outcome_of(story.gone(40, WANG).over()) == "unreachable"

    def test_a_phone_that_rang_to_the_end_rang_out(self) -> None:
        story = ringing().ended(21, MAY, "NOANSWER").gone(21, MAY, 0)

        assert offers_of(story.gone(21.1, WANG).over()) == [("6001", 20000, "rang_out")]

    def test_of_a_queues_two_ends_the_first_counts(self) -> None:
        story = ring_all(MAY).agent(7, AgentRangOut, MAY).ended(7, MAY, "NOANSWER")
        story.ended(7.5, MAY, "CANCEL").gone(7.5, MAY, 0)

        assert offers_of(story.leaves_for_good(8).over()) == [("6001", 6000, "rang_out")]

    def test_a_queues_word_is_enough_for_a_phone_whose_end_was_not_told(self) -> None:
        story = ring_all(MAY).agent(7, AgentRangOut, MAY).gone(7.5, MAY, 0)

        assert outcome_of(story.leaves_for_good(30).over()) == "rang_out"

    def test_what_ended_unseen_is_unknown(self) -> None:
        story = ringing().link_lost(3).resynced(90)

        assert outcome_of(story.over()) == "unknown"

    def test_what_still_rings_at_the_end_of_a_stream_is_unknown(self) -> None:
        assert outcome_of(ringing().over()) == "unknown"

    def test_a_phone_that_rings_has_no_outcome_yet(self) -> None:
        assert outcome_of(ringing().now()) is None

    def test_each_round_of_ringing_is_an_offer_of_its_own(self) -> None:
        story = Story().calls(0).joins(0)
        for start in (1, 12, 23):
            story.asks(start, WANG, MAY).rang(start, MAY).rang_out(start + 6, MAY)

        record = story.abandons(29).gone(29.1, WANG).over()

        assert offers_of(record) == [("6001", 6000, "rang_out")] * 3


class TestReason:
    """Table 9.5: the first that fits."""

    def test_the_link_was_down_while_the_outcome_was_open(self) -> None:
        record = ringing().link_lost(3).resynced(90).over()

        assert verdict(record) == "unobserved"

    def test_a_stream_that_ends_inside_the_call_saw_no_outcome(self) -> None:
        assert verdict(ringing().over()) == "unobserved"

    def test_a_stream_that_begins_inside_the_call_saw_no_outcome(self) -> None:
        story = Story().unseen(WANG).leaves_for_good(5)

        assert verdict(story.over()) == "unobserved"

    def test_a_customer_torn_down_by_the_network_is_a_fault_of_the_line(self) -> None:
        story = ringing().gone(4, WANG, 38).cancelled(4.01, MAY)

        assert verdict(story.over()) == "pbx_fault"

    def test_a_pbx_that_stops_takes_the_blame_for_what_it_cut(self) -> None:
        story = ringing().shuts_down(4).cancelled(4, MAY).gone(4, WANG, 0).torn_down(4, WANG)

        assert verdict(story.over()) == "pbx_fault"

    def test_three_phones_that_cannot_be_reached_are_a_fault_of_the_pbx(self) -> None:
        story = Story().calls(0).joins(0)
        for phone in (MAY, BO, LIN):
            story.asks(1, WANG, phone).ended(1.1, phone, "CHANUNAVAIL").gone(1.1, phone, 20)

        assert verdict(story.leaves_for_good(30).over()) == "pbx_fault"

    def test_one_phone_that_is_tried_three_times_is_no_fault_of_the_pbx(self) -> None:
        story = Story().calls(0).joins(0)
        for second in (1, 6, 11):
            story.asks(second, WANG, MAY).ended(second, MAY, "CHANUNAVAIL").gone(second, MAY, 20)

        assert verdict(story.leaves_for_good(30).over()) == "not_offered"

    def test_a_call_outside_the_opening_hours(self) -> None:
        closed = replace(HOUSE, hours={"default": ((time(10), time(18)),)})

        assert verdict(ringing(closed).leaves_for_good(8).gone(8, MAY).over()) == "out_of_hours"

    def test_a_call_within_the_opening_hours(self) -> None:
        open_ = replace(HOUSE, hours={"default": ((time(9), time(18)),)})

        record = ringing(open_).leaves_for_good(8).cancelled(8, MAY).over()

        assert verdict(record) == "abandoned_ringing"

    @pytest.mark.parametrize("who_ends", ["caller", "pbx"])
    def test_a_call_that_ends_in_the_menu(self, who_ends: str) -> None:
        story = Story().calls(0).up(0, WANG)
        if who_ends == "caller":
            story.hangs_up(20, WANG)

        assert verdict(story.gone(20, WANG).over()) == "ivr_abandon"

    def test_who_leaves_before_five_seconds_of_ringing_left_too_soon(self) -> None:
        record = ringing().hangs_up(5.9, WANG).cancelled(5.9, MAY).gone(5.9, WANG).over()

        assert (record.ring_ms, verdict(record)) == (4900, "short_abandon")

    def test_who_waits_five_seconds_waited_long_enough(self) -> None:
        record = ringing().hangs_up(6, WANG).cancelled(6, MAY).gone(6, WANG).over()

        assert (record.ring_ms, verdict(record)) == (5000, "abandoned_ringing")

    def test_where_nothing_rang_the_waiting_counts(self) -> None:
        story = Story().calls(0).joins(1).hangs_up(5.5, WANG).abandons(5.5).gone(5.5, WANG)

        assert (story.over().wait_ms, verdict(story.records[0])) == (4500, "short_abandon")

    def test_the_house_says_how_short_is_too_short(self) -> None:
        never = replace(HOUSE, ring=RingRules(short_abandon=timedelta()))

        record = ringing(never).hangs_up(2, WANG).cancelled(2, MAY).gone(2, WANG).over()

        assert verdict(record) == "abandoned_ringing"

    def test_a_pbx_that_ends_a_short_call_leaves_no_short_abandon(self) -> None:
        record = ringing().ended(3, MAY, "NOANSWER").gone(3, MAY, 0).gone(3.1, WANG).over()

        assert verdict(record) == "rang_out"

    def test_every_phone_asked_was_busy(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY, BO)
        for phone in (MAY, BO):
            story.ended(1.1, phone, "BUSY").gone(1.1, phone, 17)

        assert verdict(story.gone(7, WANG).over()) == "all_busy"

    def test_one_busy_phone_among_others_is_not_all(self) -> None:
        story = Story().calls(0).asks(1, WANG, MAY, BO).ended(1.1, MAY, "BUSY").gone(1.1, MAY, 17)
        story.rang(1, BO).ended(21, BO, "NOANSWER").gone(21, BO)

        assert verdict(story.gone(21.1, WANG).over()) == "rang_out"

    def test_an_offer_was_rejected(self) -> None:
        story = ring_all(MAY, BO).hangs_up(3, MAY, 21).ended(3, MAY, "NOANSWER").gone(3, MAY, 21)
        story.rang_out(21, BO).abandons(21.1).gone(21.2, WANG)

        assert verdict(story.over()) == "rejected"

    def test_the_pbx_ended_the_waiting_after_a_phone_had_rung_out(self) -> None:
        story = ring_all(MAY).rang_out(21, MAY).abandons(21.1).gone(21.2, WANG)

        assert verdict(story.over()) == "rang_out"

    def test_the_caller_left_while_a_phone_rang(self) -> None:
        record = ringing().hangs_up(9, WANG).cancelled(9, MAY).gone(9, WANG).over()

        assert verdict(record) == "abandoned_ringing"

    def test_the_caller_left_after_a_phone_had_rung(self) -> None:
        story = ring_all(MAY).rang_out(7, MAY).hangs_up(15, WANG).abandons(15).gone(15, WANG)

        assert verdict(story.over()) == "abandoned_ringing"

    def test_a_caller_who_waits_while_no_phone_rings_was_never_offered(self) -> None:
        story = Story().calls(0).joins(1).hangs_up(60, WANG).abandons(60).gone(60, WANG)

        assert verdict(story.over()) == "not_offered"

    def test_a_queue_that_gives_up_without_ringing_never_offered(self) -> None:
        story = Story().calls(0).joins(1).abandons(31).gone(31.1, WANG)

        assert verdict(story.over()) == "not_offered"

    def test_a_phone_that_rang_and_was_taken_back_by_the_pbx_rang_out(self) -> None:
        story = ringing().cancelled(9, MAY).torn_down(40, WANG).gone(40, WANG)

        assert verdict(story.over()) == "rang_out"

    @pytest.mark.parametrize("caller", [MAY, BO])
    def test_an_internal_call_that_nobody_took_is_missed_without_a_reason(
        self, caller: str
    ) -> None:
        story = Story().calls(0, caller, to="6003", number="6001").asks(1, caller, LIN)
        record = story.rang(1, LIN).leaves_for_good(9, caller).cancelled(9, LIN).over()

        assert (record.outcome, record.reason) == (Outcome.MISSED, None)

    def test_an_outbound_call_that_nobody_took_is_missed_without_a_reason(self) -> None:
        story = Story().calls(0, MAY, to="13900139000", number="6001").asks(1, MAY, WANG)
        record = story.rang(1, WANG).leaves_for_good(9, MAY).cancelled(9, WANG).over()

        assert (record.outcome, record.reason) == (Outcome.MISSED, None)

    def test_a_live_call_has_neither_outcome_nor_reason(self) -> None:
        record = ringing().now()

        assert (record.outcome, record.reason, record.ended_by) == (None, None, None)

    def test_a_call_that_was_answered_needs_no_reason_however_it_ends(self) -> None:
        story = ringing().answered(5, MAY).shuts_down(9).gone(9, WANG, 38)

        assert (verdict(story.over()), story.records[0].reason) == ("answered by 6001", None)

    @pytest.mark.parametrize("what", [AgentConnected, AgentCompleted])
    def test_a_queues_word_is_enough_for_a_call_seen_in_part(self, what: type) -> None:
        story = Story().unseen(WANG).unseen(MAY, "1772413200.1")
        facts = {"reason": "caller"} if what is AgentCompleted else {}
        record = story.agent(3, what, MAY, **facts).gone(9, WANG).gone(9, MAY).over()

        assert verdict(record) == "answered by 6001"
        assert record.approximate
        assert record.reason is None


def test_every_reason_that_the_stream_can_show_is_tested() -> None:
    told = {reason.value for reason in Reason}

    assert told == {
        "unobserved", "pbx_fault", "out_of_hours", "ivr_abandon", "short_abandon", "all_busy",
        "rejected", "rang_out", "abandoned_ringing", "not_offered",
    }  # fmt: skip
