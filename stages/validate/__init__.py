"""Validate: what messages must be like, row by row, as a whole and against the snapshot before."""
