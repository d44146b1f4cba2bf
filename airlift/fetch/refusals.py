"""What an answer that is not the wanted bytes means, as airlift's errors."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from airlift import naming
from airlift.errors import SourceBusyError, SourceError

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAID_LIMIT = 200  # characters of upstream's own words; more is a page, not a reason
_RATE_LIMIT = re.compile(r";\s*r\s*=\s*0\b.*?;\s*t\s*=\s*(\d+)", re.ASCII)

_HINTS = {
    401: "log in upstream and give its token (for Hugging Face: set HF_TOKEN)",
    403: "ask upstream for access, or check what the token may read",
    404: "check the name and the revision; a private one needs a token",
    407: "give the proxy's user and password in https_proxy",
    416: "the file changed upstream; run the command again",
}


class RefusedError(SourceError):
    """Upstream answered, and the answer is no; asking again gives the same.

    Args:
        status: HTTP status.
        headers: Of the answer, lower-case names.
    """

    def __init__(
        self, problem: str, *, hint: str, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(problem, hint=hint)
        self.status = status
        self.headers = headers


class RangeIgnoredError(SourceError):
    """Upstream sends whole files only; what was asked for does not start at 0."""


def place(url: httpx2.URL | str) -> str:
    """Return *url* fit to be shown: without user, password, query or fragment.

    The query of a signed download URL is a credential.
    """
    url = httpx2.URL(url)
    return naming.show(str(url.copy_with(userinfo=b"", query=None, fragment=None)))


def refusal(response: httpx2.Response) -> SourceError:
    """Return the error for *response*, whose status is not a success."""
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.items()}
    said = headers.get("x-error-message", "")[:_SAID_LIMIT]
    problem = f"{place(response.request.url)} answered {status}{_phrase(status)}"
    if said:
        problem += f": {naming.show(said)}"
    if status in _BUSY:
        wait = retry_after_s(headers)
        hint = "upstream is busy or limits requests; run the command again later"
        return SourceBusyError(problem, hint=hint, retry_after_s=wait)
    hint = _HINTS.get(status, "")
    return RefusedError(problem, hint=hint, status=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase.lower()})"
    except ValueError:
        return ""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that *headers* state, if they do.

    ``Retry-After`` in seconds or as a date, which is taken relative to the answer's
    own ``Date`` so that this host's clock does not matter; else the reset time of
    an exhausted ``RateLimit``.

    Source: RFC 9110, 10.2.3; draft-ietf-httpapi-ratelimit-headers-09.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers["date"])
        return max(wait.total_seconds(), 0.0)
    except (KeyError, TypeError, ValueError):
        found = _RATE_LIMIT.search(headers.get("ratelimit", ""))
        return float(found[1]) if found else None
