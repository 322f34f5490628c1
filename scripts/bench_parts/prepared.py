"""What does a Supply Sensitive Check cost? Requests made before the clock runs, with their statements or without.

Both come from the same caller, under the same key, the same way: ECS43 (0x0050) opens the load switch and needs a
check, ECS70 (0x0062) sets a clock and needs none (SEC G3.25).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keybroker.cli.dev.configuration import LEDGER_ORIGIN, NODE
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import read_attests
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client.ssc import confirm
from keybroker.pb import signing_pb2
from keybroker.terms import EntityIdentifier

_CHECKED, _UNCHECKED = 0x0050, 0x0062
_VARIANT = "7.2"
_DEVICE = EntityIdentifier(bytes.fromhex("027E570000D0D0D0"))
_LENGTH = 4

Check = Callable[[bytes, int], str]
"""The statement about a Pre-Command with that Originator Counter."""


def prepare(deployment: Deployment, key: str, file: Path, count: int, *, checked: bool) -> None:
    """So many new requests of the supplier, each with its own statement of the supplier's check system or with none."""
    held = deployment.keys[key]
    if held.eui is None:
        raise SystemExit(f"the key {key} speaks for no EUI")
    code, check = (_CHECKED, _check_system(deployment, held.party, held.eui)) if checked else (_UNCHECKED, None)
    first = time.time_ns()
    with file.open("wb") as out:
        for number in range(first, first + count):
            octets = sample_pre_command(held.eui, _DEVICE, number, code)
            request = signing_pb2.SignPreCommandRequest(
                request_id=f"prepared-{number}",
                key=key,
                pre_command=octets,
                supply_sensitive_checks=() if check is None else (check(octets, number),),
            ).SerializeToString()
            out.write(len(request).to_bytes(_LENGTH, "big") + request)


def _check_system(deployment: Deployment, party: str, user: EntityIdentifier) -> Check:
    attests = read_attests(deployment.directory / "evidence", f"{party}/check")

    def check(octets: bytes, number: int) -> str:
        return confirm(
            octets,
            variant=_VARIANT,
            device=_DEVICE,
            user=user,
            request_id=f"{user}:{_DEVICE}:{number}",
            confirmed_by="rule: the benchmark",
            origin=LEDGER_ORIGIN,
            chain=(attests.name, f"{party}/head-end", NODE),
            certificate=attests.certificate,
            private_key=attests.sign,
        )

    return check


class Prepared:
    """The requests of such a file, each given once."""

    def __init__(self, file: Path) -> None:
        self._requests: Iterator[bytes] = iter(list(_read(file.read_bytes())))

    def next_request(self) -> signing_pb2.SignPreCommandRequest:
        request = next(self._requests, None)
        if request is None:
            raise SystemExit("the requests that were prepared did not last; expected more than twice what is needed")
        return signing_pb2.SignPreCommandRequest.FromString(request)


def _read(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        start = at + _LENGTH
        at = start + int.from_bytes(octets[at:start], "big")
        yield octets[start:at]
