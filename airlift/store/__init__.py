"""Bytes by their SHA-256 on the local disk, durable before they are named."""
