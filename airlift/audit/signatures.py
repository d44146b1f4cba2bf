"""Whether what a site believes is still what was signed.

The database holds what was believed when it came. Whoever can write a database cannot
sign, so every signature is checked again, from the root that a person accepted: of each
root, of the metadata, of the policy in force, and of the newest catalogue.
"""

from collections.abc import Iterator

from airlift.audit import subjects
from airlift.audit.finding import About, Finding, Severity, Subject
from airlift.audit.site import Site
from airlift.digest import sha256
from airlift.errors import AirliftError, TrustError
from airlift.trust import catalogue, metadata, quorum, strict
from airlift.trust.coherence import newest_root
from airlift.trust.delivery import TrustState
from airlift.trust.metadata import Document, Root, Targets

KIND = "signature"
"""The family of its findings."""


def roots(state: TrustState) -> list[Document[Root]]:
    """Return the roots from the one that a person accepted, oldest first.

    Raises:
        FormatError: One can no longer be read.
    """
    anchor = strict.root(state.anchor, name="the root accepted here")
    later = [
        strict.root(state.metadata[name], name=f"`{name}`")
        for number in range(anchor.body.version + 1, newest_root(state.metadata) + 1)
        if (name := f"{number}.root.json") in state.metadata
    ]
    return [anchor, *later]


def targets(state: TrustState) -> Document[Targets] | None:
    """Return the trusted targets; None before the first delivery.

    Raises:
        FormatError: They can no longer be read.
    """
    data = state.metadata.get(f"{metadata.TARGETS}.json")
    return strict.targets(data, name="the trusted targets") if data else None


def broken(site: Site) -> Iterator[Finding]:
    """Yield what is wrong with what this site trusts: integrity is gone."""
    try:
        _check_metadata(site.trust)
        _check_policy(site.trust)
    except AirliftError as error:
        yield Finding(
            kind=KIND,
            rule="not-valid",
            severity=Severity.CRITICAL,
            subject=Subject(kind=About.KEY, name="trusted metadata"),
            title=f"what this site believes is not validly signed: {error.problem}",
            controls=("SI-7", "CM-14"),
        )


def doubtful(site: Site) -> Iterator[Finding]:
    """Yield the newest catalogue where those whose keys count now did not sign it.

    No proof that integrity is gone: its key may have been replaced since it came.
    """
    if not site.catalogues or site.as_of:
        return
    newest = site.catalogues[0]
    name = f"catalogue {newest.sequence}"
    try:
        catalogue.verify(site.upstream.file(newest), site.trust, None, name=name)
    except TrustError as error:
        yield Finding(
            kind=KIND,
            rule=f"catalogue/{newest.id}",
            severity=Severity.MEDIUM,
            subject=subjects.knowledge("catalogue"),
            title=f"nobody vouches for the newest catalogue any more: {error.problem}",
            evidence={"sequence": newest.sequence, "id": newest.id},
            controls=("SI-7",),
        )


def _check_metadata(state: TrustState) -> None:
    chain, before = roots(state), None
    for one in chain:
        own = one.body.roles[metadata.ROOT]
        _signed(one, [before, own] if before else [own], f"root {one.body.version}")
        before = own
    newest = chain[-1].body.roles
    for role, read in (
        (metadata.TARGETS, strict.targets),
        (metadata.SNAPSHOT, strict.snapshot),
        (metadata.TIMESTAMP, strict.timestamp),
    ):
        if data := state.metadata.get(f"{role}.json"):
            _signed(read(data, name=role), [newest[role]], role)
    role = metadata.site_role(state.site)
    told, data = targets(state), state.metadata.get(f"{role}.json")
    if told and data:
        own = told.body.sites[state.site]
        _signed(strict.site_targets(data, name=role), [own], role)


def _signed(
    document: metadata.AnyDocument, quorums: list[quorum.Quorum], name: str
) -> None:
    payload = metadata.payload(document.body)
    quorum.check(document.signatures, payload, quorums, name=f"`{name}`")


def _check_policy(state: TrustState) -> None:
    """Check that the policy in force is the one that the trusted targets vouch for.

    Raises:
        TrustError: It is another one, or one that nobody signed.
    """
    told = targets(state)
    signed = told.body.policies.get(state.site) if told else None
    expected = signed.target.sha256 if signed else None
    found = sha256(state.policy) if state.policy else None
    if expected != found:
        problem = (
            f"the policy in force has digest {(found or 'none')[:16]}, the signed"
            f" targets vouch for {(expected or 'none')[:16]}"
        )
        raise TrustError(problem, hint="`airlift rebuild` makes the database again")
