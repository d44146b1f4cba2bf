"""The Hugging Face hub's protocol: downloads, trees, refs and what else clients ask.

Laws of this dialect, each learned from a client that broke without it:

* ``/resolve`` answers 200 itself, never a redirect, always with the commit, an
  entity tag and a length.
* Errors say what is missing in ``X-Error-Code``; clients decide by it, not by status.
* A tree comes in one page. Unknown query keys are ignored. All other paths below
  ``/api/`` are a 404 in JSON.
* Nothing mentions xet, unless that is switched on and the client can speak it.
"""

import re

from airlift import naming
from airlift.artifact import ReleaseFile
from airlift.payload import git_objects
from airlift.serve.dialect import Answer, BlobBody, Request, Shelf
from airlift.serve.hub import answers, api, places, xet
from airlift.serve.hub.places import Call, Place

HTTP_LIMIT_BYTES = 50_000_000_000
"""Above this, huggingface_hub refuses a plain download if it is told the size."""

_SIZE_BLIND = re.compile(r"hf_hub/[1-9]")


class HuggingFace:
    """The dialect of huggingface_hub, transformers, vLLM, llama.cpp and others.

    Args:
        http_limit_bytes: Above this, clients that refuse a file by its size are not
            told its size.
        xet: Whether Python's client is sent to ``serve.xet``, which must be served
            beside this dialect, for files that it cannot or should not fetch plainly.
        xet_least_bytes: Smallest file it is sent there for.
    """

    def __init__(
        self,
        http_limit_bytes: int = HTTP_LIMIT_BYTES,
        *,
        xet: bool = False,
        xet_least_bytes: int = HTTP_LIMIT_BYTES,
    ) -> None:
        self._http_limit_bytes = http_limit_bytes
        self._xet, self._xet_least_bytes = xet, xet_least_bytes

    def answer(self, request: Request, shelf: Shelf) -> Answer | None:
        """Answer paths below ``/api/`` and those with ``/resolve/`` or ``/raw/``."""
        parts = request.path.split("/")[1:]
        if parts[0] == "api":
            return api.answer(request, shelf, parts[1:], with_xet=self._xet)
        kind = parts[0] if parts[0] in ("datasets", "spaces") else "models"
        tail = parts if kind == "models" else parts[1:]
        call = Call(request=request, shelf=shelf, type=kind)
        ways = places.readings(tail, ("resolve", "raw"), least=2)
        if not ways or request.method == "POST":
            return None
        found = places.repository(call, ways)
        place = found if isinstance(found, Answer) else places.revision(*found)
        return place if isinstance(place, Answer) else self._file(call, place)

    def _file(self, call: Call, place: Place) -> Answer:
        revision = place.revision
        file = revision.file(call.shelf, place.path)
        if file is None:
            shown = naming.show(place.path)
            problem = f"{shown} is not in {place.repo.name} at {revision.commit}"
            commit = revision.commit
            return answers.error(404, "EntryNotFound", problem, commit=commit)
        headers = [*answers.about(revision), ("Cache-Control", "no-cache")]
        body: bytes | BlobBody
        if place.marker == "raw" and not file.git_oid:
            # The raw route shows what git holds. ramalama crashes on anything else.
            headers.append(("Content-Type", "text/plain; charset=utf-8"))
            headers.append(("ETag", f'"{git_objects.blob_id(file)}"'))
            body = git_objects.pointer(file)
        else:
            headers.append(("Content-Type", "application/octet-stream"))
            by_xet = self._is_for_xet(call.request, file)
            if not file.size and "range" in call.request.headers:
                # No range of an empty file exists, so it is sent whole. JavaScript's
                # client asks `bytes=0-0` first and reads the size in this field.
                headers.append(("Content-Range", "bytes */0"))
            if by_xet:
                headers += xet.advert(call.request, call.type, place, file)
            body = BlobBody(
                sha256=file.sha256,
                size=file.size,
                etag=git_objects.etag(file),
                sized=by_xet or self._may_be_sized(call.request, file),
            )
        return Answer(
            status=200, headers=tuple(headers), body=body, release=revision.release
        )

    def _is_for_xet(self, request: Request, file: ReleaseFile) -> bool:
        return (
            self._xet
            and file.size >= max(1, self._xet_least_bytes)
            and xet.is_spoken(request)
        )

    def _may_be_sized(self, request: Request, file: ReleaseFile) -> bool:
        agent = request.headers.get("user-agent", "")
        return file.size <= self._http_limit_bytes or not _SIZE_BLIND.search(agent)
