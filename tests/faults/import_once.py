"""One import in a process of its own, for faults to be injected into."""

import sys
from pathlib import Path

from crossing import NOW, Desk

from airlift.errors import AirliftError
from airlift.inbound import landing, media
from airlift.inbound.arrival import Gate
from airlift.registry.catalog import Catalog
from airlift.store.blobs import BlobStore

home, medium = Path(sys.argv[1]), Path(sys.argv[2])
try:
    gate = Gate(
        store=BlobStore(home / "store"),
        catalog=Catalog.open(home),
        incoming=home / "incoming",
    )
    ((_, candidates),) = landing.group(media.find([medium]).candidates)
    landing.land(candidates, gate, Desk(), now=NOW)
except AirliftError as error:
    print(f"{error} | {error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
