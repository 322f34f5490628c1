"""What can this token do, and which purposes does that allow? For ``keybroker module check`` and for the start.

Known-answer tests use a throw-away session key pair and digests of a domain of their own: never a registered key, and
never a digest that could be a message's (no kind of content that we sign begins with this text).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import CKM_ECDSA, KeyAttribute
from keybroker.hsm.connection import Connection, Mechanism, TokenDescription
from keybroker.hsm.mac_strategy import aes_gcm_shortfall, mac_shortfall, probe_aes_gcm, probe_mac, probe_strategies
from keybroker.hsm.module_requirement import Shortfall, module_shortfall
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.sign_switch import SignSwitch, probe
from keybroker.hsm.token_module import Token
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind, Finding, KeyAlgorithm, KeyPurpose, RuleName

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
    """``tests``: one finding per known-answer test. ``untried``: sections of the profile that nobody has tried.

    ``strategies``: which ways of agreeing a key and making a MAC give the right answer here, whichever the profile
    names (``mac_strategy``); a purpose of Key Agreement keys may be held where that one does, and it or ``aes_gcm``
    stands among the reasons where not. ``sign_switch``: what became of CKA_SIGN on a Key Agreement key, None where no
    such key could be made.
    """

    profile: str
    description: TokenDescription
    mechanisms: tuple[Mechanism, ...]
    keeps_anchor: bool
    untried: tuple[str, ...]
    tests: tuple[Finding, ...]
    mac_strategy: MacStrategy
    strategies: tuple[Finding, ...]
    aes_gcm: Finding
    sign_switch: SignSwitch | None
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
        mac, aes_gcm = probe_mac(connection, token.profile), probe_aes_gcm(connection, token.profile)
        strategies = probe_strategies(connection, token.profile)
        sign_switch = _sign_switch(connection, token.profile)
    return ModuleReport(
        profile=token.profile.name,
        description=token.description,
        mechanisms=mechanisms,
        keeps_anchor=token.keeps_anchor,
        untried=tuple(section for section, tried in token.profile.tried.items() if not tried),
        tests=tests,
        mac_strategy=token.profile.mac.strategy,
        strategies=strategies,
        aes_gcm=aes_gcm,
        sign_switch=sign_switch,
        purposes=tuple(_purpose(policy, token, _Probes(mac=mac, aes_gcm=aes_gcm)) for policy in policies.values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probes:
    mac: Finding
    aes_gcm: Finding


def _sign_switch(connection: Connection, profile: Profile) -> SignSwitch | None:
    try:
        return probe(connection, profile)
    except CallFailed:
        return None


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
        sign = connection.login_session().sign
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


def _purpose(policy: Policy, token: Token, probes: _Probes) -> PurposeReport:
    return PurposeReport(
        purpose=policy.purpose,
        here=_allowed(policy, token.profile, token.deployment, probes),
        live=_allowed(policy, token.profile, DeploymentKind.LIVE, probes),
    )


def _allowed(policy: Policy, profile: Profile, deployment: DeploymentKind, probes: _Probes) -> Finding:
    rule = RuleName("module-meets-purpose")
    shortfall = module_shortfall(policy, profile, deployment) or _use_shortfall(policy, profile, deployment, probes)
    if shortfall is None:
        return Finding(rule=rule, clause=policy.module.clause, passed=True)
    return Finding(
        rule=rule, clause=policy.module.clause, passed=False, expected=shortfall.expected, found=shortfall.found
    )


def _use_shortfall(policy: Policy, profile: Profile, deployment: DeploymentKind, probes: _Probes) -> Shortfall | None:
    match policy.algorithm:
        case KeyAlgorithm.ECDSA:
            return None
        case KeyAlgorithm.ECDH:
            return mac_shortfall(profile, deployment, probes.mac)
        case KeyAlgorithm.AES_GCM:
            return aes_gcm_shortfall(profile, probes.aes_gcm)
        case never:
            assert_never(never)
