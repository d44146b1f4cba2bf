"""The table of docs/log.md names every action that the log can have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import airlift

PACKAGE = Path(airlift.__file__).parent
LOG = Path(__file__).parents[2] / "docs" / "log.md"


def actions() -> Iterator[str]:
    """Yield every text that the program gives an event as its action."""
    for path in (*PACKAGE.rglob("registry/*.py"), *PACKAGE.rglob("inbound/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg in ("action", "reason"):
                value: ast.expr | None = node.value
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = (
                    node.targets if isinstance(node, ast.Assign) else [node.target]
                )
                named = {one.id for one in targets if isinstance(one, ast.Name)}
                value = node.value if named & {"ACTION", "APPROVE", "KEYS"} else None
            else:
                continue
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def test_every_action_of_the_log_is_documented() -> None:
    """An auditor reads the table first; what it leaves out looks like a secret."""
    (table,) = re.findall(r"\| `action` \|.*?\n\n", LOG.read_text(), re.DOTALL)
    told = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-z][a-z -]*)`", row.split(" | ")[0])
    }
    found = set(actions())
    assert len(found) > 15
    assert found - told == set()
