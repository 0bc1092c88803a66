# SPDX-License-Identifier: GPL-2.0
"""The part of gdb needed to talk to a stub: the remote protocol, "gdb Remote Serial Protocol" in
gdb's manual.
"""

import socket
import time

CONNECT_SECONDS = 30


class Stub:
    """A stub that listens on a socket, in a `with` block."""

    def __init__(self, path, timeout):
        self.path, self.timeout = str(path), timeout
        self.socket, self.received = None, b""

    def __enter__(self):
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(self.timeout)
            try:
                self.socket.connect(self.path)
                return self
            except OSError:
                self.socket.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, packet):
        """Sends a packet; returns the answer, which may not come until the guest stops."""
        data = packet.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) % 256))
        while self._byte() != b"$":
            pass
        answer = b""
        while (byte := self._byte()) != b"#":
            answer += byte
        # The checksum: nothing is lost on the way.
        self._byte()
        self._byte()
        self.socket.sendall(b"+")
        return answer.decode()

    def memory(self, address, size):
        """Returns memory at a virtual address."""
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def _byte(self):
        """Returns the next byte."""
        byte = self.socket.recv(1)
        if not byte:
            raise EOFError("the stub hung up")
        return byte
