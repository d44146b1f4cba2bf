"""Bases: which deliveries are counted on, and what they brought."""

from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.format.head import Op, Piece
from airlift.outbound import bases, recipe
from airlift.outbound.forecast import Forecast, forecast
from airlift.outbound.ledger import Ledger
from airlift.outbound.loading import load
from airlift.progress import Silent
from crossing import Connected, noise
from lineage import release


@pytest.mark.parametrize("text", ["none", "last", "all", "1", "12,7"])
def test_what_can_be_asked_for(text: str) -> None:
    """Words, or numbers of deliveries."""
    assert bases.is_choice(text)


@pytest.mark.parametrize("text", ["", "0", "01", "1,", "1, 2", "-1", "newest", "1;2"])
def test_what_cannot_be_asked_for(text: str) -> None:
    """A typing error must not make a delivery that nobody can take."""
    assert not bases.is_choice(text)


def test_an_unfinished_delivery_is_not_the_last_one(tmp_path: Path) -> None:
    """Its volumes were never written whole, so no site has it."""
    connected = Connected(tmp_path)
    for name in ("a", "b"):
        pinned = connected.folder(f"acme/{name}", {"f": name.encode()})
        connected.export(tmp_path / name, pinned)
    ledger = connected.dock.ledger
    assert bases.choose("all", ledger, "plant7") == (2, 1)
    entry = ledger.read("plant7", 2)
    assert entry
    ledger.write(type(entry)(record=entry.record))
    assert bases.choose("last", ledger, "plant7") == (1,)
    assert bases.choose("1", ledger, "plant7") == (1,)
    assert bases.choose("none", ledger, "plant7") == ()


def test_a_blob_is_of_the_newest_delivery_that_carried_it(tmp_path: Path) -> None:
    """What is missing is best asked of the stick that was made last."""
    connected = Connected(tmp_path)
    shared, own = b"shared", b"own"
    connected.export(tmp_path / "1", connected.folder("a/a", {"s": shared, "o": own}))
    connected.export(tmp_path / "2", connected.folder("a/b", {"s": shared}))
    connected.export(
        tmp_path / "3", connected.folder("a/c", {"o": own}), build_on="all"
    )
    held = bases.held(connected.publisher, "plant7", (3, 2, 1))
    assert held.brought == {sha256(shared): 2, sha256(own): 1}
    assert [(file.path, owner.name) for file, owner in held.files] == [
        ("o", "a/c"),
        ("s", "a/b"),
    ]


def test_a_record_names_the_largest_blobs_when_they_are_too_many(
    tmp_path: Path,
) -> None:
    """It has a limit; a hundred thousand small files travel again as well."""
    connected = Connected(tmp_path)
    files = {f"{number}": noise(100 + number, number) for number in range(7)}
    owner = release("acme/m", files)
    sizes = {file.sha256: file.size for file in owner.files}
    holdings = bases.Holdings(
        brought=dict.fromkeys(sizes, 4),
        files=tuple((file, owner) for file in owner.files),
    )
    found = load(
        [owner], holdings, connected.dock.store, tmp_path / "p", Silent(), needs=3
    )
    assert sorted(sizes[one.sha256] for one in found.needs) == [104, 105, 106]
    assert {one.sequence for one in found.needs} == {4}
    assert sorted(one.size for one in found.carried) == [100, 101, 102, 103]


def test_recipes_are_kept_with_their_delivery(tmp_path: Path) -> None:
    """To make it again byte for byte, years later; gone with what was not signed."""
    ledger, base, blob = Ledger(tmp_path), sha256(b"base"), sha256(b"blob")
    made = recipe.of([base], [(Piece(Op.REFERENCE, 0, 0, 9, 4), base)])
    ledger.keep_recipes("plant7", 3, {blob: made})
    assert ledger.recipes("plant7", 3) == {blob: made}
    assert ledger.recipes("plant7", 4) == {}
    assert ledger.newest("plant7") is None
    (tmp_path / "plant7/000003.recipes").write_bytes(b'{"format":"x","recipes":[]}')
    with pytest.raises(FormatError, match="expected `airlift/recipes/1`"):
        ledger.recipes("plant7", 3)
    ledger.keep_recipes("plant7", 3, {})
    assert ledger.recipes("plant7", 3) == {}


def test_a_forecast_tells_what_is_certain_from_what_is_not(tmp_path: Path) -> None:
    """Held, changed, whole for want of a base, and not fetched yet: nothing is guessed."""
    connected = Connected(tmp_path)
    old = {"a.bin": noise(1_000_000), "kept.json": noise(5000)}
    connected.export(tmp_path / "1", connected.folder("acme/m", old))
    grown = {**old, "a.bin": noise(1_000_000) + b"more"}
    sent = connected.folder("acme/m", {**grown, "own.bin": noise(300_000, 9)})
    connected.export(tmp_path / "2", sent)
    new = connected.folder("acme/m", {"new.json": b"{}"})
    held = bases.held(connected.publisher, "plant7", (1,))
    found = forecast([sent, new], held, connected.dock.store, tmp_path / "p", Silent())
    (one, two) = found
    size = len(grown["a.bin"])
    assert (one.stays, one.changed, one.whole) == (5000, size, 300_000)
    assert 0 < one.change < size // 2
    assert (one.unknown, one.carried) == (0, one.change + 300_000)
    assert two == Forecast(unknown=2)
    assert two.carried == 2
