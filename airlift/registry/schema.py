"""The tables. Private to the registry: nobody else sees a row.

Digests are 32 bytes, times are ``YYYY-MM-DDThh:mm:ssZ``, structured values are
canonical JSON. A change here needs a migration beside it; a test compares the two.
"""

import json
from collections.abc import Mapping

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    types,
)
from sqlalchemy.engine import Dialect

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.format import canonical


class Digest(types.TypeDecorator[Sha256]):
    """A SHA-256, 32 bytes in a row."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(
        self, value: Sha256 | None, dialect: Dialect
    ) -> bytes | None:
        """Return the bytes to store."""
        return None if value is None else bytes.fromhex(value)

    def process_result_value(
        self, value: bytes | None, dialect: Dialect
    ) -> Sha256 | None:
        """Return the digest as airlift writes it."""
        return None if value is None else Sha256(value.hex())


class Record(types.TypeDecorator[Mapping[str, Json]]):
    """An object of canonical JSON; an empty one is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self, value: Mapping[str, Json] | None, dialect: Dialect
    ) -> str | None:
        """Return the text to store."""
        return canonical.encode(value).decode() if value else None

    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> Mapping[str, Json]:
        """Return the object."""
        return json.loads(value) if value else {}


METADATA = MetaData()

setting = Table(
    "setting",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

trusted = Table(
    "trusted",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

counter = Table(
    "counter",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("highest", Integer, nullable=False),
    Column("head", Digest),
)

delivery = Table(
    "delivery",
    METADATA,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("id", Digest, nullable=False, unique=True),
    Column("issued", Text, nullable=False),
    Column("imported", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("signed_by", Record),
    Column("record", LargeBinary, nullable=False),
)

release = Table(
    "release",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", Digest, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("header", Record),
    Column("size", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("delivery", ForeignKey("delivery.sequence"), nullable=False),
    Column("imported", Text, nullable=False),
    Index("release_by_name", "name", "kind", "counter"),
)

document = Table(
    "document",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# What travels beside a release, as its document lists it; whether it is so is judged
# whenever it is shown.
attestation = Table(
    "attestation",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("sha256", Digest, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

release_ref = Table(
    "release_ref",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("ref", Text, primary_key=True),
    sqlite_with_rowid=False,
)

file = Table(
    "file",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sha256", Digest, nullable=False),
    Column("size", Integer, nullable=False),
    Column("git_oid", Text),
    Column("format", Text, nullable=False),
    Column("content_class", Text, nullable=False),
    Column("facts", Record),
    sqlite_with_rowid=False,
)

# Which release names which blob, each pair once, by digest. No foreign key: SQLite
# would walk all of it for each release that is deleted. `bulk` keeps it in step.
named = Table(
    "named",
    METADATA,
    Column("sha256", Digest, primary_key=True),
    Column("release", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    sqlite_with_rowid=False,
)

generation = Table(
    "generation",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("members", Integer, nullable=False),
)

# A release belongs to the generations from `since` to before `until`, so that history
# costs rows for what changes and not for what stays.
member = Table(
    "member",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("since", ForeignKey("generation.number"), primary_key=True),
    Column("until", ForeignKey("generation.number")),
    Index("member_by_until", "until"),
    sqlite_with_rowid=False,
)

pin = Table(
    "pin",
    METADATA,
    Column("release", ForeignKey("release.number"), primary_key=True),
    Column("why", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("actor", Text, nullable=False),
)

# By digest, not by row: what is denied stays so when it is collected and comes again.
deny = Table(
    "deny",
    METADATA,
    Column("digest", Digest, primary_key=True),
    Column("why", Text, nullable=False),
    Column("since", Text, nullable=False),
    Column("actor", Text, nullable=False),
)

catalogue = Table(
    "catalogue",
    METADATA,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("id", Digest, nullable=False, unique=True),
    Column("issued", Text, nullable=False),
    Column("next_expected", Text, nullable=False),
    Column("valid_until", Text, nullable=False),
    Column("imported", Text, nullable=False),
    Column("actor", Text, nullable=False),
)

# From catalogue `since` to before `until`: it stays until an answer takes it back.
withdrawal = Table(
    "withdrawal",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("since", ForeignKey("catalogue.sequence"), nullable=False),
    Column("until", ForeignKey("catalogue.sequence")),
    sqlite_with_rowid=False,
)

# The newest look at each blob that was hashed again since it came. Nothing signs it and
# no rebuild has it: what is not here counts as not looked at since the import.
hashed = Table(
    "hashed",
    METADATA,
    Column("sha256", Digest, primary_key=True),
    Column("time", Text, nullable=False),
    Column("state", Text, nullable=False),
    sqlite_with_rowid=False,
)

# By name too: what a file can do depends on it. Not bound to `named`, so that a blob
# that is collected and comes again is known.
blob_fact = Table(
    "blob_fact",
    METADATA,
    Column("sha256", Digest, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("rules", Text, primary_key=True),
    Column("looked", Text, nullable=False),
    Column("facts", Record),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Record),
    Column("floor", Text, nullable=False, server_default=""),
    Column("metadata", Record),
    Column("tool", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# The hashes of every full subtree over the events: `format.merkle`.
log_node = Table(
    "log_node",
    METADATA,
    Column("level", Integer, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

checkpoint = Table(
    "checkpoint",
    METADATA,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("public", LargeBinary(32), nullable=False),
)

APPEND_ONLY = tuple(
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'the log only grows'); END"
    for table in ("event", "log_node", "checkpoint")
    for verb in ("update", "delete")
)
"""Against mistakes of ours, not against who can write the file."""
