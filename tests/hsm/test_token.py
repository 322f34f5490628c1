"""A SoftHSM token: opening, making and importing keys, serving only strong ones, signing, checking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from keybroker.errors import ConfigurationInvalid, KeybrokerError, ModuleDisagrees, ModuleUnavailable
from keybroker.hsm.anchor import LABEL, encode_head
from keybroker.hsm.attributes import AttributeValue, KeyAttribute, key_identifier
from keybroker.hsm.check import check_module
from keybroker.hsm.generate import generate_key, import_test_key
from keybroker.hsm.token_module import Token
from keybroker.ledger.model import Head, Signature
from keybroker.terms import DeploymentKind, KeyLabel, KeyPurpose, Provenance
from tests.hsm.heads import a_head
from tests.hsm.intents import a_register, a_registered_key, an_intent
from tests.hsm.subjects import TokenSubject
from tests.hsm.tokens import TokenPlace, packaged_profile
from tests.situations import a_point, a_policy, packaged_policies

pytestmark = pytest.mark.hsm
A = KeyAttribute
RECOVERY = KeyPurpose.RECOVERY_COMMAND


@pytest.fixture
def another_token(softhsm_place: TokenPlace, softhsm: Token) -> Iterator[Any]:
    """Open the same token once more in this process, with one thing changed; closed at the end."""
    opened: list[Token] = []

    def open_changed(**changes: Any) -> Token:
        profile = changes.pop("profile", softhsm_place.profile)
        opened.append(replace(softhsm_place, profile=profile).open(**changes))
        return opened[-1]

    yield open_changed
    for token in opened:
        token.close()


# --- opening


@pytest.mark.parametrize(
    ("changes", "refusal", "words"),
    [
        ({"token_label": "another"}, ModuleUnavailable, "label and serial"),
        ({"token_serial": "0"}, ModuleUnavailable, "label and serial"),
        ({"sessions": 2}, ConfigurationInvalid, "1 to 1"),
        ({"sessions": 0}, ConfigurationInvalid, "1 to 1"),
        ({"library": "/no/such/library.so"}, ConfigurationInvalid, "cannot be loaded"),
        ({"profile": packaged_profile("thales-luna-7")}, ConfigurationInvalid, "library manufacturer"),
    ],
)
def test_does_not_open_what_the_configuration_does_not_describe(
    another_token: Any, changes: dict[str, Any], refusal: type[KeybrokerError], words: str
) -> None:
    with pytest.raises(refusal, match=words) as raised:
        another_token(**changes)
    assert "/no/such" not in raised.value.sentence


def test_a_profile_that_needs_an_environment_variable_says_which(
    softhsm_place: TokenPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NSS_DATABASE", raising=False)
    with pytest.raises(ConfigurationInvalid, match="NSS_DATABASE"):
        replace(softhsm_place, profile=packaged_profile("nss-softokn")).open()


# --- making, and importing test keys


def test_makes_no_second_key_of_a_label(softhsm: Token, label: str) -> None:
    generate_key(softhsm, KeyLabel(label), a_policy())
    with pytest.raises(ModuleDisagrees, match="stands in the module already"):
        generate_key(softhsm, KeyLabel(label), a_policy())


@pytest.mark.clause("G2.44", "G2.44(f)", shows="refusal")
def test_makes_no_key_for_live_use_in_a_software_token(another_token: Any, label: str) -> None:
    live = another_token(deployment=DeploymentKind.LIVE)
    with pytest.raises(ConfigurationInvalid, match="information-classification-scheme"):
        generate_key(live, KeyLabel(label), a_policy())


@pytest.mark.clause("G2.44", "G2.44(f)", shows="refusal")
def test_imports_no_key_in_a_live_deployment(another_token: Any, label: str) -> None:
    live = another_token(deployment=DeploymentKind.LIVE)
    with pytest.raises(ConfigurationInvalid, match="only a test deployment"):
        import_test_key(live, KeyLabel(label), a_policy(), bytes(31) + b"\x01", a_point())


@pytest.mark.clause("G2.44", "G2.44(f)", shows="acceptance")
@pytest.mark.parametrize("purpose", [KeyPurpose.SUPPLIER_PRE_COMMAND, RECOVERY])
def test_makes_a_key_with_the_attributes_of_its_purpose(softhsm: Token, label: str, purpose: KeyPurpose) -> None:
    point = generate_key(softhsm, KeyLabel(label), a_policy(purpose))
    with softhsm.exclusively() as connection:
        (private,) = connection.find_private(label)
        (public,) = connection.find_public(label)
    wrapped = purpose is RECOVERY
    assert private.identifier == public.identifier == key_identifier(point)
    assert public.point == point
    assert private.attributes[A.EXTRACTABLE] is wrapped
    assert private.attributes[A.WRAP_WITH_TRUSTED] is wrapped
    assert private.attributes[A.NEVER_EXTRACTABLE] is not wrapped
    assert private.attributes[A.ALLOWED_MECHANISMS] == frozenset({0x1041})
    assert private.attributes[A.MODIFIABLE] is False
    assert {a.value for a, v in private.attributes.items() if v is True} >= {"SIGN", "SENSITIVE", "LOCAL", "TOKEN"}


def test_imports_a_test_key_that_then_signs(softhsm: Token, label: str) -> None:
    scalar = 0x5EED
    point = a_point(scalar)
    import_test_key(softhsm, KeyLabel(label), a_policy(), scalar.to_bytes(32, "big"), point)
    key = a_registered_key(label, point, provenance=Provenance.IMPORTED_TEST_KEY)
    assert softhsm.served(a_register(key, version=2001))[key.label].passed
    assert isinstance(softhsm.use([an_intent(key)])[0], Signature)
    # The same key called generated is weaker than a generated one.
    said = replace(key, provenance=Provenance.GENERATED)
    assert "LOCAL" in softhsm.served(a_register(said, version=2002))[key.label].found


# --- serving


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (A.SENSITIVE, False),
        (A.EXTRACTABLE, True),
        (A.DECRYPT, True),
        (A.UNWRAP, True),
        (A.DERIVE, True),
        (A.ALLOWED_MECHANISMS, frozenset({0x1041, 0x1050})),
    ],
)
def test_does_not_serve_a_key_with_one_weaker_attribute(
    softhsm: Token, label: str, attribute: KeyAttribute, value: AttributeValue
) -> None:
    point = TokenSubject(softhsm).make_with(label, {attribute: value})
    key = a_registered_key(label, point)
    finding = softhsm.served(a_register(key, version=hash((label, 1))))[key.label]
    assert (finding.passed, finding.clause) == (False, "G3.22")
    assert finding.found.startswith(attribute.value)


def test_does_not_serve_a_key_under_another_identifier(softhsm: Token, label: str) -> None:
    key = a_registered_key(label, TokenSubject(softhsm).make_with(label, {}, identifier=b"12345678"))
    assert "CKA_ID" in softhsm.served(a_register(key, version=2003))[key.label].expected


def test_does_not_serve_a_key_without_public_key_or_policy(another_token: Any, label: str) -> None:
    token = another_token(policies={KeyPurpose.SUPPLIER_PRE_COMMAND: a_policy()})
    ordered = replace(a_registered_key(label, a_point()), public_key=b"")
    other = a_registered_key(f"{label}-b", a_point(), RECOVERY)
    findings = token.served(a_register(ordered, other, version=1))
    assert [finding.expected for finding in findings.values()] == [
        "a registered public key on P-256",
        "a policy for its purpose",
    ]


@pytest.mark.clause("G2.44", "G2.44(f)", shows="refusal")
def test_serves_nothing_from_a_software_token_in_a_live_deployment(
    softhsm: Token, another_token: Any, label: str
) -> None:
    key = a_registered_key(label, generate_key(softhsm, KeyLabel(label), a_policy()))
    live = another_token(deployment=DeploymentKind.LIVE)
    finding = live.served(a_register(key))[key.label]
    assert not finding.passed
    assert "information-classification-scheme" in finding.expected


def test_looks_a_key_up_once_per_register_version(softhsm: Token, label: str) -> None:
    key = a_registered_key(label, generate_key(softhsm, KeyLabel(label), a_policy()))
    first = softhsm.served(a_register(key, version=2004))
    assert softhsm.served(a_register(key, version=2004)) is first
    assert softhsm.served(a_register(key, version=2005)) is not first


# --- signing on several sessions


@pytest.mark.parametrize("in_process", [True, False])
def test_several_sessions_answer_in_order(another_token: Any, label: str, in_process: bool) -> None:
    softhsm = packaged_profile("softhsm2")
    several = softhsm.sessions.model_copy(update={"signing": 4, "in_process": in_process})
    token = another_token(profile=replace(softhsm, sessions=several), sessions=4)
    key = a_registered_key(label, generate_key(token, KeyLabel(label), a_policy()))
    assert token.served(a_register(key))[key.label].passed
    intents = [an_intent(key, counter) for counter in range(1, 41)]
    answers = token.use(intents)
    assert [answer.intent for answer in answers] == intents
    assert all(isinstance(answer, Signature) for answer in answers)
    assert len({answer.octets for answer in answers if isinstance(answer, Signature)}) == 40


# --- the ledger's head


def test_reads_the_greatest_head_whatever_a_dying_worker_left(softhsm: Token) -> None:
    softhsm.write_anchor(a_head(3))
    with softhsm.exclusively() as connection:
        connection.create_data(LABEL, encode_head(a_head(8)))
        connection.create_data(LABEL, encode_head(a_head(2)))
    assert softhsm.read_anchor() == a_head(8)
    with pytest.raises(ModuleDisagrees, match="the ledger has 4 records, the module remembers 8"):
        softhsm.write_anchor(a_head(4))
    assert softhsm.read_anchor() == a_head(8)
    with pytest.raises(ModuleDisagrees, match="another root"):
        softhsm.write_anchor(a_head(8, root=b"\x01" * 32))
    softhsm.write_anchor(a_head(9))
    with softhsm.exclusively() as connection:
        assert len(connection.find_data(LABEL)) == 1
        connection.create_data(LABEL, b"not a head")
    with pytest.raises(ModuleDisagrees):
        softhsm.read_anchor()
    with softhsm.exclusively() as connection:
        for data in connection.find_data(LABEL):
            connection.destroy_data(data.handle)
    with pytest.raises(ModuleDisagrees, match="taken away"):
        softhsm.write_anchor(a_head(10))


@pytest.mark.parametrize("left", [(), (12,), (12, 30), (3, 12, 30), (30,)], ids=str)
def test_a_restored_ledgers_head_takes_the_place_of_the_other_wherever_somebody_died_between(
    softhsm: Token, left: tuple[int, ...]
) -> None:
    """Nothing kept, only the new head, both, both and an older one, only the old head."""
    old, new = a_head(30), a_head(12)
    with softhsm.exclusively() as connection:
        for data in connection.find_data(LABEL):
            connection.destroy_data(data.handle)
        for size in left:
            connection.create_data(LABEL, encode_head(a_head(size)))
    for _ in range(2):
        softhsm.replace_anchor(new, instead_of=old)
        assert softhsm.read_anchor() == new
    with softhsm.exclusively() as connection:
        assert len(connection.find_data(LABEL)) == 1
    softhsm.write_anchor(a_head(13))


@pytest.mark.parametrize(
    "kept",
    [a_head(31), a_head(30, root=b"\x01" * 32), a_head(30, origin="another.example/TEST")],
    ids=["a greater", "another root", "another ledger's"],
)
def test_refuses_to_replace_another_head_than_the_one_that_was_ordered(softhsm: Token, kept: Head) -> None:
    with softhsm.exclusively() as connection:
        for data in connection.find_data(LABEL):
            connection.destroy_data(data.handle)
        connection.create_data(LABEL, encode_head(kept))
    with pytest.raises(ModuleDisagrees, match="another head"):
        softhsm.replace_anchor(a_head(12), instead_of=a_head(30))
    assert softhsm.read_anchor() == kept


# --- checking and supervising


def test_the_check_tells_what_the_token_does_and_for_which_purposes(softhsm: Token) -> None:
    report = check_module(softhsm, packaged_policies())
    assert report.passed
    assert [test.passed for test in report.tests] == [True, True, True]
    assert {each.purpose for each in report.purposes} == set(KeyPurpose)
    assert not any(each.live.passed for each in report.purposes)
    assert report.description.manufacturer == "SoftHSM project"
    assert report.keeps_anchor
    with softhsm.exclusively() as connection:
        assert not connection.find_private("keybroker known-answer test")


def test_says_whether_the_session_is_alive(softhsm_place: TokenPlace, softhsm: Token) -> None:
    token = softhsm_place.open()
    assert token.session_ok()
    assert not token.needs_new_process
    token.close()
    assert not token.session_ok()
    # Another connection of this process was not logged out by that.
    assert softhsm.session_ok()


def test_a_token_whose_sessions_were_closed_recovers_by_itself(softhsm_place: TokenPlace, label: str) -> None:
    token = softhsm_place.open()
    key = a_registered_key(label, generate_key(token, KeyLabel(label), a_policy()))
    token.served(a_register(key))
    token.close()
    assert isinstance(token.use([an_intent(key)])[0], Signature)
    token.close()
