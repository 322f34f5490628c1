"""What every CryptographicModule does: the fake, SoftHSM and NSS alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keybroker.errors import ModuleDisagrees
from keybroker.ledger.model import Failure, Signature
from tests.hsm.heads import a_head
from tests.hsm.intents import a_register, a_registered_key, an_intent
from tests.hsm.subjects import Subject
from tests.situations import a_point


def test_does_not_serve_a_key_it_does_not_hold(subject: Subject, label: str) -> None:
    key = a_registered_key(label, a_point())
    assert not subject.module.served(a_register(key, version=1001))[key.label].passed


def test_does_not_serve_a_key_whose_public_key_is_not_the_registers(subject: Subject, label: str) -> None:
    subject.make_key(label)
    key = a_registered_key(label, a_point())
    assert not subject.module.served(a_register(key, version=1002))[key.label].passed


def test_does_not_serve_one_of_two_keys_of_one_label(subject: Subject, label: str) -> None:
    key = a_registered_key(label, subject.make_key(label))
    subject.make_twin(label)
    finding = subject.module.served(a_register(key, version=1003))[key.label]
    assert (finding.passed, finding.found) == (False, "2")


def test_does_not_serve_a_key_that_is_weaker_than_its_purpose_demands(subject: Subject, label: str) -> None:
    key = a_registered_key(label, subject.make_weak_key(label))
    assert not subject.module.served(a_register(key, version=1004))[key.label].passed


def test_signs_nothing_with_a_key_that_is_not_the_one_judged(subject: Subject, label: str) -> None:
    key = a_registered_key(label, subject.make_key(label))
    subject.module.served(a_register(key, version=1005))
    (answer,) = subject.module.use([an_intent(replace(key, public_key=a_point()))])
    assert isinstance(answer, Failure)
    assert isinstance(answer.error, ModuleDisagrees)
    assert not answer.error.used


def test_spends_every_intent_on_use(subject: Subject, label: str) -> None:
    key = a_registered_key(label, subject.make_key(label))
    subject.module.served(a_register(key, version=1006))
    intent = an_intent(key)
    subject.module.use([intent])
    with pytest.raises(RuntimeError, match="spent"):
        subject.module.use([intent])


def test_signs_the_very_digest_of_each_intent_and_answers_in_order(subject: Subject, label: str) -> None:
    point = subject.make_key(label)
    key = a_registered_key(label, point)
    other = a_registered_key(f"{label}-b", subject.make_key(f"{label}-b"))
    served = subject.module.served(a_register(key, other, version=1007)).values()
    assert all(each.passed and each.expected and each.found for each in served)
    intents = [an_intent(each, counter) for counter, each in enumerate([key, other] * 5, start=1)]

    answers = subject.module.use(intents)

    assert [answer.intent for answer in answers] == intents
    for answer in answers:
        assert isinstance(answer, Signature)
        assert answer.module_serial == subject.module.serial
        # Checked by code that shares nothing with the module's own check.
        r, s = int.from_bytes(answer.octets[:32], "big"), int.from_bytes(answer.octets[32:], "big")
        public = ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), answer.intent.permit.decision.key.public_key
        )
        public.verify(encode_dss_signature(r, s), answer.intent.digest, ec.ECDSA(Prehashed(SHA256())))


def test_signs_an_empty_batch_with_an_empty_answer(subject: Subject) -> None:
    assert subject.module.use([]) == []


def test_looks_again_when_the_register_has_moved(subject: Subject, label: str) -> None:
    key = a_registered_key(label, a_point())
    assert not subject.module.served(a_register(key, version=1008))[key.label].passed
    key = a_registered_key(label, subject.make_key(label))
    assert subject.module.served(a_register(key, version=1009))[key.label].passed


def test_keeps_the_ledgers_head_and_never_an_older_one(subject: Subject) -> None:
    if not subject.keeps_anchor:
        subject.module.write_anchor(a_head(5))
        assert subject.module.read_anchor() is None
        return
    assert subject.module.read_anchor() is None
    for size in (5, 9, 9):
        subject.module.write_anchor(a_head(size))
    with pytest.raises(ModuleDisagrees, match="the ledger has 7 records"):
        subject.module.write_anchor(a_head(7))
    assert subject.module.read_anchor() == a_head(9)
    with pytest.raises(ModuleDisagrees):
        subject.module.write_anchor(a_head(10, origin="keybroker.example/another"))
    assert subject.module.read_anchor() == a_head(9)


def test_tells_what_it_is_with_white_space_stripped(subject: Subject) -> None:
    identity = subject.module.identity
    assert identity.serial == subject.module.serial
    told = (identity.manufacturer, identity.model, identity.firmware_version, identity.hardware_version)
    assert all(told)
    assert told == tuple(word.strip() for word in told)
