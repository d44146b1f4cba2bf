"""Bills of material, whose libraries are imported when one is asked for.

They are the extra ``bom``: a quarter of a second to import, and more to approve for a site
that needs none.
"""

import importlib
from types import ModuleType
from typing import Final

from airlift.audit.pack.made import Made
from airlift.errors import RequestError

CYCLONEDX: Final = ("1.6", "1.7")
"""Versions of CycloneDX that can be written, the usual one first."""
_OURS: Final = "airlift"


def cyclonedx(made: Made, version: str = CYCLONEDX[0]) -> bytes:
    """Return ``bom.cdx.json``: CycloneDX, a model a component with its files in it.

    Raises:
        RequestError: The extra ``bom`` is not installed.
    """
    found: bytes = _module("cyclonedx").encode(made, version)
    return found


def spdx3(made: Made) -> bytes:
    """Return ``bom.spdx3.json``: SPDX 3.0.1 in JSON-LD, with its AI profile.

    Raises:
        RequestError: The extra ``bom`` is not installed.
    """
    found: bytes = _module("spdx3").encode(made)
    return found


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"airlift.audit.pack.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(_OURS):
            raise
        wanted = (error.name or name).partition(".")[0]
        problem = f"bills of material need the package `{wanted}`"
        hint = "`pip install 'airlift[bom]'`, or leave them out: --no-bom"
        raise RequestError(problem, hint=hint) from error
