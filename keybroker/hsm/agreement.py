"""How is the 16-octet key of GBCS agreed with this device? One function, a strategy for each kind of module.

Static ECDH on P-256, then SP 800-56C's one-step KDF: SHA-256(00000001 || Z || OtherInfo), leftmost 16 octets (handbook
1.8). Whatever strategy: Z never leaves the module, and only ``digest-key`` lets the agreed key out, into the memory of
a test deployment's host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import assert_never

from keybroker.content.use import Agreement
from keybroker.errors import ModuleDisagrees
from keybroker.hsm.agreed_secrets import AgreedSecrets, check_peer
from keybroker.hsm.connection import Derived, Session
from keybroker.hsm.galois import Galois, HostGalois, ModuleGalois
from keybroker.hsm.held_key import HeldKey
from keybroker.hsm.profile_sections import MacStrategy
from keybroker.hsm.return_values import CallFailed

_CKD_SHA256_KDF_SP800 = 0x10
"""PKCS#11 v3.0 §2.3.12. Not CKD_SHA256_KDF (X9.63), whose counter stands behind Z."""
_COUNTER = b"\x00\x00\x00\x01"
_KEY_OCTETS = 16


@contextmanager
def agreed_key(
    strategy: MacStrategy,
    secrets: AgreedSecrets,
    held: HeldKey,
    agreement: Agreement,
    *,
    also_tag_wrong: frozenset[str],
) -> Iterator[Galois]:
    """The agreed key for as long as one use lasts. Raises: CallFailed, which says that the key was used as soon as it
    was; ModuleDisagrees for a strategy that this version cannot follow, or a peer that is no point."""
    session = secrets.session
    match strategy:
        case MacStrategy.IN_MODULE_KDF:
            with _made(session, _by_kdf(session, held, agreement)) as key, _used():
                yield ModuleGalois(session=session, key=key, also_tag_wrong=also_tag_wrong)
        case MacStrategy.IN_MODULE_CONCATENATION:
            with secrets.agreed_with(held, agreement) as z, _used(), _by_concatenation(session, z, agreement) as key:
                yield ModuleGalois(session=session, key=key, also_tag_wrong=also_tag_wrong)
        case MacStrategy.DIGEST_KEY:
            with secrets.agreed_with(held, agreement) as z, _used():
                digest = session.digest_with_key(_COUNTER, z, agreement.other_information)
                yield HostGalois(key=digest[:_KEY_OCTETS])
        case MacStrategy.VENDOR_PROGRAM | MacStrategy.NONE:
            raise ModuleDisagrees("no way is known to agree a key inside this module; nothing was done")
        case never:
            assert_never(never)


def _by_kdf(session: Session, held: HeldKey, agreement: Agreement) -> int:
    check_peer(agreement.peer)
    return session.agree(
        held.handle,
        agreement.peer,
        kdf=_CKD_SHA256_KDF_SP800,
        shared=agreement.other_information,
        derived=Derived.AES_KEY,
    )


@contextmanager
def _by_concatenation(session: Session, z: int, agreement: Agreement) -> Iterator[int]:
    """Three derivations, each inside the module, each destroyed: what the KDF hashes, and its leftmost octets."""
    with (
        _made(session, session.concatenate(z, _COUNTER, octets_first=True)) as counted,
        _made(session, session.concatenate(counted, agreement.other_information, octets_first=False)) as whole,
        _made(session, session.hash_to_aes_key(whole)) as key,
    ):
        yield key


@contextmanager
def _made(session: Session, handle: int) -> Iterator[int]:
    """A session object, destroyed at the end; one that cannot be destroyed dies with its session."""
    try:
        yield handle
    finally:
        with suppress(CallFailed):
            session.destroy(handle)


@contextmanager
def _used() -> Iterator[None]:
    """From here on the key was used, whichever call fails."""
    try:
        yield
    except CallFailed as failure:
        raise failure.after_use() from failure
