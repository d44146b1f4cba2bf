"""Who asks, what they may have, and the certificates of this host."""
