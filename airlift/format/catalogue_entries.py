"""The entries of a catalogue: artifacts and packages (docs/catalogue.md, "Entries")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airlift import naming
from airlift.artifact import NOTHING, Json, Kind, Wish
from airlift.digest import Sha256
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields


class Standing(StrEnum):
    """Whether upstream still gives an artifact or package."""

    AVAILABLE = "available"
    GATED = "gated"
    """Only to those who accept its terms."""
    DISABLED = "disabled"
    """Upstream has switched it off."""
    GONE = "gone"
    """It is not there any more, or not public."""
    UNKNOWN = "unknown"
    """It was never asked with success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A revision that an earlier catalogue stated as the newest.

    Attributes:
        revision: 40 or 64 hexadecimal digits.
        as_of: When it was last known to be.
    """

    revision: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file upstream.

    Attributes:
        path: Its path in the artifact, or its name on the index.
        size: Bytes; None where upstream does not say.
        sha256: As stated; None where it is not.
        git_oid: Git's id of the blob, where upstream keeps the file in git itself.
        yanked: Of a wheel: the reason, perhaps empty; None where it is not yanked.
    """

    path: str
    size: int | None
    sha256: Sha256 | None = None
    git_oid: str | None = None
    yanked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An artifact that is watched.

    Attributes:
        kind: Which source knows it.
        name: Its name, as a release of it has it.
        asked: Its name as a manifest states it (for Ollama and OCI with the tag).
        options: What it is watched with, as a manifest's entry states it, without
            what means something on the connected host only (paths).
        source: Where it was asked for: an address without a login.
        as_of: When the source last answered; empty where it never did.
        problem: Why it could not be asked this time; empty where it could.
        standing: Whether it is still given.
        reason: Why it is not, in upstream's words or the source's; may be empty.
        moved_to: Its new name where it was renamed; else empty.
        revision: The newest, 40 or 64 hexadecimal digits; empty where upstream gives
            none, which is so for what is gated or gone.
        modified: When upstream last changed it, by its own word; may be empty.
        refs: Branches and tags that name this revision.
        licence: As for a release; may be empty.
        base_models: As for a release.
        facts: What else upstream says of the whole (``library``, ``task``...).
        files: Of this revision, as the options choose them; sorted by path.
        earlier: Newest first; at most ``EARLIER``.
    """

    kind: Kind
    name: str
    asked: str
    options: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    source: str = ""
    as_of: str = ""
    problem: str = ""
    standing: Standing = Standing.AVAILABLE
    reason: str = ""
    moved_to: str = ""
    revision: str = ""
    modified: str = ""
    refs: tuple[str, ...] = ()
    licence: str = ""
    base_models: tuple[str, ...] = ()
    facts: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    files: tuple[KnownFile, ...] = ()
    earlier: tuple[Seen, ...] = ()

    @property
    def order(self) -> tuple[str, str, str, bytes]:
        """What items are sorted by and told apart by."""
        return self.kind.value, self.name, self.asked, canonical.encode(self.options)

    @property
    def wish(self) -> Wish:
        """How a source is asked for it."""
        return Wish(kind=self.kind, name=self.asked, options=self.options)

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size or 0 for file in self.files)


EARLIER = 8
"""Most earlier revisions of an item: two months of a repository that moves weekly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a package.

    Attributes:
        version: In PyPA's normal form.
        uploaded: When its first file was; may be empty.
        requires_python: As the index states it; may be empty.
        files: Those for the watched targets, sorted by name.
    """

    version: str
    uploaded: str = ""
    requires_python: str = ""
    files: tuple[KnownFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of an index that is watched.

    Attributes:
        name: In PyPA's normal form.
        source: The index, without a login.
        as_of: When it last answered; empty where it never did.
        problem: Why it could not be asked this time; empty where it could.
        standing: Whether it is still there.
        status: Its status there (PEP 792): ``active``, ``archived``, ``quarantined``,
            ``deprecated``.
        reason: What the index says of that; may be empty.
        newest: The newest version that is no preview, not yanked and for a watched
            target; empty where there is none.
        versions: The newest, and those that sites were sent; newest first.
        advised: The feed's ``as_of`` when advisories were last looked through for
            it: they are complete up to then. Empty where they never were.
    """

    name: str
    source: str = ""
    as_of: str = ""
    problem: str = ""
    standing: Standing = Standing.AVAILABLE
    status: str = "active"
    reason: str = ""
    newest: str = ""
    versions: tuple[Version, ...] = ()
    advised: str = ""


def encode_item(item: Item) -> dict[str, Json]:
    """Return the record of *item*."""
    return {
        "kind": item.kind.value,
        "name": item.name,
        "asked": item.asked,
        "options": item.options,
        "source": item.source,
        "as_of": item.as_of,
        "problem": item.problem,
        "standing": item.standing.value,
        "reason": item.reason,
        "moved_to": item.moved_to,
        "revision": item.revision,
        "modified": item.modified,
        "refs": item.refs,
        "licence": item.licence,
        "base_models": item.base_models,
        "facts": item.facts,
        "files": [_file(one) for one in item.files],
        "earlier": [
            {"revision": one.revision, "as_of": one.as_of} for one in item.earlier
        ],
    }


def encode_package(package: Package) -> dict[str, Json]:
    """Return the record of *package*."""
    versions: list[Json] = [
        {
            "version": one.version,
            "uploaded": one.uploaded,
            "requires_python": one.requires_python,
            "files": [_file(file) for file in one.files],
        }
        for one in package.versions
    ]
    return {
        "name": package.name,
        "source": package.source,
        "as_of": package.as_of,
        "problem": package.problem,
        "standing": package.standing.value,
        "status": package.status,
        "reason": package.reason,
        "newest": package.newest,
        "versions": versions,
        "advised": package.advised,
    }


def _file(file: KnownFile) -> dict[str, Json]:
    return {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "git_oid": file.git_oid,
        "yanked": file.yanked,
    }


def read_item(entry: Fields) -> Item:
    """Return the item that *entry* states.

    Raises:
        FormatError: It is none this version understands; names the place.
    """
    entry.exactly(
        *("kind", "name", "asked", "options", "source", "as_of", "problem"),
        *("standing", "reason", "moved_to", "revision", "modified", "refs", "licence"),
        *("base_models", "facts", "files", "earlier"),
    )
    found = Item(
        kind=entry.choice("kind", Kind),
        name=entry.text("name"),
        asked=entry.text("asked"),
        options=entry.mapping("options"),
        source=entry.text("source"),
        as_of=read_time(entry, "as_of", or_empty=True),
        problem=entry.text("problem"),
        standing=entry.choice("standing", Standing),
        reason=entry.text("reason"),
        moved_to=entry.text("moved_to"),
        revision=entry.text("revision"),
        modified=entry.text("modified"),
        refs=entry.texts("refs"),
        licence=entry.text("licence"),
        base_models=entry.texts("base_models"),
        facts=entry.mapping("facts"),
        files=_read_files(entry),
        earlier=tuple(_read_seen(one) for one in entry.tables("earlier")),
    )
    if problem := naming.name_problem(found.name):
        entry.refuse("name", f"{problem}: `{naming.show(found.name)}`")
    if len(found.earlier) > EARLIER:
        entry.refuse("earlier", f"has more than {EARLIER} revisions")
    _check_asked(entry, found)
    return found


def read_package(entry: Fields) -> Package:
    """Return the package that *entry* states; as ``read_item``."""
    entry.exactly(
        *("name", "source", "as_of", "problem", "standing"),
        *("status", "reason", "newest", "versions", "advised"),
    )
    found = Package(
        name=entry.text("name"),
        source=entry.text("source"),
        as_of=read_time(entry, "as_of", or_empty=True),
        problem=entry.text("problem"),
        standing=entry.choice("standing", Standing),
        status=entry.text("status"),
        reason=entry.text("reason"),
        newest=entry.text("newest"),
        versions=tuple(_read_version(one) for one in entry.tables("versions")),
        advised=read_time(entry, "advised", or_empty=True),
    )
    names = [one.version for one in found.versions]
    if len(set(names)) != len(names):
        entry.refuse("versions", "have one twice")
    if found.newest and found.newest not in names:
        entry.refuse("newest", "is not among the versions")
    _check_asked(entry, found)
    return found


def _check_asked(entry: Fields, found: Item | Package) -> None:
    # Silence must not pass for news: what was never answered has a reason for it.
    if (found.standing is Standing.UNKNOWN) != (not found.as_of):
        entry.refuse("standing", "does not go with `as_of`")
    if not found.as_of and not found.problem:
        entry.refuse("problem", "is empty, though the source never answered")


def _read_files(entry: Fields) -> tuple[KnownFile, ...]:
    found = tuple(_read_file(one) for one in entry.tables("files"))
    paths = [one.path for one in found]
    if paths != sorted(set(paths)):
        entry.refuse("files", "are not sorted by path, each once")
    return found


def _read_file(entry: Fields) -> KnownFile:
    entry.exactly("path", "size", "sha256", "git_oid", "yanked")
    return KnownFile(
        path=entry.text("path"),
        size=entry.number("size") if entry.has("size") else None,
        sha256=entry.sha256("sha256") if entry.has("sha256") else None,
        git_oid=entry.text("git_oid") if entry.has("git_oid") else None,
        yanked=entry.text("yanked") if entry.has("yanked") else None,
    )


def _read_version(entry: Fields) -> Version:
    entry.exactly("version", "uploaded", "requires_python", "files")
    return Version(
        version=entry.text("version"),
        uploaded=entry.text("uploaded"),
        requires_python=entry.text("requires_python"),
        files=_read_files(entry),
    )


def _read_seen(entry: Fields) -> Seen:
    entry.exactly("revision", "as_of")
    return Seen(revision=entry.text("revision"), as_of=read_time(entry, "as_of"))


def read_time(entry: Fields, key: str, *, or_empty: bool = False) -> str:
    """Return the time at *key*, ``YYYY-MM-DDThh:mm:ssZ``.

    Raises:
        FormatError: It is none.
    """
    value = entry.text(key)
    if not (is_time(value) or (or_empty and not value)):
        shown = naming.show(value[:40])
        entry.refuse(key, f"is `{shown}`, expected a time like `2026-01-31T23:59:59Z`")
    return value
