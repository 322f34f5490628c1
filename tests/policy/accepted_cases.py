"""The cases that the rules accept, at the edge."""

from __future__ import annotations

from datetime import timedelta

from keybroker.terms import DeploymentKind, KeyPurpose, KeyState, Provenance
from tests import messages
from tests.policy.rule_cases import ACB, CELL, CONTINGENCY, SECOND, UNKNOWN_PARTY, Case, a_command, living
from tests.situations import AT, a_certificate, a_key, a_point, a_policy, a_situation

ACCEPTED = (
    Case(
        rule="key-state-active",
        spoilt={"key": a_key(CONTINGENCY, state=KeyState.COMBINED)},
        purpose=CONTINGENCY,
        found="",
    ),
    Case(
        rule="key-cryptoperiod",
        spoilt={
            "key": a_key(activated_at=AT - timedelta(days=30) + SECOND),
            "policy": living(cryptoperiod_days=30),
        },
        found="",
    ),
    Case(
        rule="key-usage-limit",
        spoilt={"key": a_key(uses_before=6), "policy": living(uses=7)},
        found="7 uses at most",
    ),
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_from=AT)}, found=""),
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_until=AT + SECOND)}, found=""),
    Case(rule="key-certificate-valid-now", spoilt={"key": a_key(certificate=a_certificate(not_after=AT))}, found=""),
    Case(rule="key-certificate-valid-now", spoilt={"key": a_key(certificate=a_certificate(not_before=AT))}, found=""),
    Case(
        rule="anchor-for-deployment",
        spoilt={
            "key": a_key(certificate=a_certificate(test_anchor=False)),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={
            "key": a_key(certificate=a_certificate(test_anchor=False)),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={"key": a_key(provenance=Provenance.IMPORTED_TEST_KEY, public_key=a_point(2))},
        found="not applicable to this purpose",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(KeyPurpose.COS_PARTY_COMMAND, code=0x011B, content=CELL)},
        purpose=KeyPurpose.COS_PARTY_COMMAND,
        found="",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(KeyPurpose.COS_PARTY_COMMAND, code=0x0008, content=CELL)},
        purpose=KeyPurpose.COS_PARTY_COMMAND,
        found="",
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(ACB, code=messages.UNJOIN, supplementary=UNKNOWN_PARTY)},
        purpose=ACB,
        found="",
    ),
    Case(rule="message-code-signer-role", spoilt={}, purpose=CONTINGENCY, found="not applicable to this purpose"),
    Case(rule="key-certificate-present", spoilt={}, purpose=CONTINGENCY, found="not applicable to this purpose"),
    Case(
        rule="key-certificate-role-for-purpose",
        spoilt={"key": a_key(CONTINGENCY, certificate=a_certificate(CONTINGENCY, eui=messages.CONTINGENCY))},
        purpose=CONTINGENCY,
        found="not applicable to this purpose",
    ),
    Case(rule="caller-speaks-for-originator", spoilt={}, purpose=ACB, found="not applicable to this purpose"),
)
