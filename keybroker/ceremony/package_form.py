"""What do the entries say that carry a transfer from one side to the other? Their facts, read strictly. Pure.

The offer of the destination, the source's suspension and its package, the destination's import and its proof: each is
the facts of one step's entry, which that side's people signed (SEC G2.22G-G2.22I). Octets are lower-case hexadecimal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from keybroker.ceremony.plan import Label
from keybroker.statement.said import LATEST, Eui, Name, Serial, Sha256, Table, Words
from keybroker.terms import KeyPurpose, KeyState, Provenance

CHALLENGE_OCTETS, POINT_OCTETS = 32, 65

_Octets = StringConstraints(pattern=r"^([0-9a-f]{2})+$", max_length=16_384)
Hex = Annotated[str, _Octets]
_Seconds = Annotated[int, Field(ge=0, le=LATEST)]
_Mechanism = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]


class Offer(Table):
    """Facts of ``offer-wrapping-key``. ``wrapping_key``: SubjectPublicKeyInfo (DER), None where the maker's tool moves
    the key. What the destination's module does: ``oaep``, of RSA-OAEP; ``payloads``, what it unwraps; ``keeps_data``,
    data objects, as a DLMS authentication key is one. ``complies``: what was found of its system; ``evidence``:
    SHA-256 of the statements about its module.
    """

    mechanism: _Mechanism
    module: dict[str, str | int]
    complies: list[Words]
    evidence: list[Sha256]
    wrapping_key: Hex | None
    wrapping_key_sha256: Sha256 | None
    oaep: list[str]
    payloads: list[str]
    keeps_data: bool
    attested: Words


class WithheldKey(Table):
    """``before``: its state until then."""

    key: Label
    public_key: Hex
    before: Annotated[KeyState, Field(strict=False)]


class Withheld(Table):
    """Facts of ``withhold-key``: the source's irrevocable word that it uses the keys no more. ``offer`` is SHA-256 of
    the destination's entry that it answers."""

    destination: Name
    offer: Sha256
    keys: list[WithheldKey]
    irrevocable: Words


class MovedKey(Table):
    """A key and what belongs to it, as the source's register has it (SEC G2.22G: "other associated information").

    ``chain``: certificates (DER), the key's own first; ``activated_at``, ``revoked_at`` in seconds; ``uses``: how often
    it was used until then. ``wrapped_sha256``: of the file with the wrapped key, None where the maker's tool moves it;
    ``evidence`` is then of what the tool showed. ``challenge`` (32 octets) is to be answered by the destination; of a
    Key Agreement key with ``witness`` (65 octets), the right answer hashing to ``answer_sha256``.
    """

    key: Label
    purpose: Annotated[KeyPurpose, Field(strict=False)]
    party: Name
    eui: Eui | None
    public_key: Hex
    provenance: Annotated[Provenance, Field(strict=False)]
    activated_at: _Seconds | None
    uses: Annotated[int, Field(ge=0, lt=2**53)]
    chain: Annotated[list[Hex], Field(max_length=8)]
    revoked_at: _Seconds | None
    wrapped_sha256: Sha256 | None
    evidence: list[Sha256]
    challenge: Hex
    witness: Hex | None
    answer_sha256: Sha256 | None


class Wrapped(Table):
    """Facts of ``wrap-key``. ``offer`` and ``withheld`` are SHA-256 of entries."""

    mechanism: _Mechanism
    offer: Sha256
    withheld: Sha256
    serial: Serial
    keys: list[MovedKey]


class ImportedKey(Table):
    key: Label
    public_key: Hex
    evidence: list[Sha256]


class Imported(Table):
    """Facts of ``import-key``. ``package`` and ``withheld`` are SHA-256 of the source's entries."""

    package: Sha256
    withheld: Sha256
    serial: Serial
    keys: list[ImportedKey]
    certificates: Words


class RenouncedKey(Table):
    """``public_key_sha256``: its fingerprint, as planned. ``destroyed``: what of it stood in the module, none where
    nothing did; ``searched``: how many objects the last search showed; ``state``: in the register before, None where it
    never was there; ``cannot_be_proven``: what no search shows."""

    key: Label
    public_key_sha256: Sha256
    destroyed: Annotated[list[Words], Field(max_length=16)]
    searched: Annotated[int, Field(ge=0, lt=2**53)]
    state: Annotated[KeyState, Field(strict=False)] | None
    cannot_be_proven: list[Words]


class Renounced(Table):
    """Facts of ``renounce``: the destination's word that nothing of these keys is there, and that what was wrapped to
    it opens nowhere. ``offer`` is SHA-256 of its own entry, None where it gave none; ``package`` of the source's that
    was imported, None where none was."""

    because: Words
    irrevocable: Words
    keys: list[RenouncedKey]
    offer: Sha256 | None
    package: Sha256 | None
    serial: Serial
    wrapping_key: Words


class Possession(Table):
    """``proof``: a Certificate Signing Request (DER), a tag over the challenge (16 octets), or drawn octets and a tag
    over it (27 octets)."""

    key: Label
    by: Literal["request", "agreement", "symmetric"]
    proof: Hex


class Activated(Table):
    """Facts of ``activate-transferred``."""

    withheld: Sha256
    keys: list[Possession]
    wrapping_key: Words
