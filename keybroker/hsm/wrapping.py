"""How does a key leave its module? Wrapped inside it, under a key that is made for this one wrap and destroyed.

SEC G2.22G: a DCC key may be transferred securely to another of its systems; no User's key ever is. The AES-256 key is
made in the module by its security officer (``security_officer.py``), wraps the key (RFC 5649), is wrapped itself to the
recipient's RSA key (OAEP, RFC 8017 §7.1), and goes. Nothing secret is in host memory; what comes out is a
``WrappedKey``. Whether it may leave now, and to whom, is for the ceremony to say.
"""

from __future__ import annotations

import hashlib

from keybroker.clause import clause
from keybroker.errors import ConfigurationInvalid, ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import Attributes, KeyAttribute, expected, key_identifier, weaker
from keybroker.hsm.connection import Connection, ObjectAttribute, Template
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.possession import symmetric_proof
from keybroker.hsm.presence import check_shows
from keybroker.hsm.profile import Profile
from keybroker.hsm.profile_sections import Payload, TransferAdapter
from keybroker.hsm.security_officer import Officer
from keybroker.hsm.token_module import Token
from keybroker.hsm.trusted_keys import CKO_SECRET_KEY, Recipient, clear_trusted, find_trusted, read_recipient
from keybroker.hsm.verify import Verifier
from keybroker.hsm.wrap_mechanism import WrapMechanism
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.policy.model import Policy
from keybroker.terms import Export, Finding, KeyAlgorithm, KeyLabel, Provenance, RuleName

RULE = RuleName("key-may-leave")
_CLAUSE = "G2.22G"
_CKK_GENERIC_SECRET = 0x10
_O, _K = ObjectAttribute, KeyAttribute


@clause("G2.22G")
def wrap_key(
    token: Token,
    label: KeyLabel,
    policy: Policy,
    *,
    recipient_spki: bytes,
    officer: Officer,
    oaep: WrapMechanism | None = None,
) -> WrappedKey:
    """Wrap the key of this label to an RSA-3072 public key (DER SubjectPublicKeyInfo). The key itself stays.

    ``oaep``: which of the profile's, where the recipient does not do the first. Leaves nothing behind but after a
    crash, and then the next wrap or ``clear_wrapping_keys`` takes it away. Raises: NotPermitted for a key whose purpose
    never leaves (G2.22G); ContentMalformed for another recipient; PinWrong; ConfigurationInvalid where this module
    wraps no keys; ModuleDisagrees where the key was not made to be wrapped, or is not as strong as its purpose demands;
    ModuleFault.
    """
    check_may_leave(policy)
    hash_used = _check_wraps(token.profile, oaep)
    recipient = read_recipient(recipient_spki)
    with token.exclusively() as connection:
        _find_wrappable(connection, label, policy, token.profile)
        clear_trusted(connection.wrapping(), label)
    try:
        identifier = officer.make_trusted(label, recipient)
        with token.exclusively() as connection:
            return _wrap(connection, label, policy, token.profile, (recipient, identifier, hash_used))
    finally:
        clear_wrapping_keys(token, label)


def clear_wrapping_keys(token: Token, name: str) -> None:
    """Destroy what a wrap of the key of this name left in the module; does nothing where nothing stands. Raises:
    ModuleFault."""
    with token.exclusively() as connection:
        clear_trusted(connection.wrapping(), name)
        check_shows(connection, name)


def check_may_leave(policy: Policy) -> None:
    """Raises: NotPermitted, with the clause."""
    if policy.export is not Export.WRAPPED:
        found = f"{policy.purpose}, whose keys never leave"
        demanded = "a purpose of the DCC's, whose keys may be transferred"
        finding = Finding(rule=RULE, clause=_CLAUSE, passed=False, expected=demanded, found=found)
        raise NotPermitted(f"expected {demanded}, found {found} ({_CLAUSE})", findings=(finding,))


def _check_wraps(profile: Profile, oaep: WrapMechanism | None) -> WrapMechanism:
    facts = profile.wrapping
    if facts.adapter is not TransferAdapter.PKCS11_WRAP:
        raise ConfigurationInvalid(f"{profile.title}: keys are moved by {facts.adapter}, not by wrapping")
    if facts.trusted_by == "nobody" or not profile.keeping.wraps_with_trusted:
        raise ConfigurationInvalid(f"{profile.title}: it keeps no wrapping key trusted, so no key of it is extractable")
    offered = tuple(map(WrapMechanism, facts.oaep))
    if oaep is not None and oaep not in offered:
        raise ConfigurationInvalid(f"{profile.title}: it does no {oaep}")
    return oaep or offered[0]


def _wrap(
    connection: Connection,
    label: KeyLabel,
    policy: Policy,
    profile: Profile,
    to: tuple[Recipient, bytes, WrapMechanism],
) -> WrappedKey:
    recipient, identifier, oaep = to
    wrapping, key_wrap = connection.wrapping(), WrapMechanism(profile.wrapping.key_wrap)
    # Looked up anew: handles may have died while the officer was at work.
    handle, identity = _find_wrappable(connection, label, policy, profile)
    aes, rsa = find_trusted(wrapping, label, recipient, identifier, keeping=profile.keeping)
    blob = wrapping.wrap(key_wrap, aes, handle)
    symmetric = policy.algorithm is KeyAlgorithm.AES_GCM
    return WrappedKey(
        label=label,
        purpose=policy.purpose,
        algorithm=policy.algorithm,
        identity=identity,
        blob=blob,
        wrapped_wrapping_key=wrapping.wrap(oaep, rsa, aes),
        authentication=_authentication(connection, label, aes, key_wrap) if symmetric and profile.objects.data else b"",
        check=symmetric_proof(connection, handle, hashlib.sha256(blob).digest()) if symmetric else b"",
        key_wrap=key_wrap.value,
        oaep=oaep,
        payload=Payload.RAW if symmetric else profile.wrapping.payload,
        source_serial=connection.description.serial,
    )


def _find_wrappable(connection: Connection, label: KeyLabel, policy: Policy, profile: Profile) -> tuple[int, bytes]:
    """Handle and identity of exactly one key of this label, made to be wrapped under a trusted key alone."""
    if policy.algorithm is KeyAlgorithm.AES_GCM:
        secret = connection.find_secret(label)
        if len(secret) != 1:
            raise ModuleDisagrees(f"expected exactly one secret key of this label in the module, found {len(secret)}")
        _check_wrappable(secret[0].attributes, policy, profile)
        return secret[0].handle, secret[0].identifier
    private, public = connection.find_private(label), connection.find_public(label)
    if (len(private), len(public)) != (1, 1):
        raise ModuleDisagrees(f"expected exactly one pair of this label, found {len(private)} and {len(public)} halves")
    _check_point(public[0].point)
    if {private[0].identifier, public[0].identifier} != {key_identifier(public[0].point)}:
        raise ModuleDisagrees("the two halves of this label have not the CKA_ID of the public key")
    _check_wrappable(private[0].attributes, policy, profile)
    return private[0].handle, public[0].point


def _check_point(point: bytes) -> None:
    try:
        Verifier(point)
    except ValueError as error:
        raise ModuleDisagrees("the public key of this label is not on P-256") from error


def _check_wrappable(found: Attributes, policy: Policy, profile: Profile) -> None:
    if found.get(_K.EXTRACTABLE) is not True or found.get(_K.WRAP_WITH_TRUSTED) is not True:
        raise ModuleDisagrees("the key was not made to be wrapped under a trusted key: it does not leave this module")
    # How it came here says nothing of how it may leave, so what holds for every provenance is demanded.
    demanded = dict(expected(policy, Provenance.UNWRAPPED, profile.keeping))
    # Nor whether it stands here for long: a split key is wrapped anew out of a session (G2.44B).
    demanded.pop(_K.TOKEN, None)
    shortcomings = weaker(demanded, found)
    if shortcomings:
        raise ModuleDisagrees(f"the key is weaker than its purpose demands: {'; '.join(shortcomings)}")


def _authentication(connection: Connection, label: KeyLabel, aes: int, key_wrap: WrapMechanism) -> bytes:
    """The DLMS authentication key, which is a data object: made a key for as long as it takes to wrap it."""
    data = connection.find_data(authentication_label(label))
    if not data:
        return b""
    if len(data) != 1:
        raise ModuleDisagrees("the key has more than one authentication key; an operator must look")
    wrapping = connection.wrapping()
    handle = wrapping.create(_secret_template(data[0].octets))
    try:
        return wrapping.wrap(key_wrap, aes, handle)
    finally:
        wrapping.destroy(handle)


def _secret_template(octets: bytes) -> Template:
    return {
        _O.CLASS: CKO_SECRET_KEY,
        _K.KEY_TYPE: _CKK_GENERIC_SECRET,
        _O.VALUE: octets,
        _K.TOKEN: False,
        _K.PRIVATE: True,
        _K.SENSITIVE: True,
        _K.EXTRACTABLE: True,
        _K.WRAP_WITH_TRUSTED: True,
    }
