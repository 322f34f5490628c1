"""May this key do this, for this caller, now? Content to Decision, with findings by clause. Pure.

SEC G2.20, G2.25, G2.44, G2.45, G2.56 (the DCC); G3.14, G3.22-G3.25, G3.29 (Users); G5.13, G5.24 (keys).
Policies are data (``policies/<key-purpose>.toml``): what and how much. Rules are code: whether is not for data to say.
"""

from __future__ import annotations

from keybroker.content.contents import Content
from keybroker.errors import NotPermitted
from keybroker.policy.model import Decision, Policy, RegisteredKey, Situation
from keybroker.policy.rules import RULES, claims, findings
from keybroker.policy.rules.key import usage_claims
from keybroker.terms import Caller, Finding

__all__ = ["decide"]


def decide(
    content: Content, *, key: RegisteredKey, caller: Caller, policy: Policy | None, situation: Situation
) -> Decision:
    """Run every rule that applies, collect every finding, and refuse once or decide.

    Raises: NotPermitted, holding all findings; its sentence tells the first that failed.
    """
    found = findings(content, key, caller, policy, situation)
    refusals = [finding for finding in found if not finding.passed]
    # Without a policy its rule has refused; the second test tells the type checker so, and holds by itself.
    if refusals or policy is None:
        raise NotPermitted(_sentence(refusals), findings=found)
    return Decision(
        content=content,
        key=key,
        caller=caller,
        policy=policy,
        situation=situation,
        findings=found,
        claims=usage_claims(key, policy) + claims(content, key, situation),
    )


def _sentence(refusals: list[Finding]) -> str:
    first = refusals[0]
    where = "" if first.offset is None else f" at offset {first.offset}"
    more = len(refusals) - 1
    others = "" if not more else " (1 more finding refuses)" if more == 1 else f" ({more} more findings refuse)"
    told = f"{first.rule}{where}: expected {first.expected}, found {first.found} ({first.clause})"
    return f"{told}; {RULES[first.rule].remedy}{others}"
