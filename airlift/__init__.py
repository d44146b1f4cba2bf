"""airlift carries models, wheels and updates across an air gap.

The connected half (``sources``, ``fetch``, ``outbound``) fetches, packs and
signs; the isolated half (``inbound``, ``registry``, ``serve``) verifies, keeps
and serves. Both share ``store``, ``trust`` and the pure layers below them.
"""

__version__ = "0.1.0"
