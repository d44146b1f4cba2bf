"""What every dialect promises the server; each in the table runs through it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airlift.artifact import Kind
from airlift.serve import dialects
from airlift.serve.dialect import BlobBody, Dialect, Request
from shelves import MemoryShelf, cargo

COMMIT = "a" * 40
WHEEL = "foo-1.0-py3-none-any.whl"
WORDS = [
    *("api", "models", "datasets", "spaces", "resolve", "raw", "tree", "revision"),
    *("paths-info", "refs", "commits", "simple", "-", "files", "v2", "manifests"),
    *("org", "model", "main", COMMIT, COMMIT[:7], WHEEL, "README.md", "healthz"),
    *(
        "",
        ".",
        "..",
        "%2e%2e",
        "%00",
        "%2F",
        "%ff",
        "foo",
        "a%0d%0ab",
        "\u00fc",
        "\ufffd",
    ),
]
TARGETS = [
    "/api/models/org/model",
    f"/api/models/org/model/tree/{COMMIT}",
    "/org/model/resolve/main/README.md",
    "/org/model/resolve/main/nope",
    "/org/nope/resolve/main/nope",
    "/simple/",
    "/simple/foo/",
    "/simple/nope/",
]

targets = st.lists(st.sampled_from(WORDS), max_size=9).map(lambda p: "/" + "/".join(p))
fields = st.dictionaries(
    st.sampled_from(["accept", "content-type", "user-agent", "range"]),
    st.text(max_size=20),
    max_size=2,
)
requests = st.one_of(
    st.builds(
        Request, method=st.sampled_from(["GET", "HEAD"]), path=targets, headers=fields
    ),
    st.builds(
        Request,
        method=st.just("POST"),
        path=targets,
        headers=fields,
        body=st.binary(max_size=40),
    ),
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> MemoryShelf:
    """One release of each kind that is served."""
    folder: Path = tmp_path_factory.mktemp("shelf")
    return MemoryShelf(
        folder,
        [
            cargo(Kind.MODEL, "org/model", {"README.md": b"#"}, revision=COMMIT),
            cargo(Kind.WHEELS, "set", {WHEEL: b"w", f"{WHEEL}.metadata": b"m"}),
        ],
    )


@pytest.fixture(params=dialects(), ids=lambda one: type(one).__name__)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """One dialect after another."""
    one: Dialect = request.param
    return one


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(request=requests)
@example(request=Request(method="GET", path="/api"))
@example(request=Request(method="GET", path="/"))
def test_any_request_gets_a_wellformed_answer_or_none(
    dialect: Dialect, shelf: MemoryShelf, request: Request
) -> None:
    """No request makes a dialect fail, split a header, or serve bytes not on the shelf."""
    answer = dialect.answer(request, shelf)
    if answer is None:
        return
    assert answer.status in {200, 301, 303, 400, 404, 405, 406}
    for name, value in answer.headers:
        assert name.isascii()
        assert value.isascii()
        assert value.isprintable()
    names = [name.lower() for name, _ in answer.headers]
    assert len(names) == len(set(names))
    assert not set(names) & {"content-length", "content-range", "connection"}
    if isinstance(answer.body, BlobBody):
        span = shelf.span(answer.body.sha256)
        assert span is not None
        assert span.length == answer.body.size


@pytest.mark.parametrize("path", TARGETS)
def test_head_is_get_to_a_dialect(
    dialect: Dialect, shelf: MemoryShelf, path: str
) -> None:
    """The server leaves the body out; everything else must be equal."""
    get = Request(method="GET", path=path)
    answers = [dialect.answer(replace(get, method=m), shelf) for m in ("GET", "HEAD")]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", TARGETS)
def test_one_dialect_at_most_answers_a_path(shelf: MemoryShelf, path: str) -> None:
    """Which one must not depend on the order of the table."""
    request = Request(method="GET", path=path)
    owners = [one for one in dialects() if one.answer(request, shelf) is not None]
    assert len(owners) == 1


def test_every_answer_has_a_fixed_type(dialect: Dialect, shelf: MemoryShelf) -> None:
    """No type is guessed from a name or from bytes."""
    fixed = {
        "application/json; charset=utf-8",
        "application/octet-stream",
        "text/html; charset=utf-8",
        "text/plain; charset=utf-8",
    }
    for path in TARGETS:
        answer = dialect.answer(Request(method="GET", path=path), shelf)
        if answer is not None:
            assert dict(answer.headers)["Content-Type"] in fixed
