"""The only door to the network on the connected side.

``Door`` asks; ``guard`` decides whom may be asked and keeps the promise that only
airlift's errors come out; ``hub`` knows the Hugging Face hub, for the two sources
that read from it.
"""

from airlift.fetch.door import Door, Reply
from airlift.fetch.refusals import RangeIgnoredError, RefusedError
from airlift.fetch.settings import Settings

__all__ = ["Door", "RangeIgnoredError", "RefusedError", "Reply", "Settings"]
