"""What licences are called, and how much they ask for."""

import pytest

from airlift.payload import licence_facts
from airlift.payload.licence_facts import Rank


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("MIT or apache-2.0", "MIT OR Apache-2.0"),
        ("llama3.1", "LicenseRef-hf-llama3.1"),
        ("mit, other", "MIT AND LicenseRef-hf-other"),
        ("my (own) licence", "LicenseRef-hf-my-own-licence"),
        ("???", "LicenseRef-hf-other"),
        ("", ""),
    ],
)
def test_what_upstream_states_has_an_spdx_expression(
    stated: str, expected: str
) -> None:
    """A bill of materials may hold nothing else."""
    assert licence_facts.spdx(stated) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("mit", Rank.FREE),
        ("Apache-2.0 WITH LLVM-exception", Rank.FREE),
        ("cc-by-4.0", Rank.FREE),
        ("lgpl-3.0", Rank.SHARE_FILES),
        ("gpl-3.0", Rank.SHARE_ALL),
        ("cc-by-sa-4.0", Rank.SHARE_ALL),
        ("llama3.1", Rank.RESTRICTED),
        ("LicenseRef-hf-gemma", Rank.RESTRICTED),
        ("bigscience-openrail-m", Rank.RESTRICTED),
        ("cc-by-nc-4.0", Rank.NOT_COMMERCIAL),
        ("cc-by-nc-sa-4.0", Rank.NOT_COMMERCIAL),
        ("mit, cc-by-nc-4.0", Rank.NOT_COMMERCIAL),
        ("MIT AND (GPL-3.0-only OR Apache-2.0)", Rank.SHARE_ALL),
        ("other", Rank.UNKNOWN),
        ("", Rank.UNKNOWN),
    ],
)
def test_licences_have_an_order(stated: str, expected: Rank) -> None:
    """What is not known ranks last: it may forbid everything."""
    assert licence_facts.rank(stated) is expected


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"# no front\nlicense_name: x\n",
        b"---\nlicense_name: x\n",  # never ends
        b"---\nlicense_name: >\n  folded\n---\n",
        b"---\n  license_name: nested\n---\n",
        b"\xff\xfe---\n",
    ],
)
def test_a_card_that_is_written_otherwise_states_nothing_or_what_stands_there(
    card: bytes,
) -> None:
    """Nothing is interpreted, so nothing can be made to mean something else."""
    assert set(licence_facts.card(card).values()) <= {">"}


def test_a_card_states_two_things() -> None:
    """In its front matter, however quoted, and nowhere else."""
    card = (
        b'---\r\nlicense: other\r\nlicense_name: "my licence"\r\n'
        b"license_link: LICENSE\r\n---\r\nlicense_name: not this\r\n"
    )
    assert licence_facts.card(card) == {
        "license_name": "my licence",
        "license_link": "LICENSE",
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("License-Expression: MIT\nLicense: old", "MIT"),
        (
            """Classifier: License :: OSI Approved :: BSD License
Classifier: License :: OSI Approved :: MIT License
Classifier: Programming Language :: Python""",
            "MIT, bsd",
        ),
        ("Classifier: License :: OSI Approved\nLicense: Apache 2.0", "Apache 2.0"),
        ("License: " + "x" * 200, ""),
        ("Name: demo", ""),
    ],
)
def test_a_wheel_states_its_licence(lines: str, expected: str) -> None:
    """By PEP 639; else by its classifiers; else in the old free field."""
    metadata = f"Metadata-Version: 2.4\n{lines}\n\nLicense-Expression: body\n"
    assert licence_facts.of_wheel(metadata.encode()) == expected
