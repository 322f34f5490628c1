"""How is a module opened? One connection to one token, and the Token that uses keys through it."""

from __future__ import annotations

from collections.abc import Mapping

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.pin import Pin
from keybroker.hsm.profile import Profile
from keybroker.hsm.token import Pkcs11Connection
from keybroker.hsm.token_module import Token
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind, KeyPurpose


def open_token(
    profile: Profile,
    *,
    library: str,
    token_label: str,
    token_serial: str,
    pin: Pin,
    sessions: int,
    policies: Mapping[KeyPurpose, Policy],
    deployment: DeploymentKind,
    site: str = "",
) -> Token:
    """Load the library, find the token, log in, and give the module; ``pin`` is asked at each login and not kept.

    ``site`` is where the configuration says that the module stands (SEC G3.23).
    Raises: PinWrong (never tried again by itself); ConfigurationInvalid; ModuleUnavailable when the token is away.
    """
    if not 1 <= sessions <= profile.sessions.signing:
        raise ConfigurationInvalid(
            f"module.sessions: expected 1 to {profile.sessions.signing} for {profile.name}, found {sessions}"
        )
    connection = Pkcs11Connection(profile, library=library, label=token_label, serial=token_serial, pin=pin)
    return Token.open(
        connection, profile=profile, sessions=sessions, policies=policies, deployment=deployment, site=site
    )
