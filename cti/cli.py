"""The command line. Each command loads what it needs by itself, so that `--help` is quick.

Exit codes: 0 done; 1 done in part (what was not is told); 2 not done, and why.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from cti import __version__
from cti.errors import ConfigError, CtiError, Refused

if TYPE_CHECKING:
    from cti.customers.store import CustomerStore
    from cti.db.engine import Database
    from cti.house import House
    from cti.machines.store import MachineStore
    from cti.people.rules import Device, Person
    from cti.people.store import PeopleStore
    from cti.settings import Settings
    from recordings.dossier import Dossier
    from recordings.keeper import Keeper

LINK_HOURS: Final = 24
CLI: Final = "cti"
"""Who acts at the command line, in the audit log: whoever may use it is not known by name."""

app = App(
    name="cti",
    version=__version__,
    help="Joins an Asterisk PBX to the work of a customer-service department.",
)
house = app.command(App(name="house", help="The house's rules."))
user = app.command(App(name="user", help="People who work for the house."))
customers = app.command(App(name="customers", help="Customers of the house."))
visits = app.command(App(name="visits", help="Return visits."))
token = app.command(App(name="token", help="Programs of the house that may tell events."))
audit = app.command(App(name="audit", help="The log of decisions."))
recordings = app.command(App(name="recordings", help="What calls left to be heard."))

Config = Annotated[
    Path | None, Parameter(name="--config", help="The settings file; none: the defaults.")
]
Link = Annotated[bool, Parameter(name="--link", negative="", help="Print a one-time link instead.")]


def main() -> None:
    """Run the command given on the command line."""
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run a command; give its exit code. What went wrong is said on standard error."""
    from cti import log

    log.configure("console", "warning")
    try:
        code: int = app(
            _plain(words), exit_on_error=False, result_action="return_int_as_exit_code_else_zero"
        )
        sys.stdout.flush()
    except CtiError as fault:
        print(f"cti: {fault}", file=sys.stderr)
        return 2
    except CycloptsError:  # told already
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has read enough: `cti replay FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _plain(words: Sequence[str]) -> Sequence[str]:
    """Put a lone `-` behind `--`: it is standard input, and not an option without a name."""
    if "-" not in words or "--" in words:
        return words
    return [*(word for word in words if word != "-"), "--", "-"]


@app.command(name="run")
def run_daemon(*, config: Config = None) -> None:
    """Serve: listen to the PBXs, keep every call, show it to the agents. Until stopped."""
    import uvloop

    from cti import log
    from cti.app import App as Daemon

    settings = _settings(config)
    log.configure(settings.log.form, settings.log.level)
    daemon = Daemon(settings)
    _collect_seldom()
    _together(uvloop.run, daemon.run())


def _collect_seldom() -> None:
    """Let Python look for forgotten cycles seldom: each look holds up whatever happens.

    What starting has made stays, and is not looked at again.
    """
    import gc

    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@app.command
def replay(
    file: Path,
    *,
    trunk: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)] = (),
    house: Path | None = None,
    systemname: str = "",
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    config: Config = None,
) -> None:
    """Say which calls a tape holds: captured AMI bytes, read as the live link reads them.

    Parameters
    ----------
    file
        The tape; `-` for standard input.
    trunk
        Where customers come from, as PJSIP/trunk*; again for each further one. None: as set.
    house
        A house file: its cadence, short_abandon_ms and hours.
    systemname
        The PBX's secret name: believe only events that bear it.
    json
        One object per line.
    """
    from cti.calls import replay as tapes

    _say(
        tapes.run(
            file,
            trunks=trunk
            or tuple(pattern for pbx in _settings(config).pbx for pattern in pbx.trunks),
            house=house,
            systemname=systemname,
            as_objects=json,
            warn=lambda text: print(f"cti: {text}", file=sys.stderr),
        )
    )


@app.command
def reconcile(
    *,
    queue_log: Path | None = None,
    cdr: Path | None = None,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    config: Config = None,
) -> int:
    """Hold our records against what the PBX wrote down itself, call by call.

    Exit code 0: no difference; 1: there are some, each is told.

    Parameters
    ----------
    queue_log
        Asterisk's queue_log.
    cdr
        The CSV of config/asterisk/cdr_custom.conf.
    json
        The whole report as one JSON object.
    """
    from cti.calls import reconcile as comparing

    if queue_log is None and cdr is None:
        raise ConfigError(
            "nothing to compare with", "give --queue-log FILE, --cdr FILE, or both", code="no_files"
        )
    settings = _settings(config)

    async def hold() -> int:
        from cti.calls.store import CallStore

        queue, torn = comparing.read_queue_log(_lines(queue_log))
        billed, broken = comparing.read_cdr(_lines(cdr))
        async with _database(settings) as db:
            rows = await CallStore(db).rows_of(comparing.leg_ids(queue, billed))
        report = comparing.compare(queue, billed, rows, torn + broken)
        _say(comparing.lines(report, as_object=json))
        return 1 if report.differences else 0

    return asyncio.run(hold())


@app.command
def check(
    *,
    pbx: str = "",
    seconds: float = 15,
    asterisk_etc: Path | None = None,
    try_guard: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    config: Config = None,
) -> int:
    """Say, point by point, whether a PBX is set up as cti needs it. Changes nothing there.

    Exit code 0: nothing is wrong; 1: something is wrong or missing; 2: no way in.

    Parameters
    ----------
    pbx
        The PBX of this name; none: each of the settings.
    seconds
        Listen so long; let a customer ring a queue meanwhile. Ctrl-C: enough.
    asterisk_etc
        The folder of Asterisk's configuration files: they tell what no session can see.
    try_guard
        Let the guard refuse an attempt. Nobody is dialled; a row in CDR and CEL is left.
    json
        All points as one JSON object.
    """
    from cti import log
    from cti.pbx.check import run_check
    from recordings.setup import look_at_sources

    log.configure("console", "critical")  # the points say it
    settings = _settings(config)

    async def look() -> int:
        return await run_check(
            settings,
            say=lambda line: print(line),
            tell=lambda line: print(line, file=sys.stderr),
            pbx=pbx,
            seconds=seconds,
            etc=asterisk_etc,
            devices=await _phones(settings),
            look=look_at_sources,
            try_guard=try_guard,
            as_json=json,
        )

    return asyncio.run(look())


@app.command
def record(
    file: Path, *, pbx: str = "", seconds: float | None = None, config: Config = None
) -> int:
    """Keep what a PBX says, byte by byte, in FILE and FILE.times, until Ctrl-C.

    They hold customers' numbers. Exit code 1: it ended early, what was said before is kept.

    Parameters
    ----------
    file
        The tape, as NAME.ami. Nothing is recorded over.
    pbx
        The PBX of this name, where there are several.
    seconds
        End after so long.
    """
    from cti import log
    from cti.pbx.record import run_record

    log.configure("console", "critical")  # what matters is said
    settings = _settings(config)
    return asyncio.run(
        run_record(settings, file, say=lambda line: print(line), pbx=pbx, seconds=seconds)
    )


@app.command
def demo(
    what: Annotated[
        str,
        Parameter(help="`ring`: let a customer of the running demo ring; `miss`: nobody answers."),
    ] = "",
    number: Annotated[str, Parameter(help="Who rings; `anonymous`: number withheld.")] = "",
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8080,
    data: Path = Path("data/demo"),
    ring_command: str = "",
    config: Config = None,
) -> None:
    """Run a house to look at, with made-up people and a simulated PBX; or ring it at once.

    Parameters
    ----------
    port
        Where the pages are served, on this machine alone.
    data
        Where the demo keeps its database, its house file and its tokens.
    ring_command
        With --config, a real PBX: the command that lets a customer ring.
    config
        Settings that name a real PBX; none: a simulated one.
    """
    if what in ("ring", "miss"):
        from cti.demo_ring import ring_now

        return _say([ring_now(data, number, what).strip()])
    if what:
        raise ConfigError(f"the demo knows no {what!r}", "cti demo, cti demo ring, cti demo miss")
    import uvloop

    from cti import demo as demonstration
    from cti import log

    log.configure("console", "warning")
    serving = demonstration.serve(
        data=data,
        port=port,
        config=config,
        ring_command=ring_command,
        say=lambda line: print(line, flush=True),
    )
    return _together(uvloop.run, serving)


@house.command(name="check")
def house_check(file: Path) -> None:
    """Say whether a house file is good, and everything that is wrong with it.

    Parameters
    ----------
    file
        The house file.
    """
    from cti import house_file

    _say(house_file.check_lines(file))


@app.command
def migrate(*, config: Config = None) -> None:
    """Make the database, or bring an old one to this version's tables."""
    from cti.db import migrate as migration

    settings = _settings(config)
    url, password = settings.database_url, settings.database.read_password()
    revision = asyncio.run(migration.upgrade(url, password=password))
    _say([f"{_where(url)}: ready (revision {revision})"])


@app.command
def init(directory: Path = Path(), *, house: str = "booking") -> None:
    """Begin a new installation: settings, house file and an empty database.

    Parameters
    ----------
    directory
        Where; made if it is not there. Nothing in it is overwritten.
    house
        Which of the shipped houses to start from.
    """
    from cti import setup
    from cti.db import migrate as migration

    made = setup.make(directory, house)
    asyncio.run(migration.upgrade(_settings(made.settings).database_url))
    _say(made.lines())


@user.command(name="add")
def user_add(
    number: str,
    *,
    name: str,
    role: str = "agent",
    department: str = "",
    device: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)] = (),
    locale: str | None = None,
    link: Link = False,
    config: Config = None,
) -> None:
    """Add a person. Asks for the password, or prints a one-time link to set it.

    Parameters
    ----------
    number
        The house's own number for this person.
    name
        As colleagues and screens call this person.
    role
        agent, supervisor, manager, owner, auditor or technician.
    device
        A phone as PBX:PJSIP/6001; again for each further one.
    locale
        en, zh-Hant or zh-Hans; none: as the browser says.
    """
    settings = _settings(config)
    phones = _devices(settings, device)

    async def add() -> None:
        async with _people(settings) as store:
            if await store.by_number(number):
                raise Refused("person_exists", f"somebody has the number {number} already")
            password = None if link else _ask_password(number)
            person = await store.add(
                number=number,
                name=name,
                role=role,
                department=department,
                devices=phones,
                locale=locale,
            )
            _say([f"added {_person_line(person)}"])
            await _give_password(settings, store, person, password)

    asyncio.run(add())


@user.command(name="list")
def user_list(
    *, all: Annotated[bool, Parameter(negative="")] = False, config: Config = None
) -> None:
    """List people.

    Parameters
    ----------
    all
        Also those who have left.
    """
    settings = _settings(config)

    async def show() -> None:
        async with _people(settings) as store:
            _say(_person_line(person) for person in await store.list(with_left=all))

    asyncio.run(show())


@user.command(name="password")
def user_password(number: str, *, link: Link = False, config: Config = None) -> None:
    """Set a person's password; who is logged in as that person is logged out."""
    settings = _settings(config)

    async def change() -> None:
        async with _people(settings) as store:
            person = await _person(store, number)
            password = None if link else _ask_password(number)
            await _give_password(settings, store, person, password)

    asyncio.run(change())


@user.command(name="device")
def user_device(
    number: str,
    *device: str,
    none: Annotated[bool, Parameter(negative="")] = False,
    config: Config = None,
) -> None:
    """Give a person exactly these phones, or show which these are.

    Parameters
    ----------
    device
        A phone as PBX:PJSIP/6001.
    none
        Take all phones away.
    """
    settings = _settings(config)
    phones = _devices(settings, device)

    async def change() -> None:
        async with _people(settings) as store:
            person = await _person(store, number)
            if phones or none:
                await store.set_devices(person.id, phones)
            _say([_person_line(await _person(store, number))])

    asyncio.run(change())


@user.command(name="leave")
def user_leave(number: str, *, config: Config = None) -> None:
    """Mark a person as gone: no login, phones free again, records stay."""
    settings = _settings(config)

    async def leave() -> None:
        async with _people(settings) as store:
            await store.deactivate((await _person(store, number)).id)
            _say([_person_line(await _person(store, number))])

    asyncio.run(leave())


@customers.command(name="import")
def customers_import(
    file: Path,
    *,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    encoding: str = "",
    config: Config = None,
) -> int:
    """Add and change customers from a CSV file; broken lines are told, the others stored.

    The first line names the columns: external_id, name, phones, tier, company, area, note,
    care_flags, do_not_call, title, email, birthday, owner, member_no, member_since, consent,
    do_not_sms, hours, zone, merchant. Tiers and care flags are those of the house file. The
    same file again changes nothing.

    Parameters
    ----------
    dry_run
        Only say what would happen.
    encoding
        utf-8, utf-16, gb18030 or big5; none: utf-8.
    """
    settings = _settings(config)
    house = _house(settings)

    async def bring_in() -> int:
        from cti.customers.imports import Report, import_csv
        from cti.customers.store import CustomerStore
        from cti.people.store import PeopleStore

        report = Report(dry=dry_run)
        async with _database(settings) as db:
            store = CustomerStore(db)
            owners = {one.number: one.id for one in await PeopleStore(db).list()}
            try:
                await import_csv(
                    file,
                    store,
                    house.card.country,
                    dry=dry_run,
                    encoding=encoding,
                    report=report,
                    owners=owners,
                    rules=house.customers,
                )
            finally:
                if report.added or report.changed or report.same or report.broken:
                    _say(report.lines(str(file)))
        return 1 if report.broken else 0

    return asyncio.run(bring_in())


@customers.command(name="events")
def customers_events(file: Path, *, encoding: str = "", config: Config = None) -> int:
    """Add, move and cancel what happened to customers, from a CSV file.

    The first line names the columns: external_id, customer or phone; kind, day, time, ref,
    amount, department, staff, cancelled, merchant. The same file again changes nothing; a line
    with a known reference and another day moves it, and what it does not tell stays. Broken lines
    are told, the others stored.

    Parameters
    ----------
    encoding
        utf-8, utf-16, gb18030 or big5; none: utf-8.
    """
    settings = _settings(config)
    region = _house(settings).card.country

    async def bring_in() -> int:
        from cti.clock import SystemClock
        from cti.customers.happenings import Happenings
        from cti.customers.imports import read_file
        from cti.customers.store import CustomerStore, EventStore

        text = await asyncio.to_thread(read_file, file, encoding)
        async with _database(settings) as db:
            takes = Happenings(db, CustomerStore(db), EventStore(db), region)
            told = await takes.take_file(text, str(file), now=SystemClock().now(), who=CLI)
        _say(told.lines(str(file)))
        return 1 if told.broken else 0

    return asyncio.run(bring_in())


@customers.command(name="export")
def customers_export(
    id: str, /, *, to: Path, reason: str = "asked for at the command line", config: Config = None
) -> int:
    """Give everything of one customer away: record, calls, and the sound, decrypted.

    Each file's hash stands in manifest.json. Exit code 1: some recordings could not be read.

    Parameters
    ----------
    id
        The customer's id, or the external id.
    to
        A folder that is not there yet.
    reason
        What the audit log says to it.
    """
    settings = _settings(config)

    async def give() -> int:
        from recordings.dossier import FolderSink

        async with _database(settings) as db:
            it = _dossier(settings, db)
            customer = await it.find(id)
            sink = FolderSink(to)
            try:
                given = await it.dossier.export(customer, sink, who=CLI, reason=reason)
                sink.done()
            finally:
                sink.drop()
        _say([f"{len(given.files) + 1} files are in {to}"])
        _say(f"recording {one} cannot be read: it was left out" for one in given.unread)
        return 1 if given.unread else 0

    return asyncio.run(give())


@customers.command(name="erase")
def customers_erase(id: str, /, *, reason: str, config: Config = None) -> None:
    """Erase one customer: the sound for good; his calls keep what is counted, and nothing of him.

    What is held, or undecided, refuses it whole, and is told. The PBX's own files stay: those
    that were his are named.

    Parameters
    ----------
    id
        The customer's id, or the external id.
    reason
        What the audit log says to it.
    """
    settings = _settings(config)

    async def erase() -> None:
        from cti.db.sole import held

        async with _database(settings) as db:
            it = _dossier(settings, db)
            found = await it.dossier.erase(await it.find(id), who=CLI, reason=reason)
            calls, recordings = found.count
            _say([f"erased: {recordings} recordings, the traces of {calls} calls, the record"])
            _say(
                f"the PBX {one.pbx} may still have {one.source}"
                for one in found.recordings
                if one.source
            )
            try:
                with held(settings.database_url):
                    await it.keeper.finish()
            except ConfigError:  # the daemon has the database, and looks every minute
                _say(["the running cti removes the files within a minute"])

    asyncio.run(erase())


@visits.command(name="plan")
def visits_plan(
    *, dry_run: Annotated[bool, Parameter(negative="")] = False, config: Config = None
) -> None:
    """Plan the return visits that are owed now, as the daemon does every few minutes.

    Planned twice, nothing is doubled.

    Parameters
    ----------
    dry_run
        Only say how many visits are owed that are not known yet.
    """
    settings = _settings(config)
    rules = _house(settings)

    async def plan() -> None:
        from cti.clock import SystemClock
        from cti.customers.store import CustomerStore, EventStore
        from cti.duty.store import DutyStore
        from cti.people.rules import Directory
        from cti.people.store import PeopleStore
        from cti.visits.planner import Asked, Planner
        from cti.visits.store import PlanStore, VisitStore

        clock = SystemClock()
        async with _database(settings) as db:
            people = Directory(await PeopleStore(db).list())
            asked = Asked(
                db=db,
                customers=CustomerStore(db, clock),
                events=EventStore(db),
                visits=VisitStore(db),
                plans=PlanStore(db),
                duty=DutyStore(db, clock, house=lambda: rules, people=lambda: people),
            )
            planner = Planner(asked, house=lambda: rules, people=lambda: people, clock=clock)
            _say((await planner.once(dry=dry_run)).lines())

    asyncio.run(plan())


@token.command(name="add")
def token_add(name: str, /, *, config: Config = None) -> None:
    """Make a token by which a program of the house may tell events; it is shown once.

    Parameters
    ----------
    name
        How the program is called, as booking-system.
    """
    settings = _settings(config)

    async def make() -> None:
        async with _machines(settings) as store:
            _say([await store.make(name, CLI)])

    asyncio.run(make())


@token.command(name="list")
def token_list(*, config: Config = None) -> None:
    """List the programs that have a token, and those that had one."""
    settings = _settings(config)

    async def show() -> None:
        async with _machines(settings) as store:
            _say(
                f"{one.name}  made {one.made_at:%Y-%m-%d}"
                + (f"  ended {one.ended_at:%Y-%m-%d}" if one.ended_at else "")
                for one in await store.list()
            )

    asyncio.run(show())


@token.command(name="end")
def token_end(name: str, /, *, config: Config = None) -> None:
    """End a program's token: it opens nothing any more.

    Parameters
    ----------
    name
        How the program is called.
    """
    settings = _settings(config)

    async def end() -> None:
        async with _machines(settings) as store:
            await store.end(name, CLI)
            _say([f"{name} has no token any more"])

    asyncio.run(end())


@audit.command(name="verify")
def audit_verify(
    *,
    known: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)] = (),
    config: Config = None,
) -> None:
    """Say whether the log of decisions is whole and unchanged, and give its last hash.

    Parameters
    ----------
    known
        SEQ:HASH as noted on an earlier day: by it a log shows that was cut off or written anew.
    config
        The settings file; none: the defaults.
    """
    from cti.db.audit import verify

    noted = dict(_noted(text) for text in known)

    async def look() -> None:
        async with _database(_settings(config)) as db, db.read() as connection:
            chain = await verify(connection, noted)
        if chain.broken:
            raise CtiError(
                f"the audit log is not as it was written: row {chain.broken}: {chain.why}; "
                f"good up to row {chain.seq} ({chain.hash})",
                "find out who could write the database; compare with a backup",
                code="audit_broken",
            )
        _say([f"{chain.seq} rows, unbroken", f"last: {chain.seq}:{chain.hash}"])

    asyncio.run(look())


@recordings.command(name="key")
def recordings_key(id: str, /) -> None:
    """Make a key for encrypting recordings, as a line for the file `recordings.key_file`.

    The first line of that file seals what is new; the others open what is old.

    Parameters
    ----------
    id
        How the key is called, as 2026-11; up to 24 letters, digits, dots, dashes.
    """
    from recordings.seal import make_line

    print(make_line(id), end="")


@recordings.command(name="reseal")
def recordings_reseal(*, config: Config = None) -> None:
    """Encrypt all recordings that are kept with the first key of `recordings.key_file`.

    It may be broken off and begun again. The daemon may run, if it was started with these keys.
    """
    from recordings.reseal import reseal
    from recordings.setup import storage_of
    from recordings.store import RecordingStore

    settings = _settings(config)

    async def seal() -> None:
        async with _database(settings) as db:
            storage, store = storage_of(settings), RecordingStore(db)
            if storage.key_id is None:
                raise ConfigError(
                    "recordings.key_file is not set: there is no key",
                    "make one by: cti recordings key ID, and name its file in the settings",
                    code="recording_keys",
                )
            storage.begin(used=await store.used())
            done = await reseal(store, storage)
        _say([f"{done} recordings are sealed anew" if done else "nothing was to be done"])

    asyncio.run(seal())


@dataclass(frozen=True, slots=True)
class _Dossier:
    """What is kept of customers, built without a daemon."""

    dossier: "Dossier"
    keeper: "Keeper"
    customers: "CustomerStore"

    async def find(self, id: str) -> str:
        """Find a customer by our id or by the house's; give our id."""
        found = await self.customers.get(id) or await self.customers.by_external_id(id)
        if found is None:
            raise Refused("no_such_customer", f"there is no customer {id[:64]!r}")
        return found.id


def _dossier(settings: "Settings", db: "Database") -> _Dossier:
    from cti.callbacks.store import CallbackStore
    from cti.calls.store import CallStore
    from cti.clock import SystemClock
    from cti.customers.store import CustomerStore, EventStore
    from cti.penalties.store import PenaltyStore
    from cti.people.rules import Directory
    from cti.quality.store import QualityStore
    from cti.results.store import ResultStore
    from cti.visits.store import PlanStore
    from recordings.setup import keeping_of, storage_of

    clock, rules = SystemClock(), _house(settings)
    customers = CustomerStore(db, clock)
    keeper, dossier = keeping_of(
        db,
        storage_of(settings),
        customers=customers,
        calls=CallStore(db),
        penalties=PenaltyStore(db, clock, lambda: rules, Directory),
        callbacks=CallbackStore(db),
        quality=QualityStore(db),
        house=lambda: rules,
        clock=clock,
        rooms=[EventStore(db), PlanStore(db), ResultStore(db)],
    )
    return _Dossier(dossier, keeper, customers)


def _noted(text: str) -> tuple[int, str]:
    seq, _, hash_ = text.strip().partition(":")
    if not seq.isdecimal() or len(seq) > 18 or len(hash_) != 64:
        raise Refused("bad_known", f"{text[:80]!r} is no SEQ:HASH as cti audit verify prints it")
    return int(seq), hash_.lower()


def _together(
    runner: Callable[[Coroutine[Any, Any, None]], None], work: Coroutine[Any, Any, None]
) -> None:
    """Run the daemon's tasks; of several that failed together say the first that we know."""
    try:
        runner(work)
    except BaseExceptionGroup as group:
        known, others = group.split(CtiError)
        if known is None or others is not None:
            raise
        raise _first(known) from None


def _first(group: BaseExceptionGroup[CtiError]) -> CtiError:
    fault = group.exceptions[0]
    return _first(fault) if isinstance(fault, BaseExceptionGroup) else fault


def _lines(file: Path | None) -> list[str]:
    """Read a file of the PBX; none is an empty one."""
    if file is None:
        return []
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as fault:
        raise ConfigError(
            f"cannot read {file}: {fault.strerror}",
            "give a file of the PBX that this user may read",
            code="file_unreadable",
        ) from fault


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _settings(config: Path | None) -> "Settings":
    from cti import settings

    return settings.load(config)


def _house(settings: "Settings") -> "House":
    from cti import house_file
    from cti.house import House

    return house_file.read(settings.house) if settings.house else House()


def _where(url: str) -> str:
    from cti.db import engine

    return engine.where(engine.address(url))


@asynccontextmanager
async def _database(settings: "Settings") -> "AsyncIterator[Database]":
    from cti.db import migrate
    from cti.db.engine import Database

    url, password = settings.database_url, settings.database.read_password()
    await migrate.check(url, password=password)
    db = await Database.open(url, password=password)
    try:
        yield db
    finally:
        await db.close()


@asynccontextmanager
async def _machines(settings: "Settings") -> "AsyncIterator[MachineStore]":
    from cti.clock import SystemClock
    from cti.machines.store import MachineStore

    async with _database(settings) as db:
        yield MachineStore(db, SystemClock())


@asynccontextmanager
async def _people(settings: "Settings") -> "AsyncIterator[PeopleStore]":
    from cti.people.store import PeopleStore

    async with _database(settings) as db:
        yield PeopleStore(db)


async def _phones(settings: "Settings") -> dict[str, list[str]]:
    """Give people's devices by PBX; without a database there are none to look for."""
    found: dict[str, list[str]] = {}
    with suppress(CtiError):
        async with _people(settings) as store:
            for person in await store.list():
                for device in person.devices:
                    found.setdefault(device.pbx, []).append(device.name)
    return found


async def _person(store: "PeopleStore", number: str) -> "Person":
    person = await store.by_number(number)
    if person is None:
        raise Refused("no_person", f"there is nobody with the number {number}")
    return person


def _person_line(person: "Person") -> str:
    phones = ", ".join(str(device) for device in person.devices) or "no phone"
    words = [person.number, person.name, person.role, person.department, phones]
    return "  ".join(word for word in words if word) + ("" if person.active else "  (has left)")


def _devices(settings: "Settings", written: Sequence[str]) -> "list[Device]":
    """Read devices; `PJSIP/6001` alone is enough where there is one PBX."""
    from cti.people import rules

    known = [pbx.name for pbx in settings.pbx]
    found = [rules.read_device(text, known[0] if len(known) == 1 else None) for text in written]
    for device in found:
        if device.pbx not in known:
            raise Refused(
                "unknown_pbx",
                f"the settings know no PBX {device.pbx}; they know: {', '.join(known)}",
            )
    return found


def _ask_password(number: str) -> str:
    """Ask twice, on a terminal."""
    from getpass import getpass

    from cti.people import rules

    if not sys.stdin.isatty():
        raise ConfigError(
            "there is no terminal to ask for a password",
            "give --link: it prints a one-time link by which the person sets a password",
            code="no_terminal",
        )
    password = getpass(f"Password for {number} (at least {rules.PASSWORD_LEAST} characters): ")
    rules.checked_password(password, number)
    if getpass("Again: ") != password:
        raise Refused("password_differs", "the two passwords differ: nothing was changed")
    return password


async def _give_password(
    settings: "Settings", store: "PeopleStore", person: "Person", password: str | None
) -> None:
    """Set the password, or print a link by which the person sets it."""
    from datetime import timedelta

    from cti.people.login import Login

    if password is not None:
        await Login(store).set_password(person, password)
        return _say([f"the password of {person.number} is set"])
    token = await store.make_link(person.id, "set_password", timedelta(hours=LINK_HOURS))
    root = settings.web.public_url or f"http://{settings.web.host}:{settings.web.port}"
    return _say(
        [
            f"a link to set a password, good once, for {LINK_HOURS} hours:",
            f"  {root.rstrip('/')}/login/link/{token}",
        ]
    )
