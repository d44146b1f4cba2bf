"""Images and artifacts: exact bytes, whole trees, and a token for whoever asks."""

import json
from collections.abc import Iterator

import pytest

from airlift.artifact import Kind, Pinned, Wish
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch import Settings
from airlift.fetch.registry import inline
from airlift.sources.oci import DOCKER_REGISTRY, Oci
from hubs.registry import CONFIG, INDEX, LAYER, MANIFEST, Registry, digest, path_of

SHARED, AMD, ARM = b"shared" * 100, b"amd" * 100, b"arm" * 100
PLATFORMS = {"linux/amd64": AMD, "linux/arm64/v8": ARM, "unknown/unknown": b"{}"}


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry with an image for two platforms and what its builder says of it."""
    with Registry() as registry:
        images = {
            platform: registry.image(
                [(LAYER, SHARED), (LAYER, own), (LAYER, SHARED)],
                (CONFIG, platform.encode()),
            )
            for platform, own in PLATFORMS.items()
        }
        for image in images.values():
            registry.put("acme/deep/tool", image)
        said = {"org.opencontainers.image.licenses": "Apache-2.0"}
        index = registry.index(images, annotations=said)
        registry.put("acme/deep/tool", index, "v1", "latest")
        yield registry


def pinned(registry: Registry, name: str, *platforms: str) -> Pinned:
    """Resolve *name* at the double."""
    wish = Wish(
        kind=Kind.OCI,
        name=f"{registry.host}/{name}",
        options={"platform": platforms},
    )
    return source(registry).resolve(wish)


def source(registry: Registry) -> Oci:
    """Return the source set up for *registry*."""
    return Oci(Settings(endpoints={"oci": registry.url}))


def content(registry: Registry, found: Pinned) -> dict[str, bytes]:
    """Return the bytes of every file of *found*."""
    reading, contents = source(registry), {}
    for file in found.files:
        with reading.read(file) as chunks:
            contents[file.path] = b"".join(chunks)
    return contents


def failure(registry: Registry, name: str, *platforms: str) -> SourceError:
    """Return the error of resolving *name*."""
    with pytest.raises(SourceError) as caught:
        pinned(registry, name, *platforms)
    return caught.value


def test_an_image_is_pinned_whole(registry: Registry) -> None:
    """Every platform, every blob once, and the index to the byte."""
    index = registry.manifests["acme/deep/tool:v1"]
    found = pinned(registry, "acme/deep/tool:v1")
    assert (found.kind, found.revision) == (Kind.OCI, digest(index)[7:])
    assert found.name == f"{registry.host.replace(':', '_')}/acme/deep/tool"
    assert (found.refs, found.licence) == (("v1",), "Apache-2.0")
    assert found.upstream == {
        "endpoint": registry.url,
        "repository": "acme/deep/tool",
        "requested": "v1",
    }
    expected = registry.files("acme/deep/tool:v1")
    assert len(expected) == 1 + 3 + 3 + 4
    assert content(registry, found) == expected
    facts = {file.path: file.facts["media-type"] for file in found.files}
    assert facts["manifest.json"] == INDEX
    assert {facts[path] for path in facts if path.startswith("manifests/")} == {
        MANIFEST
    }
    assert facts[path_of(digest(SHARED))] == LAYER


@pytest.mark.parametrize("asked", ["linux/arm64", "linux/arm64/v8"])
def test_one_platform_may_be_chosen(registry: Registry, asked: str) -> None:
    """Sites carry what their nodes run, and the index stays what was signed."""
    found = pinned(registry, "acme/deep/tool:v1", asked)
    contents = content(registry, found)
    assert contents["manifest.json"] == registry.manifests["acme/deep/tool:v1"]
    children = [path for path in contents if path.startswith("manifests/")]
    assert len(children) == 1
    blobs = {path for path in contents if path.startswith("blobs/")}
    assert blobs == {path_of(digest(one)) for one in (SHARED, ARM, b"linux/arm64/v8")}
    assert found.upstream["platform"] == (asked,)


def test_a_platform_that_is_not_there_is_said_to_be(registry: Registry) -> None:
    """The operator must learn which there are."""
    name = "acme/deep/tool:v1"
    with pytest.raises(RequestError) as caught:
        pinned(registry, name, "windows/amd64", "linux/arm")
    shown = f"{registry.host}/{name}"
    assert str(caught.value) == f"`{shown}` is not there for windows/amd64, linux/arm"
    assert caught.value.hint == (
        "it is there for linux/amd64, linux/arm64/v8, unknown/unknown"
    )


def test_a_digest_is_pinned_without_a_tag(registry: Registry) -> None:
    """A tag that nobody asked for must not appear on the other side."""
    index = registry.manifests["acme/deep/tool:v1"]
    found = pinned(registry, f"acme/deep/tool@{digest(index)}")
    assert (found.refs, found.upstream["requested"]) == ((), digest(index))
    both = pinned(registry, f"acme/deep/tool:v1@{digest(index)}")
    assert both.refs == ("v1",)


def test_what_a_digest_names_must_have_it(registry: Registry) -> None:
    """A registry that gives something else is damaged or lies."""
    image = registry.put("acme/tool", registry.image([], (CONFIG, b"{}")), "v1")
    registry.manifests[f"acme/tool@{digest(image)}"] = b"{}"
    name = f"acme/tool@{digest(image)}"
    assert str(failure(registry, name)) == (
        f"the manifest of {registry.host}/{name} arrived as sha256 "
        f"{digest(b'{}')[7:]}, asked for was {digest(image)[7:]}"
    )


def test_a_token_is_got_from_where_the_challenge_says(registry: Registry) -> None:
    """Nearly all registries give nothing without one, and one to everybody."""
    registry.guarded = True
    found = pinned(registry, "acme/deep/tool:v1")
    assert content(registry, found) == registry.files("acme/deep/tool:v1")
    asked = registry.auth.seen[0].path
    scope = "scope=repository%3Aacme%2Fdeep%2Ftool%3Apull"
    service = f"service={registry.host.replace(':', '%3A')}"
    assert asked == f"/token?a=1&{service}&{scope}"
    # Once for resolving and once for reading: not once for each file.
    assert len(registry.auth.seen) == 2


def test_the_token_goes_to_the_registry_alone(registry: Registry) -> None:
    """A download address is signed by itself; who asks is nobody's business there."""
    registry.guarded = True
    content(registry, pinned(registry, "acme/deep/tool:v1"))
    assert registry.cdn.seen
    for seen in (*registry.cdn.seen, *registry.auth.seen):
        assert not {"authorization", "cookie"} & set(seen.headers)


def test_a_token_that_ran_out_is_renewed(registry: Registry) -> None:
    """They last minutes, and a large model takes hours."""
    registry.guarded = True
    found, reading = pinned(registry, "acme/deep/tool:v1"), source(registry)
    for file in found.files:
        registry.tokens.clear()
        with reading.read(file, start=1) as chunks:
            expected = registry.files("acme/deep/tool:v1")[file.path][1:]
            assert b"".join(chunks) == expected


def test_a_login_is_asked_for_in_plain_words(registry: Registry) -> None:
    """A bare 401 would send people looking for a password nobody has."""
    registry.guarded = registry.refusing = True
    error = failure(registry, "acme/deep/tool:v1")
    shown = f"{registry.host}/acme/deep/tool:v1"
    assert str(error) == f"{registry.host} does not give `{shown}` without a login"
    hint = "airlift fetches what is public; carry a private one as a folder"
    assert error.hint == hint


def test_a_busy_registry_may_be_asked_again(registry: Registry) -> None:
    """An outage upstream is no verdict."""
    registry.status = 503
    assert isinstance(failure(registry, "acme/deep/tool:v1"), SourceBusyError)


def test_what_is_missing_is_said_to_be(registry: Registry) -> None:
    """A slip in a tag is the commonest of all."""
    shown = f"{registry.host}/acme/deep/tool:v2"
    assert str(failure(registry, "acme/deep/tool:v2")) == (
        f"`{shown}` is not at {registry.host} (tag `v2`)"
    )


def test_a_child_that_is_no_manifest_is_refused(registry: Registry) -> None:
    """What cannot be read cannot be carried whole."""
    child = registry.layer("application/x.thing", b"{}")
    shape = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}
    registry.put("acme/odd", json.dumps(shape).encode(), "latest")
    shown = f"{registry.host}/acme/odd"
    assert str(failure(registry, "acme/odd")) == (
        f"`{shown}` lists a `application/x.thing`"
    )


def test_indexes_in_indexes_end(registry: Registry) -> None:
    """A tree without end must not hold an export for ever."""
    data = registry.index({})
    for _ in range(6):
        registry.put("acme/nested", data)
        data = registry.index({"linux/amd64": data})
    registry.put("acme/nested", data, "latest")
    shown = f"{registry.host}/acme/nested"
    assert str(failure(registry, "acme/nested")) == (
        f"`{shown}` lists more than 1024 documents, or too deep"
    )


def test_two_manifests_that_disagree_on_a_blob_are_refused(registry: Registry) -> None:
    """One of them would be served with a wrong size."""
    good = registry.image([(LAYER, AMD)], (CONFIG, b"{}"))
    shape = json.loads(good)
    shape["layers"][0]["size"] += 1
    wrong = json.dumps(shape).encode()
    for image in (good, wrong):
        registry.put("acme/two", image)
    index = registry.index({"linux/amd64": good, "linux/arm64": wrong})
    registry.put("acme/two", index, "latest")
    shown = f"{registry.host}/acme/two"
    assert (
        str(failure(registry, "acme/two"))
        == f"`{shown}` has two sizes of {digest(AMD)}"
    )


def test_names_without_a_registry_are_dockers(registry: Registry) -> None:
    """As every container tool takes them; the double stands in for Docker's."""
    registry.put("library/alpine", registry.image([], (CONFIG, b"{}")), "latest")
    found = source(registry).resolve(Wish(kind=Kind.OCI, name="alpine"))
    assert found.name == "docker.io/library/alpine"
    assert DOCKER_REGISTRY == "https://registry-1.docker.io"


def test_a_name_too_deep_to_be_carried_is_refused_at_once(registry: Registry) -> None:
    """Sites store names of at most four parts; finding out there is too late."""
    shown = f"{registry.host.replace(':', '_')}/a/b/c/d"
    with pytest.raises(RequestError) as caught:
        pinned(registry, "a/b/c/d")
    assert str(caught.value) == f"`{shown}` has more than four parts"


def test_a_reviewed_lock_outlives_its_tag(registry: Registry) -> None:
    """Registries keep no old manifests; the lock must not depend on them."""
    before = registry.files("acme/deep/tool:v1")
    found = pinned(registry, "acme/deep/tool:v1")
    registry.manifests.clear()
    assert content(registry, found) == before
    assert inline("f", b"x").location == "data:application/json;base64,eA=="
