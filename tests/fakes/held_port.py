"""A loopback port that stays its owner's while nobody listens at it.

A server that is stopped for a while gives its port to whoever asks for any: another fake would answer in its place.
"""

import socket

HOST = "127.0.0.1"


class HeldPort:
    """It is held from here to `close`; connections are refused unless one of its listeners is open."""

    def __init__(self) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind((HOST, 0))
        self.number: int = self._holder.getsockname()[1]

    def listen(self) -> socket.socket:
        return socket.create_server((HOST, self.number), reuse_port=True)

    def close(self) -> None:
        self._holder.close()
