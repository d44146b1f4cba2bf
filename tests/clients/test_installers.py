"""pip and uv against the real server: resolve, install, refuse."""

import hashlib
import os
import random
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import private_ca
import venvs
from airlift.artifact import Json, Kind
from airlift.digest import sha256
from airlift.serve.http.settings import ServeSettings
from airlift.store.span import Span
from cutting import cutting
from guarded import Door
from served import World, serving
from shelves import MemoryShelf, cargo
from wheelhouse import wheel
from wire import ask

pytestmark = pytest.mark.clients

PIP, UV = "pip==26.3", "uv==0.13.9"
PAYLOAD = random.Random(6).randbytes(9_000_001)
WHEELS = {
    "app": wheel("App", "1.0", ["Lib_Core>=1", "big"]),
    "lib1": wheel("Lib.Core", "1.0", payload=b"good"),
    "lib2": wheel("Lib.Core", "1.1"),
    "lib3": wheel("Lib.Core", "2.0", python=">=3.99"),
    "gpu": wheel("gpu", "2.1+cpu"),
    "dated1": wheel("dated", "1.0"),
    "dated2": wheel("dated", "2.0"),
    "big": wheel("big", "1.0", payload=PAYLOAD),
}
FACTS: Mapping[str, Mapping[str, Json]] = {
    "lib2": {"yanked": "broken on Tuesdays"},
    "lib3": {"requires-python": ">=3.99"},
    "dated1": {"upload-time": "2024-01-01T00:00:00.000000Z"},
    "dated2": {"upload-time": "2025-01-01T00:00:00.000000Z"},
}
DEFAULT: Mapping[str, Json] = {"upload-time": "2023-01-01T00:00:00.000000Z"}


def shelf(folder: Path) -> MemoryShelf:
    """Return one set of all wheels with their metadata."""
    contents = {
        path: content
        for name, body, described in WHEELS.values()
        for path, content in ((name, body), (f"{name}.metadata", described))
    }
    facts = {WHEELS[key][0]: {**DEFAULT, **FACTS.get(key, {})} for key in WHEELS}
    return MemoryShelf(folder, [cargo(Kind.WHEELS, "set", contents, facts=facts)])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server below a path prefix."""
    (tmp_path / "shelf").mkdir()
    settings = ServeSettings(port=0, prefix="/a/pypi")
    with serving(shelf(tmp_path / "shelf"), settings) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Done:
    """What an installer's run left behind."""

    code: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Installer:
    """pip or uv, installing into a folder of its own."""

    tool: str
    bins: Path
    home: Path
    url: str

    def run(self, *arguments: str, **more: str) -> Done:
        """Run the tool with *arguments*, this index and nothing of this machine."""
        environment = {
            "PATH": f"{self.bins}:{os.defpath}",
            "HOME": str(self.home),
            **more,
        }
        done = subprocess.run(
            arguments,
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(code=done.returncode, text=done.stdout + done.stderr)

    def install(self, *wanted: str, **more: str) -> Done:
        """Install *wanted* into ``self.target``."""
        index = ("--index-url", f"{self.url}/simple", "--target", str(self.target))
        if self.tool == "pip":
            own = (str(self.bins / "python"), "-m", "pip", "--isolated", "install")
            quiet = ("--no-input", "--disable-pip-version-check", "--retries", "3")
            return self.run(*own, *quiet, *index, *wanted, **more)
        uv = (str(self.bins / "uv"), "pip", "install", "--no-config")
        python = ("--python", str(self.bins / "python"))
        return self.run(*uv, *python, *index, *wanted, **more)

    @property
    def target(self) -> Path:
        """Where packages are installed."""
        return self.home / "site"

    def installed(self) -> dict[str, str]:
        """Return modules by name with the version their code states."""
        return {
            path.parent.name: path.read_text().split("'")[1]
            for path in self.target.glob("*/__init__.py")
        }


@pytest.fixture(params=["pip", "uv"])
def installer(
    request: pytest.FixtureRequest, environments: Path, tmp_path: Path, world: World
) -> Installer:
    """One tool after the other, with an empty cache."""
    tool = str(request.param)
    bins = venvs.make(environments, PIP if tool == "pip" else UV)
    home = tmp_path / "home"
    home.mkdir()
    return Installer(tool=tool, bins=bins, home=home, url=world.url)


def asked(world: World, ending: str) -> list[tuple[str, object]]:
    """Return method and status of requests for paths that end in *ending*."""
    return [
        (str(entry["method"]), entry["status"])
        for entry in world.entries()
        if str(entry["path"]).endswith(ending)
    ]


def test_a_closed_set_installs_byte_for_byte(
    installer: Installer, world: World
) -> None:
    """Names in three spellings, dependencies, a yanked and an unfit version."""
    done = installer.install("app")
    assert done.code == 0, done.text
    assert installer.installed() == {"app": "1.0", "lib_core": "1.0", "big": "1.0"}
    assert (installer.target / "big/payload.bin").read_bytes() == PAYLOAD
    assert {entry["status"] for entry in world.entries()} <= {200, 206, 301}


def test_resolving_reads_metadata_and_no_wheel(
    installer: Installer, world: World
) -> None:
    """Gigabytes of wheels are not moved to choose versions."""
    if installer.tool == "pip":
        done = installer.install("app", "--dry-run")
    else:
        (installer.home / "in.txt").write_text("app\n")
        own = (str(installer.bins / "uv"), "pip", "compile", "--no-config", "in.txt")
        index = ("--index-url", f"{installer.url}/simple")
        done = installer.run(*own, *index, "--python-version", "3.11")
    assert done.code == 0, done.text
    assert asked(world, "app-1.0-py3-none-any.whl.metadata") == [("GET", 200)]
    assert asked(world, ".whl") == []


def test_a_yanked_version_is_left_alone_unless_pinned(installer: Installer) -> None:
    """Upstream's warning survives the gap."""
    assert installer.install("lib-core").code == 0
    assert installer.installed() == {"lib_core": "1.0"}
    done = installer.install("--upgrade", "lib-core==1.1")
    assert done.code == 0, done.text
    assert installer.installed() == {"lib_core": "1.1"}
    assert "broken on Tuesdays" in done.text


def test_a_version_for_another_python_is_not_chosen(installer: Installer) -> None:
    """The page says which Python a file needs, before anything is fetched."""
    done = installer.install("lib-core>=2")
    assert done.code != 0
    assert "3.99" in done.text


def test_a_local_version_keeps_its_exact_name(installer: Installer) -> None:
    """GPU builds are told apart by the part behind the plus sign."""
    done = installer.install("gpu==2.1+cpu")
    assert (done.code, installer.installed()) == (0, {"gpu": "2.1+cpu"}), done.text


def test_upload_times_let_a_date_choose(installer: Installer) -> None:
    """Without them uv finds no file at all once a date is given."""
    pip = installer.tool == "pip"
    option = "--uploaded-prior-to" if pip else "--exclude-newer"
    done = installer.install("dated", option, "2024-06-01T00:00:00Z")
    assert (done.code, installer.installed()) == (0, {"dated": "1.0"}), done.text


@pytest.mark.parametrize("right", [True, False])
def test_pinned_hashes_are_checked(installer: Installer, *, right: bool) -> None:
    """A lock file's hashes match what is served, and only that."""
    content = WHEELS["lib1"][1] if right else b"other"
    digest = hashlib.sha256(content).hexdigest()
    listed = installer.home / "locked.txt"
    listed.write_text(f"lib-core==1.0 --hash=sha256:{digest}\n")
    done = installer.install("--require-hashes", "-r", str(listed))
    assert ((done.code == 0), bool(installer.installed())) == (right, right), done.text


def test_a_damaged_wheel_is_refused_by_the_installer(
    installer: Installer, world: World
) -> None:
    """Should another wheel lie in the store, the page's digest stops it."""
    good = WHEELS["lib1"][1]
    evil = wheel("Lib.Core", "1.0", payload=b"evil")[1]
    assert len(evil) == len(good)
    bad = world.shelf.folder / "bad"
    bad.write_bytes(evil)
    span = Span(path=bad, offset=0, length=len(good))
    world.shelf.replace_span(sha256(good), span)
    done = installer.install("lib-core==1.0")
    assert done.code != 0
    assert "hash" in done.text.lower()
    assert installer.installed() == {}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_download_ends_whole(installer: Installer, *, reset: bool) -> None:
    """Pip goes on where it was cut, uv begins again; both check the digest."""
    with cutting(installer.url, after=4_000_000, times=2, reset=reset) as cuts:
        mine = replace(installer, url=cuts.url)
        done = mine.install("big")
        assert (done.code, cuts.made) == (0, 2), done.text
    assert (installer.target / "big/payload.bin").read_bytes() == PAYLOAD


def test_pip_resumes_by_range(environments: Path, tmp_path: Path, world: World) -> None:
    """Ranges with `If-Range` must go on with the same bytes."""
    bins = venvs.make(environments, PIP)
    with cutting(world.url, after=4_000_000, times=1) as cuts:
        pip = Installer(tool="pip", bins=bins, home=tmp_path, url=cuts.url)
        done = pip.install("big", "--resume-retries", "5")
    assert done.code == 0, done.text
    assert asked(world, "big-1.0-py3-none-any.whl") == [("GET", 200), ("GET", 206)]


@pytest.mark.parametrize("installer", ["uv"], indirect=True)
def test_an_unchanged_page_is_not_sent_again(
    installer: Installer, world: World
) -> None:
    """Uv asks again with the tag and gets a 304; pip sends no validators."""
    installer.install("lib-core")
    installer.install("lib-core", "--upgrade")
    pages = asked(world, "/simple/lib-core/")
    assert pages[0] == ("GET", 200)
    assert pages[-1] == ("GET", 304)


def test_a_missing_project_is_not_found(installer: Installer, world: World) -> None:
    """The tool says so at once instead of retrying."""
    done = installer.install("no-such-project")
    assert done.code != 0
    assert "no-such-project" in done.text
    assert asked(world, "/simple/no-such-project/") == [("GET", 404)]


def test_without_metadata_the_wheel_itself_is_read(
    installer: Installer, tmp_path: Path
) -> None:
    """Sets carried without METADATA files still resolve and install."""
    contents = {name: body for name, body, _ in WHEELS.values()}
    facts = {name: dict(DEFAULT) for name in contents}
    (tmp_path / "bare").mkdir()
    release = cargo(Kind.WHEELS, "set", contents, facts=facts)
    bare = MemoryShelf(tmp_path / "bare", [release])
    with serving(bare, ServeSettings(port=0)) as world:
        done = replace(installer, url=world.url).install("app", "lib-core==1.0")
    assert done.code == 0, done.text
    assert installer.installed() == {"app": "1.0", "lib_core": "1.0", "big": "1.0"}


def test_a_private_authority_is_trusted_by_one_variable(
    installer: Installer, tmp_path: Path
) -> None:
    """Both tools take the site's certificate from the same variable."""
    (tmp_path / "tls").mkdir()
    ca, context = private_ca.issue(tmp_path)
    with serving(shelf(tmp_path / "tls"), ServeSettings(port=0, tls=context)) as world:
        mine = replace(installer, url=world.url)
        done = mine.install("app", SSL_CERT_FILE=str(ca))
        assert done.code == 0, done.text
        assert (installer.target / "big/payload.bin").read_bytes() == PAYLOAD


def test_the_html_page_installs_as_well(
    environments: Path, tmp_path: Path, world: World
) -> None:
    """Old installers know no JSON: `--find-links` reads the page as they do."""
    bins = venvs.make(environments, PIP)
    pip = Installer(tool="pip", bins=bins, home=tmp_path, url=world.url)
    links = ("--no-index", "--find-links", f"{world.url}/simple/lib-core/")
    own: Sequence[str] = (str(bins / "python"), "-m", "pip", "--isolated", "install")
    done = pip.run(*own, *links, "--target", str(pip.target), "lib-core")
    assert (done.code, pip.installed()) == (0, {"lib_core": "1.0"}), done.text


# --- signing in ---------------------------------------------------------------------


def guarded_shelf(folder: Path) -> MemoryShelf:
    """Return two sets, so that a token may cover one of them."""
    folder.mkdir()
    sets = {"team": ("app", "big", "lib1"), "secret": ("gpu",)}
    made = [
        cargo(
            *(Kind.WHEELS, name, {WHEELS[key][0]: WHEELS[key][1] for key in keys}),
            facts={WHEELS[key][0]: DEFAULT for key in keys},
        )
        for name, keys in sets.items()
    ]
    return MemoryShelf(folder, made)


@pytest.mark.parametrize("place", ["url", "netrc"])
def test_a_token_is_sent_from_where_the_tools_keep_it(
    installer: Installer, tmp_path: Path, place: str
) -> None:
    """In the address for jobs, in a file for people; pages and wheels alike."""
    door = Door()
    token = door.token("team", "wheels:team")
    with serving(guarded_shelf(tmp_path / "guarded"), door.settings()) as world:
        scheme, _, host = world.url.partition("://")
        if place == "url":
            mine = replace(installer, url=f"{scheme}://airlift:{token}@{host}")
        else:
            mine = replace(installer, url=world.url)
            kept = installer.home / ".netrc"
            kept.write_text(f"machine 127.0.0.1 login airlift password {token}\n")
            kept.chmod(0o600)
        done = mine.install("app")
        assert done.code == 0, done.text
        assert {entry["status"] for entry in world.entries()} <= {200, 206, 301, 401}
        assert token not in world.log.getvalue()
    assert installer.installed() == {"app": "1.0", "lib_core": "1.0", "big": "1.0"}


@pytest.mark.parametrize("token", ["", "hf_" + "x" * 40], ids=["none", "unknown"])
def test_without_a_token_nothing_is_installed(
    installer: Installer, tmp_path: Path, token: str
) -> None:
    """The server's log says why: pip without a login only finds no such project."""
    door = Door()
    door.token("team", "wheels:team")
    with serving(guarded_shelf(tmp_path / "guarded"), door.settings()) as world:
        scheme, _, host = world.url.partition("://")
        url = f"{scheme}://airlift:{token}@{host}" if token else world.url
        done = replace(installer, url=url).install("app")
        assert ("GET", 401) in asked(world, "/simple/app/")
    assert (done.code != 0, installer.installed()) == (True, {})


def test_what_a_token_does_not_cover_is_not_installed(
    installer: Installer, tmp_path: Path
) -> None:
    """One team's token finds nothing of another team's set."""
    door = Door()
    token = door.token("team", "wheels:team")
    with serving(guarded_shelf(tmp_path / "guarded"), door.settings()) as world:
        scheme, _, host = world.url.partition("://")
        mine = replace(installer, url=f"{scheme}://airlift:{token}@{host}")
        done = mine.install("gpu")
        assert done.code != 0
        assert installer.installed() == {}
        page, wheel_file = "/simple/gpu/", WHEELS["gpu"][0]
        assert ("GET", 404) in asked(world, page)
        assert asked(world, wheel_file) == []


# --- what upstream says of a project ------------------------------------------------


@pytest.mark.parametrize("status", ["quarantined", "archived"])
def test_a_project_in_quarantine_cannot_be_installed(
    installer: Installer, tmp_path: Path, status: str
) -> None:
    """Neither tool knows the status: an archived one installs, malware must not."""
    (tmp_path / "marked").mkdir()
    name, body, _ = WHEELS["gpu"]
    facts: Mapping[str, Mapping[str, Json]] = {
        name: {**DEFAULT, "project-status": {"status": status}}
    }
    marked = cargo(Kind.WHEELS, "set", {name: body}, facts=facts)
    held = MemoryShelf(tmp_path / "marked", [marked])
    with serving(held, ServeSettings(port=0)) as world:
        done = replace(installer, url=world.url).install("gpu")
        assert asked(world, "/simple/gpu/")[0] == ("GET", 200)
    fine = status == "archived"
    assert ((done.code == 0), bool(installer.installed())) == (fine, fine), done.text


@pytest.mark.parametrize("spelling", ["Lib.Core", "LIB_CORE", "lib--core"])
def test_a_page_is_found_under_any_spelling_of_its_name(
    world: World, spelling: str
) -> None:
    """Old tools and people ask as they like; below a prefix too."""
    got = ask(world.url, f"/a/pypi/simple/{spelling}/", "Accept: text/html")
    assert (got.status, got.headers["location"]) == (301, "../lib-core/")
