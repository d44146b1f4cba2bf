"""Small wheels made on the spot, for installers to install for real."""

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Sequence

EPOCH = (2020, 1, 1, 0, 0, 0)


def metadata(
    name: str,
    version: str,
    requires: Sequence[str] = (),
    python: str = "",
    licence: str = "",
) -> bytes:
    """Return a METADATA file."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if python:
        lines.append(f"Requires-Python: {python}")
    if licence:
        lines.append(f"License-Expression: {licence}")
    lines += [f"Requires-Dist: {one}" for one in requires]
    return ("\n".join(lines) + "\n").encode()


def wheel(
    name: str,
    version: str,
    requires: Sequence[str] = (),
    *,
    python: str = "",
    payload: bytes = b"",
    licence: str = "",
) -> tuple[str, bytes, bytes]:
    """Return file name, bytes and METADATA of a pure wheel.

    Its module has the distribution's name and ``VERSION``; *payload* lies beside it,
    uncompressed.
    """
    module = name.replace("-", "_").replace(".", "_").lower()
    info = f"{module}-{version}.dist-info"
    described = metadata(name, version, requires, python, licence)
    files = {
        f"{module}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{module}/payload.bin": payload,
        f"{info}/METADATA": described,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, EPOCH), content)
    return f"{module}-{version}-py3-none-any.whl", packed.getvalue(), described


def _record(files: dict[str, bytes], own: str) -> bytes:
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        rows.writerow([path, f"sha256={digest.decode().rstrip('=')}", len(content)])
    rows.writerow([own, "", ""])
    return table.getvalue().encode()
