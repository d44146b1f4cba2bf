"""The pull side of the distribution protocol, with one small library behind it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airlift.digest import Sha256, sha256
from airlift.serve.dialect import Answer, Caller, Request, Shelf
from airlift.serve.distribution.dialect import (
    Content,
    Distribution,
    Manifest,
    Refused,
    Repository,
)
from shelves import MemoryShelf

BODY = b'{"schemaVersion": 2}'
TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER = b"layer"


@dataclass(frozen=True, kw_only=True)
class One:
    """A repository with three tags, one of which is still being prepared."""

    name: str

    def tags(self) -> Sequence[str]:
        """Return the tags."""
        return ("main", "later", "v1")

    def manifest(self, reference: str, request: Request) -> Manifest | Refused | None:
        """Return the one manifest."""
        if reference == "later":
            return Refused(status=503, code="UNAVAILABLE", message="half is done")
        if reference in ("main", "v1", f"sha256:{sha256(BODY)}"):
            return Manifest(body=BODY, media_type=TYPE, release="r")
        return None

    def blob(self, digest: Sha256) -> Content | None:
        """Return the one layer."""
        return Content(body=LAYER, release="r") if digest == sha256(LAYER) else None


@dataclass(frozen=True, kw_only=True)
class Names:
    """A library of the names given; ``hidden`` ones are not for the caller."""

    held: tuple[str, ...] = ("a/b", "deep/er/name", "solo")
    hidden: tuple[str, ...] = ("secret/x",)

    def find(self, name: str, shelf: Shelf) -> Repository | None:
        """Return a repository of a held name."""
        return One(name=name) if name in self.held else None

    def names(self, shelf: Shelf) -> Sequence[str]:
        """Return the held names."""
        return self.held

    def withheld(self, name: str, shelf: Shelf) -> bool:
        """Say whether the name is hidden."""
        return name in self.hidden


ASKED = Request(method="GET", path="/v2/", base_url="https://site:8484/pre")


@pytest.fixture
def shelf(tmp_path: Path) -> MemoryShelf:
    """Return a shelf; the library here does not look at it."""
    return MemoryShelf(tmp_path)


def ask(
    shelf: Shelf,
    path: str,
    *,
    query: tuple[tuple[str, str], ...] = (),
    caller: Caller | None = None,
    library: Names | None = None,
) -> Answer:
    """Return the answer to a GET of *path*."""
    request = replace(ASKED, path=path, query=query, caller=caller or Caller())
    answer = Distribution([library or Names()]).answer(request, shelf)
    assert answer is not None
    return answer


def code_of(answer: Answer) -> str:
    """Return the error code of *answer*."""
    assert isinstance(answer.body, bytes)
    (error,) = json.loads(answer.body)["errors"]
    return str(error["code"])


@pytest.mark.parametrize("path", ["/v2/", "/v2"])
def test_the_root_says_that_the_protocol_is_spoken(
    shelf: MemoryShelf, path: str
) -> None:
    """The first thing skopeo, podman and buildah ask."""
    answer = ask(shelf, path)
    assert (answer.status, answer.body) == (200, b"{}")


@pytest.mark.parametrize("reference", ["main", "v1", f"sha256:{sha256(BODY)}"])
@pytest.mark.parametrize("name", ["a/b", "deep/er/name", "solo"])
def test_a_manifest_goes_out_as_its_exact_bytes_and_type(
    shelf: MemoryShelf, name: str, reference: str
) -> None:
    """With another type skopeo and containerd refuse it; with another byte, all do."""
    answer = ask(shelf, f"/v2/{name}/manifests/{reference}")
    headers = dict(answer.headers)
    assert (answer.status, answer.body, answer.release) == (200, BODY, "r")
    assert headers["Content-Type"] == TYPE
    assert headers["Docker-Content-Digest"] == f"sha256:{sha256(BODY)}"


def test_a_blob_says_where_its_parts_are(shelf: MemoryShelf) -> None:
    """Ollama reads the Location of a 200 and fetches parts there."""
    path = f"/v2/a/b/blobs/sha256:{sha256(LAYER)}"
    answer = ask(shelf, path)
    assert (answer.status, answer.body) == (200, LAYER)
    assert dict(answer.headers)["Location"] == f"/pre{path}"


def test_the_location_of_a_blob_is_signed_under_access_control(
    shelf: MemoryShelf,
) -> None:
    """Ollama asks for parts without its credentials."""
    path = f"/v2/a/b/blobs/sha256:{sha256(LAYER)}"
    request = replace(ASKED, path=path, sign=lambda path: f"{path}?sig=1")
    answer = Distribution([Names()]).answer(request, shelf)
    assert answer is not None
    assert dict(answer.headers)["Location"] == f"/pre{path}?sig=1"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/no/where/manifests/main", 404, "NAME_UNKNOWN"),
        ("/v2/secret/x/manifests/main", 403, "DENIED"),
        ("/v2/a/b/manifests/nope", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/a/b/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
        ("/v2/a/b/blobs/sha256:../../etc/passwd", 404, "UNSUPPORTED"),
        ("/v2/a/b/blobs/sha256:%2e%2e", 404, "BLOB_UNKNOWN"),
        (f"/v2/a/b/blobs/{sha256(LAYER)}", 404, "BLOB_UNKNOWN"),
        (f"/v2/a/b/blobs/sha256:{sha256(LAYER).upper()}", 404, "BLOB_UNKNOWN"),
        ("/v2/a/b/uploads", 404, "UNSUPPORTED"),
        ("/v2/a/b/manifests/later", 503, "UNAVAILABLE"),
    ],
)
def test_what_is_not_given_has_a_status_and_a_code(
    shelf: MemoryShelf, path: str, status: int, code: str
) -> None:
    """Clients decide by both; a code of another meaning sends users astray."""
    answer = ask(shelf, path)
    assert (answer.status, code_of(answer)) == (status, code)


def test_what_is_being_prepared_says_when_to_come_back(shelf: MemoryShelf) -> None:
    """Kubelets and scripts retry; people read the message."""
    answer = ask(shelf, "/v2/a/b/manifests/later")
    assert dict(answer.headers)["Retry-After"] == "10"


def test_nothing_can_be_pushed(shelf: MemoryShelf) -> None:
    """What is live comes from signed deliveries alone."""
    request = replace(ASKED, method="POST", path="/v2/a/b/blobs/uploads/")
    answer = Distribution([Names()]).answer(request, shelf)
    assert answer is not None
    assert (answer.status, code_of(answer)) == (405, "UNSUPPORTED")


def test_a_caller_who_may_sign_in_is_told_how(shelf: MemoryShelf) -> None:
    """Ollama insists that the realm's host is the one it asked."""
    stranger = Caller(may_sign_in=True)
    answer = ask(shelf, "/v2/secret/x/manifests/main", caller=stranger)
    assert (answer.status, code_of(answer)) == (401, "UNAUTHORIZED")
    assert dict(answer.headers)["WWW-Authenticate"] == (
        'Bearer realm="https://site:8484/pre/token",service="site:8484",'
        'scope="repository:secret/x:pull"'
    )
    assert ask(shelf, "/v2/", caller=stranger).status == 401


def test_a_name_cannot_break_out_of_the_challenge(shelf: MemoryShelf) -> None:
    """A quote in a name would let a link choose where credentials are sent."""
    stranger = Caller(may_sign_in=True)
    path = '/v2/x",realm="http:%2f%2fevil%2f/manifests/main'
    challenge = dict(ask(shelf, path, caller=stranger).headers)["WWW-Authenticate"]
    assert challenge == (
        'Bearer realm="https://site:8484/pre/token",service="site:8484"'
    )


def test_tags_are_listed_in_order_and_in_pages(shelf: MemoryShelf) -> None:
    """``n`` and ``last`` of the specification, with a link to the next page."""
    whole = ask(shelf, "/v2/a/b/tags/list")
    assert isinstance(whole.body, bytes)
    assert json.loads(whole.body) == {"name": "a/b", "tags": ["later", "main", "v1"]}
    first = ask(shelf, "/v2/a/b/tags/list", query=(("n", "2"),))
    assert isinstance(first.body, bytes)
    assert json.loads(first.body)["tags"] == ["later", "main"]
    link = '</pre/v2/a/b/tags/list?n=2&last=main>; rel="next"'
    assert dict(first.headers)["Link"] == link
    query = (("n", "2"), ("last", "main"))
    rest = ask(shelf, "/v2/a/b/tags/list", query=query)
    assert isinstance(rest.body, bytes)
    assert (json.loads(rest.body)["tags"], "Link" in dict(rest.headers)) == (
        ["v1"],
        False,
    )


def test_no_tags_can_be_asked_for(shelf: MemoryShelf) -> None:
    """A page of nought is empty and leads nowhere."""
    none = ask(shelf, "/v2/a/b/tags/list", query=(("n", "0"),))
    assert isinstance(none.body, bytes)
    assert (json.loads(none.body)["tags"], "Link" in dict(none.headers)) == ([], False)


def test_the_catalogue_lists_every_name_once(shelf: MemoryShelf) -> None:
    """Two libraries may know the same name."""
    request = replace(ASKED, path="/v2/_catalog")
    answer = Distribution([Names(), Names()]).answer(request, shelf)
    assert answer is not None
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"repositories": ["a/b", "deep/er/name", "solo"]}


def test_nothing_refers_to_anything(shelf: MemoryShelf) -> None:
    """A 404 here would make clients look for a tag of that meaning."""
    answer = ask(shelf, f"/v2/a/b/referrers/sha256:{sha256(BODY)}")
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["manifests"] == []
    assert dict(answer.headers)["Content-Type"] == (
        "application/vnd.oci.image.index.v1+json"
    )


def test_other_paths_are_for_other_dialects(shelf: MemoryShelf) -> None:
    """A hub's repository may be called anything."""
    request = replace(ASKED, path="/v2x/model/resolve/main/config.json")
    assert Distribution([Names()]).answer(request, shelf) is None
