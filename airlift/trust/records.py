"""The files of signed records in a volume: their names, their limits, their order.

Names are below ``airlift/`` in a volume. A name says nothing that is believed; it
only sorts bytes, and every name that is not expected is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import FormatError, TrustError
from airlift.format import dispatch, dsse, packing, release
from airlift.trust import denials, metadata, policy, strict

TIMESTAMP = "metadata/timestamp.json"
PACKING = "records/packing.json"
ROOTS = 1024
"""Most roots of a chain: three a year for three centuries."""
RELEASES = 65_536
"""Most releases of a delivery."""
ATTESTATION = "records/attestations/"
"""What the names of attestations begin with."""

_VERSIONED = re.compile(
    r"metadata/([1-9]\d{0,15})\.(root|snapshot|targets|site-[a-z0-9-]{1,32})\.json",
    re.ASCII,
)
_DISPATCH = re.compile(
    r"records/dispatch/([a-z0-9-]{1,32})/([1-9]\d{0,15})\.json", re.ASCII
)
_POLICY = re.compile(
    r"records/policy/([a-z0-9-]{1,32})/([1-9]\d{0,15})\.json", re.ASCII
)
_DENY = re.compile(r"records/deny/([1-9]\d{0,15})\.json", re.ASCII)
_RELEASE = re.compile(r"records/releases/([0-9a-f]{64})\.json", re.ASCII)
_ATTESTATION = re.compile(ATTESTATION + r"([0-9a-f]{64})\.json", re.ASCII)


def metadata_name(role: str, version: int) -> str:
    """Return the name of a metadata file."""
    if role == metadata.TIMESTAMP:
        return TIMESTAMP
    return f"metadata/{version}.{role}.json"


def dispatch_name(site: str, sequence: int) -> str:
    """Return the name of a dispatch record."""
    return f"records/{dispatch.target_name(site, sequence)}"


def release_name(release_id: Sha256) -> str:
    """Return the name of a release document."""
    return f"records/{metadata.release_target(release_id)}"


def attestation_name(digest: Sha256) -> str:
    """Return the name of an attestation."""
    return f"{ATTESTATION}{digest}.json"


def policy_name(site: str, version: int) -> str:
    """Return the name of a site's policy."""
    return f"records/{metadata.policy_target(site, version)}"


def deny_name(version: int) -> str:
    """Return the name of the deny list."""
    return f"records/{metadata.deny_target(version)}"


def limit(name: str) -> int:
    """Return the most bytes a file called *name* may have, before any is believed.

    Raises:
        TrustError: No record has such a name.
    """
    if found := _VERSIONED.fullmatch(name):
        return strict.LIMITS.get(found[2], strict.SITE_LIMIT)
    fixed = {
        TIMESTAMP: strict.LIMITS[metadata.TIMESTAMP],
        PACKING: packing.LIMIT,
    }
    if name in fixed:
        return fixed[name]
    for pattern, most in (
        (_DISPATCH, dispatch.LIMIT),
        (_RELEASE, release.LIMIT),
        (_POLICY, policy.LIMIT),
        (_DENY, denials.LIMIT),
        (_ATTESTATION, dsse.LIMIT),
    ):
        if pattern.fullmatch(name):
            return most
    raise _unexpected(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A file whose name has a number."""

    name: str
    number: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The records of one delivery, sorted and believed in no way.

    Attributes:
        roots: Version 1 and on, without gaps.
        timestamp: The file's bytes.
        releases: Release documents by the id their name claims.
        policy: The site's policy; None where none travels.
        denials: The deny list; None where none travels.
        attestations: Of the releases, by the digest their name claims.
    """

    roots: tuple[Numbered, ...]
    timestamp: bytes
    snapshot: Numbered
    targets: Numbered
    site_role: Numbered
    dispatch: Numbered
    packing: bytes
    releases: Mapping[str, bytes]
    policy: Numbered | None = None
    denials: Numbered | None = None
    attestations: Mapping[str, bytes] = field(default_factory=dict)


def sort(files: Mapping[str, bytes], *, site: str) -> Offer:
    """Sort *files* by their names.

    Raises:
        FormatError: A file is missing or longer than its kind may be.
        TrustError: A file is not expected, or is meant for another site.
    """
    for name in sorted(files):
        if len(files[name]) > (most := limit(name)):
            problem = f"`{name}` has {len(files[name])} bytes, the limit is {most}"
            raise FormatError(problem, hint="this is not a record airlift wrote")
        _check_site(name, site)
    return Offer(
        roots=_roots(files),
        timestamp=_need(files, TIMESTAMP),
        snapshot=_one(files, metadata.SNAPSHOT),
        targets=_one(files, metadata.TARGETS),
        site_role=_one(files, metadata.site_role(site)),
        dispatch=_dispatch(files, site),
        packing=_need(files, PACKING),
        releases=_releases(files),
        policy=_lone(files, _POLICY),
        denials=_lone(files, _DENY),
        attestations=_attestations(files),
    )


def _check_site(name: str, site: str) -> None:
    role = _VERSIONED.fullmatch(name)
    sent = _DISPATCH.fullmatch(name) or _POLICY.fullmatch(name)
    other = sent[1] if sent else site
    if role and role[2].startswith(metadata.SITE_PREFIX):
        other = role[2].removeprefix(metadata.SITE_PREFIX)
    if other != site:
        problem = f"this delivery is for site `{other}`, this host is site `{site}`"
        raise TrustError(problem, hint=f"take it to `{other}`; nothing was imported")


def _roots(files: Mapping[str, bytes]) -> tuple[Numbered, ...]:
    roots = _numbered(files, metadata.ROOT)
    if not roots:
        raise _missing(metadata_name(metadata.ROOT, 1))
    if len(roots) > ROOTS:
        problem = f"the delivery has {len(roots)} roots, the limit is {ROOTS}"
        raise TrustError(problem, hint="this is not a delivery airlift wrote")
    for number, found in enumerate(roots, start=1):
        if found.number != number:
            raise _missing(metadata_name(metadata.ROOT, number))
    return roots


def _one(files: Mapping[str, bytes], role: str) -> Numbered:
    found = _numbered(files, role)
    if not found:
        raise _missing("metadata/N." + role + ".json")
    if len(found) > 1:
        raise _unexpected(found[0].name)
    return found[0]


def _numbered(files: Mapping[str, bytes], role: str) -> tuple[Numbered, ...]:
    found = (_VERSIONED.fullmatch(name) for name in files)
    return tuple(
        sorted(
            (
                Numbered(name=one[0], number=int(one[1]), data=files[one[0]])
                for one in found
                if one and one[2] == role
            ),
            key=lambda file: file.number,
        )
    )


def _dispatch(files: Mapping[str, bytes], site: str) -> Numbered:
    found = [one for name in files if (one := _DISPATCH.fullmatch(name))]
    if not found:
        raise _missing("records/dispatch/" + site + "/N.json")
    if len(found) > 1:
        raise _unexpected(min(one[0] for one in found))
    name, _, number = found[0][0], found[0][1], found[0][2]
    return Numbered(name=name, number=int(number), data=files[name])


def _lone(files: Mapping[str, bytes], pattern: re.Pattern[str]) -> Numbered | None:
    found = [one for name in sorted(files) if (one := pattern.fullmatch(name))]
    if len(found) > 1:
        raise _unexpected(found[0][0])
    return next(
        (
            Numbered(
                name=one[0],
                number=int(one[pattern.groups]),
                data=files[one[0]],
            )
            for one in found
        ),
        None,
    )


def _releases(files: Mapping[str, bytes]) -> dict[str, bytes]:
    found = {one[1]: files[name] for name in files if (one := _RELEASE.fullmatch(name))}
    if len(found) > RELEASES:
        problem = f"the delivery has {len(found)} releases, the limit is {RELEASES}"
        raise TrustError(problem, hint="this is not a delivery airlift wrote")
    return found


def _attestations(files: Mapping[str, bytes]) -> dict[str, bytes]:
    # How many there may be is in the releases that name them.
    return {
        one[1]: files[name] for name in files if (one := _ATTESTATION.fullmatch(name))
    }


def _need(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise _missing(name)
    return files[name]


def _missing(name: str) -> FormatError:
    problem = f"the delivery lacks `{name}`"
    return FormatError(problem, hint="copy all of it again from its source")


def _unexpected(name: str) -> TrustError:
    problem = f"the delivery has `{naming.show(name[:200])}`, which nothing calls for"
    return TrustError(problem, hint="copy it again; if it stays so, ask its sender")
