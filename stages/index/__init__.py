"""Index: the reply base, searchable."""
