"""The deny list: keys, releases and files that count for nothing any more.

One signed record for all sites, the target ``deny/VERSION.json`` of the top-level
targets role: the release approvers sign it. It travels with every delivery, so an empty
delivery is enough to revoke something, and it only grows: no later delivery, by whomever
it is signed, makes a site forget what was denied.

Source: docs/format.md, "Deny list".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from airlift import naming
from airlift.artifact import Json, Release
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields
from airlift.trust.quorum import Quorum

FORMAT = "airlift/deny/1"
LIMIT = 8 << 20
"""Bytes; enough for 40,000 entries."""
WHY = 200
"""Most characters of a reason."""


class What(StrEnum):
    """What an entry denies."""

    KEY = "key"
    RELEASE = "release"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Denial:
    """One thing that is denied.

    Attributes:
        what: A key, a release, or a file.
        digest: Id of the key, id of the release, or SHA-256 of the file's bytes.
        since: When it was denied, ``YYYY-MM-DDThh:mm:ssZ``.
        why: For whoever asks; one line.
    """

    what: What
    digest: Sha256
    since: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyList:
    """What is denied at every site.

    Attributes:
        version: 1, 2, 3...; 0 for the list that denies nothing.
        issued: ``YYYY-MM-DDThh:mm:ssZ``; empty for the list that denies nothing.
        entries: In the order of what and digest, each once.
    """

    version: int
    issued: str
    entries: tuple[Denial, ...]

    def digests(self, *whats: What) -> frozenset[Sha256]:
        """Return the digests of the entries that deny one of *whats*."""
        return frozenset(one.digest for one in self.entries if one.what in whats)

    def of(self, release_id: Sha256, release: Release) -> Denial | None:
        """Return why a release may not be used: denied itself, or one of its files."""
        files = {one.sha256 for one in release.files}
        for one in self.entries:
            if one.what is What.RELEASE and one.digest == release_id:
                return one
            if one.what is What.FILE and one.digest in files:
                return one
        return None

    def without(self, people: Quorum) -> Quorum:
        """Return *people* without those whose keys are denied; how many must sign stays.

        Fewer may be left than must sign: then nobody can, which is what is wanted.
        """
        gone = self.digests(What.KEY)
        left = tuple(key for key in people.keys if key.key_id not in gone)
        return replace(people, keys=left)

    def grown(self, entries: Iterable[Denial], *, now: str) -> "DenyList":
        """Return the next list, with *entries* that are not in this one.

        What is listed already keeps its day and its reason. The same list where
        nothing is new.
        """
        known = {(one.what, one.digest) for one in self.entries}
        fresh = {
            (one.what, one.digest): one
            for one in entries
            if (one.what, one.digest) not in known
        }
        if not fresh:
            return self
        return DenyList(
            version=self.version + 1,
            issued=now,
            entries=tuple(sorted((*self.entries, *fresh.values()))),
        )


NOTHING = DenyList(version=0, issued="", entries=())


def reason(why: str) -> str:
    """Return *why* if it can be an entry's reason.

    Raises:
        RequestError: It is empty, too long, or cannot be shown on one line.
    """
    if not why or len(why) > WHY or why != naming.show(why):
        problem = f"the reason is empty, longer than {WHY} characters or not one line"
        raise RequestError(problem, hint="say in a few words why it is denied")
    return why


def encode(listed: DenyList) -> bytes:
    """Return the canonical bytes of *listed*."""
    entries: list[Json] = [
        {
            "what": one.what.value,
            "digest": one.digest,
            "since": one.since,
            "why": one.why,
        }
        for one in listed.entries
    ]
    return canonical.encode(
        {
            "format": FORMAT,
            "version": listed.version,
            "issued": listed.issued,
            "denied": entries,
        }
    )


def decode(data: bytes, *, name: str = "deny list") -> DenyList:
    """Return the deny list that canonical *data* states; of no bytes, ``NOTHING``.

    Raises:
        FormatError: It is not a deny list this version understands.
    """
    if not data:
        return NOTHING
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly("format", "version", "issued", "denied")
    top.expect("format", FORMAT)
    if not is_time(issued := top.text("issued")):
        top.refuse("issued", "is not `YYYY-MM-DDThh:mm:ssZ`")
    entries = tuple(_entry(one) for one in top.tables("denied"))
    order = [(one.what, one.digest) for one in entries]
    if not order or order != sorted(set(order)):
        top.refuse("denied", "is not sorted, each once, at least one")
    return DenyList(
        version=top.number("version", least=1), issued=issued, entries=entries
    )


def _entry(entry: Fields) -> Denial:
    entry.exactly("what", "digest", "since", "why")
    # A kind of thing this version does not know could not be kept from use: refused.
    if (what := entry.text("what")) not in {one.value for one in What}:
        entry.refuse("what", f"has the unknown value `{naming.show(what)}`")
    if not is_time(since := entry.text("since")):
        entry.refuse("since", "is not `YYYY-MM-DDThh:mm:ssZ`")
    why = entry.text("why")
    if not why or len(why) > WHY or why != naming.show(why):
        entry.refuse("why", f"is empty, longer than {WHY} characters or not one line")
    return Denial(what=What(what), digest=entry.sha256("digest"), since=since, why=why)
