"""Registries of images and models: documents and blobs, signed in as nobody.

Most registries give nothing without a token and give a token to anybody who asks the
address in their challenge; that is done here, for every source that reads from one.
Documents stand in the lock itself (as a ``data:`` location): registries keep no old
ones, and a tag that moved since must not break an export that was already reviewed.

Source: OCI distribution specification 1.1; Docker's "Token Authentication
Specification".
"""

import base64
import binascii
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, urlencode, urljoin, urlsplit

from airlift import naming
from airlift.artifact import Json, PinnedFile
from airlift.digest import sha256
from airlift.errors import FormatError, SourceError, SourceGoneError
from airlift.fetch.door import Door, Reply
from airlift.fetch.refusals import RefusedError
from airlift.fetch.settings import Settings
from airlift.payload import oci
from airlift.payload.oci import Descriptor, Document

_DATA: Final = "data:application/json;base64,"
_TOKEN_LIMIT: Final = 1 << 20
_ACCEPT: Final = ", ".join(oci.READ)
_BEARER = re.compile(r"bearer\s+(.*)", re.ASCII | re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*"([^"]*)"', re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,65536}", re.ASCII)
_REPOSITORY = re.compile(r"(.+)/(?:(?:manifests|blobs)/[^/]+|tags/list(?:\?.*)?)")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?', re.IGNORECASE)
_PAGES: Final = 100
"""Pages of a list of tags, of 1,000 each where the registry agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository of a registry.

    Attributes:
        registry: URL, without a slash at its end.
        path: Of the repository there.
        shown: What its user calls what is looked for, for errors.
    """

    registry: str
    path: str
    shown: str

    @property
    def host(self) -> str:
        """The registry as errors call it."""
        return urlsplit(self.registry).netloc

    def blob(self, descriptor: Descriptor) -> PinnedFile:
        """Return the blob that *descriptor* names as a file of an artifact."""
        base = f"{self.registry}/v2/{quote(self.path)}"
        return PinnedFile(
            path=f"blobs/sha256-{descriptor.digest}",
            size=descriptor.size,
            sha256=descriptor.digest,
            location=f"{base}/blobs/sha256:{descriptor.digest}",
            facts={"media-type": descriptor.media_type},
        )


def inline(
    path: str, data: bytes, facts: Mapping[str, Json] | None = None
) -> PinnedFile:
    """Return *data* as a file of an artifact that needs no fetching."""
    return PinnedFile(
        path=path,
        size=len(data),
        sha256=sha256(data),
        location=_DATA + base64.b64encode(data).decode(),
        facts=facts or {},
    )


class Registries:
    """The registries that a source reads from; safe from several threads.

    Args:
        settings: How to reach the network.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._doors: dict[str, Door] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def document(
        self, place: Place, reference: str, *, limit: int = oci.DOCUMENT_LIMIT
    ) -> tuple[bytes, Document]:
        """Return the exact bytes of a manifest or index, and what they say.

        Args:
            place: Where.
            reference: A tag or ``sha256:...``, which the bytes must then have.
            limit: Most bytes.

        Raises:
            SourceError: There is none, it wants a login, or it is not what it should.
        """
        url = f"{place.registry}/v2/{quote(place.path)}/manifests/{quote(reference)}"
        try:
            data = self._get(url, limit).body
        except RefusedError as error:
            _explain(place, reference, error)
        record = f"the manifest of {place.shown}"
        digest = oci.parse_digest(reference)
        if digest not in (None, sha256(data)):
            problem = f"{naming.show(record)} arrived as sha256 {sha256(data)}, "
            raise SourceError(problem + f"asked for was {digest}")
        try:
            return data, oci.read(data, name=record)
        except FormatError as error:
            hint = "a proxy may have answered instead"
            raise SourceError(error.problem, hint=hint) from error

    def tags(self, place: Place) -> tuple[str, ...]:
        """Return the tags of the repository at *place*, sorted.

        Raises:
            SourceError: The registry lists none, wants a login, or never ends.

        Source: OCI distribution specification 1.1, "Listing tags".
        """
        found: set[str] = set()
        url = f"{place.registry}/v2/{quote(place.path)}/tags/list?n=1000"
        for _ in range(_PAGES):
            try:
                reply = self._get(url, oci.DOCUMENT_LIMIT)
            except RefusedError as error:
                if error.status != 404:
                    _explain(place, "latest", error)
                reply = Reply(url=url)
            found |= _listed(reply.body, place)
            more = _NEXT.search(reply.headers.get("link", ""))
            if more is None:
                return tuple(sorted(found))
            following = urljoin(url, more[1])
            if urlsplit(following).netloc != urlsplit(url).netloc:
                break
            url = following
        problem = f"{place.host} lists the tags of `{naming.show(place.shown)}` no end"
        raise SourceError(problem, hint="name the tag in the manifest")

    @contextmanager
    def read(
        self, file: PinnedFile, start: int, stop: int | None
    ) -> Iterator[Iterator[bytes]]:
        """Open *file*, made by ``inline`` or ``Place.blob``, from *start* to *stop*.

        Raises:
            SourceError: As a source's ``read`` promises.
        """
        if file.location.startswith(_DATA):
            piece = _decoded(file)[start:stop]
            yield iter((piece,) if piece else ())
            return
        url = file.location
        door = self._door(url)
        with ExitStack() as stack:
            try:
                opened = door.stream(url, start, stop, self._headers(url))
                chunks = stack.enter_context(opened)
            except RefusedError as error:
                self._sign_in(door, url, error)
                opened = door.stream(url, start, stop, self._headers(url))
                chunks = stack.enter_context(opened)
            yield chunks

    def _get(self, url: str, limit: int) -> Reply:
        door, accept = self._door(url), {"accept": _ACCEPT}
        try:
            return door.get(url, accept | self._headers(url), limit=limit)
        except RefusedError as error:
            self._sign_in(door, url, error)
            return door.get(url, accept | self._headers(url), limit=limit)

    def _door(self, url: str) -> Door:
        split = urlsplit(url)
        home = f"{split.scheme}://{split.netloc}"
        with self._lock:
            if home not in self._doors:
                self._doors[home] = Door(self._settings, homes=(home,))
            return self._doors[home]

    def _headers(self, url: str) -> dict[str, str]:
        token = self._tokens.get(_repository(url))
        return {"authorization": f"Bearer {token}"} if token else {}

    def _sign_in(self, door: Door, url: str, refused: RefusedError) -> None:
        """Get the token that *refused* sends for, also where an old one ran out.

        Raises:
            RefusedError: *refused*, where no token is offered or none is given.
        """
        told = _BEARER.fullmatch(refused.headers.get("www-authenticate", ""))
        if refused.status != 401 or told is None:
            raise refused
        challenge = dict(_PARAMETER.findall(told[1]))
        realm = challenge.get("realm", "")
        query = {
            key: challenge[key] for key in ("service", "scope") if key in challenge
        }
        try:
            joint = "&" if "?" in realm else "?"
            answer = door.get_json(
                f"{realm}{joint}{urlencode(query)}", limit=_TOKEN_LIMIT
            )
        except RefusedError:
            raise refused from None
        given = answer if isinstance(answer, dict) else {}
        token = given.get("token") or given.get("access_token")
        # What upstream sends goes into a header: nothing that could end it.
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise refused
        self._tokens[_repository(url)] = token


def _listed(body: bytes, place: Place) -> set[str]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    tags = answer.get("tags") if isinstance(answer, dict) else None
    if not isinstance(tags, list):
        problem = f"{place.host} lists no tags of `{naming.show(place.shown)}`"
        raise SourceError(problem, hint="name the tag, or several, in the manifest")
    return {tag for tag in tags if isinstance(tag, str)}


def _repository(url: str) -> str:
    found = _REPOSITORY.fullmatch(url)
    return found[1] if found else url


def _explain(place: Place, reference: str, error: RefusedError) -> NoReturn:
    shown = naming.show(place.shown)
    if error.status == 404:
        what = "" if oci.parse_digest(reference) else "tag "
        problem = f"`{shown}` is not at {place.host} ({what}`{reference}`)"
        raise SourceGoneError(problem, hint="check the name and the tag") from error
    if error.status in (401, 403):
        problem = f"{place.host} does not give `{shown}` without a login"
        hint = "airlift fetches what is public; carry a private one as a folder"
        raise SourceError(problem, hint=hint) from error
    raise error


def _decoded(file: PinnedFile) -> bytes:
    try:
        return base64.b64decode(file.location.removeprefix(_DATA), validate=True)
    except binascii.Error as error:
        problem = f"`{naming.show(file.path)}` of the lock is damaged: {error}"
        raise SourceError(problem, hint="lock again") from error
