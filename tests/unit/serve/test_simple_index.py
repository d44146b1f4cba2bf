"""The simple index, asked without a socket: pages, negotiation, files."""

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from airlift.artifact import Json, Kind
from airlift.digest import sha256
from airlift.serve.access import scope
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import ANYONE, Answer, BlobBody, Caller, Request, Shelf
from airlift.serve.wheels.simple_index import SimpleIndex
from shelves import MemoryShelf, cargo

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ONE = "Foo_Bar-1.0-py3-none-any.whl"
TWO = "Foo_Bar-2.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl"
SDIST = "foo.bar-1.5.tar.gz"
FACTS: dict[str, dict[str, Json]] = {
    ONE: {
        "requires-python": ">=3.8,<4",
        "upload-time": "2024-01-02T03:04:05.678901Z",
        "yanked": "broken <b>",
        "metadata-sha256": "0" * 64,
    },
    TWO: {"yanked": True, "upload-time": "yesterday"},
}
CONTENTS = {
    ONE: b"wheel one",
    f"{ONE}.metadata": b"Name: Foo_Bar\n",
    TWO: b"wheel two",
    SDIST: b"sdist",
    "notes.txt": b"not for installers",
    "broken-name.whl": b"nor this",
}


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """One set of wheels with every fact an index knows."""
    return MemoryShelf(
        tmp_path,
        [
            cargo(Kind.WHEELS, "set", CONTENTS, facts=FACTS),
            cargo(Kind.WHEELS, "other", {"zed-1.0-py3-none-any.whl": b"zed"}),
            cargo(Kind.MODEL, "org/model", {"evil-1.0-py3-none-any.whl": b"model"}),
        ],
    )


def ask(
    shelf: Shelf, target: str, accept: str | None = PIP, caller: Caller = ANYONE
) -> Answer:
    """Return the answer to a GET of *target*, which must be the dialect's own."""
    path, _, query = target.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if query]
    headers = {} if accept is None else {"accept": accept}
    request = Request(
        method="GET",
        path=path,
        query=tuple(pairs),
        headers=headers,
        caller=caller,
    )
    answer = SimpleIndex().answer(request, shelf)
    assert answer is not None
    return answer


def page(shelf: MemoryShelf, target: str) -> Any:
    """Return a JSON page."""
    got = ask(shelf, target)
    assert (got.status, dict(got.headers)["Content-Type"]) == (200, JSON)
    assert isinstance(got.body, bytes)
    return json.loads(got.body)


def test_a_project_page_has_every_key_installers_use(shelf: MemoryShelf) -> None:
    """The exact page; its digests are of what is held, not what upstream said."""
    one, two = sha256(b"wheel one"), sha256(b"wheel two")
    metadata = {"sha256": sha256(b"Name: Foo_Bar\n")}
    assert page(shelf, "/simple/foo-bar/") == {
        "meta": {"api-version": "1.4"},
        "name": "foo-bar",
        "versions": ["1.0", "1.5", "2.0+cpu"],
        "files": [
            {
                "filename": ONE,
                "url": f"../-/files/{one}/{ONE}",
                "hashes": {"sha256": one},
                "size": 9,
                "yanked": "broken <b>",
                "requires-python": ">=3.8,<4",
                "upload-time": "2024-01-02T03:04:05.678901Z",
                "core-metadata": metadata,
                "dist-info-metadata": metadata,
            },
            {
                "filename": SDIST,
                "url": f"../-/files/{sha256(b'sdist')}/{SDIST}",
                "hashes": {"sha256": sha256(b"sdist")},
                "size": 5,
                "yanked": False,
            },
            {
                "filename": TWO,
                "url": f"../-/files/{two}/{TWO.replace('+', '%2B')}",
                "hashes": {"sha256": two},
                "size": 9,
                "yanked": True,
            },
        ],
    }


class _Links(HTMLParser):
    """Collects anchors with their attributes and text, and every other tag."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[dict[str, str | None], str]] = []
        self.tags: set[str] = set()
        self._open: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self._open = dict(attrs)

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.links.append((self._open, data))
            self._open = None


def links(answer: Answer) -> _Links:
    """Return the links of an HTML page."""
    assert isinstance(answer.body, bytes)
    found = _Links()
    found.feed(answer.body.decode())
    return found


def test_the_html_page_says_the_same(shelf: MemoryShelf) -> None:
    """Old installers and people with a browser read this one."""
    got = links(ask(shelf, "/simple/foo-bar/", "text/html"))
    one, two = sha256(b"wheel one"), sha256(b"wheel two")
    metadata = f"sha256={sha256(b'Name: Foo_Bar' + bytes([10]))}"
    assert got.links[0] == (
        {
            "href": f"../-/files/{one}/{ONE}#sha256={one}",
            "data-requires-python": ">=3.8,<4",
            "data-yanked": "broken <b>",
            "data-core-metadata": metadata,
            "data-dist-info-metadata": metadata,
        },
        ONE,
    )
    assert got.links[2] == (
        {
            "href": f"../-/files/{two}/{TWO.replace('+', '%2B')}#sha256={two}",
            "data-yanked": "",
        },
        TWO,
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='x",
        "</a></body></html><script>",
        "&lt;b&gt;",
        "<!--",
        "]]>",
    ],
)
def test_nothing_from_upstream_becomes_markup(tmp_path: Path, text: str) -> None:
    """A yank reason is written by strangers and shown in the site's browsers."""
    facts: Mapping[str, dict[str, Json]] = {
        ONE: {"yanked": text, "requires-python": text}
    }
    shelf = MemoryShelf(tmp_path, [cargo(Kind.WHEELS, "s", {ONE: b"w"}, facts=facts)])
    answer = ask(shelf, "/simple/foo-bar/", "text/html")
    got = links(answer)
    assert got.tags == {"html", "head", "meta", "title", "body", "a", "br"}
    assert got.links[0][0]["data-yanked"] == text
    assert got.links[0][0]["data-requires-python"] == text
    assert dict(answer.headers)["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PIP, JSON),
        (UV, JSON),
        (BROWSER, HTML),
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        ("text/html", HTML),
        ("text/*", HTML),
        ("TEXT/HTML; Q=0.5", HTML),
        (f"{JSON};q=0.2, text/html;q=0.5", HTML),
        (f"{JSON};q=0.5, text/html;q=0.2", JSON),
        (f"{JSON};q=0, */*", HTML),
        ("text/html;q=0, */*", JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        (
            "application/vnd.pypi.simple.v1+html",
            "application/vnd.pypi.simple.v1+html; charset=utf-8",
        ),
        (f"{JSON};q=nonsense", JSON),
        (f"image/png, {JSON};q=0.001", JSON),
    ],
)
def test_the_form_wanted_most_is_sent(
    shelf: MemoryShelf, accept: str | None, content_type: str
) -> None:
    """Pip and uv refuse a page of a type they did not ask for."""
    for target in ("/simple/", "/simple/zed/"):
        got = ask(shelf, target, accept)
        assert (got.status, dict(got.headers)["Content-Type"]) == (200, content_type)
        assert dict(got.headers)["Vary"] == "Accept"


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "image/png",
        f"{JSON};q=0",
        "*/*;q=0",
        "application/vnd.pypi.simple.v2+json",
        ";;,,q=",
    ],
)
def test_a_form_that_is_not_served_is_not_acceptable(
    shelf: MemoryShelf, accept: str
) -> None:
    """A 406 with the forms there are beats a page the client cannot read."""
    got = ask(shelf, "/simple/zed/", accept)
    assert (got.status, got.body) == (
        406,
        b"pages are application/vnd.pypi.simple.v1+json or text/html\n",
    )


def test_the_query_may_name_the_form(shelf: MemoryShelf) -> None:
    """PEP 691 allows it for clients that cannot set headers."""
    got = ask(shelf, f"/simple/zed/?format={JSON}", "text/html")
    assert dict(got.headers)["Content-Type"] == JSON


def test_projects_are_listed(shelf: MemoryShelf) -> None:
    """Wheels of live wheel sets only; a model's files are no packages."""
    assert page(shelf, "/simple/") == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "foo-bar"}, {"name": "zed"}],
    }
    assert links(ask(shelf, "/simple/", "text/html")).links == [
        ({"href": "foo-bar/"}, "foo-bar"),
        ({"href": "zed/"}, "zed"),
    ]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/simple", "simple/"),
        ("/simple/zed", "zed/"),
        ("/simple/Foo_Bar/", "../foo-bar/"),
        ("/simple/foo.bar/", "../foo-bar/"),
        ("/simple/FOO--bar", "foo-bar/"),
    ],
)
def test_other_spellings_are_redirected_by_a_relative_location(
    shelf: MemoryShelf, target: str, location: str
) -> None:
    """An absolute one would lose the prefix a site mounted airlift below."""
    got = ask(shelf, target)
    assert (got.status, dict(got.headers)) == (301, {"Location": location})


@pytest.mark.parametrize(
    "target",
    [
        "/simple/nope/",
        "/simple/nope",
        "/simple/evil/",
        "/simple/-/",
        "/simple/-/files/",
        "/simple/zed/more/",
        "/simple//zed/",
        "/simple/broken-name/",
        f"/simple/-/files/{'0' * 64}/{ONE}",
        f"/simple/-/files/{sha256(b'wheel two')}/{ONE}",
        f"/simple/-/files/{sha256(b'wheel one').upper()}/{ONE}",
        f"/simple/-/files/{sha256(b'wheel one')}/{ONE}/",
        f"/simple/-/files/{sha256(b'not for installers')}/notes.txt",
        f"/simple/-/files/{sha256(b'model')}/evil-1.0-py3-none-any.whl",
        f"/simple/-/files/{sha256(b'wheel two')}/{TWO}.metadata",
        "/simple/-/files/../../etc/passwd",
    ],
)
def test_what_is_not_there_is_a_404(shelf: MemoryShelf, target: str) -> None:
    """A digest must go with its name, and only live distributions have one."""
    assert ask(shelf, target).status == 404


def test_a_file_and_its_metadata_are_found_by_the_pages_links(
    shelf: MemoryShelf,
) -> None:
    """Installers append `.metadata` to the file's own link."""
    base = f"/simple/-/files/{sha256(b'wheel one')}/{ONE}"
    got = ask(shelf, base)
    (live,) = shelf.releases(frozenset([Kind.WHEELS]), "set")
    digest = sha256(b"wheel one")
    assert got == Answer(
        status=200,
        headers=(
            ("Content-Type", "application/octet-stream"),
            ("Cache-Control", "public, max-age=31536000, immutable"),
        ),
        body=BlobBody(sha256=digest, size=9, etag=digest),
        release=live.id,
    )
    metadata = sha256(b"Name: Foo_Bar\n")
    body = BlobBody(sha256=metadata, size=14, etag=metadata)
    assert ask(shelf, f"{base}.metadata").body == body


def test_a_page_has_a_validator_and_is_checked_every_time(shelf: MemoryShelf) -> None:
    """An update must be seen at once, an unchanged page must cost nothing."""
    got = ask(shelf, "/simple/zed/")
    assert isinstance(got.body, bytes)
    headers = dict(got.headers)
    assert headers["ETag"] == f'"{sha256(got.body)}"'
    assert headers["Cache-Control"] == "max-age=0, must-revalidate"


def test_of_two_files_of_one_name_the_one_taken_in_last_is_listed(
    tmp_path: Path,
) -> None:
    """An index may list a name once; what a page named stays installable."""
    old, new = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.WHEELS, "b", {ONE: b"new"}, counter=1, imported=new),
            cargo(Kind.WHEELS, "a", {ONE: b"old"}, counter=9, imported=old),
        ],
    )
    (file,) = page(shelf, "/simple/foo-bar/")["files"]
    assert file["hashes"] == {"sha256": sha256(b"new")}
    got = ask(shelf, f"/simple/-/files/{sha256(b'old')}/{ONE}")
    assert got.status == 200


def test_the_index_follows_the_live_set(shelf: MemoryShelf) -> None:
    """What is withdrawn is gone with the next request, not with a restart."""
    index = SimpleIndex()

    def status(path: str) -> int:
        request = Request(method="GET", path=path, headers={"accept": PIP})
        answer = index.answer(request, shelf)
        assert answer is not None
        return answer.status

    file = f"/simple/-/files/{sha256(b'zed')}/zed-1.0-py3-none-any.whl"
    assert (status("/simple/zed/"), status(file), status("/simple/new/")) == (
        *(200, 200),
        404,
    )
    shelf.drop("other")
    shelf.add(cargo(Kind.WHEELS, "more", {"new-1-py3-none-any.whl": b"n"}))
    assert (status("/simple/zed/"), status(file), status("/simple/new/")) == (
        *(404, 404),
        200,
    )


def test_nothing_can_be_posted(shelf: MemoryShelf) -> None:
    """Upload tools get a plain refusal."""
    request = Request(method="POST", path="/simple/")
    answer = SimpleIndex().answer(request, shelf)
    assert answer is not None
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/", "/simpler/", "/api/models", "/v2/"])
def test_paths_of_others_are_left_to_others(shelf: MemoryShelf, path: str) -> None:
    """The dialects share one port."""
    assert SimpleIndex().answer(Request(method="GET", path=path), shelf) is None


# --- what upstream says of a project ------------------------------------------------


def marked(folder: Path, status: str, reason: str = "") -> MemoryShelf:
    """Return a shelf whose project ``zed`` has a status."""
    name = "zed-1.0-py3-none-any.whl"
    said: dict[str, Json] = {"status": status}
    facts = {name: {"project-status": {**said, "reason": reason} if reason else said}}
    contents = {name: b"zed", f"{name}.metadata": b"Name: zed\n"}
    return MemoryShelf(folder, [cargo(Kind.WHEELS, "set", contents, facts=facts)])


def test_the_status_of_a_project_is_on_its_page(tmp_path: Path) -> None:
    """Who writes requirements learns that nobody maintains what they ask for."""
    shelf = marked(tmp_path, "archived", "use <other>")
    got = page(shelf, "/simple/zed/")
    assert got["project-status"] == {"status": "archived", "reason": "use <other>"}
    assert (got["meta"], len(got["files"])) == ({"api-version": "1.4"}, 1)
    html = ask(shelf, "/simple/zed/", "text/html").body
    assert isinstance(html, bytes)
    assert b'<meta name="pypi:project-status" content="archived">' in html
    assert (
        b'<meta name="pypi:project-status-reason" content="use &lt;other&gt;">' in html
    )


def test_a_project_in_quarantine_offers_nothing(tmp_path: Path) -> None:
    """Installers ignore the status, so the only protection is to have no files."""
    shelf = marked(tmp_path, "quarantined")
    got = page(shelf, "/simple/zed/")
    assert (got["project-status"], got["files"], got["versions"]) == (
        *({"status": "quarantined"}, [], []),
    )
    name = "zed-1.0-py3-none-any.whl"
    for path in (name, f"{name}.metadata"):
        target = f"/simple/-/files/{sha256(b'zed')}/{path}"
        assert ask(shelf, target).status == 404
    assert page(shelf, "/simple/")["projects"] == []


def test_the_newest_word_on_a_project_counts_for_all_its_files(tmp_path: Path) -> None:
    """Malware found later is in the older set as well; an error may be lifted."""
    shelf = marked(tmp_path, "quarantined")
    older = cargo(
        *(Kind.WHEELS, "older", {"zed-0.9-py3-none-any.whl": b"old"}),
        imported="2026-02-01T00:00:00Z",
    )
    shelf.add(older)
    assert page(shelf, "/simple/zed/")["files"] == []
    newer = cargo(
        *(Kind.WHEELS, "newer", {"zed-1.1-py3-none-any.whl": b"new"}),
        imported="2026-04-01T00:00:00Z",
    )
    shelf.add(newer)
    assert page(shelf, "/simple/zed/")["versions"] == ["0.9", "1.0", "1.1"]


# --- callers ------------------------------------------------------------------------

SOMEONE = Caller(name="team")
STRANGER = Caller(may_sign_in=True)


@pytest.mark.parametrize(
    "target", ["/simple/", "/simple/no/", "/simple/no", f"/simple/-/files/{'0' * 64}/x"]
)
def test_a_stranger_is_asked_to_sign_in(tmp_path: Path, target: str) -> None:
    """Both installers send what they have only after a challenge of this scheme."""
    got = ask(MemoryShelf(tmp_path), target, caller=STRANGER)
    assert (got.status, got.body) == (401, b"sign in with a token as the password\n")
    challenge = 'Basic realm="airlift", charset="UTF-8"'
    assert dict(got.headers)["WWW-Authenticate"] == challenge


def test_what_is_open_to_anyone_needs_no_signing_in(shelf: MemoryShelf) -> None:
    """A challenge where none is needed has every job ask for a password."""
    assert ask(shelf, "/simple/zed/", caller=STRANGER).status == 200


def test_what_a_token_does_not_cover_is_said_to_be_so(shelf: MemoryShelf) -> None:
    """Not found would send people looking for a delivery that is here."""
    scoped = ScopedShelf(shelf, scope.parse_all(["wheels:set"]))
    assert ask(scoped, "/simple/foo-bar/", caller=SOMEONE).status == 200
    got = ask(scoped, "/simple/other/", caller=SOMEONE)
    assert (got.status, got.body) == (403, b"your token does not cover other\n")
    got = ask(scoped, "/simple/zed/", caller=SOMEONE)
    assert (got.status, got.body) == (404, b"zed is not in this index\n")


@pytest.mark.parametrize("caller", [SOMEONE, STRANGER])
def test_a_cache_on_the_way_keeps_nothing_of_a_callers(
    shelf: MemoryShelf, caller: Caller
) -> None:
    """What one token may have is not to be handed to the next who asks."""
    digest = sha256(b"zed")
    for target in (
        "/simple/zed/",
        f"/simple/-/files/{digest}/zed-1.0-py3-none-any.whl",
    ):
        got = ask(shelf, target, caller=caller)
        assert dict(got.headers)["Cache-Control"].startswith("private, "), target
