"""gunicorn's threads with an end to their patience: a client that stops in the middle of a request frees its thread."""

import socket
import struct

from gunicorn.workers.gthread import TConn, ThreadWorker

# Seconds without a byte, in either direction. Slow lines are slow, but not silent.
SILENCE = 30


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Without this a thread waits for the rest of a request for ever, and sixteen such clients stop a site."""

    silence = SILENCE

    def handle(self, conn: TConn) -> object:
        # On the socket itself, for gunicorn sets its own timeouts anew for each request.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            conn.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", self.silence, 0))
        return super().handle(conn)
