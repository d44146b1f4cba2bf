"""The page that a person opens."""
