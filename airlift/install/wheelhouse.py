"""A flat folder of wheels for installers without any index.

Beside the wheels lie, for each set, a page with digests (``links-SET.html``, for
``--find-links``) and a list of everything in it with digests
(``requirements-SET.txt``, for ``--require-hashes``).

Source: pip 26.3 and uv 0.13; PEP 503 for the digests on a page.
"""

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from packaging.utils import NormalizedName
from packaging.version import Version

from airlift.artifact import Kind, ReleaseFile
from airlift.install.layout import Blob, Layout, Parcel, Text, View
from airlift.payload import wheel_names


class Wheelhouse:
    """A folder of wheels."""

    kinds = frozenset({Kind.WHEELS})
    noun = "a wheelhouse"

    def layout(self, parcel: Parcel, view: View, now: str) -> Layout:
        """Return the set's files, its page and its requirements."""
        release = parcel.release
        files = [
            one
            for one in release.files
            if wheel_names.parse(one.path) and not wheel_names.is_quarantined(one)
        ]
        name = release.name.replace("/", "--")
        page, listed = f"links-{name}.html", f"requirements-{name}.txt"
        return Layout(
            blobs=tuple(
                Blob(path=one.path, sha256=one.sha256, size=one.size) for one in files
            ),
            names=(
                Text(path=page, content=_page(files), replaces=_is_page),
                Text(
                    path=listed,
                    content=_requirements(files),
                    replaces=_is_list,
                ),
            ),
            whole="",
            in_view=True,
            notes=(f"pip install --no-index --require-hashes -f {page} -r {listed}",),
        )


_PAGE = b"<!DOCTYPE html>\n<title>Wheels carried by airlift</title>\n"
_LIST = b"# Everything in the set, made by airlift.\n"


def _is_page(found: bytes) -> bool:
    return found.startswith(_PAGE)


def _is_list(found: bytes) -> bool:
    return found.startswith(_LIST)


def _page(files: Sequence[ReleaseFile]) -> bytes:
    links = (
        f'<a href="{quote(one.path)}#sha256={one.sha256}">{escape(one.path)}</a><br>\n'
        for one in files
    )
    return _PAGE + "".join(links).encode()


def _requirements(files: Sequence[ReleaseFile]) -> bytes:
    projects: dict[NormalizedName, dict[Version, list[ReleaseFile]]] = {}
    for one in files:
        if parsed := wheel_names.parse(one.path):
            project, version = parsed
            projects.setdefault(project, {}).setdefault(version, []).append(one)
    lines = (_lines(name, projects[name]) for name in sorted(projects))
    return _LIST + "".join(lines).encode()


def _lines(name: str, versions: Mapping[Version, Sequence[ReleaseFile]]) -> str:
    texts = [
        f"{name}=={version}"
        + "".join(f" \\\n    --hash=sha256:{one.sha256}" for one in versions[version])
        + "\n"
        for version in sorted(versions)
    ]
    if len(texts) == 1:
        return texts[0]
    # An installer refuses two versions of one project; which is for which Python is
    # for the reader to say.
    kept = "".join(texts).replace("\n", "\n# ").removesuffix("# ")
    return f"# {name} is here in {len(texts)} versions; keep one:\n# {kept}"
