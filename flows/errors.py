"""Errors raised by flows."""

from rejoinder.errors import RejoinderError


class FlowError(RejoinderError):
    """A step of a flow failed; the message is meant for the person who ran it."""
