"""What git calls a file, which is what Hugging Face clients name files by.

A small file lies in git itself and goes by its blob id; of a large one git holds a
Git LFS pointer only, and the file goes by its SHA-256.
"""

from airlift.artifact import ReleaseFile
from airlift.digest import git_blob_hasher


def pointer(file: ReleaseFile) -> bytes:
    """Return the Git LFS pointer that stands for *file* in git.

    Source: the Git LFS specification, "The Pointer".
    """
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{file.sha256}")
    return ("\n".join(lines) + f"\nsize {file.size}\n").encode()


def blob_id(file: ReleaseFile) -> str:
    """Return git's id of *file*, or of its LFS pointer where git holds only that."""
    if file.git_oid:
        return file.git_oid
    text = pointer(file)
    hasher = git_blob_hasher(len(text))
    hasher.update(text)
    return hasher.hexdigest()


def etag(file: ReleaseFile) -> str:
    """Return what clients name *file* by in their cache: git's id, or SHA-256 for LFS."""
    return file.git_oid or file.sha256
