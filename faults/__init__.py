"""Faults: what a release and its tools must survive, counted."""
