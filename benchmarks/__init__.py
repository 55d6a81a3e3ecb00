"""Measurements against other people's software, each one command that prints its own table."""

from rejoinder.process import configure_process

configure_process()  # here, before any of them imports what it measures
