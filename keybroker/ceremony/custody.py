"""What does one custodian keep? A directory of his own: who he is, where his keys are, and the envelopes he holds.

    custodian.json             name, token, both certificates; nothing secret
    held/SET-INDEX-KEY.cms     one share, sealed to the receiving key KEY (of certificate and set the first 16 digits)
    held/SET-INDEX-KEY.sender  the certificate (DER) of who signed it, where it was signed

Every file is for its owner alone. A share is opened in memory, looked at, and never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from keybroker.ceremony.cms_form import unfit
from keybroker.ceremony.file_key import FileKey, Passphrase
from keybroker.ceremony.person_key import Now, PersonKey
from keybroker.ceremony.share import Share, read_share, wrong_custodian
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.token_key import AskPin, TokenKey
from keybroker.ceremony.token_request import At, Place
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.durable import write_durably
from keybroker.statement.said import Name, Table

_FILE = "custodian.json"
_SEQUENCE = b"\x30"
_PREFIX = 16


class Custodian(Table):
    """``place`` is None for keys in files, which are then in the same directory, named for ``label``. ``number`` counts
    the receiving keys from 1."""

    form: Literal["keybroker custodian v1"] = "keybroker custodian v1"
    name: Name
    place: Place | None
    signing: At
    receiving: At
    number: Annotated[int, Field(ge=1)] = 1

    @property
    def certificate(self) -> bytes:
        return bytes.fromhex(self.signing.certificate)

    @property
    def receiving_certificate(self) -> bytes:
        return bytes.fromhex(self.receiving.certificate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One envelope. ``sender`` is the certificate of who signed the share, None where nobody did."""

    envelope: Path
    sender: bytes | None

    @property
    def share(self) -> str:
        """SET-INDEX: the same for every envelope of one share."""
        return self.envelope.name.rpartition("-")[0]


def write_custodian(directory: Path, custodian: Custodian) -> None:
    """Raises: LedgerUnavailable where it cannot be written."""
    write_durably(directory / _FILE, custodian.model_dump_json(indent=1).encode() + b"\n", private=True)


def read_custodian(directory: Path) -> Custodian:
    """Raises: ConfigurationInvalid where nobody was enrolled in this directory."""
    try:
        return Custodian.model_validate_json((directory / _FILE).read_bytes())
    except FileNotFoundError as error:
        raise ConfigurationInvalid(f"nobody was enrolled in {directory}: keybroker custodian enrol") from error
    except ValidationError as error:
        raise ConfigurationInvalid(f"{directory / _FILE} is not as it was written") from error


def is_enrolled(directory: Path) -> bool:
    return (directory / _FILE).exists()


def keys_of(directory: Path, custodian: Custodian, *, pin: AskPin, passphrase: Passphrase, now: Now) -> PersonKey:
    """The custodian's keys, where they are."""
    if custodian.place is not None:
        return TokenKey(
            name=custodian.name,
            place=custodian.place,
            signing=custodian.signing,
            receiving=custodian.receiving,
            pin=pin,
            now=now,
        )
    return FileKey(
        name=custodian.name,
        certificate=custodian.certificate,
        receiving_certificate=custodian.receiving_certificate,
        signing_key=directory / f"{custodian.signing.label}.key",
        receiving_key=directory / f"{custodian.receiving.label}.key",
        now=now,
        passphrase=passphrase,
    )


def open_share(envelope: bytes, key: PersonKey, *, sender: bytes | None) -> Share:
    """The custodian's own share, held against its set. ``sender``: the certificate of who must have signed it, None
    where it is not signed.

    Raises: CmsUnfit for another's, a changed, or otherwise signed one; ShareUnfit; as ``PersonKey.open``.
    """
    octets = key.open(envelope)
    signed = octets.startswith(_SEQUENCE)
    if signed != (sender is not None):
        raise unfit(*(("the certificate of who signed the share", "none") if signed else ("a signed share", "another")))
    share = read_share(verify(octets, certificates=sender).octets if sender is not None else octets)
    if share.custodian != key.name:
        raise wrong_custodian(share.share_set.shares[share.index - 1], key.name)
    return share


def held_by(directory: Path, custodian: Custodian) -> Sequence[Held]:
    """What is sealed to the present receiving key."""
    found = sorted((directory / "held").glob(f"*-{_short(custodian.receiving_certificate)}.cms"))
    return tuple(_held(each) for each in found)


def everything_held(directory: Path) -> Sequence[Held]:
    """Also what is sealed to a receiving key that was, or was to be."""
    return tuple(_held(each) for each in sorted((directory / "held").glob("*.cms")))


def hold(directory: Path, custodian: Custodian, envelope: bytes, share: Share, *, sender: bytes | None) -> Held:
    """Keep an envelope, durably, for the owner alone. Raises: LedgerUnavailable where it cannot be written."""
    stem = f"{share.set_sha256.hex()[:_PREFIX]}-{share.index}-{_short(custodian.receiving_certificate)}"
    place = directory / "held" / f"{stem}.cms"
    if sender is not None:
        write_durably(place.with_suffix(".sender"), sender, private=True)
    return Held(envelope=write_durably(place, envelope, private=True), sender=sender)


def let_go(held: Held) -> None:
    """Remove an envelope; one that is gone is gone."""
    held.envelope.unlink(missing_ok=True)
    held.envelope.with_suffix(".sender").unlink(missing_ok=True)


def _held(envelope: Path) -> Held:
    sender = envelope.with_suffix(".sender")
    return Held(envelope=envelope, sender=sender.read_bytes() if sender.exists() else None)


def _short(certificate: bytes) -> str:
    return sha256(certificate).hexdigest()[:_PREFIX]
