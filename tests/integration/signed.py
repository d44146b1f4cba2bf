"""A delivery with a model in it that Acme signed through Sigstore."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attestations import model
from integration.sides import Side
from sigstores import IDENTITY, ISSUER, REKOR, Sigstore

FILES = {"config.json": b"{}", "LICENSE": b"take it"}
MANIFEST = """\
manifest = 1

[[folder]]
name = "acme/tiny"
path = "tiny"
licence = "mit"
"""
IDENTITY_FILE = f"""\
identity = "{IDENTITY}"
issuer = "{ISSUER}"
trusted-root = "trusted_root.json"
"""
WITHOUT = "import sys\nsys.modules['sigstore'] = None\n"
"""What a host does when it starts Python, where the extra is not installed."""
WHO = f"{IDENTITY} (known to {ISSUER}; logged 2026-03-01T11:59:00Z by {REKOR})"
HOW = "`pip install 'airlift[sigstore]'`"
WHY = (
    "signatures through Sigstore cannot be checked here without the package `sigstore`"
)


@dataclass(frozen=True)
class World:
    """A connected side with a medium, to which Acme's model went."""

    folder: Path
    connected: Side

    @property
    def medium(self) -> str:
        """Where the delivery is."""
        return str(self.folder / "medium")

    def isolated(self, folder: Path, *, bare: bool = False) -> Side:
        """Return a new isolated side in *folder*; a *bare* one lacks the extra."""
        side = self.connected.isolated(folder)
        if bare:
            (folder / "sitecustomize.py").write_text(WITHOUT)
            side = Side(side.home, {"PYTHONPATH": str(folder)})
        return side


def world(folder: Path, before: Sequence[str] = ()) -> World:
    """Return such a delivery in *folder*.

    Args:
        folder: Where everything goes.
        before: Words in front of the command that makes the delivery.
    """
    (folder / "tiny").mkdir()
    sigstore = Sigstore()
    signature = sigstore.model(model(FILES))
    for name, data in {**FILES, "model.sig": signature}.items():
        (folder / "tiny" / name).write_bytes(data)
    (folder / "wanted.toml").write_text(MANIFEST)
    (folder / "acme.toml").write_text(IDENTITY_FILE)
    (folder / "trusted_root.json").write_text(json.dumps(sigstore.root(), indent=1))
    made = World(folder, Side.connected(folder))
    made.connected.ok("lock", str(folder / "wanted.toml"))
    Side(made.connected.home, before=before).ok(
        *("export", str(folder / "wanted.lock"), "--to", made.medium),
        *("--model-signer", str(folder / "acme.toml")),
    )
    return made
