"""A log that was put back or rewritten is found by what was carried out before."""

import shutil
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.errors import TrustError
from airlift.format.dispatch import LogSeen
from airlift.inbound import log_check
from airlift.inbound.arrival import Gate
from airlift.registry.logbook import Logbook
from airlift.registry.registry import Registry
from airlift.store.blobs import BlobStore
from answering import SITE, Answering
from crossing import NOW


@pytest.fixture(name="gap")
def _gap(tmp_path: Path) -> Answering:
    return Answering(tmp_path)


def week(gap: Answering) -> None:
    """Let one delivery cross and its receipt come back."""
    gap.change("a")
    gap.take(gap.send())
    gap.read(gap.answer().path.read_bytes())


def put_back(gap: Answering, copy: Path) -> None:
    """Put the whole isolated host back to what it was, its key and all."""
    home = gap.isolated.home
    gap.isolated.registry.close()
    shutil.rmtree(home)
    shutil.copytree(copy, home)
    gap.isolated.store = BlobStore(home / "store")
    gap.isolated.registry = Registry.open(home)
    gap.isolated.gate = Gate(
        store=gap.isolated.store,
        registry=gap.isolated.registry,
        incoming=home / "incoming",
    )


def test_each_delivery_quotes_the_log_that_the_last_receipt_proved(
    gap: Answering,
) -> None:
    """It is how a site hears what is known of it elsewhere."""
    assert gap.send().record.log is None
    sizes = []
    for _ in range(3):
        week(gap)
        seen = gap.standing.log
        assert seen is not None
        head = Logbook(gap.isolated.home)
        known = [one.size for one in head.checkpoints()]
        assert seen.size in known
        assert gap.send().record.log == seen
        sizes.append(seen.size)
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("age", [1, 2, 3])
def test_a_host_put_back_is_found_at_the_next_delivery(
    gap: Answering, tmp_path: Path, age: int
) -> None:
    """All its own files agree; only what was carried out before says otherwise."""
    week(gap)
    copy = tmp_path / "copy"
    shutil.copytree(gap.isolated.home, copy)
    for _ in range(age):
        week(gap)
    put_back(gap, copy)
    found = log_check.check(gap.isolated.home, deep=True)
    assert (found.elsewhere, found.faults) == (1, ())
    gap.change("a")
    sent = gap.send()
    assert sent.record.log is not None
    with pytest.raises(TrustError) as caught:
        gap.take(sent)
    size = Logbook(gap.isolated.home).head().size
    assert caught.value.problem == (
        f"the log has {size - 1} events, delivery {sent.record.sequence} says "
        f"{sent.record.log.size}"
    )
    last = gap.isolated.registry.events(newest=1)[0]
    assert (last.action, last.outcome) == ("import", "refused")


def test_a_log_that_went_another_way_is_refused_by_the_sender(
    gap: Answering, tmp_path: Path
) -> None:
    """Put back and grown again, it is longer, and not the same."""
    week(gap)
    copy = tmp_path / "copy"
    shutil.copytree(gap.isolated.home, copy)
    week(gap)
    before = gap.standing.log
    put_back(gap, copy)
    gap.isolated.registry.deny([sha256(b"x")], why="", now=NOW, actor="me")
    forged = gap.answer().path.read_bytes()
    with pytest.raises(TrustError, match="there are two receipts 2 of plant7"):
        gap.read(forged)
    assert gap.standing.log == before


def test_lost_receipts_do_not_make_a_sound_log_look_forged(gap: Answering) -> None:
    """Couriers lose paper; a false alarm teaches people to wave alarms through."""
    week(gap)
    first = gap.standing.log
    for _ in range(5):
        gap.change("a")
        gap.take(gap.send())
        gap.answer()
    gap.read(gap.answer().path.read_bytes())
    last = gap.standing.log
    assert isinstance(first, LogSeen)
    assert isinstance(last, LogSeen)
    assert last.size > first.size
    assert gap.reader().ledger.standing(SITE).log == last
