"""How a site comes to trust: one root, accepted by a person, once."""

from airlift import naming
from airlift.errors import RequestError, TrustError
from airlift.trust import fingerprint, metadata, quorum, strict
from airlift.trust.delivery import TrustState


def accept_root(
    root_bytes: bytes, *, site: str, expected_fingerprint: str | None = None
) -> TrustState:
    """Return the state of a site that trusts whoever the root names, and nobody else.

    The root cannot vouch for itself: its fingerprint must reach this host by another
    way than the root did (a telephone, paper), and a person compares it.

    Args:
        root_bytes: A root file, any version.
        site: The name this site is called by in deliveries.
        expected_fingerprint: As a person wrote it down: hexadecimal digits or words;
            None when it was compared otherwise.

    Raises:
        RequestError: *site* cannot be a site's name, or the fingerprint is mistyped.
        FormatError: The file is not a root in airlift's form.
        TrustError: It is not signed by its own keys, or is another root than expected.
    """
    if not naming.is_site(site):
        problem = f"`{naming.show(site)}` cannot be a site's name"
        raise RequestError(problem, hint="use 1 to 32 of a-z, 0-9 and -")
    document = strict.root(root_bytes, name="the root")
    own = document.body.roles[metadata.ROOT]
    signatures = document.signatures
    if document.body.version > 1:
        # The keys before it have signed too, and only the chain can tell: every
        # delivery brings it, and this root's bytes are then fixed by their digest.
        needed = quorum.fewest(signatures.keys() & own.by_id.keys(), [own])
        signatures = {key_id: signatures[key_id] for key_id in needed}
    payload = metadata.payload(document.body)
    quorum.check(signatures, payload, [own], name="the root")
    actual = fingerprint.of_root(root_bytes)
    if expected_fingerprint is not None and not actual.matches(expected_fingerprint):
        problem = (
            f"the root has fingerprint {actual.groups} ({actual.words}), expected"
            f" {naming.show(expected_fingerprint.strip()[:300])}"
        )
        hint = "stop: this is another root; get it again and compare with its signers"
        raise TrustError(problem, hint=hint)
    return TrustState(site=site, anchor=root_bytes)
