"""A package index on the loopback interface, and wheels to put there.

Speaks the simple repository API in JSON or HTML; files lie on another host, as they
do upstream. uv and pip work against it unchanged.
"""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import TracebackType
from typing import Any, Self

from hubs.faults import Answer, Asked, Fault, Loopback, Seen

JSON = "application/vnd.pypi.simple.v1+json"
TIME = "2024-05-06T07:08:09.123456Z"


def make_metadata(
    name: str, version: str, *, requires: Sequence[str] = (), python: str = ""
) -> bytes:
    """Return the METADATA of a project."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {python}"] * bool(python)
    lines += [f"Requires-Dist: {one}" for one in requires]
    return "\n".join([*lines, "", "About it.\n"]).encode()


def make_wheel(
    name: str,
    version: str,
    metadata: bytes,
    *,
    content: bytes = b"",
) -> bytes:
    """Return a wheel, the same bytes each time, that installs module *name*."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{name}/data.bin": content,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_b64(data)},{len(data)}" for path, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return out.getvalue()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@dataclass
class Shelved:
    """A file of the index and what its page says of it.

    Attributes:
        said: Keys of its entry on the page that replace the true ones; None leaves
            one out.
    """

    project: str
    data: bytes
    metadata: bytes = b""
    said: dict[str, Any] = field(default_factory=dict)


class Wheelhouse:
    """An index; use as a context manager.

    Attributes:
        shelved: Files by name; tests may change them.
        html: Whether pages come as HTML.
        statuses: What is said of projects, by name, as in PEP 792.
        login: ``user:password`` that requests to pages must bring; empty for none.
    """

    def __init__(self) -> None:
        self.shelved: dict[str, Shelved] = {}
        self.html = False
        self.statuses: dict[str, dict[str, str]] = {}
        self.login = ""
        self.api = Loopback(self._route)
        # The same machine under another name: another host to every client.
        self.cdn = Loopback(self._file, host="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.api.close()
        self.cdn.close()

    @property
    def url(self) -> str:
        """The address of the index."""
        return f"{self.api.url}/simple"

    def add(
        self,
        name: str,
        version: str,
        *,
        tags: str = "py3-none-any",
        requires: Sequence[str] = (),
        python: str = "",
        content: bytes = b"",
        said: Mapping[str, Any] | None = None,
    ) -> str:
        """Put a wheel there; return its file name."""
        metadata = make_metadata(name, version, requires=requires, python=python)
        data = make_wheel(name, version, metadata, content=content)
        filename = f"{name}-{version}-{tags}.whl"
        told = {"requires-python": python} if python else {}
        self.shelved[filename] = Shelved(
            project=name.replace("_", "-"),
            data=data,
            metadata=metadata,
            said=told | dict(said or {}),
        )
        return filename

    def files(self, *names: str) -> dict[str, bytes]:
        """Return what pinning the wheels *names* must give, by path."""
        found = {}
        for name in names:
            found[name] = self.shelved[name].data
            found[f"{name}.metadata"] = self.shelved[name].metadata
        return found

    def break_file(self, path: str, fault: Fault) -> None:
        """Let *fault* happen to the bytes of *path*."""
        self.cdn.faults[path] = fault

    def sent(self, path: str | None = None) -> int:
        """Return how many bytes of files (of *path*) were sent."""
        return self.cdn.sent(path)

    def seen(self) -> list[Seen]:
        """Return every request to either server."""
        return [*self.api.seen, *self.cdn.seen]

    def _route(self, asked: Asked) -> Answer:
        if self.login:
            expected = f"Basic {base64.b64encode(self.login.encode()).decode()}"
            if asked.headers.get("authorization") != expected:
                return Answer(401, {"WWW-Authenticate": 'Basic realm="index"'})
        project = asked.parts[-1]
        entries = [
            self._entry(name, one)
            for name, one in sorted(self.shelved.items())
            if one.project == project
        ]
        if asked.parts[0] != "simple" or not entries:
            return Answer(404, {}, b"not found")
        status = self.statuses.get(project, {})
        if self.html:
            return Answer(200, {"Content-Type": "text/html"}, _html(entries, status))
        page = {"meta": {"api-version": "1.4"}, "name": project, "files": entries}
        if status:
            page["project-status"] = status
        return Answer(200, {"Content-Type": JSON}, json.dumps(page).encode())

    def _entry(self, name: str, one: Shelved) -> dict[str, Any]:
        sha256 = hashlib.sha256(one.data).hexdigest()
        entry: dict[str, Any] = {
            "filename": name,
            "url": f"{self.cdn.url}/files/{name}",
            "hashes": {"sha256": sha256},
            "size": len(one.data),
            "upload-time": TIME,
        }
        if one.metadata:
            told = {"sha256": hashlib.sha256(one.metadata).hexdigest()}
            entry["core-metadata"] = entry["data-dist-info-metadata"] = told
        return {k: v for k, v in (entry | one.said).items() if v is not None}

    def _file(self, asked: Asked) -> Answer:
        name = asked.parts[-1]
        one = self.shelved.get(name.removesuffix(".metadata"))
        if one is None or "authorization" in asked.headers:
            return Answer(403)
        if name.endswith(".metadata"):
            return Answer(200, {}, one.metadata, name)
        return Answer(200, {}, one.data, name)


def _html(entries: Sequence[Mapping[str, Any]], status: Mapping[str, str]) -> bytes:
    names = {"status": "pypi:project-status", "reason": "pypi:project-status-reason"}
    metas = "".join(
        f'<meta name="{names[key]}" content="{escape(text)}">'
        for key, text in status.items()
    )
    links = []
    for entry in entries:
        digest = entry.get("hashes", {}).get("sha256")
        href = entry["url"] + (f"#sha256={digest}" if digest else "")
        more = f' data-requires-python="{escape(entry.get("requires-python", ""))}"'
        if yanked := entry.get("yanked"):
            more += f' data-yanked="{escape(yanked if yanked is not True else "")}"'
        if told := entry.get("core-metadata"):
            more += f' data-core-metadata="sha256={told["sha256"]}"'
        links.append(f'<a href="{escape(href)}"{more}>{entry["filename"]}</a>')
    body = "".join(links)
    return (
        f"<!DOCTYPE html><html><head>{metas}</head><body>{body}</body></html>".encode()
    )
