"""Licences against a list, by SPDX's operators and by upstream's own tags."""

import pytest

from airlift.payload.licence import is_allowed

ALLOWED = ("MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "llama3")


@pytest.mark.parametrize(
    ("stated", "allowed"),
    [
        ("mit", True),
        ("MIT", True),
        ("apache-2.0", True),
        ("llama3", True),
        ("LLAMA3", True),
        ("MIT OR AGPL-3.0-only", True),
        ("AGPL-3.0-only OR MIT", True),
        ("MIT AND Apache-2.0", True),
        ("MIT AND (AGPL-3.0-only OR Apache-2.0)", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("", False),
        ("   ", False),
        ("other", False),
        ("AGPL-3.0-only", False),
        ("MIT AND AGPL-3.0-only", False),
        ("AGPL-3.0-only AND MIT", False),
        ("AGPL-3.0-only AND AGPL-3.0-only OR AGPL-3.0-only", False),
        ("MIT AND (AGPL-3.0-only OR GPL-2.0-only)", False),
        ("(MIT OR AGPL-3.0-only) AND AGPL-3.0-only", False),
        ("GPL-2.0-only", False),
        ("MIT WITH Classpath-exception-2.0", False),
        ("llama3 OR MIT", False),
        ("MIT, or so", False),
        ("(MIT", False),
    ],
)
def test_a_licence_is_allowed_by_its_operators(stated: str, *, allowed: bool) -> None:
    """One of alternatives is enough, of what applies together all is needed."""
    assert is_allowed(stated, ALLOWED) is allowed


def test_an_empty_list_allows_nothing() -> None:
    """A list of nothing is a rule, not the lack of one."""
    assert not is_allowed("MIT", ())
