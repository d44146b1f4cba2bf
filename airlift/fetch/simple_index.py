"""Pages of a package index: what upstream says of each file.

Reads the simple repository API in its JSON and HTML forms, over http and from
``file:`` addresses, with ``pypi-simple``'s parsers and our own requests.

Source: PyPA specifications, "Simple repository API" (PEP 503, 592, 658, 691, 700, 792).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pypi_simple import (
    ACCEPT_JSON_PREFERRED,
    PYPI_SIMPLE_ENDPOINT,
    DistributionPackage,
    ProjectPage,
    ProjectStatus,
    UnsupportedRepoVersionError,
)

from airlift import naming
from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256
from airlift.errors import SourceError
from airlift.fetch.door import Door
from airlift.fetch.refusals import RefusedError
from airlift.fetch.settings import Settings
from airlift.payload import wheel_names

DEFAULT: Final = PYPI_SIMPLE_ENDPOINT
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file as its index lists it.

    Attributes:
        sha256: As stated; None where no page states one.
        size: Bytes; None where unsaid.
        metadata_sha256: Of its METADATA, which lies at its address with
            ``.metadata`` behind; None where the index has none or no digest of it.
        facts: ``requires-python``, ``upload-time``, ``yanked`` (true or the
            reason), ``project-status``, where they are stated.
    """

    sha256: Sha256 | None
    size: int | None
    metadata_sha256: Sha256 | None
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What indexes say of a project.

    Attributes:
        index: The address of the first that has it, without a login; empty where
            none has.
        status: What that one says of the whole (PEP 792); ``active`` where nothing.
        reason: Why; may be empty.
        files: By file name, what each index lists, in their order.
    """

    index: str
    status: str
    reason: str
    files: Mapping[str, tuple[Listed, ...]]


class SimpleIndexes:
    """Indexes that files are looked up in; safe from several threads.

    Args:
        settings: How to reach the network.
        indexes: Addresses, the one that counts first; they may hold a login, which
            goes to their own host only.
    """

    def __init__(self, settings: Settings, indexes: Sequence[str]) -> None:
        self._indexes = tuple(index.rstrip("/") for index in indexes)
        homes = tuple(index for index in self._indexes if not index.startswith("file:"))
        self._door = Door(settings, homes=homes)

    def files(self, project: str) -> Mapping[str, tuple[Listed, ...]]:
        """Return what the indexes list for *project*, by file name, in their order.

        Raises:
            SourceError: A page cannot be had or read.
        """
        return self.project(project).files

    def project(self, name: str) -> Project:
        """Return what the indexes say of the project *name*.

        Raises:
            SourceError: A page cannot be had or read.
        """
        found: dict[str, tuple[Listed, ...]] = {}
        told = Project(index="", status="", reason="", files={})
        for index in self._indexes:
            page = self._page(index, name)
            if page is not None and not told.index:
                told = _told(page, bare(index))
            status = _status(page)
            for package in page.packages if page else ():
                before = found.get(package.filename, ())
                found[package.filename] = (*before, _listed(package, status))
        return replace(told, files=found)

    @contextmanager
    def read(
        self, url: str, start: int = 0, stop: int | None = None
    ) -> Iterator[Iterator[bytes]]:
        """Open the file at *url* and yield its bytes from *start* to *stop*.

        Raises:
            SourceError: It cannot be had or breaks off.
        """
        if url.startswith("file:"):
            with _local(url, start, stop) as chunks:
                yield chunks
        else:
            with self._door.stream(self._with_login(url), start, stop) as chunks:
                yield chunks

    def _page(self, index: str, project: str) -> ProjectPage | None:
        url = f"{index}/{project}/"
        try:
            if index.startswith("file:"):
                place = _path(url) / "index.html"
                html = place.read_bytes() if place.is_file() else b""
                return ProjectPage.from_html(project, html, base_url=url)
            headers = {"accept": ACCEPT_JSON_PREFERRED}
            reply = self._door.get(url, headers)
            kind = reply.headers.get("content-type", "")
            if kind.partition(";")[0].endswith("+json"):
                data = json.loads(reply.body)
                return ProjectPage.from_json_data(data, base_url=reply.url)
            return ProjectPage.from_html(project, reply.body, base_url=reply.url)
        except RefusedError as error:
            if error.status == 404:
                return None  # the next index may have it
            raise
        except (ValueError, KeyError, TypeError, UnsupportedRepoVersionError) as error:
            problem = f"{naming.show(bare(url))} is no index page: {error}"
            raise SourceError(problem, hint="check the address of the index") from error

    def _with_login(self, url: str) -> str:
        target = urlsplit(url)
        for index in map(urlsplit, self._indexes):
            same = (index.scheme, index.hostname, index.port) == (
                *(target.scheme, target.hostname, target.port),
            )
            if same and "@" in index.netloc:
                return urlunsplit(target._replace(netloc=index.netloc))
        return url


def bare(url: str) -> str:
    """Return *url* without login, query and fragment: what may be recorded."""
    split = urlsplit(url)
    host = split.netloc.rpartition("@")[2]
    return urlunsplit((split.scheme, host, split.path, "", ""))


def _told(page: ProjectPage, index: str) -> Project:
    word = page.status.value if page.status is not None else wheel_names.ACTIVE
    reason = page.status_reason or ""
    return Project(index=index, status=word, reason=reason, files={})


def _status(page: ProjectPage | None) -> Mapping[str, Json]:
    """Return what the index says of the project as a fact of each file (PEP 792)."""
    if page is None or page.status is None or page.status is ProjectStatus.ACTIVE:
        return {}
    said = {"status": page.status.value}
    reason = {"reason": page.status_reason} if page.status_reason else {}
    return {wheel_names.STATUS: {**said, **reason}}


def _listed(package: DistributionPackage, status: Mapping[str, Json]) -> Listed:
    facts = dict(status)
    if package.requires_python:
        facts["requires-python"] = package.requires_python
    if package.upload_time is not None:
        when = package.upload_time.astimezone(UTC).isoformat()
        facts["upload-time"] = when.replace("+00:00", "Z")
    if package.is_yanked:
        facts["yanked"] = package.yanked_reason or True
    return Listed(
        sha256=_sha256(package.digests),
        size=package.size,
        metadata_sha256=_sha256(package.metadata_digests or {}),
        facts=facts,
    )


def _sha256(digests: Mapping[str, str]) -> Sha256 | None:
    found = digests.get("sha256", "").lower()
    return Sha256(found) if is_sha256(found) else None


def _path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


@contextmanager
def _local(url: str, start: int, stop: int | None) -> Iterator[Iterator[bytes]]:
    place = _path(url)
    try:
        file = place.open("rb")
    except OSError as error:
        problem = f"cannot read `{naming.show(str(place))}`: {error.strerror}"
        raise SourceError(problem, hint="check the folder of the index") from error
    with file:
        end = place.stat().st_size if stop is None else stop
        file.seek(start)
        yield iter(lambda: file.read(max(0, min(_CHUNK, end - file.tell()))), b"")
