"""Fixtures of the tests of the page."""

from pathlib import Path

import pytest

from page_world import World, small_site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A site that no test changes."""
    return small_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A site that a test may change."""
    return small_site(tmp_path)
