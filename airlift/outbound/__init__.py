"""The export journey: resolve, fetch, pack, sign, cut."""
