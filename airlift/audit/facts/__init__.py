"""Facts of model files: looked for once per blob, kept in the registry."""
