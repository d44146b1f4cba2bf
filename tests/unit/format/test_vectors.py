"""The test vectors: what airlift says of them, and a reader that shares no line."""

import subprocess
import sys
from pathlib import Path

import pytest

from vectors.running import (
    FOLDER,
    Outcome,
    Vector,
    airlift_reads,
    airlift_takes,
    second_reads,
    second_takes,
    vectors,
)

DELIVERIES, RECORDS = vectors("deliveries"), vectors("records")


def said(outcome: Outcome) -> tuple[object, ...]:
    """Return what counts of an outcome: reasons are worded freely."""
    return outcome.word, outcome.files, outcome.invalid


@pytest.mark.parametrize("vector", DELIVERIES, ids=lambda one: one.name)
def test_airlift_takes_a_delivery_as_its_vector_says(
    vector: Vector, tmp_path: Path
) -> None:
    """What was refused once is refused for ever, what was taken is taken for ever."""
    outcome = airlift_takes(vector, tmp_path)
    assert said(outcome) == said(vector.expected), outcome.reason


@pytest.mark.parametrize("vector", DELIVERIES, ids=lambda one: one.name)
def test_a_second_reader_takes_a_delivery_as_its_vector_says(vector: Vector) -> None:
    """The document alone says enough to come to the same verdict."""
    outcome = second_takes(vector)
    assert said(outcome) == said(vector.expected), outcome.reason


@pytest.mark.parametrize("vector", RECORDS, ids=lambda one: one.name)
def test_both_readers_read_a_record_as_its_vector_says(vector: Vector) -> None:
    """A record has one form, and both know it."""
    assert airlift_reads(vector).word == vector.expected.word
    assert second_reads(vector).word == vector.expected.word


def test_vectors_are_made_again_byte_for_byte() -> None:
    """A change of what airlift writes shows here before it is released."""
    script = FOLDER.parent.parent / "scripts" / "make_vectors.py"
    command = [sys.executable, str(script), "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


def test_the_vectors_stay_small() -> None:
    """They lie in the repository for ever, and another team copies them."""
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]
    assert len(DELIVERIES) > 30
    assert len(RECORDS) > 15
    assert sum(sizes) < 2_500_000
