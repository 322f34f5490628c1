"""The words of the Smart Energy Code and of GBCS, as enums and small frozen types.

One word per thing, everywhere: code, protos, policies, records, documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType, Self

KeyLabel = NewType("KeyLabel", str)
"""The one name of a key in register, policies, module (CKA_LABEL), requests and records: [a-z0-9-]{1,63}."""

RequestId = NewType("RequestId", str)
"""The caller's name for one request: 1 to 128 printable ASCII characters without space."""

PartyName = NewType("PartyName", str)
"""A User or a DCC Individual Live System, as the deployment names it (G2.25, G3.14)."""

SystemName = NewType("SystemName", str)
"""One of a party's systems, as the caller table names it."""

RuleName = NewType("RuleName", str)
"""A rule's or gate's own name: kebab case, stable."""


@dataclass(frozen=True, slots=True)
class EntityIdentifier:
    """An EUI-64: exactly eight octets. Written as DUIS writes it, ``90-B3-D5-1F-30-01-00-00``."""

    octets: bytes

    def __post_init__(self) -> None:
        if len(self.octets) != 8:
            raise ValueError(f"an EUI-64 has 8 octets, found {len(self.octets)}")

    def __str__(self) -> str:
        return self.octets.hex("-").upper()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read ``90-B3-D5-1F-30-01-00-00`` (either case, hyphens optional).

        Raises: ValueError when it is not sixteen hex digits.
        """
        return cls(bytes.fromhex(text.replace("-", "")))


class DeploymentKind(StrEnum):
    """Test is a property of the whole deployment, from birth."""

    LIVE = "live"
    TEST = "test"


class RelevantSystem(StrEnum):
    """What a deployment is part of: User Systems, or DCC Live Systems; of these, those of paragraphs (b) and (c) of the
    definition are the relevant systems of SEC G2.22A."""

    USER_SYSTEMS = "user-systems"
    DCC_LIVE_SYSTEMS_A = "dcc-live-systems-a"
    DCC_LIVE_SYSTEMS_B = "dcc-live-systems-b"
    DCC_LIVE_SYSTEMS_C = "dcc-live-systems-c"


class RemotePartyRole(IntEnum):
    """The Remote Party Role in a certificate's OU, two upper-case hex digits (handbook 3.1; GBCS RemotePartyRole)."""

    ROOT = 0x00
    RECOVERY = 0x01
    SUPPLIER = 0x02
    NETWORK_OPERATOR = 0x03
    ACCESS_CONTROL_BROKER = 0x04
    TRANSITIONAL_COS = 0x05
    WAN_PROVIDER = 0x06
    ISSUING_AUTHORITY = 0x07
    LOAD_CONTROLLER = 0x08
    OTHER = 0x7F
    XML_SIGN = 0x87
    DSP_XML_SIGN = 0x89

    @property
    def ou(self) -> str:
        return f"{self.value:02X}"


class KeyPurpose(StrEnum):
    """What a key is for. One file ``policies/<value>.toml`` each; nothing else may be done with it."""

    SUPPLIER_PRE_COMMAND = "supplier-pre-command"
    NETWORK_OPERATOR_PRE_COMMAND = "network-operator-pre-command"
    LOAD_CONTROLLER_PRE_COMMAND = "load-controller-pre-command"
    ACCESS_CONTROL_BROKER_COMMAND = "access-control-broker-command"
    COS_PARTY_COMMAND = "cos-party-command"
    WAN_PROVIDER_COMMAND = "wan-provider-command"
    RECOVERY_COMMAND = "recovery-command"
    CONTINGENCY_COMMAND = "contingency-command"
    AUDIT_CHECKPOINT = "audit-checkpoint"
    ROOT_OCA = "root-oca"
    ISSUING_OCA = "issuing-oca"
    ACCESS_CONTROL_BROKER_MAC = "access-control-broker-mac"
    COS_PARTY_XML = "cos-party-xml"
    COS_PARTY_TLS = "cos-party-tls"
    USER_XML = "user-xml"
    DSP_XML = "dsp-xml"
    DCO_SMETS1 = "dco-smets1"
    S1SP_SMETS1 = "s1sp-smets1"
    SMETS1_TLS = "smets1-tls"
    USER_KEY_AGREEMENT = "user-key-agreement"
    SUPPLIER_PREPAYMENT = "supplier-prepayment"
    CONTINGENCY_SYMMETRIC = "contingency-symmetric"


class KeyAlgorithm(StrEnum):
    """What a key is and does: signs by ECDSA, agrees by static ECDH, or enciphers with AES in Galois/Counter Mode."""

    ECDSA = "ecdsa-p256-sha256"
    ECDH = "ecdh-p256-sp800-56a"
    AES_GCM = "aes-128-gcm"


class KeyUsage(StrEnum):
    """The keyUsage that a key's certificate states (RFC 5280 section 4.2.1.3); ``none`` for keys without one."""

    DIGITAL_SIGNATURE = "digitalSignature"
    KEY_AGREEMENT = "keyAgreement"
    CERTIFICATE_SIGNING = "keyCertSign+cRLSign"
    NONE = "none"


class ContentKind(StrEnum):
    """What the octets are declared to be. Never guessed from the octets."""

    PRE_COMMAND = "pre-command"
    COMMAND = "command"
    CERTIFICATE_SIGNING_REQUEST = "certificate-signing-request"
    AUDIT_CHECKPOINT = "audit-checkpoint"
    CERTIFICATE = "certificate"
    """A TBSCertificate for an Organisation or OCA Certificate (RFC 5280 section 4.1.1.1)."""
    ROOT_CERTIFICATE = "root-certificate"
    """The TBSCertificate of the self-signed Root OCA Certificate."""
    CERTIFICATE_REVOCATION_LIST = "certificate-revocation-list"
    """A TBSCertList: the Organisation ARL or CRL (RFC 5280 section 5.1.1.1)."""
    COMMAND_BEFORE_MAC = "command-before-mac"
    """The inner part of a Command: GBCS message with its signature octets (handbook 1.6)."""
    PROTECTED_RESPONSE = "protected-response"
    """A Response or Alert in its MAC wrapper, whose MAC is to be checked."""
    ENCRYPTED_RESPONSE = "encrypted-response"
    """A Response or Alert that holds encrypted data, to be deciphered."""
    PREPAYMENT_TOP_UP = "prepayment-top-up"
    """Originator, Device, counter and amount of a prepayment token (handbook 1.10)."""
    SERVICE_REQUEST = "service-request"
    """A DUIS Request, Response or Signed Pre-Command in XML, unsigned (handbook 4)."""
    SMETS1_INSTRUCTION = "smets1-instruction"
    SMETS1_RESPONSE = "smets1-response"
    TLS_HANDSHAKE = "tls-handshake"
    """What a TLS peer signs: CertificateVerify of TLS 1.3 or 1.2, ServerKeyExchange of TLS 1.2."""


class AccompanyingKind(StrEnum):
    """What comes beside the octets of a request, and is judged with them."""

    CERTIFICATE_SIGNING_REQUEST = "certificate-signing-request"
    """PKCS#10, DER: proof of possession of the key to be certified."""
    DEVICE_CERTIFICATE = "device-certificate"
    """DER: the Device's Key Agreement certificate, then its issuers, the anchor excluded."""
    ORIGINATOR_CERTIFICATE = "originator-certificate"
    """DER: the originator's Digital Signing certificate, then its issuers."""
    SERVICE_REQUEST = "service-request"
    """The signed DUIS XML that gave rise to what is to be signed."""
    SIGNER_CERTIFICATE = "signer-certificate"
    """DER: the certificate behind the XML signature of the Service Request, then its issuers."""


class Operation(StrEnum):
    """The typed RPCs. A caller table entry lists those it may call; SignBatch and SignStream carry the line's."""

    SIGN_PRE_COMMAND = "SignPreCommand"
    SIGN_COMMAND = "SignCommand"
    EXPLAIN = "Explain"
    LIST_KEYS = "ListKeys"
    GET_PUBLIC_KEY = "GetPublicKey"
    GET_RECORD = "GetRecord"
    GET_CHECKPOINT = "GetCheckpoint"
    GET_INCLUSION_PROOF = "GetInclusionProof"
    GET_CONSISTENCY_PROOF = "GetConsistencyProof"
    TAIL_RECORDS = "TailRecords"
    SIGN_CERTIFICATE = "SignCertificate"
    SIGN_REVOCATION_LIST = "SignRevocationList"
    SIGN_CERTIFICATE_SIGNING_REQUEST = "SignCertificateSigningRequest"
    APPLY_COMMAND_MAC = "ApplyCommandMac"
    CHECK_RESPONSE_MAC = "CheckResponseMac"
    DECRYPT_RESPONSE = "DecryptResponse"
    MAKE_PREPAYMENT_TOKEN = "MakePrepaymentToken"  # noqa: S105 - an operation's name
    SIGN_SERVICE_REQUEST = "SignServiceRequest"
    PROTECT_SMETS1_INSTRUCTION = "ProtectSmets1Instruction"
    OPEN_SMETS1_RESPONSE = "OpenSmets1Response"
    SIGN_TLS_HANDSHAKE = "SignTlsHandshake"
    BEGIN_SMETS1_SESSION = "BeginSmets1Session"
    """Makes a key for one TLS session with one SMETS1 Device (SEC G2.44A(d)); uses none."""
    END_SMETS1_SESSION = "EndSmets1Session"
    SIGN_ROOT_CERTIFICATE = "SignRootCertificate"
    """Not an RPC: the self-signed Root OCA Certificate is made in a ceremony."""
    SIGN_CHECKPOINT = "SignCheckpoint"
    """Not an RPC: the broker's own signature over the head of its ledger, under the audit-checkpoint purpose."""


class CallerKind(StrEnum):
    """Who asks: a User's system, a DCC service, an auditor, an operator's command line, or the broker itself."""

    USER_SYSTEM = "user-system"
    DCC_SERVICE = "dcc-service"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    BROKER = "broker"


class UserRole(StrEnum):
    """User Roles of the DCC User Interface (handbook 4.4)."""

    IMPORT_SUPPLIER = "IS"
    EXPORT_SUPPLIER = "ES"
    GAS_SUPPLIER = "GS"
    REGISTERED_SUPPLIER_AGENT = "RSA"
    ELECTRICITY_DISTRIBUTOR = "ED"
    GAS_TRANSPORTER = "GT"
    OTHER_USER = "OU"
    LOAD_CONTROLLER = "LC"


class KeyState(StrEnum):
    """The life of a key (G5.13, G5.24). Only ``active`` is of use, and ``combined`` to the ceremony that combined it.

    That it was registered, labelled, distributed, installed or renewed are acts in its history (``ledger/life_form``).
    """

    ORDERED = "ordered"
    GENERATED = "generated"
    ENROLLING = "enrolling"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"
    SUPERSEDED = "superseded"
    """Another key has taken its place."""
    SPLIT = "split"
    """It stands in parts, and in no module (G2.44B)."""
    COMBINED = "combined"
    """A quorum holds it in a session of one ceremony."""
    TRANSFERRING = "transferring"
    """Suspended for ever: another system is about to use it (G2.22F to G2.22I)."""
    INSTALLED = "installed"
    """It came from another system, and may not be used yet."""
    RENOUNCED = "renounced"
    """It came from another system, was never used here, and nothing of it is here any more. It may come again."""
    TRANSFERRED = "transferred"
    """Another system uses it."""
    DESTROYED = "destroyed"
    """Every copy that was known is accounted for."""
    COMPROMISED = "compromised"

    @property
    def is_over(self) -> bool:
        """It will never be used here again; one that was renounced, unless it comes here again."""
        return self in _OVER


_OVER = frozenset(
    {
        KeyState.RETIRED,
        KeyState.SUPERSEDED,
        KeyState.TRANSFERRING,
        KeyState.RENOUNCED,
        KeyState.TRANSFERRED,
        KeyState.DESTROYED,
        KeyState.COMPROMISED,
    }
)


class CopyKind(StrEnum):
    """Where Secret Key Material can be found, each copy to be accounted for before it is destroyed (G5.13(c))."""

    MODULE = "module"
    HA_MEMBER = "ha-member"
    WRAPPED_BLOB = "wrapped-blob"
    HOST_KEY_FILE = "host-key-file"
    BACK_UP = "back-up"


class Provenance(StrEnum):
    """How a key came into its module: LOCAL, ALWAYS_SENSITIVE and NEVER_EXTRACTABLE differ by it (PKCS#11 §4.9)."""

    GENERATED = "generated"
    UNWRAPPED = "unwrapped"
    IMPORTED_TEST_KEY = "imported-test-key"


class Export(StrEnum):
    """May a key of this purpose ever leave its module? User keys never; DCC keys wrapped (G2.22G)."""

    NEVER = "never"
    WRAPPED = "wrapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A verified TLS peer (or local operator) as the caller table knows it.

    ``identity`` is what the table matched: ``uri:…`` (a SAN URI), ``sha256:…`` (a certificate) or ``local:…``.
    """

    identity: str
    party: PartyName
    system: SystemName
    kind: CallerKind
    user_roles: frozenset[UserRole]
    euis: frozenset[EntityIdentifier]
    operations: frozenset[Operation]
    keys: frozenset[KeyLabel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule or gate found. ``offset`` is empty where it passed, and of a rule ``expected`` too; ``found`` then
    says what the pass rests on: of a gate always, of a rule where that is worth a word.

    ``reason`` is the stable name of what is wrong with a piece of evidence, ``remedy`` what to do about it.
    """

    rule: RuleName
    clause: str
    passed: bool
    expected: str = ""
    found: str = ""
    offset: int | None = None
    reason: str = ""
    remedy: str = ""
