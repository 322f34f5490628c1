"""May keys rely on the profile's way of agreeing keys, and on its AES-GCM, in this token? Probed by known answer.

GBCS fixes the initialisation vector (originator || 00000000), so a module that insists on its own serves no such
purpose. SEC G2.44(b), (c), (e); handbook 1.7, 1.8, 7.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.connection import Connection
from keybroker.hsm.known_answers import check_aes_gcm, check_mac
from keybroker.hsm.module_requirement import Shortfall
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.return_values import CallFailed
from keybroker.terms import DeploymentKind, Finding, RuleName

_CLAUSE = "G2.44"
PROBED = (MacStrategy.IN_MODULE_KDF, MacStrategy.IN_MODULE_CONCATENATION, MacStrategy.DIGEST_KEY)
"""The strategies that this version knows how to follow."""


def probe_mac(connection: Connection, profile: Profile) -> Finding:
    """Does the profile's strategy give the right MAC? Raises: CallFailed when the module is away."""
    return _check_there(connection, _found("mac-known-answer", partial(check_mac, connection, profile)))


def probe_aes_gcm(connection: Connection, profile: Profile) -> Finding:
    """Does AES-GCM under a key that stays in the module do as it is told? Raises: CallFailed as ``probe_mac``."""
    return _check_there(connection, _found("aes-gcm-known-answer", partial(check_aes_gcm, connection, profile)))


def probe_strategies(connection: Connection, profile: Profile) -> tuple[Finding, ...]:
    """Every strategy that this version knows, whichever the profile names: one finding each, named after it.

    Raises: CallFailed when the module is away.
    """
    return tuple(
        _check_there(connection, _found(strategy.value, partial(check_mac, connection, _following(profile, strategy))))
        for strategy in PROBED
    )


@clause("G2.44(b)")
def mac_shortfall(profile: Profile, deployment: DeploymentKind, probe: Finding) -> Shortfall | None:
    """Why no key of algorithm ecdh is served by this device in this deployment; None where one may be. Pure."""
    demanded = "a way to agree keys and make MACs inside the module"
    match profile.mac.strategy:
        case MacStrategy.NONE:
            return Shortfall(demanded, f"{profile.title}: none is known")
        case MacStrategy.VENDOR_PROGRAM:
            program = f"{profile.mac.program}, SHA-256 {profile.mac.program_sha256}"
            return Shortfall(demanded, f"{profile.title}: the program {program}, which this version cannot call")
        case MacStrategy.DIGEST_KEY if deployment is not DeploymentKind.TEST:
            return Shortfall(demanded, f"{profile.title}: C_DigestKey, which gives the agreed key to the host")
        case _:
            return aes_gcm_shortfall(profile, probe)


def aes_gcm_shortfall(profile: Profile, probe: Finding) -> Shortfall | None:
    """Why no AES-GCM key is served by this device; None where one may be. Pure."""
    demanded = "AES-GCM under the initialisation vector that the message fixes"
    if profile.aes_gcm.iv_chosen_by == "module":
        return Shortfall(demanded, f"{profile.title}: it chooses its own")
    if profile.aes_gcm.iv_chosen_by == "nobody":
        return Shortfall(demanded, f"{profile.title}: no AES-GCM")
    return None if probe.passed else Shortfall(probe.expected, probe.found)


def _following(profile: Profile, strategy: MacStrategy) -> Profile:
    return replace(profile, mac=profile.mac.model_copy(update={"strategy": strategy, "agreed_secrets": 0}))


def _found(name: str, test: Callable[[], None]) -> Finding:
    rule, demanded = RuleName(name), "a right answer under throw-away keys"
    try:
        test()
    except ModuleDisagrees as error:
        return Finding(rule=rule, clause=_CLAUSE, passed=False, expected=demanded, found=error.sentence)
    except CallFailed as failure:
        # For the operator who looks at findings; no caller of the broker sees it.
        return Finding(rule=rule, clause=_CLAUSE, passed=False, expected=demanded, found=str(failure))
    return Finding(rule=rule, clause=_CLAUSE, passed=True)


def _check_there(connection: Connection, found: Finding) -> Finding:
    """Devices refuse what they have not in many ways, "general error" among them; one that is still there has
    answered. Raises: CallFailed when it is not."""
    if not found.passed:
        connection.check_session()
        connection.check_token()
    return found
