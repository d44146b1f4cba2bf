"""Cosignatures by people's keys: made with one, believed by its public half.

They sign what no other record of airlift begins with (``cosignature/v1``), so that a
cosignature is never an approval nor metadata, and none of these a cosignature.
"""

from datetime import UTC, datetime

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from airlift import naming
from airlift.errors import TrustError
from airlift.format import cosignature
from airlift.format.checkpoint import Checkpoint
from airlift.format.cosignature import ED25519, OTHER, Cosigner
from airlift.trust import clock
from airlift.trust.keys import UnlockedKey
from airlift.trust.public import PublicKey

_ED25519 = "ed25519"


def cosigner(key: PublicKey) -> Cosigner:
    """Return *key* as one that cosigns; its name is its id, and so nobody else's."""
    name = f"airlift/key/{key.key_id}"
    if key.scheme == _ED25519:
        return Cosigner(name=name, material=ED25519 + bytes.fromhex(key.public))
    der = load_pem_public_key(key.public.encode()).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return Cosigner(name=name, material=OTHER + der)


def sign(key: UnlockedKey, told: Checkpoint, *, at: str) -> str:
    """Return the line by which the holder of *key* states that this was the log.

    Args:
        key: Of a person.
        told: The checkpoint; its log was verified.
        at: When.
    """
    seconds = int(clock.moment(at, what="time").timestamp())
    signature = key.sign(cosignature.message(told, seconds))
    return cosignature.encode(cosigner(key.public), seconds, signature)


def believe(line: str, key: PublicKey, told: Checkpoint) -> str:
    """Return when *key* cosigned *told* by *line*.

    Raises:
        FormatError: It is no cosignature.
        TrustError: It is by another key, or not of this checkpoint.
    """
    who = naming.show(key.name)
    found = cosignature.decode(line, name=f"the cosignature of `{who}`")
    by = cosigner(key)
    named = (found.name, found.key_hash) == (by.name, by.key_hash)
    signed = cosignature.message(told, found.time)
    if not (named and key.verifies(found.signature, signed)):
        problem = (
            f"the cosignature of `{who}` is not of the first {told.size} events that"
            " are here"
        )
        raise TrustError(problem, hint="the log was rewritten, or the line is forged")
    moment = datetime.fromtimestamp(found.time, UTC)
    return moment.isoformat().replace("+00:00", "Z")
