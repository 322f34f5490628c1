"""Can this module use a key that its own quorum holds, and can it not while the quorum is away? SEC G2.44B.

Where a maker's quorum holds a key, people bring it in and take it away with the maker's tool. What is shown here is
what the broker's own login sees and can do: the key once, and a use of it that comes out right; or nothing of it, in a
search that finds what was put there to be found, and no handle by which a use is let through.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.attributes import expected, key_identifier
from keybroker.hsm.connection import Connection, ObjectAttribute, ObjectFound, Template
from keybroker.hsm.generate import IDENTIFIER_OCTETS, check_made
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.possession import NONCE_OCTETS, check_symmetric_proof, symmetric_proof
from keybroker.hsm.presence import not_shown, witness, witness_label
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import CallFailed
from keybroker.hsm.token_module import Token
from keybroker.hsm.trusted_keys import CKO_PRIVATE_KEY, CKO_SECRET_KEY
from keybroker.hsm.verify import Verifier
from keybroker.policy.model import Policy
from keybroker.terms import KeyAlgorithm, KeyLabel, Provenance

TRIAL_TEXT = b"keybroker trial of a key that a quorum holds v1"
"""No kind of content begins so: what is signed over it is a signature of nothing."""
_O = ObjectAttribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """``looked_for``: every object that has one of these; ``searched``: how many objects the search showed, the
    witness among them; ``tried``: what became of a use."""

    module_serial: str
    looked_for: tuple[str, ...]
    searched: int
    witness: str
    tried: str


def check_usable(token: Token, label: KeyLabel, policy: Policy, identity: bytes) -> None:
    """The key stands here once, under its label and CKA_ID, as its purpose demands, and a use of it comes out right.
    ``identity``: its point (65 octets), or a secret key's CKA_ID. Raises: ModuleDisagrees; ModuleFault."""
    demanded = expected(policy, Provenance.UNWRAPPED, token.profile.keeping)
    with token.exclusively() as connection:
        check_made(connection, label, identity, demanded)
        found = connection.find_secret(label) if _is_secret(identity) else connection.find_private(label)
        try:
            _use(connection, token.profile, policy.algorithm, found[0].handle, identity)
        except (ProtectionInvalid, ValueError) as error:
            raise ModuleDisagrees(f"{label}: what the module made of it is by another key") from error


def check_away(token: Token, label: KeyLabel, policy: Policy, identity: bytes) -> Away:
    """The broker's login sees nothing of the key, and cannot use it. Raises: ModuleDisagrees where it can;
    ModuleUnavailable where the search does not find what was put there to be found; ModuleFault."""
    # What an earlier use left in a session goes first; nothing is served from memory.
    token.let_go(label)
    with token.exclusively() as connection, witness(connection, label) as seen:
        shown = tuple(connection.list_objects())
        if all(each.handle != seen for each in shown):
            raise not_shown()
        standing = [each for each in shown if _is_of(each, label, identity)]
        tried = _tried(connection, token.profile, policy.algorithm, label, identity)
        if standing:
            raise ModuleDisagrees(f"{label}: the module still shows {_told(standing[0])} to the broker's login")
        serial = connection.description.serial
    return Away(
        module_serial=serial,
        looked_for=_looked_for(label, identity),
        searched=len(shown),
        witness=witness_label(label),
        tried=tried,
    )


def _looked_for(label: KeyLabel, identity: bytes) -> tuple[str, ...]:
    named = (f"label {label}", f"label {authentication_label(label)}", f"CKA_ID {_identifier(identity).hex()}")
    return named if _is_secret(identity) else (*named, f"point {identity.hex()}")


def _is_of(one: ObjectFound, label: KeyLabel, identity: bytes) -> bool:
    named = one.label in (label, authentication_label(label))
    return named or one.identifier == _identifier(identity) or one.point == identity


def _told(one: ObjectFound) -> str:
    return f"a {one.kind} ({one.label}, {(one.point or one.identifier).hex()})"


def _tried(connection: Connection, profile: Profile, algorithm: KeyAlgorithm, label: KeyLabel, identity: bytes) -> str:
    """By every handle that label or CKA_ID gives, session objects' too: none of them may be of use."""
    kind: Template = {_O.CLASS: CKO_SECRET_KEY if _is_secret(identity) else CKO_PRIVATE_KEY}
    wrapping = connection.wrapping()
    named = wrapping.find({**kind, _O.LABEL: label.encode()})
    handles = sorted({*named, *wrapping.find({**kind, _O.ID: _identifier(identity)})})
    for handle in handles:
        try:
            _use(connection, profile, algorithm, handle, identity)
        except (CallFailed, ProtectionInvalid, ValueError):
            continue
        raise ModuleDisagrees(f"{label}: the module still does what the broker's login asks of it")
    return f"refused by {len(handles)} handles" if handles else "no handle by which it could be asked"


def _use(connection: Connection, profile: Profile, algorithm: KeyAlgorithm, handle: int, identity: bytes) -> None:
    """Raises: CallFailed; ProtectionInvalid or ValueError for what another key made."""
    nonce = os.urandom(NONCE_OCTETS)
    match algorithm:
        case KeyAlgorithm.ECDSA:
            digest = hashlib.sha256(TRIAL_TEXT + nonce).digest()
            Verifier(identity).check(connection.login_session().sign(handle, digest), digest)
        case KeyAlgorithm.AES_GCM:
            proof = symmetric_proof(connection, handle, nonce)
            check_symmetric_proof(connection, profile, handle, nonce, proof)
        case _:
            raise ConfigurationInvalid(f"a key for {algorithm} is held by no quorum (G2.44B)")


def _is_secret(identity: bytes) -> bool:
    return len(identity) == IDENTIFIER_OCTETS


def _identifier(identity: bytes) -> bytes:
    return identity if _is_secret(identity) else key_identifier(identity)
