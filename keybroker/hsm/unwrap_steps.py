"""In which steps does an unwrapped key come to stand in its module, so that nothing of it stands before it is proven?

Tried as a session object, settled, read back, and tried again; what a failure leaves is for ``undo`` to destroy.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, suppress

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.errors import ModuleDisagrees, ProtectionInvalid
from keybroker.hsm.attributes import (
    AES_OCTETS,
    CKK_AES,
    CKK_EC,
    P256_PARAMETERS,
    Attributes,
    AttributeValue,
    KeyAttribute,
    expected,
    key_identifier,
    template,
)
from keybroker.hsm.connection import Connection, ObjectAttribute, Template, Wrapping
from keybroker.hsm.generate import check_made
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.possession import NONCE_OCTETS, agreement_tag, check_agreement, check_symmetric_proof
from keybroker.hsm.profile import Profile
from keybroker.hsm.return_values import CallFailed, Meaning
from keybroker.hsm.trusted_keys import CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY
from keybroker.hsm.verify import Verifier
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.policy.model import Policy
from keybroker.terms import KeyAlgorithm, KeyLabel, Provenance

SELF_TEST_TEXT = b"keybroker self-test of an unwrapped key v1"
"""No kind of content begins so: what is signed over it is a signature of nothing."""
_CKK_GENERIC_SECRET = 0x10
_O, _K = ObjectAttribute, KeyAttribute
_USES = (_K.SIGN, _K.SIGN_RECOVER, _K.ENCRYPT, _K.DECRYPT, _K.WRAP, _K.UNWRAP, _K.DERIVE)


class Unwrap:
    """One unwrap; what it makes is destroyed by ``undo`` unless all of it is made."""

    def __init__(
        self,
        connection: Connection,
        profile: Profile,
        wrapped: WrappedKey,
        policy: Policy,
        label: KeyLabel,
        *,
        in_session: bool,
        undo: ExitStack,
    ) -> None:
        self._connection, self._profile, self._wrapped, self._policy = connection, profile, wrapped, policy
        self._label, self._in_session, self._undo = label, in_session, undo
        self._wrapping = connection.wrapping()
        self._symmetric = policy.algorithm is KeyAlgorithm.AES_GCM

    def make(self, unwrapping: int) -> Attributes:
        """Four steps; the token shows nothing of the key before it is proven to be the right one."""
        # 1. A session object, tried.
        tried = self._unwrapped(unwrapping, token=False)
        self._check_right(tried)
        # 2. The key itself, with what stands beside it.
        self._settle(tried, unwrapping)
        if self._wrapped.authentication:
            self._put_authentication(unwrapping)
        # 3. Read back.
        connection, label = self._connection, self._label
        demanded = expected(self._policy, Provenance.UNWRAPPED, self._profile.keeping)
        if self._in_session:
            demanded = {**demanded, _K.TOKEN: False}
        check_made(connection, label, self._wrapped.identity, demanded)
        # 4. What stands there is tried too.
        (found,) = connection.find_secret(label) if self._symmetric else connection.find_private(label)
        self._check_right(found.handle)
        return found.attributes

    def _settle(self, tried: int, unwrapping: int) -> None:
        """By copy where the token makes final keys so, else unwrapped once more into its place."""
        if self._profile.keys.final_by_copy:
            self._keep(self._wrapping.copy(tried, {_K.TOKEN: not self._in_session, _K.MODIFIABLE: False}))
            self._wrapping.destroy(tried)
        elif not self._in_session:
            self._wrapping.destroy(tried)
            self._unwrapped(unwrapping, token=True)
        if not self._symmetric:
            self._keep(self._wrapping.create(self._public_template()))

    def _unwrapped(self, unwrapping: int, *, token: bool) -> int:
        made, key_wrap = self._template(token=token), WrapMechanism(self._profile.wrapping.key_wrap)
        handle = self._keep(unwrap_inside(self._connection, key_wrap, unwrapping, self._wrapped.blob, made))
        # NSS gives an unwrapped private key more uses than it was told; they are taken away, and read back later.
        changes: Template = {
            use: made[use]
            for use in _USES
            if use in made and self._wrapping.read(handle, use) != bytes([made[use] is True])
        }
        if changes:
            self._wrapping.change(handle, changes)
        return handle

    def _keep(self, handle: int) -> int:
        self._undo.callback(destroy_if_there, self._wrapping, handle)
        return handle

    def _template(self, *, token: bool) -> Template:
        demanded = template(self._policy, self._profile.keeping, signs_request=False)
        made: dict[KeyAttribute | ObjectAttribute, AttributeValue] = {
            **dict(demanded.items()),
            _K.TOKEN: token,
            _O.CLASS: CKO_SECRET_KEY if self._symmetric else CKO_PRIVATE_KEY,
            _K.KEY_TYPE: CKK_AES if self._symmetric else CKK_EC,
            _O.LABEL: self._label.encode(),
            _O.ID: self._identifier,
        }
        if not self._symmetric and ObjectAttribute.NSS_DB.value in self._profile.wrapping.unwrap_attributes:
            made[_O.NSS_DB] = b"\x04\x41" + self._wrapped.identity
        return made

    def _public_template(self) -> Template:
        made: dict[KeyAttribute | ObjectAttribute, AttributeValue] = {
            _O.CLASS: CKO_PUBLIC_KEY,
            _K.KEY_TYPE: CKK_EC,
            _K.EC_PARAMS: P256_PARAMETERS,
            _O.EC_POINT: b"\x04\x41" + self._wrapped.identity,
            _K.TOKEN: not self._in_session,
            _K.PRIVATE: False,
            _O.VERIFY: True,
            _O.LABEL: self._label.encode(),
            _O.ID: self._identifier,
        }
        return {**made, _K.MODIFIABLE: False} if self._profile.keys.final_by_copy else made

    @property
    def _identifier(self) -> bytes:
        return self._wrapped.identity if self._symmetric else key_identifier(self._wrapped.identity)

    def _put_authentication(self, unwrapping: int) -> None:
        """Out of its wrapping and into a data object, as it stood at the source: in host memory on the way."""
        made: Template = {
            _O.CLASS: CKO_SECRET_KEY,
            _K.KEY_TYPE: _CKK_GENERIC_SECRET,
            _K.TOKEN: False,
            _K.PRIVATE: True,
            _K.SENSITIVE: False,
            _K.EXTRACTABLE: True,
        }
        key_wrap = WrapMechanism(self._profile.wrapping.key_wrap)
        handle = unwrap_inside(self._connection, key_wrap, unwrapping, self._wrapped.authentication, made)
        try:
            octets = self._wrapping.read(handle, _O.VALUE)
        finally:
            destroy_if_there(self._wrapping, handle)
        if len(octets) != AES_OCTETS:
            raise ModuleDisagrees(f"an authentication key has {AES_OCTETS} octets, found {len(octets)}")
        self._connection.create_data(authentication_label(self._label), octets)
        self._undo.callback(_destroy_data, self._connection, authentication_label(self._label))

    def _check_right(self, handle: int) -> None:
        """Is it the key of that identity? Raises: ModuleDisagrees; CallFailed."""
        try:
            match self._policy.algorithm:
                case KeyAlgorithm.ECDSA:
                    digest = hashlib.sha256(SELF_TEST_TEXT + self._wrapped.sha256).digest()
                    Verifier(self._wrapped.identity).check(
                        self._connection.login_session().sign(handle, digest), digest
                    )
                case KeyAlgorithm.ECDH:
                    self._check_agrees(handle)
                case KeyAlgorithm.AES_GCM:
                    nonce = hashlib.sha256(self._wrapped.blob).digest()
                    check_symmetric_proof(self._connection, self._profile, handle, nonce, self._wrapped.check)
        except (ModuleDisagrees, ProtectionInvalid, ValueError) as error:
            raise ModuleDisagrees(
                "what was unwrapped is not the key that it is said to be; it was destroyed"
            ) from error

    def _check_agrees(self, handle: int) -> None:
        witness, nonce = ec.generate_private_key(ec.SECP256R1()), os.urandom(NONCE_OCTETS)
        public = witness.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        held = HeldKey(handle=handle, identity=self._wrapped.identity)
        tag = agreement_tag(self._connection, self._profile, held, public, nonce)
        check_agreement(self._wrapped.identity, witness, nonce, tag)


def unwrap_inside(connection: Connection, mechanism: WrapMechanism, by: int, octets: bytes, made: Template) -> int:
    try:
        return connection.wrapping().unwrap(mechanism, by, octets, made)
    except CallFailed as failure:
        # No room, and a token that takes nothing, are no word of what came.
        if failure.value.meaning in (Meaning.TRANSIENT, Meaning.OPERATOR_FIXABLE):
            raise
        # Modules refuse what does not open in many ways, "general error" among them; one that is still there has
        # answered.
        connection.check_session()
        connection.check_token()
        raise ModuleDisagrees("the module does not unwrap it: it was wrapped to another, or altered") from failure


def destroy_if_there(wrapping: Wrapping, handle: int) -> None:
    # What cannot be destroyed dies with the session, or is found by the inventory.
    with suppress(CallFailed):
        wrapping.destroy(handle)


def _destroy_data(connection: Connection, label: str) -> None:
    with suppress(CallFailed):
        for data in connection.find_data(label):
            connection.destroy_data(data.handle)
