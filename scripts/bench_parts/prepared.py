"""What does a Supply Sensitive Check cost? Pre-Commands made before the clock runs, with their statements or without.

Both are the same message but for its counter, from the same caller, under the same key. The variant is a
'possibly' supply sensitive one that two people switched off (SEC G3.25): without a statement it is signed, and a
statement that comes all the same is judged and spent as one that was demanded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keybroker.cli.acting import acting
from keybroker.cli.dev.configuration import LEDGER_ORIGIN
from keybroker.cli.dev.deployment import Deployment
from keybroker.cli.dev.evidence import confirmed, read_attests, take_in
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.cli.dev.statements import ADMINISTRATORS, common
from keybroker.config import read_configuration
from keybroker.keys.standing import read_standing
from keybroker.pb import signing_pb2
from keybroker.statement.kind import StatementKind
from keybroker.statement.payloads import VariantNotSensitive
from keybroker.terms import EntityIdentifier

_CODE = (0x004B).to_bytes(2, "big")
"""ECS38, Update Randomised Offset Limit. The rest is the sample's: of a payload only what a threshold names is read."""
_CODE_AT = slice(31, 33)
_VARIANT = "7.12"
_DEVICE = EntityIdentifier(bytes.fromhex("027E570000D0D0D0"))
_LENGTH = 4

Check = Callable[[bytes, int], str]
"""The statement about a Pre-Command with that Originator Counter."""


def prepare(deployment: Deployment, key: str, file: Path, count: int, *, checked: bool) -> None:
    """So many new requests of the supplier, each with its own statement of the supplier's check system or with none."""
    held = deployment.keys[key]
    if held.eui is None:
        raise SystemExit(f"the key {key} speaks for no EUI")
    _switch_off(deployment)
    check = _check_system(deployment, held.party, held.eui) if checked else None
    first = time.time_ns()
    with file.open("wb") as out:
        for number in range(first, first + count):
            octets = _pre_command(held.eui, number)
            request = signing_pb2.SignPreCommandRequest(
                request_id=f"prepared-{number}",
                key=key,
                pre_command=octets,
                supply_sensitive_checks=() if check is None else (check(octets, number),),
            ).SerializeToString()
            out.write(len(request).to_bytes(_LENGTH, "big") + request)


def _switch_off(deployment: Deployment) -> None:
    """Two people say that the variant is not supply sensitive; on record, and counted from now on."""
    configuration = read_configuration(deployment.config_path)
    at = configuration.clock.now()
    with acting(configuration, "operator") as (journal, actor):
        with journal.ledger.read() as connection:
            if any(read_standing(connection).of(VariantNotSensitive, at)):
                return
        for name in ADMINISTRATORS:
            said = VariantNotSensitive(
                **common(LEDGER_ORIGIN, at, StatementKind.VARIANT_NOT_SENSITIVE),
                variant=_VARIANT,
                because="the benchmark signs the same with a check and without",
            )
            by = read_attests(deployment.directory / "evidence", name)
            take_in(journal, actor, said, by, configuration.people, at)


def _pre_command(originator: EntityIdentifier, number: int) -> bytes:
    octets = bytearray(sample_pre_command(originator, _DEVICE, number))
    octets[_CODE_AT] = _CODE
    return bytes(octets)


def _check_system(deployment: Deployment, party: str, user: EntityIdentifier) -> Check:
    attests = read_attests(deployment.directory / "evidence", f"{party}/check")

    def check(octets: bytes, number: int) -> str:
        return confirmed(
            attests,
            octets,
            variant=_VARIANT,
            user=user,
            device=_DEVICE,
            counter=number,
            confirmed_by="rule: the benchmark",
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
