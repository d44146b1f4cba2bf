"""The import journey: find, verify, unpack, record."""
