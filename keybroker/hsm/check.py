"""What can this token do, and which purposes does that allow? For ``keybroker module check`` and for the start.

Known-answer tests use a throw-away session key pair and digests of a domain of their own: never a registered key, and
never a digest that could be a message's (no kind of content that we sign begins with this text).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import CKM_ECDSA, KeyAttribute
from keybroker.hsm.connection import Connection, Mechanism, TokenDescription
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.token_module import Token
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind, Finding, KeyPurpose, RuleName

KNOWN_ANSWER_TEXT = b"keybroker known-answer test"
_LABEL = "keybroker known-answer test"
_CLAUSE = "G2.44"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeReport:
    """May keys of this purpose be held here: in this deployment, and in a live one? Each finding says why not."""

    purpose: KeyPurpose
    here: Finding
    live: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReport:
    """``tests``: one finding per known-answer test. ``untried``: sections of the profile that nobody has tried."""

    profile: str
    description: TokenDescription
    mechanisms: tuple[Mechanism, ...]
    keeps_anchor: bool
    untried: tuple[str, ...]
    tests: tuple[Finding, ...]
    purposes: tuple[PurposeReport, ...]

    @property
    def passed(self) -> bool:
        """Every known-answer test passed and every purpose may be held in this deployment."""
        return all(test.passed for test in self.tests) and all(report.here.passed for report in self.purposes)


def check_module(token: Token, policies: Mapping[KeyPurpose, Policy]) -> ModuleReport:
    """Look at the token and test it. Raises: ModuleFault when it cannot be asked; what it does wrong is a finding."""
    with token.exclusively() as connection:
        mechanisms = tuple(connection.mechanisms())
        tests = _known_answer_tests(connection, mechanisms)
    return ModuleReport(
        profile=token.profile.name,
        description=token.description,
        mechanisms=mechanisms,
        keeps_anchor=token.keeps_anchor,
        untried=tuple(section for section, tried in token.profile.tried.items() if not tried),
        tests=tests,
        purposes=tuple(_purpose(policy, token.profile, token.deployment) for policy in policies.values()),
    )


def _known_answer_tests(connection: Connection, mechanisms: Sequence[Mechanism]) -> tuple[Finding, ...]:
    tests: tuple[tuple[str, Callable[[], None]], ...] = (
        ("ecdsa-offered", lambda: _check_ecdsa_offered(mechanisms)),
        ("ecdsa-signs", lambda: _check_signs(connection)),
        ("random-differs", lambda: _check_random(connection)),
    )
    return tuple(_found(name, test) for name, test in tests)


def _found(name: str, test: Callable[[], None]) -> Finding:
    rule = RuleName(name)
    try:
        test()
    except ModuleDisagrees as error:
        return Finding(rule=rule, clause=_CLAUSE, passed=False, expected="a right answer", found=error.sentence)
    except CallFailed as failure:
        # For the operator who runs the check; no caller of the broker sees it.
        return Finding(rule=rule, clause=_CLAUSE, passed=False, expected="an answer", found=str(failure))
    return Finding(rule=rule, clause=_CLAUSE, passed=True)


def _check_ecdsa_offered(mechanisms: Sequence[Mechanism]) -> None:
    if all(mechanism.number != CKM_ECDSA for mechanism in mechanisms):
        raise ModuleDisagrees("the token does not offer CKM_ECDSA")


def _check_signs(connection: Connection) -> None:
    """The right digest verifies, another does not, and two signatures differ (a fixed nonce gives the key away)."""
    private = {
        KeyAttribute.PRIVATE: True,
        KeyAttribute.SENSITIVE: True,
        KeyAttribute.EXTRACTABLE: False,
        KeyAttribute.SIGN: True,
    }
    handle, point, destroy = connection.generate_session_pair(_LABEL, private)
    try:
        verifier = Verifier(point)
        sign = connection.login_signer()
        digest, other = (hashlib.sha256(KNOWN_ANSWER_TEXT + suffix).digest() for suffix in (b"", b" (another)"))
        first, second = sign(handle, digest), sign(handle, digest)
        verifier.check(first, digest)
        verifier.check(second, digest)
        if first[:32] == second[:32]:
            raise ModuleDisagrees("two signatures of one digest have the same r: the nonce is not drawn anew")
        _check_refused(verifier, first, other)
    except ValueError as error:
        raise ModuleDisagrees("the token's new public key is not on P-256") from error
    finally:
        destroy()


def _check_refused(verifier: Verifier, signature: bytes, other: bytes) -> None:
    try:
        verifier.check(signature, other)
    except ModuleDisagrees:
        return
    raise ModuleDisagrees("a signature verified for a digest that was never signed")


def _check_random(connection: Connection) -> None:
    if connection.random(32) == connection.random(32):
        raise ModuleDisagrees("two draws of 32 octets are the same")


def _purpose(policy: Policy, profile: Profile, deployment: DeploymentKind) -> PurposeReport:
    return PurposeReport(
        purpose=policy.purpose,
        here=_allowed(policy, profile, deployment),
        live=_allowed(policy, profile, DeploymentKind.LIVE),
    )


def _allowed(policy: Policy, profile: Profile, deployment: DeploymentKind) -> Finding:
    rule, shortfall = RuleName("module-meets-purpose"), module_shortfall(policy, profile, deployment)
    if shortfall is None:
        return Finding(rule=rule, clause=policy.module.clause, passed=True)
    return Finding(
        rule=rule, clause=policy.module.clause, passed=False, expected=shortfall.expected, found=shortfall.found
    )
