"""The proof that one event is in a log, as a file for whoever is shown that event.

The form is C2SP's (https://c2sp.org/tlog-proof), without extra data: the place of the
event, the hashes beside its way to the root, an empty line and a signed checkpoint.
"""

import base64
from collections.abc import Sequence

_MAGIC = "c2sp.org/tlog-proof@v1"


def encode(index: int, hashes: Sequence[bytes], note: bytes) -> bytes:
    """Return the bytes of a ``.tlog-proof`` file.

    Args:
        index: Of the event's leaf, from 0: its number less one.
        hashes: Its inclusion proof, of 32 bytes each.
        note: A signed checkpoint of a log that has the event.
    """
    lines = [_MAGIC, f"index {index}"]
    lines += [base64.b64encode(one).decode() for one in hashes]
    return "\n".join([*lines, "", ""]).encode() + note
