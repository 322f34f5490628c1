"""Make a key for one purpose in the module, and read back what was made before anybody relies on it.

A pair's CKA_ID is the Subject Key Identifier that its certificate will have (RFC 5280 §4.2.1.2 method 2), a secret
key's 20 random octets; CKA_LABEL is the key's name. There is no implicit creation: a label that stands in the module
already refuses.
"""

from __future__ import annotations

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.attributes import (
    AES_OCTETS,
    Attributes,
    expected,
    key_identifier,
    stays_modifiable,
    template,
    weaker,
)
from keybroker.hsm.connection import Connection
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.making import import_pair, import_secret
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.profile_sections import Keys
from keybroker.hsm.token_module import Token
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import Policy
from keybroker.terms import DeploymentKind, KeyAlgorithm, KeyLabel, Provenance

IDENTIFIER_OCTETS = 20
"""CKA_ID of a secret key, drawn in the module: it names the key in the register, where a pair has its public point."""


def generate_key(
    token: Token, label: KeyLabel, policy: Policy, *, signs_request: bool = True, authentication: bool = False
) -> bytes:
    """Generate a key for this purpose; gives what names it in the register: the uncompressed public point (65 octets),
    or the CKA_ID of a secret key (20 octets).

    ``signs_request``: a Key Agreement key is to sign the request for its certificate here (it is made with CKA_SIGN).
    ``authentication``: with a DLMS authentication key beside it (16 random octets in a private data object).
    Raises: ModuleFault; ModuleDisagrees when the label is taken or what was made is weaker than demanded (it is then
    left for an operator to look at, and never served); ConfigurationInvalid when this module may not hold keys of
    this purpose.
    """
    shortfall = module_shortfall(policy, token.profile, token.deployment)
    if shortfall is not None:
        raise ConfigurationInvalid(f"expected {shortfall.expected}, found {shortfall.found} ({policy.module.clause})")
    _check_authentication(token, policy, wanted=authentication)
    keeping = token.profile.keeping
    made = template(policy, keeping, signs_request=signs_request)
    with token.exclusively() as connection:
        check_label_free(connection, label)
        if policy.algorithm is KeyAlgorithm.AES_GCM:
            identity = connection.random(IDENTIFIER_OCTETS)
            connection.generate_secret(label, made, identity)
        else:
            final = not stays_modifiable(policy, keeping, signs_request=signs_request)
            identity = connection.generate_pair(label, made, key_identifier, final=final)
        if authentication:
            connection.create_data(authentication_label(label), connection.random(AES_OCTETS))
        demanded = expected(policy, Provenance.GENERATED, keeping, may_sign=signs_request)
        check_made(connection, label, identity, demanded)
    return identity


def import_test_key(
    token: Token,
    label: KeyLabel,
    policy: Policy,
    secret: bytes,
    public_point: bytes | None = None,
    *,
    authentication: bytes | None = None,
) -> bytes:
    """Put a published test key into the module of a test deployment; gives what names it, as ``generate_key``.

    ``secret`` is a private scalar of 32 octets beside its ``public_point`` (65), or an AES key of 16 octets, which may
    have an ``authentication`` key (16). A Key Agreement key is never made to sign. Raises: ConfigurationInvalid in a
    live deployment, always, and for octets of another number; ModuleFault as ``generate_key``.
    """
    if token.deployment is not DeploymentKind.TEST:
        raise ConfigurationInvalid("only a test deployment takes a key that existed outside a module (G2.44)")
    if not token.profile.keys.imports_test_keys:
        raise ConfigurationInvalid(f"{token.profile.title} takes no private key from outside")
    _check_authentication(token, policy, wanted=authentication is not None)
    made = template(policy, token.profile.keeping, signs_request=False)
    with token.exclusively() as connection:
        check_label_free(connection, label)
        identity = _import(connection, token.profile.keys, label, made, secret, public_point)
        if authentication is not None:
            connection.create_data(authentication_label(label), authentication)
        check_made(connection, label, identity, expected(policy, Provenance.IMPORTED_TEST_KEY, token.profile.keeping))
    return identity


def _import(
    connection: Connection, keys: Keys, label: KeyLabel, made: Attributes, secret: bytes, public_point: bytes | None
) -> bytes:
    wrapping = connection.wrapping()
    if public_point is not None:
        named = key_identifier(public_point)
        import_pair(wrapping, keys, label, made, scalar=secret, point=public_point, identifier=named)
        return public_point
    if len(secret) != AES_OCTETS:
        raise ConfigurationInvalid(f"an AES-128 key has {AES_OCTETS} octets, found {len(secret)}")
    identity = connection.random(IDENTIFIER_OCTETS)
    import_secret(wrapping, keys, label, made, value=secret, identifier=identity)
    return identity


def _check_authentication(token: Token, policy: Policy, *, wanted: bool) -> None:
    if wanted and (policy.algorithm is not KeyAlgorithm.AES_GCM or policy.settings.smets1 is None):
        raise ConfigurationInvalid(f"a key for {policy.purpose} has no DLMS authentication key")
    if wanted and not token.profile.objects.data:
        raise ConfigurationInvalid(f"{token.profile.title} keeps no data objects, so no DLMS authentication key")


def check_label_free(connection: Connection, label: KeyLabel) -> None:
    """Raises: ModuleDisagrees when something of this label stands in the module."""
    taken = (
        connection.find_private(label),
        connection.find_public(label),
        connection.find_secret(label),
        connection.find_data(authentication_label(label)),
    )
    if any(taken):
        raise ModuleDisagrees("a key of this label stands in the module already; nothing was made")


def check_made(connection: Connection, label: KeyLabel, identity: bytes, demanded: Attributes) -> None:
    """Is it there, once, as named and as strong as demanded? Raises: ModuleDisagrees."""
    symmetric = len(identity) == IDENTIFIER_OCTETS
    found = connection.find_secret(label) if symmetric else connection.find_private(label)
    if len(found) != 1:
        raise ModuleDisagrees("the module does not show the key that it has just made")
    if symmetric:
        identifiers = {found[0].identifier, identity}
    else:
        Verifier(identity)
        public = connection.find_public(label)
        if len(public) != 1 or public[0].point != identity:
            raise ModuleDisagrees("the module does not show the key that it has just made")
        identifiers = {found[0].identifier, public[0].identifier, key_identifier(identity)}
    if len(identifiers) != 1:
        raise ModuleDisagrees("the module gave the key another identifier than it was told")
    shortcomings = weaker(demanded, found[0].attributes)
    if shortcomings:
        raise ModuleDisagrees(f"the module made a weaker key than demanded: {'; '.join(shortcomings)}")


def find_generated(token: Token, label: KeyLabel, policy: Policy) -> bytes | None:
    """What names a key of this label that ``generate_key`` made before whoever called it was interrupted; None where
    nothing of it stands. Half a pair, which nobody ever used, is destroyed.

    Raises: ModuleFault; ModuleDisagrees for one that is weaker than demanded.
    """
    with token.exclusively() as connection:
        private, public = connection.find_private(label), connection.find_public(label)
        secret = connection.find_secret(label)
        identity = secret[0].identifier if secret else public[0].point if public else None
        if identity is not None and (secret or private):
            demanded = expected(policy, Provenance.GENERATED, token.profile.keeping, may_sign=True)
            check_made(connection, label, identity, demanded)
            return identity
        connection.destroy_key(label)
    return None
