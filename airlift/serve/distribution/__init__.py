"""The OCI distribution protocol: Ollama's dialect, and artifacts and images."""
