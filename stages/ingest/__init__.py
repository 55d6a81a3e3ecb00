"""Ingest: readers of raw logs, erasure, language, counts."""
