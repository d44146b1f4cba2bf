"""The HTTP server: connections, requests, bodies on the wire."""
