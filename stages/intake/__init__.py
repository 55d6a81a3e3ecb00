"""What the ingest stage does with items: tables in parts, erasure, language, canaries, counts."""
