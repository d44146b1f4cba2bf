"""Wheel sets: what uv chooses, what the index says, and nothing from elsewhere."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from airlift.artifact import Json, Kind, Pinned, PinnedFile, Wish
from airlift.digest import Sha256
from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch import Settings, resolver
from airlift.sources.wheels import Wheels
from hubs.faults import Fault
from hubs.wheelhouse import TIME, Wheelhouse

LINUX = "x86_64-manylinux_2_28"
ARM = "aarch64-manylinux_2_28"


@pytest.fixture
def house() -> Iterator[Wheelhouse]:
    """An index with a pure project, and one that has a wheel for each platform."""
    with Wheelhouse() as house:
        house.add("app", "1.0", requires=["native>=2", "tool; python_version<'3.12'"])
        house.add("tool", "3.0", python=">=3.9")
        for python in ("cp311-cp311", "cp312-cp312"):
            for platform in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64"):
                house.add("native", "2.1", tags=f"{python}-{platform}")
        yield house


def source(house: Wheelhouse, **endpoints: str) -> Wheels:
    """Return the source set up for *house*."""
    return Wheels(Settings(endpoints={"wheels": house.url, **endpoints}))


def wish(*requirements: str, **options: Json) -> Wish:
    """Return a wish for *requirements*."""
    default: Mapping[str, Json] = {
        "requirements": requirements,
        "python": ("3.11",),
        "platform": (LINUX,),
    }
    named = {key.replace("_", "-"): value for key, value in options.items()}
    return Wish(kind=Kind.WHEELS, name="set", options={**default, **named})


def sha256(data: bytes) -> Sha256:
    """Return the digest of *data*."""
    return Sha256(hashlib.sha256(data).hexdigest())


def taken(wheels: Wheels, file: PinnedFile) -> bytes:
    """Return all of a file."""
    with wheels.read(file) as chunks:
        return b"".join(chunks)


def names(pinned: Pinned) -> list[str]:
    """Return the wheels of a set."""
    return [file.path for file in pinned.files if file.path.endswith(".whl")]


NATIVE = {
    ("3.11", LINUX): "native-2.1-cp311-cp311-manylinux_2_28_x86_64.whl",
    ("3.12", LINUX): "native-2.1-cp312-cp312-manylinux_2_28_x86_64.whl",
    ("3.11", ARM): "native-2.1-cp311-cp311-manylinux_2_28_aarch64.whl",
    ("3.12", ARM): "native-2.1-cp312-cp312-manylinux_2_28_aarch64.whl",
}


def test_a_set_holds_what_is_needed_and_nothing_more(house: Wheelhouse) -> None:
    """A missing wheel is found on the other side of the gap, by a user."""
    found = source(house).resolve(wish("app"))
    expected = [
        "app-1.0-py3-none-any.whl",
        NATIVE["3.11", LINUX],
        "tool-3.0-py3-none-any.whl",
    ]
    index = f"#index={house.url.replace(':', '%3A')}"
    files = []
    for name in expected:
        one = house.shelved[name]
        facts = {"upload-time": TIME, "metadata-sha256": sha256(one.metadata)}
        if name.startswith("tool"):
            facts["requires-python"] = ">=3.9"
        location = f"{house.cdn.url}/files/{name}"
        files += [
            PinnedFile(
                path=name,
                size=len(one.data),
                sha256=sha256(one.data),
                location=location + index,
                facts=facts,
            ),
            PinnedFile(
                path=f"{name}.metadata",
                size=None,
                sha256=sha256(one.metadata),
                location=f"{location}.metadata{index}",
            ),
        ]
    listed = ",".join(f'["{n}","{sha256(house.shelved[n].data)}"]' for n in expected)
    assert found == Pinned(
        kind=Kind.WHEELS,
        name="set",
        revision=sha256(f"[{listed}]".encode()),
        files=tuple(files),
        upstream={
            "endpoint": house.url,
            "requested": ("app",),
            "targets": [f"python 3.11 on {LINUX}"],
        },
    )


def test_several_pythons_and_platforms_are_one_set(house: Wheelhouse) -> None:
    """A closed site has hosts of several kinds; one bundle must do."""
    both = wish("app", python=("3.11", "3.12"), platform=(LINUX, ARM))
    assert names(source(house).resolve(both)) == sorted(
        [*NATIVE.values(), "app-1.0-py3-none-any.whl", "tool-3.0-py3-none-any.whl"]
    )
    only = wish("app", python=("3.12",), platform=(ARM,))
    assert names(source(house).resolve(only)) == [
        "app-1.0-py3-none-any.whl",
        NATIVE["3.12", ARM],
    ]


PREFERRED = (
    "p-1-cp311-cp311-manylinux_2_28_x86_64.whl",
    "p-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "p-1-cp311-cp311-manylinux2010_x86_64.whl",
    "p-1-cp311-abi3-manylinux_2_28_x86_64.whl",
    "p-1-cp311-none-manylinux_2_17_x86_64.whl",
    "p-1-cp39-abi3-manylinux_2_28_x86_64.whl",
    "p-1-cp39-abi3-manylinux_2_17_x86_64.whl",
    "p-1-py3-none-manylinux_2_17_x86_64.whl",
    "p-1-2-py3-none-any.whl",
    "p-1-1-py3-none-any.whl",
    "p-1-py3-none-any.whl",
)


def test_of_several_wheels_that_fit_one_is_taken(house: Wheelhouse) -> None:
    """The lock lists all that would do; carrying four of each would cost gigabytes."""
    assert sorted(PREFERRED, key=resolver.preference, reverse=True) == list(PREFERRED)
    for tags in ("cp39-abi3-manylinux_2_17_x86_64", "cp311-abi3-manylinux_2_28_x86_64"):
        house.add("many", "1.0", tags=tags)
    house.add("many", "1.0")
    assert names(source(house).resolve(wish("many"))) == [
        "many-1.0-cp311-abi3-manylinux_2_28_x86_64.whl"
    ]


def position(filename: str, order: Sequence[Tag]) -> int:
    """Return where the tag of a wheel stands in *order*."""
    return order.index(next(iter(parse_wheel_filename(filename)[3])))


def test_the_preference_is_that_of_the_usual_library() -> None:
    """Pip chooses by these tags; the one carried must be the one it would take."""
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
    platforms.insert(12, "manylinux2014_x86_64")
    order = [
        *cpython_tags((3, 11), platforms=platforms),
        *compatible_tags((3, 11), "cp311", platforms),
    ]
    # Of several `py3x` the library takes the target's own first; none are built so.
    files = [f"p-1-{tag}.whl" for tag in order if not tag.interpreter.startswith("py3")]
    files += [f"p-1-py3-none-{platform}.whl" for platform in platforms]
    files += ["p-1-cp311-none-any.whl", "p-1-py3-none-any.whl"]
    files = sorted(set(files), key=lambda name: position(name, order))
    assert sorted(files, key=resolver.preference, reverse=True) == files


def test_a_set_installs_without_an_index(house: Wheelhouse, tmp_path: Path) -> None:
    """The proof of closure: pip, a folder of what was carried, and no network."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheels = source(house)
    found = wheels.resolve(wish("app", python=(python,)))
    folder = tmp_path / "carried"
    folder.mkdir()
    for file in found.files:
        (folder / file.path).write_bytes(taken(wheels, file))
    subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--offline"),
            *("--no-index", "--find-links", folder, "--target", tmp_path / "site"),
            *("--no-config", "--cache-dir", tmp_path / "cache", "--quiet", "app"),
        ],
        check=True,
    )
    installed = {path.name for path in (tmp_path / "site").glob("*.dist-info")}
    expected = {"app-1.0.dist-info", "native-2.1.dist-info"}
    assert installed == expected | (
        {"tool-3.0.dist-info"} if sys.version_info < (3, 12) else set()
    )


def test_pages_in_html_say_the_same(house: Wheelhouse) -> None:
    """Many private indexes know no JSON; what they can say must not be lost."""
    house.shelved["tool-3.0-py3-none-any.whl"].said["yanked"] = "broken"
    house.html = True
    found = source(house).resolve(wish("tool==3.0"))
    metadata = house.shelved["tool-3.0-py3-none-any.whl"].metadata
    assert found.files[0].facts == {
        "requires-python": ">=3.9",
        "yanked": "broken",
        "metadata-sha256": sha256(metadata),
    }
    assert found.files[0].size is None
    assert found.files[1].sha256 == sha256(metadata)


@pytest.mark.parametrize("yanked", [True, "has a hole"])
def test_yanked_files_stay_yanked(house: Wheelhouse, yanked: bool | str) -> None:  # noqa: FBT001 - a parameter of pytest
    """A warning of the author's must not get lost on the way."""
    house.shelved["tool-3.0-py3-none-any.whl"].said["yanked"] = yanked
    found = source(house).resolve(wish("tool==3.0"))
    assert found.files[0].facts["yanked"] == yanked


@pytest.mark.parametrize("html", [False, True])
def test_what_the_index_says_of_a_project_comes_along(
    house: Wheelhouse, *, html: bool
) -> None:
    """That a project was archived is for its users to know, on either side."""
    said = {"status": "archived", "reason": "use <other>"}
    house.statuses["tool"] = dict(said)
    house.html = html
    found = source(house).resolve(wish("tool==3.0"))
    assert found.files[0].facts["project-status"] == said


def test_an_ordinary_project_has_no_status(house: Wheelhouse) -> None:
    """What is said of nearly every project would only make records longer."""
    house.statuses["tool"] = {"status": "active"}
    found = source(house).resolve(wish("tool==3.0"))
    assert "project-status" not in found.files[0].facts


def test_metadata_of_a_plain_index_comes_out_of_the_wheel(house: Wheelhouse) -> None:
    """Clients resolve from metadata; an index that has none must not cost them."""
    name = "tool-3.0-py3-none-any.whl"
    expected = house.shelved[name].metadata
    house.shelved[name].said |= {"core-metadata": None, "data-dist-info-metadata": None}
    wheels = source(house)
    found = wheels.resolve(wish("tool"))
    assert "metadata-sha256" not in found.files[0].facts
    assert found.files[1].sha256 is None
    assert taken(wheels, found.files[1]) == expected
    with wheels.read(found.files[1], start=5, stop=9) as chunks:
        assert b"".join(chunks) == expected[5:9]


def test_metadata_is_never_taken_from_another_wheel(house: Wheelhouse) -> None:
    """Other metadata would make the isolated side install other projects."""
    name = "tool-3.0-py3-none-any.whl"
    house.shelved[name].said |= {"core-metadata": None, "data-dist-info-metadata": None}
    wheels = source(house)
    found = wheels.resolve(wish("tool"))
    good = house.shelved[name].data
    house.break_file(name, Fault(flip=len(good) // 2))
    bad = bytearray(good)
    bad[len(good) // 2] ^= 1
    with pytest.raises(SourceError) as caught:
        taken(wheels, found.files[1])
    assert str(caught.value) == (
        f"`{name}` arrived as sha256 {sha256(bytes(bad))}, upstream states {sha256(good)}"
    )


def failure(error: type[Exception], wheels: Wheels, what: Wish) -> str:
    """Return what is said when *what* is refused."""
    with pytest.raises(error) as caught:
        wheels.resolve(what)
    return str(caught.value)


def test_a_conflict_is_explained_in_one_line(house: Wheelhouse) -> None:
    """The resolver knows why; nobody must have to run it again by hand."""
    assert failure(RequestError, source(house), wish("app", "native<2")) == (
        f"`set` for python 3.11 on {LINUX}: Because all versions of app depend on "
        "native>=2 and you require app, we can conclude that you require native>=2. "
        "And because you require native<2, we can conclude that your requirements are "
        "unsatisfiable"
    )


def test_a_project_that_is_on_no_index_is_named(house: Wheelhouse) -> None:
    """It is upstream that lacks it, or a slip in its name."""
    assert failure(SourceError, source(house), wish("gone")) == (
        f"`set` for python 3.11 on {LINUX}: Because gone was not found in the package "
        "registry and you require gone, we can conclude that your requirements are "
        "unsatisfiable"
    )


def test_a_wheel_for_another_platform_is_no_wheel(house: Wheelhouse) -> None:
    """Better refused here than by pip on the other side."""
    text = failure(RequestError, source(house), wish("native", platform=("macos",)))
    assert text.startswith("`set` for python 3.11 on macos: Because ")


def test_an_unknown_platform_is_refused(house: Wheelhouse) -> None:
    """The names are uv's; a slip must not fall back to this host."""
    what = wish("tool", platform=("x86_64-manylinux_9_99",))
    with pytest.raises(RequestError) as caught:
        source(house).resolve(what)
    assert str(caught.value).startswith(
        "`set` for python 3.11 on x86_64-manylinux_9_99: invalid value "
        "'x86_64-manylinux_9_99' for '--python-platform"
    )
    assert caught.value.hint == (
        "`platform` takes the names of uv's `--python-platform`"
    )


def test_an_index_that_is_down_may_be_asked_again() -> None:
    """An outage is no verdict on the requirements."""
    wheels = Wheels(Settings(endpoints={"wheels": "http://127.0.0.1:9/simple"}))
    text = failure(SourceBusyError, wheels, wish("app"))
    assert "Failed to fetch: http://127.0.0.1:9/simple/app/" in text


def test_source_archives_are_taken_only_when_asked_for(house: Wheelhouse) -> None:
    """They run code when they are built, and need more than they say."""
    house.shelved["odd-1.0.tar.gz"] = house.shelved.pop("tool-3.0-py3-none-any.whl")
    house.shelved["odd-1.0.tar.gz"].project = "odd"
    with pytest.raises(RequestError) as caught:
        source(house).resolve(wish("odd"))
    assert "odd" in str(caught.value)
    assert "sdist = true" in caught.value.hint


def test_a_file_without_a_digest_is_refused(house: Wheelhouse) -> None:
    """What has no digest cannot be told from what was changed on its way."""
    house.shelved["tool-3.0-py3-none-any.whl"].said["hashes"] = {}
    assert failure(SourceError, source(house), wish("tool")) == (
        "the index states no sha256 of `tool-3.0-py3-none-any.whl`"
    )


def test_a_manifests_index_is_the_only_one(house: Wheelhouse) -> None:
    """A decoy of higher version elsewhere is the classic dependency confusion."""
    with Wheelhouse() as own:
        own.add("tool", "1.0")
        house.add("tool", "9.0")
        found = source(house).resolve(wish("tool", index=own.url))
        assert names(found) == ["tool-1.0-py3-none-any.whl"]
        assert found.upstream["endpoint"] == own.url
        assert failure(SourceError, source(house), wish("app", index=own.url))
        # And it is read by a process that knows only the lock.
        file = found.files[0]
        assert taken(source(house), file) == own.files(file.path)[file.path]


def test_more_indexes_are_asked_first_and_not_mixed(house: Wheelhouse) -> None:
    """A project of the site's own index is never taken from the public one."""
    with Wheelhouse() as own:
        own.add("tool", "1.0")
        house.add("tool", "9.0")
        wheels = source(house, **{"wheels-extra": own.url})
        assert names(wheels.resolve(wish("tool"))) == ["tool-1.0-py3-none-any.whl"]
        assert "app-1.0-py3-none-any.whl" in names(wheels.resolve(wish("app")))


def test_a_login_reaches_the_index_and_nothing_else(house: Wheelhouse) -> None:
    """Neither a lock, nor the host of the files, nor a log may learn it."""
    house.login = "user:secret"
    url = house.url.replace("://", "://user:secret@")
    wheels = Wheels(Settings(endpoints={"wheels": url}))
    found = wheels.resolve(wish("tool"))
    assert "secret" not in repr(found)
    assert taken(wheels, found.files[0])
    for seen in house.cdn.seen:
        assert "authorization" not in seen.headers
    assert "secret" not in failure(RequestError, wheels, wish("tool<1"))


def test_a_login_in_a_manifest_is_refused(house: Wheelhouse) -> None:
    """Manifests are shared and committed."""
    url = house.url.replace("://", "://user:secret@")
    text = failure(RequestError, source(house), wish("tool", index=url))
    assert text == "`set`: `index` holds a login"


def test_a_requirements_file_is_read_with_its_digests(
    house: Wheelhouse, tmp_path: Path
) -> None:
    """Whoever pinned digests meant them."""
    file = tmp_path / "requirements.txt"
    name = "tool-3.0-py3-none-any.whl"
    good = sha256(house.shelved[name].data)
    text = (
        "# made by hand\n\ntool==3.0 \\\n    --hash=sha256:{} \\\n"
        "    --hash=sha256:" + "0" * 64 + "\nnative  # any\n"
    )
    file.write_text(text.format(good))
    what = wish(requirements_file=str(file))
    found = source(house).resolve(what)
    assert names(found) == [NATIVE["3.11", LINUX], name]
    assert found.upstream["requested"] == ("tool==3.0", "native")
    file.write_text(text.format("1" * 64))
    assert failure(RequestError, source(house), what) == (
        f"`set`: `{name}` is sha256 {good}, which the requirements file does not allow"
    )


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://evil.example/simple",
        "-r other.txt",
        "-e .",
        "./local.whl",
        "tool --config-settings=x",
    ],
)
def test_options_in_a_requirements_file_are_refused(
    house: Wheelhouse, tmp_path: Path, line: str
) -> None:
    """They would let files and indexes in that nobody reviewed."""
    file = tmp_path / "requirements.txt"
    file.write_text(f"tool\n{line}\n")
    assert failure(RequestError, source(house), wish(requirements_file=str(file))) == (
        f"{file}, line 2: not a requirement: `{line}`"
    )


def test_a_url_in_a_requirements_file_is_refused(
    house: Wheelhouse, tmp_path: Path
) -> None:
    """The same as in the manifest itself."""
    file = tmp_path / "requirements.txt"
    file.write_text("tool @ https://evil.example/tool.whl\n")
    text = failure(RequestError, source(house), wish(requirements_file=str(file)))
    assert text.startswith(f"{file}, line 1: names a URL instead of an index: ")


def test_a_missing_requirements_file_is_named(
    house: Wheelhouse, tmp_path: Path
) -> None:
    """The path is the likeliest slip."""
    gone = tmp_path / "gone.txt"
    text = failure(RequestError, source(house), wish(requirements_file=str(gone)))
    assert text == f"cannot read `{gone}`"


def test_nothing_of_the_users_configuration_decides(
    house: Wheelhouse, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same manifest must give the same set on any exporting host."""
    (tmp_path / "uv.toml").write_text(
        '[pip]\nno-index = true\nindex-url = "http://x"\n'
    )
    found = subprocess.run(
        [sys.executable, "-c", CHILD, house.url],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "UV_NO_INDEX": "1", "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["tool-3.0-py3-none-any.whl"]
    assert capfd.readouterr() == ("", "")


CHILD = """
import sys
from airlift.artifact import Kind, Wish
from airlift.fetch import Settings, resolver
from airlift.sources.wheels import Wheels
options = {
    "requirements": ["tool"], "python": ["3.11"], "platform": ["x86_64-manylinux_2_28"]
}
wish = Wish(kind=Kind.WHEELS, name="set", options=options)
print(Wheels(Settings(endpoints={"wheels": sys.argv[1]})).resolve(wish).files[0].path)
"""


def test_a_local_folder_can_be_the_index(house: Wheelhouse, tmp_path: Path) -> None:
    """Some exporting hosts are fed by a disk themselves."""
    name = "tool-3.0-py3-none-any.whl"
    data = house.shelved[name].data
    page = tmp_path / "simple" / "tool"
    page.mkdir(parents=True)
    (tmp_path / name).write_bytes(data)
    link = f'<a href="../../{name}#sha256={sha256(data)}">{name}</a>'
    (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
    wheels = Wheels(Settings(endpoints={"wheels": f"file://{tmp_path}/simple"}))
    found = wheels.resolve(wish("tool"))
    assert [taken(wheels, file) for file in found.files] == [
        data,
        house.shelved[name].metadata,
    ]
    with wheels.read(found.files[0], start=3, stop=7) as chunks:
        assert b"".join(chunks) == data[3:7]
