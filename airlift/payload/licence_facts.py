"""What is stated of a licence, and how much it asks of who takes something under it.

Ranks order licences; they advise nobody. They are for one question: whether what a model
was made from asks for more than the model itself says. What is not known ranks last.

Source: the SPDX list of licences; the hub's documentation, "Licenses"; PEP 639.
"""

import re
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import compat32
from enum import IntEnum
from typing import Final

from airlift.payload import licence

CARD_LIMIT: Final = 64 << 10
"""Bytes of a model card that are looked into; what it states stands at its beginning."""

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_PLAIN = re.compile(
    r"^(license_name|license_link):[ \t]*(.{1,300}?)[ \t]*$", re.MULTILINE
)
_WORD = re.compile(r"[^\s(),]+")
_OTHER = re.compile(r"[^A-Za-z0-9.-]+")


class Rank(IntEnum):
    """How much a licence asks of who takes something under it; the least first."""

    FREE = 0
    """Whatever one likes, with a notice kept at most."""
    SHARE_FILES = 1
    """Changes of its files have the same licence."""
    SHARE_ALL = 2
    """What is made with it has the same licence."""
    RESTRICTED = 3
    """Some uses or users are excluded; its terms travel on."""
    NOT_COMMERCIAL = 4
    """No commercial use, or research only."""
    UNKNOWN = 5
    """Nobody stated one, or it is none that is known here."""

    @property
    def words(self) -> str:
        """It, for a person."""
        return self.name.lower().replace("_", " ")


_RANKS: Final = (
    # In this order: the first that begins so counts.
    (Rank.NOT_COMMERCIAL, ("cc-by-nc", "c-uda", "deepfloyd", "fair-noncommercial")),
    (Rank.NOT_COMMERCIAL, ("apple-amlr", "intel-research", "cdla-sharing", "lgpl-lr")),
    (Rank.RESTRICTED, ("openrail", "bigscience-", "bigcode-", "creativeml-")),
    (Rank.RESTRICTED, ("llama", "gemma", "h-research", "apple-ascl", "cc-by-nd")),
    (Rank.RESTRICTED, ("open-mdw", "etalab", "tencent", "health-ai", "grok")),
    (Rank.SHARE_ALL, ("agpl", "gpl", "cc-by-sa", "osl-", "eupl", "odbl", "gfdl")),
    (Rank.SHARE_FILES, ("lgpl", "mpl-", "epl-", "cddl", "ms-rl")),
    (Rank.FREE, ("apache-", "mit", "bsd", "0bsd", "isc", "zlib", "unlicense", "wtfpl")),
    (Rank.FREE, ("cc0", "cc-by-", "pddl", "odc-by", "bsl-1.0", "ncsa", "postgresql")),
    (Rank.FREE, ("psf-2.0", "python-2.0", "afl-3.0", "artistic-2.0", "ms-pl", "hpnd")),
    (Rank.FREE, ("cdla-permissive", "ecl-2.0", "cnri-python", "mulanpsl-2.0")),
)


def rank(stated: str) -> Rank:
    """Return how much *stated*, an SPDX expression or tags, asks for.

    Of what applies together the most counts; so it does of alternatives, whose choice
    nobody has written down.
    """
    words = _WORD.findall(stated.casefold())
    kept = [one for one in words if one not in ("or", "and", "with")]
    kept = [one for one in kept if not one.endswith("-exception")]
    return max((_rank(one) for one in kept), default=Rank.UNKNOWN)


def _rank(word: str) -> Rank:
    plain = word.removeprefix("licenseref-hf-")
    for found, beginnings in _RANKS:
        if plain.startswith(beginnings):
            return found
    return Rank.UNKNOWN


def spdx(stated: str) -> str:
    """Return the SPDX expression of what upstream states.

    Of several tags each applies. A tag that is no SPDX identifier becomes one of its
    own, ``LicenseRef-hf-TAG``; empty where nothing is stated.
    """
    if whole := licence.expression(stated):
        return whole
    tags = [one.strip() for one in stated.split(",") if one.strip()]
    return " AND ".join(licence.expression(one) or _reference(one) for one in tags)


def _reference(tag: str) -> str:
    return f"LicenseRef-hf-{_OTHER.sub('-', tag).strip('-') or 'other'}"


def card(text: bytes) -> dict[str, str]:
    """Return ``license_name`` and ``license_link`` of a model card, as it states them.

    Two plain lines of its YAML beginning are read, and nothing is interpreted: a value
    that is written in another way is left out.
    """
    told = text[:CARD_LIMIT].decode("utf-8", "replace").replace("\r\n", "\n")
    front = _FRONT.match(told)
    if front is None:
        return {}
    found = (match.groups() for match in _PLAIN.finditer(front[1]))
    return {key: value.strip("'\"") for key, value in found}


def of_wheel(metadata: bytes) -> str:
    """Return the licence that a wheel's METADATA states; empty where none.

    The expression of PEP 639; else what its classifiers say; else the old free field,
    where that is one line.
    """
    headers = BytesParser(policy=compat32).parsebytes(metadata, headersonly=True)
    if stated := headers.get("License-Expression"):
        return str(stated).strip()
    if told := sorted(set(_classified(headers.get_all("Classifier", [])))):
        return ", ".join(told)
    old = str(headers.get("License", "")).strip()
    return old if "\n" not in old and len(old) <= 100 else ""


def _classified(classifiers: list[str]) -> Iterator[str]:
    for one in classifiers:
        parts = [part.strip() for part in str(one).split("::")]
        if parts[0] == "License" and len(parts) > 1 and parts[-1] != "OSI Approved":
            yield _CLASSIFIED.get(parts[-1], parts[-1])


_CLASSIFIED: Final = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "bsd",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
}
"""Classifiers to SPDX identifiers, where there is one; BSD names no version."""
