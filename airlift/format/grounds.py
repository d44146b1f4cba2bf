"""What parts may build on (docs/format.md, "Pieces").

A part may refer to blobs that the dispatch record says the site must hold, and to
blobs that travel before its own: then whatever it needs is there once all before it
is, and no blob is made of itself, in whatever round about way.
"""

from collections.abc import Callable, Collection

from airlift.digest import Sha256
from airlift.format.head import Op, PartHead
from airlift.format.packing import PackingList


class Grounds:
    """The blobs of one delivery, and those that its parts may refer to.

    Args:
        packing: The verified packing list; kept as an attribute.
        needs: Blobs that the dispatch record says the site must hold.
        size: Bytes of such a blob at this site; None where that is not known.
    """

    def __init__(
        self,
        packing: PackingList,
        needs: Collection[Sha256] = (),
        size: Callable[[Sha256], int | None] = lambda _: None,
    ) -> None:
        self._needs, self._size = frozenset(needs), size
        self._places = {one.sha256: at for at, one in enumerate(packing.blobs)}
        self.packing = packing

    def fault(self, table: PartHead, blob: Sha256) -> str:
        """Return what is wrong with the bases of a part; nothing if they are right.

        Args:
            table: The head of the part.
            blob: Which blob of the packing list it is of.
        """
        ends = [0] * len(table.bases)
        for piece in table.pieces:
            if piece.op is not Op.LITERAL:
                ends[piece.base] = max(ends[piece.base], piece.offset + piece.length)
        for base, end in zip(table.bases, ends, strict=True):
            place = self._places.get(base)
            if base in self._needs:
                size = self._size(base)
            elif place is not None and place < self._places[blob]:
                size = self.packing.blobs[place].size
            else:
                return f"builds on blob {base}, which need not be there by then"
            if size is not None and end > size:
                return f"refers to byte {end} of blob {base}, which has {size} bytes"
        return ""
