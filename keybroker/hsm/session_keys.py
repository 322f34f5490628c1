"""The module's part in a key for one TLS session (SEC G2.44A(d)): made here, never extractable, destroyed, looked for.

Its CKA_ID stands in the ledger before it is made: whatever crashes, a leftover is known by label and CKA_ID together,
and nothing else is ever destroyed.
"""

from __future__ import annotations

from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.attributes import expected, key_identifier, template
from keybroker.hsm.connection import Connection
from keybroker.hsm.generate import IDENTIFIER_OCTETS, check_label_free, check_made
from keybroker.hsm.held_keys import for_session
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.return_values import CallFailed, return_value
from keybroker.hsm.token_module import Token
from keybroker.policy.model import KeyRegister, Policy, RegisteredKey
from keybroker.terms import KeyLabel, Provenance

_CKR_TOKEN_NOT_PRESENT = 0xE0


def draw_identifier(token: Token, policy: Policy, register: KeyRegister) -> bytes:
    """The CKA_ID (20 octets) of a key that is to be made.

    Raises: ModuleFault; ModuleDisagrees when this module may not hold keys of this purpose.
    """
    shortfall = module_shortfall(policy, token.profile, token.deployment)
    if shortfall is not None:
        raise ModuleDisagrees(f"expected {shortfall.expected}, found {shortfall.found} ({policy.module.clause})")
    with token.exclusively() as connection:
        _check_shows_ours(connection, register)
        return connection.random(IDENTIFIER_OCTETS)


def make_session_key(token: Token, label: KeyLabel, policy: Policy, identifier: bytes) -> None:
    """Generate it in the module, an object of the token so that every worker finds it.

    Raises: ModuleFault; ModuleDisagrees when the label is taken or what was made is weaker than demanded.
    """
    policy, keeping = for_session(policy), token.profile.keeping
    with token.exclusively() as connection:
        check_label_free(connection, label)
        connection.generate_secret(label, template(policy, keeping), identifier)
        check_made(connection, label, identifier, expected(policy, Provenance.GENERATED, keeping))


@clause("G2.44A(d)")
def destroy_session_key(token: Token, label: KeyLabel, identifier: bytes, register: KeyRegister) -> None:
    """Destroy it, wherever it was left, and search the module for it. Another key of that label is not touched.

    The search counts only beside one that finds a key of ``register``. Raises: ModuleFault; ModuleDisagrees when the
    module still shows it.
    """
    with token.exclusively() as connection:
        _check_shows_ours(connection, register)
        for found in connection.find_secret(label):
            if found.identifier == identifier:
                connection.destroy_secret(label, found.handle)
        if any(found.identifier == identifier for found in connection.find_secret(label)):
            raise ModuleDisagrees("the module still shows a session key that it was told to destroy")
        _check_shows_ours(connection, register)


def _check_shows_ours(connection: Connection, register: KeyRegister) -> None:
    """Some tokens show nothing, and say CKR_OK, while what they keep their objects in is away (seen with SoftHSM): not
    to find a key proves something only where another is found.

    Raises: CallFailed, as for a token that is not there, which is what the module then recovers from.
    """
    if not any(_shows(connection, key) for key in register.keys.values() if key.session is None):
        raise CallFailed(return_value(_CKR_TOKEN_NOT_PRESENT), call="C_FindObjects")


def _shows(connection: Connection, key: RegisteredKey) -> bool:
    if len(key.public_key) == IDENTIFIER_OCTETS:
        return any(found.identifier == key.public_key for found in connection.find_secret(key.label))
    identifier = key_identifier(key.public_key)
    return any(found.identifier == identifier for found in connection.find_private(key.label))
