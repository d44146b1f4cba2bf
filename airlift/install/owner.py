"""Acting as the owner of the folder that is installed into.

A runtime's folder often belongs to a user of its own (``ollama``), and only root may
read airlift's store and write there. Root that writes into a folder of somebody else
can be led anywhere by a symbolic link in it, and leaves files behind that the runtime
cannot manage. So everything in the target is done with its owner's rights, and only
blobs are opened with one's own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from airlift.store.durable import failing


class Owner:
    """The user to act as.

    Args:
        uid: Whose rights; None to stay who one is.
        gid: Of that user's folder.
    """

    def __init__(self, uid: int | None, gid: int) -> None:
        self._uid, self._gid = uid, gid

    @classmethod
    def of(cls, root: Path) -> Self:
        """Return the owner of *root*, or of the nearest folder above that is there.

        Raises:
            StoreError: The disk does not tell.
        """
        with failing("look at", root):
            place = next(one for one in (root, *root.parents) if one.exists())
            found = place.stat()
        mine = os.geteuid() != 0 or found.st_uid == 0
        return cls(None if mine else found.st_uid, found.st_gid)

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Have the owner's rights, and no others, inside the block."""
        if self._uid is None:
            yield
            return
        groups, group = os.getgroups(), os.getegid()
        os.setgroups([self._gid])
        os.setegid(self._gid)
        os.seteuid(self._uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Have one's own rights again, inside a block of ``acting``."""
        if self._uid is None:
            yield
            return
        os.seteuid(0)
        try:
            yield
        finally:
            os.seteuid(self._uid)
