"""Sockets: bound before anything heavy is loaded, so that a port that is taken is told at once."""

from __future__ import annotations

import os
import socket

from rejoinder.errors import InputError


def bind(host: str, port: int) -> socket.socket:
    """Bind a socket.

    Args:
        host: name or address.
        port: 0 for any that is free.

    Returns:
        The socket, not yet listening.

    Raises:
        InputError: if it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        why = os.strerror(error.errno) if error.errno else "no such host"
        raise InputError(f"{host}:{port}: expected a free port, got: {why}. Next: another --port") from None
    bound.set_inheritable(True)
    return bound
