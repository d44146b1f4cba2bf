"""A real nginx in front of a server, set up as the documentation says."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import private_ca
from wire import Got

DOCUMENT = Path(__file__).parent.parent / "docs" / "operations-serve.md"
NAME = "models.plant7.example"
FRAME = """
daemon off; master_process off; worker_processes 1; user {user};
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
access_log {folder}/access.log;
client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
uwsgi_temp_path {folder}; scgi_temp_path {folder};
{recipe}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Front:
    """Where nginx listens, and what its clients trust."""

    port: int
    trusting: ssl.SSLContext

    def ask(
        self, target: str, fields: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Got:
        """Send one request under the name of the recipe and return the response."""
        link = http.client.HTTPSConnection(
            "localhost", self.port, context=self.trusting, timeout=20
        )
        with contextlib.closing(link):
            link.request(method, target, headers={"Host": NAME, **(fields or {})})
            answer = link.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Got(status=answer.status, headers=headers, body=answer.read())


@contextlib.contextmanager
def front(
    folder: Path, url: str, store: Path, changes: Mapping[str, str] | None = None
) -> Iterator[Front]:
    """Run nginx before the server at *url*, whose blobs are in *store*.

    Args:
        folder: Empty; certificates, settings and logs go there.
        url: The server's.
        store: What the internal location shows.
        changes: What to write otherwise than the documentation does.
    """
    ca, _ = private_ca.issue(folder)
    port = _free_port()
    site = {
        "server 127.0.0.1:8484;": f"server {url.split('/')[2]};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/models.pem": str(folder / "server.crt"),
        "/etc/ssl/models.key": str(folder / "server.key"),
        "/var/lib/airlift/store/": f"{store}/",
        **(changes or {}),
    }
    recipe = DOCUMENT.read_text().split("<!-- nginx -->")[1]
    recipe = recipe.strip().removeprefix("```nginx").removesuffix("```")
    for documented, own in site.items():
        assert recipe.count(documented) == 1, documented
        recipe = recipe.replace(documented, own)
    settings = folder / "nginx.conf"
    user = "root" if os.getuid() == 0 else "nobody"
    settings.write_text(FRAME.format(folder=folder, user=user, recipe=recipe))
    command = ["nginx", "-c", str(settings), "-p", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process, folder / "error.log")
            trusting = ssl.create_default_context(cafile=str(ca))
            yield Front(port=port, trusting=trusting)
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(log.read_text())
