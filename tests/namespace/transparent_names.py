"""The public names that transparent mode takes over inside a site."""

NAMES = ("huggingface.co", "hf.co", "registry.ollama.ai")
