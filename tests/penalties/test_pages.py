"""What do people see of missed calls and penalties, and what may each do there?"""

import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import aiohttp
import pytest

from cti.clock import SetClock
from cti.db.engine import Database
from cti.duty.rules import DutySet, DutyState, OnDuty
from cti.house import House
from cti.penalties.record import CallFacts, LineState, OfferFact
from cti.penalties.routes import Asks, PenaltyPages
from cti.penalties.rules import Circumstances, judge
from cti.penalties.store import PenaltyStore
from cti.people.rules import Directory, Person, Role
from cti.presence.states import AgentState, Interval, Source
from tests.kit.web import BO, LIN, MAY, NOON, OU, TAM, NothingRecorded, Seat, Stage, stage

WEI = Person(id="p-wei", number="5002", name="Wei", role=Role.SUPERVISOR)
MO = Person(id="p-mo", number="7001", name="Mo", role=Role.MANAGER)
PEOPLE = (MAY, BO, LIN, WEI, MO, TAM, OU)
HOUSE = House(version="c0ffee" + "0" * 58)
HOSTILE = '<img src=x onerror=alert(1)>"=1+1'


def duty(person: Person) -> OnDuty:
    return OnDuty(
        person=person.id,
        assignment=f"a-{person.id}",
        shift="early",
        role=person.role,
        state=DutyState.STARTED,
        since=NOON - timedelta(hours=3),
        why=("clocked_in",),
    )


def missed(call: str, at: datetime, number: str | None = "13800138000") -> CallFacts:
    rang = at + timedelta(seconds=1)
    ended = at + timedelta(seconds=21)
    offer = OfferFact(
        person=MAY.id,
        agent="6001",
        devices=("PJSIP/6001",),
        began=at,
        rang_at=rang,
        ended_at=ended,
        ring_ms=20_000,
        outcome="rang_out",
    )
    return CallFacts(
        call=call,
        pbx="main",
        channel="PJSIP/trunk-1",
        legs=(("1.1", "PJSIP/trunk-1"),),
        number=number,
        caller=number or HOSTILE,
        customer=None,
        entry="booking",
        began=at,
        ended_at=ended,
        rang_at=rang,
        waited_from=at,
        waited_to=ended,
        ring_ms=20_000,
        wait_ms=21_000,
        rings=7,
        ended_by="pbx",
        stream_reason="rang_out",
        approximate=False,
        in_gap=False,
        offers=(offer,),
        recordings=(),
    )


def states(at: datetime) -> list[Interval]:
    """May is free and rings; Bo talks with another customer all the while."""
    early, late = at - timedelta(minutes=5), at + timedelta(minutes=5)
    may = (AgentState.RINGING, Source.DEVICE)
    bo = (AgentState.ON_CALL, Source.CALLS)
    return [
        Interval(person=who.id, state=state, began_at=early, ended_at=late, source=source)
        for who, (state, source) in ((MAY, may), (BO, bo))
    ]


@dataclass
class Office:
    """Pages over a real store, in which one call was missed and its lines are proposed."""

    stage: Stage
    store: PenaltyStore
    clock: SetClock
    incident: str = ""

    async def miss(
        self, call: str, at: datetime, number: str | None = "13800138000", fault: str = ""
    ) -> str:
        """Let a call be missed, and its lines be proposed."""
        now = Circumstances(
            duty=DutySet(
                at=at,
                department="",
                agents=(duty(MAY), duty(BO)),
                supervisor=duty(LIN),
                published=2,
                version="r1",
            ),
            leaving=(),
            states=states(at),
            supervisor=LIN.id,
            fault=fault,
            frozen_at=at,
        )
        facts = missed(call, at, number)
        found = await self.store.keep_missed(judge(facts, HOUSE, now), "", into=None)
        assert found is not None
        self.clock.go(timedelta(minutes=20))
        await self.store.propose(found, {})
        return found

    async def lines(self, *states: LineState) -> dict[str, str]:
        """Give each person's line of the incident as a form sends it, in these states."""
        found = await self.store.incident(self.incident)
        return {
            line.person: f"{line.id}:{line.version}"
            for line in found.lines
            if not states or line.state in states
        }

    async def state(self, person: Person) -> LineState:
        found = await self.store.incident(self.incident)
        return next(line.state for line in found.lines if line.person == person.id)


async def nothing(_some: Collection[str]) -> Mapping[str, str]:
    return {}


@pytest.fixture
async def office(sqlite_db: Database) -> AsyncIterator[Office]:
    clock, directory = SetClock(NOON), Directory(PEOPLE)
    store = PenaltyStore(sqlite_db, clock, lambda: HOUSE, lambda: directory)
    room = PenaltyPages(
        Asks(
            store=store,
            house=lambda: HOUSE,
            directory=lambda: directory,
            clock=clock,
            callbacks=nothing,
            customers=nothing,
            recordings=NothingRecorded(),
        )
    )
    async with stage(clock=clock, people=PEOPLE, rooms=[room]) as it:
        office = Office(it, store, clock)
        office.incident = await office.miss("c1", NOON)
        yield office


async def read(seat: Seat, path: str, status: int = 200, **headers: str) -> str:
    async with seat.browser.get(path, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return text


async def post(seat: Seat, path: str, status: int = 303, **fields: str) -> str:
    """Send a form; give the page, or where it leads."""
    async with seat.browser.get("/login") as page:  # leads on; any page of ours has the token
        await page.text()
    form = {**fields, "csrf": seat.csrf}
    async with seat.browser.post(path, data=form, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return answer.headers.get("Location", text)


async def test_a_missed_call_is_listed_with_who_rang_and_who_was_on_duty(office: Office) -> None:
    text = await read(await office.stage.enters(LIN), "/missed")

    for said in ("13800138000", "booking", "rang out", ">7<", "May", "on call"):
        assert said in text, said


async def test_an_auditor_sees_only_the_ends_of_a_caller_s_number(office: Office) -> None:
    ou = await office.stage.enters(OU)

    for path in ("/missed", "/missed?as=csv"):
        text = await read(ou, path)
        assert ("13800138000" in text, "138****8000" in text) == (False, True), path


async def test_a_filter_in_the_address_narrows_list_and_file_alike(office: Office) -> None:
    lin = await office.stage.enters(LIN)
    await office.miss("c2", office.clock.now(), "+8613900139000")

    text = await read(lin, "/missed?number=139%200013%209000")
    file = await read(lin, "/missed?number=13900139000&as=csv")

    assert ("13900139000" in text, "13800138000" in text) == (True, False)
    assert ("13900139000" in file, "13800138000" in file) == (True, False)


@pytest.mark.parametrize("path", ["/missed", "/review"])
async def test_a_filter_that_nothing_fits_says_so(office: Office, path: str) -> None:
    text = await read(await office.stage.enters(LIN), f"{path}?since=2020-01-01&until=2020-01-02")

    assert "fits this filter" in text


@pytest.mark.parametrize("path", ["/missed", "/review", "/statements"])
async def test_a_wrong_date_is_said_and_breaks_nothing(office: Office, path: str) -> None:
    key = "month" if path == "/statements" else "since"

    text = await read(await office.stage.enters(LIN), f"{path}?{key}=31.12.2026", 409)

    assert "This is no day that can be used." in text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/missed?since=0001-01-01", "This is no day that can be used."),
        ("/review?until=9999-12-31", "This is no day that can be used."),
        ("/statements?month=0001-01", "This is no day that can be used."),
        (f"/statements/{MAY.id}?month=9999-12", "This is no day that can be used."),
        ("/review?after=0001-01-01T00:00:00%2B23:59~a", "no longer fits"),
    ],
)
async def test_a_day_at_the_end_of_all_days_is_refused(
    office: Office, path: str, said: str
) -> None:
    assert said in await read(await office.stage.enters(LIN), path, 409)


async def test_what_a_caller_sends_stays_text(office: Office) -> None:
    await office.miss("c3", office.clock.now(), None)
    lin = await office.stage.enters(LIN)

    page = await read(lin, "/missed")
    file = await read(lin, "/missed?as=csv")

    assert "<img src=x" not in page
    assert not re.search(r'(^|,)"?[=+@-]', file.replace("\ufeff", ""), re.MULTILINE)


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
async def test_every_page_is_there_in_every_language(office: Office, locale: str) -> None:
    mo, may = await office.stage.enters(MO), await office.stage.enters(MAY)
    month = f"{NOON:%Y-%m}"

    for seat, path in [
        (mo, "/missed"),
        (mo, "/review?state=all"),
        (mo, f"/incidents/{office.incident}"),
        (mo, "/review/manual"),
        (mo, "/statements"),
        (mo, f"/statements/{MAY.id}?month={month}"),
        (mo, "/reviewers"),
        (mo, "/audit"),
        (may, "/mine/penalties"),
        (may, "/mine/statement"),
    ]:
        text = await read(seat, path, **{"Accept-Language": locale})
        assert f'<html lang="{locale}">' in text
        assert not re.search(r"\bpenalties\.[a-z_]+\.", re.sub(r"<[^>]*>", "", text)), path


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        (MAY, "/missed", 403),
        (MAY, "/review", 403),
        (MAY, "/statements", 403),
        (MAY, "/audit", 403),
        (TAM, "/missed", 403),
        (TAM, "/mine/penalties", 403),
        (LIN, "/audit", 403),
        (LIN, "/reviewers", 403),
        (OU, "/missed", 200),
        (OU, "/audit", 200),
    ],
)
async def test_every_page_asks_for_its_right(
    office: Office, who: Person, path: str, status: int
) -> None:
    await read(await office.stage.enters(who), path, status)


async def test_an_agent_sees_the_incidents_with_a_line_of_his_own_only(office: Office) -> None:
    stranger = Person(id="p-new", number="6009", name="New")
    office.stage.accounts.people[stranger.id] = stranger

    await read(await office.stage.enters(MAY), f"/incidents/{office.incident}")
    await read(await office.stage.enters(stranger), f"/incidents/{office.incident}", 403)


async def test_an_incident_that_is_not_there_is_not_found(office: Office) -> None:
    await read(await office.stage.enters(LIN), "/incidents/nothing", 404)


async def test_an_incident_shows_its_evidence_on_one_screen(office: Office) -> None:
    text = await read(await office.stage.enters(WEI), f"/incidents/{office.incident}")

    rules = f'href="/house/{HOUSE.version}"'  # those by which it was judged, not those of now
    for said in ("<svg", "PJSIP/6001", "20.0 s", "clocked in", "on call", "r1", rules):
        assert said in text, said


async def test_an_incident_names_the_fault_of_its_line(office: Office) -> None:
    wei = await office.stage.enters(WEI)
    faulty = await office.miss("c2", office.clock.now(), "+8613900139000", fault="fault-1")

    texts = [await read(wei, f"/incidents/{one}") for one in (office.incident, faulty)]

    assert [False, True] == ["during a line fault" in text for text in texts]


async def test_who_has_a_part_in_it_cannot_decide(office: Office) -> None:
    picks = await office.lines(LineState.PROPOSED)

    text = await post(
        await office.stage.enters(LIN), "/review", 409, do="approve", pick=picks[MAY.id]
    )

    assert "You have a part in this incident" in text
    assert LineState.PROPOSED == await office.state(MAY)


async def test_a_supervisor_without_a_part_approves_and_takes_it_back(office: Office) -> None:
    wei = await office.stage.enters(WEI)
    picks = await office.lines(LineState.PROPOSED)

    await post(wei, "/review", do="approve", pick=picks[MAY.id])
    approved = await office.state(MAY)
    await post(wei, "/review", do="undo", pick=(await office.lines())[MAY.id])

    assert (LineState.APPROVED, LineState.PROPOSED) == (approved, await office.state(MAY))


async def test_a_waiver_needs_a_reason_and_keeps_the_filter(office: Office) -> None:
    wei, picks = await office.stage.enters(WEI), await office.lines(LineState.PROPOSED)

    text = await post(wei, "/review", 409, do="waive", pick=picks[MAY.id])
    where = await post(
        wei, "/review?person=p-may", do="waive", pick=picks[MAY.id], reason="phone was faulty"
    )

    assert "Write a reason." in text
    assert "/review?person=p-may&done=decided" == where
    assert LineState.WAIVED == await office.state(MAY)


async def test_a_reduction_is_to_an_amount_that_can_be(office: Office) -> None:
    wei, picks = await office.stage.enters(WEI), await office.lines(LineState.PROPOSED)
    page = f"/incidents/{office.incident}"

    for amount in ("", "a lot", "99", "NaN", "-1"):
        text = await post(
            wei, page, 409, do="reduce", pick=picks[MAY.id], reason="first time", amount=amount
        )
        assert "Write an amount as 5.00" in text
        assert 'value="first time"' in text  # what was typed is kept
    await post(wei, page, do="reduce", pick=picks[MAY.id], reason="first time", amount="4.00")

    assert LineState.REDUCED == await office.state(MAY)


async def test_nothing_is_decided_unseen(office: Office) -> None:
    wei = await office.stage.enters(WEI)
    picks = await office.lines(LineState.PROPOSED)
    await post(wei, "/review", do="approve", pick=picks[MAY.id])

    text = await post(wei, "/review", 409, do="waive", pick=picks[MAY.id], reason="again")

    assert re.search("has changed meanwhile|decided this already", text)


async def test_a_forged_form_changes_nothing(office: Office) -> None:
    wei, picks = await office.stage.enters(WEI), await office.lines(LineState.PROPOSED)
    form = {"do": "approve", "pick": picks[MAY.id], "csrf": "x"}

    async with wei.browser.post("/review", data=form) as answer:
        status = answer.status

    assert (403, LineState.PROPOSED) == (status, await office.state(MAY))


async def test_an_exemption_is_lifted_with_a_reason(office: Office) -> None:
    wei = await office.stage.enters(WEI)
    pick = (await office.lines(LineState.EXEMPTED))[BO.id]

    await post(wei, f"/incidents/{office.incident}", do="lift", pick=pick, reason="he was free")

    assert LineState.PROPOSED == await office.state(BO)


async def notified(office: Office) -> None:
    """Let May's line be approved and the notice go out."""
    picks = await office.lines(LineState.PROPOSED)
    await post(await office.stage.enters(WEI), "/review", do="approve", pick=picks[MAY.id])
    office.clock.go(HOUSE.penalties.notice_after)
    await office.store.notify()


async def test_an_agent_reads_the_notice_and_appeals_once(office: Office) -> None:
    await notified(office)
    may = await office.stage.enters(MAY)
    pick = (await office.lines())[MAY.id]

    before = await read(may, "/mine/penalties")
    await post(may, "/mine/penalties", do="seen", pick=pick)
    seen = await read(may, "/mine/penalties")
    pick = (await office.lines())[MAY.id]
    await post(may, "/mine/penalties", pick=pick, text="My phone did not ring.")
    text = await post(may, "/mine/penalties", 409, pick=pick, text="My phone did not ring.")

    assert ("1 decision you have not read yet" in before, "not read yet" in seen) == (True, False)
    assert "My phone did not ring." in text  # what was typed is kept
    assert LineState.APPEALED == await office.state(MAY)


async def test_a_form_takes_as_much_text_as_is_kept(office: Office) -> None:
    await notified(office)
    may, wei = await office.stage.enters(MAY), await office.stage.enters(WEI)
    page = await read(may, "/mine/penalties")
    most = re.search(r'<textarea name="text"[^>]* maxlength="([0-9]+)"', page)
    assert most is not None
    pick = (await office.lines())[MAY.id]

    await post(may, "/mine/penalties", pick=pick, text="x" * int(most[1]))

    assert "x" * int(most[1]) in await read(wei, f"/incidents/{office.incident}")


async def test_an_agent_learns_of_a_decision_by_its_notice(office: Office) -> None:
    picks = await office.lines(LineState.PROPOSED)
    form = {"do": "reduce", "pick": picks[MAY.id], "amount": "4.00", "reason": "a new phone"}
    await post(await office.stage.enters(WEI), "/review", **form)
    may, pages = (
        await office.stage.enters(MAY),
        ("/mine/penalties", f"/incidents/{office.incident}"),
    )

    before = "".join([await read(may, page) for page in pages])
    office.clock.go(HOUSE.penalties.notice_after)
    await office.store.notify()
    after = [await read(may, page) for page in pages]

    told = ("reduced", "4.00", "a new phone")
    assert [False] * 3 == [word in before for word in told]
    assert "10.00 CNY" in before
    assert all(word in after[1] for word in told)
    assert "4.00 CNY" in after[0]


async def test_an_appeal_is_decided_by_somebody_else(office: Office) -> None:
    await notified(office)
    may, page = await office.stage.enters(MAY), f"/incidents/{office.incident}"
    await post(may, "/mine/penalties", pick=(await office.lines())[MAY.id], text="It did not ring.")
    pick = (await office.lines())[MAY.id]
    form = {"do": "appeal_overturn", "pick": pick, "reason": "the log says so"}

    refused = await post(await office.stage.enters(WEI), page, 409, **form)
    await post(await office.stage.enters(MO), page, **form)

    assert "You decided this line first" in refused
    assert LineState.OVERTURNED == await office.state(MAY)
    for path in (page, "/audit"):
        text = await read(await office.stage.enters(MO), path)
        assert ("appeal allowed" in text, "appeal_overturn<" in text) == (True, False)


async def test_nobody_appeals_for_another(office: Office) -> None:
    await notified(office)
    pick = (await office.lines())[MAY.id]

    text = await post(await office.stage.enters(BO), "/mine/penalties", 409, pick=pick, text="no")

    assert "This line is not yours." in text


@pytest.mark.parametrize("rule", ["eating_on_call", "complaint_attitude"])
async def test_a_line_is_proposed_by_hand_with_its_evidence(office: Office, rule: str) -> None:
    wei = await office.stage.enters(WEI)
    form = {"rule": rule, "person": BO.id, "day": f"{NOON:%Y-%m-%d}"}

    text = await post(wei, "/review/manual", 409, **form, evidence="")
    where = await post(wei, "/review/manual", **form, evidence="Heard on the recording.")

    assert "Write a reason." in text
    shown = await read(wei, where)
    assert "Heard on the recording." in shown
    assert "20.00 CNY" in shown


async def test_bonus_lines_come_by_hand_and_by_file_and_a_wrong_file_changes_nothing(
    office: Office,
) -> None:
    mo, month = await office.stage.enters(MO), f"{NOON:%Y-%m}"
    await post(
        mo, "/statements", month=month, do="bonus", person=MAY.id, what="orders", amount="82.40"
    )
    good = f"number,month,what,amount,note\r\n6002,{month},orders,60.00,\r\n"

    for content, status in (("number,nonsense\r\n1,2\r\n", 409), (good, 303), (good, 409)):
        form = aiohttp.FormData({"csrf": mo.csrf, "month": month, "do": "table"})
        form.add_field("file", content.encode(), filename="bonus.csv", content_type="text/csv")
        async with mo.browser.post("/statements", data=form, allow_redirects=False) as answer:
            assert answer.status == status, await answer.text()

    text = await read(mo, f"/statements?month={month}")
    assert ("82.40 CNY" in text, "60.00 CNY" in text) == (True, True)


async def test_a_bonus_form_that_is_sent_twice_enters_one_line(office: Office) -> None:
    mo, month = await office.stage.enters(MO), f"{NOON:%Y-%m}"
    form = {"do": "bonus", "person": MAY.id, "what": "orders", "amount": "82.40", "month": month}

    for once in ("f1", "f1", "f2"):
        await post(mo, "/statements", once=once, **form)

    assert "164.80 CNY" in await read(mo, f"/statements?month={month}")


async def test_a_form_that_is_sent_twice_proposes_once(office: Office) -> None:
    wei = await office.stage.enters(WEI)
    once = re.search(r'name="once" value="(\w+)"', await read(wei, "/review/manual"))
    form = {"rule": "eating_on_call", "person": BO.id, "evidence": "Heard.", "day": ""}

    sent = once[1] if once else ""
    places = [await post(wei, "/review/manual", **form, once=sent) for _ in range(2)]
    other = await post(wei, "/review/manual", **form | {"person": MAY.id}, once=sent)

    assert places[0] == places[1] != other


@pytest.mark.parametrize("locale", ["en", "zh-Hant", "zh-Hans"])
async def test_what_became_of_a_month_is_audited_in_words(office: Office, locale: str) -> None:
    mo, month = await office.stage.enters(MO), f"{NOON:%Y-%m}"
    form = {"month": month, "person": MAY.id, "what": "orders", "amount": "1.00"}
    await post(mo, "/statements", do="bonus", **form)
    office.clock.go(timedelta(days=31))
    for do in ("publish", "finalise"):
        await post(mo, "/statements", do=do, month=month)
    await post(mo, "/statements", 200, do="export", month=month)

    text = await read(mo, "/audit", **{"Accept-Language": locale})

    assert re.findall(r"statement_[a-z]+", text) == []


async def test_a_month_that_is_not_over_cannot_be_published(office: Office) -> None:
    mo = await office.stage.enters(MO)

    text = await post(mo, "/statements", 409, month=f"{NOON:%Y-%m}", do="publish")

    assert "The month is not over yet." in text


async def test_decisions_stand_in_the_audit_log_and_in_the_figures(office: Office) -> None:
    await notified(office)
    mo = await office.stage.enters(MO)

    log, figures = await read(mo, "/audit"), await read(mo, "/reviewers")

    assert "Wei" in log
    assert re.search(r"Wei.*?>1<", figures, re.DOTALL)
