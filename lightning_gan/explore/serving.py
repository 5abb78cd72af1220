"""Where the page listens, and how it ends."""

from __future__ import annotations

import errno
import ipaddress
import resource
import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from lightning_gan.errors import InputError

PORT = 8642
TRIED = 20  # ports, from PORT on, of which the first free one is taken
BACKLOG = 1024
ENDING_S = 3
FILES = 8192


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there.

    Raises:
        InputError: There is no such host.
    """
    return all(ipaddress.ip_address(address[0]).is_loopback for _, address in _addresses(host, 0))


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: Where.
        port: At which port; None: the first free one from 8642 on.

    Raises:
        InputError: The port is taken or not allowed, or this machine is not the host.
    """
    tried = range(PORT, PORT + TRIED) if port is None else (port,)
    family, address = _addresses(host, 0)[0]
    for each in tried:
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((address[0], each, *address[2:]))
            found.listen(BACKLOG)
        except OSError as error:
            found.close()
            if error.errno != errno.EADDRINUSE:
                raise InputError(
                    f"cannot listen at {host}, port {each}: {error.strerror}"
                ) from error
            continue
        return found
    if port is not None:
        raise InputError(
            f"port {port} is taken by another program; leave --port out, and a free one is found"
        )
    raise InputError(f"the ports {tried[0]} to {tried[-1]} are all taken; name one with --port")


def url(found: socket.socket) -> str:
    """Return the address to open on this machine."""
    host, port = found.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server(app: ASGIApp) -> uvicorn.Server:
    """Return what answers for an application: ``run(sockets=[...])``."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=ENDING_S,
        )
    )


def serve(app: ASGIApp, found: socket.socket) -> None:
    """Answer until Ctrl-C, or until SIGTERM ends the process."""
    # Each connection is an open file, and where there are no more, nothing works.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with suppress(KeyboardInterrupt):  # raised once more when all has ended
        server(app).run(sockets=[found])


def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InputError(f"there is no host {host!r}; try 127.0.0.1") from error
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]
