"""How does a key come into another module? Unwrapped inside it, tried, and only then given a place in the token.

The destination's RSA pair is made in it beforehand, for unwrapping alone; its public half is all that the source is
given. What is unwrapped has exactly the attributes that its purpose demands of an unwrapped key, and must be the key
that it is said to be: a signature, an agreed key or a tag says so, inside ``unwrap_key``, before anybody relies on it.
Whatever fails, nothing is left. SEC G2.22G, G2.22I(b)(ii); for a split key ``in_session``, G2.44B.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from keybroker.errors import ConfigurationInvalid
from keybroker.hsm.attributes import CKK_AES, Attributes, KeyAttribute
from keybroker.hsm.connection import Connection, ObjectAttribute, Template
from keybroker.hsm.generate import check_label_free
from keybroker.hsm.held_keys import for_session
from keybroker.hsm.module_requirement import module_shortfall
from keybroker.hsm.presence import check_shows
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.token_module import Token
from keybroker.hsm.trusted_keys import CKO_SECRET_KEY
from keybroker.hsm.unwrap_steps import Unwrap, destroy_if_there, unwrap_inside
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping import check_may_leave
from keybroker.hsm.wrapping_pair import find_pair
from keybroker.policy.model import Policy
from keybroker.terms import KeyLabel

_O, _K = ObjectAttribute, KeyAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwrappedKey:
    """What stands in the module now: ``identity`` as in the register, and the attributes that it shows."""

    label: KeyLabel
    identity: bytes
    attributes: Attributes
    in_session: bool


def unwrap_key(
    token: Token,
    wrapped: WrappedKey,
    policy: Policy,
    *,
    pair: str,
    label: KeyLabel,
    in_session: bool = False,
    leaves_again: bool = False,
) -> UnwrappedKey:
    """Make the key under ``label`` by the wrapping pair of the name ``pair``.

    ``in_session``: as a session object that never leaves and ends with ``token.let_go`` or the login; until then the
    token serves it. ``leaves_again``: as one that can be wrapped once more, for new shares of it; the token does not
    serve that. Raises: NotPermitted (G2.22G); ConfigurationInvalid where this module cannot take it;
    ModuleDisagrees where the label is taken, no such pair stands here, the ciphertext does not open, or what came out
    is not the key that ``wrapped`` names; ModuleFault.
    """
    check_may_leave(policy)
    _check_taken(token, wrapped, policy)
    if in_session:
        policy = policy if leaves_again else for_session(policy)
        if wrapped.authentication:
            raise ConfigurationInvalid("a key with an authentication key beside it is not held in a session")
    with token.exclusively() as connection:
        check_shows(connection, label)
        check_label_free(connection, label)
        with ExitStack() as undo:
            work = Unwrap(connection, token.profile, wrapped, policy, label, in_session=in_session, undo=undo)
            with _opened_wrapping_key(connection, wrapped, pair) as unwrapping:
                found = work.make(unwrapping)
            # Nothing is undone from here on.
            undo.pop_all()
    if in_session:
        token.hold_in_session(label)
    return UnwrappedKey(label=label, identity=wrapped.identity, attributes=found, in_session=in_session)


def _check_taken(token: Token, wrapped: WrappedKey, policy: Policy) -> None:
    facts, title = token.profile.wrapping, token.profile.title
    shortfall = module_shortfall(policy, token.profile, token.deployment)
    if shortfall is not None:
        raise ConfigurationInvalid(f"expected {shortfall.expected}, found {shortfall.found} ({policy.module.clause})")
    if (wrapped.purpose, wrapped.algorithm) != (policy.purpose, policy.algorithm):
        raise ConfigurationInvalid(f"the key that came is for {wrapped.purpose}, not for {policy.purpose}")
    if facts.adapter is not TransferAdapter.PKCS11_WRAP:
        raise ConfigurationInvalid(f"{title}: keys come by {facts.adapter}, not by unwrapping")
    if wrapped.oaep.value not in facts.oaep:
        raise ConfigurationInvalid(f"{title}: it does no {wrapped.oaep}; the source must use {' or '.join(facts.oaep)}")
    if wrapped.payload not in facts.payloads_taken:
        raise ConfigurationInvalid(f"{title}: it takes no {wrapped.payload}, which the source's module gives")
    if wrapped.authentication and not token.profile.objects.data:
        raise ConfigurationInvalid(f"{title} keeps no data objects, so no DLMS authentication key")


@contextmanager
def _opened_wrapping_key(connection: Connection, wrapped: WrappedKey, pair: str) -> Iterator[int]:
    """The AES key that came with it, as a session object for unwrapping alone."""
    wrapping = connection.wrapping()
    _, private = find_pair(wrapping, pair)
    uses: Template = {
        _K.WRAP: False,
        _K.UNWRAP: True,
        _K.ENCRYPT: False,
        _K.DECRYPT: False,
        _K.SIGN: False,
        _K.DERIVE: False,
    }
    made: Template = {
        _O.CLASS: CKO_SECRET_KEY,
        _K.KEY_TYPE: CKK_AES,
        _K.TOKEN: False,
        _K.PRIVATE: True,
        _K.SENSITIVE: True,
        _K.EXTRACTABLE: False,
        **uses,
    }
    handle = unwrap_inside(connection, wrapped.oaep, private, wrapped.wrapped_wrapping_key, made)
    try:
        yield handle
    finally:
        destroy_if_there(wrapping, handle)
