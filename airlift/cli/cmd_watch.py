"""``airlift watch``: take volumes in as a one-way link drops them into a folder."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import click

from airlift import hook
from airlift.cli import config, output, receipts
from airlift.cli.cmd_import import CounterDesk
from airlift.cli.duration import Duration
from airlift.cli.next_medium import NextMedium
from airlift.errors import FormatError, IncompleteError, RequestError
from airlift.hook import Hook
from airlift.inbound.arrival import Arrival, Gate
from airlift.registry.lock import BusyError, WriterLock
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.store.durable import Disk
from airlift.trust import encryption_key
from airlift.watch import deliveries
from airlift.watch.aside import Consume
from airlift.watch.deliveries import Deliveries
from airlift.watch.folder import OVER, Folder
from airlift.watch.telling import Event, Teller
from airlift.watch.watching import Moment, Post, Rules, Watch

_RECEIPTS = ("complete", "refused")
"""Events after which a receipt of the site says something new."""
_ALARM_S = 60.0
"""Seconds an alarm command may take: nothing is taken in meanwhile."""

_LEAST_S = 0.2
"""Seconds between two looks at least: a look at 1,000 files takes 5 ms of CPU."""


@click.command("watch")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--settle",
    type=Duration(),
    default="10s",
    show_default=True,
    help="How long a file must not have changed before it is read.",
)
@click.option(
    "--poll",
    type=Duration(),
    default="2s",
    show_default=True,
    help="How often the folder is looked at.",
)
@click.option(
    "--give-up",
    "give_up",
    type=Duration(),
    default="2d",
    show_default=True,
    help="How long a file that is no good stays before it is moved aside.",
)
@click.option(
    "--stale",
    type=Duration(),
    default="1h",
    show_default=True,
    help="Alarm when nothing new of a delivery came for so long.",
)
@click.option(
    "--deadline",
    type=Duration(),
    default="5d",
    show_default=True,
    help="Alarm when a delivery is not complete so long after its first volume;"
    " less than files live in the link's own software.",
)
@click.option(
    "--consume",
    type=click.Choice([one.value for one in Consume]),
    default=Consume.NEVER.value,
    show_default=True,
    help="Delete volumes: never, all of a delivery once it is imported, or each as"
    " soon as it is staged (spares cannot repair then).",
)
@click.option(
    "--quarantine", is_flag=True, help="Make nothing live; `activate` does it."
)
@click.option(
    "--alarm",
    metavar="COMMAND",
    help="Run this for what a person must see; {what} and {text} stand for what it is.",
)
@click.option(
    "--metrics",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep numbers in this file for Prometheus's node exporter (*.prom).",
)
@click.option(
    "--once", is_flag=True, help="Take what is there, say what is missing, and end."
)
@click.option("--status", is_flag=True, help="Say how far deliveries are, and end.")
@config.home_option
@config.json_option
def command(
    *,
    home: Path,
    folder: Path,
    settle: int,
    poll: int,
    give_up: int,
    stale: int,
    deadline: int,
    consume: str,
    quarantine: bool,
    alarm: str | None,
    metrics: Path | None,
    once: bool,
    status: bool,
    as_json: bool,
) -> int:
    """Take volumes in as they appear in FOLDER, where a one-way link drops them.

    A file is read when it rests, and taken for what its bytes say: names, markers and
    the order do not matter, nor do copies, re-sent volumes under other names, or other
    deliveries between. Lost and damaged volumes are repaired from spares as soon as
    those suffice. A complete delivery is imported as `import --yes` would. Ends at
    SIGTERM or Ctrl-C; nothing is lost by that.
    """
    own = home / "watch"
    if status:
        return _status(own, as_json=as_json)
    rules = Rules(
        give_up_s=give_up,
        stale_s=stale,
        deadline_s=deadline,
        consume=Consume(consume),
    )
    with _alone(home, folder), closing(Registry.open(home)) as registry:
        tell = partial(_tell, home, registry, _line_of_json if as_json else _line)
        teller = Teller(tell=tell, alarm=_alarm(alarm), metrics=metrics)

        def gate() -> Gate:
            return Gate(
                store=BlobStore(home / "store"),
                registry=registry,
                incoming=home / "incoming",
                keys=encryption_key.opener(home),
            )

        desk = Lookout(quarantine=quarantine)
        post = Post(gate=gate, desk=desk, teller=teller, home=own)
        watch = Watch(Folder(folder, settle), post, rules)
        return _once(watch, poll) if once else _for_ever(watch, poll, teller)


class Lookout(CounterDesk):
    """Nobody at a terminal: what may come in comes in, as with `import --yes`."""

    def __init__(self, *, quarantine: bool) -> None:
        nobody = NextMedium((), Path())
        super().__init__(
            nobody, ask=False, wait=False, all_waits=quarantine, quiet=True
        )

    def admit(self, arrival: Arrival) -> None:
        """Agree; that it arrives is told volume by volume."""


def _alarm(command_line: str | None) -> Hook | None:
    if command_line is None:
        return None
    words = hook.parse(command_line)
    return Hook(words=words, timeout_s=_ALARM_S, clock=time.monotonic)


@contextmanager
def _alone(home: Path, folder: Path) -> Iterator[None]:
    """Be the only watch of this home."""
    if not folder.is_dir():
        problem = f"{folder} is not a folder"
        raise RequestError(problem, hint="is it mounted?")
    Disk().make_folder(home / "watch", mode=0o700)
    lock = WriterLock(home / "watch" / "lock")
    with ExitStack() as held:
        try:
            held.enter_context(lock.held(f"watch {folder}"))
        except BusyError as error:
            holder = error.problem.removeprefix("the registry is busy: ")
            problem = f"another watch runs here: {holder.removesuffix(' is writing')}"
            raise RequestError(
                problem, hint="one watch a home; stop that one"
            ) from error
        yield


def _moment() -> Moment:
    return Moment(clock=time.monotonic(), epoch=int(time.time()), now=config.now())


def _for_ever(watch: Watch, poll: int, teller: Teller) -> int:
    """Watch until somebody says that it is enough, which is no error."""
    teller.say("watching", f"watching {watch.folder.path}")
    try:
        while True:
            watch.turn(_moment())
            time.sleep(max(poll, _LEAST_S))
    except KeyboardInterrupt:
        teller.say("stopped", "stopped; what came is kept")
        return 0


def _once(watch: Watch, poll: int) -> int:
    """Take what is there.

    Raises:
        FormatError: Files are no good.
        IncompleteError: Something is missing.
    """
    watch.turn(_moment())
    while not watch.resting():
        time.sleep(min(poll, max(watch.folder.settle_s, 0.1)))
        watch.turn(_moment())
    if pending := watch.deliveries.pending():
        problem = "; ".join(map(str, pending))
        hint = "run it again when more has come; what came is kept"
        raise IncompleteError(problem, hint=hint)
    bad = [one for one in watch.folder.items.values() if one.verdict in OVER]
    if bad:
        problem = "; ".join(f"{one.name}: {one.reason}" for one in bad)
        raise FormatError(problem, hint="they stay where they are")
    return 0


def _status(own: Path, *, as_json: bool) -> int:
    known = Deliveries(own / "deliveries.json")
    known.load()
    if as_json:
        output.as_json({"deliveries": [deliveries.as_json(one) for one in known]})
        return 0
    for one in known:
        output.line(str(one))
    return 0


def _tell(
    home: Path, registry: Registry, show: Callable[[Event], None], event: Event
) -> None:
    """Show *event*; leave the receipt that an import leaves, and show its code."""
    show(event)
    if event.what in _RECEIPTS:
        written = receipts.after_import(home, registry)
        if written and written.fresh:
            text = f"state code {written.code}; receipt for the sender: {written.path}"
            show(Event(what="receipt", text=text, details=receipts.as_table(written)))


def _line(event: Event) -> None:
    output.line(event.text)


def _line_of_json(event: Event) -> None:
    click.echo(
        json.dumps({"event": event.what, "text": event.text, **event.details}),
    )
