"""JavaScript's client of the hub."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import venvs
from clients.matrix import MODEL, Operation, Place, files_below, run

VERSION = "2.17.5"
_CODE = """
import {snapshotDownload} from "@huggingface/hub";
const {HUB: hubUrl, CACHE: cacheDir, TOKEN: accessToken} = process.env;
const log = console.log;
console.log = console.error;
const repo = "Acme/Tiny";
log(await snapshotDownload({repo, hubUrl, cacheDir, accessToken}));
"""


@dataclass(frozen=True, kw_only=True)
class HubInJavaScript:
    """``snapshotDownload`` of @huggingface/hub."""

    name: str = f"@huggingface/hub {VERSION}"
    resumes: bool = False
    holds: Mapping[str, bytes] = field(default_factory=lambda: MODEL)
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Download a snapshot into a cache below *home*."""
        node = shutil.which("node")
        assert node, "the client tests need Node.js on the path"
        modules = venvs.node(environments, f"@huggingface/hub@{VERSION}")
        script = home / "pull.mjs"
        script.write_text(_CODE)
        (home / "node_modules").unlink(missing_ok=True)
        # Modules are looked for beside the script.
        (home / "node_modules").symlink_to(modules / "node_modules")
        told = {"HUB": place.url, "CACHE": str(home / "cache")}
        if place.token:
            told["TOKEN"] = place.token
        if place.authority:
            told["NODE_EXTRA_CA_CERTS"] = str(place.authority)
        printed = run([node, script], told, home=home)
        return files_below(Path(printed.splitlines()[-1]))


CLIENTS = (HubInJavaScript(),)
