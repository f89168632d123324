"""Python runs this at its start where this folder is on its path: whatever goes out of this machine is written down."""

import sys
from typing import Any

_HERE = ("127.", "::1", "localhost", "0.0.0.0", "::")  # noqa: S104  names of this machine, nothing is bound


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    match event:
        case "socket.connect" | "socket.sendto":
            host = arguments[1][0] if isinstance(arguments[1], tuple) else None  # else a path on this machine
        case "socket.getaddrinfo" | "socket.gethostbyname":
            host = arguments[0]
        case _:
            return
    if host and not str(host).startswith(_HERE):
        sys.stderr.write(f"OUTSIDE: {event} {host}\n")


sys.addaudithook(_heard)
sys.stderr.write("Connections are watched.\n")
