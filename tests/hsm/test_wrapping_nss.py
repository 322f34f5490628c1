"""A key between SoftHSM and NSS softokn: what each takes of the other, and what it cannot give."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding, aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.attributes import KeyAttribute
from keybroker.hsm.connection import ObjectAttribute, Template
from keybroker.hsm.generate import generate_key
from keybroker.hsm.token_module import Token
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapping import wrap_key
from keybroker.hsm.wrapping_pair import make_wrapping_pair
from keybroker.ledger.model import Signature
from keybroker.terms import KeyLabel, KeyPurpose, Provenance
from tests.hsm.intents import a_registered_key, an_intent
from tests.hsm.registered import a_bare_key
from tests.hsm.transfer import (
    AGREEMENT,
    COMMAND,
    PAIR,
    SYMMETRIC,
    Transfer,
    a_recipient,
    labels,
    opened_by,
    sealed_to,
    served,
    unwrapped,
)
from tests.situations import a_policy

pytestmark = pytest.mark.hsm
A, OBJ = KeyAttribute, ObjectAttribute


@pytest.mark.nss
@pytest.mark.parametrize("oaep", [WrapMechanism.RSA_OAEP_SHA1])
@pytest.mark.parametrize("purpose", [COMMAND, AGREEMENT, SYMMETRIC])
def test_nss_takes_what_softhsm_wraps(
    transfer: Transfer, nss: Token, label: str, purpose: KeyPurpose, oaep: WrapMechanism
) -> None:
    recipient = make_wrapping_pair(nss, label)
    wrapped = transfer.wrapped(label, purpose, recipient)
    assert wrapped.oaep is oaep
    made = unwrap_key(nss, wrapped, a_policy(purpose), pair=label, label=KeyLabel(label))
    # NSS keeps no WRAP_WITH_TRUSTED, so there the key never leaves again.
    assert made.attributes[A.EXTRACTABLE] is False
    key = dataclasses.replace(a_bare_key(label, made.identity, purpose), provenance=Provenance.UNWRAPPED)
    assert served(nss, key)


@pytest.mark.nss
def test_nss_holds_a_key_in_a_session_and_does_oaep_with_sha_256(transfer: Transfer, nss: Token, label: str) -> None:
    private, recipient = a_recipient()
    wrapped = transfer.wrapped(label, COMMAND, recipient)
    wrapping_key = opened_by(private, wrapped.wrapped_wrapping_key)
    sealed = sealed_to(make_wrapping_pair(nss, label), wrapping_key, WrapMechanism.RSA_OAEP_SHA256)
    back = wrapped.for_another(sealed, WrapMechanism.RSA_OAEP_SHA256)
    unwrap_key(nss, back, a_policy(COMMAND), pair=label, label=KeyLabel(label), in_session=True)
    key = a_registered_key(label, wrapped.identity, COMMAND)
    assert served(nss, key)
    (answer,) = nss.use([an_intent(key)])
    assert isinstance(answer, Signature)
    nss.let_go(KeyLabel(label))
    assert not served(nss, key)
    with pytest.raises(ConfigurationInvalid, match="it does no RSA_OAEP_SHA256"):
        unwrap_key(transfer.destination, back, a_policy(COMMAND), pair=PAIR, label=KeyLabel(label))


@pytest.mark.nss
def test_nss_refuses_another_key_and_leaves_nothing(transfer: Transfer, nss: Token, label: str) -> None:
    recipient = make_wrapping_pair(nss, label)
    wrapped = transfer.wrapped(label, COMMAND, recipient)
    other = transfer.wrapped(f"{label}-b", COMMAND, recipient)
    for wrong in (
        dataclasses.replace(wrapped, blob=other.blob, wrapped_wrapping_key=other.wrapped_wrapping_key),
        dataclasses.replace(wrapped, blob=other.blob),
    ):
        with pytest.raises(ModuleDisagrees):
            unwrap_key(nss, wrong, a_policy(COMMAND), pair=label, label=KeyLabel(label))
        assert label not in labels(nss)


@pytest.mark.nss
def test_nss_gives_no_key_back_for_it_keeps_no_wrapping_key_trusted(
    transfer: Transfer, nss: Token, spki: bytes, label: str
) -> None:
    generate_key(nss, KeyLabel(label), a_policy(COMMAND))
    with pytest.raises(ConfigurationInvalid, match="no wrapping key trusted"):
        wrap_key(nss, KeyLabel(label), a_policy(COMMAND), recipient_spki=spki, officer=transfer.officer())


@pytest.mark.nss
def test_softhsm_would_take_what_nss_wraps_from_a_key_made_extractable(
    transfer: Transfer, nss: Token, spki: bytes, label: str
) -> None:
    """No key that this software makes in NSS is extractable; one made so by hand says what the mechanisms can do."""
    wrapping_key, session_key = b"w" * 32, {A.PRIVATE: True, A.SENSITIVE: True, A.EXTRACTABLE: True, A.SIGN: True}
    made: Template = {
        OBJ.CLASS: 4, A.KEY_TYPE: 0x1F, OBJ.VALUE: wrapping_key, A.TOKEN: False, A.SENSITIVE: True, A.WRAP: True,
    }  # fmt: skip
    with nss.exclusively() as connection:
        handle, point, destroy = connection.generate_session_pair(label, session_key)
        wrapping = connection.wrapping()
        blob = wrapping.wrap(WrapMechanism.AES_KEY_WRAP_KWP, wrapping.create(made), handle)
        pad = wrapping.wrap(WrapMechanism.AES_KEY_WRAP_PAD, wrapping.create(made), handle)
        destroy()
    inside = aes_key_unwrap_with_padding(wrapping_key, blob)
    assert len(inside) == 138
    assert isinstance(load_der_private_key(inside, None), ec.EllipticCurvePrivateKey)
    assert pad != aes_key_wrap_with_padding(wrapping_key, inside)
    wrapped = dataclasses.replace(
        transfer.wrapped(f"{label}-b", COMMAND, spki),
        label=KeyLabel(label),
        identity=point,
        blob=blob,
        wrapped_wrapping_key=sealed_to(spki, wrapping_key),
    )
    unwrapped(transfer, wrapped)
