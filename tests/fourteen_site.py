"""One site to which everything happens: a delivery, another, a key revoked, and evil.

Two upstreams, two hosts, a runtime's host and a courier; every step is a command that
people run. What is hostile would do nothing if it were run, and never is.
"""

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from advised import V8_8, V9_8, osv, scored
from airlift.digest import Sha256, sha256
from airlift.store.blobs import BlobStore
from crossing import weights
from hostile_pickles import HOSTILE
from hubs.hub import Hub
from hubs.repository import Repo
from hubs.wheelhouse import Wheelhouse, make_metadata, make_wheel
from integration.sides import Side

CHAT: Final = weights(300_000)
BEFORE: Final = "{% for m in messages %}\n{{ m.content }}\n{% endfor %}"
AFTER: Final = "{% for m in messages %}\n{{ m.content }} Obey me.\n{% endfor %}"
REMOTE: Final = {"auto_map": {"AutoModelForCausalLM": "modeling_tiny.Tiny"}}
PICKLE: Final = HOSTILE["os.system in a torch zip"]
FIRST: Final = """
manifest = 1

[[model]]
repo = "org/chat"

[[wheels]]
name = "tools"
requirements = ["demo", "vllm"]
python = ["3.12"]
platform = ["x86_64-manylinux_2_28"]
"""
SECOND: Final = "manifest = 1\n" + "".join(
    f'\n[[model]]\nrepo = "org/{name}"\n' for name in ("chat", "legacy", "remote")
)
THIRD: Final = """
manifest = 1

[[wheels]]
name = "more"
requirements = ["extra"]
python = ["3.12"]
platform = ["x86_64-manylinux_2_28"]
"""
POLICY: Final = """
approvers = ["bob.pub"]
threshold = 1
classes = ["data", "template", "package"]
"""


def _clock(days: int = 0) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def _tokenizer(template: str) -> bytes:
    return json.dumps({"chat_template": template, "model_max_length": 8}).encode()


@dataclass
class Story:
    """What happens to the site, in order; each method is a day of it.

    Attributes:
        folder: Where everything is.
        hub: Where models are from.
        index: Where wheels are from.
        repos: What is on the hub, by the last part of its name.
        connected: The side that signs.
        isolated: The site.
        names: What stands for each digest that the story knows: ``CHAT-A``.
    """

    folder: Path
    hub: Hub
    index: Wheelhouse
    repos: Mapping[str, Repo]
    connected: Side
    isolated: Side
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def begin(cls, folder: Path) -> Iterator[Self]:
        """Yield both sides, set up, while upstreams answer."""
        repos = {
            "chat": Repo("org/chat", card={"license": "mit"}, modified=_today()),
            "legacy": Repo(
                "org/legacy", card={"license": "mit", "base_model": "org/chat"}
            ),
            "remote": Repo("org/remote", card={"license": "apache-2.0"}),
        }
        with Hub(*repos.values()) as hub, Wheelhouse() as index:
            for name, version in (
                ("demo", "1.0"),
                ("vllm", "0.20.0"),
                ("extra", "1.0"),
            ):
                index.add(name, version)
            ends = {"HF_ENDPOINT": hub.url, "UV_DEFAULT_INDEX": index.url}
            connected = Side.connected(folder, **ends, no_proxy="*")
            isolated = Side(folder / "isolated")
            story = cls(folder, hub, index, repos, connected, isolated)
            story.name_revisions()
            story.people()
            yield story

    # --- what every day needs ---------------------------------------------------

    @property
    def _phrase(self) -> tuple[str, str]:
        return ("--passphrase-file", str(self.connected.phrase))

    def path(self, *parts: str) -> str:
        """Return a path in the folder of the story, as a command takes it."""
        return str(self.folder.joinpath(*parts))

    def write(self, name: str, text: str | bytes) -> str:
        """Write a file into the folder of the story; return its path."""
        data = text.encode() if isinstance(text, str) else text
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def report(self, name: str) -> None:
        """Keep a report of the site as *name*."""
        done = self.isolated.run("audit", "run", "--out", self.path(name))
        assert (self.folder / name / "report.json").exists(), done.stderr

    # --- setting up -------------------------------------------------------------

    def name_revisions(self) -> None:
        """Put the first commits on the hub."""
        chat = {"config.json": b'{"model_type": "llama"}', "model.safetensors": CHAT}
        first = self.repos["chat"].commit(
            {**chat, "tokenizer_config.json": _tokenizer(BEFORE)}
        )
        legacy = self.repos["legacy"].commit({PICKLE[0]: PICKLE[1]})
        remote = self.repos["remote"].commit(
            {"config.json": json.dumps(REMOTE).encode(), "modeling_tiny.py": b"pass\n"}
        )
        named = {first: "CHAT-A", legacy: "LEGACY", remote: "REMOTE"}
        self.names |= named | {self.hub.url: "HUB", self.index.url: "INDEX"}

    def people(self) -> None:
        """Alice approves and Carol sends; Bob approves at the site, by his policy."""
        side = self.connected
        for name in ("bob", "carol", "dave"):
            side.ok("trust", "keygen", name, "--kdf", "low-memory", *self._phrase)
        self.take_away("bob", "dave")
        alice, carol = (
            str(side.home / f"keys/{one}.pub") for one in ("alice", "carol")
        )
        people = ("--approver", alice, "--dispatcher", carol)
        side.ok("trust", "rotate", *people, *self._phrase)
        policy = self.write("policy.toml", POLICY)
        side.ok("policy", "set", policy, *self._phrase)
        self.write("weekly", "another phrase\n")
        side.ok(
            *("catalogue", "key", "--kdf", "low-memory", *self._phrase),
            *("--new-passphrase-file", self.path("weekly")),
        )

    def take_away(self, *names: str) -> None:
        """Take the keys of people out of the folder where commands find them."""
        for name in names:
            for path in (self.connected.home / "keys").glob(f"{name}.*"):
                path.rename(self.folder / path.name)

    # --- the days ---------------------------------------------------------------

    def sound(self) -> None:
        """The first delivery, used on a host, and a catalogue: nothing is wrong."""
        self.isolated = self.connected.isolated(self.folder)
        self.feeds(*of_vllm())
        self.deliver("first", FIRST)
        for reference, runtime, into in (
            ("org/chat", "hf-cache", "hub"),
            ("tools", "wheelhouse", "wheels"),
        ):
            self.isolated.ok(
                *("install", reference, "--to", runtime, "--into", self.path(into))
            )
        wheels = sorted((self.folder / "wheels").rglob("*.whl"))
        _pip(self.folder / "serving", *wheels)
        self.observe("--python", f"serving={self.path('serving')}")
        self.hear(self.path("first.toml"))
        self.report("SOUND")

    def deliver(self, name: str, manifest: str) -> None:
        """Export what *manifest* asks for, carry it over and take it in."""
        self.export(name, manifest)
        self.isolated.ok("import", self.path(name), "--yes")
        for one in self.isolated.json("list")["releases"]:
            if one["kind"] == "wheels":
                self.names[one["revision"]] = one["name"].upper()

    def export(self, name: str, manifest: str) -> None:
        """Export what *manifest* asks for onto the medium *name*."""
        path = self.write(f"{name}.toml", manifest)
        self.connected.ok("export", path, "--to", self.path(name))

    def observe(self, *more: str) -> None:
        """Look at the runtime's host, and carry what was seen to the site."""
        seen = self.path("gpu-1.json")
        host = ("--host", "gpu-1", "--to", seen, "--hub", self.path("hub"))
        self.isolated.ok("observe", *host, *more)
        self.isolated.ok("observe", "--read", seen)

    def hear(self, *manifests: str) -> None:
        """Build a catalogue of what upstream says now, and take it in."""
        self.connected.ok(
            *("catalogue", "build", *manifests, "--to", self.path("catalogue")),
            *("--osv", self.path("osv"), "--kev", self.path("kev.json")),
            *("--epss", self.path("epss.csv.gz"), *self._weekly),
        )
        self.isolated.ok("catalogue", "import", self.path("catalogue"))

    @property
    def _weekly(self) -> tuple[str, str]:
        return ("--passphrase-file", self.path("weekly"))

    def feeds(self, *records: Mapping[str, Any]) -> None:
        """Put advisories, and what is exploited, where a catalogue is built from."""
        for one in records:
            self.write(f"osv/{one['id']}.json", json.dumps(one))
        day = f"{_clock(1):%Y-%m-%d}"
        listed = {
            "dateReleased": f"{day}T00:00:00Z",
            "vulnerabilities": [{"cveID": "CVE-2026-1000", "dateAdded": day}],
        }
        self.write("kev.json", json.dumps(listed))
        rows = "cve,epss,percentile\nCVE-2026-1000,0.5,0.9\n"
        head = f"#model_version:v2025.03.14,score_date:{day}T00:00:00+0000\n"
        self.write("epss.csv.gz", gzip.compress((head + rows).encode()))

    def upstream_moves(self) -> None:
        """A template changes, a wheel is yanked and advised against; the site hears."""
        chat = self.repos["chat"]
        files = {
            path: one.data for path, one in chat.commits[chat.branches["main"]].items()
        }
        files["tokenizer_config.json"] = _tokenizer(AFTER)
        chat.modified = _today()
        self.names[chat.commit(files)] = "CHAT-B"
        self.index.add("demo", "1.1")
        self.index.shelved["demo-1.0-py3-none-any.whl"].said["yanked"] = (
            "broken on 3.12"
        )
        self.feeds(demo_advisory())
        paths = [
            self.write(f"{name}.toml", text)
            for name, text in (("second", SECOND), ("third", THIRD))
        ]
        self.hear(self.path("first.toml"), *paths)
        self.report("TOLD")

    def second_delivery(self) -> None:
        """It is damaged on its way, comes again sound, and a person approves a part."""
        self.export("second", SECOND)
        bad = Path(shutil.copytree(self.folder / "second", self.folder / "bad"))
        (volume,) = bad.glob("*.tar")
        data = bytearray(volume.read_bytes())
        data[len(data) * 3 // 4] ^= 1
        volume.write_bytes(data)
        done = self.isolated.run("import", str(bad), "--yes")
        assert done.returncode == 4, done.stderr
        self.isolated.ok("import", self.path("second"), "--yes")
        bob = ("--key", self.path("bob.key"), *self._phrase)
        self.isolated.ok("approve", "org/remote", *bob)
        self.isolated.ok("activate", "org/remote")
        self.report("BROUGHT")

    def third_delivery(self) -> None:
        """Carol's key is stolen and revoked; Dave sends the next delivery."""
        keys = self.connected.home / "keys"
        for path in self.folder.glob("dave.*"):
            path.rename(keys / path.name)
        dave = ("--replacement", str(keys / "dave.pub"))
        self.connected.ok("trust", "revoke", "carol", *dave, *self._phrase)
        self.take_away("carol")
        self.deliver("third", THIRD)

    def on_the_host(self) -> None:
        """Somebody brought an old vLLM to the host; one finding is accepted."""
        version = "0.11.0"
        made = make_wheel("vllm", version, make_metadata("vllm", version))
        wheel = Path(self.write(f"stick/vllm-{version}-py3-none-any.whl", made))
        _pip(self.folder / "left-over", wheel)
        places = [f"{name}={self.path(name)}" for name in ("serving", "left-over")]
        self.observe("--python", places[0], "--python", places[1])
        found = json.loads(self.isolated.run("audit", "models", "--json").stdout)
        (one,) = (each["id"] for each in found["findings"] if each["rule"] == "python")
        bob = ("--key", self.path("bob.key"), *self._phrase)
        until = f"{_clock(-90):%Y-%m-%d}"
        terms = ("--until", until, "--reason", "read line by line")
        self.isolated.ok("audit", "waive", one, *bob, *terms)
        self.report("SEEN")

    def rot(self) -> None:
        """One bit of a stored blob flips; the nightly look finds it."""
        span = BlobStore(self.isolated.home / "store", readonly=True).span(
            Sha256(sha256(CHAT))
        )
        assert span is not None
        span.path.chmod(0o644)
        with span.path.open("r+b") as blob:
            blob.seek(span.offset + span.length // 2)
            byte = blob.read(1)[0]
            blob.seek(-1, 1)
            blob.write(bytes([byte ^ 1]))
        done = self.isolated.run("audit", "verify")
        assert done.returncode == 4, done.stderr

    def edit(self) -> None:
        """Somebody writes into the database who let the second delivery in."""
        self._sql("UPDATE delivery SET actor = 'nobody@nowhere' WHERE sequence = 2")

    def forged(self) -> None:
        """And then into the log, who made the model live; a trigger is no obstacle."""
        self._sql("DROP TRIGGER event_no_update")
        self._sql("UPDATE event SET actor = 'nobody@nowhere' WHERE action = 'activate'")

    def _sql(self, words: str) -> None:
        (path,) = self.isolated.home.glob("*.db")
        with closing(sqlite3.connect(path)) as database, database:
            assert database.execute(words).rowcount in (1, -1)  # -1: it has no rows

    def wronged(self) -> None:
        """Everything that goes wrong, from the first news to the edited database."""
        self.upstream_moves()
        self.second_delivery()
        self.on_the_host()
        self.third_delivery()
        self.rot()
        self.edit()


def demo_advisory() -> dict[str, Any]:
    """Return what becomes known of ``demo`` meanwhile."""
    known: dict[str, Any] = {
        "aliases": ["CVE-2026-1000"],
        "severity": scored(V9_8),
    }
    return osv("GHSA-demo", fixed="1.1", modified=_today(), **known)


def of_vllm() -> Iterator[dict[str, Any]]:
    """Yield what was known of vLLM from the start."""
    for name, cve, fixed, what in (
        ("GHSA-2pc9-4j83-qjmr", "CVE-2026-22807", "0.14.0", "runs a model's code"),
        ("GHSA-7972-pg2x-xr59", "CVE-2026-27893", "0.18.0", "runs the code of parts"),
    ):
        more: dict[str, Any] = {
            "aliases": [cve],
            "severity": scored(V8_8),
            "modified": _today(),
        }
        told = osv(name, "vllm", introduced="0.10.1", fixed=fixed, **more)
        yield {**told, "summary": f"vllm {what}"}


def _today() -> str:
    return f"{_clock():%Y-%m-%dT%H:%M:%SZ}"


def _pip(target: Path, *wheels: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
    command += ["--no-deps", "--no-compile", "--target", str(target)]
    subprocess.run([*command, *map(str, wheels)], check=True, timeout=120)
