"""A key between two modules: never a User's, never under an untrusted key, nothing left behind, never the wrong one."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keybroker.errors import ConfigurationInvalid, ContentMalformed, ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import KeyAttribute, key_identifier, template
from keybroker.hsm.connection import ObjectAttribute
from keybroker.hsm.destruction import destroy_key
from keybroker.hsm.generate import generate_key
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.inventory import list_objects
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.trusted_keys import Recipient, make_trusted, read_recipient, recipient_label
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapping import clear_wrapping_keys, wrap_key
from keybroker.hsm.wrapping_pair import destroy_wrapping_pair, find_pair, make_wrapping_pair, wrapping_pair
from keybroker.ledger.model import Failure, Signature
from keybroker.terms import KeyLabel, KeyPurpose
from tests.hsm.intents import a_registered_key, an_intent
from tests.hsm.registered import a_bare_key
from tests.hsm.transfer import (
    AGREEMENT,
    COMMAND,
    PAIR,
    SMETS1,
    SYMMETRIC,
    Transfer,
    a_recipient,
    labels,
    opened_by,
    sealed_to,
    served,
    unwrapped,
)
from tests.situations import a_policy, packaged_policies

pytestmark = pytest.mark.hsm
A, OBJ = KeyAttribute, ObjectAttribute


# --- refusals at the source


@pytest.mark.clause("G2.22G", shows="refusal")
@pytest.mark.parametrize(
    "purpose", [purpose for purpose, policy in packaged_policies().items() if policy.export == "never"]
)
def test_refuses_to_wrap_a_key_whose_purpose_never_leaves(
    transfer: Transfer, spki: bytes, label: str, purpose: KeyPurpose
) -> None:
    with pytest.raises(NotPermitted, match=r"G2\.22G") as caught:
        wrap_key(transfer.source, KeyLabel(label), a_policy(purpose), recipient_spki=spki, officer=transfer.officer())
    assert caught.value.clause == "G2.22G"


def test_refuses_to_unwrap_a_key_whose_purpose_never_leaves(transfer: Transfer, spki: bytes, label: str) -> None:
    wrapped = transfer.wrapped(label, COMMAND, spki)
    policy = a_policy(KeyPurpose.SUPPLIER_PRE_COMMAND)
    with pytest.raises(NotPermitted):
        unwrap_key(transfer.destination, wrapped, policy, pair=PAIR, label=KeyLabel(label))


@pytest.mark.parametrize("bits", [2048, 4096])
def test_wraps_to_no_recipient_but_one_of_rsa_3072(transfer: Transfer, label: str, bits: int) -> None:
    generate_key(transfer.source, KeyLabel(label), a_policy(COMMAND))
    _, other = a_recipient(bits)
    for wrong in (other, b"", b"\x30\x00"):
        with pytest.raises(ContentMalformed):
            wrap_key(
                transfer.source, KeyLabel(label), a_policy(COMMAND), recipient_spki=wrong, officer=transfer.officer()
            )


def test_reads_no_recipient_with_another_exponent_or_octets_behind_it() -> None:
    _, spki = a_recipient()
    for wrong in (a_recipient(exponent=3)[1], spki + b"\x00", spki[:-1]):
        with pytest.raises(ContentMalformed):
            read_recipient(wrong)


@pytest.mark.parametrize(
    "changes",
    [{A.EXTRACTABLE: False}, {A.WRAP_WITH_TRUSTED: False}, {A.DERIVE: True}],
    ids=lambda c: str(next(iter(c))),
)
def test_refuses_a_key_that_was_not_made_to_be_wrapped_or_is_weaker(
    transfer: Transfer, spki: bytes, label: str, changes: dict[KeyAttribute, bool]
) -> None:
    policy = a_policy(COMMAND)
    with transfer.source.exclusively() as connection:
        connection.generate_pair(
            label, {**template(policy, transfer.source.profile.keeping), **changes}, key_identifier
        )
    with pytest.raises(ModuleDisagrees):
        wrap_key(transfer.source, KeyLabel(label), policy, recipient_spki=spki, officer=transfer.officer())


def test_refuses_to_wrap_what_is_not_there_or_is_there_twice(transfer: Transfer, spki: bytes, label: str) -> None:
    policy, officer = a_policy(COMMAND), transfer.officer()
    with pytest.raises(ModuleDisagrees, match="found 0 and 0 halves"):
        wrap_key(transfer.source, KeyLabel(label), policy, recipient_spki=spki, officer=officer)
    generate_key(transfer.source, KeyLabel(label), policy)
    with transfer.source.exclusively() as connection:
        connection.generate_pair(label, template(policy, transfer.source.profile.keeping), lambda _: b"twin")
    with pytest.raises(ModuleDisagrees, match="found 2 and 2 halves"):
        wrap_key(transfer.source, KeyLabel(label), policy, recipient_spki=spki, officer=officer)


def test_half_a_pair_that_a_death_left_is_taken_away_and_made_anew(transfer: Transfer, label: str) -> None:
    made = make_wrapping_pair(transfer.source, label)
    with transfer.source.exclusively() as connection:
        wrapping = connection.wrapping()
        _, private = find_pair(wrapping, label)
        wrapping.destroy(private)
    assert wrapping_pair(transfer.source, label) is None
    anew = make_wrapping_pair(transfer.source, label)
    assert anew != made
    assert wrapping_pair(transfer.source, label) == anew
    destroy_wrapping_pair(transfer.source, label)


def test_a_hash_that_the_module_does_not_do_is_refused_before_anything_is_made(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    generate_key(transfer.source, KeyLabel(label), a_policy(COMMAND))
    with pytest.raises(ConfigurationInvalid, match="RSA_OAEP_SHA256"):
        wrap_key(
            transfer.source,
            KeyLabel(label),
            a_policy(COMMAND),
            recipient_spki=spki,
            officer=transfer.officer(),
            oaep=WrapMechanism.RSA_OAEP_SHA256,
        )


def test_the_user_of_the_token_can_neither_trust_a_key_nor_wrap_under_an_untrusted_one(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    generate_key(transfer.source, KeyLabel(label), a_policy(COMMAND))
    keeping = transfer.source.profile.keeping
    with transfer.source.exclusively() as connection:
        wrapping = connection.wrapping()
        with pytest.raises(CallFailed, match="CKR_ATTRIBUTE_READ_ONLY"):
            make_trusted(wrapping, label, read_recipient(spki), bytes(20), keeping=keeping)
        untrusted = wrapping.generate_aes(
            {
                A.KEY_TYPE: 0x1F, OBJ.CLASS: 4, A.VALUE_LEN: 32, A.TOKEN: False, A.SENSITIVE: True, A.WRAP: True,
                A.PRIVATE: True,
            }
        )  # fmt: skip
        (key,) = connection.find_private(label)
        with pytest.raises(CallFailed, match="CKR_KEY_NOT_WRAPPABLE"):
            wrapping.wrap(WrapMechanism.AES_KEY_WRAP_PAD, untrusted, key.handle)
        wrapping.destroy(untrusted)


# --- nothing is left behind


def test_leaves_nothing_behind_and_the_key_where_it_was(transfer: Transfer, spki: bytes, label: str) -> None:
    before = labels(transfer.source)
    wrapped = transfer.wrapped(label, COMMAND, spki)
    assert labels(transfer.source) - before == {label}
    assert wrapped.source_serial == transfer.source.serial
    key = a_bare_key(label, wrapped.identity, COMMAND)
    assert served(transfer.source, key)


def test_what_a_crash_left_is_cleared_by_the_next_wrap_or_by_itself(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    policy = a_policy(COMMAND)
    generate_key(transfer.source, KeyLabel(label), policy)
    left = transfer.officer().make_trusted(label, read_recipient(spki))
    assert len(left) == 20
    assert recipient_label(label) in labels(transfer.source)
    with pytest.raises(ModuleDisagrees, match="stands in the module already"):
        transfer.officer().make_trusted(label, read_recipient(spki))
    wrap_key(transfer.source, KeyLabel(label), policy, recipient_spki=spki, officer=transfer.officer())
    assert recipient_label(label) not in labels(transfer.source)
    transfer.officer().make_trusted(label, read_recipient(spki))
    for _ in range(2):
        clear_wrapping_keys(transfer.source, label)
        assert recipient_label(label) not in labels(transfer.source)


def test_wraps_to_no_other_key_than_the_recipients_even_if_the_officer_made_one(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    generate_key(transfer.source, KeyLabel(label), a_policy(COMMAND))
    honest, (_, other) = transfer.officer(), a_recipient()

    class Swapping:
        def make_trusted(self, name: str, recipient: Recipient) -> bytes:
            assert recipient == read_recipient(spki)
            return honest.make_trusted(name, read_recipient(other))

    with pytest.raises(ModuleDisagrees, match="not the recipient's"):
        wrap_key(
            transfer.source,
            KeyLabel(label),
            a_policy(COMMAND),
            recipient_spki=spki,
            officer=Swapping(),  # type: ignore[arg-type]
        )
    assert not any(each.startswith(f"{label}.") for each in labels(transfer.source))


# --- refusals at the destination


def test_refuses_a_key_of_another_purpose_a_taken_label_and_an_absent_pair(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    wrapped = transfer.wrapped(label, COMMAND, spki)
    destination = transfer.destination
    with pytest.raises(ConfigurationInvalid, match="not for contingency-command"):
        unwrap_key(destination, wrapped, a_policy(KeyPurpose.CONTINGENCY_COMMAND), pair=PAIR, label=KeyLabel(label))
    with pytest.raises(ModuleDisagrees, match="found 0 and 0 halves"):
        unwrap_key(destination, wrapped, a_policy(COMMAND), pair="no-such", label=KeyLabel(label))
    unwrap_key(destination, wrapped, a_policy(COMMAND), pair=PAIR, label=KeyLabel(label))
    with pytest.raises(ModuleDisagrees, match="stands in the module already"):
        unwrap_key(destination, wrapped, a_policy(COMMAND), pair=PAIR, label=KeyLabel(label))


@pytest.mark.parametrize("purpose", [COMMAND, AGREEMENT, SYMMETRIC])
@pytest.mark.parametrize("in_session", [False, True])
def test_a_key_that_is_not_the_one_it_is_said_to_be_is_destroyed_at_once(
    transfer: Transfer, spki: bytes, label: str, purpose: KeyPurpose, in_session: bool
) -> None:
    wrapped, other = transfer.wrapped(label, purpose, spki), transfer.wrapped(f"{label}-b", purpose, spki)
    wrong = dataclasses.replace(wrapped, blob=other.blob, wrapped_wrapping_key=other.wrapped_wrapping_key)
    before = labels(transfer.destination)
    with pytest.raises(ModuleDisagrees, match="not the key that it is said to be"):
        unwrapped(transfer, wrong, in_session=in_session)
    assert labels(transfer.destination) == before
    with transfer.destination.exclusively() as connection:
        assert not connection.wrapping().find({OBJ.LABEL: label.encode()})
    assert KeyLabel(label) not in transfer.destination.held_in_session


@pytest.mark.parametrize("field", ["blob", "wrapped_wrapping_key"])
@pytest.mark.parametrize("place", [0, 9, -1])
def test_a_ciphertext_with_one_bit_changed_makes_nothing(
    transfer: Transfer, spki: bytes, label: str, field: str, place: int
) -> None:
    wrapped = transfer.wrapped(label, COMMAND, spki)
    octets = bytearray(getattr(wrapped, field))
    octets[place] ^= 1
    changes: dict[str, Any] = {field: bytes(octets)}
    before = labels(transfer.destination)
    with pytest.raises(ModuleDisagrees):
        unwrapped(transfer, dataclasses.replace(wrapped, **changes))
    assert labels(transfer.destination) == before


def test_a_pair_is_made_once_found_again_and_destroyed_as_often_as_one_likes(transfer: Transfer, label: str) -> None:
    made = make_wrapping_pair(transfer.destination, label)
    assert wrapping_pair(transfer.destination, label) == made
    with pytest.raises(ModuleDisagrees, match="stands in the module already"):
        make_wrapping_pair(transfer.destination, label)
    for _ in range(2):
        destroy_wrapping_pair(transfer.destination, label)
        assert wrapping_pair(transfer.destination, label) is None


# --- acceptance


@pytest.mark.parametrize("purpose", [COMMAND, AGREEMENT, SYMMETRIC, KeyPurpose.ROOT_OCA])
def test_a_key_travels_and_is_served_as_its_purpose_demands(
    transfer: Transfer, spki: bytes, label: str, purpose: KeyPurpose
) -> None:
    key = unwrapped(transfer, transfer.wrapped(label, purpose, spki))
    assert served(transfer.destination, key)
    (found,) = (each for each in list_objects(transfer.destination) if each.label == label and each.attributes)
    assert found.attributes[A.MODIFIABLE] is False
    assert (found.attributes[A.EXTRACTABLE], found.attributes[A.WRAP_WITH_TRUSTED]) == (True, True)
    assert found.attributes[A.LOCAL] is False


def test_an_authentication_key_travels_with_its_key(transfer: Transfer, spki: bytes, label: str) -> None:
    wrapped = transfer.wrapped(label, SMETS1, spki, authentication=True)
    unwrapped(transfer, wrapped)
    found = []
    for token in (transfer.source, transfer.destination):
        with token.exclusively() as connection:
            found.append([each.octets for each in connection.find_data(authentication_label(label))])
    assert found[0] == found[1]
    assert len(found[0][0]) == 16
    with pytest.raises(ConfigurationInvalid, match="not held in a session"):
        unwrapped(transfer, wrapped, in_session=True)


def test_a_key_held_in_a_session_is_served_signs_never_leaves_and_is_let_go(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    wrapped, destination = transfer.wrapped(label, COMMAND, spki), transfer.destination
    unwrapped(transfer, wrapped, in_session=True)
    # In the register it is the key that was made at the source.
    key = a_registered_key(label, wrapped.identity, COMMAND)
    assert served(destination, key)
    (answer,) = destination.use([an_intent(key)])
    assert isinstance(answer, Signature)
    assert label not in labels(destination)
    with destination.exclusively() as connection:
        (found,) = connection.find_private(label)
    assert (found.attributes[A.TOKEN], found.attributes[A.EXTRACTABLE]) == (False, False)

    for _ in range(2):
        destination.let_go(KeyLabel(label))
    assert not served(destination, key)
    (answer,) = destination.use([an_intent(key, 2)])
    assert isinstance(answer, Failure)
    assert isinstance(answer.error, ModuleDisagrees)
    assert not answer.error.used


def test_a_key_held_in_a_session_ends_with_the_login(transfer: Transfer, spki: bytes, label: str) -> None:
    wrapped, destination = transfer.wrapped(label, COMMAND, spki), transfer.destination
    unwrapped(transfer, wrapped, in_session=True)
    key = a_registered_key(label, wrapped.identity, COMMAND)
    assert served(destination, key)
    with destination.exclusively() as connection:
        connection.disconnect()
    assert not served(destination, key)
    destination.let_go(KeyLabel(label))


def test_a_key_held_to_be_shared_anew_is_wrapped_once_more_and_not_served(transfer: Transfer, label: str) -> None:
    source, officer, policy = transfer.source, transfer.officer(), a_policy(COMMAND)
    private, recipient = a_recipient()
    first = transfer.wrapped(label, COMMAND, recipient)
    own = make_wrapping_pair(source, label)
    back = first.for_another(sealed_to(own, opened_by(private, first.wrapped_wrapping_key)), first.oaep)
    destroy_key(source, KeyLabel(label))
    unwrap_key(source, back, policy, pair=label, label=KeyLabel(label), in_session=True, leaves_again=True)
    assert not served(source, a_registered_key(label, first.identity, COMMAND))

    again = wrap_key(source, KeyLabel(label), policy, recipient_spki=recipient, officer=officer)

    assert again.identity == first.identity
    assert again.blob != first.blob
    source.let_go(KeyLabel(label))
    with pytest.raises(ModuleDisagrees, match="found 0 and 0 halves"):
        wrap_key(source, KeyLabel(label), policy, recipient_spki=recipient, officer=officer)
    # What leaves for good does not leave again from a session.
    held = first.for_another(sealed_to(own, opened_by(private, first.wrapped_wrapping_key)), first.oaep)
    unwrap_key(source, held, policy, pair=label, label=KeyLabel(label), in_session=True)
    with pytest.raises(ModuleDisagrees, match="not made to be wrapped"):
        wrap_key(source, KeyLabel(label), policy, recipient_spki=recipient, officer=officer)
    source.let_go(KeyLabel(label))


def test_a_split_goes_out_to_a_process_and_comes_back_by_rsa_oaep_of_the_host(
    transfer: Transfer, spki: bytes, label: str
) -> None:
    private, recipient = a_recipient()
    wrapped = transfer.wrapped(label, COMMAND, recipient)
    wrapping_key = opened_by(private, wrapped.wrapped_wrapping_key)
    assert len(wrapping_key) == 32
    back = wrapped.for_another(sealed_to(spki, wrapping_key), WrapMechanism.RSA_OAEP_SHA1)
    assert back.blob == wrapped.blob
    unwrapped(transfer, back, in_session=True)
    transfer.destination.let_go(KeyLabel(label))


def test_softhsm_puts_five_zeros_behind_the_private_key_that_it_wraps(transfer: Transfer, label: str) -> None:
    private, recipient = a_recipient()
    wrapped = transfer.wrapped(label, COMMAND, recipient)
    inside = aes_key_unwrap_with_padding(opened_by(private, wrapped.wrapped_wrapping_key), wrapped.blob)
    assert (len(inside), inside[67:]) == (72, bytes(5))
    with pytest.raises(ValueError, match="deserialize"):
        load_der_private_key(inside, None)
    assert isinstance(load_der_private_key(inside[:67], None), ec.EllipticCurvePrivateKey)
