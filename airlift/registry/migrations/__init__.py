"""How databases of earlier releases become today's; run by ``registry.migration``."""
