"""Which way of agreeing keys does a token prove, and what does the profile's way allow?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest

from keybroker.content.use import Agreement
from keybroker.hsm.agreed_secrets import AgreedSecrets
from keybroker.hsm.check import check_module
from keybroker.hsm.connection import Connection
from keybroker.hsm.generate import generate_key
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.held_keys import Demands, KeyUnfit, find_held_key
from keybroker.hsm.mac_strategy import (
    PROBED,
    aes_gcm_shortfall,
    mac_shortfall,
    probe_aes_gcm,
    probe_mac,
    probe_strategies,
)
from keybroker.hsm.profile import Profile, read_profile
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.return_values import CallFailed, return_value
from keybroker.hsm.token_module import Token
from keybroker.terms import DeploymentKind, Finding, KeyAlgorithm, KeyLabel, KeyPurpose, RuleName
from tests.fakes import FakeSession, fake_profile
from tests.hsm.registered import a_bare_key
from tests.hsm.tokens import ROOT
from tests.hsm.uses import DERIVING, an_agreement
from tests.situations import a_point, a_private_key, packaged_policies

LIVE, TEST = DeploymentKind.LIVE, DeploymentKind.TEST
PASSED = Finding(rule=RuleName("mac-known-answer"), clause="G2.44", passed=True)
FAILED = replace(PASSED, passed=False, expected="a right answer", found="another MAC")
PROFILES = sorted(path.stem for path in (ROOT / "hsm_profiles").glob("*.toml"))


def with_iv_chosen_by(profile: Profile, who: str) -> Profile:
    return replace(profile, aes_gcm=profile.aes_gcm.model_copy(update={"iv_chosen_by": who}))


# --- what a profile allows


@pytest.mark.parametrize(
    ("profile", "deployment", "probe", "word"),
    [
        (fake_profile(MacStrategy.NONE), TEST, PASSED, "none is known"),
        (fake_profile(MacStrategy.VENDOR_PROGRAM, program="agree", program_sha256="ab" * 32), TEST, PASSED, "abab"),
        (fake_profile(MacStrategy.DIGEST_KEY), LIVE, PASSED, "C_DigestKey"),
        (fake_profile(), LIVE, FAILED, "another MAC"),
        (fake_profile(), TEST, FAILED, "another MAC"),
        (with_iv_chosen_by(fake_profile(), "module"), TEST, PASSED, "chooses its own"),
        (with_iv_chosen_by(fake_profile(), "nobody"), TEST, PASSED, "no AES-GCM"),
    ],
    ids=["none", "vendor-program", "digest-key live", "failed live", "failed", "iv of the module", "no AES-GCM"],
)
def test_no_key_agreement_key_is_served(
    profile: Profile, deployment: DeploymentKind, probe: Finding, word: str
) -> None:
    shortfall = mac_shortfall(profile, deployment, probe)
    assert shortfall is not None
    assert word in shortfall.found


@pytest.mark.parametrize(
    ("strategy", "deployment"),
    [(each, TEST) for each in PROBED] + [(each, LIVE) for each in PROBED if each is not MacStrategy.DIGEST_KEY],
)
def test_a_strategy_that_gave_the_right_answer_serves(strategy: MacStrategy, deployment: DeploymentKind) -> None:
    assert mac_shortfall(fake_profile(strategy), deployment, PASSED) is None


def test_no_aes_gcm_key_is_served_where_the_module_chooses_or_fails() -> None:
    assert aes_gcm_shortfall(with_iv_chosen_by(fake_profile(), "module"), PASSED) is not None
    assert aes_gcm_shortfall(fake_profile(), FAILED) is not None
    assert aes_gcm_shortfall(fake_profile(), PASSED) is None


@pytest.mark.parametrize("name", PROFILES)
def test_no_shipped_profile_lets_an_agreed_key_out_in_a_live_deployment(name: str) -> None:
    profile = read_profile((ROOT / "hsm_profiles" / f"{name}.toml").read_bytes(), name=name)
    served = mac_shortfall(profile, LIVE, PASSED) is None
    assert not served or profile.mac.strategy in (MacStrategy.IN_MODULE_KDF, MacStrategy.IN_MODULE_CONCATENATION)


# --- what a token proves


@pytest.mark.hsm
def test_softhsm_proves_digest_key_alone(softhsm: Token) -> None:
    with softhsm.exclusively() as connection:
        found = probe_strategies(connection, softhsm.profile)
        assert probe_mac(connection, softhsm.profile).passed
        assert probe_aes_gcm(connection, softhsm.profile).passed
    assert [(each.rule, each.passed) for each in found] == [
        ("in-module-kdf", False),
        ("in-module-concatenation", False),
        ("digest-key", True),
    ]


@pytest.mark.nss
def test_nss_proves_the_whole_chain_inside_the_module(nss: Token) -> None:
    with nss.exclusively() as connection:
        found = {str(each.rule): each.passed for each in probe_strategies(connection, nss.profile)}
        assert probe_mac(connection, nss.profile).passed
        assert probe_aes_gcm(connection, nss.profile).passed
    assert nss.profile.mac.strategy is MacStrategy.IN_MODULE_CONCATENATION
    assert (found["in-module-kdf"], found["in-module-concatenation"]) == (False, True)


@pytest.mark.hsm
def test_a_profile_that_promises_what_the_token_has_not_is_found_out(softhsm: Token) -> None:
    profile = replace(
        softhsm.profile,
        mac=softhsm.profile.mac.model_copy(update={"strategy": MacStrategy.IN_MODULE_KDF, "agreed_secrets": 0}),
    )
    with softhsm.exclusively() as connection:
        probe = probe_mac(connection, profile)
    shortfall = mac_shortfall(profile, TEST, probe)
    assert shortfall is not None
    assert "CKR_MECHANISM_PARAM_INVALID" in shortfall.found


class OwnVector(FakeSession):
    """Heeds the system title alone, and puts a counter of its own behind it."""

    def seal(self, key: int, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        return FakeSession.seal(self, key, iv[:8] + b"own.", authenticated, plaintext, tag_octets)

    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        return FakeSession.open(self, key, iv[:8] + b"own.", authenticated, sealed, tag_octets)


class AnyTag(FakeSession):
    """Opens without looking at the tag: counter mode alone."""

    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        text = sealed[:-tag_octets]
        return FakeSession.seal(self, key, iv, authenticated, text, tag_octets)[: len(text)]


class ShortTag(FakeSession):
    def seal(self, key: int, iv: bytes, authenticated: bytes, plaintext: bytes, tag_octets: int) -> bytes:
        return FakeSession.seal(self, key, iv, authenticated, plaintext, tag_octets)[:-1]


class OtherText(FakeSession):
    def open(self, key: int, iv: bytes, authenticated: bytes, sealed: bytes, tag_octets: int) -> bytes:
        return FakeSession.open(self, key, iv, authenticated, sealed, tag_octets) + b"."


@dataclass(frozen=True, slots=True)
class Probed:
    """As much of a connection as a probe asks of it."""

    session: FakeSession
    away: bool = False

    def login_session(self) -> FakeSession:
        return self.session

    def generate_session_pair(self, _label: str, _private: object) -> tuple[int, bytes, Callable[[], None]]:
        return self.session.hold(a_private_key(3)), a_point(3), lambda: None

    def check_session(self) -> None:
        if self.away:
            raise CallFailed(return_value(0xB3), call="C_GetSessionInfo")

    def check_token(self) -> None: ...


@pytest.mark.clause("G2.44(b)", shows="refusal")
@pytest.mark.parametrize(
    ("session", "mac", "aes_gcm"),
    [
        (OwnVector(), "not the one made on the host", "not the caller's"),
        (AnyTag(), "takes a tag that is not right", "takes a tag that is not right"),
        (FakeSession(fails={"C_Decrypt": 0x40}), "does not open", "does not open"),
        (ShortTag(), "another length", "another length"),
        (OtherText(), "to something else", "to something else"),
        (FakeSession(wrongly=True), "does not open", "does not open"),
        (FakeSession(fails={"C_EncryptInit": 0x30}), "CKR_DEVICE_ERROR", "CKR_DEVICE_ERROR"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_token_that_does_it_wrongly_is_found_out(session: FakeSession, mac: str, aes_gcm: str) -> None:
    connection = cast(Connection, Probed(session))
    found = probe_mac(connection, fake_profile()), probe_aes_gcm(connection, fake_profile())
    assert not any(each.passed for each in found)
    assert (mac in found[0].found, aes_gcm in found[1].found) == (True, True)


def test_a_token_that_is_away_proves_nothing_either_way() -> None:
    connection = cast(Connection, Probed(FakeSession(fails={"C_DeriveKey": 0x30, "C_GenerateKey": 0x30}), away=True))
    for probe in (probe_mac, probe_aes_gcm):
        with pytest.raises(CallFailed):
            probe(connection, fake_profile())


def test_a_token_as_it_should_be_proves_every_strategy() -> None:
    connection = cast(Connection, Probed(FakeSession()))
    assert all(each.passed for each in probe_strategies(connection, fake_profile()))
    assert probe_aes_gcm(connection, fake_profile()).passed


@pytest.mark.clause("G2.44(b)", shows="refusal")
@pytest.mark.hsm
def test_a_live_deployment_serves_no_key_whose_agreement_would_let_it_out(softhsm: Token, label: str) -> None:
    purpose = KeyPurpose.ACCESS_CONTROL_BROKER_MAC
    identity = generate_key(softhsm, KeyLabel(label), packaged_policies()[purpose], signs_request=False)
    key = a_bare_key(label, identity, purpose)
    validated = replace(softhsm.profile, validation=softhsm.profile.validation.model_copy(update={"level": 3}))
    demands = Demands(profile=validated, policies=packaged_policies(), deployment=LIVE)
    with softhsm.exclusively() as connection:
        assert find_held_key(connection, key, replace(demands, deployment=TEST)).identity == identity
        with pytest.raises(KeyUnfit, match="C_DigestKey"):
            find_held_key(connection, key, demands)


@pytest.mark.hsm
def test_module_check_says_which_purposes_may_be_held(softhsm: Token) -> None:
    policies = packaged_policies()
    report = check_module(softhsm, policies)
    assert report.passed
    assert report.mac_strategy is MacStrategy.DIGEST_KEY
    assert report.sign_switch is not None
    by_algorithm = {policies[each.purpose].algorithm: each for each in report.purposes}
    assert {algorithm: each.here.passed for algorithm, each in by_algorithm.items()} == dict.fromkeys(
        KeyAlgorithm, True
    )
    assert not any(each.live.passed for each in report.purposes)


# --- which Z is kept


class Hours:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(most: int, *, seconds: float = 60) -> tuple[AgreedSecrets, FakeSession, HeldKey, Hours]:
    session, clock = FakeSession(), Hours()
    held = HeldKey(handle=session.hold(a_private_key(3)), identity=a_point(3))
    return AgreedSecrets(session, most=most, seconds=seconds, clock=clock), session, held, clock


def derive(secrets: AgreedSecrets, held: HeldKey, agreement: Agreement) -> int:
    """How often the module had to derive Z for it."""
    session = secrets.session
    assert isinstance(session, FakeSession)
    before = session.calls.count("C_DeriveKey")
    with secrets.agreed_with(held, agreement) as z:
        assert z in session.objects
    return session.calls.count("C_DeriveKey") - before


def test_keeps_no_z_where_the_profile_allows_none() -> None:
    secrets, session, held, _ = kept(0)
    assert [derive(secrets, held, an_agreement()) for _ in range(2)] == [1, 1]
    assert len(session.objects) == 1


def test_keeps_a_z_for_its_time_and_no_longer() -> None:
    secrets, session, held, clock = kept(4)
    assert [derive(secrets, held, an_agreement(counter=each)) for each in (1, 2)] == [1, 0]
    clock.now = 59.9
    assert derive(secrets, held, an_agreement()) == 0
    clock.now = 60
    assert derive(secrets, held, an_agreement()) == 1
    assert (len(secrets), len(session.objects)) == (1, 2)


def test_keeps_no_more_than_its_number_and_drops_what_was_used_longest_ago() -> None:
    secrets, session, held, _ = kept(2)
    one, two, three = (an_agreement(scalar, recipient=bytes([scalar] * 8)) for scalar in (5, 6, 7))
    assert [derive(secrets, held, each) for each in (one, two, one, three, one, two)] == [1, 1, 0, 1, 0, 1]
    assert (len(secrets), len(session.objects)) == (2, 3)


def test_drops_the_z_of_a_device_whose_certificate_shows_another_key() -> None:
    secrets, session, held, _ = kept(4)
    assert [derive(secrets, held, an_agreement(scalar)) for scalar in (5, 6)] == [1, 1]
    assert (len(secrets), len(session.objects)) == (1, 2)


def test_another_key_of_ours_never_meets_the_z_of_this_one() -> None:
    secrets, session, held, _ = kept(4)
    other = HeldKey(handle=session.hold(a_private_key(4)), identity=a_point(4))
    assert [derive(secrets, each, an_agreement()) for each in (held, other, held, other)] == [1, 1, 0, 0]


def test_drops_every_z_when_a_call_failed() -> None:
    secrets, session, held, _ = kept(4)
    derive(secrets, held, an_agreement())
    session.fails["C_DigestInit"] = 0x82
    with pytest.raises(CallFailed), secrets.agreed_with(held, an_agreement()) as z:
        session.digest_with_key(b"", z, b"")
    assert (len(secrets), len(session.objects)) == (0, 1)


@pytest.mark.hsm
def test_a_kept_z_is_the_same_object_on_softhsm_and_gone_when_dropped(softhsm: Token) -> None:
    with softhsm.exclusively() as connection:
        session = connection.login_session()
        secrets = AgreedSecrets(session, most=1, seconds=60)
        handle, point, destroy = connection.generate_session_pair("kept", DERIVING)
        held = HeldKey(handle=handle, identity=point)
        handles = []
        for scalar in (5, 5, 6):
            with secrets.agreed_with(held, an_agreement(scalar)) as z:
                session.digest_with_key(b"", z, b"")
                handles.append(z)
        assert handles[0] == handles[1] != handles[2]
        with pytest.raises(CallFailed, match="C_DigestKey"):
            session.digest_with_key(b"", handles[0], b"")
        destroy()
