"""Members of volumes, written from section 7 of docs/format.md alone."""

from independent.record import need

END = bytes(1024)


def header(name: str, size: int) -> bytes:
    """Return the header of a member."""
    front = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    front += b"%011o\0" % size + b"0" * 11 + b"\0"
    back = (b"0" + bytes(100) + b"ustar\0" + b"00").ljust(512 - 156, b"\0")
    return front + b"%06o\0 " % (sum(front) + sum(back) + 8 * 32) + back


def member(data: bytes, at: int, name: str, size: int) -> tuple[bytes, int]:
    """Return the bytes of the member that begins at *at*, and where it ends."""
    need(data[at : at + 512] == header(name, size), "framing that differs")
    at += 512
    end = at + size + -size % 512
    need(len(data) >= end, "the volume ends too soon")
    need(not any(data[at + size : end]), "framing that differs")
    return data[at : at + size], end
