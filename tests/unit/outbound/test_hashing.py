"""The digest of a file, read ahead of it."""

import random
from pathlib import Path

import pytest

from airlift.digest import sha256
from airlift.outbound import hashing

BODY = random.Random(1).randbytes((9 << 20) + 5)


@pytest.mark.parametrize("size", [0, 1, 4096, 4 << 20, len(BODY)])
def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path, size: int) -> None:
    """A wrong digest would send an operator to write a sound medium again."""
    (tmp_path / "file").write_bytes(BODY[:size])
    told: list[int] = []
    found = hashing.sha256_of(tmp_path / "file", told.append)
    assert found == (sha256(BODY[:size]), size)
    assert sum(told) == size
