"""A signing side for each test, copied from one that is set up once."""

from pathlib import Path

import pytest

from authority import Authority


@pytest.fixture(name="_template", scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("template") / "side")


@pytest.fixture(name="side")
def _side(_template: Authority, tmp_path: Path) -> Authority:
    return _template.copied(tmp_path / "side")
