"""Signing what is pending on another machine: read it, see what it says, sign it."""

from collections.abc import Iterator, Sequence

from airlift import naming
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format import release
from airlift.trust import denials, draft, metadata
from airlift.trust.draft import Draft
from airlift.trust.keys import UnlockedKey
from airlift.trust.metadata import Targets
from airlift.trust.people import label
from airlift.trust.public import PublicKey
from airlift.trust.quorum import Quorum, same


def sign_file(data: bytes, signers: Sequence[UnlockedKey]) -> bytes:
    """Return the exported pending file *data* with the signatures of *signers*.

    Show ``describe`` of it to whoever holds the keys first.

    Raises:
        FormatError: It is not such a file.
        RequestError: None of the keys has a say in it.
    """
    before = draft.decode(data)
    after = draft.sign(before, signers)
    if after == before:
        names = ", ".join(f"`{one.public.name}`" for one in signers) or "nobody"
        problem = f"the keys of {names} have nothing to sign in this file"
        hint = "; ".join(before.lacking()) or "it has all signatures"
        raise RequestError(problem, hint=hint)
    return draft.encode(after)


def describe(pending: Draft) -> tuple[str, ...]:
    """Say what *pending* changes, a line for each change.

    Lines are computed from what is signed; of the context in the file, release
    documents are checked against their ids, and "instead of" is as good as the file.
    """
    return (
        *_keys(pending),
        *_sites(pending),
        *_catalogue(pending),
        *_policies(pending),
        *_denials(pending),
        *_releases(pending),
        *_deliveries(pending),
        f"signs anew: {', '.join(f'`{role}`' for role in pending.changed)}",
    )


def _keys(pending: Draft) -> Iterator[str]:
    root = pending.after.root.body
    old = pending.before.root.body if pending.before else None
    if root == old:
        return
    yield f"root version {root.version}, good until {root.expires}"
    for who, role in (
        ("what is approved", metadata.ROOT),
        ("deliveries", metadata.SNAPSHOT),
    ):
        before = old.roles[role] if old else None
        yield from _quorum(f"{who} must be signed by", root.roles[role], before)
    if root.profile != (held := old.profile if old else ""):
        was = f" instead of {held or 'none'}" if old else ""
        yield f"the root promises the profile {root.profile or 'none'}{was}"


def _quorum(label: str, new: Quorum, old: Quorum | None) -> Iterator[str]:
    if old is not None and same(new, old):
        return
    line = f"{label} {_holders(new)}"
    yield line if old is None else f"{line} instead of {_holders(old)}"
    known = old.by_id if old else {}
    for key in new.keys:
        if key.key_id not in known:
            yield f"key of {_named(key, new)} counts from now on: {_prints(key)}"
    for key_id, key in known.items():
        if key_id not in new.by_id:
            yield f"key of {_named(key, old)} counts no longer: {_prints(key)}"


def _named(key: PublicKey, among: Quorum | None) -> str:
    return f"`{naming.show(label(key, among.keys if among else ()))}`"


def _prints(key: PublicKey) -> str:
    return f"{key.fingerprint.words} ({key.fingerprint.groups})"


def _holders(one: Quorum) -> str:
    if one.people:
        people = sorted({key.name: None for key in one.keys})
        names = ", ".join(f"`{naming.show(name)}`" for name in people)
        return f"{one.people} of {names}, each with both keys"
    return f"{one.threshold} of {', '.join(_named(key, one) for key in one.keys)}"


def _sites(pending: Draft) -> Iterator[str]:
    old = _before(pending).sites
    for site, one in pending.after.targets.body.sites.items():
        label = f"deliveries to site `{site}` must be signed by"
        yield from _quorum(label, one, old.get(site))
    for site in old.keys() - pending.after.targets.body.sites.keys():
        yield f"site `{site}` is given up"


def _catalogue(pending: Draft) -> Iterator[str]:
    old, new = _before(pending).catalogue, pending.after.targets.body.catalogue
    if new is not None:
        yield from _quorum("catalogues must be signed by", new, old)
    elif old is not None:
        yield f"catalogues are given up: {_holders(old)} signed them"


def _policies(pending: Draft) -> Iterator[str]:
    old = _before(pending).policies
    for site, one in pending.after.targets.body.policies.items():
        if old.get(site) != one:
            digest = one.target.sha256
            yield f"policy of site `{site}`, version {one.version}: record {digest}"


def _denials(pending: Draft) -> Iterator[str]:
    old, new = _before(pending).denials, pending.after.targets.body.denials
    if new is not None and new != old:
        yield f"deny list, version {new.version}: record {new.target.sha256}"
        for one in denials.decode(pending.denials).entries:
            yield f"denies {one.what.value} {one.digest}: {one.why}"
    elif new is None and old is not None:
        yield f"DROPS deny list {old.version}: sites that have it refuse this"


def _releases(pending: Draft) -> Iterator[str]:
    old, new = _before(pending).targets, pending.after.targets.body.targets
    for name in sorted(new.keys() - old.keys()):
        yield f"approves {_release(pending, new[name].sha256)}"
    for name in sorted(old.keys() - new.keys()):
        yield f"withdraws {_release(pending, old[name].sha256)}"


def _release(pending: Draft, release_id: Sha256) -> str:
    document = pending.releases.get(release_id)
    if document is None:
        return f"release {release_id}, whose document is not in the file"
    one = release.decode(document)
    return (
        f"release {one.counter} of {one.kind} `{naming.show(one.name)}` at"
        f" {naming.show(one.revision[:40])}: {len(one.files)} files, {one.size} bytes"
    )


def _deliveries(pending: Draft) -> Iterator[str]:
    site = pending.site
    if site is not None:
        body = pending.after.sites[site].body
        (target,) = body.targets.values()
        yield (
            f"delivery {metadata.newest_sequence(body)} to site `{site}`, record"
            f" {target.sha256}"
        )


def _before(pending: Draft) -> Targets:
    if pending.before is None:
        return Targets(version=1, expires="")
    return pending.before.targets.body
