"""The hub's dialect, asked without a socket: shapes, revisions, error codes."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airlift.artifact import Json, Kind
from airlift.digest import sha256
from airlift.serve.access.scope import parse_all
from airlift.serve.access.scoped_shelf import ScopedShelf
from airlift.serve.dialect import Answer, BlobBody, Caller, Request, Shelf
from airlift.serve.hub.huggingface import HTTP_LIMIT_BYTES, HuggingFace
from served import grow, small_world
from shelves import MemoryShelf, cargo, git_oid

A, B, C = "a" * 40, "b" * 40, "c" * 40
ABC = "abc" + "d" * 37
WEIGHTS = random.Random(2).randbytes(5000)
CONTENTS = {
    "README.md": b"# model\n",
    "model.safetensors": WEIGHTS,
    "sub/deep/a.txt": b"a",
    "sub/b.txt": b"b",
}
POINTER = (
    f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(WEIGHTS)}\n"
    "size 5000\n"
).encode()


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """Two commits of a model, a one-part name, chosen GGUF files, a data set."""
    return MemoryShelf(
        tmp_path,
        [
            cargo(
                Kind.MODEL,
                "org/model",
                CONTENTS,
                revision=A,
                counter=2,
                refs=["main", "v2", "feature/slash", "refs/pr/1", "refs/tags/t1"],
                upstream={
                    "modified": "2025-05-06T07:08:09Z",
                    "library": "transformers",
                    "task": "text-generation",
                },
            ),
            cargo(
                Kind.MODEL, "org/model", {"old.txt": b"old"}, revision=B, refs=["v1"]
            ),
            cargo(Kind.GGUF, "org/model", {"q4.gguf": WEIGHTS}, revision=A, counter=1),
            cargo(Kind.MODEL, "gpt2", {"config.json": b"{}"}, revision=C),
            cargo(Kind.FOLDER, "Local/Resolve", {"x": b"x"}, revision=ABC),
            cargo(Kind.DATASET, "org/data", {"d.jsonl": b"{}\n"}, revision=B),
            cargo(Kind.WHEELS, "wheels", {"a-1-py3-none-any.whl": b"z"}),
        ],
    )


def ask(shelf: Shelf, target: str, **more: Any) -> Answer:
    """Return the answer to a GET of *target*, which must be the dialect's own."""
    path, _, query = target.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if query]
    request = Request(**{"method": "GET", "path": path, "query": tuple(pairs), **more})
    answer = HuggingFace().answer(request, shelf)
    assert answer is not None
    return answer


def of(answer: Answer) -> Any:
    """Return the JSON of an answer."""
    assert isinstance(answer.body, bytes)
    assert dict(answer.headers)["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(answer.body)


def code(answer: Answer) -> tuple[int, str | None]:
    """Return status and error code."""
    return answer.status, dict(answer.headers).get("X-Error-Code")


# --- which commit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "commit"),
    [
        ("main", A),
        ("HEAD", A),
        ("v2", A),
        ("v1", B),
        ("t1", A),
        ("refs%2Ftags%2Ft1", A),
        ("refs%2Fheads%2Fmain", A),
        ("feature%2Fslash", A),
        ("feature/slash", A),
        ("refs%2Fpr%2F1", A),
        ("refs/pr/1", A),
        (A, A),
        (B, B),
        (A[:7], A),
        (B[:39], B),
    ],
)
@pytest.mark.parametrize("route", ["resolve", "api"])
def test_a_revision_is_found_however_a_client_spells_it(
    shelf: MemoryShelf, revision: str, commit: str, route: str
) -> None:
    """Python encodes slashes, JavaScript does not; people write short hashes."""
    file = "old.txt" if commit == B else "README.md"
    if route == "resolve":
        got = ask(shelf, f"/org/model/resolve/{revision}/{file}")
        assert (got.status, dict(got.headers)["X-Repo-Commit"]) == (200, commit)
    else:
        assert (
            of(ask(shelf, f"/api/models/org/model/revision/{revision}"))["sha"]
            == commit
        )


@pytest.mark.parametrize(
    "revision",
    ["nope", A[:6], C, "refs/pr/2", "refs%2Fpr%2F2", "A" * 40, "feature", "aaaaaaab"],
)
def test_an_unknown_revision_is_named_as_such(
    shelf: MemoryShelf, revision: str
) -> None:
    """Clients raise another error for a missing revision than for a missing file."""
    got = ask(shelf, f"/org/model/resolve/{revision}/README.md")
    assert code(got) == (404, "RevisionNotFound")


def test_a_short_hash_of_two_commits_is_no_revision(tmp_path: Path) -> None:
    """To guess one of two would serve a model nobody asked for."""
    one, two = "1234567" + "a" * 33, "1234567" + "b" * 33
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", {"f": b"1"}, revision=one, counter=1),
            cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=two, counter=2),
        ],
    )
    assert code(ask(shelf, "/o/m/resolve/1234567/f")) == (404, "RevisionNotFound")
    assert ask(shelf, "/o/m/resolve/1234567a/f").status == 200


def test_a_ref_is_the_newest_release_that_claims_it(tmp_path: Path) -> None:
    """An update moves `main`; what no longer claims it stays reachable by commit."""
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", {"f": b"1"}, revision=A, counter=1, refs=["main"]),
            cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=B, counter=2, refs=["main"]),
            cargo(Kind.MODEL, "o/m", {"f": b"3"}, revision=C, counter=3, refs=["dev"]),
        ],
    )
    heads = {r: dict(ask(shelf, f"/o/m/resolve/{r}/f").headers) for r in ("main", A)}
    assert heads["main"]["X-Repo-Commit"] == B
    assert heads[A]["X-Repo-Commit"] == A


def test_main_without_a_claim_is_the_newest_release(tmp_path: Path) -> None:
    """Most clients ask for `main` and nothing else."""
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", {"f": b"1"}, revision=A, counter=1, refs=["v1"]),
            cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=B, counter=2, refs=["v2"]),
        ],
    )
    got = ask(shelf, "/o/m/resolve/main/f")
    assert dict(got.headers)["X-Repo-Commit"] == B


# --- which repository -------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/gpt2/resolve/main/config.json",
        "/Local/Resolve/resolve/main/x",
        "/local/resolve/resolve/main/x",
        "/ORG/Model/resolve/main/README.md",
        "/datasets/org/data/resolve/main/d.jsonl",
        "/org%2Fmodel/resolve/main/README.md",
        "/api/models/gpt2",
        "/api/models/gpt2/tree/main",
        "/api/models/Local/Resolve/tree/main",
        "/api/datasets/org/data/revision/main",
    ],
)
def test_a_repository_is_found_by_markers_not_by_counting(
    shelf: MemoryShelf, target: str
) -> None:
    """Names have one part or two and may contain the very words of the routes."""
    assert ask(shelf, target).status == 200


def test_two_names_that_differ_in_case_alone_are_two_repositories(
    tmp_path: Path,
) -> None:
    """Ignoring case must never choose between two models."""
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/M", {"f": b"1"}, revision=A),
            cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=B),
        ],
    )
    heads = dict(ask(shelf, "/o/M/resolve/main/f").headers)
    assert heads["X-Repo-Commit"] == A
    assert code(ask(shelf, "/O/M/resolve/main/f")) == (404, "RepoNotFound")


@pytest.mark.parametrize(
    "target",
    [
        "/org/nope/resolve/main/x",
        "/nope/resolve/main/x",
        "/datasets/org/model/resolve/main/README.md",
        "/org/data/resolve/main/d.jsonl",
        "/spaces/org/model/resolve/main/x",
        "/wheels/resolve/main/a-1-py3-none-any.whl",
        "/api/models/org/nope",
        "/api/models/nope",
        "/api/models/org/nope/tree/main",
        "/api/models/org/nope/refs",
        "/api/spaces/org/app",
        "/api/spaces/org/app/revision/main",
        "/api/datasets/org/model/revision/main",
    ],
)
def test_a_missing_repository_is_named_as_such(shelf: MemoryShelf, target: str) -> None:
    """Without the code, `repo_exists` raises instead of saying no."""
    got = ask(shelf, target)
    assert code(got) == (404, "RepoNotFound")
    assert "error" in of(got)


@pytest.mark.parametrize(
    "target",
    [
        "/api/models/org/model/discussions",
        "/api/models/org/model/xet-read-token/main",
        "/api/models/org/model/tree",
        "/api/models/org/model/refs/more",
        "/api/kernels/x/y",
        "/api/quicksearch",
        "/api/",
        "/api",
        "/api/models-tags-by-type",
        "/api/collections",
        "/api/models/org/model/revision/main/more",
    ],
)
def test_the_rest_of_the_api_is_a_404_in_json_without_a_code(
    shelf: MemoryShelf, target: str
) -> None:
    """Another status, or a code, makes clients report something that is not so."""
    got = ask(shelf, target)
    assert code(got) == (404, None)
    message = "airlift does not serve this part of the hub's API"
    assert of(got) == {"error": message}
    assert dict(got.headers)["X-Error-Message"] == message


@pytest.mark.parametrize(
    "path",
    ["/", "/simple/", "/v2/", "/org/model", "/org/model/blob/main/x", "/x/raw/y"],
)
def test_paths_of_others_are_left_to_others(shelf: MemoryShelf, path: str) -> None:
    """The dialects share one port."""
    assert HuggingFace().answer(Request(method="GET", path=path), shelf) is None


# --- files ------------------------------------------------------------------------------


def test_resolve_gives_the_file_with_commit_and_tag(shelf: MemoryShelf) -> None:
    """The exact headers that every client needs."""
    got = ask(shelf, "/org/model/resolve/main/model.safetensors?download=true")
    (live,) = (r for r in shelf.releases(frozenset([Kind.MODEL]), "org/model")[:1])
    assert got == Answer(
        status=200,
        headers=(
            ("X-Repo-Commit", A),
            ("Cache-Control", "no-cache"),
            ("Content-Type", "application/octet-stream"),
        ),
        body=BlobBody(sha256=sha256(WEIGHTS), size=5000, etag=sha256(WEIGHTS)),
        release=live.id,
    )


def test_a_file_kept_in_git_is_tagged_with_gits_id(shelf: MemoryShelf) -> None:
    """Clients name their cached copy by it, and `hf cache verify` recomputes it."""
    got = ask(shelf, "/org/model/resolve/main/sub/b.txt")
    assert got.body == BlobBody(sha256=sha256(b"b"), size=1, etag=git_oid(b"b"))


def test_raw_gives_what_git_holds(shelf: MemoryShelf) -> None:
    """A small file is itself; ramalama crashes unless an LFS file is its pointer."""
    assert ask(shelf, "/org/model/raw/main/model.safetensors").body == POINTER
    small = ask(shelf, "/org/model/raw/main/README.md").body
    assert isinstance(small, BlobBody)
    assert small.sha256 == sha256(b"# model\n")


def test_releases_of_one_commit_are_served_as_one_tree(shelf: MemoryShelf) -> None:
    """A model and its GGUF files may have come in two deliveries."""
    for file in ("q4.gguf", "README.md"):
        assert ask(shelf, f"/org/model/resolve/main/{file}").status == 200
    names = [one["path"] for one in of(ask(shelf, "/api/models/org/model/tree/main"))]
    assert names == ["README.md", "model.safetensors", "q4.gguf", "sub"]


@pytest.mark.parametrize(
    "path", ["nope", "sub", "sub/", "", "README.md/x", "readme.md"]
)
def test_a_missing_file_is_named_as_such_with_the_commit(
    shelf: MemoryShelf, path: str
) -> None:
    """Transformers probe eight optional files; the commit lets clients cache the no."""
    got = ask(shelf, f"/org/model/resolve/v2/{path}")
    assert code(got) == (404, "EntryNotFound")
    assert dict(got.headers)["X-Repo-Commit"] == A
    assert dict(got.headers)["X-Error-Message"] == f"{path} is not in org/model at {A}"


def test_an_error_message_is_one_printable_header(shelf: MemoryShelf) -> None:
    """What a client asked for comes back in a header and then on a terminal."""
    evil = "%0d%0aX-Evil: 1%1b[2J\u00fc" + "x" * 2000
    got = ask(shelf, f"/org/model/resolve/main/{evil}")
    message = dict(got.headers)["X-Error-Message"]
    assert message.startswith("\\r\\nX-Evil: 1\\x1b[2J\\xfcxxx")
    assert len(message) == 400


@pytest.mark.parametrize(
    ("agent", "sized"),
    [
        ("unknown/None; hf_hub/2.4.0; python/3.11.7", False),
        ("unknown/None; hf_hub/1.0.0; python/3.11.7", False),
        ("unknown/None; hf_hub/0.36.2; python/3.11.7", True),
        ("llama-cpp", True),
        ("", True),
    ],
)
def test_the_size_of_a_huge_file_is_kept_from_clients_that_refuse_it(
    tmp_path: Path, agent: str, *, sized: bool
) -> None:
    """New hub clients refuse above 50 GB by the size alone, and fetch it without."""
    shelf = small_world(tmp_path)
    headers = {"user-agent": agent}
    target = "/org/tiny/resolve/main/model.safetensors"
    for size, expected in ((HTTP_LIMIT_BYTES, True), (HTTP_LIMIT_BYTES + 1, sized)):
        grow(shelf, size)
        body = ask(shelf, target, headers=headers).body
        assert isinstance(body, BlobBody)
        assert (body.size, body.sized) == (size, expected)


def test_a_notice_reaches_the_users_terminal(tmp_path: Path) -> None:
    """huggingface_hub prints this header once for each topic, in safe characters."""
    notice = {"notice": "use v2\n\u2192 now"}
    shelf = MemoryShelf(
        tmp_path, [cargo(Kind.MODEL, "o/m", {"f": b"1"}, upstream=notice)]
    )
    (live,) = shelf.releases(frozenset([Kind.MODEL]), "o/m")
    for target in ("/o/m/resolve/main/f", "/api/models/o/m"):
        headers = dict(ask(shelf, target).headers)
        expected = f"notice {live.id[:12]}; use v2\\n\\u2192 now"
        assert headers["X-HF-Warning"] == expected


def warned(shelf: MemoryShelf, target: str) -> list[str]:
    """Return the warnings of an answer, without their topics."""
    headers = ask(shelf, target).headers
    found = [value for name, value in headers if name == "X-HF-Warning"]
    return [text.partition("; ")[2] for text in found]


def test_a_commit_that_was_replaced_says_what_replaced_it(tmp_path: Path) -> None:
    """A program pinned to an old commit goes on working, and its user is told."""
    old, new = ({"f": text} for text in (b"1", b"2"))
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", old, revision=A, counter=1, refs=["main"]),
            cargo(Kind.MODEL, "o/m", new, revision=B, counter=2, refs=["main"]),
        ],
    )
    text = (
        "o/m at aaaaaaaaaaaa is superseded here by bbbbbbbbbbbb; "
        "no branch or tag leads to it any more"
    )
    for target in (f"/o/m/resolve/{A}/f", f"/api/models/o/m/tree/{A[:7]}"):
        assert warned(shelf, target) == [text]
    for target in ("/o/m/resolve/main/f", f"/o/m/resolve/{B}/f"):
        assert warned(shelf, target) == []


def test_what_a_branch_or_tag_leads_to_is_not_superseded(tmp_path: Path) -> None:
    """Clients turn `v1` into its commit first; who asks for `v1` wants just that."""
    files = {"f": b"1"}
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", files, revision=A, counter=1, refs=["v1"]),
            cargo(Kind.MODEL, "o/m", files, revision=B, counter=2, refs=["main"]),
            cargo(Kind.MODEL, "o/m", files, revision=C, counter=3, refs=["dev"]),
        ],
    )
    for revision in ("v1", A, "main", B, "dev", C):
        assert warned(shelf, f"/o/m/resolve/{revision}/f") == []


def test_another_kind_of_release_supersedes_nothing(tmp_path: Path) -> None:
    """Chosen GGUF files of a commit may be all there is of their kind."""
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.GGUF, "o/m", {"q": b"1"}, revision=A, counter=1, refs=["main"]),
            cargo(Kind.MODEL, "o/m", {"f": b"2"}, revision=B, counter=2, refs=["main"]),
        ],
    )
    assert warned(shelf, f"/o/m/resolve/{A}/q") == []


# --- the API ----------------------------------------------------------------------------


def test_a_repository_is_described(shelf: MemoryShelf) -> None:
    """Every key that a supported client reads without a default."""
    shape = of(ask(shelf, "/api/models/org/model?expand=xetEnabled&expand=sha"))
    assert {key: shape[key] for key in shape if key not in ("_id", "siblings")} == {
        "id": "org/model",
        "modelId": "org/model",
        "author": "org",
        "sha": A,
        "lastModified": "2025-05-06T07:08:09.000Z",
        "createdAt": "2025-05-06T07:08:09.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "cardData": {},
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
    }
    assert shape["siblings"][0] == {"rfilename": "README.md"}


def test_blobs_adds_sizes_and_ids(shelf: MemoryShelf) -> None:
    """Clients plan downloads and verify caches by these."""
    shape = of(ask(shelf, "/api/models/org/model/revision/main?blobs=True"))
    assert shape["siblings"][:2] == [
        {"rfilename": "README.md", "size": 8, "blobId": git_oid(b"# model\n")},
        {
            "rfilename": "model.safetensors",
            "size": 5000,
            "blobId": git_oid(POINTER),
            "lfs": {"sha256": sha256(WEIGHTS), "size": 5000, "pointerSize": 129},
        },
    ]
    assert len(POINTER) == 129


FILE_README = {
    "type": "file",
    "oid": git_oid(b"# model\n"),
    "size": 8,
    "path": "README.md",
}


def paths(listing: list[Mapping[str, str]]) -> list[str]:
    """Return type and path of each entry."""
    return [f"{one['type']} {one['path']}" for one in listing]


@pytest.mark.parametrize("flag", ["true", "True", "1"])
def test_a_recursive_tree_comes_in_one_page(shelf: MemoryShelf, flag: str) -> None:
    """llama.cpp does not follow links to further pages."""
    target = f"/api/models/org/model/tree/main?recursive={flag}&limit=1&cursor=x"
    got = ask(shelf, target)
    listing = of(got)
    assert paths(listing) == [
        "file README.md",
        "file model.safetensors",
        "file q4.gguf",
        "directory sub",
        "file sub/b.txt",
        "directory sub/deep",
        "file sub/deep/a.txt",
    ]
    assert listing[0] == FILE_README
    assert listing[1]["lfs"] == {
        "oid": sha256(WEIGHTS),
        "size": 5000,
        "pointerSize": 129,
    }
    assert "Link" not in dict(got.headers)


def test_a_flat_tree_shows_one_level(shelf: MemoryShelf) -> None:
    """Clients walk folders one by one."""
    root = of(ask(shelf, "/api/models/org/model/tree/main?recursive=False"))
    assert paths(root)[-1:] == ["directory sub"]
    below = of(ask(shelf, "/api/models/org/model/tree/feature/slash/sub/"))
    assert paths(below) == ["file sub/b.txt", "directory sub/deep"]


@pytest.mark.parametrize("folder", ["additional_chat_templates", "README.md", "su"])
def test_a_missing_folder_is_named_as_such(shelf: MemoryShelf, folder: str) -> None:
    """Transformers asks for such a folder on every load."""
    got = ask(shelf, f"/api/models/org/model/tree/main/{folder}?recursive=true")
    assert code(got) == (404, "EntryNotFound")
    assert dict(got.headers)["X-Repo-Commit"] == A


def test_expand_adds_the_last_commit(shelf: MemoryShelf) -> None:
    """Old clients crash on a date of another shape."""
    listing = of(ask(shelf, "/api/models/org/model/tree/main?expand=true"))
    commit = {
        "id": A,
        "title": "Release 2, carried by airlift",
        "date": "2025-05-06T07:08:09.000Z",
    }
    assert [one["lastCommit"] for one in listing] == [commit] * 4


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (
            "application/x-www-form-urlencoded",
            b"paths=README.md&paths=nope&paths=sub&expand=False",
        ),
        ("application/json", b'{"paths": ["README.md", "nope", "sub"]}'),
        ("application/json; charset=utf-8", b'{"paths":["README.md","sub/"]}'),
    ],
)
def test_paths_info_reads_forms_and_json(
    shelf: MemoryShelf, content_type: str, body: bytes
) -> None:
    """Python posts a form, JavaScript posts JSON; unknown paths are left out."""
    got = ask(
        shelf,
        "/api/models/org/model/paths-info/main",
        method="POST",
        headers={"content-type": content_type},
        body=body,
    )
    listing = of(got)
    assert listing[0] == FILE_README
    assert paths(listing) == ["file README.md", "directory sub"]


def test_paths_info_tells_neighbours_apart(tmp_path: Path) -> None:
    """A folder is found among sorted files, where `a-b` and `a0` enclose it."""
    names = ["a-b", "a.b/c", "a/x", "a/y/z", "a0", "b"]
    model = cargo(
        Kind.MODEL, "org/model", {one: b"%d" % n for n, one in enumerate(names)}
    )
    got = ask(
        MemoryShelf(tmp_path, [model]),
        "/api/models/org/model/paths-info/main",
        method="POST",
        headers={"content-type": "application/json"},
        body=json.dumps(
            {"paths": ["a", "a/", "a/y", "a.b", "a0", "a-", "", "b/"]}
        ).encode(),
    )
    assert paths(of(got)) == [
        *("directory a", "directory a/y", "directory a.b", "file a0", "file b"),
    ]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'{"paths": [1]}'),
        ("application/json", b'{"paths": {"a": 1}}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff"),
        ("", b"\xff\xfe"),
    ],
)
def test_an_unreadable_body_is_a_bad_request(
    shelf: MemoryShelf, content_type: str, body: bytes
) -> None:
    """Hostile bodies are refused, not a crash."""
    got = ask(
        shelf,
        "/api/models/org/model/paths-info/main",
        method="POST",
        headers={"content-type": content_type},
        body=body,
    )
    assert code(got) == (400, "BadRequest")


def test_only_paths_info_takes_a_post(shelf: MemoryShelf) -> None:
    """The registry is read only; commits and uploads have no route."""
    for target in (
        "/api/models",
        "/api/whoami-v2",
        "/api/models/org/model",
        "/api/models/org/model/commit/main",
        "/api/models/org/model/preupload/main",
        "/api/models/org/model/revision/main",
        "/api/models/org/model/refs",
    ):
        assert ask(shelf, target, method="POST").status == 404
    get = ask(shelf, "/api/models/org/model/paths-info/main")
    assert code(get) == (404, None)


def test_refs_come_in_their_lists(shelf: MemoryShelf) -> None:
    """llama.cpp reads `branches`, prefers `main` and needs whole commits."""

    def ref(name: str, full: str, commit: str = A) -> dict[str, str]:
        return {"name": name, "ref": full, "targetCommit": commit}

    assert of(ask(shelf, "/api/models/org/model/refs?include_prs=1")) == {
        "branches": [
            ref("feature/slash", "refs/heads/feature/slash"),
            ref("main", "refs/heads/main"),
            ref("v1", "refs/heads/v1", B),
            ref("v2", "refs/heads/v2"),
        ],
        "tags": [ref("t1", "refs/tags/t1")],
        "converts": [],
        "pullRequests": [ref("refs/pr/1", "refs/pr/1")],
    }


def test_tags_are_listed_as_tags_where_the_release_says_so(tmp_path: Path) -> None:
    """A ref means what its newest release says; older records do not say, as here."""
    files = {"f": b"1"}
    shelf = MemoryShelf(
        tmp_path,
        [
            cargo(Kind.MODEL, "o/m", files, revision=A, counter=1, refs=["v0"]),
            cargo(
                Kind.MODEL,
                "o/m",
                files,
                revision=B,
                counter=2,
                refs=["main", "release/2", "v1"],
                upstream={"tags": ("v1", "gone")},
            ),
        ],
    )
    shape = of(ask(shelf, "/api/models/o/m/refs"))
    assert shape["tags"] == [
        {"name": "v1", "ref": "refs/tags/v1", "targetCommit": B},
    ]
    assert [one["ref"] for one in shape["branches"]] == [
        "refs/heads/main",
        "refs/heads/release/2",
        "refs/heads/v0",
    ]
    for spelling in ("v1", "refs%2Ftags%2Fv1"):
        assert ask(shelf, f"/o/m/resolve/{spelling}/f").status == 200


def test_the_history_is_what_was_carried(shelf: MemoryShelf) -> None:
    """One commit, with every key a client reads."""
    assert of(ask(shelf, "/api/models/org/model/commits/main")) == [
        {
            "id": A,
            "title": "Release 2, carried by airlift",
            "message": "",
            "authors": [{"user": "airlift"}],
            "date": "2025-05-06T07:08:09.000Z",
        }
    ]


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/api/models", ["Local/Resolve", "gpt2", "org/model"]),
        ("/api/models?search=MODEL", ["org/model"]),
        ("/api/models?author=org", ["org/model"]),
        ("/api/models?limit=1&full=True", ["Local/Resolve"]),
        ("/api/models?limit=x&sort=downloads", ["Local/Resolve", "gpt2", "org/model"]),
        ("/api/datasets", ["org/data"]),
        ("/api/spaces", []),
    ],
)
def test_repositories_are_listed_and_searched(
    shelf: MemoryShelf, target: str, names: list[str]
) -> None:
    """`hf models ls` shows what is here."""
    assert [one["id"] for one in of(ask(shelf, target))] == names


def test_fixed_answers(shelf: MemoryShelf) -> None:
    """A client that gets an error for the harnesses asks again in every process."""
    harnesses = of(ask(shelf, "/api/agent-harnesses"))
    assert harnesses == {"standardEnvVars": [], "harnesses": {}}
    who = of(ask(shelf, "/api/whoami-v2"))
    assert (who["type"], who["name"], who["orgs"]) == ("user", "airlift", [])
    assert of(ask(shelf, "/api/models/org/model/auth-check")) == {}


# --- who may have what ------------------------------------------------------------------


STRANGER = Caller(may_sign_in=True, powers=frozenset())
ALICE = Caller(name="alice", powers=frozenset())
OF_OTHERS = [
    "/org/model/resolve/main/README.md",
    "/org/model/raw/main/README.md",
    "/api/models/org/model",
    "/api/models/ORG/Model/revision/main",
    "/api/models/org/model/tree/main",
    "/api/models/org/model/refs",
    "/api/models/org/model/auth-check",
    "/datasets/org/data/resolve/main/d.jsonl",
    "/api/datasets/org/data",
]


def narrowed(shelf: MemoryShelf, *scopes: str) -> ScopedShelf:
    """Return what a caller with *scopes* sees of *shelf*."""
    return ScopedShelf(shelf, parse_all(scopes))


@pytest.mark.parametrize("target", [*OF_OTHERS, "/api/models/org/nope"])
def test_a_stranger_is_asked_to_sign_in(shelf: MemoryShelf, target: str) -> None:
    """Private and missing look the same, so that nobody can guess what is here."""
    got = ask(narrowed(shelf, "models:gpt2"), target, caller=STRANGER)
    assert code(got) == (401, "RepoNotFound")
    headers = dict(got.headers)
    assert headers["WWW-Authenticate"] == 'Bearer realm="airlift", charset="UTF-8"'
    assert "set HF_TOKEN to a token of this server" in headers["X-Error-Message"]


@pytest.mark.parametrize("target", OF_OTHERS)
def test_a_caller_who_is_not_covered_is_told_so(
    shelf: MemoryShelf, target: str
) -> None:
    """The client says `gated` and shows the message, which says whom to ask about."""
    got = ask(narrowed(shelf, "models:gpt2"), target, caller=ALICE)
    assert code(got) == (403, "GatedRepo")
    kind = "datasets" if "datasets" in target else "models"
    shown = dict(got.headers)["X-Error-Message"].casefold()
    name = "org/data" if kind == "datasets" else "org/model"
    assert shown == f"{name} is not among the {kind} that alice may have here"


def test_what_is_missing_is_missing_for_a_known_caller(shelf: MemoryShelf) -> None:
    """No token would help, and the message must not send people to ask for one."""
    mine = narrowed(shelf, "models:gpt2")
    for target in ("/api/models/org/nope", "/org/nope/resolve/main/x"):
        assert code(ask(mine, target, caller=ALICE)) == (404, "RepoNotFound")


def test_what_a_caller_may_have_is_answered_as_always(shelf: MemoryShelf) -> None:
    """Optional files are probed with and without a token: a 401 would break loading."""
    mine = narrowed(shelf, "models:gpt2")
    for caller in (STRANGER, ALICE):
        for target, expected in [
            ("/gpt2/resolve/main/config.json", (200, None)),
            ("/gpt2/resolve/main/nope", (404, "EntryNotFound")),
            ("/gpt2/resolve/nope/config.json", (404, "RevisionNotFound")),
            ("/api/models/gpt2/auth-check", (200, None)),
            ("/api/spaces/org/app", (404, "RepoNotFound")),
            ("/api/quicksearch", (404, None)),
        ]:
            assert code(ask(mine, target, caller=caller)) == expected
        listed = of(ask(mine, "/api/models", caller=caller))
        assert [one["id"] for one in listed] == ["gpt2"]


def test_a_caller_learns_under_which_name_it_is_known(shelf: MemoryShelf) -> None:
    """`hf auth whoami` is how people check that their token has arrived."""
    assert of(ask(shelf, "/api/whoami-v2", caller=ALICE))["name"] == "alice"
    got = ask(shelf, "/api/whoami-v2", caller=STRANGER)
    assert code(got) == (401, None)
    problem = "nobody is signed in; set HF_TOKEN to a token of this server"
    assert of(got) == {"error": problem}


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("auto", "auto"), ("manual", "manual"), ("", False), (True, False), (None, False)],
)
def test_terms_that_upstream_asks_for_are_shown(
    tmp_path: Path, stated: Json, shown: object
) -> None:
    """People see that a model has terms; what upstream stated oddly is no such word."""
    upstream = {} if stated is None else {"gated": stated}
    release = cargo(Kind.MODEL, "o/m", {"f": b"1"}, upstream=upstream)
    shape = of(ask(MemoryShelf(tmp_path, [release]), "/api/models/o/m"))
    assert shape["gated"] is shown or shape["gated"] == shown


# --- xet --------------------------------------------------------------------------------


def test_xet_is_never_mentioned(shelf: MemoryShelf) -> None:
    """One field is enough to make every current client fail."""
    for target in (
        "/org/model/resolve/main/model.safetensors",
        "/api/models/org/model?blobs=true&expand=xetEnabled",
        "/api/models/org/model/tree/main?recursive=true&expand=true",
        "/api/models/org/model/xet-read-token/main",
    ):
        assert "xet" not in repr(ask(shelf, target)).lower()


def test_the_same_live_set_gives_the_same_answers(shelf: MemoryShelf) -> None:
    """Clients compare listings between processes and cache by tag."""
    for target in (
        "/api/models/org/model/tree/main?recursive=true&expand=true",
        "/api/models/org/model/refs",
        "/api/models",
    ):
        assert ask(shelf, target) == ask(shelf, target)
