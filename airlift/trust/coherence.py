"""Whether the metadata of a delivery is one signed whole.

Checked here, on bytes nobody vouches for yet: the chain of roots, every signature,
and that each document names the next as it is. What depends on the site's past or on
time is left to airlift.trust.verifier and to ``tuf``'s client.
"""

from collections.abc import Mapping

from airlift.digest import sha256
from airlift.errors import TrustError
from airlift.trust import metadata, quorum, strict
from airlift.trust.delivery import SignedBy, TrustState
from airlift.trust.metadata import AnyDocument, Document, Edition, Root
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.records import TIMESTAMP, Numbered, Offer

MIXED = "the records are not from one delivery: copy them again from one source"


def read(offer: Offer, state: TrustState) -> tuple[MetadataSet, tuple[SignedBy, ...]]:
    """Return the metadata of *offer*, signed and of one piece, and who signed.

    Raises:
        FormatError: A document is not in the one form airlift writes.
        TrustError: A root is not the one known here, a signature is missing, wrong
            or one too many, or the documents do not name each other.
    """
    roots = _roots(offer, state)
    signers = _check_roots(offer.roots, roots)
    role = metadata.site_role(state.site)
    found = MetadataSet(
        root=roots[-1],
        timestamp=strict.timestamp(offer.timestamp, name=f"`{TIMESTAMP}`"),
        snapshot=strict.snapshot(offer.snapshot.data, name=f"`{offer.snapshot.name}`"),
        targets=strict.targets(offer.targets.data, name=f"`{offer.targets.name}`"),
        sites={
            state.site: strict.site_targets(
                offer.site_role.data, name=f"`{offer.site_role.name}`"
            )
        },
    )
    if state.site not in found.targets.body.sites:
        problem = f"`{offer.targets.name}` gives no key a say for site `{state.site}`"
        hint = "its sender must add the site, then export again"
        raise TrustError(problem, hint=hint)
    if (key := found.overreaching()) is not None:
        problem = (
            f"`{offer.targets.name}` lets key {key.key_id[:16]} sign catalogues, and it"
            " has a say in deliveries too"
        )
        hint = "its sender must give catalogues a key of their own"
        raise TrustError(problem, hint=hint)
    names = {
        metadata.ROOT: offer.roots[-1].name,
        metadata.TIMESTAMP: TIMESTAMP,
        metadata.SNAPSHOT: offer.snapshot.name,
        metadata.TARGETS: offer.targets.name,
        role: offer.site_role.name,
    }
    _check_numbers(offer, found)
    for role_name, document in found.documents():
        if role_name != metadata.ROOT:
            signers += _signed(role_name, document, found, names[role_name])
    _check_editions(found, names)
    return found, signers


def _roots(offer: Offer, state: TrustState) -> list[Document[Root]]:
    roots = [strict.root(one.data, name=f"`{one.name}`") for one in offer.roots]
    anchor = strict.root(state.anchor, name="the root accepted here").body.version
    if len(roots) < anchor:
        problem = (
            f"the roots offered end at version {len(roots)}, this site was set up with"
            f" version {anchor}"
        )
        raise TrustError(problem, hint="ask for a newer delivery")
    known = {**_known_roots(state.metadata), anchor: state.anchor}
    for one in offer.roots:
        if known.get(one.number, one.data) != one.data:
            problem = f"`{one.name}` is not the root that this site trusts"
            hint = (
                "this delivery is signed by somebody else; if its sender began anew,"
                " accept the new root by its fingerprint first"
            )
            raise TrustError(problem, hint=hint)
    return roots


def newest_root(trusted: Mapping[str, bytes]) -> int:
    """Return the version of the newest root in *trusted*; 0 if there is none."""
    return max(_known_roots(trusted), default=0)


def _known_roots(trusted: Mapping[str, bytes]) -> dict[int, bytes]:
    ending = f".{metadata.ROOT}.json"
    return {
        int(name.removesuffix(ending)): data
        for name, data in trusted.items()
        if name.endswith(ending)
    }


def _check_roots(
    files: tuple[Numbered, ...], roots: list[Document[Root]]
) -> tuple[SignedBy, ...]:
    """Check the chain; return who signed the newest root.

    Source: TUF specification, section 5.3: signed by the old keys and by the new.
    """
    keys: tuple[SignedBy, ...] = ()
    for at, (file, root) in enumerate(zip(files, roots, strict=True)):
        own = root.body.roles[metadata.ROOT]
        quorums, previous = [own], None
        if at:
            quorums = [roots[at - 1].body.roles[metadata.ROOT], own]
            previous = sha256(files[at - 1].data)
        if root.body.version != file.number or root.body.previous != previous:
            problem = f"`{file.name}` does not follow the root before it"
            raise TrustError(problem, hint=MIXED)
        keys = _check(metadata.ROOT, root, quorums, file.name)
    return keys


def _signed(
    role: str, document: AnyDocument, found: MetadataSet, name: str
) -> tuple[SignedBy, ...]:
    return _check(role, document, [found.quorum(role)], name)


def _check(
    role: str, document: AnyDocument, quorums: list[quorum.Quorum], name: str
) -> tuple[SignedBy, ...]:
    keys = quorum.check(
        document.signatures,
        metadata.payload(document.body),
        quorums,
        name=f"`{name}`",
    )
    return tuple(
        SignedBy(role=role, key_id=key.key_id, name=key.name, scheme=key.scheme)
        for key in keys
    )


def _check_numbers(offer: Offer, found: MetadataSet) -> None:
    (site,) = found.sites.values()
    for file, document in (
        (offer.snapshot, found.snapshot),
        (offer.targets, found.targets),
        (offer.site_role, site),
    ):
        if file.number != document.body.version:
            problem = f"`{file.name}` is version {document.body.version} inside"
            raise TrustError(problem, hint=MIXED)


def _check_editions(found: MetadataSet, names: Mapping[str, str]) -> None:
    _names(TIMESTAMP, found.timestamp.body.snapshot, found.snapshot, names["snapshot"])
    listed = found.snapshot.body.editions
    sites = {metadata.site_role(site) for site in found.targets.body.sites}
    expected = {metadata.ROOT, metadata.TARGETS, *sites}
    if odd := sorted(listed.keys() ^ expected):
        verb = "leaves out" if odd[0] in expected else "has an unknown"
        problem = f"`{names['snapshot']}` {verb} role `{odd[0]}`"
        raise TrustError(problem, hint=MIXED)
    for role, document in found.documents():
        if role in listed:
            _names(names["snapshot"], listed[role], document, names[role])


def _names(namer: str, expected: Edition, document: AnyDocument, name: str) -> None:
    if (actual := metadata.edition(document.body)) == expected:
        return
    problem = f"`{namer}` calls for another `{name}`"
    if actual.version != expected.version:
        problem = (
            f"`{namer}` calls for version {expected.version} of what is offered as"
            f" `{name}`"
        )
    raise TrustError(problem, hint=MIXED)
