"""Attestations in a release document (docs/format.md, "Attestations").

The document names each by digest and says who must have signed it: who approves the
release approves that, and no list of keys has to be kept at a site.
"""

from airlift.artifact import Attested, Json, Release, Signatory
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields

MOST = 64
"""Attestations of a release, and signatories of one: bounds what a reader checks."""
AUTHORITY = "x509"
"""The scheme of a signatory that is a certificate, and so vouches for others."""


def tables(release: Release) -> tuple[Json, ...]:
    """Return the attestations of *release* as its document lists them."""
    return tuple(
        {
            "sha256": one.sha256,
            "size": one.size,
            "at": one.at,
            "by": tuple(_signatory(each) for each in one.by),
        }
        for one in release.attestations
    )


def _signatory(one: Signatory) -> dict[str, Json]:
    return {
        "name": one.name,
        "scheme": one.scheme,
        "key_id": one.key_id,
        "public": one.public,
    }


def read(top: Fields, key: str) -> tuple[Attested, ...]:
    """Return the attestations listed at *key* of a release document.

    Raises:
        FormatError: The list is there and empty, too long, not sorted, or says a thing
            twice; or an entry is not one.
    """
    found = tuple(_read(entry) for entry in top.tables(key))
    digests = [one.sha256 for one in found]
    if digests != sorted(set(digests)) or len(found) > MOST:
        top.refuse(key, f"are not sorted by digest, each once, {MOST} at most")
    if key in top.names() and not found:
        top.refuse(key, "is empty; a release without any has no such key")
    return found


def _read(entry: Fields) -> Attested:
    entry.exactly("sha256", "size", "at", "by")
    by = tuple(_read_signatory(one) for one in entry.tables("by"))
    ids = [one.key_id for one in by]
    if not 0 < len(ids) <= MOST or ids != sorted(set(ids)):
        entry.refuse("by", f"are not 1 to {MOST} sorted by `key_id`, each once")
    if not is_time(at := entry.text("at")):
        entry.refuse("at", "is not `YYYY-MM-DDThh:mm:ssZ`")
    return Attested(
        sha256=entry.sha256("sha256"),
        size=entry.number("size", least=1),
        at=at,
        by=by,
    )


def _read_signatory(entry: Fields) -> Signatory:
    entry.exactly("name", "scheme", "key_id", "public")
    return Signatory(
        name=entry.text("name"),
        scheme=entry.text("scheme"),
        key_id=entry.sha256("key_id"),
        public=entry.text("public"),
    )
