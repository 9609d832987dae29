"""Listening sockets, opened before anything starts so that a taken port is a sentence and not a traceback."""

import errno
import socket

from mturkhub.command.refusals import CannotStart


def listen(host: str, port: int, *, variable: str) -> socket.socket:
    """A socket that listens on the address, for a web server to inherit; raises CannotStart."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotStart(f"MTURKHUB_BIND={host} is no address of this machine: {error.strerror}.") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CannotStart(_sentence(error, host, port, variable)) from error
    listener.listen(512)
    return listener


def _sentence(error: OSError, host: str, port: int, variable: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. "
            f"Stop that program, or set {variable} to a free port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} may only be opened by root. Set {variable} to a port above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"MTURKHUB_BIND={host} is no address of this machine. Set it to one that is, or leave it unset."
        )
    return f"Port {port} on {host} cannot be opened: {error.strerror}. Set {variable} to another port."
