"""``keybroker custodian check|receive|hand-back``: is this share mine, and intact? It is kept, proven, never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.ceremony.custody import Custodian, Held, held_by, hold, open_share, read_custodian
from keybroker.ceremony.guarded_memory import guard_memory
from keybroker.ceremony.person_key import PersonKey
from keybroker.ceremony.share import Share
from keybroker.ceremony.share_proof import proof_octets
from keybroker.cli.custodian_asking import PinAsked, PinCredential, PinDescriptor, PinEnvironment
from keybroker.cli.custodian_directory import Directory, own_keys
from keybroker.cli.custodian_showing import facts_of_share
from keybroker.cli.octets import check_writable, write_outputs
from keybroker.cli.options import Json
from keybroker.cli.output import show_facts, show_json
from keybroker.cli.stating import read_certificate

Envelope = Annotated[Path, typer.Argument(help="The envelope that you were given.", exists=True, dir_okay=False)]
Sender = Annotated[
    Path | None,
    typer.Option("--sender", help="The certificate of who signed the share in it, PEM.", exists=True, dir_okay=False),
]


def register(group: typer.Typer) -> None:
    group.command("check")(check)
    group.command("receive")(receive)
    group.command("hand-back")(hand_back)


def check(
    envelope: Envelope,
    directory: Directory,
    sender: Sender = None,
    pin_environment: PinEnvironment = None,
    pin_file_descriptor: PinDescriptor = None,
    pin_credential: PinCredential = None,
    as_json: Json = False,
) -> None:
    """Open an envelope and say whose share is in it, of which set, and that it is intact. Nothing is kept."""
    pin = PinAsked(environment=pin_environment, file_descriptor=pin_file_descriptor, credential=pin_credential)
    signer = _signer(sender)
    share = _opened(directory, envelope.read_bytes(), signer, pin)[1]
    _tell(facts_of_share(share, signer), as_json=as_json)


def receive(
    envelope: Envelope,
    directory: Directory,
    sender: Sender = None,
    pin_environment: PinEnvironment = None,
    pin_file_descriptor: PinDescriptor = None,
    pin_credential: PinCredential = None,
    as_json: Json = False,
) -> None:
    """The same, and keep the envelope in your directory, for you alone."""
    pin = PinAsked(environment=pin_environment, file_descriptor=pin_file_descriptor, credential=pin_credential)
    signer, octets = _signer(sender), envelope.read_bytes()
    custodian, share, _ = _opened(directory, octets, signer, pin)
    held = hold(directory, custodian, octets, share, sender=signer)
    _tell({**facts_of_share(share, signer), "held": held.share}, as_json=as_json)


def hand_back(
    directory: Directory,
    output: Annotated[Path, typer.Option("--output", "-o", help="Write the signed proof here.", dir_okay=False)],
    share: Annotated[
        str | None, typer.Option(help="Which one, as show lists it; needed where you hold several.")
    ] = None,
    pin_environment: PinEnvironment = None,
    pin_file_descriptor: PinDescriptor = None,
    pin_credential: PinCredential = None,
    as_json: Json = False,
) -> None:
    """Prove that a share you hold is intact: a statement signed by you, in which the share does not stand."""
    check_writable(output)
    pin = PinAsked(environment=pin_environment, file_descriptor=pin_file_descriptor, credential=pin_credential)
    held = _which(held_by(directory, read_custodian(directory)), share)
    _, opened, key = _opened(directory, held.envelope.read_bytes(), held.sender, pin)
    at = datetime.now(UTC).replace(microsecond=0)
    write_outputs(output, [pin.using(lambda: key.sign(proof_octets(opened, at)))])
    _tell({**facts_of_share(opened, held.sender), "proof": output, "at": at}, as_json=as_json)


def _opened(
    directory: Path, envelope: bytes, sender: bytes | None, pin: PinAsked
) -> tuple[Custodian, Share, PersonKey]:
    custodian = read_custodian(directory)
    guard_memory()
    key = own_keys(directory, custodian, pin)
    return custodian, pin.using(lambda: open_share(envelope, key, sender=sender)), key


def _signer(sender: Path | None) -> bytes | None:
    return None if sender is None else read_certificate(sender).public_bytes(Encoding.DER)


def _which(held: Sequence[Held], share: str | None) -> Held:
    """Raises: BadParameter unless exactly one is meant."""
    meant = [each for each in held if share in {None, each.share}]
    if len(meant) != 1:
        names = ", ".join(each.share for each in held) or "none"
        raise typer.BadParameter(f"expected one of the shares that you hold ({names})", param_hint="--share")
    return meant[0]


def _tell(facts: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        show_json(facts)
    else:
        show_facts(facts)
