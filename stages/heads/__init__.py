"""Heads: contexts and replies out of the vectors of turns."""
