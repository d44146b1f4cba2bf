"""A request on its way: asked for on one side, built on the other, answered and seen."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from commands import Done, Shell
from hubs.hub import Hub
from hubs.repository import Repo
from integration.sides import SITE, Side
from screens import drawn

pytestmark = pytest.mark.timeout(1200)

MANIFEST = "manifest = 1\n" + "".join(
    f'[[model]]\nrepo = "org/{name}"\n' for name in ("a", "b", "c", "d")
)


@dataclass
class World:
    """Both sides, and what lies between them; catalogue 1 is held by both.

    Attributes:
        folder: Where everything is.
        repos: What is upstream.
        far: The connected side, for what asks upstream: as processes, since clients
            of a hub take its address from their environment.
        connected: The connected side, for all else.
        isolated: The isolated side.
    """

    folder: Path
    repos: dict[str, Repo]
    far: Side
    connected: Shell
    isolated: Shell

    @property
    def media(self) -> Path:
        """Where the last delivery lies."""
        return self.folder / "media"

    def ask(self, *items: str) -> Path:
        """Ask for *items*; return the file that is carried out."""
        self.isolated.good("request", "add", *items)
        return self.ask_listed()

    def ask_listed(self) -> Path:
        """Sign what is on the list; return the file that is carried out."""
        file = self.folder / "request.txt"
        self.isolated.good("request", "export", "--to", file)
        return file

    def export(self, request: Path, *more: str) -> Any:
        """Build the delivery that *request* asks for; return what was said."""
        words = ("export", "--for", str(request), "--to", str(self.media))
        return self.far.json(*words, *more)

    def take(self) -> list[str]:
        """Import the last delivery; return what was printed."""
        return self.isolated.good("import", self.media, "--yes").lines

    def outcomes(self, number: int) -> list[str]:
        """Return what became of each line of request *number*, as the site sees it."""
        shown = self.isolated.good("request", "show", str(number), "--json").json
        return [line["outcome"] for line in shown["requests"][0]["lines"]]

    def held(self) -> dict[str, str]:
        """Return the revisions that the site holds, by name."""
        releases = self.isolated.good("list", "--json").json["releases"]
        return {one["name"]: one["revision"] for one in releases}


@dataclass
class Template:
    """What every test begins with: its folder, the repositories, the hub's address."""

    folder: Path
    repos: dict[str, Repo]
    hub: str


@pytest.fixture(name="template", scope="module")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    folder = tmp_path_factory.mktemp("template")
    repos = {name: Repo(f"org/{name}") for name in ("a", "b", "c", "d", "unlisted")}
    for name, repo in repos.items():
        repo.commit({"config.json": b"{}", "model.bin": name.encode() * 5000})
    (folder / "weekly.toml").write_text(MANIFEST)
    (folder / "first.toml").write_text('manifest = 1\n[[model]]\nrepo = "org/a"\n')
    (folder / "weekly-phrase").write_text("another phrase\n")
    with Hub(*repos.values()) as hub:
        side = Side.connected(folder, HF_ENDPOINT=hub.url, no_proxy="*")
        side.ok(
            *("catalogue", "key", "--passphrase-file", str(side.phrase)),
            *("--new-passphrase-file", str(folder / "weekly-phrase")),
            *("--kdf", "low-memory"),
        )
        side.ok("export", str(folder / "first.toml"), "--to", str(folder / "first"))
        catalogue = str(folder / "catalogue")
        side.ok(
            *("catalogue", "build", "--to", catalogue, str(folder / "weekly.toml")),
            *("--passphrase-file", str(folder / "weekly-phrase")),
        )
        isolated = side.isolated(folder)
        isolated.ok("import", str(folder / "first"), "--yes")
        isolated.ok("catalogue", "import", catalogue)
        key = str(folder / "site-key.json")
        isolated.ok("trust", "site-key", key)
        side.ok("site", "enrol", SITE, key, "--yes")
        yield Template(folder, repos, hub.url)


@pytest.fixture(name="world")
def _world(
    template: Template, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> World:
    folder = Path(shutil.copytree(template.folder, tmp_path / "world"))
    far = Side(folder / "connected", {"HF_ENDPOINT": template.hub, "no_proxy": "*"})
    return World(
        folder=folder,
        repos=template.repos,
        far=far,
        connected=Shell(far.home, capsys),
        isolated=Shell(folder / "isolated", capsys),
    )


def refusal(done: Done, code: int) -> str:
    """Return the message of a command that ended with *code*."""
    assert done.code == code, done
    return error_in(done.err.splitlines())


def error_in(lines: list[str]) -> str:
    """Return the one error among the lines for people."""
    start = "airlift: error: "
    (found,) = (line for line in lines if line.startswith(start))
    return found.removeprefix(start)


def test_what_was_asked_is_built_and_the_answer_seen(world: World) -> None:
    """The whole way, there and back, with a line that people refuse."""
    request = world.ask("org/a", "org/b", "org/c", "org/d")
    told = world.connected.good("request", "read", request).lines
    assert told[0].startswith(f"request 1 of site {SITE}, made on ")
    assert told[1].startswith("it holds: delivery 1, state code ")
    assert [line.split(":")[0].strip() for line in told[3:7]] == [
        f"{place}. entry {place - 1}" for place in range(1, 5)
    ]
    assert told[7] == "nothing else is in it but 64 bytes of signature"

    done = world.export(request, "--refuse", "3=policy P-7")
    # `a` is what the first delivery brought, and the request itself has said so.
    assert [one["outcome"] for one in done["answer"]["lines"]] == [
        *("held", "sent", "refused", "sent")
    ]
    said = world.take()
    assert "request 1: asked 4, sent 2, held already 1, refused 1" in said
    revision = world.repos["c"].branches["main"][:12]
    assert f"refused: model org/c at {revision}: policy P-7" in said
    assert world.outcomes(1) == ["held", "sent", "refused", "sent"]
    assert world.held().keys() == {"org/a", "org/b", "org/d"}


def test_what_was_released_is_what_is_built(world: World) -> None:
    """Upstream moves on between the reading and the building, as it always does."""
    wanted = world.repos["d"].branches["main"]
    request = world.ask("org/d")
    world.repos["d"].commit({"config.json": b'{"new": 1}'})
    world.export(request)
    world.take()
    assert world.held()["org/d"] == wanted


def test_every_form_holds_the_same_bytes(world: World) -> None:
    """Whichever a site may send, the other side reads the same request."""
    world.isolated.good("request", "add", "org/b", "--anchor")
    folder = world.folder
    forms = [folder / f"r.{kind}" for kind in ("txt", "png", "svg", "html")]
    done = world.isolated.good(
        "request", "export", "--qr", *(word for one in forms for word in ("--to", one))
    )
    (found,) = zxingcpp.read_barcodes(Image.open(folder / "r.png"))
    (shown,) = zxingcpp.read_barcodes(drawn(done.lines))
    assert found.text == shown.text
    read = ("request", "read", "--json")
    by_file = world.connected.good(*read, forms[0]).json
    by_code = world.connected.good(*read, "--typed", found.text).json
    (said,) = by_file["state"]
    assert said.startswith(f"confirmed: {SITE} after delivery 1 says ")
    # Read a second time it is no news.
    assert by_code == {**by_file, "repeat": True, "state": []}
    lines = (folder / "r.txt").read_text().split("\n", 1)[1]
    by_hand = lines.lower().replace("0", "o").replace("1", "l")
    assert world.connected.good(*read, "--typed", by_hand).json == by_code
    assert lines.splitlines()[0] in (folder / "r.html").read_text()
    again = folder / "again.txt"
    world.isolated.good("request", "export", "--again", "1", "--to", again)
    assert again.read_bytes() == (folder / "r.txt").read_bytes()


def test_a_station_between_reads_all_of_it(world: World) -> None:
    """A release officer needs the public key and nothing else."""
    request = world.ask("org/b")
    station = Shell(world.folder / "station", world.isolated._capture)
    key = world.folder / "site-key.json"
    told = station.good("request", "read", request, "--site-key", key).lines
    assert told[3] == "  1. entry 1: (its catalogue is not looked at here)"
    assert told[-1].startswith(f"signed by the key of site {SITE}: ")
    assert world.isolated.good("request", "read", request).lines == told


def test_a_name_leaves_only_where_it_is_asked_for(world: World) -> None:
    """Numbers say nothing to whoever finds the slip of paper; names do."""
    done = world.isolated("request", "add", "model:org/unlisted")
    assert refusal(done, 2) == "`model:org/unlisted` is not in catalogue 1"
    by_name = ("request", "add", "--by-name")
    world.isolated.good(*by_name, "model:org/unlisted", "model:org/nowhere@v1")
    sent = world.export(world.ask_listed())
    assert [one["outcome"] for one in sent["answer"]["lines"]] == ["refused", "sent"]
    world.take()
    assert world.outcomes(1) == ["refused", "sent"]


def test_an_old_request_builds_nothing(world: World) -> None:
    """Played back, it would send what was wanted once."""
    old = world.folder / "old.txt"
    old.write_bytes(world.ask("org/b").read_bytes())
    world.connected.good("request", "read", world.ask("org/c"))
    done = world.connected("export", "--for", old, "--to", world.media)
    assert refusal(done, 2) == (
        f"request 1 of site {SITE} is older than request 2, which was read before"
    )
    assert not world.media.exists()


def test_damage_and_forgery_are_refused(world: World) -> None:
    """A character changed by hand, and a request of a key nobody enrolled."""
    file = world.ask("org/b")
    text = file.read_text()
    last = text.splitlines()[-1]
    other = "0" if last[0] != "0" else "1"
    file.write_text(text.replace(last, other + last[1:]))
    place = len(text.splitlines()) - 1
    read = ("request", "read", file)
    told = refusal(world.connected(*read), 4)
    assert told == f"request.txt: line {place} is mistyped"
    file.write_text(text.lower())
    told = refusal(world.connected(*read), 4)
    assert told == "request.txt is not in the one spelling of such a file"
    world.isolated.good("trust", "site-key", "--replace")
    world.ask("org/b")
    assert refusal(world.connected(*read), 5) == (
        f"request.txt is not signed by the key of a site known here; known are `{SITE}`"
    )


def test_an_answer_alone_is_a_delivery(world: World) -> None:
    """A site that gets nothing is told why, instead of waiting."""
    done = world.export(world.ask("org/b"), "--refuse", "1=not before the audit")
    assert done["releases"] == []
    assert "request 1: asked 1, sent 0, refused 1" in world.take()
    assert world.outcomes(1) == ["refused"]
    shown = world.isolated.good("request", "show", "1").lines
    assert shown[1].endswith("refused (delivery 2 says): not before the audit")


def test_what_is_on_the_list_can_be_taken_off(world: World) -> None:
    """Until it is signed, nobody has asked."""
    run = world.isolated
    run.good("request", "add", "org/b", "org/c", "--anchor")
    run.good("request", "add", "--by-name", "gguf:org/q:Q4_K_M@v1")
    run.good("request", "remove", "org/b", "gguf:org/q:Q4_K_M@v1", "--anchor")
    draft = run.good("request", "show", "--json").json["draft"]
    assert [json.loads(one)[1] for one in draft["entries"]] == ["org/c"]
    assert (draft["wants"], draft["anchor"]) == ([], False)
    run.good("request", "remove", "--all")
    assert refusal(run("request", "export"), 2) == "nothing is asked for"


def test_a_request_needs_the_approvals_that_all_else_needs(world: World) -> None:
    """It must be no way round the two people who look at what leaves."""
    request = world.ask("org/b", "org/c")
    done = world.connected(
        *("export", "--for", request, "--to", world.media, "--require-approval", "1")
    )
    assert refusal(done, 2) == "1 approvals are needed, and only a lock can be approved"
    lock = world.folder / "request.lock"
    refuse = ("--refuse", "2=policy P-7")
    world.far.ok("request", "lock", str(request), "--to", str(lock), *refuse)
    phrase = ("--passphrase-file", str(world.far.phrase), "--key", "alice")
    export = ("export", str(lock), "--for", str(request), "--to", str(world.media))
    unapproved = (*export, *refuse, "--require-approval", "1")
    assert world.far.run(*unapproved).returncode == 5
    world.connected.good("approve", lock, "--site", SITE, *phrase)
    said = world.far.fails(2, *export, "--require-approval", "1")
    assert error_in(said) == (
        "the lock is not of what the request asks for, as it is answered now"
    )
    world.far.ok(*unapproved)
    assert "request 1: asked 2, sent 1, refused 1" in world.take()
