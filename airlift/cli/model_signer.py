"""Files that say whose model signatures are believed, of any of the three modes.

A key or a certificate is the whole of it. Who signs through Sigstore has neither: the
file says in TOML by what name they are known, to whom, and where the trust root is.
"""

import tomllib
from pathlib import Path

from airlift import naming
from airlift.artifact import Signatory
from airlift.cli import config
from airlift.errors import RequestError
from airlift.format import keyless as format_keyless
from airlift.format.fields import Fields
from airlift.store.durable import read_file
from airlift.trust import attesting, keyless

_LIMIT = 64 << 10
_IDENTITY = ".toml"
_HINT = "docs/trust.md, `What is said of a release`, shows an example"


def read(path: Path) -> Signatory:
    """Return whose model signatures the file *path* is to have believed.

    Raises:
        RequestError: It is not there, is none of the three, or needs what is not
            installed.
        FormatError: It claims to be one, and is damaged.
    """
    if path.suffix == _IDENTITY:
        return _identity(path)
    data = read_file(path, limit=_LIMIT, error=RequestError)
    return attesting.trusted(data, name=path.stem)


def _identity(path: Path) -> Signatory:
    shown = naming.show(str(path))
    try:
        table = tomllib.loads(config.text(path, limit=_LIMIT, hint=_HINT))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = f"{shown} is not TOML: {naming.show(str(error))}"
        raise RequestError(problem, hint=_HINT) from error
    top = Fields(table, record=shown, error=RequestError)
    top.exactly("identity", "issuer", "trusted-root")
    root = path.parent / top.text("trusted-root")
    return keyless.trusted(
        top.text("identity"),
        top.text("issuer"),
        read_file(root, limit=format_keyless.LIMIT, error=RequestError),
        name=naming.show(str(root)),
    )
