"""Rehearses what is done when a key was stolen or lost: every command, on a scratch host.

    scripts/drill_keys.py stolen
    scripts/drill_keys.py lost

Three people with a key of each family each, a fourth who signs deliveries, a first host
and an isolated site, each a folder of its own; what passes between them passes as files.
Each command is printed before it runs. It ends with the proof that the old keys are worth
nothing and that the site goes on; anything else ends it with an error. docs/trust.md has
the same steps for real machines.
"""

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PEOPLE = ("ann", "bob", "cat")
LATTICE = "ml-dsa-65"
PHRASE = "a drill is no secret"
WAITS = 2
"""Exit code of a command that asks for more, here for the signatures of others."""

Run = Callable[..., tuple[int, str]]


def process(*words: str) -> tuple[int, str]:
    """Run airlift with *words*; return its exit code and all it said."""
    done = subprocess.run(
        [sys.executable, "-m", "airlift", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


class DrillError(Exception):
    """A step went otherwise than the drill says."""


@dataclass(frozen=True)
class Drill:
    """The machines of a drill, each a folder in *folder*; *run* runs airlift on one."""

    folder: Path
    run: Run
    say: Callable[[str], None] = print

    def on(self, host: str, *words: str, code: int = 0, phrase: bool = False) -> str:
        """Run a command on *host*, which must end with *code*; return what it said."""
        self.say(f"{host}$ airlift {shlex.join(words)}")
        given = ["--passphrase-file", str(self.folder / "phrase")] if phrase else []
        home = ["--home", str(self.folder / host)]
        found, said = self.run(*words, *given, *home)
        if found != code:
            problem = f"on {host}: exit code {found}, expected {code}: {said}"
            raise DrillError(problem)
        return said

    def stick(self, name: str) -> str:
        """Return the path of *name* on the stick that is carried between machines."""
        return str(self.folder / "stick" / name)

    def lacks(self, said: str, wanted: str) -> None:
        """Fail unless *wanted* is in what a command *said*."""
        if wanted not in said:
            problem = f"expected `{wanted}` in: {said}"
            raise DrillError(problem)

    def make_keys(self, host: str, name: str, put_as: str) -> list[str]:
        """Let a person make both keys; return where the public halves are carried."""
        shared = []
        for scheme, ending in (("ed25519", ""), (f"{LATTICE}/1", f".{LATTICE}")):
            made = ("trust", "keygen", name, "--scheme", scheme)
            self.on(host, *made, "--kdf", "low-memory", phrase=True)
            shared.append(self.stick(f"{put_as}{ending}.pub"))
            shutil.copy(self.folder / host / "keys" / f"{name}{ending}.pub", shared[-1])
        return shared

    def ask(self, host: str, *words: str) -> None:
        """Run a command that cannot end before others have signed too."""
        said = self.on(host, *words, code=WAITS, phrase=True)
        self.lacks(said, "more people must sign")

    def gather(self, *signers: str) -> None:
        """Carry what is pending to each of *signers* in turn, and the result back."""
        file = self.stick("sign-me.json")
        self.on("first", "trust", "pending", file)
        for host in signers:
            self.on(host, "trust", "check", file)
            self.on(host, "trust", "sign", file, phrase=True)
        self.on("first", "trust", "merge", file)

    def deliver(self, number: int, *signers: str) -> None:
        """Send the site a delivery that *signers* approve."""
        source = self.folder / "model"
        (source / "config.json").write_text(f'{{"version": {number}}}')
        manifest = self.folder / "wanted.toml"
        manifest.write_text(
            f'manifest = 1\n[[folder]]\nname = "acme/m"\npath = "{source}"\n'
        )
        medium = self.stick(f"delivery-{number}")
        Path(medium).mkdir()
        export = ("export", str(manifest), "--to", medium)
        self.ask("first", *export)
        self.gather(*signers)
        self.on("first", *export, phrase=True)
        self.on("site", "import", medium, "--yes")


def begin(drill: Drill) -> None:
    """Set up three people, the first host and the site, and make one delivery."""
    for name in ("stick", "model", *PEOPLE, "first", "site"):
        (drill.folder / name).mkdir(parents=True)
    (drill.folder / "phrase").write_text(PHRASE)
    approvers = [
        word
        for name in PEOPLE
        for path in drill.make_keys(name, name, name)
        for word in ("--approver", path)
    ]
    senders = [
        word
        for path in drill.make_keys("first", "dan", "dan")
        for word in ("--dispatcher", path)
    ]
    init = ("trust", "init", "--site", "plant7", *approvers, "--threshold", "2")
    init = (*init, *senders, "--profile", "standard")
    drill.ask("first", *init)
    drill.gather("ann", "bob")
    drill.ask("first", *init)
    drill.gather("bob", "cat")
    said = drill.on("first", *init, phrase=True)
    words = said.split("in words", 1)[1].splitlines()[0].strip()
    root = str(drill.folder / "first" / "root.json")
    accept = ("trust", "init", "--site", "plant7", "--root", root)
    drill.on("site", *accept, "--fingerprint", words)
    drill.deliver(1, "ann", "cat")


def replace(drill: Drill, who: str, signers: tuple[str, str]) -> None:
    """Revoke both keys of *who*, put new ones in their place, and deliver."""
    fresh = drill.make_keys(f"{who}-new", who, f"{who}-new")
    given = [word for path in fresh for word in ("--replacement", path)]
    drill.ask("first", "trust", "revoke", who, *given)
    drill.gather(*signers)
    said = drill.on("first", "trust", "check", "--profile", "standard")
    drill.lacks(said, "root version 2,")
    drill.deliver(2, "ann", f"{who}-new")
    drill.lacks(
        drill.on("site", "doctor"), "root version 2; profile: promises standard"
    )


def old_keys_are_worthless(drill: Drill, who: str) -> None:
    """Show that the revoked keys of *who* have nothing more to sign."""
    source = drill.folder / "model"
    (source / "config.json").write_text('{"version": "evil"}')
    export = ("export", str(drill.folder / "wanted.toml"), "--to", drill.stick("evil"))
    Path(drill.stick("evil")).mkdir()
    drill.ask("first", *export)
    file = drill.stick("evil.json")
    drill.on("first", "trust", "pending", file)
    said = drill.on(who, "trust", "sign", file, code=WAITS, phrase=True)
    drill.lacks(said, "have nothing to sign in this file")
    drill.on("first", "trust", "discard")


def main() -> None:
    """Run one drill in a folder that goes away."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("drill", choices=("stolen", "lost"))
    chosen = parser.parse_args().drill
    with tempfile.TemporaryDirectory(prefix="airlift-drill-") as folder:
        rehearse(chosen, Drill(Path(folder), process))
    print(f"the drill of a {chosen} key went as it should")


def rehearse(chosen: str, drill: Drill) -> None:
    """Run the drill *chosen*: ``stolen`` or ``lost``."""
    begin(drill)
    # A thief has cat's keys; or bob has lost his, and cannot sign himself out.
    if chosen == "stolen":
        replace(drill, "cat", ("ann", "bob"))
        old_keys_are_worthless(drill, "cat")
    else:
        replace(drill, "bob", ("ann", "cat"))


if __name__ == "__main__":
    main()
