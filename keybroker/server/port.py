"""Is the port ours? Proven free, then kept reserved while workers come and go, all bound to it with SO_REUSEPORT."""

from __future__ import annotations

import socket

from keybroker.errors import BrokerStopping, ConfigurationInvalid


def split_address(address: str, *, where: str) -> tuple[str, int]:
    """``host:port``, an IPv6 host in brackets. Raises: ConfigurationInvalid."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationInvalid(f"expected host:port, found {address}", where=where)
    return host.strip("[]"), int(port)


def reserve(address: str) -> tuple[socket.socket, str]:
    """A bound socket that does not listen (it keeps the port and takes no connection), and the address it stands for.

    Port 0 becomes one that is free. Raises: ConfigurationInvalid; BrokerStopping where another program has the port.
    """
    host, port = split_address(address, where="server.listen")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        # Alone first: with SO_REUSEPORT another program of this user could share the port unnoticed.
        with _bound(family, place, shared=False) as alone:
            place = alone.getsockname()
        kept = _bound(family, place, shared=True)
    except socket.gaierror as error:
        raise ConfigurationInvalid(f"{host} is no host", where="server.listen") from error
    except OSError as error:
        raise BrokerStopping(f"{address} cannot be had ({error.strerror}): is another broker running?") from error
    return kept, f"{address.rpartition(':')[0]}:{place[1]}"


def _bound(
    family: int, place: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes], *, shared: bool
) -> socket.socket:
    end = socket.socket(family, socket.SOCK_STREAM)
    # Connections of an earlier broker that wait for their end (TIME_WAIT) do not count; a listener does.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        end.bind(place)
    except OSError:
        end.close()
        raise
    return end
