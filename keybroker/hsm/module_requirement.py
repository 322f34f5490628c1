"""May a module of this kind hold keys of this purpose? SEC G2.44, G2.45, G2.56, G3.29, against the profile's claim.

The maker's strings are evidence only: the claim comes from the profile, the certificate in force from the deployment's
module evidence. A test deployment relaxes exactly this. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from keybroker.clause import clause
from keybroker.hsm.profile import Profile
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind


@dataclass(frozen=True, slots=True)
class Shortfall:
    expected: str
    found: str


# What each requirement asks of the profile's validation level at least. An information classification scheme names no
# level, but a software token without any validation is never for live use (handbook section 7.1).
_LEAST_LEVEL = {"fips-level-3": 3, "information-classification-scheme": 1}


@clause("G2.44", "G2.44(f)")
def module_shortfall(policy: Policy, profile: Profile, deployment: DeploymentKind) -> Shortfall | None:
    """What is missing for this purpose in this deployment; None for nothing. An unknown requirement is never met."""
    if deployment is DeploymentKind.TEST:
        return None
    least = _LEAST_LEVEL.get(policy.module.requirement)
    if least is not None and profile.validation.level >= least:
        return None
    return Shortfall(
        expected=f"a module that meets {policy.module.requirement}",
        found=f"{profile.title}: {profile.validation.standard}, level {profile.validation.level}",
    )
