"""What does an operator at the machine do to a key? Generate, enrol, revoke, activate, suspend, resume, retire.

On a key in scope of SEC G3.23 each needs the order of a person (``--order``, or ``--person`` and ``--person-key``); the
refusal of an act without one says what an order for it names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.acting import acting
from keybroker.cli.by_order import Because, Label, act_with, by_order
from keybroker.cli.moments import read_moment
from keybroker.cli.options import Config, Json
from keybroker.cli.orders import OrderFile, PersonCertificate, PersonKey, SecondOrder
from keybroker.cli.output import show_receipt
from keybroker.cli.token import opened_token
from keybroker.config import Configuration, read_configuration
from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.attributes import key_identifier
from keybroker.hsm.generate import IDENTIFIER_OCTETS, generate_key
from keybroker.hsm.token_module import Token
from keybroker.keys.administration import (
    Act,
    ActivateKey,
    Actor,
    EnrolCertificate,
    KeyGenerated,
    OrderKey,
    ResumeKey,
    RetireKey,
    RevokeCertificate,
    SuspendKey,
    administer,
)
from keybroker.keys.life_acts import InstallKey, LabelKey
from keybroker.ledger.journal import Journal
from keybroker.ledger.model import Receipt
from keybroker.terms import EntityIdentifier, KeyLabel, KeyPurpose, PartyName, Provenance


def register(group: typer.Typer) -> None:
    group.command("generate")(generate)
    group.command("enrol")(enrol)
    group.command("revoke")(revoke)
    group.command("activate")(activate)
    group.command("suspend")(suspend)
    group.command("resume")(resume)
    group.command("retire")(retire)


def generate(
    key: Label,
    purpose: Annotated[KeyPurpose, typer.Option(help="What it is for; never changed.")],
    party: Annotated[str, typer.Option(help="Whose it is.")],
    config: Config,
    eui: Annotated[str | None, typer.Option(help="The EUI it speaks for; its certificate must name the same.")] = None,
    request: Annotated[
        bool, typer.Option(help="A Key Agreement key is to sign the request for its certificate (keys request).")
    ] = True,
    authentication: Annotated[
        bool, typer.Option("--authentication", help="With a DLMS authentication key beside a SMETS1 Symmetric Key.")
    ] = False,
    order: OrderFile = None,
    second_order: SecondOrder = None,
    person: PersonCertificate = None,
    person_key: PersonKey = None,
    as_json: Json = False,
) -> None:
    """Order a key and generate it in the module; asks for the PIN. It signs nothing before it is active."""
    configuration = read_configuration(config)
    label, identifier = KeyLabel(key), _eui(eui)
    with opened_token(configuration) as token, acting(configuration, party) as (journal, actor):
        wanted = OrderKey(label=label, purpose=purpose, party=PartyName(party), eui=identifier)
        act_with(configuration, journal, actor, wanted, ((order, person, person_key), second_order))
        identity, receipt = make_key(
            configuration, token, journal, actor, wanted, request=request, authentication=authentication
        )
    facts = {"key": label, "purpose": purpose, "party": party, "public_key": identity}
    show_receipt(facts, receipt, as_json=as_json)


def make_key(
    configuration: Configuration,
    token: Token,
    journal: Journal,
    actor: Actor,
    wanted: OrderKey,
    *,
    request: bool = True,
    authentication: bool = False,
) -> tuple[bytes, Receipt]:
    """Generate a key that was ordered; it bears its label and is in place where it was made. Gives what names it in the
    register, and the receipt of its generation. Raises: ModuleFault, LedgerFault.
    """
    at, policy, label = configuration.clock.now(), configuration.policies[wanted.purpose], wanted.label
    identity = generate_key(token, label, policy, signs_request=request, authentication=authentication)
    made = KeyGenerated(label=label, public_key=identity, provenance=Provenance.GENERATED)
    receipt = administer(journal, actor, made, at)
    module = token.identity.serial
    identifier = identity if len(identity) == IDENTIFIER_OCTETS else key_identifier(identity)
    administer(journal, actor, LabelKey(label=label, module=module, identifier=identifier), at)
    administer(journal, actor, InstallKey(label=label, module=module), at)
    return identity, receipt


@by_order
def enrol(
    configuration: Configuration,
    key: Label,
    certificates: Annotated[Path, typer.Argument(help="PEM: the key's certificate, then its issuers.", exists=True)],
) -> Act:
    """Give a key its certificate: the chain is verified up to an anchor of the configuration."""
    return EnrolCertificate(label=KeyLabel(key), chain=_chain(certificates), anchors=configuration.anchors)


@by_order
def revoke(
    configuration: Configuration,
    key: Label,
    at: Annotated[str, typer.Option("--at", help="Since when: 2026-03-01T09:30:00Z, not in the future.")],
    because: Because,
) -> Act:
    """The key's certificate was revoked: it cannot be used before another is enrolled, and this one never again."""
    since = read_moment(at, param="--at")
    if since > configuration.clock.now():
        raise typer.BadParameter(f"expected a moment that has come, found {at}", param_hint="--at")
    return RevokeCertificate(label=KeyLabel(key), revoked_at=since, because=because)


@by_order
def activate(_: Configuration, key: Label) -> Act:
    """From now on the key may sign."""
    return ActivateKey(label=KeyLabel(key))


@by_order
def suspend(_: Configuration, key: Label, because: Because) -> Act:
    """The key may not sign until it is resumed."""
    return SuspendKey(label=KeyLabel(key), because=because)


@by_order
def resume(_: Configuration, key: Label, because: Because) -> Act:
    """The key may sign again."""
    return ResumeKey(label=KeyLabel(key), because=because)


@by_order
def retire(_: Configuration, key: Label, because: Because) -> Act:
    """The key will never sign again."""
    return RetireKey(label=KeyLabel(key), because=because)


def _eui(text: str | None) -> EntityIdentifier | None:
    try:
        return None if text is None else EntityIdentifier.from_text(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected sixteen hexadecimal digits, found {text!r}", param_hint="--eui") from error


def _chain(file: Path) -> tuple[bytes, ...]:
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError as error:
        raise ConfigurationInvalid(
            "expected certificates in PEM, found none that can be read", where=str(file)
        ) from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
