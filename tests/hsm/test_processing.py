"""Every use but a signature, by every way that a key is agreed: on SoftHSM, in NSS softokn, and on the fake."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybroker.content.use import (
    Agreement,
    DecryptionUse,
    Enciphered,
    MacCheckUse,
    MacUse,
    OpeningUse,
    ProtectionUse,
    Use,
)
from keybroker.errors import ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.attributes import key_identifier
from keybroker.hsm.connection import Connection
from keybroker.hsm.galois import HostGalois, ModuleGalois
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.making import import_pair
from keybroker.hsm.processing import Process, Processing
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import Keys, MacStrategy
from keybroker.hsm.return_values import CallFailed
from tests.fakes import FakeSession, fake_profile
from tests.hsm.uses import DERIVING, IV, Device, an_agreement, other_information
from tests.situations import a_point, a_private_key

AUTHENTICATION = bytes(range(16))
MESSAGE = b"\x11" + bytes(5) + b"a Command" * 20
PROTECTED = ProtectionUse(initialisation_vector=IV[:8] + b"\x00\x00\x01\x02", authenticated=b"\x30", plaintext=b"APDU")


@dataclass(frozen=True, slots=True)
class Bench:
    """Two keys and what uses them: one agrees, one enciphers. ``secret`` where the test knows the latter."""

    process: Process
    agreeing: HeldKey
    enciphering: HeldKey
    secret_keys_left: Callable[[], int]

    @property
    def device(self) -> Device:
        return Device(self.agreeing.identity)


def following(profile: Profile, strategy: MacStrategy) -> Profile:
    return replace(profile, mac=profile.mac.model_copy(update={"strategy": strategy, "agreed_secrets": 0}))


def fake_bench(strategy: MacStrategy) -> Bench:
    session = FakeSession()
    key = a_private_key(3)
    return Bench(
        process=Processing(session, fake_profile(strategy)).process,
        agreeing=HeldKey(handle=session.hold(key), identity=a_point(3)),
        enciphering=HeldKey(handle=session.hold(bytes(16)), identity=bytes(20), authentication=AUTHENTICATION),
        secret_keys_left=lambda: len(session.objects) - 2,
    )


@contextmanager
def token_bench(connection: Connection, profile: Profile) -> Iterator[Bench]:
    session = connection.login_session()
    handle, point, destroy = connection.generate_session_pair("agreeing", DERIVING)
    aes_key = session.generate_aes_key()
    yield Bench(
        process=Processing(session, profile).process,
        agreeing=HeldKey(handle=handle, identity=point),
        enciphering=HeldKey(handle=aes_key, identity=bytes(20), authentication=AUTHENTICATION),
        secret_keys_left=lambda: _secret_keys(connection) - 1,
    )
    session.destroy(aes_key)
    destroy()


def _secret_keys(connection: Connection) -> int:
    session = connection._session  # type: ignore[attr-defined]  # looked at past the door, to see what is left
    return sum(1 for _ in session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))


@pytest.fixture(
    scope="module",
    params=[
        "fake in-module-kdf",
        "fake in-module-concatenation",
        pytest.param("softhsm digest-key", marks=pytest.mark.hsm),
        pytest.param("nss in-module-concatenation", marks=pytest.mark.nss),
        pytest.param("nss digest-key", marks=pytest.mark.nss),
    ],
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind, strategy = request.param.split()
    if kind == "fake":
        yield fake_bench(MacStrategy(strategy))
        return
    token = request.getfixturevalue(kind)
    profile = following(token.profile, MacStrategy(strategy))
    with token.exclusively() as connection, token_bench(connection, profile) as made:
        yield made


def a_check(bench: Bench) -> MacCheckUse:
    agreement = an_agreement()
    return MacCheckUse(
        agreement=agreement,
        initialisation_vector=IV,
        authenticated=MESSAGE,
        tag=bench.device.mac(agreement, MESSAGE),
    )


def a_decryption(bench: Bench, *plaintexts: bytes) -> DecryptionUse:
    agreement = an_agreement()
    enciphered = [bench.device.enciphered(agreement, each) for each in plaintexts]
    return DecryptionUse(
        agreement=agreement,
        initialisation_vector=IV,
        items=tuple(Enciphered(authenticated=b"\x31", ciphertext=text, tag=tag) for text, tag in enciphered),
    )


def an_opening(bench: Bench, use: ProtectionUse = PROTECTED) -> OpeningUse:
    (octets,) = bench.process(use, bench.enciphering)
    return OpeningUse(
        initialisation_vector=use.initialisation_vector,
        authenticated=use.authenticated,
        ciphertext=octets[4:-12],
        tag=octets[-12:],
    )


def spoilt(octets: bytes, at: int = 0) -> bytes:
    return octets[:at] + bytes([octets[at] ^ 0x80]) + octets[at + 1 :]


MAC_SPOILS: dict[str, Callable[[MacCheckUse], MacCheckUse]] = {
    "first octet of the tag": lambda use: replace(use, tag=spoilt(use.tag)),
    "last octet of the tag": lambda use: replace(use, tag=spoilt(use.tag, 11)),
    "message": lambda use: replace(use, authenticated=spoilt(use.authenticated, 40)),
    "message longer": lambda use: replace(use, authenticated=use.authenticated + b"\x00"),
    "initialisation vector": lambda use: replace(use, initialisation_vector=spoilt(IV, 11)),
    "another Device": lambda use: replace(use, agreement=replace(use.agreement, peer=a_point(6))),
    "another counter": lambda use: replace(use, agreement=an_agreement(counter=2)),
    "another mode": lambda use: replace(
        use, agreement=Agreement(peer=a_point(5), other_information=other_information(2))
    ),
}


@pytest.mark.parametrize("spoil", MAC_SPOILS.values(), ids=MAC_SPOILS)
def test_refuses_a_mac_where_one_thing_differs(bench: Bench, spoil: Callable[[MacCheckUse], MacCheckUse]) -> None:
    with pytest.raises(ProtectionInvalid):
        bench.process(spoil(a_check(bench)), bench.agreeing)
    assert bench.process(a_check(bench), bench.agreeing) == ()


ITEM_SPOILS: dict[str, Callable[[Enciphered], Enciphered]] = {
    "tag": lambda item: replace(item, tag=spoilt(item.tag, 11)),
    "ciphertext": lambda item: replace(item, ciphertext=spoilt(item.ciphertext)),
    "ciphertext shorter": lambda item: replace(item, ciphertext=item.ciphertext[:-1]),
    "authenticated": lambda item: replace(item, authenticated=b"\x11"),
}


@pytest.mark.parametrize("spoil", ITEM_SPOILS.values(), ids=ITEM_SPOILS)
def test_deciphers_nothing_when_one_item_of_several_is_wrong(
    bench: Bench, spoil: Callable[[Enciphered], Enciphered]
) -> None:
    use = a_decryption(bench, b"first", b"second")
    with pytest.raises(ProtectionInvalid):
        bench.process(replace(use, items=(use.items[0], spoil(use.items[1]))), bench.agreeing)


OPENING_SPOILS: dict[str, Callable[[OpeningUse], OpeningUse]] = {
    "tag": lambda use: replace(use, tag=spoilt(use.tag)),
    "ciphertext": lambda use: replace(use, ciphertext=spoilt(use.ciphertext)),
    "security control": lambda use: replace(use, authenticated=b"\x31"),
    "counter": lambda use: replace(use, initialisation_vector=spoilt(use.initialisation_vector, 11)),
}


@pytest.mark.parametrize("spoil", OPENING_SPOILS.values(), ids=OPENING_SPOILS)
def test_opens_nothing_where_one_thing_differs(bench: Bench, spoil: Callable[[OpeningUse], OpeningUse]) -> None:
    with pytest.raises(ProtectionInvalid):
        bench.process(spoil(an_opening(bench)), bench.enciphering)


@pytest.mark.parametrize("authentication", [None, bytes(16)])
def test_opens_nothing_with_another_authentication_key(bench: Bench, authentication: bytes | None) -> None:
    with pytest.raises(ProtectionInvalid):
        bench.process(an_opening(bench), replace(bench.enciphering, authentication=authentication))


@pytest.mark.parametrize("peer", [b"\x04" + bytes(64), a_point(5)[:33]], ids=["off the curve", "cut"])
def test_agrees_nothing_with_a_point_that_is_none(bench: Bench, peer: bytes) -> None:
    agreement = replace(an_agreement(), peer=peer)
    use = MacUse(agreement=agreement, initialisation_vector=IV, authenticated=MESSAGE, tag_octets=12)
    with pytest.raises(ModuleDisagrees) as caught:
        bench.process(use, bench.agreeing)
    assert not caught.value.used


@pytest.mark.parametrize("octets", [12, 16])
def test_makes_the_very_mac_that_the_device_expects(bench: Bench, octets: int) -> None:
    for counter in (1, 1 << 32, (1 << 64) - 1):
        agreement = an_agreement(counter=counter)
        use = MacUse(agreement=agreement, initialisation_vector=IV, authenticated=MESSAGE, tag_octets=octets)
        assert bench.process(use, bench.agreeing) == (bench.device.mac(agreement, MESSAGE, octets),)


def test_deciphers_every_item_in_order(bench: Bench) -> None:
    plaintexts = (b"one", b"", bytes(3000))
    assert bench.process(a_decryption(bench, *plaintexts), bench.agreeing) == plaintexts


def test_protects_as_dlms_suite_0_and_opens_again(bench: Bench) -> None:
    (octets,) = bench.process(PROTECTED, bench.enciphering)
    assert (octets[:4], len(octets)) == (b"\x00\x00\x01\x02", 4 + 4 + 12)
    assert bench.process(an_opening(bench), bench.enciphering) == (PROTECTED.plaintext,)


def test_leaves_no_secret_key_behind(bench: Bench) -> None:
    bench.process(a_check(bench), bench.agreeing)
    with pytest.raises(ProtectionInvalid):
        bench.process(replace(a_check(bench), tag=bytes(12)), bench.agreeing)
    assert bench.secret_keys_left() == 0


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.binary(max_size=300),
    authenticated=st.binary(min_size=1, max_size=300),
    counter=st.integers(min_value=0, max_value=(1 << 64) - 1),
)
def test_any_text_is_maced_deciphered_and_opened_alike(
    bench: Bench, text: bytes, authenticated: bytes, counter: int
) -> None:
    agreement = an_agreement(counter=counter)
    mac = MacUse(agreement=agreement, initialisation_vector=IV, authenticated=authenticated, tag_octets=12)
    assert bench.process(mac, bench.agreeing) == (bench.device.mac(agreement, authenticated),)
    ciphertext, tag = bench.device.enciphered(agreement, text, authenticated)
    item = Enciphered(authenticated=authenticated, ciphertext=ciphertext, tag=tag)
    use: Use = DecryptionUse(agreement=agreement, initialisation_vector=IV, items=(item,))
    assert bench.process(use, bench.agreeing) == (text,)
    protection = replace(PROTECTED, plaintext=text, authenticated=authenticated)
    assert bench.process(an_opening(bench, protection), bench.enciphering) == (text,)


def test_the_authentication_key_is_appended_to_what_is_authenticated() -> None:
    bench = fake_bench(MacStrategy.IN_MODULE_KDF)
    iv = PROTECTED.initialisation_vector
    (octets,) = bench.process(PROTECTED, bench.enciphering)
    assert octets[4:] == AESGCM(bytes(16)).encrypt(iv, b"APDU", b"\x30" + AUTHENTICATION)[:-4]
    (octets,) = bench.process(PROTECTED, replace(bench.enciphering, authentication=None))
    assert octets[4:] == AESGCM(bytes(16)).encrypt(iv, b"APDU", b"\x30")[:-4]


@pytest.mark.parametrize("strategy", [MacStrategy.NONE, MacStrategy.VENDOR_PROGRAM])
def test_a_strategy_that_is_not_built_does_nothing_with_the_key(strategy: MacStrategy) -> None:
    session = FakeSession()
    held = HeldKey(handle=session.hold(a_private_key(3)), identity=a_point(3))
    with pytest.raises(ModuleDisagrees) as caught:
        Processing(session, fake_profile(strategy)).process(a_check(fake_bench(MacStrategy.DIGEST_KEY)), held)
    assert not caught.value.used
    assert session.calls == []


def test_what_the_module_spoils_is_withheld() -> None:
    session = FakeSession(wrongly=True)
    held = HeldKey(handle=session.hold(a_private_key(3)), identity=a_point(3))
    symmetric = HeldKey(handle=session.hold(bytes(16)), identity=bytes(20))
    process = Processing(session, fake_profile()).process
    for use, key in (
        (MacUse(agreement=an_agreement(), initialisation_vector=IV, authenticated=MESSAGE, tag_octets=12), held),
        (PROTECTED, symmetric),
    ):
        with pytest.raises(ModuleDisagrees) as caught:
            process(use, key)
        assert caught.value.used


@pytest.mark.parametrize(
    ("strategy", "symmetric", "call", "used"),
    [
        (MacStrategy.IN_MODULE_KDF, False, "C_DeriveKey", True),
        (MacStrategy.IN_MODULE_KDF, False, "C_EncryptInit", True),
        (MacStrategy.IN_MODULE_CONCATENATION, False, "C_DeriveKey", True),
        (MacStrategy.DIGEST_KEY, False, "C_DigestInit", True),
        (MacStrategy.DIGEST_KEY, False, "C_DigestKey", True),
        (MacStrategy.IN_MODULE_KDF, True, "C_EncryptInit", False),
        (MacStrategy.IN_MODULE_KDF, True, "C_Encrypt", True),
        (MacStrategy.IN_MODULE_KDF, True, "C_Decrypt", True),
    ],
)
def test_a_failure_says_whether_the_key_may_have_been_used(
    strategy: MacStrategy, symmetric: bool, call: str, used: bool
) -> None:
    session = FakeSession(fails={call: 0x30})
    held = HeldKey(handle=session.hold(a_private_key(3)), identity=a_point(3))
    secret = HeldKey(handle=session.hold(bytes(16)), identity=bytes(20))
    mac = MacUse(agreement=an_agreement(), initialisation_vector=IV, authenticated=MESSAGE, tag_octets=12)
    with pytest.raises(CallFailed) as caught:
        Processing(session, fake_profile(strategy)).process(
            PROTECTED if symmetric else mac, secret if symmetric else held
        )
    assert (caught.value.call, caught.value.used) == (call, used)
    assert len(session.objects) == 2


def test_a_module_that_went_away_did_not_judge_the_tag() -> None:
    session = FakeSession(fails={"C_Decrypt": 0x05, "C_EncryptInit": 0x05})
    galois = ModuleGalois(session=session, key=session.hold(bytes(16)), also_tag_wrong=frozenset({"CKR_GENERAL_ERROR"}))
    with pytest.raises(CallFailed):
        galois.open(IV, b"", bytes(20), 12)


def test_no_key_shows_in_a_repr() -> None:
    key = bytes(range(16))
    for shown in (HostGalois(key=key), HeldKey(handle=1, identity=bytes(20), authentication=key)):
        assert "\\x01\\x02" not in repr(shown)


@pytest.mark.rtds
@pytest.mark.parametrize(
    "token", [pytest.param("softhsm", marks=pytest.mark.hsm), pytest.param("nss", marks=pytest.mark.nss)]
)
def test_the_published_key_comes_out(request: pytest.FixtureRequest, token: str, label: str) -> None:
    """Handbook 1.8: ACB 90b3d51f30000002 and Device 00db1234567890a0 agree on a published value."""
    directory = os.environ.get("KEYBROKER_RTDS")
    if not directory:
        pytest.skip("KEYBROKER_RTDS is unset: the published Key Agreement keys are NOT tested")
    keys = Path(directory) / "keys"
    private_key = load_pem_private_key((keys / "90b3d51f30000002-ka.key").read_bytes(), None)
    public_key = load_pem_x509_certificate((keys / "00db1234567890a0-ka.pem").read_bytes()).public_key()
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    opened = request.getfixturevalue(token)
    with opened.exclusively() as connection:
        point = _import(connection, opened.profile.keys, label, private_key)
        held = HeldKey(handle=connection.find_private(label)[0].handle, identity=point)
        agreement = Agreement(peer=_octets(public_key), other_information=other_information())
        use = MacUse(agreement=agreement, initialisation_vector=IV, authenticated=MESSAGE, tag_octets=16)
        made = Processing(connection.login_session(), opened.profile).process(use, held)
    published = AESGCM(bytes.fromhex("6A93E360717394015DF93E031218C9A6"))
    assert made == (published.encrypt(IV, b"", MESSAGE),)


def _import(connection: Connection, keys: Keys, label: str, private_key: ec.EllipticCurvePrivateKey) -> bytes:
    point = _octets(private_key.public_key())
    scalar = private_key.private_numbers().private_value.to_bytes(32, "big")
    wrapping, identifier = connection.wrapping(), key_identifier(point)
    import_pair(wrapping, keys, label, DERIVING, scalar=scalar, point=point, identifier=identifier)
    return point


def _octets(public_key: ec.EllipticCurvePublicKey) -> bytes:
    numbers = public_key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
