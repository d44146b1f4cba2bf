"""A content-addressed store as ``hf_xet`` expects one, made on the fly of plain files.

huggingface_hub refuses files above 50 GB over plain HTTP and fetches any size through
its xet library, several parts at once. That library asks a token, then how to build
the file out of chunks of packed objects ("xorbs"), then ranges of these. Here a file
is cut into pseudo-xorbs of equal chunks, stored uncompressed: each is the file's own
bytes with an eight-byte header before every 128 KiB.

Laws of this dialect:

* The client checks no hash at all, neither of chunks nor of the file. A file's hash
  here is its SHA-256, a pseudo-xorb's is any that differs wherever its bytes do.
* Nothing is stored and nothing is read: an answer names parts of blobs.
* The protocol is undocumented and may change with any version of the client. It is off
  unless switched on, and pinned versions of the client are tested against it.

Source: observed with hf_xet 1.8.0 below huggingface_hub 0.36, 1.33 and 2.4.
"""

import json
import re
from urllib.parse import quote

from airlift.artifact import ReleaseFile
from airlift.digest import Sha256, is_sha256, sha256
from airlift.serve.dialect import Answer, JoinedBody, Piece, Request, Shelf, Slice
from airlift.serve.hub import answers
from airlift.serve.hub.places import Place

ROOT = "/xet"
CHUNK_BYTES = 128 << 10
"""The longest chunk the client takes."""
XORB_CHUNKS = 512
XORB_BYTES = CHUNK_BYTES * XORB_CHUNKS
"""64 MiB of a file: what the client fetches at once, of several in parallel."""
HEAD_BYTES = 8
_PACKED_CHUNK_BYTES = HEAD_BYTES + CHUNK_BYTES
_FOREVER = 4_102_444_800
"""2100-01-01, in seconds since 1970: without access control nothing ends."""

_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_PYTHON = re.compile(r"\bhf_hub/[0-9]")
_OCTETS = ("Content-Type", "application/octet-stream")
_PRIVATE = ("Cache-Control", "no-store")


# --- what the hub's dialect says of it ----------------------------------------------


def is_spoken(request: Request) -> bool:
    """Say whether the client of *request* can be sent here.

    Others would have to be told by means of their own, and fetch any size plainly.
    """
    return bool(_PYTHON.search(request.headers.get("user-agent", "")))


def advert(
    request: Request, of_type: str, place: Place, file: ReleaseFile
) -> list[tuple[str, str]]:
    """Return the headers that send a client here for *file*.

    Args:
        request: The request for the file.
        of_type: ``models`` or ``datasets``.
        place: Where it was found.
        file: What was found there.
    """
    name, commit = quote(place.repo.name), place.revision.commit
    route = f"{request.base_url}/api/{of_type}/{name}/xet-read-token/{commit}"
    return [("X-Xet-Hash", file.sha256), ("Link", f'<{route}>; rel="xet-auth"')]


def token(request: Request, release: str) -> Answer:
    """Return where the store is and what to show there, in headers and in JSON.

    Args:
        request: Whose caller the store is to know.
        release: The release it was asked for.
    """
    url, issued = request.base_url + ROOT, request.issue()
    bearer, expires = (issued.bearer, issued.expires) if issued else ("none", _FOREVER)
    headers = (
        ("Content-Type", "application/json; charset=utf-8"),
        ("X-Xet-Cas-Url", url),
        ("X-Xet-Access-Token", bearer),
        ("X-Xet-Token-Expiration", str(expires)),
        _PRIVATE,
    )
    # The client reads the headers; its xet library, which asks again before the pass
    # ends, reads the body.
    shape = {"casUrl": url, "exp": expires, "accessToken": bearer}
    body = json.dumps(shape).encode()
    return Answer(status=200, headers=headers, body=body, release=release)


# --- the store ------------------------------------------------------------------------


class Xet:
    """The dialect of ``hf_xet``; to be served beside ``HuggingFace(xet=True)``."""

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer paths below ``/xet/v1/``, ``/xet/v2/`` and ``/xet/xorbs/``."""
        if not request.path.startswith(f"{ROOT}/"):
            return None
        parts = request.path.removeprefix(f"{ROOT}/").split("/")
        if parts[:2] == ["v1", "reconstructions"] and len(parts) == 3:
            return _reconstruction(request, shelf, parts[2])
        if parts[0] == "xorbs" and len(parts) == 3:
            return _xorb(request, shelf, parts[1], parts[2])
        if parts[0] in ("v1", "v2"):
            # The client asks version 2 first and then version 1, and reports how it
            # went; it takes a 404 for either.
            return answers.not_served()
        return None


def _reconstruction(request: Request, shelf: Shelf, name: str) -> Answer:
    size = _size(shelf, name)
    if size is None:
        return _unknown(request)
    first, stop = _wanted(request, size)
    if first >= stop:
        return answers.error(416, "", f"the file has {size} bytes")
    terms, fetches = [], {}
    for number in range(first // XORB_BYTES, (stop - 1) // XORB_BYTES + 1):
        begins = number * XORB_BYTES
        low = max(0, first - begins) // CHUNK_BYTES
        high = min(XORB_CHUNKS, -(-(stop - begins) // CHUNK_BYTES))
        ends = min(size, begins + high * CHUNK_BYTES)
        chunks = {"start": low, "end": high}
        length = ends - begins - low * CHUNK_BYTES
        hashed = _xorb_hash(name, number)
        terms.append({"hash": hashed, "unpacked_length": length, "range": chunks})
        last = ends - begins + high * HEAD_BYTES - 1
        url = request.base_url + request.sign(f"{ROOT}/xorbs/{name}/{number}")
        packed = {"start": low * _PACKED_CHUNK_BYTES, "end": last}
        fetches[hashed] = [{"range": chunks, "url": url, "url_range": packed}]
    return answers.shaped(
        {
            "offset_into_first_range": first % CHUNK_BYTES,
            "terms": terms,
            "fetch_info": fetches,
        }
    )


def _xorb(request: Request, shelf: Shelf, name: str, number: str) -> Answer:
    size = _size(shelf, name)
    if size is None or not _NUMBER.fullmatch(number):
        return _unknown(request)
    begins = int(number) * XORB_BYTES
    if begins >= size:
        return _unknown(request)
    ends = min(size, begins + XORB_BYTES)
    body = packed(Sha256(name), begins, ends, etag=_xorb_hash(name, int(number)))
    return Answer(status=200, headers=(_OCTETS, _PRIVATE), body=body)


def packed(blob: Sha256, begins: int, ends: int, *, etag: str) -> JoinedBody:
    """Return the bytes of *blob* from *begins* up to *ends* as chunks of a xorb.

    Each chunk is a version (0), its stored length, a compression scheme (0, none) and
    its own length, three bytes of little end first for a length, and then the bytes.
    """
    pieces: list[Piece] = []
    for start in range(begins, ends, CHUNK_BYTES):
        stop = min(ends, start + CHUNK_BYTES)
        length = (stop - start).to_bytes(3, "little")
        pieces.append(b"\0" + length + b"\0" + length)
        pieces.append(Slice(sha256=blob, start=start, stop=stop))
    return JoinedBody(pieces=tuple(pieces), etag=etag)


def _xorb_hash(name: str, number: int) -> Sha256:
    # The client keeps chunks on disk under this, so other cuts need other hashes.
    return sha256(f"airlift {CHUNK_BYTES} {XORB_CHUNKS} {name} {number}".encode())


def _size(shelf: Shelf, name: str) -> int | None:
    """Return the length of the live file with SHA-256 *name*, if this caller may."""
    if not is_sha256(name):
        return None
    span = shelf.span(Sha256(name))
    return None if span is None else span.length


def _wanted(request: Request, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None:
        return 0, size
    stop = int(match[2]) + 1 if match[2] else size
    return int(match[1]), min(size, stop)


def _unknown(request: Request) -> Answer:
    if request.caller.may_sign_in:
        return answers.unknown_caller()
    return answers.error(404, "", "no such file is held here")
