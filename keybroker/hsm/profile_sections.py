"""What stands in a file of ``hsm_profiles/``? One section for each topic, read strictly; each says what was tried."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Words = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """Every section says whether its facts were tried, and on what."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tried: bool
    notes: Words


class Library(Section):
    """``file_names``: as vendors install it. ``manufacturer``: a regular expression over all of C_GetInfo's
    manufacturerID."""

    file_names: tuple[Words, ...]
    manufacturer: Words
    initialise_parameters: str = Field(
        description="C_Initialize's library parameters; {NAME} is taken from the environment; empty for none"
    )


class TokenStrings(Section):
    """Regular expressions over all of C_GetTokenInfo's manufacturerID and model."""

    manufacturer: Words
    model: Words


class Sessions(Section):
    """``signing``: how many sign at once, at most. ``in_process``: the token computes in the caller's process (see
    docs/hsm.md)."""

    signing: int = Field(ge=1, le=1024)
    in_process: bool
    only_read_write: bool


class Keys(Section):
    """``final_by_copy``: a pair made as session objects can be copied into the token unmodifiable, losing no
    attribute. ``sign_can_be_cleared``: one key can be made with CKA_DERIVE and CKA_SIGN, and CKA_SIGN cleared later;
    ``sign_stays_cleared``: the token's user cannot switch it on again."""

    allowed_mechanisms: bool
    final_by_copy: bool
    imports_test_keys: bool
    import_needs_point: bool
    sign_can_be_cleared: bool
    sign_stays_cleared: bool
    untold_attributes: tuple[Words, ...]


class Objects(Section):
    """``data``: the token keeps private CKO_DATA objects, so the ledger's head can be kept in it."""

    data: bool


class MacStrategy(StrEnum):
    """How a GBCS key is agreed in this device (see ``agreement.py``)."""

    IN_MODULE_KDF = "in-module-kdf"
    """CKM_ECDH1_DERIVE with CKD_SHA256_KDF_SP800."""
    IN_MODULE_CONCATENATION = "in-module-concatenation"
    """CKM_ECDH1_DERIVE, concatenated and hashed inside the module."""
    VENDOR_PROGRAM = "vendor-program"
    """A program of the maker's or the deployment's own inside the module: ``program`` names it, with its hash."""
    DIGEST_KEY = "digest-key"
    """C_DigestKey: the agreed key reaches the host's memory. In test deployments alone."""
    NONE = "none"


class AesGcm(Section):
    """CKM_AES_GCM. ``iv_chosen_by``: "nobody" where the device does not offer it. ``also_tag_wrong``: return values of
    C_Decrypt that mean a wrong tag on this device, besides the standard's.
    """

    iv_chosen_by: Literal["caller", "module", "nobody"]
    also_tag_wrong: tuple[Words, ...]


class Mac(Section):
    """``agreed_secrets``: how many Z (non-extractable, one for each counterparty) a session keeps, 0 for none;
    ``agreed_secret_seconds``: for how long. ``program`` and ``program_sha256`` (hex): of a vendor-program alone.
    """

    strategy: Annotated[MacStrategy, Field(strict=False)]
    agreed_secrets: int = Field(ge=0, le=4096)
    agreed_secret_seconds: int = Field(ge=0, le=86400)
    program: str
    program_sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class TransferAdapter(StrEnum):
    """The mechanism by which a key is moved to another module (SEC G2.22I(a)(ii): the SMKI PMA approves it by name)."""

    PKCS11_WRAP = "pkcs11-wrap"
    """Ours: ``wrapping.py`` and ``unwrapping.py``."""
    LUNA_CLONING = "luna-cloning"
    NSHIELD_WORLD = "nshield-world"
    CLOUDHSM_BACKUP = "cloudhsm-backup"
    NONE = "none"
    """No way is known by which a key leaves this device for another."""

    @property
    def is_conducted(self) -> bool:
        """People move the key with the maker's own tool, by the profile's ``commands``."""
        return self in (
            TransferAdapter.LUNA_CLONING,
            TransferAdapter.NSHIELD_WORLD,
            TransferAdapter.CLOUDHSM_BACKUP,
        )


class Payload(StrEnum):
    """What stands inside a wrapped key: the octets that RFC 5649 enciphers."""

    RAW = "raw"
    """A secret key's own octets."""
    PKCS8 = "pkcs8"
    """PrivateKeyInfo (RFC 5208) and nothing behind it."""
    PKCS8_ZERO_PADDED = "pkcs8-zero-padded"
    """The same and zeros up to a multiple of eight octets, which count as part of what was wrapped."""


class WrappingFacts(Section):
    """How a key is moved. ``key_wrap``: the device's mechanism that is RFC 5649, empty for none; ``oaep``: what it does
    of RSA-OAEP, the preferred first; ``trusted_by``: who can make a wrapping key CKA_TRUSTED.

    ``unwrap_attributes``: what the unwrap of a private key needs besides, all of it the public point; ``payload``: what
    comes out with a private key; ``payloads_taken``: what goes in. ``commands``: of a conducted adapter, the maker's,
    which the ceremony prints.
    """

    adapter: Annotated[TransferAdapter, Field(strict=False)]
    key_wrap: Literal["", "AES_KEY_WRAP_PAD", "AES_KEY_WRAP_KWP"]
    oaep: tuple[Literal["RSA_OAEP_SHA1", "RSA_OAEP_SHA256"], ...]
    trusted_by: Literal["security-officer", "nobody"]
    unwrap_attributes: tuple[Literal["NSS_DB"], ...]
    payload: Annotated[Payload, Field(strict=False)]
    payloads_taken: tuple[Annotated[Payload, Field(strict=False)], ...]
    commands: tuple[Words, ...]


class QuorumAdapter(StrEnum):
    """The maker's own M-of-N, by which a key is held in parts in the place of ``slip39`` (SEC G2.44B)."""

    LUNA_M_OF_N = "luna-m-of-n"
    NSHIELD_CARD_SET = "nshield-card-set"
    UTIMACO_MBK = "utimaco-mbk"
    NONE = "none"
    """The device keeps no key under a quorum of people."""


class QuorumFacts(Section):
    """What people carry out where the device has a quorum of its own, and the ceremony prints: ``split`` puts a key
    under it, ``join`` brings it back by those who are present, ``let_go`` takes it away again, ``replace`` gives out
    new cards. Each leaves what the quorum holds where it is.
    """

    adapter: Annotated[QuorumAdapter, Field(strict=False)]
    split: tuple[Words, ...]
    join: tuple[Words, ...]
    let_go: tuple[Words, ...]
    replace: tuple[Words, ...]


class Validation(Section):
    """What the maker claims. The certificate in force belongs to the deployment's module evidence, not here."""

    standard: Words
    level: int = Field(ge=0, le=4)


class ReturnValues(Section):
    """Where the device means something else than the table in ``return_values.py``."""

    meanings: dict[str, str]


class UseCounter(Section):
    """Where the device counts the uses of each key by itself: the vendor's attribute that holds a CK_ULONG."""

    attribute: Annotated[int, Field(ge=0x80000000, lt=1 << 32)]


class ProfileFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    title: Words
    library: Library
    token: TokenStrings
    sessions: Sessions
    keys: Keys
    objects: Objects
    aes_gcm: AesGcm
    mac: Mac
    wrapping: WrappingFacts
    quorum: QuorumFacts
    validation: Validation
    return_values: ReturnValues
    use_counter: UseCounter | None = None
    """Absent: it counts none."""
