"""The pages of the simple index, as JSON and as HTML.

URLs are relative, so that a prefix, another port or TLS in front never breaks them.

Source: the simple repository API of the Python Packaging User Guide, version 1.4
(PEP 503, 592, 629, 658, 691, 700, 714, 792).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TypeAlias
from urllib.parse import quote

from airlift.artifact import ReleaseFile
from airlift.serve.wheels.wheel_index import Distribution

API_VERSION = "1.4"
FILES = "-/files"
"""Folder of the files below ``/simple/``; no project's normalised name is ``-``."""

Shape: TypeAlias = "dict[str, Shape] | list[Shape] | str | int | bool | None"


def projects_json(names: Iterable[str]) -> bytes:
    """Return the list of projects as JSON."""
    return _json({"projects": [{"name": name} for name in names]})


def projects_html(names: Iterable[str]) -> bytes:
    """Return the list of projects as HTML."""
    links = (f'<a href="{quote(name)}/">{escape(name)}</a>' for name in names)
    return _html("Simple index", links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project as its page shows it.

    Attributes:
        name: Normalised.
        listed: Its files, oldest version first.
        status: What upstream says of it, and why; empty where it says nothing.
    """

    name: str
    listed: Sequence[Distribution]
    status: tuple[str, str] = ("", "")


def project_json(project: Project) -> bytes:
    """Return the page of *project* as JSON."""
    versions = dict.fromkeys(str(one.version) for one in project.listed)
    files: list[Shape] = [_file(one) for one in project.listed]
    shape: dict[str, Shape] = {"name": project.name}
    word, reason = project.status
    if word:
        said: dict[str, Shape] = {"status": word}
        shape["project-status"] = {**said, "reason": reason} if reason else said
    return _json({**shape, "versions": list(versions), "files": files})


def _file(one: Distribution) -> dict[str, Shape]:
    facts = one.file.facts
    shape: dict[str, Shape] = {
        "filename": one.file.path,
        "url": _url(one.file),
        "hashes": {"sha256": one.file.sha256},
        "size": one.file.size,
        "yanked": _yanked(one),
    }
    if isinstance(requires := facts.get("requires-python"), str):
        shape["requires-python"] = requires
    if uploaded := _upload_time(one):
        shape["upload-time"] = uploaded
    if one.metadata:
        # PEP 714: the first is today's key, the second what older clients know.
        shape["core-metadata"] = {"sha256": one.metadata.sha256}
        shape["dist-info-metadata"] = {"sha256": one.metadata.sha256}
    return shape


def project_html(project: Project) -> bytes:
    """Return the page of *project* as HTML."""
    names = ("status", "status-reason")
    told = (
        f'<meta name="pypi:project-{name}" content="{escape(text)}">'
        for name, text in zip(names, project.status, strict=True)
        if text
    )
    return _html(f"Links for {project.name}", map(_link, project.listed), told)


def _link(one: Distribution) -> str:
    attributes = {"href": f"{_url(one.file)}#sha256={one.file.sha256}"}
    if isinstance(requires := one.file.facts.get("requires-python"), str):
        attributes["data-requires-python"] = requires
    if (yanked := _yanked(one)) is not False:
        attributes["data-yanked"] = "" if yanked is True else yanked
    if one.metadata:
        attributes["data-core-metadata"] = f"sha256={one.metadata.sha256}"
        attributes["data-dist-info-metadata"] = f"sha256={one.metadata.sha256}"
    written = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"<a {written}>{escape(one.file.path)}</a>"


def _url(file: ReleaseFile) -> str:
    return f"../{FILES}/{file.sha256}/{quote(file.path)}"


def _yanked(one: Distribution) -> str | bool:
    yanked = one.file.facts.get("yanked")
    return yanked if isinstance(yanked, str) and yanked else bool(yanked)


def _upload_time(one: Distribution) -> str:
    """Return upstream's upload time; empty where absent or not a time.

    Installers refuse the whole page for one time they cannot read.
    """
    stated = one.file.facts.get("upload-time")
    try:
        uploaded = datetime.fromisoformat(stated) if isinstance(stated, str) else None
    except ValueError:
        return ""
    return str(stated) if uploaded and uploaded.tzinfo else ""


def _json(shape: dict[str, Shape]) -> bytes:
    page = {"meta": {"api-version": API_VERSION}, **shape}
    return json.dumps(page, separators=(",", ":")).encode()


def _html(title: str, links: Iterable[str], told: Iterable[str] = ()) -> bytes:
    lines = (
        "<!DOCTYPE html>",
        "<html><head>",
        f'<meta name="pypi:repository-version" content="{API_VERSION}">',
        *told,
        f"<title>{escape(title)}</title>",
        "</head><body>",
        *(f"{link}<br>" for link in links),
        "</body></html>\n",
    )
    return "\n".join(lines).encode()
