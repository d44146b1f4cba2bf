"""A TUF client with the settings that airlift judges deliveries by, for tuf-conformance.

The suite (https://github.com/theupdateframework/tuf-conformance) drives a client through
three commands against a repository that it serves on loopback, and judges by exit code,
by the metadata files that the client trusts afterwards, and by what was downloaded::

    scripts/tuf_client.py --metadata-dir DIR --metadata-url URL init ROOT
    scripts/tuf_client.py --metadata-dir DIR --metadata-url URL refresh
    scripts/tuf_client.py --metadata-dir DIR --metadata-url URL \
        --target-name NAME --target-base-url URL --target-dir DIR download

Run it with ``pytest tuf_conformance --entrypoint scripts/tuf_client.py`` in a clone of
the suite. What it shows is that of airlift's trust which is the reference client's: the
workflow and the limits. airlift's own rules, which refuse most of the suite's repositories
before (one spelling of JSON, signatures exactly as needed), are shown by its own tests.

Exit code 1 where the client refuses.
"""

import argparse
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from airlift.trust.client import settings

ROOTS = 256
"""Most roots that are followed in one refresh."""
_CHUNK = 64 << 10


class Loopback(FetcherInterface):
    """Fetches from the repository of the suite."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        if not url.startswith("http://"):
            problem = f"{url} is not of the repository that the suite serves"
            raise DownloadError(problem)
        try:
            answer = urllib.request.urlopen(url, timeout=20)
        except urllib.error.HTTPError as error:
            error.close()
            raise DownloadHTTPError(str(error), error.code) from error
        except OSError as error:
            raise DownloadError(str(error)) from error
        with answer:
            while chunk := answer.read(_CHUNK):
                yield chunk


def updater(told: argparse.Namespace, root: bytes | None = None) -> Updater:
    """Return the client; beginning with *root* where one is given."""
    for folder in (told.metadata_dir, told.target_dir):
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
    return Updater(
        metadata_dir=str(told.metadata_dir),
        metadata_base_url=told.metadata_url or "http://localhost/",
        target_dir=str(told.target_dir) if told.target_dir else None,
        target_base_url=told.target_base_url,
        fetcher=Loopback(),
        config=settings(ROOTS, hashed_names=True),
        bootstrap=root,
    )


def act(told: argparse.Namespace) -> int:
    """Do what was asked; return the exit code."""
    if told.command == "init":
        # The client keeps what it begins with.
        updater(told, told.root.read_bytes())
        return 0
    client = updater(told)
    client.refresh()
    if told.command == "refresh":
        return 0
    target = client.get_targetinfo(told.target_name)
    if target is None:
        print(f"nobody vouches for {told.target_name}", file=sys.stderr)
        return 1
    if client.find_cached_target(target) is None:
        client.download_target(target)
    return 0


def main() -> int:
    """Read the command line and act on it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url")
    parser.add_argument("--target-name")
    parser.add_argument("--target-base-url")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    try:
        return act(parser.parse_args())
    except (RepositoryError, DownloadError, OSError, ValueError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
