"""What every CryptographicModule does with keys besides signing: the fake, SoftHSM and NSS alike.

The fake agrees keys by CKD_SHA256_KDF_SP800, SoftHSM by C_DigestKey, NSS by concatenating inside the module.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from itertools import count

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keybroker.content.ciphered_apdu import CipheredApdu, encode_apdu
from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.errors import ModuleDisagrees, ProtectionInvalid
from keybroker.ledger.model import Failure, Product, Signature
from keybroker.policy.model import RegisteredKey
from keybroker.terms import ContentKind, KeyPurpose
from tests import messages
from tests.agreed import DEVICE_KEY, beside
from tests.hsm.intents import a_register, a_registered_key, an_intent, an_intent_on
from tests.hsm.registered import a_bare_key
from tests.hsm.subjects import Subject
from tests.hsm.uses import Device, other_information
from tests.situations import a_point

MAC, PREPAYMENT, SMETS1 = (
    KeyPurpose.ACCESS_CONTROL_BROKER_MAC,
    KeyPurpose.SUPPLIER_PREPAYMENT,
    KeyPurpose.DCO_SMETS1,
)
GET = bytes.fromhex("C001C100030100010800FF0200")
GLO_GET_RESPONSE = 0xCC
_versions = count(9001)


@dataclass(frozen=True, slots=True)
class Served:
    subject: Subject
    key: RegisteredKey

    def answers(self, *contents: Content, counter: int | None = None) -> list[Product | Signature | Failure]:
        return self.subject.module.use([an_intent_on(self.key, each, counter=counter) for each in contents])


def serve(subject: Subject, label: str, purpose: KeyPurpose) -> Served:
    """A key of this purpose, made in the module and served."""
    key = a_bare_key(label, subject.make_key_for(label, purpose), purpose, eui=messages.SUPPLIER)
    finding = subject.module.served(a_register(key, version=next(_versions)))[key.label]
    assert finding.passed, finding.found
    return Served(subject, key)


def a_command(counter: int = 1000) -> Content:
    inner = messages.compose_inner(messages.compose_command(counter=counter))
    return decode(ContentKind.COMMAND_BEFORE_MAC, inner, beside())


def a_top_up(counter: int = 1 << 32) -> Content:
    octets = messages.SUPPLIER.octets + messages.DEVICE.octets + struct.pack(">QBH", counter, 1, 100)
    return decode(ContentKind.PREPAYMENT_TOP_UP, octets, beside())


def a_request() -> Content:
    return decode(ContentKind.SMETS1_INSTRUCTION, messages.SUPPLIER.octets + GET)


def a_response(protected: bytes) -> Content:
    """From the Device whose system title is that of our key, so that it opens what the key protected."""
    apdu = CipheredApdu(
        frame=GLO_GET_RESPONSE,
        system_title=None,
        counter=int.from_bytes(protected[:4], "big"),
        ciphertext=protected[4:-12],
        tag=protected[-12:],
    )
    return decode(ContentKind.SMETS1_RESPONSE, messages.SUPPLIER.octets + encode_apdu(apdu))


def a_device_response(key: RegisteredKey, counter: int = 9, *, spoilt: bool = False) -> Content:
    """A Response of the Device to our key, in its MAC."""
    inner = bytearray(
        messages.compose_inner(
            messages.compose_command(originator=messages.DEVICE, recipient=messages.SUPPLIER, counter=counter)
        )
    )
    inner[2] = 2
    information = other_information(2, counter, originator=messages.DEVICE.octets, recipient=messages.SUPPLIER.octets)
    mac = Device(key.public_key, DEVICE_KEY).aes_gcm(information)
    tag = mac.encrypt(messages.DEVICE.octets + bytes(4), b"", bytes.fromhex("110000000000") + inner)[:12]
    tag = bytes([tag[0] ^ spoilt]) + tag[1:]
    return decode(ContentKind.PROTECTED_RESPONSE, messages.wrap_in_mac(bytes(inner), tag), beside())


def agreed(key: RegisteredKey, counter: int) -> AESGCM:
    information = other_information(
        counter=counter, originator=messages.SUPPLIER.octets, recipient=messages.DEVICE.octets
    )
    return Device(key.public_key, DEVICE_KEY).aes_gcm(information)


def test_does_nothing_with_a_key_that_is_not_the_one_judged(subject: Subject, label: str) -> None:
    served = serve(subject, label, MAC)
    other = Served(subject, replace(served.key, public_key=a_point()))
    (answer,) = other.answers(a_command())
    assert isinstance(answer, Failure)
    assert isinstance(answer.error, ModuleDisagrees)
    assert not answer.error.used


def test_opens_nothing_of_which_one_bit_differs(subject: Subject, label: str) -> None:
    served = serve(subject, label, SMETS1)
    (made,) = served.answers(a_request(), counter=7)
    assert isinstance(made, Product)
    (protected,) = made.outputs
    for at in (3, 4, len(protected) - 1):
        spoilt = bytearray(protected)
        spoilt[at] ^= 1
        (answer,) = served.answers(a_response(bytes(spoilt)))
        assert isinstance(answer, Failure)
        assert isinstance(answer.error, ProtectionInvalid)


def test_tells_a_right_mac_from_a_wrong_one(subject: Subject, label: str) -> None:
    served = serve(subject, label, KeyPurpose.USER_KEY_AGREEMENT)
    right, wrong = served.answers(a_device_response(served.key), a_device_response(served.key, spoilt=True))
    assert isinstance(right, Product)
    assert (right.outputs, right.kept) == ((), False)
    assert isinstance(wrong, Failure)
    assert isinstance(wrong.error, ProtectionInvalid)


def test_spends_an_intent_that_is_no_signature(subject: Subject, label: str) -> None:
    intent = an_intent_on(serve(subject, label, MAC).key, a_command())
    subject.module.use([intent])
    with pytest.raises(RuntimeError, match="spent"):
        subject.module.use([intent])


def test_makes_the_mac_of_each_command_and_answers_in_order_among_signatures(subject: Subject, label: str) -> None:
    signing = a_registered_key(f"{label}-signing", subject.make_key(f"{label}-signing"))
    key = a_bare_key(label, subject.make_key_for(label, MAC), MAC, eui=messages.SUPPLIER)
    assert all(
        each.passed for each in subject.module.served(a_register(key, signing, version=next(_versions))).values()
    )
    counters = (5, 6, 7)
    intents = [intent for each in counters for intent in (an_intent_on(key, a_command(each)), an_intent(signing, each))]

    answers = subject.module.use(intents)

    assert [each.intent for each in answers] == intents
    assert [type(each) for each in answers] == [Product, Signature] * 3
    for counter, answer in zip(counters, answers[::2], strict=True):
        assert isinstance(answer, Product)
        content = answer.intent.permit.decision.content
        authenticated = bytes.fromhex("110000000000") + content.octets
        mac = agreed(key, counter).encrypt(messages.SUPPLIER.octets + bytes(4), b"", authenticated)
        assert (answer.outputs, answer.kept) == ((mac[:12],), True)
        assert answer.module_serial == subject.module.serial


def test_makes_a_whole_tag_for_a_prepayment_token(subject: Subject, label: str) -> None:
    served = serve(subject, label, PREPAYMENT)
    answers = served.answers(a_top_up(), a_top_up(2 << 32), a_top_up())
    outputs = [each.outputs for each in answers if isinstance(each, Product)]
    assert [len(tag) for (tag,) in outputs] == [16, 16, 16]
    assert outputs[0] == outputs[2] != outputs[1]


def test_protects_under_the_counter_of_the_ledger_and_opens(subject: Subject, label: str) -> None:
    served = serve(subject, label, SMETS1)
    (made,) = served.answers(a_request(), counter=0x01020304)
    assert isinstance(made, Product)
    (protected,) = made.outputs
    assert (protected[:4], len(protected), made.kept) == (b"\x01\x02\x03\x04", 4 + len(GET) + 12, True)
    (opened,) = served.answers(a_response(protected))
    assert isinstance(opened, Product)
    assert (opened.outputs, opened.kept) == ((GET,), False)
