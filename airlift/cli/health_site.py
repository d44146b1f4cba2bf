"""Checks of an isolated host, for ``airlift doctor``."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from airlift import __version__, naming
from airlift.cli import alike, health, health_upstream
from airlift.cli.cmd_gc import arriving
from airlift.cli.health import Finding
from airlift.errors import AirliftError, RegistryError, TrustError
from airlift.install import own_update
from airlift.registry import hashed
from airlift.registry.engine import FILE
from airlift.registry.hashed import State as Look
from airlift.registry.held import State
from airlift.registry.mark import Marker
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from airlift.store.durable import names, there
from airlift.trust import roster, strict
from airlift.trust.clock import days_from
from airlift.trust.coherence import newest_root
from airlift.trust.delivery import TrustState
from airlift.trust.expiry import expiries
from airlift.trust.metadata import ROOT
from airlift.trust.verifier import ROOT_NOTICE_DAYS

QUIET_DAYS = 60
"""Days without a delivery after which somebody should ask for one."""
SCRUB_DAYS = 90
"""Days after which the store should be verified again."""
STALE_DAYS = 30
"""Days after which the rest of an incomplete delivery is hardly still coming."""
_REBUILD = "run `airlift rebuild`: the database is made again from records"


def site(home: Path, *, now: str, fresh_days: int | None = None) -> Iterator[Finding]:
    """Yield what is found of the registry and store in *home*.

    Args:
        home: The folder of the registry.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        fresh_days: Days after which it is a problem that nothing newer was signed;
            None where it is one to warn of, after ``QUIET_DAYS``.
    """
    yield database(home / FILE)
    try:
        registry = Registry.open(home, readonly=True)
        with closing(registry):
            yield health.ok(
                "registry", f"site {registry.trust_state().site}, records agree"
            )
            yield from _trust(registry.trust_state(), now)
            yield freshness(registry, now, fresh_days)
            yield _scrubbed(home, registry, now)
            yield _quarantine(registry)
            yield _names(registry)
            yield _own(registry)
            yield _agreement(registry, BlobStore(home / "store", readonly=True))
            yield _mark(home)
        yield from health_upstream.upstream(home, now=now)
    except AirliftError as error:
        yield health.failed("registry", error)
    yield _incoming(home, now)
    yield _rotten(home)


def database(path: Path) -> Finding:
    """Look at the database *path* as SQLite does, without the registry's own code."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
            (mode,) = database.execute("PRAGMA journal_mode").fetchone()
            said = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
            dangling = database.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        text = f"{naming.show(str(path))}: {naming.show(str(error))}"
        return health.problem("database", text, _REBUILD, RegistryError)
    if said != ["ok"] or dangling:
        text = naming.show("; ".join(map(str, said)) if said != ["ok"] else "dangling")
        return health.problem("database", text, _REBUILD, RegistryError)
    if mode != "delete":
        # Older SQLite versions could corrupt a write-ahead log; airlift never asks
        # for one, so somebody else has written here.
        text = f"journal mode is {mode}, expected delete"
        hint = "nobody but airlift may write here; `airlift rebuild` sets it right"
        return health.warning("database", text, hint)
    text = f"sound; SQLite {sqlite3.sqlite_version}, rollback journal"
    return health.ok("database", text)


def _promise(state: TrustState) -> Finding:
    newest = state.metadata.get(f"{newest_root(state.metadata)}.{ROOT}.json")
    root = strict.root(newest or state.anchor, name="the root").body
    return health.ok("people", f"root version {root.version}; {roster.promise(root)}")


def _trust(state: TrustState, now: str) -> Iterator[Finding]:
    if now < state.floor:
        text = f"this host's clock says {now}, before {state.floor}, which is verified"
        yield health.problem("clock", text, "set the clock", TrustError)
    else:
        yield health.ok("clock", f"{now}, not before {state.floor}, which is verified")
    yield _promise(state)
    expires = expiries(state)
    root = expires.pop("root", "")
    if root and days_from(now, root) < ROOT_NOTICE_DAYS:
        text = f"the root expires on {root}"
        hint = "whoever signs must renew it (`airlift trust renew`) and send a delivery"
        yield health.warning("root", text, hint)
    elif root:
        yield health.ok("root", f"expires on {root}")
    over = [f"{role} on {when}" for role, when in expires.items() if when <= now]
    if over:
        text = f"expired: {', '.join(over)}"
        hint = "what is held stays live; the next delivery must bring newer ones"
        yield health.warning("metadata", text, hint)
    elif expires:
        role, when = min(expires.items(), key=lambda item: item[1])
        yield health.ok("metadata", f"next to expire: {role} on {when}")


def freshness(registry: Registry, now: str, fresh_days: int | None) -> Finding:
    """Find out whether somebody keeps the site from newer deliveries (B3).

    A courier who brings nothing, or the same again, keeps revocations away. Only the
    lack of anything newer tells, counted from what was signed.

    Args:
        registry: Of the site.
        now: This host's clock.
        fresh_days: As for ``site``.

    Raises:
        RegistryError: The database cannot answer.
    """
    hint = "ask for a delivery: one that holds nothing new renews what expires"
    newest = next(iter(registry.deliveries(newest=1)), None)
    if newest is None and fresh_days is None:
        return health.ok("deliveries", "none was imported yet")
    if newest is None:
        return health.problem("deliveries", "none was imported yet", hint, TrustError)
    text = f"the newest is {newest.sequence}, issued {newest.issued}"
    # A clock that was turned back must not silence this: time is at least what is
    # verified.
    age = days_from(newest.issued, max(now, registry.trust_state().floor))
    if age > (QUIET_DAYS if fresh_days is None else fresh_days):
        text += f", {age} days ago; nothing newer has come"
        if fresh_days is not None:
            return health.problem("deliveries", text, hint, TrustError)
        return health.warning("deliveries", text, hint)
    return health.ok("deliveries", text)


def _scrubbed(home: Path, registry: Registry, now: str) -> Finding:
    events = registry.events(newest=1, action="verify")
    known = hashed.known(home)
    bad = sum(1 for one in known if one.is_bad and one.state is not Look.MISSING)
    if bad or (events and events[-1].outcome != "done"):
        count = f"{bad} bad file(s)" if bad else "bad blobs"
        when = events[-1].time if events else "on record"
        text = f"the last verification, {when}, found {count}"
        return health.problem("verified", text, "run `airlift verify` again")
    if not known:
        return health.ok("verified", "nothing is held that could be hashed")
    oldest = min(one.since for one in known)
    again = sum(1 for one in known if one.state is not None)
    text = (
        f"each of {len(known)} files was hashed since {oldest}, {again} of them again"
        " after they came"
    )
    if days_from(oldest, now) > SCRUB_DAYS:
        hint = "run `airlift verify`, or `airlift audit verify --rolling 30m` every day"
        return health.warning("verified", text, hint)
    return health.ok("verified", text)


def _quarantine(registry: Registry) -> Finding:
    waiting = registry.releases(state=State.QUARANTINE)
    if not waiting:
        return health.ok("quarantine", "no release waits to be looked at")
    text = f"{len(waiting)} release(s) wait to be looked at"
    hint = "`airlift list --state quarantine`, then `show` and `activate`"
    return health.warning("quarantine", text, hint)


def _names(registry: Registry) -> Finding:
    """Find live names that container tools, which take lower case only, mix up."""
    groups = alike.live(registry)
    if not groups:
        return health.ok("names", "container tools can tell all live names apart")
    told = "; ".join(" and ".join(map(naming.show, group)) for group in groups)
    return health.warning("names", f"one name to container tools: {told}", alike.HINT)


def _own(registry: Registry) -> Finding:
    """Say whether a newer airlift came than the one that runs."""
    if update := own_update.newest(registry, __version__):
        return health.warning("airlift", str(update), update.hint)
    return health.ok("airlift", f"{__version__}; no newer one is held")


def _agreement(registry: Registry, store: BlobStore) -> Finding:
    """Find files of releases that the store lacks."""
    lacking = [
        f"{naming.show(one.held.release.name)} ({one.held.state}) lacks"
        f" {one.blobs} blob(s)"
        for one in registry.census().lacking(store)
    ]
    if lacking:
        hint = "`airlift verify` names them and the deliveries that brought them"
        return health.problem("store", "; ".join(lacking), hint)
    files = sum(one.files for one in registry.releases())
    return health.ok("store", f"it holds the {files} file(s) of every release")


def _mark(home: Path) -> Finding:
    """Find the mark: opening the registry has compared it, where it can be read."""
    place = Marker(home).place()
    if place is None:
        return health.ok("mark", "none is kept; see `airlift trust mark`")
    shown = naming.show(str(place))
    if not there(place, error=RegistryError):
        text = f"{shown} is not there: imports refuse until it is"
        return health.problem("mark", text, "mount where it lies", RegistryError)
    return health.ok("mark", f"{shown} agrees: this registry was never further")


def _incoming(home: Path, now: str) -> Finding:
    try:
        waiting = arriving(home)
    except AirliftError as error:
        return health.failed("incoming", error)
    if not waiting:
        return health.ok("incoming", "no delivery waits for more volumes")
    told, stale = [], False
    for folder in waiting:
        since = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        touched = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        told.append(f"{folder.name[:12]} since {touched}")
        stale = stale or days_from(touched, now) > STALE_DAYS
    text = f"deliveries that wait for volumes: {', '.join(told)}"
    if stale:
        hint = "bring the missing volumes, or give up with `airlift gc --incoming`"
        return health.warning("incoming", text, hint)
    return health.ok("incoming", text)


def _rotten(home: Path) -> Finding:
    folder = home / "store" / "quarantine"
    count = len(names(folder)) if folder.is_dir() else 0
    if not count:
        return health.ok("rot", "no rotten blob was ever moved aside")
    text = f"{count} rotten blob(s) were moved to {naming.show(str(folder))}"
    hint = "look at the disk (`dmesg`, smartctl); delete them by hand when done"
    return health.warning("rot", text, hint)
