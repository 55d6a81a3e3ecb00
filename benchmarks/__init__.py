"""Measurements against other people's software, each one command that prints its own table."""
