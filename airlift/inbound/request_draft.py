"""What this site is about to ask for: one small file, until it is signed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from airlift import naming
from airlift.artifact import Json, Kind
from airlift.errors import RequestError
from airlift.format import canonical, request
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item
from airlift.format.fields import Fields
from airlift.format.request import Want
from airlift.format.request_text import entry_key, entry_label
from airlift.store.durable import Disk, read_file, there

FORMAT = "airlift/request-draft/1"
FOLDER = "requests"
"""Below the home."""
FILE = "draft.json"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be asked for.

    Attributes:
        entries: Keys of catalogue entries (``entry_key``), which mean the same in the
            next catalogue; sorted.
        wants: What no catalogue has; sorted.
        anchor: Whether a delivery is wanted that builds on nothing.
    """

    entries: tuple[str, ...] = ()
    wants: tuple[Want, ...] = ()
    anchor: bool = False

    def adding(self, key: str) -> "Draft":
        """Return this draft with the entry of *key* too."""
        return replace(self, entries=tuple(sorted({*self.entries, key})))

    def wanting(self, want: Want) -> "Draft":
        """Return this draft with *want* too.

        Raises:
            RequestError: It cannot be asked for.
        """
        if problem := request.want_problem(want):
            text = f"`{naming.show(want.name)}` cannot be asked for: {problem}"
            raise RequestError(text, hint="ask for KIND:NAME@REVISION")
        wants = sorted({*self.wants, want}, key=lambda one: one.order)
        return replace(self, wants=tuple(wants))

    def without(self, key: str) -> "Draft":
        """Return this draft without the entry of *key*."""
        kept = tuple(one for one in self.entries if one != key)
        return replace(self, entries=kept)

    def not_wanting(self, want: Want) -> "Draft":
        """Return this draft without *want*."""
        kept = tuple(one for one in self.wants if one != want)
        return replace(self, wants=kept)


def read(home: Path) -> Draft:
    """Return the draft in *home*; an empty one where there is none.

    Raises:
        FormatError: The file is damaged.
        StoreError: It cannot be read.
    """
    path = home / FOLDER / FILE
    if not there(path):
        return Draft()
    data = read_file(path, limit=_LIMIT)
    top = Fields(canonical.decode(data, name=FILE, limit=_LIMIT), record=FILE)
    top.exactly("format", "entries", "wants", "anchor")
    top.expect("format", FORMAT)
    return Draft(
        entries=top.texts("entries"),
        wants=tuple(_want(one) for one in top.tables("wants")),
        anchor=top.flag("anchor"),
    )


def write(home: Path, draft: Draft) -> None:
    """Put *draft* in the place of the one in *home*; durable.

    Raises:
        StoreError: The disk refuses.
    """
    wants: list[Json] = [
        {"kind": one.kind.value, "name": one.name, "revision": one.revision}
        for one in draft.wants
    ]
    table: dict[str, Json] = {
        "format": FORMAT,
        "entries": draft.entries,
        "wants": wants,
        "anchor": draft.anchor,
    }
    disk, path = Disk(), home / FOLDER / FILE
    disk.make_folder(path.parent, mode=0o700)
    disk.write_file(path, canonical.encode(table))


def numbers(draft: Draft, catalogue: Catalogue | None) -> tuple[int, ...]:
    """Return the numbers that the entries of *draft* have in *catalogue*, rising.

    Raises:
        RequestError: The catalogue has one of them no longer.
    """
    known = by_key(catalogue)
    for key in draft.entries:
        if key not in known:
            problem = f"the newest catalogue has no entry for {_shown(key)}"
            hint = "`airlift request remove` takes it out; ask for it by name instead"
            raise RequestError(problem, hint=hint)
    return tuple(sorted(known[key] for key in draft.entries))


def by_key(catalogue: Catalogue | None) -> Mapping[str, int]:
    """Return the number of each entry of *catalogue*, by its key."""
    entries = catalogue.entries if catalogue else ()
    return {entry_key(entry): number for number, entry in enumerate(entries)}


def find(reference: str, catalogue: Catalogue | None) -> str | None:
    """Return the key of the one entry that *reference* means; None if there is none.

    Args:
        reference: A number, or ``[KIND:]NAME``; of packages ``package:NAME``.
        catalogue: The newest one; None where none has come.

    Raises:
        RequestError: It means several entries, or a number that there is not.
    """
    entries = catalogue.entries if catalogue else ()
    if reference.isascii() and reference.isdecimal():
        if int(reference) >= len(entries):
            problem = f"the catalogue has no entry {int(reference)}"
            hint = f"it has {len(entries)}, from 0: `airlift catalogue show` lists them"
            raise RequestError(problem, hint=hint)
        return entry_key(entries[int(reference)])
    found = [one for one in entries if reference in _names(one)]
    if len(found) > 1:
        listed = ", ".join(
            f"{number} ({entry_label(one)})"
            for number, one in enumerate(entries)
            if one in found
        )
        problem = f"`{naming.show(reference)}` means several entries: {listed}"
        raise RequestError(problem, hint="give the number of one")
    return entry_key(found[0]) if found else None


def want_of(reference: str) -> Want:
    """Return what ``KIND:NAME[@REVISION]`` asks for by name.

    Raises:
        RequestError: It is not of that form, or cannot be asked for.
    """
    kind, colon, rest = reference.partition(":")
    name, _, revision = rest.partition("@")
    if not colon or kind not in set(Kind):
        kinds = ", ".join(one.value for one in Kind if one is not Kind.FOLDER)
        problem = f"`{naming.show(reference)}` is not KIND:NAME or KIND:NAME@REVISION"
        raise RequestError(problem, hint=f"KIND is one of {kinds}")
    want = Want(kind=Kind(kind), name=name, revision=revision)
    return Draft().wanting(want).wants[0]


def _names(entry: object) -> tuple[str, ...]:
    """Return the references that mean *entry*."""
    if isinstance(entry, Item):
        names = (entry.name, entry.asked)
        return (*names, *(f"{entry.kind}:{one}" for one in names))
    name = str(getattr(entry, "name", ""))
    return (name, f"package:{name}")


def _shown(key: str) -> str:
    return f"`{naming.show(key[:120])}`"


def _want(entry: Fields) -> Want:
    entry.exactly("kind", "name", "revision")
    return Want(
        kind=entry.choice("kind", Kind),
        name=entry.text("name"),
        revision=entry.text("revision"),
    )
