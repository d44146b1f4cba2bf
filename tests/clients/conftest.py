"""Environments with real clients, shared by the whole session."""

from pathlib import Path

import pytest

import venvs


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder environments are made in."""
    return venvs.kept() or tmp_path_factory.mktemp("clients")
