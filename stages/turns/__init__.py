"""Turns: every turn's vector, once."""
