"""To whom is a key wrapped? An RSA-3072 pair of the destination's module, whose private half unwraps and does nothing
else.

It is made before a transfer or a quorum, stays while it is waited for, and is destroyed after. That its private half
is in this module is for the module's maker to attest, or for custodians to sign (SEC G2.22I(a)(ii)).
"""

from __future__ import annotations

from keybroker.errors import ConfigurationInvalid, ModuleDisagrees
from keybroker.hsm.attributes import AttributeValue, KeyAttribute
from keybroker.hsm.connection import ObjectAttribute, Template, Wrapping
from keybroker.hsm.presence import check_shows
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.token_module import Token
from keybroker.hsm.trusted_keys import CKK_RSA, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, RSA_BITS, RSA_EXPONENT, spki_of
from keybroker.hsm.wrapped_key import IDENTIFIER_OCTETS

_CKM_RSA_PKCS_OAEP = 0x9
_O, _K = ObjectAttribute, KeyAttribute
_NEVER = {
    _K.SENSITIVE: b"\x01",
    _K.EXTRACTABLE: b"\x00",
    _K.UNWRAP: b"\x01",
    _K.DECRYPT: b"\x00",
    _K.SIGN: b"\x00",
    _K.NEVER_EXTRACTABLE: b"\x01",
}
"""What the private half must show, each time it is found."""


def make_wrapping_pair(token: Token, name: str) -> bytes:
    """Make the pair of this name; gives its public half as DER SubjectPublicKeyInfo.

    Raises: ModuleDisagrees where one of this name stands already (``wrapping_pair`` gives that one); ModuleFault;
    ConfigurationInvalid where keys do not come into this module by unwrapping.
    """
    if token.profile.wrapping.adapter is not TransferAdapter.PKCS11_WRAP:
        raise ConfigurationInvalid(f"{token.profile.title}: keys come by {token.profile.wrapping.adapter}")
    with token.exclusively() as connection:
        wrapping = connection.wrapping()
        if _standing(wrapping, name):
            raise ModuleDisagrees("a wrapping pair of this name stands in the module already; nothing was made")
        identifier = connection.random(IDENTIFIER_OCTETS)
        wrapping.generate_rsa(*_templates(token.profile, name, identifier))
        return _spki(wrapping, name)


def wrapping_pair(token: Token, name: str) -> bytes | None:
    """The public half of the pair of this name, None where none stands: for a ceremony that goes on. Raises:
    ModuleDisagrees where more than one stands; ModuleFault."""
    with token.exclusively() as connection:
        wrapping = connection.wrapping()
        if wrapping.find({_O.CLASS: CKO_PRIVATE_KEY, _O.LABEL: pair_label(name).encode()}):
            return _spki(wrapping, name)
        check_shows(connection, name)
        # Whoever died while the module made the pair may have left its public half; nobody was told of that.
        for handle in _standing(wrapping, name):
            wrapping.destroy(handle)
        return None


def destroy_wrapping_pair(token: Token, name: str) -> None:
    """May be called again. Raises: ModuleDisagrees where the module still shows it; ModuleFault."""
    with token.exclusively() as connection:
        wrapping = connection.wrapping()
        for handle in _standing(wrapping, name):
            wrapping.destroy(handle)
        if _standing(wrapping, name):
            raise ModuleDisagrees("the module still shows a wrapping pair that it was told to destroy")
        check_shows(connection, name)


def find_pair(wrapping: Wrapping, name: str) -> tuple[int, int]:
    """Handles of the public and the private half. Raises: ModuleDisagrees unless there is exactly one pair, whose
    private half never leaves and only unwraps; CallFailed."""
    label = pair_label(name).encode()
    public = wrapping.find({_O.CLASS: CKO_PUBLIC_KEY, _O.LABEL: label})
    private = wrapping.find({_O.CLASS: CKO_PRIVATE_KEY, _O.LABEL: label})
    if (len(public), len(private)) != (1, 1):
        raise ModuleDisagrees(f"expected one wrapping pair of this name, found {len(public)} and {len(private)} halves")
    if wrapping.read(public[0], _O.MODULUS) != wrapping.read(private[0], _O.MODULUS):
        raise ModuleDisagrees("the two halves of the wrapping pair are not of one pair")
    for attribute, value in _NEVER.items():
        if wrapping.read(private[0], attribute) != value:
            raise ModuleDisagrees(
                f"the wrapping pair's private half has another {attribute.value} than it was made with"
            )
    return public[0], private[0]


def pair_label(name: str) -> str:
    """No key's label has a dot."""
    return f"{name}.wrapping-pair"


def _standing(wrapping: Wrapping, name: str) -> tuple[int, ...]:
    return wrapping.find({_O.LABEL: pair_label(name).encode()})


def _spki(wrapping: Wrapping, name: str) -> bytes:
    public, _ = find_pair(wrapping, name)
    return spki_of(wrapping.read(public, _O.MODULUS), wrapping.read(public, _O.PUBLIC_EXPONENT))


def _templates(profile: Profile, name: str, identifier: bytes) -> tuple[Template, Template]:
    both: dict[KeyAttribute | ObjectAttribute, AttributeValue] = {
        _K.KEY_TYPE: CKK_RSA,
        _K.TOKEN: True,
        _O.LABEL: pair_label(name).encode(),
        _O.ID: identifier,
    }
    if profile.keeping.allowed_mechanisms:
        both[_K.ALLOWED_MECHANISMS] = frozenset({_CKM_RSA_PKCS_OAEP})
    public: Template = {
        **both,
        _O.CLASS: CKO_PUBLIC_KEY,
        _K.PRIVATE: False,
        _O.MODULUS_BITS: RSA_BITS,
        _O.PUBLIC_EXPONENT: RSA_EXPONENT.to_bytes(3, "big"),
        _K.WRAP: True,
        _K.ENCRYPT: False,
        _O.VERIFY: False,
        _O.VERIFY_RECOVER: False,
    }
    private: Template = {
        **both,
        _O.CLASS: CKO_PRIVATE_KEY,
        _K.PRIVATE: True,
        _K.SENSITIVE: True,
        _K.EXTRACTABLE: False,
        _K.UNWRAP: True,
        _K.DECRYPT: False,
        _K.SIGN: False,
        _K.SIGN_RECOVER: False,
    }
    return public, private
