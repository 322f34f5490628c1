"""What is a key between two modules? Its ciphertext, and what it is said to be; nothing of it is secret. Pure.

The octets are canonical JSON (as records are), so that their SHA-256 stands in approvals, entries and share sets. Who
wrote it is for signatures over it to say: whoever knows the destination's public key can make one, so the destination
compares what it unwrapped with the identity that was approved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from keybroker.errors import ContentMalformed
from keybroker.hsm.profile_sections import Payload
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose

POINT_OCTETS, IDENTIFIER_OCTETS = 65, 20
_VERSION = 1
_SOURCE = "docs/hsm.md"

encode_json: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """``blob``: the private key, or the symmetric key, under an AES-256 key (RFC 5649); ``wrapped_wrapping_key``: that
    AES key under the recipient's RSA-3072 key by OAEP.

    ``identity``: the public point (65 octets), or a symmetric key's CKA_ID (20). ``check``: of a symmetric key, the
    source's ``possession`` proof over the blob's SHA-256 (27 octets), empty for a pair, whose public key says as much.
    ``authentication``: the DLMS authentication key under the same AES key, empty where there is none. ``key_wrap`` and
    ``oaep`` are the source's mechanisms, ``payload`` what its ciphertext holds.
    """

    label: KeyLabel
    purpose: KeyPurpose
    algorithm: KeyAlgorithm
    identity: bytes
    blob: bytes
    wrapped_wrapping_key: bytes
    authentication: bytes
    check: bytes
    key_wrap: str
    oaep: WrapMechanism
    payload: Payload
    source_serial: str

    @property
    def sha256(self) -> bytes:
        """Of ``encode_wrapped_key``."""
        return hashlib.sha256(encode_wrapped_key(self)).digest()

    def for_another(self, wrapped_wrapping_key: bytes, oaep: WrapMechanism) -> WrappedKey:
        """The same blob with its AES key under another RSA key: how a quorum gives it to a module."""
        return replace(self, wrapped_wrapping_key=wrapped_wrapping_key, oaep=oaep)


_Hex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$", max_length=4096)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[ -~]*$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    v: Literal[1]
    label: _Text
    purpose: Annotated[KeyPurpose, Field(strict=False)]
    algorithm: Annotated[KeyAlgorithm, Field(strict=False)]
    identity: _Hex
    blob: _Hex
    wrapped_wrapping_key: _Hex
    authentication: _Hex
    check: _Hex
    key_wrap: Literal["AES_KEY_WRAP_PAD", "AES_KEY_WRAP_KWP"]
    oaep: Annotated[WrapMechanism, Field(strict=False)]
    payload: Annotated[Payload, Field(strict=False)]
    source_serial: _Text


def encode_wrapped_key(key: WrappedKey) -> bytes:
    """Canonical JSON: sorted names, no spaces, ASCII, octets in lower-case hex."""
    body = {
        "v": _VERSION,
        "label": key.label,
        "purpose": key.purpose.value,
        "algorithm": key.algorithm.value,
        "identity": key.identity.hex(),
        "blob": key.blob.hex(),
        "wrapped_wrapping_key": key.wrapped_wrapping_key.hex(),
        "authentication": key.authentication.hex(),
        "check": key.check.hex(),
        "key_wrap": key.key_wrap,
        "oaep": key.oaep.value,
        "payload": key.payload.value,
        "source_serial": key.source_serial,
    }
    return encode_json(body).encode("ascii")


def read_wrapped_key(octets: bytes) -> WrappedKey:
    """Raises: ContentMalformed for octets that ``encode_wrapped_key`` would not write."""
    try:
        form = _Form.model_validate(json.loads(octets.decode("ascii")))
    except (ValidationError, ValueError, RecursionError) as error:
        raise _malformed("what is not one") from error
    key = WrappedKey(
        label=KeyLabel(form.label),
        purpose=form.purpose,
        algorithm=form.algorithm,
        identity=bytes.fromhex(form.identity),
        blob=bytes.fromhex(form.blob),
        wrapped_wrapping_key=bytes.fromhex(form.wrapped_wrapping_key),
        authentication=bytes.fromhex(form.authentication),
        check=bytes.fromhex(form.check),
        key_wrap=form.key_wrap,
        oaep=form.oaep,
        payload=form.payload,
        source_serial=form.source_serial,
    )
    _check_whole(key)
    if encode_wrapped_key(key) != octets:
        raise _malformed("one that is not written canonically")
    return key


def _check_whole(key: WrappedKey) -> None:
    symmetric = key.algorithm is KeyAlgorithm.AES_GCM
    identity, payloads = (
        (IDENTIFIER_OCTETS, {Payload.RAW}) if symmetric else (POINT_OCTETS, set(Payload) - {Payload.RAW})
    )
    if len(key.identity) != identity or key.payload not in payloads:
        raise _malformed(f"an identity of {len(key.identity)} octets and {key.payload} for {key.algorithm}")
    if bool(key.check) != symmetric or (key.authentication and not symmetric):
        raise _malformed("a symmetric key's parts with a pair, or the reverse")
    if key.oaep not in (WrapMechanism.RSA_OAEP_SHA1, WrapMechanism.RSA_OAEP_SHA256):
        raise _malformed(f"{key.oaep} where RSA-OAEP is due")
    # RFC 5649 gives whole blocks of eight octets, two at least.
    if any(each and (len(each) % 8 or len(each) < 16) for each in (key.blob, key.authentication)):
        raise _malformed("a ciphertext that AES key wrap does not give")
    if not key.blob or not key.wrapped_wrapping_key:
        raise _malformed("one without its ciphertext")


def _malformed(found: str) -> ContentMalformed:
    return ContentMalformed(offset=0, expected="a wrapped key", found=found, source=_SOURCE)
