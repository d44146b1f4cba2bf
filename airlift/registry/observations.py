"""Observations of runtime hosts that were taken in: lines of the log, and files beside it.

Below the home::

    records/observations/<sha256>.json    as it was written on the host

No table, as with scans: what somebody saw on a day is a fact about that day, and the log
is where facts are. So a rebuild has them, and the log vouches for each file by its digest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256, sha256
from airlift.errors import FormatError, RegistryError, RequestError
from airlift.format import observation
from airlift.format.observation import Observation
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.store.durable import Disk, read_file

ACTION: Final = "observe"
"""What the log calls taking one in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An observation that was taken in.

    Attributes:
        id: SHA-256 of its document.
        host: What it is of.
        time: When it was made, by the host's clock.
        taken: When it came here.
        actor: Who took it in.
    """

    id: Sha256
    host: str
    time: str
    taken: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedVersion:
    """A version of a package or runtime that a host was seen to have.

    Attributes:
        host: Which.
        name: Normalised, as in a package index; a runtime as it was declared.
        version: As it was found, which need not be one that packaging can read.
        time: When it was seen.
        declared: Whether somebody said so, instead of it being found installed.
    """

    host: str
    name: str
    version: str
    time: str
    declared: bool


def take(home: Path, registry: Registry, data: bytes, *, now: str, actor: str) -> Kept:
    """Keep an observation and note it in the log, durable on return.

    The newest one of its host, once more, changes nothing.

    Args:
        home: The folder of the registry.
        registry: The same, open to write.
        data: The document, as the host wrote it.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who takes it in.

    Raises:
        FormatError: It is no observation.
        RequestError: A newer one of this host was taken in before.
        RegistryError: The registry cannot record.
        StoreError: The disk refused.
    """
    seen = observation.decode(data, name="the observation")
    digest = sha256(data)
    known = {one.host: one for one in newest(registry.events(action=ACTION))}
    if before := known.get(seen.host):
        if before.id == digest:
            return before
        if before.time > seen.time:
            problem = (
                f"the observation of {seen.host} is of {seen.time}, one of"
                f" {before.time} is held"
            )
            raise RequestError(problem, hint="observe the host again, then read that")
    path = _path(home, digest)
    disk = Disk()
    disk.make_folder(path.parent, mode=0o700)
    disk.write_file(path, data, mode=0o400)
    kept = Kept(id=digest, host=seen.host, time=seen.time, taken=now, actor=actor)
    registry.log(_event(kept, seen))
    return kept


def newest(events: Iterable[Event]) -> tuple[Kept, ...]:
    """Return the newest observation of each host among *events*, by host."""
    found: dict[str, Kept] = {}
    for event in events:
        digest, time = event.detail.get("id"), event.detail.get("time")
        if event.action == ACTION and is_sha256(digest) and isinstance(time, str):
            found[event.subject] = Kept(
                id=Sha256(str(digest)),
                host=event.subject,
                time=time,
                taken=event.time,
                actor=event.actor,
            )
    return tuple(found[host] for host in sorted(found))


def read(home: Path, kept: Kept) -> Observation:
    """Return what the observation *kept* says.

    Raises:
        RegistryError: Its file is missing, or is not the one that was taken in.
    """
    path = _path(home, kept.id)
    hint = f"observe {kept.host} again (`airlift observe`), or restore `records`"
    data = read_file(path, limit=observation.LIMIT, error=RegistryError)
    if sha256(data) != kept.id:
        problem = f"{naming.show(str(path))} is not the observation that was taken in"
        raise RegistryError(problem, hint=hint)
    try:
        return observation.decode(data, name=path.name)
    except FormatError as error:
        raise RegistryError(error.problem, hint=hint) from error


def versions(home: Path, kept: Iterable[Kept]) -> tuple[ObservedVersion, ...]:
    """Return the versions that hosts were seen to have, by host and name.

    Raises:
        RegistryError: As ``read``.
    """
    return tuple(one for each in kept for one in _versions(read(home, each), each.time))


def _versions(seen: Observation, time: str) -> list[ObservedVersion]:
    found = {
        (package.name, package.version, False)
        for environment in seen.environments
        for package in environment.packages
    }
    found |= {(one.name, one.version, True) for one in seen.runtimes}
    return [
        ObservedVersion(
            host=seen.host, name=name, version=version, time=time, declared=declared
        )
        for name, version, declared in sorted(found)
    ]


def _path(home: Path, digest: Sha256) -> Path:
    return home / "records" / "observations" / f"{digest}.json"


def _event(kept: Kept, seen: Observation) -> Event:
    detail: dict[str, Json] = {
        "id": kept.id,
        "time": kept.time,
        "models": len(seen.models),
        "packages": sum(len(one.packages) for one in seen.environments),
    }
    return Event(
        time=kept.taken,
        actor=kept.actor,
        action=ACTION,
        subject=kept.host,
        detail=detail,
    )
