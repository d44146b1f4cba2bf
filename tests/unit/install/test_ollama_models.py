"""Ollama's folder of models, laid out as `ollama pull` does it."""

import io
import json
from pathlib import Path

import pytest

from airlift.artifact import Kind
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.serve.distribution.dialect import Distribution
from airlift.serve.distribution.ollama import OllamaLibrary
from airlift.serve.http.server import running
from airlift.serve.http.settings import ServeSettings
from clients.ollama_client import Ollama
from depots import Depot, tree
from hubs.gguf_file import Gguf, number, string, tensor
from wire import clock

CONFIG, WEIGHTS = b'{"model_format":"gguf"}', b"weights" * 2000
GGUF = Gguf(
    keys=[string("general.architecture", "llama"), number("general.file_type", 7)],
    tensors=[tensor("a", [1024, 8], kind=24)],
).whole(bytes(8192))
LAYER = "application/vnd.ollama.image.model"


def upstream(*contents: bytes) -> dict[str, bytes]:
    """Return the files of an upstream model of these blobs, the first its config."""
    config, *layers = (
        {"digest": f"sha256:{sha256(one)}", "size": len(one), "mediaType": LAYER}
        for one in contents
    )
    manifest = json.dumps(
        {"schemaVersion": 2, "config": config, "layers": layers}, indent=3
    )
    blobs = {f"blobs/sha256-{sha256(one)}": one for one in contents}
    return {"manifest.json": manifest.encode(), **blobs}


def bring(
    depot: Depot, name: str, *contents: bytes, counter: int = 1, endpoint: str = ""
) -> Sha256:
    """Deliver an upstream model with the tag ``1b``."""
    files = upstream(*contents)
    return depot.bring(
        *(Kind.OLLAMA, name, files),
        revision=sha256(files["manifest.json"]),
        counter=counter,
        refs=("1b",),
        upstream={"endpoint": endpoint or "https://registry.ollama.ai"},
    )


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A site with nothing."""
    return Depot(tmp_path / "site")


def test_an_upstream_model_is_installed_byte_for_byte(
    depot: Depot, tmp_path: Path
) -> None:
    """The digest of the manifest's bytes is the id that `ollama list` shows."""
    bring(depot, "library/tiny", CONFIG, WEIGHTS)
    done = depot.install("library/tiny", "ollama", tmp_path / "models")
    files = upstream(CONFIG, WEIGHTS)
    manifest = files.pop("manifest.json")
    place = "manifests/registry.ollama.ai/library/tiny/1b"
    assert tree(tmp_path / "models") == {**files, place: manifest}
    assert done.names == (place,)
    assert done.notes == ("ollama run tiny:1b",)


def test_a_model_of_another_registry_keeps_its_registry(
    depot: Depot, tmp_path: Path
) -> None:
    """Two registries may call different models the same."""
    bring(
        *(depot, "models.example_5000/acme/tiny", CONFIG, WEIGHTS),
        endpoint="https://models.example:5000",
    )
    done = depot.install("models.example_5000/acme/tiny", "ollama", tmp_path / "models")
    assert done.names == ("manifests/models.example:5000/acme/tiny/1b",)
    assert done.notes == ("ollama run models.example:5000/acme/tiny:1b",)


def test_nothing_but_manifests_lies_among_manifests(
    depot: Depot, tmp_path: Path
) -> None:
    """Ollama reads every file at that depth as a manifest, and fails on others."""
    bring(depot, "library/tiny", CONFIG, WEIGHTS)
    depot.install("library/tiny", "ollama", tmp_path / "models")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        *("blobs", "manifests")
    ]
    found = [path.name for path in (tmp_path / "models/manifests").glob("*/*/*/*")]
    assert found == ["1b"]


def test_an_update_moves_the_tag_and_keeps_shared_blobs(
    depot: Depot, tmp_path: Path
) -> None:
    """A new configuration of the same weights moves no gigabytes."""
    bring(depot, "library/tiny", CONFIG, WEIGHTS)
    depot.install("library/tiny", "ollama", tmp_path / "models")
    newer = bring(depot, "library/tiny", CONFIG + b" ", WEIGHTS, counter=2)
    done = depot.install(newer, "ollama", tmp_path / "models")
    assert (done.written, done.present) == (len(CONFIG) + 1, 1)
    place = tmp_path / "models/manifests/registry.ollama.ai/library/tiny/1b"
    assert place.read_bytes() == upstream(CONFIG + b" ", WEIGHTS)["manifest.json"]


def test_a_superseded_release_is_refused(depot: Depot, tmp_path: Path) -> None:
    """Without a tag there is no way to run it, so it would only look installed."""
    older = bring(depot, "library/tiny", CONFIG, WEIGHTS)
    bring(depot, "library/tiny", CONFIG + b" ", WEIGHTS, counter=2)
    with pytest.raises(RequestError) as caught:
        depot.install(older, "ollama", tmp_path / "models")
    assert str(caught.value) == "library/tiny has newer releases under all its tags"


def test_a_model_the_user_made_under_that_tag_stays(
    depot: Depot, tmp_path: Path
) -> None:
    """`ollama create` may have used the name; its manifest may be the only one."""
    bring(depot, "library/tiny", CONFIG, WEIGHTS)
    place = tmp_path / "models/manifests/registry.ollama.ai/library/tiny/1b"
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    with pytest.raises(
        RequestError, match=r"manifests/registry\.ollama\.ai/library/tiny/1b"
    ):
        depot.install("library/tiny", "ollama", tmp_path / "models")
    assert tree(tmp_path / "models") == {
        "manifests/registry.ollama.ai/library/tiny/1b": b"{}"
    }


FILES = {
    "tiny-Q8_0.gguf": GGUF,
    "tiny-Q4_K_M.gguf": GGUF + bytes(32),
    "LICENSE": b"Do what you like.\n",
    "README.md": b"# Tiny\n",
}


def test_a_plain_gguf_is_installed_as_it_would_be_pulled(
    depot: Depot, tmp_path: Path
) -> None:
    """The same model must not have two ids, by the way it came to the host."""
    depot.bring(Kind.GGUF, "Acme/Tiny-GGUF", FILES)
    done = depot.install("Acme/Tiny-GGUF", "ollama", tmp_path / "models")
    assert done.notes == (
        "ollama run hf.co/Acme/Tiny-GGUF:Q4_K_M",
        "ollama run hf.co/Acme/Tiny-GGUF",
        "ollama run hf.co/Acme/Tiny-GGUF:Q8_0",
    )
    shelf = depot.site.registry.shelf(depot.site.store)
    pulled = Ollama(models=tmp_path / "pulled")
    table = (Distribution((OllamaLibrary(),)),)
    settings = ServeSettings(port=0)
    with running(shelf, settings, log=io.StringIO(), clock=clock, table=table) as url:
        host = url.removeprefix("http://")
        for tag in ("Q4_K_M", "latest", "Q8_0"):
            pulled.pull(f"{host}/Acme/Tiny-GGUF:{tag}")
    theirs = {
        path.replace(f"manifests/{host}/", "manifests/hf.co/"): content
        for path, content in tree(tmp_path / "pulled").items()
    }
    assert tree(tmp_path / "models") == theirs


def test_a_site_s_own_folder_needs_no_registry_in_its_name(
    depot: Depot, tmp_path: Path
) -> None:
    """It never was on a hub, so nobody would write one."""
    depot.bring(Kind.FOLDER, "house-model", {"model.gguf": GGUF})
    done = depot.install("house-model", "ollama", tmp_path / "models")
    assert done.notes == ("ollama run house-model", "ollama run house-model:model")


def test_installing_a_plain_gguf_again_changes_nothing(
    depot: Depot, tmp_path: Path
) -> None:
    """What is made anew each time must come out the same each time."""
    depot.bring(Kind.GGUF, "Acme/Tiny-GGUF", FILES)
    depot.install("Acme/Tiny-GGUF", "ollama", tmp_path / "models")
    done = depot.install("Acme/Tiny-GGUF", "ollama", tmp_path / "models")
    assert (done.names, done.written) == ((), 0)


def test_shards_are_left_out_and_said_to_be(depot: Depot, tmp_path: Path) -> None:
    """Ollama loads one file; half a model must not appear in its list."""
    shard = {f"big-Q8_0-0000{n}-of-00002.gguf": GGUF for n in (1, 2)}
    depot.bring(Kind.GGUF, "Acme/Big", shard)
    with pytest.raises(RequestError) as caught:
        depot.install("Acme/Big", "ollama", tmp_path / "models")
    assert str(caught.value) == "Acme/Big has no GGUF file that Ollama can run alone"
    assert caught.value.hint == (
        "not installed: `big-Q8_0-00001-of-00002.gguf` is one of 2 shards, "
        "Ollama takes one file"
    )
