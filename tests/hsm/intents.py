"""Registered keys and Intents for the tests of modules, made the line's own way up to the ledger."""

from __future__ import annotations

import hashlib
from typing import Any

from keybroker.content.contents import Content
from keybroker.content.model import GbcsCommand
from keybroker.gates import open_gates
from keybroker.hsm.attributes import key_identifier
from keybroker.ledger.model import Intent, Receipt, RequestIdentity
from keybroker.policy.model import Decision, KeyRegister, RegisteredKey
from keybroker.terms import KeyLabel, KeyPurpose, RequestId
from tests.situations import (
    a_caller,
    a_certificate,
    a_content,
    a_key,
    a_permit,
    a_situation,
    evidence_of,
    packaged_policies,
)

SUPPLIER = KeyPurpose.SUPPLIER_PRE_COMMAND


def a_registered_key(label: str, point: bytes, purpose: KeyPurpose = SUPPLIER, **changes: Any) -> RegisteredKey:
    """An active key as the register would hold it after generation in the module."""
    key = a_key(purpose)
    certificate = a_certificate(purpose, subject_key_identifier=key_identifier(point)) if key.certificate else None
    return a_key(purpose, **{"label": KeyLabel(label), "public_key": point, "certificate": certificate} | changes)


def a_register(*keys: RegisteredKey, version: int = 1) -> KeyRegister:
    return KeyRegister(version=version, keys={key.label: key for key in keys})


def an_intent(key: RegisteredKey, counter: int = 1) -> Intent:
    """A durable intent to sign one message with this key; ``counter`` makes messages differ."""
    content = a_content(key.purpose, counter=counter)
    assert isinstance(content, GbcsCommand)
    permit = a_permit(key.purpose, content=content, key=key, caller=a_caller(key.purpose, keys=frozenset({key.label})))
    return Intent(
        identity=RequestIdentity(
            caller=permit.decision.caller,
            operation=permit.decision.situation.operation,
            key=key.label,
            request_id=RequestId(f"request-{counter}"),
            sha256=content.sha256,
        ),
        receipt=Receipt(origin="keybroker.example/tests/TEST", leaf_index=counter, leaf_hash=bytes(32)),
        digest=hashlib.sha256(content.to_be_signed).digest(),
        _permit=permit,
    )


def an_intent_on(key: RegisteredKey, content: Content, *, counter: int | None = None) -> Intent:
    """A durable intent to use this key on a content of any kind; ``counter`` is what the ledger gave.

    What policy has to say of it is not asked here: the Decision is made by hand, and modules never look at it.
    """
    policy = packaged_policies()[key.purpose]
    decision = Decision(
        content=content,
        key=key,
        caller=a_caller(),
        policy=policy,
        situation=a_situation(),
        findings=(),
    )
    return Intent(
        identity=RequestIdentity(
            caller=decision.caller,
            operation=decision.situation.operation,
            key=key.label,
            request_id=RequestId("request-1"),
            sha256=content.sha256,
        ),
        receipt=Receipt(origin="keybroker.example/tests/TEST", leaf_index=1, leaf_hash=bytes(32)),
        digest=content.sha256,
        _permit=open_gates(decision, evidence_of(key)),
        counter=counter,
    )
