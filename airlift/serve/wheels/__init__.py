"""The simple index of Python packages."""
