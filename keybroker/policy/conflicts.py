"""What may no policy file say? Whatever its purpose's clause does not leave to a file (``obligations``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from keybroker.clause import clause
from keybroker.policy.model import Policy
from keybroker.policy.obligations import EVERY_PURPOSE, OBLIGATIONS
from keybroker.policy.rules.command import UNKNOWN_REMOTE_PARTY_GROUP
from keybroker.terms import KeyPurpose


@clause("G2.22B(a)", "G2.44(a)", "G2.45", "G3.22", "G3.23(a)(iii)")
def find_conflicts(policy: Policy) -> Iterator[str]:
    """One sentence for each thing in the policy that its purpose's clause does not leave to a file."""
    must = OBLIGATIONS[policy.purpose]
    missing = must.gates - {each.gate for each in policy.gates}
    another = any(group == UNKNOWN_REMOTE_PARTY_GROUP for group, _ in policy.message_code_groups)
    tables = {each.name for each in fields(policy.settings) if getattr(policy.settings, each.name) is not None}
    tables -= EVERY_PURPOSE
    checks = (
        (policy.use_clause.startswith(must.use_clause), f"use_clause: expected {must.use_clause}"),
        (policy.use_clause in policy.clauses, "clauses: expected use_clause among them"),
        (policy.binding == must.binding, f"binding: expected {must.binding}"),
        (
            _within(policy.roles, must.roles),
            f"roles: expected of {sorted(role.ou for role in must.roles)}",
        ),
        (_within(policy.content_kinds, must.content_kinds), f"content_kinds: {policy.use_clause} allows fewer"),
        (_within(policy.operations, must.operations), f"operations: {policy.use_clause} allows fewer"),
        (_within(policy.caller_kinds, must.caller_kinds), "caller_kinds: G2.25 and G3.14 allow fewer"),
        (policy.module.requirement == must.module, f"module.requirement: expected {must.module}"),
        (policy.location == must.location, f"location: expected {must.location}"),
        (policy.algorithm is must.algorithm, f"algorithm: expected {must.algorithm}"),
        (policy.key_usage is must.key_usage, f"key_usage: expected {must.key_usage}"),
        (not missing, f"gates: expected also {', '.join(sorted(missing))}"),
        (policy.export is must.export, f"export: expected {must.export}"),
        (bool(policy.message_codes) is must.commands, "message_codes: expected some for Commands, none otherwise"),
        (
            not another or policy.purpose is KeyPurpose.ACCESS_CONTROL_BROKER_COMMAND,
            f"message_codes.{UNKNOWN_REMOTE_PARTY_GROUP}: expected for the Access Control Broker alone",
        ),
        (
            tables == must.settings,
            f"tables: expected {sorted(must.settings) or 'none'}, found {sorted(tables) or 'none'}",
        ),
    )
    return (sentence for holds, sentence in checks if not holds)


def _within(named: frozenset[Any], allowed: frozenset[Any]) -> bool:
    """At most what is allowed, and something where anything is: a purpose for nothing is a slip of the pen."""
    return named <= allowed and bool(named) is bool(allowed)
