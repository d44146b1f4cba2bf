"""Fixtures of the server's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from airlift.serve.http.settings import ServeSettings
from served import World, serving, small_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server of a small model with default settings."""
    with serving(small_world(tmp_path), ServeSettings(port=0)) as running:
        yield running
