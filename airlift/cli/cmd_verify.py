"""``airlift verify``: re-hash what the store holds."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from airlift import naming
from airlift.artifact import Json
from airlift.cli import config, moving, output
from airlift.digest import Sha256
from airlift.errors import RequestError, StoreError
from airlift.progress import Progress
from airlift.registry import hashed
from airlift.registry.engine import FILE
from airlift.registry.hashed import State
from airlift.registry.held import Event, Held
from airlift.registry.registry import Registry
from airlift.store import scrub
from airlift.store.blobs import BlobStore
from airlift.store.scrub import Look

_STATES = {
    "rotten": State.CHANGED,
    "missing": State.MISSING,
    "unreadable": State.UNREADABLE,
}
_FETCH = "add --quarantine, and the next export fetches them again"
_HINT = (
    "export the releases named above again on the connected host and import that "
    "delivery: what is missing comes with it"
)


@click.command("verify")
@click.argument("references", nargs=-1)
@click.option(
    "--quarantine",
    is_flag=True,
    help="Move rotten blobs aside, so that they are never served.",
)
@config.home_option
@config.json_option
def command(
    home: Path, references: tuple[str, ...], *, quarantine: bool, as_json: bool
) -> int:
    """Hash every blob of the store again, or those of the releases REFERENCES.

    Names each blob that is rotten, missing or unreadable, with the releases that use
    it and the delivery that brought them. Exit code 6 if there is any. May run while
    clients are served; it moves nothing unless --quarantine is given. On the connected
    side it hashes what was fetched, and takes no REFERENCES.
    """
    registry = _registry(home, references)
    work = Scrub(registry, BlobStore(home / "store"))
    begun = config.now()
    with ExitStack() as held:
        if quarantine and registry:
            held.enter_context(registry.exclusive("verify"))
        blobs = work.wanted(references)
        found = work.run(blobs, output.progress(quiet=as_json))
        moved = work.set_aside(found) if quarantine else {}
    total = sum(blobs.values())
    if registry:
        _note(home, blobs, found, moved, begun)
        mode = "releases" if references else "full"
        _log(registry, found, moved, mode=mode, blobs=len(blobs), size=total)
    if as_json:
        shown: list[Json] = [_as_json(one, moved) for one in found]
        output.as_json({"blobs": len(blobs), "bytes": total, "problems": shown})
        return StoreError.exit_code if found else 0
    for one in found:
        _print(one, moved)
    output.line(f"{len(blobs)} blob(s), {output.size(total)}: {len(found)} problem(s)")
    if found:
        problem = f"{len(found)} blob(s) of the store are rotten, missing or unreadable"
        raise StoreError(problem, hint=_HINT if registry else _FETCH)
    return 0


def _registry(home: Path, references: Sequence[str]) -> Registry | None:
    """Return the registry of *home*; None on the connected side, which has none."""
    if (home / FILE).exists() or not (home / "trust").is_dir():
        return Registry.open(home)
    if references:
        problem = "releases can be named on the isolated side only"
        raise RequestError(problem, hint="leave the names out to hash the whole store")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A blob that is not as it should be.

    Attributes:
        blob: Its digest.
        what: ``rotten``, ``missing`` or ``unreadable``.
        problem: In a line.
        users: The releases that have it among their files.
    """

    blob: Sha256
    what: str
    problem: str
    users: tuple[Held, ...]


class Scrub:
    """A look at every byte of a store.

    Args:
        registry: Which releases use what; None where there is no registry.
        store: What is read.
    """

    def __init__(self, registry: Registry | None, store: BlobStore) -> None:
        self._registry, self._store = registry, store

    def wanted(self, references: Sequence[str]) -> dict[Sha256, int]:
        """Return the blobs to look at, with their sizes in bytes.

        Args:
            references: Releases; none for all that is held or named.

        Raises:
            RequestError: A reference means no release, or several.
        """
        if self._registry is None:
            return dict(self._store.all())
        census = self._registry.census()
        if references:
            chosen = moving.find(self._registry, references)
            return dict(census.blobs([one.id for one in chosen]))
        return dict(census.blobs()) | dict(self._store.all())

    def run(self, blobs: dict[Sha256, int], progress: Progress) -> list[Bad]:
        """Hash *blobs*, several at once; return what is wrong, by digest."""
        with progress.task("verifying", sum(blobs.values())) as advance:
            spans = self._store.spans(blobs)
            looks = scrub.rehash(blobs, self._store.span, advance, spans)
        judged = ((look.blob, *_judge(look)) for look in looks)
        return [
            bad
            for blob, what, problem in judged
            if what
            if (bad := self._bad(blob, what, problem))
        ]

    def _bad(self, blob: Sha256, what: str, problem: str) -> Bad | None:
        users = self._registry.using(blob) if self._registry else ()
        if not users and not self._store.has(blob):
            return None  # collected since it was listed
        return Bad(blob=blob, what=what, problem=problem, users=users)

    def set_aside(self, found: Sequence[Bad]) -> dict[Sha256, Path]:
        """Move the rotten ones of *found* aside; return where each is now.

        Raises:
            StoreError: The disk refused.
        """
        return {
            one.blob: self._store.quarantine(one.blob)
            for one in found
            if one.what != "missing" and self._store.has(one.blob)
        }


def _judge(look: Look) -> tuple[str, str]:
    """Return what is wrong with a blob, in a word and in a line; nothing if sound."""
    if look.missing:
        return "missing", "it is not in the store"
    if look.problem:
        return "unreadable", look.problem
    if look.digest != look.blob:
        return "rotten", f"its {look.size} bytes hash to {look.digest}"
    return "", ""


def _note(
    home: Path,
    blobs: Iterable[Sha256],
    found: Sequence[Bad],
    moved: Collection[Sha256],
    begun: str,
) -> None:
    """Note when each blob was hashed, and what came of it."""
    bad = {one.blob: _STATES[one.what] for one in found}
    # What was moved aside is gone from the store until it comes again.
    bad |= dict.fromkeys(moved, State.MISSING)
    looks = ((blob, bad.get(blob, State.IDENTICAL)) for blob in blobs)
    hashed.record(home, looks, time=begun)
    hashed.prune(home)


def _log(
    registry: Registry,
    found: Sequence[Bad],
    moved: Collection[Sha256],
    *,
    mode: str,
    blobs: int,
    size: int,
) -> None:
    detail: dict[str, Json] = {
        "mode": mode,
        "blobs": blobs,
        "bytes": size,
        "bad": [one.blob for one in found],
    }
    if moved:
        detail["moved"] = tuple(sorted(moved))
    registry.log(
        Event(
            time=config.now(),
            actor=config.actor(),
            action="verify",
            outcome="failed" if found else "done",
            detail=detail,
        )
    )


def _print(one: Bad, moved: dict[Sha256, Path]) -> None:
    output.line(f"{one.what}  {one.blob}: {naming.show(one.problem)}")
    for user in one.users:
        output.line(
            f"  used by {moving.label(user)}  ({user.state}), delivery {user.sequence}"
        )
    if not one.users:
        output.line("  used by no release here")
    if one.blob in moved:
        output.line(f"  moved to {naming.show(str(moved[one.blob]))}")


def _as_json(one: Bad, moved: dict[Sha256, Path]) -> Json:
    users: list[Json] = [
        {
            "id": user.id,
            "kind": user.release.kind.value,
            "name": user.release.name,
            "revision": user.release.revision,
            "state": user.state.value,
            "sequence": user.sequence,
        }
        for user in one.users
    ]
    return {
        "blob": one.blob,
        "what": one.what,
        "problem": one.problem,
        "releases": users,
        "moved_to": str(moved.get(one.blob, "")),
    }
