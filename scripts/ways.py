"""Ways across an air gap that operators have without airlift, as shell commands.

A way makes something to carry of the folder ``$SOURCE``, in ``$THERE``; the other side
ends with synced files in ``$OUT``, whose SHA-256 were compared with the sums in the file
``$SUMS``: what airlift does, as far as the tool can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from peers import Peer, environment, program

SUMS = "(cd $SOURCE && find . -type f | sort | xargs sha256sum) > $SUMS"
"""How the sums are made."""

SHA256SUM = "cd $OUT && sha256sum --quiet -c $SUMS && sync -f ."
OPENSSL = (
    "cd $OUT && find . -type f | sort | xargs openssl dgst -sha256 -r"
    " | sed 's/ [*]/  /' | cmp - $SUMS && sync -f ."
)


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way.

    Attributes:
        tools: What it needs, with versions.
        make: How what travels is made: the row's title and the commands.
        takes: How it is taken in: titles and commands, more than one way to check.
    """

    tools: tuple[Peer, ...]
    make: tuple[str, str]
    takes: Mapping[str, str]


def ways() -> Iterator[Way]:
    """Yield the ways whose tools are here."""
    zstd, openssl = program("zstd"), program("openssl")
    if zstd and openssl:
        tar = "zstd -q -dc $THERE/x.tar.zst | tar -C $OUT -xf - && "
        yield Way(
            tools=(zstd, openssl),
            make=(
                "tar, zstd -T0 -3, sha256sum",
                SUMS
                + "; tar -C $SOURCE -cf - . | zstd -q -T0 -3 -o $THERE/x.tar.zst && "
                "sync -f $THERE",
            ),
            takes={
                "zstd -d, tar x, sha256sum -c": tar + SHA256SUM,
                "zstd -d, tar x, openssl sha256": tar + OPENSSL,
                "cp, sync, openssl sha256": "cp -r $SOURCE/. $OUT && " + OPENSSL,
            },
        )
    borg, restic, lmz = program("borg"), program("restic"), environment("lmzip")
    if borg:
        settings = (
            "export BORG_BASE_DIR=$THERE BORG_REPO=$THERE/repo"
            " BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes && "
        )
        yield Way(
            tools=(borg,),
            make=(
                "borg create -C zstd,3",
                settings + "cd $SOURCE && borg init -e none"
                " && borg create -C zstd,3 ::a . && sync -f $THERE",
            ),
            takes={
                "borg extract, sha256sum -c": settings
                + "cd $OUT && borg extract ::a && "
                + SHA256SUM
            },
        )
    if restic:
        settings = "export RESTIC_PASSWORD=bench RESTIC_REPOSITORY=$THERE/repo && "
        yield Way(
            tools=(restic,),
            make=(
                "restic backup",
                settings + "cd $SOURCE && restic init -q"
                " && restic backup -q --no-cache . && sync -f $THERE",
            ),
            takes={
                "restic restore, sha256sum -c": settings
                + "restic restore -q --no-cache latest --target $OUT && "
                + SHA256SUM
            },
        )
    if lmz:
        tool = Path(lmz.path).parent / "lmz"
        yield Way(
            tools=(lmz,),
            make=(
                "lmz",
                f"{tool} compress -q -j 2 $SOURCE $THERE/x.lmz && sync -f $THERE",
            ),
            takes={
                "lmz, sha256sum -c": f"{tool} decompress -q -j 2 -f $THERE/x.lmz $OUT && "
                + SHA256SUM
            },
        )
