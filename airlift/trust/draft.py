"""What is to be signed: made by one person, signed by several, finished by the last.

A draft is one value and one file. Everybody signs all documents their keys count for
in one round; a file can pass between machines on a stick, and signatures gathered in
several copies are merged. Its context (what was signed before, the text of new
releases) is there to be shown to who signs; a release's text is checked against its
id, which is what the signature covers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import canonical, release
from airlift.format.fields import Fields
from airlift.trust import denials, metadata, quorum, strict
from airlift.trust.keys import UnlockedKey
from airlift.trust.metadata_set import MetadataSet
from airlift.trust.quorum import Quorum

FORMAT = "airlift/pending/1"
LIMIT = 128 << 20
"""Most bytes of a draft's file: two sets of metadata and the new release documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A change on its way to being signed.

    Attributes:
        before: What is signed now; None for the first of all.
        after: What is to be; documents that changed have the signatures so far.
        releases: The documents of new releases by id, for those who approve them.
        denials: A new deny list, for those who sign it; empty where there is none.
    """

    before: MetadataSet | None
    after: MetadataSet
    releases: Mapping[Sha256, bytes] = field(default_factory=dict)
    denials: bytes = b""

    @property
    def changed(self) -> tuple[str, ...]:
        """Roles whose documents are new and need signatures."""
        old = {} if self.before is None else dict(self.before.documents())
        return tuple(
            role
            for role, document in self.after.documents()
            if role not in old or old[role].body != document.body
        )

    @property
    def site(self) -> str | None:
        """The site that this delivers to; None where nothing is delivered."""
        for site, document in self.after.sites.items():
            held = self.before.sites.get(site) if self.before else None
            if document.body.targets != (held.body.targets if held else {}):
                return site
        return None

    def quorums(self, role: str) -> list[Quorum]:
        """Return who must sign the document of *role*; all must be met."""
        needed = [self.after.quorum(role)]
        if role == metadata.ROOT and self.before is not None:
            needed.insert(0, self.before.root.body.roles[metadata.ROOT])
        return needed

    def signatures(self) -> dict[str, dict[str, str]]:
        """Return the signatures so far of what changed, by role and key id."""
        documents = dict(self.after.documents())
        return {role: dict(documents[role].signatures) for role in self.changed}

    def payloads(self) -> dict[str, bytes]:
        """Return what the signatures of each changed document cover, by role."""
        documents = dict(self.after.documents())
        return {role: metadata.payload(documents[role].body) for role in self.changed}

    def lacking(self) -> tuple[str, ...]:
        """Say who must still sign what; empty when nobody must."""
        done = self.signatures()
        return tuple(
            f"`{role}` needs {line}"
            for role in self.changed
            for line in quorum.unsigned(done[role], self.quorums(role))
        )


def needed(pending: Draft | None) -> Draft:
    """Return what is pending.

    Raises:
        RequestError: Nothing is.
    """
    if pending:
        return pending
    problem = "nothing is pending"
    raise RequestError(problem, hint="it was put in force, or given up")


def need_none(pending: Draft | None) -> None:
    """Return if nothing is pending.

    Raises:
        RequestError: Something is; names who has still to sign it.
    """
    if pending:
        problem = "something else is pending: " + "; ".join(pending.lacking())
        hint = "have it signed, or discard it, before anything else changes"
        raise RequestError(problem, hint=hint)


def sign(draft: Draft, keys: Iterable[UnlockedKey]) -> Draft:
    """Return *draft* with the signatures that *keys* can add to it."""
    gathered, payloads = draft.signatures(), draft.payloads()
    for key in keys:
        key_id = key.public.key_id
        for role in draft.changed:
            counts = any(key_id in one.by_id for one in draft.quorums(role))
            if counts and key_id not in gathered[role]:
                gathered[role][key_id] = key.sign(payloads[role]).hex()
    return replace(draft, after=draft.after.with_signatures(gathered))


def merge(draft: Draft, other: Draft) -> Draft:
    """Return *draft* with the signatures of *other*, a copy of it that others signed.

    Raises:
        RequestError: *other* is about something else.
        TrustError: A signature in it is not valid, or by nobody who has a say.
    """
    payloads, gathered = draft.payloads(), draft.signatures()
    if other.payloads() != payloads:
        problem = "the signatures are for something else than what is pending here"
        raise RequestError(problem, hint="export the pending file again and sign that")
    for role, signatures in other.signatures().items():
        keys = {
            key_id: key
            for one in draft.quorums(role)
            for key_id, key in one.by_id.items()
        }
        for key_id, signature in signatures.items():
            key, octets = keys.get(key_id), bytes.fromhex(signature)
            if key is None or not key.verifies(octets, payloads[role]):
                problem = f"the signature of `{role}` by key {key_id[:16]} is not valid"
                raise TrustError(problem, hint="sign the exported file again")
            gathered[role].setdefault(key_id, signature)
    return replace(draft, after=draft.after.with_signatures(gathered))


def finish(draft: Draft) -> MetadataSet:
    """Return the signed set, each document with no more signatures than it needs.

    Raises:
        RequestError: Signatures are missing; names whose.
    """
    if lacking := draft.lacking():
        problem = "more people must sign: " + "; ".join(lacking)
        hint = "sign what is pending with their keys, then repeat this"
        raise RequestError(problem, hint=hint)
    kept = {
        role: {
            key_id: signatures[key_id]
            for key_id in quorum.fewest(signatures, draft.quorums(role))
        }
        for role, signatures in draft.signatures().items()
    }
    return draft.after.with_signatures(kept)


def encode(draft: Draft) -> bytes:
    """Return the bytes of a draft's file."""
    releases: dict[str, Json] = {
        release_id: canonical.decode(document, name=release_id, limit=release.LIMIT)
        for release_id, document in draft.releases.items()
    }
    record: dict[str, Json] = {
        "format": FORMAT,
        "before": _tables(draft.before) if draft.before else None,
        "after": _tables(draft.after),
        "releases": releases,
    }
    if draft.denials:
        record["denials"] = canonical.decode(
            draft.denials, name="deny list", limit=denials.LIMIT
        )
    return canonical.encode(record)


def decode(data: bytes, *, name: str = "pending file") -> Draft:
    """Return the draft that *data*, perhaps from another machine, states.

    Raises:
        FormatError: It is not a draft, or a release in it is not what its id says.
    """
    top = Fields(canonical.decode(data, name=name, limit=LIMIT), record=name)
    top.only("format", "before", "after", "releases", "denials")
    top.expect("format", FORMAT)
    after = _set(top.table("after"), name)
    return Draft(
        before=_set(top.table("before"), name) if top.has("before") else None,
        after=after,
        releases=dict(_releases(top)),
        denials=_denials(top, after),
    )


def _denials(top: Fields, after: MetadataSet) -> bytes:
    if "denials" not in top.names():
        return b""
    data, named = canonical.encode(top.raw("denials")), after.targets.body.denials
    # What is shown must be what the signature covers.
    if named is None or named.target.sha256 != sha256(data):
        top.refuse("denials", "are not the deny list that is to be signed")
    return data


def _tables(of: MetadataSet) -> dict[str, Json]:
    return {
        role: canonical.decode(
            metadata.encode(document), name=role, limit=strict.LIMITS[metadata.TARGETS]
        )
        for role, document in of.documents()
    }


def _set(table: Fields, name: str) -> MetadataSet:
    def data(role: str) -> bytes:
        table.table(role)
        return canonical.encode(table.raw(role))

    targets = strict.targets(data(metadata.TARGETS), name=f"targets in {name}")
    roles = {metadata.site_role(site): site for site in targets.body.sites}
    table.only(*metadata.TOP_ROLES, *sorted(roles))
    return MetadataSet(
        root=strict.root(data(metadata.ROOT), name=f"root in {name}"),
        targets=targets,
        sites={
            site: strict.site_targets(data(role), name=f"{role} in {name}")
            for role, site in roles.items()
        },
        snapshot=strict.snapshot(data(metadata.SNAPSHOT), name=f"snapshot in {name}"),
        timestamp=strict.timestamp(
            data(metadata.TIMESTAMP), name=f"timestamp in {name}"
        ),
    )


def _releases(top: Fields) -> Iterator[tuple[Sha256, bytes]]:
    value = top.raw("releases")
    top.table("releases")
    assert isinstance(value, Mapping)
    for release_id in value:
        document = canonical.encode(value[release_id])
        if release.identify(document) != release_id:
            problem = f"a release in the file is not {naming.show(release_id[:64])}"
            raise FormatError(problem, hint="copy the file again")
        yield Sha256(release_id), document
