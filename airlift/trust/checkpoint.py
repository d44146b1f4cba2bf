"""Checkpoints of a site's log under the key of that site: sealed there, believed here."""

from airlift import naming
from airlift.errors import TrustError
from airlift.format import checkpoint
from airlift.format.checkpoint import Checkpoint, Note
from airlift.trust import site_key
from airlift.trust.public import PublicKey
from airlift.trust.site_key import SiteKey


def seal(told: Checkpoint, key: SiteKey) -> bytes:
    """Return the note of *told*, signed by *key*.

    Raises:
        TrustError: The key is another site's.
    """
    if key.site != told.site:
        problem = f"the key is of site `{key.site}`, the log of `{told.site}`"
        raise TrustError(problem, hint="a site signs for itself only")
    signature = key.sign_note(told.text)
    return checkpoint.encode(told, raw(key.public), signature)


def believe(data: bytes, key: PublicKey, *, name: str = "checkpoint") -> Checkpoint:
    """Return what the note *data* says, if *key* has signed it for its own site.

    Raises:
        FormatError: It is no note of a checkpoint.
        TrustError: It is of another site, or not signed by *key*.
    """
    found = checkpoint.decode(data, name=name)
    told = found.checkpoint
    if told.site != key.name:
        problem = f"{naming.show(name)} is of site `{told.site}`, expected `{key.name}`"
        raise TrustError(problem, hint="two sites' papers were mixed up: find out how")
    if not signed_by(found, key):
        problem = f"{naming.show(name)} is not signed by the key of `{key.name}`"
        hint = "it is forged, or of before the key was replaced: find out which"
        raise TrustError(problem, hint=hint)
    return told


def signed_by(note: Note, key: PublicKey) -> bool:
    """Say whether *note* is signed by *key*, and names it."""
    told = note.checkpoint
    named = note.key_hash == checkpoint.key_hash(told.site, raw(key))
    return named and site_key.verifies_note(key, told.text, note.signature)


def raw(key: PublicKey) -> bytes:
    """Return the 32 bytes of a site's Ed25519 key."""
    return bytes.fromhex(key.public)
