"""Check an evidence pack of an audit, without airlift: needs only ``cryptography``.

    python check_pack.py PACK --key KEY

PACK is the tar that `airlift audit export` wrote, or the folder it was unpacked to. KEY is
the public key of the site, that came to you another way than the pack: the file that
`airlift trust site-key FILE` writes, or the same key as PEM.

Exit code 0: every byte is what the site signed. 1: something is not; it is named. Nothing
is unpacked and nothing in the pack is believed but what the key signed. Written from
docs/audit.md, RFC 9162 and https://c2sp.org (signed-note, tlog-checkpoint), not from
airlift's code.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PURPOSE = b"airlift/evidence/1\0"
RECORD = 512
UNLISTED = {"DIGESTS", "DIGESTS.sig"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
NEEDED = ("report.json", "log-slice.jsonl", "log-checkpoint")


class Wrong(Exception):  # noqa: N818 - it is what it says
    """Something is not as it was signed."""


# --- the tar ----------------------------------------------------------------------


def header(name: str, size: int) -> bytes:
    """Return the only header that a member may have (POSIX ustar, all but name fixed)."""
    raw = bytearray(RECORD)
    raw[: len(name)] = name.encode("ascii")
    raw[100:124] = b"0000644\0" + b"0000000\0" * 2
    raw[124:148] = b"%011o\0" % size + b"00000000000\0"
    raw[148:156] = b" " * 8
    raw[156:157] = b"0"
    raw[257:265] = b"ustar\x0000"
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def members(data: bytes) -> dict[str, bytes]:
    """Return the files of a tar; any byte that is not as it has to be is refused."""
    found: dict[str, bytes] = {}
    offset, top, before = 0, "", ""
    while data[offset : offset + RECORD].strip(b"\0"):
        record = data[offset : offset + RECORD]
        try:
            path = record[:100].rstrip(b"\0").decode("ascii")
            size = int(record[124:135], 8)
        except ValueError:
            raise Wrong(f"at byte {offset} is no header of a file") from None
        if size < 0 or header(path, size) != record:
            raise Wrong(f"at byte {offset} is not the header that `{path!a}` has")
        folder, _, name = path.partition("/")
        if top not in ("", folder) or not NAME.fullmatch(name) or name <= before:
            raise Wrong(f"`{path!a}` is out of place")
        top, before = folder, name
        start = offset + RECORD
        offset = start + size + -size % RECORD
        found[name] = data[start : start + size]
        if data[start + size : offset] != bytes(-size % RECORD):
            raise Wrong(f"what follows `{name}` is not empty, or the pack is cut off")
    if data[offset:] != bytes(2 * RECORD):
        raise Wrong("the end of the pack is not as it has to be")
    return found


def files(path: Path) -> dict[str, bytes]:
    """Return the files of a pack, or of the folder it was unpacked to."""
    if not path.is_dir():
        return members(path.read_bytes())
    found = {}
    for one in path.iterdir():
        if one.is_symlink() or not one.is_file():
            raise Wrong(f"`{one.name!a}` is no file")
        found[one.name] = one.read_bytes()
    return found


# --- what was signed --------------------------------------------------------------


def read_key(path: Path) -> tuple[str, Ed25519PublicKey]:
    """Return the site's name, where the file states it, and its key."""
    data = path.read_bytes()
    if data.startswith(b"-----"):
        found = load_pem_public_key(data)
        if not isinstance(found, Ed25519PublicKey):
            raise Wrong("the key is not of Ed25519")
        return "", found
    told = json.loads(data)
    if told.get("format") != "airlift/site-public-key/1":
        raise Wrong("the key is not the public key of a site")
    raw = bytes.fromhex(told["public"])
    return told["name"], Ed25519PublicKey.from_public_bytes(raw)


def signed(found: dict[str, bytes], key: Ed25519PublicKey) -> None:
    """Refuse unless the key signed ``DIGESTS``."""
    try:
        key.verify(found["DIGESTS.sig"], PURPOSE + found["DIGESTS"])
    except InvalidSignature:
        raise Wrong("DIGESTS.sig is not this key's signature of DIGESTS") from None


def differing(found: dict[str, bytes]) -> Iterator[str]:
    """Yield what is not as ``DIGESTS`` lists it."""
    told: dict[str, str] = {}
    for line in found["DIGESTS"].decode("ascii").splitlines():
        digest, _, name = line.partition("  ")
        told[name] = digest
    for name in sorted({*told, *found} - UNLISTED):
        if name not in found:
            yield f"{name} is missing"
        elif name not in told:
            yield f"{name} is extra: DIGESTS does not list it"
        elif hashlib.sha256(found[name]).hexdigest() != told[name]:
            yield f"{name} was changed"


# --- what they say ----------------------------------------------------------------


def report(data: bytes, site: str) -> str:
    """Return a line about the report, whose id is of all else in it."""
    told = json.loads(data)
    run = told.pop("run_id")
    spelled = json.dumps(
        told, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    if hashlib.sha256(spelled.encode()).hexdigest()[: len(run)] != run:
        raise Wrong("report.json: its id is not that of what it says")
    if site and told["site"] != site:
        raise Wrong(f"report.json is of site `{told['site']!a}`, not `{site}`")
    when, code = told["generated_at"], told["exit_code"]
    return f"report of site `{told['site']}`, {when}, run {run}, exit code {code}"


def checkpoint(note: bytes, site: str, key: Ed25519PublicKey) -> tuple[int, bytes]:
    """Return size and root of the log, if the key signed them."""
    text, _, tail = note.partition(b"\n\n")
    text += b"\n"
    origin, size, root = text.decode().splitlines()
    signature = base64.b64decode(tail.decode().split(" ")[-1].strip(), validate=True)
    try:
        key.verify(signature[4:], text)
    except InvalidSignature:
        raise Wrong("log-checkpoint is not signed by this key") from None
    if site and origin != f"airlift/{site}":
        raise Wrong(f"log-checkpoint is of `{origin!a}`")
    return int(size), base64.b64decode(root, validate=True)


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def leads_to(entry: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong(f"there is no event {index + 1} in a log of {size}")
    at, last = index, size - 1
    found = hashlib.sha256(b"\x00" + entry).digest()
    for one in path:
        if last == 0:
            raise Wrong("a proof is too long")
        if at % 2 or at == last:
            found = node(one, found)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = node(found, one)
        at, last = at // 2, last // 2
    if last:
        raise Wrong("a proof is too short")
    return found


def log(found: dict[str, bytes], site: str, key: Ed25519PublicKey) -> str:
    """Return a line about the log, whose every event is followed to its root."""
    size, root = checkpoint(found["log-checkpoint"], site, key)
    lines = found["log-slice.jsonl"].splitlines()
    for line in lines:
        told: dict[str, Any] = json.loads(line)
        path = [base64.b64decode(one, validate=True) for one in told["proof"]]
        entry, index = told["entry"].encode(), told["number"] - 1
        if leads_to(entry, index, size, path) != root:
            raise Wrong(f"event {told['number']} is not in the log that was signed")
    return f"{len(lines)} events, each in the log of {size} that the checkpoint states"


def check(pack: Path, key_file: Path) -> list[str]:
    """Return what a sound pack says of itself, a line each."""
    site, key = read_key(key_file)
    found = files(pack)
    for name in (*sorted(UNLISTED), *NEEDED):
        if name not in found:
            raise Wrong(f"{name} is missing")
    signed(found, key)
    if wrong := list(differing(found)):
        raise Wrong("; ".join(wrong))
    told = [report(found["report.json"], site), log(found, site, key)]
    return [*told, f"{len(found)} files, each as it was signed"]


def main(arguments: list[str]) -> int:
    """Check one pack; return the exit code."""
    parser = argparse.ArgumentParser(description="Check an evidence pack of airlift.")
    parser.add_argument("pack", type=Path)
    parser.add_argument("--key", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        told = check(given.pack, given.key)
    except (Wrong, OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        print(f"NOT as it was signed: {error}")
        return 1
    print(*told, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
