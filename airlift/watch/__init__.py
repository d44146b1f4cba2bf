"""The watched folder: volumes that a one-way link drops are taken in as they arrive."""
