"""``python -m keybroker.ceremony.custody_process``: where a wrapping key is whole for a moment, in a process that ends.

SEC G2.44B. The process makes an RSA-3072 pair of its own, says its certificate, and answers one request a line until
its input ends. The wrapping key comes in sealed to that pair, parts come in sealed to it, and what goes out is sealed
to others: to custodians, or to the module. It says nothing on its standard error, writes no file, and opens none but
the printer that it is told. What Python can promise of its memory, and what not: ``docs/threat-model.md``.
"""

from __future__ import annotations

import os
import secrets
import signal
import stat
import sys
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import assert_never, final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import NameOID
from pydantic import TypeAdapter

from keybroker.ceremony.custody_request import (
    Answer,
    Expect,
    Guarded,
    Hello,
    Join,
    Offer,
    OfferedAs,
    Print,
    ReadBack,
    Refusing,
    Request,
    Split,
)
from keybroker.ceremony.enveloped_data import OAEP, RSA_BITS, open_envelope, seal
from keybroker.ceremony.guarded_memory import guard_memory, overwrites_memory
from keybroker.ceremony.paper_share import check_read_back, page, qr_text
from keybroker.ceremony.quorum import Quorum
from keybroker.ceremony.share import Share, check_part, encode_share, make_shares, read_share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet, make_share_set, read_share_set
from keybroker.ceremony.split_key import read_words, split
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ShareUnfit
from keybroker.hsm.wrap_mechanism import WrapMechanism

LONGEST_SECONDS = 3600
"""Whoever takes longer hands the shares in again."""
WRAPPING_KEY_OCTETS = 32
_MEMORY_DEVICES = 1
"""Their major number (Linux): the kernel's log, and what throws away what is printed, among them."""

_requests: TypeAdapter[Request] = TypeAdapter(Request)


def main() -> None:
    """A request that cannot be read ends the process without an answer: it is ours."""
    guarded = guard_memory()
    signal.alarm(LONGEST_SECONDS)
    overwritten = overwrites_memory()
    keeper = Keeper(pair=rsa.generate_private_key(65537, RSA_BITS))
    hello = Hello(certificate=keeper.certificate.hex(), guarded=Guarded(**asdict(guarded), overwritten=overwritten))
    _say(hello.model_dump_json())
    for line in sys.stdin.buffer:
        _say(answer_to(keeper, line).model_dump_json())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def answer_to(keeper: Keeper, line: bytes) -> Answer:
    """Whatever is refused is an answer, and never says what was refused."""
    try:
        return keeper.do(_requests.validate_json(line))
    except ShareUnfit as unfit:
        return Answer(refused=Refusing(sentence=unfit.sentence, flaw=unfit.flaw, places=list(unfit.places)))
    except KeybrokerError as error:
        return Answer(refused=Refusing(sentence=error.sentence))


@final
@dataclass(slots=True, kw_only=True, eq=False)
class Keeper:
    """What this process knows. Changes with each request; its repr says nothing of it."""

    pair: rsa.RSAPrivateKey = field(repr=False)
    certificate: bytes = field(init=False, repr=False)
    _share_set: ShareSet | None = field(default=None, repr=False)
    _older: tuple[ShareSet, ...] = field(default=(), repr=False)
    _offered: dict[str, Share | str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.certificate = _certificate_of(self.pair)

    def do(self, request: Request) -> Answer:
        """Raises: ShareUnfit, CmsUnfit, ConfigurationInvalid."""
        match request:
            case Split():
                return self._split(request)
            case Expect():
                self._share_set = read_share_set(bytes.fromhex(request.share_set))
                self._older = tuple(read_share_set(bytes.fromhex(each)) for each in request.older)
                self._offered = {}
                return Answer()
            case Offer():
                return self._offer(request)
            case Join():
                return self._join(request)
            case Print():
                _print(self._share_of(request.custodian), request.printer)
                return Answer()
            case ReadBack():
                check_read_back(self._opened(request.sealed).decode(), self._share_of(request.custodian))
                return Answer()
            case never:
                assert_never(never)

    def _split(self, request: Split) -> Answer:
        try:
            key = self.pair.decrypt(bytes.fromhex(request.wrapped), oaep_of(request.oaep))
        except ValueError as error:
            raise CmsUnfit("expected a wrapping key wrapped to this process, found another") from error
        if len(key) != WRAPPING_KEY_OCTETS:
            raise CmsUnfit(f"expected a wrapping key of {WRAPPING_KEY_OCTETS} octets, found {len(key)}")
        count = len(request.recipients)
        parts = split(key, threshold=request.threshold, count=count, draw=secrets.token_bytes)
        share_set = make_share_set(
            parts,
            wrapping_key=key,
            custodians=[each.custodian for each in request.recipients],
            ceremony=request.ceremony,
            key=request.key,
            purpose=request.purpose,
            public_key_sha256=request.public_key_sha256,
            generation=request.generation,
            blobs=request.blobs,
        )
        envelopes = [
            seal(encode_share(share), bytes.fromhex(recipient.certificate), secrets.token_bytes).hex()
            for share, recipient in zip(make_shares(parts, share_set), request.recipients, strict=True)
        ]
        return Answer(share_set=share_set.octets.hex(), envelopes=envelopes)

    def _offer(self, request: Offer) -> Answer:
        octets = self._opened(request.sealed)
        match request.offered_as:
            case OfferedAs.SHARE:
                offered: Share | str = read_share(octets)
            case OfferedAs.WORDS:
                offered = octets.decode(errors="replace")
            case never:
                assert_never(never)
        # Each is judged alone, so that it is named for what it is whoever handed in theirs before.
        self._quorum.offer(offered, custodian=request.custodian)
        if request.custodian in self._offered:
            raise ShareUnfit(f"{request.custodian} handed in this share before", flaw=ShareFlaw.DUPLICATE)
        self._offered[request.custodian] = offered
        words = offered.words if isinstance(offered, Share) else offered
        return Answer(index=check_part(read_words(words), self._expected).index)

    def _join(self, request: Join) -> Answer:
        def joined(quorum: Quorum, custodian: str) -> Quorum:
            return quorum.offer(self._handed_in(custodian), custodian=custodian)

        key = reduce(joined, request.custodians, self._quorum).wrapping_key()
        recipient = load_der_public_key(bytes.fromhex(request.spki))
        if not isinstance(recipient, rsa.RSAPublicKey) or recipient.key_size != RSA_BITS:
            raise ConfigurationInvalid(f"expected the RSA-{RSA_BITS} key of a module, found another")
        return Answer(wrapped=recipient.encrypt(key, oaep_of(request.oaep)).hex())

    @property
    def _expected(self) -> ShareSet:
        if self._share_set is None:
            raise ConfigurationInvalid("expected the set before any of its shares")
        return self._share_set

    @property
    def _quorum(self) -> Quorum:
        return Quorum(share_set=self._expected, older=self._older)

    def _handed_in(self, custodian: str) -> Share | str:
        try:
            return self._offered[custodian]
        except KeyError:
            raise ShareUnfit(f"{custodian} has handed in no share", flaw=ShareFlaw.TOO_FEW) from None

    def _share_of(self, custodian: str) -> Share:
        share = self._handed_in(custodian)
        if not isinstance(share, Share):
            raise ConfigurationInvalid(f"the share of {custodian} came as words: nothing is printed from it")
        return share

    def _opened(self, sealed: str) -> bytes:
        return open_envelope(bytes.fromhex(sealed), self.certificate, lambda key: self.pair.decrypt(key, OAEP))


def oaep_of(mechanism: WrapMechanism) -> padding.OAEP:
    """As the module does it: MGF1 of the same hash, no label (RFC 8017 §7.1). Raises: ConfigurationInvalid."""
    chosen: HashAlgorithm
    match mechanism:
        case WrapMechanism.RSA_OAEP_SHA1:
            # The hash of an empty label and a mask: nothing here rests on collisions (RFC 8017 §B.1).
            chosen = SHA1()  # noqa: S303
        case WrapMechanism.RSA_OAEP_SHA256:
            chosen = SHA256()
        case WrapMechanism.AES_KEY_WRAP_PAD | WrapMechanism.AES_KEY_WRAP_KWP:
            raise ConfigurationInvalid(f"expected RSA-OAEP, found {mechanism}")
        case never:
            assert_never(never)
    return padding.OAEP(mgf=padding.MGF1(algorithm=chosen), algorithm=chosen, label=None)


def _print(share: Share, printer: str) -> None:
    """Words and QR code, to something that keeps nothing. Raises: ConfigurationInvalid for a file, and without any."""
    try:
        handle = os.open(printer, os.O_WRONLY | os.O_NOCTTY)
        with os.fdopen(handle, "wb") as stream:
            mode = os.fstat(handle).st_mode
            if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
                raise ConfigurationInvalid("expected a printer (a device or a pipe), found a file: paper is not kept")
            if os.isatty(handle) or (stat.S_ISCHR(mode) and os.major(os.fstat(handle).st_rdev) == _MEMORY_DEVICES):
                raise ConfigurationInvalid("expected a printer, found a terminal or a log: nothing is shown there")
            stream.write(f"{page(share)}\n{qr_text(share)}\f".encode())
    except OSError as error:
        raise ConfigurationInvalid(f"the printer cannot be written to: {error.strerror}") from error


def _certificate_of(pair: rsa.RSAPrivateKey) -> bytes:
    """By itself, for its own short life: others seal to certificates."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "keybroker custody process")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, pair.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(seconds=LONGEST_SECONDS))
    return builder.sign(pair, SHA256()).public_bytes(Encoding.DER)


if __name__ == "__main__":
    main()
