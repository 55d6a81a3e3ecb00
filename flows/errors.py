"""Errors raised by flows."""


class FlowError(Exception):
    """A step of a flow failed; the message is meant for the person who ran it."""
