"""The catalogue: what is known of upstream, and as of when (docs/catalogue.md).

One small signed file a week tells an isolated site what changed upstream. It is
information and nothing else: no byte is served, imported or trusted because of it.

Its **entries** are what a site can ask for. They have numbers, counted from 0 over the
items and then the packages, in the order of the document. A number means, in one
catalogue and nowhere else:

* of an item: that artifact, with the options it is watched with, at the revision and
  with the files that the catalogue states for it;
* of a package: its newest version, with the files that the catalogue states for it.

Two catalogues are told apart by their ids, the SHA-256 of the canonical document; the
pair of an id and a number names the same thing on both sides of the gap for ever,
because what is signed never changes.

Every entry has an ``as_of`` of its own: when its source last answered for it. One that
could not be asked keeps the old time, the old content, and says why in ``problem``; so
a source that fell silent cannot look fresh because another did not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airlift.artifact import NOTHING, Json
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.format.catalogue_entries import (
    Item,
    Package,
    encode_item,
    encode_package,
    read_item,
    read_package,
    read_time,
)
from airlift.format.fields import Fields

FORMAT = "airlift/catalogue/1"
LIMIT = 32 << 20
"""Bytes of a document; that of 25 models and 200 packages has 430 KB."""
ENTRIES = 65_536
"""Most entries, so that a number fits in two bytes of a request."""
ADVISORIES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The advisories that were looked through.

    Attributes:
        as_of: The newest change in it, by its own word; empty where none was ever
            given. Nothing newer than this is known.
        problem: Why it is not from this catalogue's making; empty where it is.
        records: How many records it had.
        sha256: Of the list of its records' digests, sorted; None where none was given.
    """

    as_of: str = ""
    problem: str = "no advisories were given"
    records: int = 0
    sha256: Sha256 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One OSV record that touches a watched package, reduced; or a rule (``rule``).

    Attributes:
        id: ``GHSA-...``, ``PYSEC-...``, ``MAL-...``.
        record: The fields that are kept, in OSV's own form: ``aliases``, ``summary``,
            ``published``, ``modified``, ``withdrawn``, ``severity``, ``affected``; under
            ``database_specific`` its publisher's ``severity``, and what was found out
            about it, ``kev`` and ``epss``.
        sha256: Of the file the record was read from.

    Source: OSV schema 1.7.
    """

    id: str
    record: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    sha256: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What is known of upstream.

    Attributes:
        sequence: 1, 2, 3...; strictly rising.
        previous: Id of the one before; None for the first.
        issued: When it was made, ``YYYY-MM-DDThh:mm:ssZ`` as all times here.
        next_expected: When the next one should be made: silence after it is a finding.
        valid_until: After it, nothing here is worth much.
        items: Sorted by kind, names and options; each once.
        packages: Sorted by name; each once. Advisories are complete for these, up to
            what each says, and for no others.
        feed: Which advisories were looked through last.
        advisories: Those that touch a package of the list, sorted by id.
    """

    sequence: int
    previous: Sha256 | None
    issued: str
    next_expected: str
    valid_until: str
    items: tuple[Item, ...] = ()
    packages: tuple[Package, ...] = ()
    feed: Feed = field(default_factory=Feed)
    advisories: tuple[Advisory, ...] = ()

    @property
    def entries(self) -> tuple[Item | Package, ...]:
        """What a site can ask for: the place of each is its number."""
        return (*self.items, *self.packages)

    def entry(self, number: int) -> Item | Package:
        """Return the entry with *number*.

        Raises:
            FormatError: There is none.
        """
        if 0 <= number < len(self.items):
            return self.items[number]
        if 0 <= number - len(self.items) < len(self.packages):
            return self.packages[number - len(self.items)]
        count = len(self.items) + len(self.packages)
        problem = f"catalogue {self.sequence} has no entry {number}, it has {count}"
        raise FormatError(problem, hint="was another catalogue meant?")


def identify(document: bytes) -> Sha256:
    """Return the id of the catalogue whose canonical *document* this is."""
    return sha256(document)


def encode(catalogue: Catalogue) -> bytes:
    """Return the canonical document of *catalogue*."""
    feed: dict[str, Json] = {
        "as_of": catalogue.feed.as_of,
        "problem": catalogue.feed.problem,
        "records": catalogue.feed.records,
        "sha256": catalogue.feed.sha256,
    }
    advisories: list[Json] = [
        {"id": one.id, "record": one.record, "sha256": one.sha256}
        for one in catalogue.advisories
    ]
    return canonical.encode(
        {
            "format": FORMAT,
            "sequence": catalogue.sequence,
            "previous": catalogue.previous,
            "issued": catalogue.issued,
            "next_expected": catalogue.next_expected,
            "valid_until": catalogue.valid_until,
            "items": [encode_item(one) for one in catalogue.items],
            "packages": [encode_package(one) for one in catalogue.packages],
            "feed": feed,
            "advisories": advisories,
        }
    )


def decode(document: bytes, *, name: str = "catalogue") -> Catalogue:
    """Return the catalogue that the canonical *document* states.

    Call it on authenticated bytes only.

    Args:
        document: The whole document, not compressed.
        name: What to call it in an error.

    Raises:
        FormatError: It is not a catalogue this version understands.
    """
    top = Fields(canonical.decode(document, name=name, limit=LIMIT), record=name)
    top.exactly(
        *("format", "sequence", "previous", "issued", "next_expected", "valid_until"),
        *("items", "packages", "feed", "advisories"),
    )
    top.expect("format", FORMAT)
    found = Catalogue(
        sequence=top.number("sequence", least=1),
        previous=top.sha256("previous") if top.has("previous") else None,
        issued=read_time(top, "issued"),
        next_expected=read_time(top, "next_expected"),
        valid_until=read_time(top, "valid_until"),
        items=tuple(read_item(one) for one in top.tables("items")),
        packages=tuple(read_package(one) for one in top.tables("packages")),
        feed=_read_feed(top.table("feed")),
        advisories=tuple(_read_advisory(one) for one in top.tables("advisories")),
    )
    _check(top, found)
    return found


def _read_feed(entry: Fields) -> Feed:
    entry.exactly("as_of", "problem", "records", "sha256")
    return Feed(
        as_of=read_time(entry, "as_of", or_empty=True),
        problem=entry.text("problem"),
        records=entry.number("records"),
        sha256=entry.sha256("sha256") if entry.has("sha256") else None,
    )


def _read_advisory(entry: Fields) -> Advisory:
    entry.exactly("id", "record", "sha256")
    return Advisory(
        id=entry.text("id"),
        record=entry.mapping("record"),
        sha256=entry.sha256("sha256"),
    )


def _check(top: Fields, found: Catalogue) -> None:
    if (found.sequence == 1) != (found.previous is None):
        top.refuse("previous", f"does not go with sequence {found.sequence}")
    if not found.issued < found.next_expected <= found.valid_until:
        problem = "is not after `issued` and at most `valid_until`"
        top.refuse("next_expected", problem)
    if len(found.items) + len(found.packages) > ENTRIES:
        top.refuse("items", f"and `packages` have more than {ENTRIES} entries")
    # By number is how both sides speak of entries: one order, each once.
    items = [one.order for one in found.items]
    if items != sorted(set(items)):
        top.refuse("items", "are not in order, each once")
    for key, names in (
        ("packages", [one.name for one in found.packages]),
        ("advisories", [one.id for one in found.advisories]),
    ):
        if names != sorted(set(names)):
            top.refuse(key, "are not in order, each once")
    late = [one for one in found.entries if one.as_of > found.issued]
    if late:
        # A source that claims to have been asked later would look fresh for ever.
        top.refuse("issued", f"is before what `{late[0].name}` is known as of")
