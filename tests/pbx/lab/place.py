"""Which addresses has a pair? Three of 127.0.0.x, so that pairs stand side by side."""

import socket
from dataclasses import dataclass

from tests.pbx.lab.root import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The addresses of one pair. All lie on loopback: nothing can be dialled outside."""

    number: int

    @property
    def pbx(self) -> str:
        """Where the PBX speaks SIP and AMI; the world's AMI stands there too."""
        return self._at(1)

    @property
    def carrier(self) -> str:
        """Where customers come from."""
        return self._at(2)

    @property
    def phones(self) -> str:
        """Where the desk phones are."""
        return self._at(3)

    @property
    def ami(self) -> int:
        """The PBX's AMI port."""
        return 5038

    @property
    def world_ami(self) -> int:
        """The world's AMI port."""
        return 5039

    def _at(self, offset: int) -> str:
        return f"127.0.0.{10 * self.number + offset}"

    def free(self) -> bool:
        """Tell whether nobody listens here."""
        udp = [(socket.SOCK_DGRAM, at, 5060) for at in (self.pbx, self.carrier, self.phones)]
        tcp = [(socket.SOCK_STREAM, self.pbx, port) for port in (self.ami, self.world_ami)]
        return all(_can_bind(*door) for door in (*udp, *tcp))


def free_place(first: int = 1) -> Place:
    """Find addresses that nobody uses, from place `first` on; place 0 is left to the demo."""
    for number in range(first, 25):
        place = Place(number=number)
        if place.free():
            return place
    raise Missing("all of 127.0.0.1 to 127.0.0.243 are taken by other labs")


def _can_bind(kind: socket.SocketKind, host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as door:
        if kind is socket.SOCK_STREAM:  # a connection of yesterday must not look like a listener
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError:
            return False
        return True
