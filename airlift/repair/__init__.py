"""The repair journey: media with spares -> volumes that were lost or damaged."""
