"""airlift's own bytes: pure codecs, shared by both sides.

Each module is a chapter of docs/format.md. Nothing here opens a file, reads a
clock or holds an opinion on trust.
"""
