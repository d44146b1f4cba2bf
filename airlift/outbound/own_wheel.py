"""airlift's own wheel, packed from the installation that runs.

The isolated side then runs the very code that made its deliveries, however it was
installed here; no build tool and no index is asked.

Source: "Binary distribution format" of the PyPA specifications.
"""

import base64
import hashlib
import io
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import airlift
from airlift.errors import RequestError

_WHEEL: Final = """\
Wheel-Version: 1.0
Generator: airlift
Root-Is-Purelib: true
Tag: py3-none-any
"""
_CARRIED: Final = ("METADATA", "entry_points.txt")
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same code gives the same bytes


def pack() -> tuple[str, bytes]:
    """Return file name and bytes of airlift's own wheel.

    Raises:
        RequestError: This airlift runs from a bare folder, without metadata.
    """
    try:
        installed = distribution("airlift")
    except PackageNotFoundError as error:
        problem = "this airlift is not installed, so it has no metadata to carry"
        raise RequestError(
            problem, hint="give its wheel with --airlift-wheel"
        ) from error
    info = f"airlift-{installed.version}.dist-info"
    files = _code() | {
        f"{info}/{name}": data for name, data in _metadata(installed).items()
    }
    rows = [f"{name},{_digest(data)},{len(data)}" for name, data in files.items()]
    rows.append(f"{info}/RECORD,,")
    files[f"{info}/RECORD"] = ("\n".join(rows) + "\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return f"airlift-{installed.version}-py3-none-any.whl", out.getvalue()


def _code() -> dict[str, bytes]:
    package = Path(airlift.__file__).parent
    return {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _metadata(installed: Distribution) -> dict[str, bytes]:
    found = {name: installed.read_text(name) for name in _CARRIED}
    texts = {name: text for name, text in found.items() if text is not None}
    return {name: text.encode() for name, text in texts.items()} | {
        "WHEEL": _WHEEL.encode()
    }


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"
