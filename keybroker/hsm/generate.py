"""Make a key for one purpose in the module, and read back what was made before anybody relies on it.

CKA_ID is the Subject Key Identifier that its certificate will have (RFC 5280 §4.2.1.2 method 2), CKA_LABEL the key's
name. There is no implicit creation: a label that stands in the module already refuses.
"""

from __future__ import annotations

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.attributes import expected, key_identifier, template, weaker
from keybroker.hsm.connection import Connection
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.token_module import Token
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind, KeyLabel, Provenance


def generate_key(token: Token, label: KeyLabel, policy: Policy) -> bytes:
    """Generate a P-256 pair for this purpose; gives the uncompressed public point (65 octets).

    Raises: ModuleFault; ModuleDisagrees when the label is taken or what was made is weaker than demanded (it is then
    left for an operator to look at, and never served); ConfigurationInvalid when this module may not hold keys of
    this purpose.
    """
    shortfall = module_shortfall(policy, token.profile, token.deployment)
    if shortfall is not None:
        raise ConfigurationInvalid(f"expected {shortfall.expected}, found {shortfall.found} ({policy.module.clause})")
    with token.exclusively() as connection:
        _check_label_free(connection, label)
        point = connection.generate_pair(label, template(policy, token.profile.keeping), key_identifier)
        _check_made(connection, label, point, policy, Provenance.GENERATED, token)
    return point


def import_test_key(token: Token, label: KeyLabel, policy: Policy, private_scalar: bytes, public_point: bytes) -> None:
    """Put a published test key into the module of a test deployment: ``private_scalar`` 32 octets, ``public_point`` 65.

    Raises: ConfigurationInvalid in a live deployment, always; ModuleFault as ``generate_key``.
    """
    if token.deployment is not DeploymentKind.TEST:
        raise ConfigurationInvalid("only a test deployment takes a key that existed outside a module (G2.44)")
    if not token.profile.keys.imports_test_keys:
        raise ConfigurationInvalid(f"{token.profile.title} takes no private key from outside")
    with token.exclusively() as connection:
        _check_label_free(connection, label)
        connection.import_pair(
            label,
            template(policy, token.profile.keeping),
            scalar=private_scalar,
            point=public_point,
            identifier=key_identifier(public_point),
        )
        _check_made(connection, label, public_point, policy, Provenance.IMPORTED_TEST_KEY, token)


def _check_label_free(connection: Connection, label: KeyLabel) -> None:
    if connection.find_private(label) or connection.find_public(label):
        raise ModuleDisagrees("a key of this label stands in the module already; nothing was made")


def _check_made(
    connection: Connection, label: KeyLabel, point: bytes, policy: Policy, provenance: Provenance, token: Token
) -> None:
    Verifier(point)
    private, public = connection.find_private(label), connection.find_public(label)
    if len(private) != 1 or len(public) != 1 or public[0].point != point:
        raise ModuleDisagrees("the module does not show the key that it has just made")
    if {private[0].identifier, public[0].identifier} != {key_identifier(point)}:
        raise ModuleDisagrees("the module gave the key another identifier than it was told")
    shortcomings = weaker(expected(policy, provenance, token.profile.keeping), private[0].attributes)
    if shortcomings:
        raise ModuleDisagrees(f"the module made a weaker key than demanded: {'; '.join(shortcomings)}")
