"""Handing whole blobs to nginx, which sends them from the store by itself. Pure.

airlift decides what a request gets and says everything that is said about it; nginx
only moves the bytes. So only what nginx would cut exactly alike is handed over: a
whole file, or the one valid range of it that was asked for. All else (several or
malformed ranges, ``If-Range``, ``If-Match``) airlift sends itself.

Source: nginx, ngx_http_upstream_module, ``X-Accel-Redirect``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from airlift.serve.http.ranges import Cut
from airlift.store.span import Span

ASKS = "x-airlift-accel"
"""The field by which nginx says that it takes over; its value is the prefix. Without
it a program that asks airlift directly, from nginx's host, would get an empty file."""
_JUDGED = ("if-range", "if-match", "if-unmodified-since")
"""Conditions that nginx would judge by its own entity tags and times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accel:
    """Where nginx finds the store.

    Attributes:
        prefix: The internal location, with a slash at both ends.
        root: The folder behind it.
    """

    prefix: str
    root: Path

    def location(self, span: Span, headers: Mapping[str, str], cut: Cut) -> str:
        """Return the ``X-Accel-Redirect`` for *span*, or nothing when airlift sends.

        Args:
            span: Where the blob lies.
            headers: The request's, names in lower case.
            cut: What the request gets of the blob.
        """
        ranged = "range" in headers
        exact = cut.status == 206 if ranged else cut.status == 200
        if headers.get(ASKS) != self.prefix or not exact:
            return ""
        if any(name in headers for name in _JUDGED):
            return ""
        try:
            below = span.path.relative_to(self.root)
            alone = span.offset == 0 and span.path.stat().st_size == span.length
        except (OSError, ValueError):
            return ""  # airlift's own way finds out what is wrong
        return f"{self.prefix}{quote(str(below))}" if alone else ""
