"""The names by which a server is known."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import ip_address


class Names:
    """Those of this machine, and every address.

    A name that somebody else has given to this address (DNS rebinding) would let the pages of
    their web site read the answers. An address is no such name.

    Args:
        more: names beside `localhost` and the machine's own.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        names = ("localhost", socket.gethostname(), *more)
        self._names = frozenset(name.lower().rstrip(".") for name in names if name)

    def __contains__(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names an address or this machine."""
        name = re.sub(r":\d*$", "", host.lower()).rstrip(".")
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
