"""Is the source that the clock is compared with the one that sets it? Then they always agree, and tell nothing.

Best effort: the files of chrony, systemd-timesyncd and ntpd where distributions put them, by the names in them. A
source under another name or address, a reference clock, DHCP and a hypervisor's clock are not seen: the operator has to
know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from keybroker.config.file import TimeTable, host_of, port_of
from keybroker.errors import ConfigurationInvalid

DISCIPLINING = (
    "/etc/chrony/chrony.conf",
    "/etc/chrony/conf.d/*.conf",
    "/etc/chrony/sources.d/*.sources",
    "/etc/chrony.conf",
    "/etc/chrony.d/*.conf",
    "/etc/systemd/timesyncd.conf",
    "/etc/systemd/timesyncd.conf.d/*.conf",
    "/etc/ntp.conf",
    "/etc/ntpsec/ntp.conf",
)

_SERVERS = re.compile(r"^\s*(?:server|pool|peer)\s+(?:-[46]\s+)?(\S+)", re.IGNORECASE | re.MULTILINE)
_TIMESYNCD = re.compile(r"^\s*(?:Fallback)?NTP\s*=(.*)$", re.MULTILINE)
_NTP_PORT = 123


def hosts_named_in(text: str) -> frozenset[str]:
    """Every time server that such a file names, lower case, without the dot of the root."""
    named = _SERVERS.findall(text) + [host for hosts in _TIMESYNCD.findall(text) for host in hosts.split()]
    return frozenset(host.strip("[]").rstrip(".").lower() for host in named)


def disciplining_files(patterns: Iterable[str] = DISCIPLINING, *, root: Path = Path("/")) -> Mapping[str, str]:
    """The text of those of the files that can be read, by their paths."""
    found = {}
    for path in sorted(path for pattern in patterns for path in root.glob(pattern.lstrip("/"))):
        try:
            found[str(path)] = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return found


def check_another_source(table: TimeTable | None, files: Mapping[str, str]) -> None:
    """``files`` as ``disciplining_files`` answers them. Raises: ConfigurationInvalid (SEC G2.46, G2.47)."""
    if table is None:
        return
    source = host_of(table.source)
    if port_of(table.source) == _NTP_PORT and (source in ("localhost", "::1") or source.startswith("127.")):
        raise ConfigurationInvalid(
            f"{table.source} is this machine, which would be compared with itself (G2.46-G2.47)", where="time.source"
        )
    for path, text in files.items():
        if source in hosts_named_in(text):
            raise ConfigurationInvalid(
                f"{source} disciplines this machine's clock ({path} names it), so the two always agree: compare it with"
                " another one (G2.46-G2.47)",
                where="time.source",
            )
