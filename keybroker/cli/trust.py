"""``keybroker trust``: whom does the broker trust, and until when is what it knows of revocations current?

``list`` shows the configured anchors and the held ARLs and CRLs; ``take-in`` gives it the next one, an act of the
operator at the machine that is recorded. A certificate whose issuer has no current list is not relied on, a key's own
included.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.acting import acting
from keybroker.cli.options import Config, Json
from keybroker.cli.output import show_json, show_receipt, show_table
from keybroker.config import Configuration, read_configuration, reading
from keybroker.errors import ConfigurationInvalid
from keybroker.keys.trust import HeldList, held_lists, take_in_revocation_list, warning
from keybroker.policy.trust import Anchor

_PEM = b"-----BEGIN "


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Anchors and revocation lists.", no_args_is_help=True)
    group.command("list")(list_trust)
    group.command("take-in")(take_in)
    app.add_typer(group, name="trust")


def list_trust(config: Config, as_json: Json = False) -> None:
    """The anchors, and the ARL or CRL that is held of each CA; says which should be renewed. Writes nothing."""
    configuration = read_configuration(config)
    at = configuration.clock.now()
    held = _held(configuration)
    if as_json:
        show_json({"anchors": _anchors(configuration), "lists": [_facts(each, at) for each in held]})
        return
    anchors = _anchors(configuration)
    show_table(("anchor", "for", "kind"), [(each["subject"], each["for"], each["kind"]) for each in anchors])
    columns = ("list of", "CRLNumber", "thisUpdate", "nextUpdate", "revoked", "warning")
    names = ("issuer", "number", "this_update", "next_update", "revoked", "warning")
    facts = [_facts(each, at) for each in held]
    show_table(columns, [[each[name] for name in names] for each in facts])


def take_in(
    file: Annotated[
        Path,
        typer.Argument(
            help="An ARL or CRL in DER or PEM. PEM may hold its issuer's certificates too, where no key's chain does.",
            exists=True,
            dir_okay=False,
        ),
    ],
    config: Config,
    as_json: Json = False,
) -> None:
    """Verify an ARL or CRL and rely on it from now on; its CRLNumber never falls."""
    configuration = read_configuration(config)
    der, chain = _read(file)
    with acting(configuration, "operator") as (journal, actor):
        at = configuration.clock.now()
        receipt = take_in_revocation_list(journal, actor, der, configuration.anchors, at, chain=chain)
    show_receipt({"act": "TakeInRevocationList"}, receipt, as_json=as_json)


def _held(configuration: Configuration) -> list[HeldList]:
    with reading(configuration) as ledger, ledger.read() as connection:
        return held_lists(connection, configuration.anchors)


def _anchors(configuration: Configuration) -> list[dict[str, str]]:
    groups = (("organisations", configuration.anchors), ("devices", configuration.device_anchors))
    return [_anchor(anchor, whose) for whose, anchors in groups for anchor in anchors]


def _anchor(anchor: Anchor, whose: str) -> dict[str, str]:
    subject = x509.load_der_x509_certificate(anchor.der).subject.rfc4514_string()
    return {"subject": subject, "for": whose, "kind": "TEST" if anchor.test else "live"}


def _facts(held: HeldList, at: datetime) -> dict[str, object]:
    """One list; of one that does not verify any more, only what its row says."""
    facts: dict[str, object] = {
        "issuer": held.issuer_identity.hex()[:16],
        "issuer_identity": held.issuer_identity,
        "number": held.number,
        "this_update": None,
        "next_update": None,
        "revoked": None,
        "warning": warning(held, at),
    }
    if held.relied_on is not None:
        names = ("issuer", "this_update", "next_update")
        facts |= {name: getattr(held.relied_on, name) for name in names}
        facts["revoked"] = len(held.relied_on.revoked)
    return facts


def _read(file: Path) -> tuple[bytes, tuple[bytes, ...]]:
    """The list in DER, and the certificates beside it. Raises: ConfigurationInvalid."""
    octets = file.read_bytes()
    if not octets.startswith(_PEM):
        return octets, ()
    try:
        der = x509.load_pem_x509_crl(octets).public_bytes(Encoding.DER)
        beside = x509.load_pem_x509_certificates(octets) if b"-----BEGIN CERTIFICATE-----" in octets else []
    except ValueError as error:
        raise ConfigurationInvalid(
            "expected an X509 CRL in PEM, found none that can be read", where=str(file)
        ) from error
    return der, tuple(certificate.public_bytes(Encoding.DER) for certificate in beside)
