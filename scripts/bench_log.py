"""What the log costs as it grows: ms and bytes an event, ms a proof.

    python scripts/bench_log.py [--quick] [--events N] [--write] [--json FILE]

Events of the size of an import are added one transaction each, with its signed
checkpoint; the peer is the same row in a plain table of the same database settings. Then
a log of N events is made, proofs are taken at random places (inclusion in the newest
checkpoint, consistency with a random earlier one), each is verified, and the whole log is
audited. CPU seconds of this process; the two ways to add take turns.
"""

import argparse
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from airlift.format import merkle
from airlift.registry import audit, intake, log, migration, sealing
from airlift.registry.engine import Database, make_file
from airlift.registry.held import Event
from airlift.trust import site_key
from airlift.trust.delivery import TrustState
from report import Row, machine, options, report

T = TypeVar("T")
EVENTS, QUICK = 1_000_000, 20_000
ADDED, PROVED = 200, 200
SITE, NOW = "plant7", "2026-11-23T00:00:00Z"


def event(number: int) -> Event:
    """Return an event of the size of an import."""
    return Event(
        number=number,
        time=NOW,
        actor="operator@plant7",
        action="import",
        subject=f"delivery {number}",
        detail={"delivery": f"{number:064x}", "releases": 3, "live": 3, "held": {}},
        floor=NOW,
        metadata={"root": 1, "snapshot": number, "targets": 5, "timestamp": number},
        tool="airlift 0.1.0",
    )


def cpu(act: Callable[[], object]) -> float:
    """Return the CPU seconds that *act* takes in this process."""
    start = time.process_time()
    act()
    return time.process_time() - start


def begun(folder: Path) -> Database:
    """Return the database of a new registry."""
    make_file(folder / "registry.db")
    database = Database(folder / "registry.db")
    with database.write() as connection:
        migration.upgrade(connection)
        intake.put_state(connection, TrustState(site=SITE, anchor=b"{}"))
    return database


def added(folder: Path) -> tuple[float, float]:
    """Return the median ms to add an event, signed, and to add a plain row."""
    database = begun(folder)
    key = site_key.create(folder, SITE).public
    with database.write() as connection:
        named = {"key_id": str(key.key_id)}
        told = Event(time=NOW, actor="ann", action=sealing.KEYS, detail=named)
        intake.add_event(connection, told)
    plain = sqlite3.connect(folder / "plain.db", isolation_level=None)
    plain.execute("PRAGMA synchronous=EXTRA")
    plain.execute("CREATE TABLE event (number INTEGER PRIMARY KEY, line TEXT)")

    def ours() -> None:
        with database.write() as connection:
            intake.add_event(connection, event(0))
            sealing.seal(connection, folder)

    def theirs() -> None:
        line = json.dumps({"detail": dict(event(0).detail)})
        plain.execute("INSERT INTO event (line) VALUES (?)", (line,))

    pairs = [(cpu(ours), cpu(theirs)) for _ in range(ADDED)]
    plain.close()
    database.close()
    ms = [1000 * statistics.median(some) for some in zip(*pairs, strict=True)]
    return ms[0], ms[1]


def proved(folder: Path, count: int) -> dict[str, float]:
    """Return what a log of *count* events takes, and its proofs, by name and unit."""
    database = begun(folder)
    empty = (folder / "registry.db").stat().st_size

    def make() -> None:
        with database.write() as connection:
            log.extend(connection, map(event, range(1, count + 1)))

    seconds = cpu(make)
    size = (folder / "registry.db").stat().st_size - empty
    with database.read() as connection:
        taken = proofs(connection, count)
        audited = cpu(lambda: sound(connection))
    database.close()
    return {
        "one more, of many in one transaction, us": 1e6 * seconds / count,
        "bytes of its line": statistics.mean(
            len(log.entry(event(at))) for at in range(1, 1001)
        ),
        "bytes in the database": size / count,
        **{f"{what}, ms": 1000 * value for what, value in taken.items()},
        "the whole log audited, us an event": 1e6 * audited / count,
    }


def proofs(connection: Connection, count: int) -> dict[str, float]:
    """Return CPU seconds of proofs at random places of a log of *count* events."""
    chance, read = random.Random(6962), log.reader(connection)
    root = merkle.root(count, read)
    spent: dict[str, list[float]] = {}

    def timed(what: str, act: Callable[[], T]) -> T:
        start = time.process_time()
        found = act()
        spent.setdefault(what, []).append(time.process_time() - start)
        return found

    for _ in range(PROVED):
        at = chance.randrange(count)
        leaf = merkle.leaf_hash(log.entry(event(at + 1)))
        way = timed("a proof of inclusion", partial(merkle.inclusion, at, count, read))
        check = partial(merkle.includes, root, count, leaf, at, way)
        assert timed("it verified", check)
        old = (at + 1, merkle.root(at + 1, read))
        ask = partial(merkle.consistency, at + 1, count, read)
        way = timed("a proof of consistency", ask)
        assert merkle.extends(old, (count, root), way)
    worst = {
        f"{what}, the worst of {PROVED}": max(some) for what, some in spent.items()
    }
    return {what: statistics.median(some) for what, some in spent.items()} | worst


def sound(connection: Connection) -> None:
    """Audit the log, which has no key."""
    assert audit.audit(connection, None).faults == ()


def table(one: tuple[float, float], grown: dict[str, float], count: int) -> str:
    """Return the figures as Markdown."""
    ours, theirs = one
    lines = [
        f"CPU time, medians; {machine()}.",
        "",
        "| an event of the size of an import | |",
        "|---|--:|",
        f"| added, hashed into the tree and signed, in a transaction of its own, ms | {ours:.2f} |",
        f"| the same line into a plain table of SQLite, ms | {theirs:.2f} |",
        f"| ratio | {ours / theirs:.1f} |",
        "",
        f"| a log of {count:,} events | |",
        "|---|--:|",
        *(f"| {what} | {value:,.3g} |" for what, value in grown.items()),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    options(parser)
    given = parser.parse_args()
    count = QUICK if given.quick else given.events
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "one").mkdir()
        (folder / "many").mkdir()
        one = added(folder / "one")
        grown = proved(folder / "many", count)
    rows: list[Row] = [
        {"what": "add, ms", "events": ADDED, "value": one[0], "peer": one[1]},
        *({"what": what, "events": count, "value": v} for what, v in grown.items()),
    ]
    report("bench_log", table(one, grown, count), rows, given)


if __name__ == "__main__":
    main()
