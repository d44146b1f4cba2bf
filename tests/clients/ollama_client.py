"""Ollama's pull, spoken faithfully: no registry of packages holds Ollama itself.

Written from the client's observable behaviour (version 0.32): which requests it makes,
with which fields, what it keeps on the disk and what it does when something breaks.
Where the client is careless, so is this: it trusts ``Content-Length`` of HEAD, never
looks at the status of a part, and drops its credential for the parts.
"""

import base64
import hashlib
import http.client
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AGENT = "ollama/0.32.15 (amd64 linux) Go/go1.26.0"
PARTS = 16
LEAST_PART, LARGEST_PART = 100_000_000, 1_000_000_000
TRIES = 6
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_NAME = re.compile(
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.:-]*)/"
    rf"(?P<space>[A-Za-z0-9_][A-Za-z0-9_-]{{0,79}})/(?P<model>{_PART})"
    rf"(?::(?P<tag>{_PART}))?"
)


class PullError(Exception):
    """What the client prints after ``Error:``."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A response whose body is read by whoever wants it."""

    status: int
    headers: Mapping[str, str]
    response: http.client.HTTPResponse

    def read(self) -> bytes:
        """Return the whole body."""
        return self.response.read()


@dataclass(kw_only=True)
class Ollama:
    """One host's Ollama.

    Attributes:
        models: Its folder of models.
        key: Signs requests for tokens.
        insecure: Whether ``--insecure`` was given, which means plain HTTP.
        context: What it trusts over TLS.
        least_part: Bytes of the smallest part; the client's is ``LEAST_PART``.
        address: Connect here whatever the name, as the site's own DNS would.
        pause_s: Seconds before the first new try of a part; the client's is 1.
    """

    models: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    insecure: bool = True
    context: ssl.SSLContext | None = None
    least_part: int = LEAST_PART
    address: tuple[str, int] | None = None
    pause_s: float = 0.02
    _token: str = ""

    @property
    def public_key(self) -> str:
        """What stands in its ``id_ed25519.pub``."""
        spelled = self.key.public_key().public_bytes(
            Encoding.OpenSSH, PublicFormat.OpenSSH
        )
        return spelled.decode()

    def pull(self, text: str) -> Path:
        """Pull ``host/namespace/model[:tag]``; return the path of the manifest.

        Raises:
            PullError: As the client ends with an error.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            problem = "invalid model name"
            raise PullError(problem)
        tag = found["tag"] or "latest"
        scheme = "http" if self.insecure else "https"
        base = f"{scheme}://{found['host']}/v2/{found['space']}/{found['model']}"
        body = self._manifest(f"{base}/manifests/{tag}")
        shape = json.loads(body)
        for layer in (*shape["layers"], shape["config"]):
            _Blob(client=self, url=f"{base}/blobs/", digest=layer["digest"]).pull()
        place = self.models / "manifests" / found["host"] / found["space"]
        place = place / found["model"] / tag
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
        return place

    def blob(self, digest: str) -> Path:
        """Return where the blob lies, or will."""
        return self.models / "blobs" / digest.replace(":", "-")

    def held(self, manifest: Path) -> dict[str, bytes]:
        """Return the bytes of the layers of a pulled model by their media type."""
        shape = json.loads(manifest.read_bytes())
        return {
            layer["mediaType"]: self.blob(layer["digest"]).read_bytes()
            for layer in (*shape["layers"], shape["config"])
        }

    def _manifest(self, url: str) -> bytes:
        with self.request("GET", url, {"Accept": MANIFEST}) as reply:
            return reply.read()

    # --- requests -----------------------------------------------------------------------

    @contextmanager
    def request(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> Iterator[Reply]:
        """Ask with the token, signing in once where that is asked for."""
        for _ in range(2):
            told = {"User-Agent": AGENT, **headers}
            if self._token:
                told["Authorization"] = f"Bearer {self._token}"
            with self.plain(method, url, told) as reply:
                if reply.status == 401:
                    self._sign_in(url, reply.headers.get("www-authenticate", ""))
                    continue
                if reply.status == 404:
                    problem = "pull model manifest: file does not exist"
                    raise PullError(problem)
                if reply.status >= 400:
                    problem = f"{reply.status}: {reply.read().decode()}"
                    raise PullError(problem)
                yield reply
                return
        problem = "unauthorized: access denied"
        raise PullError(problem)

    @contextmanager
    def plain(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> Iterator[Reply]:
        """Ask once; close the connection however much of the body was read."""
        parts = urlsplit(url)
        assert parts.hostname
        host, port = self.address or (parts.hostname, parts.port or _port(parts.scheme))
        made: http.client.HTTPConnection
        if parts.scheme == "https":
            made = http.client.HTTPSConnection(
                host, port, timeout=30, context=self.context
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=30)
        try:
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            made.request(method, target, headers={"Host": parts.netloc, **headers})
            response = made.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            yield Reply(status=response.status, headers=told, response=response)
        finally:
            made.close()

    def _sign_in(self, url: str, challenge: str) -> None:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = fields.get("realm", "")
        if urlsplit(realm).netloc != urlsplit(url).netloc:
            problem = f"realm host {urlsplit(realm).netloc!r} is not the registry's"
            raise PullError(problem)
        pairs = [("service", fields.get("service", ""))]
        pairs += [("scope", one) for one in fields.get("scope", "").split(" ")]
        pairs += [("ts", str(int(time.time()))), ("nonce", secrets.token_urlsafe(16))]
        target = f"{realm}?{urlencode(sorted(pairs, key=lambda pair: pair[0]))}"
        nothing = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        made = base64.b64encode(self.key.sign(f"GET,{target},{nothing}".encode()))
        proof = f"{self.public_key.split()[1]}:{made.decode()}"
        told = {"User-Agent": AGENT, "Authorization": proof}
        with self.plain("GET", target, told) as reply:
            body = reply.read()
            if reply.status >= 400:
                problem = f"{reply.status}: {body.decode()}"
                raise PullError(problem)
            self._token = json.loads(body)["token"]


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


@dataclass(kw_only=True)
class _Blob:
    """One blob on its way to the disk."""

    client: Ollama
    url: str
    digest: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def partial(self) -> Path:
        final = self.client.blob(self.digest)
        return final.with_name(f"{final.name}-partial")

    def pull(self) -> None:
        final = self.client.blob(self.digest)
        if final.exists():
            return
        final.parent.mkdir(parents=True, exist_ok=True)
        parts = self._known() or self._planned()
        direct = self._direct()
        self.partial.touch()
        with ThreadPoolExecutor(PARTS) as pool:
            list(pool.map(lambda part: self._part(direct, part), parts))
        for part in parts:
            self._record(part).unlink()
        self.partial.rename(final)
        found = f"sha256:{hashlib.sha256(final.read_bytes()).hexdigest()}"
        if found != self.digest:
            final.unlink()
            problem = "digest mismatch, file must be downloaded again: "
            problem += f"want {self.digest}, got {found}"
            raise PullError(problem)

    def _record(self, part: Mapping[str, int]) -> Path:
        return self.partial.with_name(f"{self.partial.name}-{part['N']}")

    def _known(self) -> list[dict[str, int]]:
        """Return the parts an earlier attempt left."""
        records = self.partial.parent.glob(f"{self.partial.name}-*")
        return [json.loads(one.read_bytes()) for one in records]

    def _planned(self) -> list[dict[str, int]]:
        with self.client.request("HEAD", self.url + self.digest, {}) as reply:
            total = int(reply.headers.get("content-length", "0"))
        size = min(max(total // PARTS, self.client.least_part), LARGEST_PART)
        parts = [
            {"N": n, "Offset": at, "Size": min(size, total - at), "Completed": 0}
            for n, at in enumerate(range(0, total, size))
        ]
        for part in parts:
            self._record(part).write_text(json.dumps(part))
        return parts

    def _direct(self) -> str:
        """Return where the parts are: what ``Location`` says, even of a 200."""
        url = self.url + self.digest
        for _ in range(10):
            with self.client.request("GET", url, {}) as reply:
                location = reply.headers.get("location")
                if location is None:
                    problem = "http: no Location header in response"
                    raise PullError(problem)
                found = urljoin(url, location)
                elsewhere = urlsplit(found).hostname != urlsplit(url).hostname
                if reply.status == 200 or elsewhere:
                    return found
                url = found
        problem = "maximum redirects exceeded (10) for directURL"
        raise PullError(problem)

    def _part(self, direct: str, part: dict[str, int]) -> None:
        for attempt in range(TRIES):
            try:
                self._fetch(direct, part)
            except (OSError, http.client.HTTPException):
                time.sleep(self.client.pause_s * 2**attempt)
            else:
                return
        problem = "max retries exceeded: EOF"
        raise PullError(problem)

    def _fetch(self, direct: str, part: dict[str, int]) -> None:
        start, stop = part["Offset"] + part["Completed"], part["Offset"] + part["Size"]
        if start == stop:
            return
        told = {
            "User-Agent": "Go-http-client/1.1",
            "Range": f"bytes={start}-{stop - 1}",
        }
        with (
            self.client.plain("GET", direct, told) as reply,
            self.partial.open("r+b") as file,
        ):
            file.seek(start)
            try:
                self._copy(reply, file, part, stop)
            finally:
                file.flush()
                self._record(part).write_text(json.dumps(part))

    def _copy(self, reply: Reply, file: Any, part: dict[str, int], stop: int) -> None:
        while (at := part["Offset"] + part["Completed"]) < stop:
            piece = reply.response.read(min(1 << 16, stop - at))
            if not piece:
                problem = "unexpected EOF"
                raise ConnectionError(problem)
            file.write(piece)
            part["Completed"] += len(piece)
