"""A site's policy: what goes live there by itself, and who may approve the rest.

A signed record of its own, the target ``policy/SITE/VERSION.json`` of the top-level
targets role: the release approvers sign it, not whoever dispatches, who could else
wave through what they send. It travels with every delivery to its site, and its
version only rises there.

Source: docs/format.md, "Site policy".
"""

from dataclasses import dataclass
from typing import TypeVar

from airlift import naming
from airlift.artifact import ContentClass, Json, Kind
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields
from airlift.trust import public
from airlift.trust.people import person
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum

FORMAT = "airlift/policy/1"
LIMIT = 256 << 10
"""Bytes; enough for 500 approvers."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What goes live at a site by itself, and who may approve the rest.

    Of each list, None allows everything; an empty one allows nothing.

    Attributes:
        site: Whose policy it is.
        version: 1, 2, 3... for each site.
        issued: ``YYYY-MM-DDThh:mm:ssZ``.
        approvers: The people who may approve, each with one key, and how many of them
            must approve a release that the rules do not allow.
        departures: How many of them must approve a lock before it is exported.
        kinds: Kinds of release that go live by themselves, sorted.
        classes: Classes of content that do, sorted.
        licences: Licences that do: SPDX identifiers or an upstream's tags, sorted.
        release_bytes: Largest release that does.
        file_bytes: Largest file that does.
        age_days: Most days between the issue of a delivery and its import.
        encrypted: Whether deliveries must come encrypted to the site.
    """

    site: str
    version: int
    issued: str
    approvers: Quorum
    departures: int = 0
    kinds: tuple[Kind, ...] | None = None
    classes: tuple[ContentClass, ...] | None = None
    licences: tuple[str, ...] | None = None
    release_bytes: int | None = None
    file_bytes: int | None = None
    age_days: int | None = None
    encrypted: bool = False


def encode(policy: Policy) -> bytes:
    """Return the canonical bytes of *policy*."""
    approvers: list[Json] = [public.table(key) for key in policy.approvers.keys]
    record: dict[str, Json] = {
        "format": FORMAT,
        "site": policy.site,
        "version": policy.version,
        "issued": policy.issued,
        "approvers": approvers,
        "threshold": policy.approvers.threshold,
        "departures": policy.departures,
        "kinds": _values(policy.kinds),
        "classes": _values(policy.classes),
        "licences": _values(policy.licences),
        "release_bytes": policy.release_bytes,
        "file_bytes": policy.file_bytes,
        "age_days": policy.age_days,
    }
    if policy.encrypted:
        record["encrypted"] = True
    return canonical.encode(record)


def _values(listed: tuple[str, ...] | None) -> Json:
    return None if listed is None else [str(one) for one in listed]


def decode(data: bytes, *, name: str = "policy") -> Policy:
    """Return the policy that canonical *data* states.

    Raises:
        FormatError: It is not a policy this version understands, two approvers are
            one person or one key, or no approvals could meet it.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.exactly(
        *("format", "site", "version", "issued", "approvers", "threshold"),
        *("departures", "kinds", "classes", "licences"),
        *("release_bytes", "file_bytes", "age_days"),
        *(["encrypted"] if top.has("encrypted") else []),
    )
    top.expect("format", FORMAT)
    if not top.flag("encrypted", default=True):
        top.refuse("encrypted", "is false, which is said by leaving it out")
    if not naming.is_site(site := top.text("site")):
        top.refuse("site", f"is not a site name: `{naming.show(site)}`")
    if not is_time(issued := top.text("issued")):
        top.refuse("issued", "is not `YYYY-MM-DDThh:mm:ssZ`")
    approvers = _approvers(top)
    departures = top.number("departures")
    if departures > len(approvers.keys):
        top.refuse("departures", f"is {departures} of {len(approvers.keys)} people")
    return Policy(
        site=site,
        version=top.number("version", least=1),
        issued=issued,
        approvers=approvers,
        departures=departures,
        kinds=_members(top, "kinds", Kind),
        classes=_members(top, "classes", ContentClass),
        licences=_list(top, "licences"),
        release_bytes=_most(top, "release_bytes"),
        file_bytes=_most(top, "file_bytes"),
        age_days=_most(top, "age_days"),
        encrypted=top.has("encrypted"),
    )


def _approvers(top: Fields) -> Quorum:
    found: list[PublicKey] = []
    for entry in top.tables("approvers"):
        entry.exactly("name", "scheme", "key_id", "public")
        found.append(public.from_table(entry))
    ids = [key.key_id for key in found]
    if not ids or ids != sorted(set(ids)):
        top.refuse("approvers", "are not sorted by `key_id`, at least one, each once")
    # Two keys of one person would be two approvals by one person.
    people = [person(key.name) for key in found]
    if twice := next((one for one in people if people.count(one) > 1), None):
        top.refuse("approvers", f"name `{naming.show(twice)}` twice")
    threshold = top.number("threshold", least=1)
    if threshold > len(found):
        top.refuse("threshold", f"is {threshold} of {len(found)} people")
    return Quorum(keys=tuple(found), threshold=threshold)


def _list(top: Fields, key: str) -> tuple[str, ...] | None:
    if not top.has(key):
        return None
    found = top.texts(key)
    if list(found) != sorted(set(found)):
        top.refuse(key, "is not sorted, each once")
    return found


def _members(top: Fields, key: str, kind: type[T]) -> tuple[T, ...] | None:
    listed = _list(top, key)
    if listed is None:
        return None
    known = {str(one): one for one in kind}  # type: ignore[attr-defined]
    for one in listed:
        if one not in known:
            top.refuse(key, f"has the unknown value `{naming.show(one)}`")
    return tuple(known[one] for one in listed)


def _most(top: Fields, key: str) -> int | None:
    return top.number(key) if top.has(key) else None
