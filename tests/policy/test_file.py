"""Policy files: read strictly, and held against the clause they stand on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import Criticality
from keybroker.errors import ConfigurationInvalid
from keybroker.ledger.life_form import ORDERED_BY_TWO_AT_WILL
from keybroker.policy.file import read_policies, read_policy
from keybroker.policy.file_form import OrderedByTwo
from keybroker.policy.obligations import OBLIGATIONS
from keybroker.policy.rule import CLAUSE
from keybroker.policy.settings import DatedStandard
from keybroker.terms import Export, KeyPurpose
from tests.situations import USER_PURPOSES, a_policy, packaged_policies

DIRECTORY = Path(__file__).parent.parent.parent / "policies"
SUPPLIER = (DIRECTORY / "supplier-pre-command.toml").read_text()
RECOVERY = (DIRECTORY / "recovery-command.toml").read_text()
ISSUING = (DIRECTORY / "issuing-oca.toml").read_text()
CHECKPOINT = (DIRECTORY / "audit-checkpoint.toml").read_text()


def spoil(text: str, old: str, new: str) -> bytes:
    assert old in text
    return text.replace(old, new).encode()


NOT_READ = {
    "is no UTF-8": b"\xff" + SUPPLIER.encode(),
    "is no TOML": spoil(SUPPLIER, "[module]", "[module"),
    "gives a key twice": spoil(SUPPLIER, 'export = "never"', 'export = "never"\nexport = "never"'),
    "is empty": b"",
    "dates a standard nobody knows": spoil(RECOVERY, 'standard = "FIPS 140-3"', 'standard = "FIPS 140-1"'),
    "dates a standard twice": spoil(RECOVERY, 'standard = "FIPS 140-3"', 'standard = "FIPS 140-2"'),
    "dates a standard without a beginning": spoil(RECOVERY, '140-3", from = 2019-09-22T00:00:00Z', '140-3"'),
    "dates a standard without a zone": spoil(RECOVERY, "2019-09-22T00:00:00Z", "2019-09-22"),
    "ends a standard before it begins": spoil(
        RECOVERY, "from = 2019-09-22T00:00:00Z", "from = 2019-09-22T00:00:00Z, until = 2019-09-22T00:00:00Z"
    ),
    "has a standard historical before it begins": spoil(
        RECOVERY, "historical_from = 2026-09-21", "historical_from = 2001-05-25"
    ),
    "has a key of a standard nobody knows": spoil(RECOVERY, "historical_from", "historic_from"),
    "has a key of module.validation nobody knows": spoil(RECOVERY, "standards = [", "relaxed = true\nstandards = ["),
    "has no standard": spoil(RECOVERY, "[module.validation]", "[module.validation]\nstandards = []\n[unread]"),
    "says nothing of the life of its keys": spoil(SUPPLIER, "[life]", "[lives]"),
    "has a key of life nobody knows": spoil(SUPPLIER, "demanded = []", "demanded = []\nrelax = true"),
    "demands what it does not have": spoil(SUPPLIER, "demanded = []", 'demanded = ["uses"]'),
    "demands what nobody knows": spoil(SUPPLIER, "demanded = []", 'demanded = ["days"]'),
    "has a cryptoperiod of no day": spoil(SUPPLIER, "demanded = []", "demanded = []\ncryptoperiod_days = 0"),
    "has a number of uses of none": spoil(SUPPLIER, "demanded = []", "demanded = []\nuses = 0"),
    "has two people do what nobody knows": spoil(SUPPLIER, "two_people = []", 'two_people = ["Order"]'),
    "has two people do what only a ceremony does": spoil(SUPPLIER, "two_people = []", 'two_people = ["SplitKey"]'),
    "has an act of two people twice": spoil(SUPPLIER, "two_people = []", 'two_people = ["RetireKey", "RetireKey"]'),
    **{
        f"has roles {how}": spoil(SUPPLIER, "two_people = []", f"two_people = []\nroles = {roles}")
        for how, roles in {
            "of none": "{ RetireKey = [] }",
            "of an act nobody knows": '{ Retire = ["key-manager"] }',
            "of what only a ceremony does": '{ SplitKey = ["key-manager"] }',
            "of what follows from an order": '{ KeyGenerated = ["key-manager"] }',
            "twice": '{ RetireKey = ["key-manager", "key-manager"] }',
            "as text": '{ RetireKey = "key-manager" }',
            "as a list": '["key-manager"]',
            "without a name": '{ RetireKey = [""] }',
            "in capitals": '{ RetireKey = ["Key Manager"] }',
        }.items()
    },
    "has a key nobody knows": spoil(SUPPLIER, 'export = "never"', 'export = "never"\nrelax = true'),
    "has a key of a module nobody knows": spoil(SUPPLIER, "[module]", "[module]\nlevel = 3"),
    "lacks the export": spoil(SUPPLIER, 'export = "never"', ""),
    "lacks the module": spoil(SUPPLIER, "[module]", "[modules]"),
    "lacks gates": SUPPLIER[: SUPPLIER.index("[[gates]]")].encode(),
    "has a purpose nobody knows": spoil(SUPPLIER, 'purpose = "supplier-pre-command"', 'purpose = "supplier"'),
    "has an empty title": spoil(SUPPLIER, 'title = "Supplier Pre-Command signing"', 'title = ""'),
    "has no clauses": spoil(SUPPLIER, 'clauses = ["G3.14", "G3.22", "G3.23", "G3.24", "G3.25", ', "clauses = [] #"),
    "has a clause that is none": spoil(SUPPLIER, '["G3.14", ', '["none", '),
    "has a clause that only holds one": spoil(SUPPLIER, '["G3.14", ', '["not G3.14", '),
    "has a gate without its clause": spoil(SUPPLIER, 'gate = "key-served"\nclause = "G3.22"', 'gate = "key-served"'),
    "has a gate with an empty clause": spoil(
        SUPPLIER, 'gate = "key-served"\nclause = "G3.22"', 'gate = "key-served"\nclause = ""'
    ),
    "names a gate nobody knows": spoil(SUPPLIER, 'gate = "key-served"', 'gate = "key-servd"'),
    "names a gate twice": spoil(SUPPLIER, 'gate = "uk-location"', 'gate = "key-served"'),
    "has a date without a zone": spoil(SUPPLIER, "2013-09-23T00:00:00Z", "2013-09-23T00:00:00"),
    "has a date in quotes": spoil(SUPPLIER, "2013-09-23T00:00:00Z", '"2013-09-23T00:00:00Z"'),
    "ends before it begins": spoil(
        SUPPLIER, "2013-09-23T00:00:00Z", "2013-09-23T00:00:00Z\neffective_until = 2013-09-23T00:00:00Z"
    ),
    "binds in a way nobody knows": spoil(SUPPLIER, '"certificate-role"', '"certificate"'),
    "has a role in lower case": spoil(SUPPLIER, 'roles = ["02"]', 'roles = ["7f"]'),
    "has a role as a number": spoil(SUPPLIER, 'roles = ["02"]', "roles = [2]"),
    "has a role nobody knows": spoil(SUPPLIER, 'roles = ["02"]', 'roles = ["7E"]'),
    "has a role twice": spoil(SUPPLIER, 'roles = ["02"]', 'roles = ["02", "02"]'),
    "has a caller kind nobody knows": spoil(SUPPLIER, '["user-system"]', '["user"]'),
    "has a caller kind twice": spoil(SUPPLIER, '["user-system"]', '["user-system", "user-system"]'),
    "has no caller kind": spoil(SUPPLIER, '["user-system"]', "[]"),
    "has an operation nobody knows": spoil(SUPPLIER, '["SignPreCommand", ', '["SignDigest", '),
    "has no operation": spoil(SUPPLIER, '["SignPreCommand", "SignCertificateSigningRequest"]', "[]"),
    "has a content kind nobody knows": spoil(SUPPLIER, '["pre-command"', '["digest"'),
    "has another algorithm": spoil(SUPPLIER, "ecdsa-p256-sha256", "ecdsa-p256-sha1"),
    "has a location nobody knows": spoil(SUPPLIER, 'location = "united-kingdom"', 'location = "cloud"'),
    "has an export nobody knows": spoil(SUPPLIER, 'export = "never"', 'export = "plain"'),
    "has a module requirement nobody knows": spoil(SUPPLIER, '"information-classification-scheme"', '"any"'),
    "has a Message Code as text": spoil(SUPPLIER, "0x0062", '"0x0062"'),
    "has a Message Code of three octets": spoil(SUPPLIER, "0x0062", "0x010062"),
    "has a negative Message Code": spoil(SUPPLIER, "0x0062", "-1"),
    "has an unknown Message Code": spoil(SUPPLIER, "0x0062", "0x7FFF"),
    "has the Message Code of an Alert": spoil(SUPPLIER, "0x0062", "0x0061"),
    "has a non-critical Message Code": spoil(SUPPLIER, "0x0062", "0x0021"),
    "has a Message Code of blank criticality": spoil(SUPPLIER, "0x0062", "0x0116"),
    "has a Message Code in two groups": spoil(SUPPLIER, "0x0062", "0x000A"),
    "has an empty group": spoil(SUPPLIER, "[0x0086, 0x00B4, 0x00C0, 0x00C2]", "[]"),
}

CONFLICTS = {
    "use_clause: expected G3.29": spoil(SUPPLIER, 'use_clause = "G3.29(a)+(b)"', 'use_clause = "G2.56(a)+(b)"'),
    "clauses: expected use_clause": spoil(SUPPLIER, '"G3.29(a)+(b)", "G5.24"', '"G5.24"'),
    "binding: expected certificate-role": spoil(SUPPLIER, '"certificate-role"', '"public-key"'),
    r"roles: expected of \['02'\]": spoil(SUPPLIER, 'roles = ["02"]', 'roles = ["02", "03"]'),
    r"roles: expected of \[\]": spoil(CHECKPOINT, "roles = []", 'roles = ["7F"]'),
    r"content_kinds: G3.29\(a\)": spoil(SUPPLIER, '["pre-command"', '["audit-checkpoint", "pre-command"'),
    r"content_kinds: G2.56\(a\)": spoil(RECOVERY, '["command"', '["pre-command", "command"'),
    "operations: .* allows fewer": spoil(SUPPLIER, '["SignPreCommand", ', '["SignPreCommand", "SignCommand", '),
    "operations: .*G2.61.* allows fewer": spoil(
        ISSUING, '["SignCertificate"', '["SignRootCertificate", "SignCertificate"'
    ),
    "caller_kinds: .* G3.14 allow fewer": spoil(ISSUING, '["dcc-service"]', '["dcc-service", "operator"]'),
    "caller_kinds: G2.25 and G3.14": spoil(SUPPLIER, '["user-system"]', '["user-system", "dcc-service"]'),
    "module.requirement: expected fips-level-3": spoil(
        RECOVERY, '"fips-level-3"', '"information-classification-scheme"'
    ),
    "location: expected united-kingdom": spoil(SUPPLIER, 'location = "united-kingdom"', 'location = "not-restricted"'),
    "gates: expected also supply-sensitive-check": SUPPLIER.replace(
        'gate = "supply-sensitive-check"', 'gate = "pma-approval"'
    ).encode(),
    "gates: expected also split-key": spoil(RECOVERY, 'gate = "split-key"', 'gate = "uk-location"'),
    "gates: expected also key-served": spoil(RECOVERY, 'gate = "key-served"', 'gate = "uk-location"'),
    "algorithm: expected ecdsa-p256-sha256": spoil(SUPPLIER, '"ecdsa-p256-sha256"', '"aes-128-gcm"'),
    "key_usage: expected digitalSignature": spoil(SUPPLIER, '"digitalSignature"', '"keyAgreement"'),
    r"tables: expected \['supply_sensitive_check'\], found": spoil(
        SUPPLIER, "[module]", "[prepayment]\nlargest_pence = 1\nlargest_pounds = 1\n[module]"
    ),
    r"tables: expected \['module_validation'\], found none": (
        RECOVERY[: RECOVERY.index("[module.validation]")] + RECOVERY[RECOVERY.index("[life]") :]
    ).encode(),
    "tables: expected .*, found .*module_validation": spoil(
        SUPPLIER,
        "[message_codes]",
        '[module.validation]\nstandards = [{standard="FIPS 140-3", from=2019-09-22T00:00:00Z}]\n[message_codes]',
    ),
    "export: expected never": spoil(SUPPLIER, 'export = "never"', 'export = "wrapped"'),
    "export: expected wrapped": spoil(RECOVERY, 'export = "wrapped"', 'export = "never"'),
    "message_codes: expected some": spoil(CHECKPOINT, "[message_codes]", "[message_codes]\ncommands = [0x0062]"),
    "message_codes.for-unknown-remote-party: expected for the Access Control Broker alone": spoil(
        SUPPLIER, "billing_calendar_and_clock", "for-unknown-remote-party"
    ),
}


@pytest.mark.parametrize("octets", NOT_READ.values(), ids=NOT_READ)
def test_refuses_a_file_that(octets: bytes) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"^x\.toml: "):
        read_policy(octets, name="x.toml")


@pytest.mark.clause("G2.22B(a)", "G2.44(a)", "G2.45", "G3.22", "G3.23(a)(iii)", shows="refusal")
@pytest.mark.parametrize(("sentence", "octets"), CONFLICTS.items(), ids=[each.replace("\\", "") for each in CONFLICTS])
def test_refuses_a_file_that_says_what_its_clause_forbids(sentence: str, octets: bytes) -> None:
    with pytest.raises(ConfigurationInvalid, match=sentence):
        read_policy(octets, name="x.toml")


def shipped() -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in DIRECTORY.glob("*.toml")}


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_refuses_policies_that_leave_a_purpose_out(purpose: KeyPurpose) -> None:
    files = {name: octets for name, octets in shipped().items() if name != f"{purpose}.toml"}
    with pytest.raises(ConfigurationInvalid, match=f"found none for {purpose}$"):
        read_policies(files)


def test_refuses_a_policy_in_a_file_of_another_name() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"copy.toml: expected in recovery-command.toml"):
        read_policies({**shipped(), "copy.toml": RECOVERY.encode()})


def test_reads_every_purpose_exactly_once_with_the_digest_of_its_octets() -> None:
    assert set(packaged_policies()) == set(KeyPurpose) == set(OBLIGATIONS)
    for name, octets in shipped().items():
        policy = read_policy(octets, name=name)
        assert name == f"{policy.purpose}.toml"
        assert policy.sha256 == hashlib.sha256(octets).digest()


def test_reads_an_end_of_effect() -> None:
    octets = spoil(SUPPLIER, "2013-09-23T00:00:00Z", "2013-09-23T00:00:00Z\neffective_until = 2030-01-01T00:00:00Z")
    until = read_policy(octets, name="x.toml").effective_until
    assert until is not None
    assert until.isoformat() == "2030-01-01T00:00:00+00:00"


def test_lets_a_file_be_stricter_than_its_clause() -> None:
    octets = spoil(SUPPLIER, '["pre-command", "certificate-signing-request"]', '["pre-command"]')
    assert len(read_policy(octets, name="x.toml").content_kinds) == 1


@pytest.mark.parametrize("purpose", KeyPurpose)
def test_every_gate_module_and_policy_names_a_clause(purpose: KeyPurpose) -> None:
    policy = a_policy(purpose)
    for clause in (*policy.clauses, policy.use_clause, policy.module.clause, *(gate.clause for gate in policy.gates)):
        assert CLAUSE.fullmatch(clause)


def test_user_keys_never_leave_and_dcc_keys_leave_only_wrapped() -> None:
    for purpose, policy in packaged_policies().items():
        a_users = purpose in (
            *USER_PURPOSES,
            KeyPurpose.USER_XML,
            KeyPurpose.USER_KEY_AGREEMENT,
            KeyPurpose.SUPPLIER_PREPAYMENT,
        )
        expected = Export.NEVER if a_users or purpose is KeyPurpose.AUDIT_CHECKPOINT else Export.WRAPPED
        assert policy.export is expected


def test_every_listed_message_code_may_be_signed_by_the_role_of_its_purpose() -> None:
    for policy in packaged_policies().values():
        for code in policy.message_codes:
            assert policy.roles <= MESSAGE_CODES[code].signers


def test_the_users_purposes_together_list_the_sixty_critical_codes_that_users_sign_each_once() -> None:
    lists = [a_policy(purpose).message_codes for purpose in USER_PURPOSES]
    assert sum(map(len, lists)) == len(frozenset().union(*lists)) == 60
    assert all(MESSAGE_CODES[code].criticality is Criticality.CRITICAL for code in frozenset().union(*lists))


def test_the_variant_codes_are_listed_by_the_cos_party_alone() -> None:
    variants = {code for code, row in MESSAGE_CODES.items() if row.criticality is Criticality.VARIANT}
    for purpose, policy in packaged_policies().items():
        expected = {0x0008, 0x011B} if purpose is KeyPurpose.COS_PARTY_COMMAND else set()
        assert policy.message_codes & variants == expected


def test_reads_the_dates_of_the_standards_and_accepts_what_is_historical_only_where_the_file_says_so() -> None:
    policy = read_policy(RECOVERY.encode(), name="recovery-command.toml")
    validation = policy.settings.module_validation
    assert validation is not None
    assert validation.historical_accepted_until is None
    assert validation.dates_of("FIPS 140-2") == DatedStandard(
        standard="FIPS 140-2",
        since=datetime(2001, 5, 25, tzinfo=UTC),
        historical_from=datetime(2026, 9, 21, tzinfo=UTC),
    )
    assert validation.dates_of("FIPS 140-4") is None
    accepting = spoil(
        RECOVERY, "[module.validation]", "[module.validation]\nhistorical_accepted_until = 2027-01-01T00:00:00Z"
    )
    validation = read_policy(accepting, name="recovery-command.toml").settings.module_validation
    assert validation is not None
    assert validation.historical_accepted_until == datetime(2027, 1, 1, tzinfo=UTC)


def test_reads_in_which_roles_an_act_is_ordered() -> None:
    octets = spoil(SUPPLIER, "two_people = []", 'two_people = []\nroles = { RetireKey = ["key-manager", "deputy"] }')
    life = read_policy(octets, name="supplier-pre-command").settings.life
    assert life is not None
    assert life.roles == {"RetireKey": {"key-manager", "deputy"}}


def test_two_people_may_be_asked_for_every_act_that_one_orders_and_for_no_other() -> None:
    assert set(get_args(OrderedByTwo)) == ORDERED_BY_TWO_AT_WILL
