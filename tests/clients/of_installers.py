"""pip and uv."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import venvs
from clients.matrix import BIG, Operation, Place, run

_HOLDS = {"app/payload.bin": BIG, "lib/payload.bin": b"library"}


@dataclass(frozen=True, kw_only=True)
class Installer:
    """Installs a wheel and what it needs into a folder."""

    tool: str
    version: str
    resumes: bool
    holds: Mapping[str, bytes] = field(default_factory=lambda: _HOLDS)
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The tool and its version."""
        return f"{self.tool} {self.version}"

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Install ``app`` and return the payloads of it and its dependency."""
        bins = venvs.make(environments, f"{self.tool}=={self.version}")
        target = home / "site"
        scheme, _, rest = place.url.partition("://")
        signed = (
            f"{scheme}://airlift:{place.token}@{rest}" if place.token else place.url
        )
        options: list[str | Path] = [
            "--index-url",
            f"{signed}/simple",
            "--target",
            target,
        ]
        if self.tool == "pip":
            own: list[str | Path] = [
                bins / "python",
                "-m",
                "pip",
                "--isolated",
                "install",
                "--no-input",
            ]
            own += ["--disable-pip-version-check", "--no-cache-dir", "--retries", "3"]
        else:
            own = [bins / "uv", "pip", "install", "--no-config", "--no-cache"]
            own += ["--python", bins / "python"]
        told = {"PATH": f"{bins}:{os.defpath}"}
        if place.authority:
            told["SSL_CERT_FILE"] = str(place.authority)
        run([*own, *options, "app"], told, home=home)
        return {path: (target / path).read_bytes() for path in _HOLDS}


CLIENTS = (
    Installer(tool="pip", version="26.3", resumes=True),
    Installer(tool="uv", version="0.13.9", resumes=False),
)
