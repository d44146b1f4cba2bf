"""One module for each revision of the schema. None is ever changed."""
