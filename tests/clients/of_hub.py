"""huggingface_hub, four generations, and its command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import venvs
from clients.matrix import MODEL, Operation, Place, files_below, run

_CODE = """
import sys, huggingface_hub
print(huggingface_hub.snapshot_download("Acme/Tiny"))
"""


@dataclass(frozen=True, kw_only=True)
class HubLibrary:
    """``snapshot_download`` of one version of the library."""

    version: str
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: MODEL)
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The package and its version."""
        return f"huggingface_hub {self.version}"

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Download a snapshot into a fresh cache."""
        bins = venvs.make(environments, f"huggingface_hub=={self.version}")
        printed = run(
            [bins / "python", "-W", "ignore", "-c", _CODE],
            _environment(place, home),
            home=home,
        )
        return files_below(Path(printed.splitlines()[-1]))


@dataclass(frozen=True, kw_only=True)
class HubCommand:
    """``hf download``."""

    name: str = "hf 2.4.0"
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: MODEL)
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Download into a folder, then have the client check its own cache."""
        bins = venvs.make(environments, "huggingface_hub==2.4.0")
        target = home / "out"
        own: list[str | Path] = [
            bins / "hf",
            "download",
            "Acme/Tiny",
            "--local-dir",
            target,
        ]
        run(own, _environment(place, home), home=home)
        return files_below(target)


def _environment(place: Place, home: Path) -> dict[str, str]:
    told = {
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": place.url,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    if place.token:
        told["HF_TOKEN"] = place.token
    if place.authority:
        told["SSL_CERT_FILE"] = told["REQUESTS_CA_BUNDLE"] = str(place.authority)
    return told


CLIENTS = (
    HubLibrary(version="2.4.0"),
    HubLibrary(version="1.33.0"),
    HubLibrary(version="0.36.2"),
    HubLibrary(version="0.23.5"),
    HubCommand(),
)
