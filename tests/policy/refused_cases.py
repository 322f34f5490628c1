"""The cases in which a rule refuses: one or more of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from keybroker.content.model import Criticality
from keybroker.terms import (
    CallerKind,
    DeploymentKind,
    KeyLabel,
    KeyPurpose,
    KeyState,
    KeyUsage,
    Operation,
    PartyName,
    Provenance,
    RemotePartyRole,
)
from tests import messages
from tests.policy.rule_cases import (
    ACB,
    CA,
    CELL,
    CONTINGENCY,
    SECOND,
    SUPPLIER,
    UNKNOWN_PARTY,
    Case,
    a_command,
    a_list,
    living,
    of_code,
    trusting,
)
from tests.situations import AT, ORIGIN, RFC_6979_KEY, a_caller, a_certificate, a_content, a_key, a_policy, a_situation

REFUSALS = (
    Case(rule="policy-in-force", spoilt={"policy": a_policy(KeyPurpose.RECOVERY_COMMAND)}, found="recovery-command"),
    Case(
        rule="policy-in-force",
        spoilt={"policy": a_policy(effective_from=AT + SECOND)},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(rule="policy-in-force", spoilt={"policy": a_policy(effective_until=AT)}, found="2026-01-15T12:00:00+00:00"),
    Case(
        rule="content-kind-for-purpose",
        spoilt={"content": a_content(KeyPurpose.RECOVERY_COMMAND)},
        found="command",
    ),
    Case(rule="content-kind-for-purpose", spoilt={"content": a_command()}, purpose=ACB, found="pre-command"),
    Case(
        rule="content-kind-for-purpose",
        spoilt={"content": a_content(KeyPurpose.AUDIT_CHECKPOINT)},
        found="audit-checkpoint",
    ),
    *(
        Case(rule="operation-for-purpose", spoilt={"situation": a_situation(operation=operation)}, found=operation)
        for operation in Operation
        if operation is not Operation.SIGN_PRE_COMMAND
    ),
    *(
        Case(
            rule="operation-for-purpose",
            spoilt={"situation": a_situation(operation=operation)},
            purpose=ACB,
            found=operation,
        )
        for operation in Operation
        if operation is not Operation.SIGN_COMMAND
    ),
    *(
        Case(rule="caller-kind-for-purpose", spoilt={"caller": a_caller(kind=kind)}, found=kind)
        for kind in CallerKind
        if kind is not CallerKind.USER_SYSTEM
    ),
    *(
        Case(rule="caller-kind-for-purpose", spoilt={"caller": a_caller(ACB, kind=kind)}, purpose=ACB, found=kind)
        for kind in CallerKind
        if kind is not CallerKind.DCC_SERVICE
    ),
    Case(rule="caller-entitled-to-key", spoilt={"caller": a_caller(keys=frozenset())}, found="one that is not"),
    Case(
        rule="caller-entitled-to-key",
        spoilt={"caller": a_caller(keys=frozenset({KeyLabel("supplier-b")}))},
        found="one that is not",
    ),
    Case(
        rule="caller-party-is-keys-party",
        spoilt={"caller": a_caller(party=PartyName("supplier-b"))},
        found="a key of another party",
    ),
    Case(
        rule="caller-entitled-to-operation",
        spoilt={"caller": a_caller(operations=frozenset())},
        found="SignPreCommand",
    ),
    Case(
        rule="caller-entitled-to-operation",
        spoilt={"caller": a_caller(operations=frozenset({Operation.EXPLAIN, Operation.SIGN_COMMAND}))},
        found="SignPreCommand",
    ),
    Case(
        rule="caller-speaks-for-originator",
        spoilt={"caller": a_caller(euis=frozenset())},
        found=str(messages.SUPPLIER),
        offset=12,
    ),
    Case(
        rule="caller-speaks-for-originator",
        spoilt={"caller": a_caller(euis=frozenset({messages.NETWORK_OPERATOR}))},
        found=str(messages.SUPPLIER),
        offset=12,
    ),
    *(
        Case(rule="key-state-active", spoilt={"key": a_key(state=state)}, found=state)
        for state in KeyState
        if state is not KeyState.ACTIVE
    ),
    Case(
        rule="key-cryptoperiod",
        spoilt={"key": a_key(activated_at=AT - timedelta(days=30)), "policy": living(cryptoperiod_days=30)},
        found="the end at 2026-01-15T12:00:00+00:00",
    ),
    Case(
        rule="key-cryptoperiod",
        spoilt={"key": a_key(activated_at=None), "policy": living(cryptoperiod_days=30)},
        found="no activation on record",
    ),
    Case(
        rule="key-usage-limit",
        spoilt={"key": a_key(uses_before=7), "policy": living(uses=7)},
        found="7 where it came from",
    ),
    Case(rule="key-certificate-present", spoilt={"key": a_key(certificate=None)}, found="none"),
    *(
        Case(
            rule="key-certificate-role-for-purpose",
            spoilt={"key": a_key(certificate=a_certificate(role=role))},
            found=f"OU {role.ou}",
        )
        for role in RemotePartyRole
        if role is not RemotePartyRole.SUPPLIER
    ),
    Case(rule="key-eui-is-certificates-eui", spoilt={"key": a_key(eui=None)}, found="none"),
    Case(
        rule="key-eui-is-certificates-eui",
        spoilt={"key": a_key(eui=messages.RECOVERY)},
        found=str(messages.RECOVERY),
    ),
    Case(
        rule="key-certificate-valid-now",
        spoilt={"key": a_key(certificate=a_certificate(not_after=AT - SECOND))},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(
        rule="key-certificate-valid-now",
        spoilt={"key": a_key(certificate=a_certificate(not_before=AT + SECOND))},
        found="2026-01-15T12:00:00+00:00",
    ),
    Case(
        rule="key-certificate-not-revoked",
        spoilt={"key": a_key(certificate=a_certificate(revoked_at=datetime(2026, 1, 1, tzinfo=UTC)))},
        found="revoked at 2026-01-01T00:00:00+00:00",
    ),
    Case(
        rule="key-certificate-not-revoked",
        spoilt={"key": a_key(certificate=a_certificate(revoked_at=datetime(2027, 1, 1, tzinfo=UTC)))},
        found="revoked at 2027-01-01T00:00:00+00:00",
    ),
    *(
        Case(
            rule="key-certificate-not-on-a-revocation-list",
            spoilt={"key": a_key(certificate=a_certificate(issuers=(CA,), serials=(7,))), "situation": situation},
            found=found,
        )
        for situation, found in (
            (a_situation(), "no revocation list"),
            (a_situation(trust=trusting(a_list(next_update=AT - SECOND))), "2026-01-15T11:59:59+00:00, not for"),
            (a_situation(trust=trusting(a_list(this_update=AT + SECOND))), "2026-01-15T12:00:01+00:00"),
            (a_situation(trust=trusting(a_list(revoked={7: AT}))), "serial 7 revoked at 2026-01-15T12:00:00+00:00"),
            (a_situation(trust=trusting(a_list(revoked={7: AT + SECOND}))), "serial 7 revoked at"),
        )
    ),
    Case(
        rule="key-usage-for-purpose",
        spoilt={"key": a_key(certificate=a_certificate(usage=KeyUsage.KEY_AGREEMENT))},
        found="keyAgreement",
    ),
    Case(
        rule="anchor-for-deployment",
        spoilt={"key": a_key(certificate=a_certificate(test_anchor=False))},
        found="a live anchor",
    ),
    Case(
        rule="anchor-for-deployment",
        spoilt={"situation": a_situation(deployment=DeploymentKind.LIVE)},
        found="a test anchor",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={
            "key": a_key(provenance=Provenance.IMPORTED_TEST_KEY),
            "situation": a_situation(deployment=DeploymentKind.LIVE),
        },
        found="an imported test key",
    ),
    Case(
        rule="not-a-published-test-key",
        spoilt={"key": a_key(public_key=RFC_6979_KEY), "situation": a_situation(deployment=DeploymentKind.LIVE)},
        found="a published test key",
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(code=messages.SEND_MESSAGE)},
        found="0x0021, a Command (non-critical)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": of_code(SUPPLIER, criticality=Criticality.UNKNOWN)},
        found="0x0062, a Command (unknown)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": of_code(SUPPLIER, is_command=False)},
        found="0x0062, no Command (critical)",
        offset=31,
    ),
    Case(
        rule="message-code-critical",
        spoilt={"content": a_command(code=0x011B, content=CELL)},
        found="0x011B, a Command (variant)",
        offset=31,
    ),
    Case(
        rule="message-code-for-purpose",
        spoilt={"content": a_command(code=0x011B, content=CELL)},
        found="0x011B CS02f",
        offset=31,
    ),
    *(
        Case(
            rule="message-code-for-purpose",
            spoilt={"content": a_command(code=code)},
            found=f"0x{code:04X}",
            offset=31,
        )
        for code in (0x0103, 0x0104, 0x0105, 0x0106, 0x0107, 0x0108, 0x0109, 0x011F, 0x0125, messages.SEND_MESSAGE)
    ),
    Case(
        rule="message-code-signer-role",
        spoilt={"key": a_key(certificate=a_certificate(role=RemotePartyRole.LOAD_CONTROLLER))},
        found="08 (LOAD_CONTROLLER)",
        offset=31,
    ),
    Case(
        rule="message-code-signer-role",
        spoilt={"content": of_code(SUPPLIER, signers=frozenset())},
        found="02 (SUPPLIER)",
        offset=31,
    ),
    Case(
        rule="originator-is-keys-eui",
        spoilt={"content": a_command(originator=messages.NETWORK_OPERATOR)},
        found=str(messages.NETWORK_OPERATOR),
        offset=12,
    ),
    Case(rule="originator-is-keys-eui", spoilt={"key": a_key(eui=None)}, found=str(messages.SUPPLIER), offset=12),
    Case(
        rule="originator-is-keys-eui",
        spoilt={"content": a_command(CONTINGENCY, originator=messages.RECOVERY)},
        purpose=CONTINGENCY,
        found=str(messages.RECOVERY),
        offset=12,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(code=messages.UNJOIN, supplementary=UNKNOWN_PARTY)},
        found="18",
        offset=31,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": a_command(ACB, code=messages.UNJOIN)},
        purpose=ACB,
        found="2",
        offset=31,
    ),
    Case(
        rule="other-information-for-purpose",
        spoilt={"content": replace(a_command(ACB), supplementary_party=messages.SUPPLIER, supplementary_counter=77)},
        purpose=ACB,
        found="18",
        offset=31,
    ),
    *(
        Case(
            rule="checkpoint-origin-is-this-ledger",
            spoilt={"content": a_content(KeyPurpose.AUDIT_CHECKPOINT, origin=origin)},
            purpose=KeyPurpose.AUDIT_CHECKPOINT,
            found=repr(origin),
            offset=0,
        )
        for origin in ("keybroker.example/other", f"{ORIGIN}2", ORIGIN[:-1])
    ),
)
