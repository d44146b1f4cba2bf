"""The files beside the volumes, for people and scan stations without airlift.

Nothing here is needed for an import: what it believes is inside the volumes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from airlift.format.dispatch import Dispatch
from airlift.format.volume import SIDECARS
from airlift.outbound.ledger import VolumeNote
from airlift.store.durable import Disk
from airlift.trust import station
from airlift.trust.keys import UnlockedKey

README, SUMS, SSHSIG, MINISIG, MEDIUM, SLIP = SIDECARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The files that the small ones lie beside.

    Attributes:
        volumes: The volumes.
        spares: What they can be rebuilt from.
        code: What the site should print once it took them; may be empty.
        encrypted: Whether nobody but the site can read the volumes: then nothing here
            tells what is inside either.
    """

    volumes: Sequence[VolumeNote]
    spares: Sequence[VolumeNote] = ()
    code: str = ""
    encrypted: bool = False

    def files(self) -> list[VolumeNote]:
        """Return all of them, volumes first."""
        return [*self.volumes, *self.spares]


def front(record: Dispatch) -> str:
    """Return what the names of all files of a delivery begin with."""
    return f"AIRLIFT-{record.site}-{record.sequence:06d}"


def make(
    record: Dispatch, files: Beside, signers: Sequence[UnlockedKey]
) -> Mapping[str, str]:
    """Return README.txt, SHA256SUMS and its signatures by their names, signatures last.

    They name every volume, so they are the same on every medium.
    """
    sums = "".join(f"{one.sha256}  {one.name}\n" for one in files.files())
    comment = f"delivery {record.sequence} to {record.site}, issued {record.issued}"
    made = {README: _readme(record, files), SUMS: sums}
    key = next((one for one in signers if one.public.scheme == station.SCHEME), None)
    if key:
        made[MINISIG] = station.minisig(key, sums.encode(), comment=comment)
        made[SSHSIG] = station.sshsig(key, sums.encode())
    return {f"{front(record)}.{name}": text for name, text in made.items()}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write *files* into *folder*, in their order.

    Raises:
        StoreError: The medium refuses.
    """
    disk = Disk()
    for name, text in files.items():
        disk.write_file(folder / name, text.encode(), mode=0o644)


def _readme(record: Dispatch, files: Beside) -> str:
    volumes, name = files.volumes, front(record)
    listing = "\n".join(f"  {one.name}  {one.size} bytes" for one in volumes)
    return f"""\
Delivery {record.sequence} to the site "{record.site}"
Issued {record.issued} by {record.operator}

{len(volumes)} volume(s), needed all, in any order, from any number of media:
{listing}
{_spares(files.spares)}
On the isolated host:

  airlift import FOLDER
{"" if files.encrypted else _expected(files.code)}
Without airlift, on a scan station:

  sha256sum -c {name}.{SUMS}                  did every volume arrive whole?
  ssh-keygen -Y verify -f allowed_signers -I airlift -n file \\
      -s {name}.{SUMS}.sig < {name}.{SUMS}   from whom? (OpenSSH)
  minisign -V -p airlift.pub -m {name}.{SUMS} from whom? (minisign)
{_CLOSED if files.encrypted else _OPEN}"""


_STATION = """
`allowed_signers` and `airlift.pub` come from the sender by another way than this
medium; the sender prints them with `airlift trust show --station`.
"""
_OPEN = f"""\
  tar -tvf VOLUME                              what lies in a volume?
  tar -xf VOLUME; cd blobs/sha256; sha256sum * every name is its own SHA-256, but
                                               for names with a further .NNNN, which
                                               are pieces of one file to be joined
{_STATION}
Wheels, configuration, code and text lie in the volumes as they are, named by their
SHA-256; airlift/records/ says which file is which. Weights may be coded: only airlift
reads those. A virus scanner that reports a large file as clean may not have looked
into it: check its limits.
"""
_CLOSED = f"""\
  tar -xOf VOLUME airlift/encrypted.json       which volume of how many, and for which
                                               key of the site
{_STATION}
The volumes are encrypted to the site: nobody else can look into them, and no virus
scanner either. Scan on the isolated side of the gap, or let the sender scan before.
"""


def _expected(code: str) -> str:
    if not code:
        return ""
    return f"""
It should then print the state code {code}. If it prints another, the
sender and this site differ in what it holds: `airlift state explain`, and tell them.
"""


def _spares(spares: Sequence[VolumeNote]) -> str:
    if not spares:
        return ""
    listing = "\n".join(f"  {one.name}  {one.size} bytes" for one in spares)
    return f"""
{len(spares)} spare(s), not needed unless volumes are lost or damaged:
{listing}

  airlift repair FOLDER... --to OTHER-FOLDER   rebuilds those from these
"""
