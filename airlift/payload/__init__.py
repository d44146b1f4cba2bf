"""Other people's bytes: bounded, strict readers that never execute what they read."""
