"""What the two sides of a transfer carry to each other, without modules: transcripts with the facts of its steps.

``an_offer``, ``a_package`` and ``a_proof`` give whole transcripts that everybody signed; ``changes`` put other facts
into a step's entry, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.ceremony.entry import Entry
from keybroker.ceremony.package import Offered, Packed, read_offer, read_package
from keybroker.ceremony.plan import CeremonyKind, PlanFile, Side, read_plan
from keybroker.ceremony.steps import RENOUNCE
from keybroker.hsm.profile_sections import Payload
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey, encode_wrapped_key
from keybroker.terms import KeyAlgorithm, KeyLabel, KeyPurpose
from tests.ceremony.made import a_plan, a_transcript
from tests.evidence import TEST_POINT

Changes = Mapping[str, Mapping[str, Any]]
NONE: Changes = {}
KEY = {
    "label": "recovery",
    "purpose": KeyPurpose.RECOVERY_COMMAND.value,
    "party": "dcc",
    "public_key_sha256": sha256(TEST_POINT).hexdigest(),
}
PLAN = a_plan(CeremonyKind.TRANSFER, keys=[KEY])
SOURCE_SERIAL, DESTINATION_SERIAL = "FAKE-0001", "FAKE-0002"

WRAPPED = encode_wrapped_key(
    WrappedKey(
        label=KeyLabel("recovery"),
        purpose=KeyPurpose.RECOVERY_COMMAND,
        algorithm=KeyAlgorithm.ECDSA,
        identity=TEST_POINT,
        blob=bytes(80),
        wrapped_wrapping_key=bytes(384),
        authentication=b"",
        check=b"",
        key_wrap="AES_KEY_WRAP_PAD",
        oaep=WrapMechanism.RSA_OAEP_SHA1,
        payload=Payload.PKCS8_ZERO_PADDED,
        source_serial=SOURCE_SERIAL,
    )
)
"""The file beside the package; its ciphertext is nothing."""


@cache
def spki() -> bytes:
    key = rsa.generate_private_key(65537, 3072).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def the_plan() -> PlanFile:
    return read_plan(PLAN)


def _offer() -> dict[str, Any]:
    return {
        "attested": "as those who sign saw",
        "complies": ["recovery: validated-module, open"],
        "evidence": [],
        "keeps_data": True,
        "mechanism": "pkcs11-wrap",
        "module": {"serial": DESTINATION_SERIAL, "level": 3},
        "oaep": ["RSA_OAEP_SHA1"],
        "payloads": ["pkcs8-zero-padded"],
        "wrapping_key": spki().hex(),
        "wrapping_key_sha256": sha256(spki()).hexdigest(),
    }


def moved(**changes: Any) -> dict[str, Any]:
    """The key in the package."""
    return {
        "activated_at": 1_768_000_000,
        "answer_sha256": None,
        "chain": ["3000"],
        "challenge": "ab" * 32,
        "eui": "02-7E-57-00-00-00-01-01",
        "evidence": [],
        "key": "recovery",
        "party": "dcc",
        "provenance": "generated",
        "public_key": TEST_POINT.hex(),
        "purpose": "recovery-command",
        "revoked_at": None,
        "uses": 7,
        "witness": None,
        "wrapped_sha256": sha256(WRAPPED).hexdigest(),
        **changes,
    }


def an_offer(changes: Changes = NONE, **more: Any) -> bytes:
    """After the destination's offer; ``more`` as ``a_transcript`` takes it."""
    facts = _with({"offer-wrapping-key": lambda _: _offer()}, changes)
    return a_transcript(PLAN, **{"side": Side.DESTINATION, "steps": 3, "change": facts, **more})


def offered() -> Offered:
    return read_offer(an_offer(), the_plan())


def a_package(changes: Changes = NONE, **more: Any) -> bytes:
    """After the source's wrap."""
    offer = offered().entry_sha256
    key = {"before": "active", "key": "recovery", "public_key": TEST_POINT.hex()}
    withheld = {"destination": "dcc-live-systems-b", "irrevocable": "for ever", "keys": [key], "offer": offer}
    wrapped = {"keys": [moved()], "mechanism": "pkcs11-wrap", "offer": offer, "serial": SOURCE_SERIAL}
    steps: Mapping[str, Callable[[Entry], dict[str, Any]]] = {
        "withhold-key": lambda _: withheld,
        "wrap-key": lambda entry: {**wrapped, "withheld": entry.previous},
    }
    facts = _with(steps, changes)
    return a_transcript(PLAN, **{"side": Side.SOURCE, "steps": 5, "change": facts, **more})


def packed() -> Packed:
    return read_package(a_package(), the_plan(), offer_sha256=offered().entry_sha256)


def a_proof(changes: Changes = NONE, **more: Any) -> bytes:
    """After the destination's activation."""
    package = packed()
    proof = {"by": "request", "key": "recovery", "proof": "3000"}
    activated = {"keys": [proof], "withheld": package.withheld_sha256, "wrapping_key": "destroyed"}
    steps: Mapping[str, Callable[[Entry], dict[str, Any]]] = {
        "offer-wrapping-key": lambda _: _offer(),
        "import-key": lambda _: imported(package),
        "activate-transferred": lambda _: activated,
    }
    facts = _with(steps, changes)
    return a_transcript(PLAN, **{"side": Side.DESTINATION, "steps": 5, "change": facts, **more})


def imported(package: Packed) -> dict[str, Any]:
    """Facts of ``import-key``."""
    return {
        "certificates": "treated as issued in respect of dcc-live-systems-b (G2.22H)",
        "keys": [{"evidence": [], "key": "recovery", "public_key": TEST_POINT.hex()}],
        "package": package.sha256,
        "serial": DESTINATION_SERIAL,
        "withheld": package.withheld_sha256,
    }


def renounced_key(**changes: Any) -> dict[str, Any]:
    """The key in the renunciation."""
    return {
        "cannot_be_proven": ["that no other module holds a copy"],
        "destroyed": [],
        "key": "recovery",
        "public_key_sha256": sha256(TEST_POINT).hexdigest(),
        "searched": 3,
        "state": None,
        **changes,
    }


def a_renunciation(changes: Changes = NONE, **more: Any) -> bytes:
    """After the destination's import, or before with ``steps`` 3 and the package None."""
    package = packed()
    renounced = {
        "because": "the contract lasts",
        "irrevocable": "none of its keys is here",
        "keys": [renounced_key()],
        "offer": offered().entry_sha256,
        "package": package.sha256,
        "serial": DESTINATION_SERIAL,
        "wrapping_key": "destroyed",
    }
    steps: Mapping[str, Callable[[Entry], dict[str, Any]]] = {
        "offer-wrapping-key": lambda _: _offer(),
        "import-key": lambda _: imported(package),
        "renounce": lambda _: renounced,
    }
    said = {"side": Side.DESTINATION, "steps": 4, "state": "aborted", "ends": (RENOUNCE,)}
    return a_transcript(PLAN, **{**said, "change": _with(steps, changes), **more})


def _with(steps: Mapping[str, Callable[[Entry], dict[str, Any]]], changes: Changes) -> Callable[[Entry], Entry]:
    def change(entry: Entry) -> Entry:
        if entry.step not in steps:
            return entry
        return replace(entry, facts={**steps[entry.step](entry), **changes.get(entry.step, {})})

    return change
