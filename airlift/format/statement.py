"""In-toto statements: of what something is said, and what.

Read leniently in spelling and unknown keys, as in-toto asks for, since others write
them too; what is written here is canonical.

Source: in-toto Attestation Framework 1.0, "Statement" and "Parsing rules".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from airlift.artifact import Json
from airlift.format import canonical, dsse
from airlift.format.fields import Fields

TYPE = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is spoken of: its digests in hexadecimal, by algorithm."""

    name: str
    digest: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said of subjects.

    Attributes:
        subjects: At least one.
        predicate_type: A URI that says what *predicate* means.
        predicate: What is said.
    """

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Json]


def encode(statement: Statement) -> bytes:
    """Return the canonical bytes of *statement*."""
    return canonical.encode(
        {
            "_type": TYPE,
            "subject": tuple(
                {"name": one.name, "digest": one.digest} for one in statement.subjects
            ),
            "predicateType": statement.predicate_type,
            "predicate": statement.predicate,
        }
    )


def decode(payload: bytes, *, name: str) -> Statement:
    """Return the statement in *payload*, whose signature was verified.

    Raises:
        FormatError: It is not one.
    """
    value = canonical.decode_foreign(payload, name=name, limit=dsse.LIMIT)
    top = Fields(value, record=name)
    top.expect("_type", TYPE)
    subjects = tuple(_subject(one) for one in top.tables("subject"))
    if not subjects:
        top.refuse("subject", "is missing or empty")
    return Statement(
        subjects=subjects,
        predicate_type=top.text("predicateType"),
        predicate=top.mapping("predicate") if top.has("predicate") else {},
    )


def _subject(entry: Fields) -> Subject:
    digest = entry.table("digest")
    return Subject(
        name=entry.text("name", ""),
        digest={key: digest.text(key) for key in digest.names()},
    )
