"""Serving what is live to unmodified clients: sans-I/O dialects, one server."""
