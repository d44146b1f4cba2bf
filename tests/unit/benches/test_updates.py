"""The updates that benches measure are what their names say."""

from pathlib import Path

import numpy as np
import pytest

from updates import NEW_ROWS, UPDATES, Update, write_new, write_old
from weights import Tensors, read_safetensors

BY_NAME = {update.name: update for update in UPDATES}


@pytest.fixture(name="tensors")
def _tensors() -> Tensors:
    """Give a model of six small tensors whose names the updates know."""
    random = np.random.default_rng(7)
    shapes = {
        "m.embeddings.word_embeddings.weight": (100, 32),
        "m.layer.0.attention.self.query.weight": (32, 32),
        "m.layer.0.attention.self.key.weight": (32, 32),
        "m.layer.0.self_attention/linear_0/weight": (96, 32),
        "m.layer.1.dense.weight": (64, 32),
        "m.layer.1.dense.bias": (64,),
    }
    return {
        name: random.standard_normal(shape, np.float32) * np.float32(0.02)
        for name, shape in shapes.items()
    }


def after(name: str, tensors: Tensors, folder: Path) -> Tensors:
    """Return the tensors of the update *name*, as its files hold them."""
    found: Tensors = {}
    for path in write_new(BY_NAME[name], tensors, folder):
        found |= read_safetensors(path.read_bytes())
    return found


def before(name: str, tensors: Tensors, folder: Path) -> Tensors:
    """Return the tensors of the version that *name* begins from."""
    (path,) = write_old(BY_NAME[name].dtype, tensors, folder)
    return read_safetensors(path.read_bytes())


def changed(name: str, tensors: Tensors, folder: Path) -> set[str]:
    """Return the names of the tensors whose bytes the update *name* changes."""
    old = before(name, tensors, folder / "old")
    new = after(name, tensors, folder / "new")
    assert old.keys() == new.keys()
    return {key for key in old if old[key].tobytes() != new[key].tobytes()}


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: update.name)
def test_an_update_is_the_same_bytes_every_time(
    update: Update, tensors: Tensors, tmp_path: Path
) -> None:
    """Figures of two days or two machines are of the same files."""
    first = write_new(update, tensors, tmp_path / "a")
    again = write_new(update, dict(tensors), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [
        path.read_bytes() for path in again
    ]


@pytest.mark.parametrize("name", ["metadata", "reshard"])
def test_moving_tensors_leaves_their_bytes(
    name: str, tensors: Tensors, tmp_path: Path
) -> None:
    """What is measured is moving, not changing."""
    assert changed(name, tensors, tmp_path) == set()


def test_a_metadata_edit_moves_every_byte(tensors: Tensors, tmp_path: Path) -> None:
    """A header of the same length would let blocks of fixed size match."""
    (old,) = write_old("bf16", tensors, tmp_path / "old")
    (new,) = write_new(BY_NAME["metadata"], tensors, tmp_path / "new")
    assert old.stat().st_size < new.stat().st_size


def test_shards_hold_tensors_from_last_to_first(
    tensors: Tensors, tmp_path: Path
) -> None:
    """The order of a file is nothing a matcher may rely on."""
    paths = write_new(BY_NAME["reshard"], tensors, tmp_path)
    assert [path.name for path in paths] == [
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    ]
    names = [name for path in paths for name in read_safetensors(path.read_bytes())]
    assert names == list(reversed(tensors))


def test_a_vocabulary_grows_at_its_end(tensors: Tensors, tmp_path: Path) -> None:
    """The old rows stay what they were; nothing else changes."""
    name = "m.embeddings.word_embeddings.weight"
    old = before("vocabulary", tensors, tmp_path / "old")
    new = after("vocabulary", tensors, tmp_path / "new")
    assert new[name].shape == (100 + NEW_ROWS, 32)
    new[name] = new[name][:100]
    assert {key: value.tobytes() for key, value in new.items()} == {
        key: value.tobytes() for key, value in old.items()
    }


def test_a_merge_changes_queries_and_values_by_rank_eight(
    tensors: Tensors, tmp_path: Path
) -> None:
    """Keys stay, also where one matrix holds queries, keys and values."""
    fused = "m.layer.0.self_attention/linear_0/weight"
    assert changed("lora", tensors, tmp_path) == {
        "m.layer.0.attention.self.query.weight",
        fused,
    }
    files = BY_NAME["lora"].files(tensors)["model.safetensors"]
    step = files[fused] - tensors[fused]
    assert not step[32:64].any()
    ranks = [np.linalg.matrix_rank(part, tol=1e-6) for part in (step[:32], step[64:])]
    assert ranks == [8, 8]


def test_the_tail_changes_the_last_layers_only(
    tensors: Tensors, tmp_path: Path
) -> None:
    """A fifth of six tensors, rounded up, is two."""
    assert changed("tail", tensors, tmp_path) == {
        "m.layer.1.dense.weight",
        "m.layer.1.dense.bias",
    }


@pytest.mark.parametrize(
    ("name", "sigma"), [("sigma-1e-1", 1e-1), ("fp32-sigma-1e-3", 1e-3)]
)
def test_weights_move_by_sigma(
    name: str, sigma: float, tensors: Tensors, tmp_path: Path
) -> None:
    """The scale of the noise is what the table's row says, in each tensor."""
    old = before(name, tensors, tmp_path / "old")
    new = after(name, tensors, tmp_path / "new")
    for key, value in old.items():
        step = new[key].astype(np.float32) - value.astype(np.float32)
        found = step.std() / value.astype(np.float32).std()
        assert found == pytest.approx(sigma, rel=0.2)
