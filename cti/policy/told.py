"""What do the rules say, in words? Sentences and tables in one language, for everybody to read.

Pure: the catalogue is given as two functions. `say` fills a text, `word` names a code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final

from cti.calendar import Span
from cti.house import (
    WEEKDAYS,
    Amounts,
    Caution,
    House,
    Lapse,
    MissedCallRules,
    PenaltyRule,
    WorkingDays,
)
from cti.house_visits import Node, VisitRule
from cti.results.forms import STANDARD

Say = Callable[..., str]
Word = Callable[[str, str], str]
COMING: Final = 8
"""So many coming holidays are told."""
_UNITS: Final = (
    (timedelta(days=1), "policy.unit.days"),
    (timedelta(hours=1), "policy.unit.hours"),
    (timedelta(minutes=1), "policy.unit.minutes"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One part of the rules: a heading, a table with its columns, sentences."""

    id: str
    heading: str
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def tell(house: House, today: date, say: Say, word: Word, locale: str) -> list[Told]:
    """Tell a house's rules part by part, as seen on a day; `say` and `word` speak `locale`."""
    teller = _Teller(house, say, word, locale)
    parts = [
        teller.hours(today),
        teller.ring(),
        teller.missed(),
        teller.fines(),
        teller.review(),
        teller.callbacks(),
        teller.visits(),
        teller.visit_tries(),
        teller.visit_record(),
        teller.shifts(),
        teller.swaps(),
        teller.line_tests(),
        teller.lines(),
        teller.dialing(),
        teller.departments(),
        teller.recordings(),
        teller.customers(),
    ]
    return [part for part in parts if part.lines or part.rows]


def caution_facts(caution: Caution, say: Say, word: Word) -> dict[str, Any]:
    """Give what a caution's sentence is filled with: weekdays by their names."""
    return {
        key: say("policy.comma").join(word("policy.day", one) for one in fact)
        if isinstance(fact, tuple)
        else fact
        for key, fact in caution.facts.items()
    }


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}"


class _Teller:
    """Tells one house in one language."""

    def __init__(self, house: House, say: Say, word: Word, locale: str) -> None:
        self.house, self.say, self.word, self.locale = house, say, word, locale

    # -- parts

    def hours(self, today: date) -> Told:
        """When the hotline is open, and which days are holidays."""
        hours, calendar = self.house.hours, self.house.calendar
        lines = [] if hours else [self.say("policy.hours.always")]
        coming = [day for day in sorted(calendar.holidays) if day >= today][:COMING]
        if coming:
            days = self._listed(f"{day} {calendar.holidays[day]}" for day in coming)
            lines.append(self.say("policy.hours.holidays", days=days))
        worked = [day for day in sorted(calendar.make_up_days) if day >= today][:COMING]
        if worked:
            lines.append(self.say("policy.hours.worked", days=self._listed(map(str, worked))))
        rows = [
            (self.word("policy.day", day), self._open(hours.get(day, hours.get("default", ()))))
            for day in WEEKDAYS
            if hours
        ]
        return self._part("hours", lines, ("policy.col.day", "policy.col.open"), rows)

    def ring(self) -> Told:
        """How soon a call is to be answered."""
        ring = self.house.ring
        seconds = f"{ring.cycle.total_seconds():g}"
        lines = [self.say("policy.ring.standard", n=ring.standard, seconds=seconds)]
        lines.append(
            self.say(
                "policy.ring.clock_agent"
                if ring.clock == "agent_ring"
                else "policy.ring.clock_wait"
            )
        )
        lines.append(self.say("policy.ring.apology", ring=ring.apologise_from))
        if ring.short_abandon:
            lines.append(self.say("policy.ring.short", time=self._lasts(ring.short_abandon)))
        return self._part("ring", lines)

    def missed(self) -> Told:
        """What a missed call costs whom, and when."""
        rules = self.house.penalties.missed_call
        costs = self.house.penalties.settlement != "none"
        lines = list(self._missed_costs(rules)) if costs else [self.say("policy.missed.free")]
        lines += [self.say("policy.missed.part"), *self._exemptions(rules)]
        for key, reasons in (
            ("policy.missed.no_agent", rules.no_agent_line),
            ("policy.missed.supervisor", rules.supervisor_line),
            (
                "policy.missed.understaffed",
                [
                    one
                    for one in rules.understaffed_supervisor_line
                    if one not in rules.supervisor_line
                ],
            ),
        ):
            if reasons:
                lines.append(self.say(key, reasons=self._reasons(reasons)))
        return self._part("missed", [*lines, *self._incidents(rules)])

    def _missed_costs(self, rules: MissedCallRules) -> Iterator[str]:
        by_scope = {
            "on_duty": "policy.missed.on_duty",
            "rang": "policy.missed.rang",
            "rang_free": "policy.missed.rang_free",
            "first_rung": "policy.missed.first_rung",
        }
        yield self.say(by_scope[rules.scope], **self._costs(rules.amounts))
        yield from map(self._dated, rules.dated)
        yield self.say("policy.missed.proposal")

    def _exemptions(self, rules: MissedCallRules) -> Iterator[str]:
        if not rules.exempt:
            yield self.say("policy.missed.exempt_none")
            return
        names = self._listed(self.word("policy.exempt", one) for one in rules.exempt)
        yield self.say("policy.missed.exempt", names=names)
        if "wrap_up" in rules.exempt:
            yield self.say("policy.missed.wrap_up", time=self._lasts(rules.wrap_up_limit))

    def _incidents(self, rules: MissedCallRules) -> Iterator[str]:
        if rules.merge_repeat:
            yield self.say("policy.missed.merge", time=self._lasts(rules.merge_repeat))
        else:
            yield self.say("policy.missed.merge_none")
        if rules.recovered_within:
            yield self.say("policy.missed.recovered", time=self._lasts(rules.recovered_within))
        within = self._lasts(rules.storm_within)
        yield self.say("policy.missed.storm", count=rules.storm_count, time=within)

    def fines(self) -> Told:
        """What other faults cost."""
        if self.house.penalties.settlement == "none":
            return self._part("fines", [])
        columns = ("policy.col.fault", "policy.col.proposed", "policy.col.agent")
        rows = [self._fine(rule) for rule in self.house.penalties.rules.values()]
        return self._part("fines", [], (*columns, "policy.col.supervisor", "policy.col.more"), rows)

    def _fine(self, rule: PenaltyRule) -> tuple[str, ...]:
        trigger, _, cause = rule.trigger.partition(":")
        proposed = self.word("policy.trigger", trigger)
        if cause:
            proposed = self.say(
                "policy.of_cause", name=proposed, cause=self.word("policy.cause", cause)
            )
        more = [self._dated(one) for one in rule.dated]
        if rule.consecutive_months:
            add = rule.consecutive_mode == "add"
            amount = self._amount(rule.consecutive_agent)
            key = "policy.fine.consecutive_add" if add else "policy.fine.consecutive_instead"
            more.append(self.say(key, n=rule.consecutive_months, amount=amount))
        costs = self._costs(rule.amounts)
        name = self.word("penalties.rule", rule.id)
        return name, proposed, costs["agent"], costs["supervisor"], " ".join(more)

    def review(self) -> Told:
        """How it is decided, and how one appeals."""
        rules = self.house.penalties
        if rules.settlement == "none":
            return self._part("review", [self.say("policy.review.none")])
        paid = {"bonus": "policy.review.bonus", "points": "policy.review.points"}
        stacking = {"largest": "policy.review.largest", "sum": "policy.review.sum"}
        lines = [
            self.say(paid[rules.settlement], floor=self._amount(rules.floor)),
            self.say(stacking[rules.stacking]),
            self.say("policy.review.due", time=self._lasts(rules.review_due)),
            self.say("policy.review.lapse", time=self._lasts(rules.lapse_after)),
            self.say("policy.review.notice", time=self._lasts(rules.notice_after)),
            self.say("policy.review.appeal", time=self._lasts(rules.appeal_window)),
            self.say("policy.review.own"),
        ]
        if self.house.card.single_agent_owner_decides:
            lines.append(self.say("policy.review.single"))
        return self._part("review", lines)

    def callbacks(self) -> Told:
        """When a missed caller is called back."""
        inbound, times = self.house.inbound, self.house.call_times
        modes = {
            "afternoon_only": "policy.callbacks.afternoon_only",
            "closed": "policy.callbacks.closed",
            "normal": "policy.callbacks.normal",
        }
        lines = [
            self.say("policy.callbacks.due", time=self._lasts(inbound.missed_call_callback)),
            self.say("policy.callbacks.windows", windows=self._windows(times.windows)),
            self.say(modes[times.holiday_mode]),
        ]
        if inbound.missed_call_callback_except:
            reasons = self._reasons(inbound.missed_call_callback_except)
            lines.append(self.say("policy.callbacks.none", reasons=reasons))
        return self._part("callbacks", lines)

    def visits(self) -> Told:
        """Which return visits are owed, when and by whom."""
        rules = self.house.visits
        edges = {"window_end": "policy.visits.edge_window", "exact": "policy.visits.edge_exact"}
        shared = {
            "balanced": "policy.visits.balanced",
            "owner": "policy.visits.owner",
            "by_ability": "policy.visits.by_ability",
        }
        lines = [
            self.say(edges[rules.deadline_edge]),
            self.say("policy.visits.give_up", time=self._lasts(rules.give_up_after)),
            self.say(shared[rules.allocate]),
            self.say("policy.visits.first_contact", time=self._lasts(rules.first_contact_within)),
        ]
        if not rules.rules:
            lines.append(self.say("policy.visits.none"))
        for one in rules.reminders:
            to, when = self.word("visit_staff", one.to), self._when(one.event, one.offset)
            lines.append(self.say("policy.visits.reminder", to=to, when=when))
        lines += [self._node(node) for node in rules.nodes]
        columns = ("policy.col.visit", "policy.col.from", "policy.col.until")
        rows = [self._visit(rule) for rule in rules.rules.values()]
        return self._part("visits", lines, (*columns, "policy.col.how", "policy.col.who"), rows)

    def _visit(self, rule: VisitRule) -> tuple[str, ...]:
        deadline = self.house.visits.deadline if rule.deadline is None else rule.deadline
        until = (
            self.say("policy.visits.days_later", n=deadline)
            if deadline
            else self.say("policy.visits.same_day")
        )
        name = self.say(
            "policy.of_cause",
            name=self.word("visit_rule", rule.id),
            cause=self.word("purpose", rule.purpose),
        )
        who = "policy.visits.supervisors" if rule.by else "policy.visits.agents"
        told = self.say(
            "policy.visits.coverage", who=self.say(who), percent=_percent(rule.coverage)
        )
        return name, self._begins(rule), until, self._channels(rule.channels), told

    def _begins(self, rule: VisitRule) -> str:
        if rule.every is None:
            when = self._when(rule.event, rule.offset)
            if rule.after:
                event, time = self.word("event", rule.event), self._lasts(rule.after)
                when = self.say("policy.visits.after_time", event=event, time=time)
        else:
            whom = self._population(rule.population)
            if rule.also_tiers:
                tiers = self._listed(map(self._tier, rule.also_tiers))
                whom = self.say("policy.visits.also", whom=whom, tiers=tiers)
            if rule.every.half_months:
                when = self.say("policy.visits.half_month", whom=whom)
            elif rule.every.months:
                when = self.say("policy.visits.every_months", n=rule.every.months, whom=whom)
            else:
                when = self.say("policy.visits.every_days", n=rule.every.days, whom=whom)
        if rule.at is None:
            return when
        return self.say("policy.visits.at", when=when, at=f"{rule.at:%H:%M}")

    def _when(self, event: str, offset: int) -> str:
        name = self.word("event", event)
        if not offset:
            return self.say("policy.visits.on_day", event=name)
        key = "policy.visits.after_days" if offset > 0 else "policy.visits.before_days"
        return self.say(key, n=abs(offset), event=name)

    def _population(self, population: str) -> str:
        kind, _, count = population.partition(":")
        if kind == "no_service_since":
            return self.say("policy.visits.no_service", n=int(count.removesuffix("d")))
        if kind == "top":
            return self.say("policy.visits.top", n=int(count.partition(":")[0]))
        return self.word("policy.population", population)

    def _node(self, node: Node) -> str:
        keys = {
            "operator": "policy.visits.node_operator",
            "calendar": "policy.visits.node_calendar",
        }
        name = self.word("visit_node", node.id)
        return self.say(keys[node.trigger], name=name, channels=self._channels(node.channels))

    def _channels(self, channels: Iterable[str]) -> str:
        return self._listed(self.word("policy.channel", one) for one in channels)

    def visit_tries(self) -> Told:
        """How often and when a customer is called for a visit."""
        rules, retry = self.house.visits, self.house.visits.retry
        parts = self._listed(
            self.word("daypart", name) + f" {self._window(span)}"
            for name, span in rules.dayparts.items()
        )
        modes = {
            "preview": "policy.tries.preview",
            "progressive": "policy.tries.progressive",
            "customer_first": "policy.tries.customer_first",
        }
        caps = {
            "tries": rules.max_attempts,
            "day": rules.per_customer_day,
            "gap": self._lasts(rules.min_gap),
            "week": rules.marketing_per_week,
        }
        lines = [
            self.say(modes[rules.mode], time=self._lasts(rules.progressive_after)),
            *self._abandoned(),
            self.say("policy.tries.dayparts", parts=parts),
            self.say("policy.tries.caps", **caps),
            self.say(
                "policy.tries.busy",
                time=self._lasts(retry.busy_after),
                n=retry.busy_same_daypart,
            ),
            self.say(
                "policy.tries.no_answer_other"
                if retry.no_answer_other_daypart
                else "policy.tries.no_answer_same"
            ),
        ]
        if rules.same_day_retry:
            lines.append(self.say("policy.tries.same_day", at=f"{rules.end_of_day:%H:%M}"))
        lines += self._later_tries()
        return self._part("visit_tries", lines)

    def _abandoned(self) -> Iterator[str]:
        """What is done about customers who pick up and meet nobody: only where that can be."""
        rules = self.house.visits.abandoned
        if self.house.visits.mode != "customer_first":
            return
        spans = {"within": rules.within, "rest": rules.rest, "window": rules.window}
        lasts = {name: self._lasts(span) for name, span in spans.items()}
        yield self.say("policy.tries.abandoned", percent=_percent(rules.cap), **lasts)

    def _later_tries(self) -> Iterator[str]:
        rules, retry = self.house.visits, self.house.visits.retry
        failed = {"time": self._lasts(retry.failed_after), "n": retry.failed_per_day}
        yield self.say("policy.tries.failed", **failed)
        how = self.say("policy.tries.by_other") if retry.refused_other_agent else ""
        how += self.say("policy.tries.other_part") if retry.refused_other_daypart else ""
        refused = {"time": self._lasts(retry.refused_min_gap), "n": retry.refused_max}
        yield self.say("policy.tries.refused", how=how, **refused)
        yield self.say("policy.tries.any_agent", n=rules.any_agent_from_attempt)
        kept, fallback = rules.appointment_tolerance, rules.owner_fallback
        times = {"time": self._lasts(kept), "fallback": self._lasts(fallback)}
        yield self.say("policy.tries.appointment", **times)
        if rules.merchant_quiet:
            windows = self._windows(rules.merchant_quiet)
            yield self.say("policy.tries.merchants", windows=windows)
        if rules.fallback_channels:
            channels = self._channels(rules.fallback_channels)
            yield self.say("policy.tries.fallback", channels=channels)

    def visit_record(self) -> Told:
        """What is written down of a visit, and how many are owed."""
        rules, quota = self.house.visits, self.house.visits.quota
        fields = self._listed(
            STANDARD[one].labels[self.say("policy.language")] if one in STANDARD else one
            for one in rules.required
        )
        lines = [
            self.say("policy.record.talk", time=self._lasts(rules.min_talk)),
            self.say("policy.record.questions", n=rules.max_questions),
            self.say("policy.record.members", percent=_percent(rules.member_coverage)),
        ]
        if fields:
            lines.insert(0, self.say("policy.record.required", fields=fields))
        if quota.per_week or quota.per_month:
            facts = {"week": quota.per_week, "month": quota.per_month, "day": quota.count_on_day}
            whom = self.word("policy.population", quota.population)
            lines.append(self.say("policy.record.quota", whom=whom, **facts))
        return self._part("visit_record", lines)

    def shifts(self) -> Told:
        """Who works when, and what is asked on duty."""
        rules = self.house.shifts
        lines = []
        if rules.arrive_before:
            lines.append(self.say("policy.shifts.arrive", time=self._lasts(rules.arrive_before)))
        if rules.min_staff and rules.meal_windows:
            meals = self._windows(rules.meal_windows)
            lines.append(self.say("policy.shifts.meals", n=rules.min_staff, windows=meals))
        if rules.stay_until_relieved and any(one.relieved_by for one in rules.types.values()):
            lines.append(self.say("policy.shifts.stay"))
        if rules.leave_post_needs_approval:
            lines.append(self.say("policy.shifts.leave_post"))
        if rules.chat_seats:
            lines.append(self.say("policy.shifts.chat", n=rules.chat_seats))
        if rules.cleaning_daily:
            shift = self._shift(rules.cleaning_daily)
            lines.append(self.say("policy.shifts.clean_daily", shift=shift))
        if rules.cleaning_weekly:
            day = self.word("policy.day", rules.cleaning_weekly)
            lines.append(self.say("policy.shifts.clean_weekly", day=day))
        columns = ("policy.col.shift", "policy.col.time", "policy.col.relieved")
        rows = [
            (self._shift(one.id), self._window((one.start, one.end)), self._shift(one.relieved_by))
            for one in rules.types.values()
        ]
        return self._part("shifts", lines, columns, rows)

    def swaps(self) -> Told:
        """How shifts are swapped."""
        rules = self.house.shifts
        if not rules.swaps_per_month:
            return self._part("swaps", [self.say("policy.swaps.none")])
        absence = rules.leave_on_swapped == "absence"
        return self._part(
            "swaps",
            [
                self.say("policy.swaps.month", n=rules.swaps_per_month),
                self.say("policy.swaps.agreed"),
                self.say(
                    "policy.swaps.holidays"
                    if rules.swap_on_holidays
                    else "policy.swaps.no_holidays"
                ),
                self.say("policy.swaps.absence" if absence else "policy.swaps.leave"),
            ],
        )

    def line_tests(self) -> Told:
        """When the lines are tested, and what a fault asks."""
        rules = self.house.line_test
        kind = "policy.line_test.automatic" if rules.automatic else "policy.line_test.by_hand"
        lines = [
            self.say(kind),
            self.say("policy.line_test.arrive", time=self._lasts(rules.arrive_within)),
            self.say("policy.line_test.detect", time=self._lasts(rules.detection_limit)),
        ]
        contacts = self._listed(
            self.word("policy.contact", role) + f" {number}"
            for role, number in rules.contacts.items()
            if number
        )
        if contacts:
            lines.append(self.say("policy.line_test.contacts", contacts=contacts))
        lines.append(self.say("policy.line_test.bill", day=rules.bill_reminder_day))
        columns = ("policy.col.shift", "policy.col.by")
        rows = [(self._shift(one.shift), f"{one.by:%H:%M}") for one in rules.tests]
        return self._part("line_test", lines, columns, rows)

    def lines(self) -> Told:
        """Which numbers are tested."""
        rows = [(one.dial, one.trunk, one.arrives_at) for one in self.house.line_test.lines]
        columns = ("policy.col.number", "policy.col.trunk", "policy.col.arrives")
        return self._part("lines", [] if rows else [self.say("policy.lines.none")], columns, rows)

    def dialing(self) -> Told:
        """What holds for every call that goes out."""
        rules = self.house.dialing
        lines = []
        if rules.trunks:
            lines.append(self.say("policy.dialing.trunks", trunks=self._listed(rules.trunks)))
        if rules.caller_id:
            lines.append(self.say("policy.dialing.caller_id", number=rules.caller_id))
        prefixes = self._listed(rules.prefixes)
        lines += [
            self.say("policy.dialing.ring_for", time=self._lasts(rules.ring_for)),
            self.say(
                "policy.dialing.limits",
                minute=rules.per_minute,
                number=rules.per_number_day,
                agent=rules.per_agent_hour,
            ),
            self.say("policy.dialing.prefixes", prefixes=prefixes)
            if prefixes
            else self.say("policy.dialing.own_country", country=self.house.card.country),
        ]
        if rules.pause_when_waiting:
            lines.append(self.say("policy.dialing.waiting", n=rules.pause_when_waiting))
        pause = self._lasts(rules.breaker_pause)
        lines.append(self.say("policy.dialing.breaker", count=rules.breaker_failed, time=pause))
        return self._part("dialing", lines)

    def departments(self) -> Told:
        """Which department serves which entry."""
        rows = list(self.house.inbound.departments.items())
        lines = [] if rows else [self.say("policy.departments.all")]
        return self._part("departments", lines, ("policy.col.entry", "policy.col.department"), rows)

    def recordings(self) -> Told:
        """Which calls are recorded, who hears and pauses, and how long it is kept (REC-01, 08)."""
        rules = self.house.recordings
        kept = self._lasts(rules.retention)
        lines = [self._recorded(), self.say("policy.recordings.kept", time=kept)]
        for family, some in (
            ("recording_purpose", rules.retention_purposes),
            ("", rules.retention_tiers),
        ):
            for name, lapse in some.items():
                key = "purpose" if family else "tier"
                what = self.word(family, name) if family else self._tier(name)
                lines.append(
                    self.say(f"policy.recordings.{key}", what=what, time=self._lasts(lapse))
                )
        if rules.announce:
            lines.append(self.say("policy.recordings.announce"))
        lines.append(
            self.say("policy.recordings.own" if rules.agents_listen else "policy.recordings.none")
        )
        for key, roles in (("download", rules.download), ("pause", rules.pause_by)):
            if roles:
                named = self._listed(self.word("role", one) for one in roles)
                longest = self._lasts(rules.pause_longest)
                lines.append(self.say(f"policy.recordings.{key}", roles=named, time=longest))
        if rules.opus:
            lines.append(self.say("policy.recordings.opus", time=self._lasts(rules.original_kept)))
        return self._part("recordings", lines)

    def _recorded(self) -> str:
        rules = self.house.recordings
        if not rules.required or not rules.directions:
            return self.say("policy.recordings.not_required")
        which = self._listed(self.word("recording_purpose", one) for one in rules.directions)
        return self.say("policy.recordings.required", which=which)

    # -- pieces

    def customers(self) -> Told:
        """Which tiers and care flags there are, and who sees numbers whole."""
        rules = self.house.customers
        lines = list[str]()
        if rules.tiers:
            names = self._listed(map(self._tier, rules.tiers))
            lines.append(self.say("policy.customers.tiers", tiers=names))
        if rules.care_flags:
            flags = self._listed(self.word("care", one) for one in rules.care_flags)
            lines.append(self.say("policy.customers.care", flags=flags))
        masks = rules.mask_numbers
        lines.append(self.say("policy.customers.masked" if masks else "policy.customers.whole"))
        return self._part("customers", lines)

    def _part(
        self,
        name: str,
        lines: Sequence[str],
        columns: Sequence[str] = (),
        rows: Sequence[Sequence[str]] = (),
    ) -> Told:
        heading = self.word("policy.part", name)
        heads = [self.say(one) for one in columns]
        return Told(id=name, heading=heading, lines=lines, columns=heads, rows=rows)

    def _costs(self, amounts: Amounts) -> Mapping[str, str]:
        return {
            "agent": self._amount(amounts.agent),
            "supervisor": self._amount(amounts.supervisor),
        }

    def _amount(self, amount: Any) -> str:
        if self.house.penalties.settlement == "points":
            return self.say("policy.points", amount=amount)
        return f"{amount}\N{NO-BREAK SPACE}{self.house.card.currency}"

    def _dated(self, one: Amounts) -> str:
        costs = self._costs(one)
        if one.since and one.until:
            return self.say("policy.dated.both", since=one.since, until=one.until, **costs)
        if one.since:
            return self.say("policy.dated.since", since=one.since, **costs)
        return self.say("policy.dated.until", until=one.until, **costs)

    def _reasons(self, reasons: Iterable[str]) -> str:
        return self._listed(self.word("reason", one) for one in reasons)

    def _shift(self, shift: str) -> str:
        return self.word("duty_shift", shift)

    def _open(self, spans: Sequence[Span]) -> str:
        return self._windows(spans) if spans else self.say("policy.hours.closed")

    def _windows(self, spans: Iterable[Span]) -> str:
        return self._listed(map(self._window, spans))

    def _window(self, span: Span) -> str:
        start, end = span
        return f"{start:%H:%M}–{'24:00' if end == time() else f'{end:%H:%M}'}"

    def _tier(self, tier: str) -> str:
        return self.house.customers.name_of(tier, self.locale)

    def _listed(self, words: Iterable[str]) -> str:
        return self.say("policy.comma").join(words)

    def _lasts(self, lapse: Lapse) -> str:
        """Write a length of time in its largest whole unit."""
        if isinstance(lapse, WorkingDays):
            return self.say("policy.unit.working_days", n=lapse.days)
        for unit, key in _UNITS:
            if lapse and lapse % unit == timedelta():
                return self.say(key, n=lapse // unit)
        seconds = lapse.total_seconds()
        return self.say("policy.unit.seconds", n=int(seconds) if seconds % 1 == 0 else seconds)
