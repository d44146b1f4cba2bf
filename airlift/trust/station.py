"""Signatures that a scan station checks with `ssh-keygen` or `minisign` alone.

They say that files arrived whole and from whom. They confer no authority: an import
believes TUF metadata only. The three things signed with one key cannot be mistaken for
each other: TUF signs JSON objects, SSHSIG a preamble of its own, minisign a bare
64-byte hash.

Source: OpenSSH's PROTOCOL.sshsig; minisign's "Signature format" (prehashed, "ED").
"""

import hashlib
import struct
from base64 import b64encode
from textwrap import wrap

from airlift.trust.keys import UnlockedKey
from airlift.trust.public import PublicKey

SCHEME = "ed25519"
"""The scheme both tools know; keys of other schemes make no station signatures."""

_NAMESPACE = b"file"
_SSH_TYPE = b"ssh-ed25519"


def sshsig(key: UnlockedKey, data: bytes) -> str:
    """Return an armoured SSH signature of *data* in the namespace ``file``."""
    digest = hashlib.sha512(data).digest()
    common = _string(_NAMESPACE) + _string(b"") + _string(b"sha512")
    signature = key.sign(b"SSHSIG" + common + _string(digest))
    blob = b"SSHSIG" + struct.pack(">I", 1) + _string(_ssh_key(key.public)) + common
    blob += _string(_string(_SSH_TYPE) + _string(signature))
    lines = wrap(b64encode(blob).decode(), 70)
    begin, end = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
    return "\n".join([begin, *lines, end, ""])


def allowed_signer(key: PublicKey) -> str:
    """Return the line of an ``allowed_signers`` file that lets *key* sign files."""
    encoded = b64encode(_ssh_key(key)).decode()
    return f'airlift namespaces="file" {_SSH_TYPE.decode()} {encoded}\n'


def minisig(key: UnlockedKey, data: bytes, *, comment: str) -> str:
    """Return a minisign signature of *data* with a signed one-line *comment*."""
    signature = key.sign(hashlib.blake2b(data).digest())
    whole = key.sign(signature + comment.encode())
    return "\n".join(
        [
            "untrusted comment: signature by airlift",
            b64encode(b"ED" + _key_number(key.public) + signature).decode(),
            f"trusted comment: {comment}",
            b64encode(whole).decode(),
            "",
        ]
    )


def minisign_key(key: PublicKey) -> str:
    """Return the minisign public key file of *key*."""
    number = _key_number(key)
    encoded = b64encode(b"Ed" + number + bytes.fromhex(key.public)).decode()
    name = number[::-1].hex().upper()
    return f"untrusted comment: minisign public key {name}\n{encoded}\n"


def _key_number(key: PublicKey) -> bytes:
    return bytes.fromhex(key.key_id)[:8]


def _ssh_key(key: PublicKey) -> bytes:
    return _string(_SSH_TYPE) + _string(bytes.fromhex(key.public))


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
