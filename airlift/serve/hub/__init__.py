"""The Hugging Face hub, as its clients speak to it."""
