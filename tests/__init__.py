"""Tests; the folders mirror the source."""

from rejoinder.process import configure_process

configure_process()  # pytest and `python -m faults` are programs of ours, and start more of them
