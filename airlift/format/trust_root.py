"""The trust root of a Sigstore: what of it was in force when something was signed.

The reference library takes what the key of a log signs after that log was given up, and
certificates under an authority that is no longer believed; and it looks at the clock of
its host, which at a site may be wrong. So it is given what was in force then, and
nothing else, without a time in it: neither can matter any more.

Source: Sigstore trusted root 0.1 (protobuf-specs, ``sigstore_trustroot.proto``).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from airlift.artifact import Json
from airlift.format.fields import Fields

NAME: Final = "the trust root"
_LOGS: Final = ("tlogs", "ctlogs")
_AUTHORITIES: Final = ("certificateAuthorities", "timestampAuthorities")
_LOG: Final = (
    *("baseUrl", "hashAlgorithm", "publicKey", "logId", "checkpointKeyId"),
    "operator",
)
_AUTHORITY: Final = ("subject", "uri", "certChain", "validFor", "operator")
_ALWAYS: Final = "1970-01-01T00:00:00Z"


def in_force(root: Mapping[str, Json], *times: datetime) -> dict[str, Json]:
    """Return what of a trust root was in force at all *times*, UTC; all without any.

    Raises:
        FormatError: The trust root has another form.
    """
    top = Fields(root, record=NAME)
    top.only("mediaType", *_LOGS, *_AUTHORITIES)
    found: dict[str, Json] = {"mediaType": top.text("mediaType")}
    for key in _LOGS:
        found[key] = _logs(top, key, times)
    for key in _AUTHORITIES:
        found[key] = _authorities(top, key, times)
    return found


def with_log(root: Mapping[str, Json], log: str) -> tuple[dict[str, Json], str]:
    """Return a trust root that knows one log at most, and the address of that.

    Args:
        root: The trust root.
        log: The id of the log, in base64; the address is empty where it is not known.
    """
    kept: list[Json] = []
    address = ""
    for entry, table in _entries(Fields(root, record=NAME), "tlogs"):
        if entry.table("logId").text("keyId") == log:
            kept.append(table)
            address = entry.text("baseUrl")
    return {**root, "tlogs": kept}, address


def _logs(top: Fields, key: str, times: tuple[datetime, ...]) -> list[Json]:
    found: list[Json] = []
    for entry, table in _entries(top, key):
        entry.only(*_LOG)
        entry.text("baseUrl")
        entry.table("logId").text("keyId")
        public = entry.table("publicKey")
        public.only("rawBytes", "keyDetails", "validFor")
        if not public.has("validFor") or _covers(public.table("validFor"), times):
            bare = dict(entry.mapping("publicKey"))
            bare.pop("validFor", None)
            found.append({**table, "publicKey": bare})
    return found


def _authorities(top: Fields, key: str, times: tuple[datetime, ...]) -> list[Json]:
    found: list[Json] = []
    for entry, table in _entries(top, key):
        entry.only(*_AUTHORITY)
        if _covers(entry.table("validFor"), times):
            found.append({**table, "validFor": {"start": _ALWAYS}})
    return found


def _entries(top: Fields, key: str) -> Iterator[tuple[Fields, Mapping[str, Json]]]:
    # A trust root may lack clocks, and every library reads that as none.
    tables = cast("list[Mapping[str, Json]]", top.raw(key) if top.has(key) else [])
    return zip(top.tables(key), tables, strict=True)


def _covers(period: Fields, times: tuple[datetime, ...]) -> bool:
    """Say whether all *times* are in *period*, both ends of which are in it."""
    period.only("start", "end")
    start = _moment(period, "start")
    end = _moment(period, "end") if period.has("end") else None
    return all(start <= one and (end is None or one <= end) for one in times)


def _moment(period: Fields, key: str) -> datetime:
    try:
        found = datetime.fromisoformat(period.text(key))
    except ValueError:
        period.refuse(key, "is not a time as RFC 3339 writes it")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
