"""The process in which a key is split and joined: what it refuses, what it gives, and that nothing secret leaves it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.ceremony.custody_child import Custody, opened_custody
from keybroker.ceremony.custody_process import Keeper, answer_to, oaep_of
from keybroker.ceremony.custody_request import Expect, Offer, OfferedAs, Recipient, Split
from keybroker.ceremony.enveloped_data import seal
from keybroker.ceremony.guarded_memory import ENVIRONMENT
from keybroker.ceremony.share import Share, encode_share, read_share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet
from keybroker.errors import ModuleDisagrees, ModuleUnavailable, ShareUnfit
from keybroker.hsm.wrap_mechanism import WrapMechanism
from tests.ceremony.people import TestPerson
from tests.ceremony.splitting import CUSTODIANS, WRAPPING_KEY, mistyped, some_shares

SHA1, SHA256 = WrapMechanism.RSA_OAEP_SHA1, WrapMechanism.RSA_OAEP_SHA256
SHARES = some_shares()
SET = SHARES[0].share_set
OLD = some_shares(b"before", generation=1)
FOREIGN = some_shares(b"two", label="contingency")


@pytest.fixture(scope="module")
def module_pair() -> rsa.RSAPrivateKey:
    """As the module's wrapping pair, in memory."""
    return rsa.generate_private_key(65537, 3072)


@pytest.fixture(scope="module")
def running() -> Iterator[Custody]:
    with opened_custody() as custody:
        yield custody


@pytest.fixture
def custody(running: Custody) -> Custody:
    """Expects the shares of ``SET``, and has none."""
    running.expect(SET, [OLD[0].share_set])
    return running


def spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def hand_in(custody: Custody, share: Share, *, custodian: str = "") -> int:
    sealed = seal(encode_share(share), custody.certificate, secrets.token_bytes)
    return custody.offer(custodian or share.custodian, sealed, OfferedAs.SHARE)


def type_in(custody: Custody, share: Share, *, words: str = "", custodian: str = "") -> int:
    typed = words or " ".join(share.words)
    return custody.offer(custodian or share.custodian, custody.sealed(typed), OfferedAs.WORDS)


REFUSED: dict[str, tuple[Callable[[Custody], object], ShareFlaw]] = {
    "one of another key": (lambda custody: hand_in(custody, FOREIGN[0]), ShareFlaw.ANOTHER_SET),
    "the words of another key's": (lambda custody: type_in(custody, FOREIGN[0]), ShareFlaw.ANOTHER_SET),
    "one of an old generation": (lambda custody: hand_in(custody, OLD[0]), ShareFlaw.OLD_GENERATION),
    "the words of an old one": (lambda custody: type_in(custody, OLD[0]), ShareFlaw.OLD_GENERATION),
    "another custodian's": (lambda custody: hand_in(custody, SHARES[1], custodian="ann"), ShareFlaw.WRONG_CUSTODIAN),
    "another's words": (lambda custody: type_in(custody, SHARES[1], custodian="ann"), ShareFlaw.WRONG_CUSTODIAN),
    "a mistyped word": (
        lambda custody: type_in(custody, SHARES[0], words=mistyped(SHARES[0].words)),
        ShareFlaw.CHECKSUM,
    ),
    "a word of no list": (lambda custody: type_in(custody, SHARES[0], words="keybroker " * 33), ShareFlaw.WRONG_WORD),
    "a word too few": (
        lambda custody: type_in(custody, SHARES[0], words=" ".join(SHARES[0].words[1:])),
        ShareFlaw.LENGTH,
    ),
    "what is no share": (
        lambda custody: custody.offer("ann", custody.sealed("{}"), OfferedAs.SHARE),
        ShareFlaw.MALFORMED,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_names_what_is_wrong_with_a_share_and_goes_on(custody: Custody, what: str) -> None:
    offered, flaw = REFUSED[what]
    with pytest.raises(ShareUnfit) as refused:
        offered(custody)
    assert refused.value.flaw == flaw
    assert hand_in(custody, SHARES[0]) == 1


def test_refuses_the_same_share_twice_also_as_words(custody: Custody) -> None:
    hand_in(custody, SHARES[0])
    for again in (hand_in, type_in):
        with pytest.raises(ShareUnfit) as refused:
            again(custody, SHARES[0])
        assert refused.value.flaw == ShareFlaw.DUPLICATE


def test_refuses_what_is_sealed_to_another(custody: Custody) -> None:
    other = TestPerson(name="ann")
    sealed = seal(encode_share(SHARES[0]), other.receiving_certificate, secrets.token_bytes)
    with pytest.raises(ModuleDisagrees):
        custody.offer("ann", sealed, OfferedAs.SHARE)


def test_every_quorum_joins_and_every_smaller_one_does_not(custody: Custody, module_pair: rsa.RSAPrivateKey) -> None:
    for share in SHARES:
        hand_in(custody, share)
    for size in range(1, len(CUSTODIANS) + 1):
        for group in combinations(CUSTODIANS, size):
            if size == SET.threshold:
                wrapped = custody.join(group, spki(module_pair), SHA256)
                assert module_pair.decrypt(wrapped, oaep_of(SHA256)) == WRAPPING_KEY
                continue
            with pytest.raises(ShareUnfit) as refused:
                custody.join(group, spki(module_pair), SHA256)
            assert refused.value.flaw == (ShareFlaw.TOO_FEW if size < SET.threshold else ShareFlaw.TOO_MANY)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("oaep", [SHA1, SHA256])
def test_what_is_split_here_is_joined_by_every_quorum(
    running: Custody, module_pair: rsa.RSAPrivateKey, count: int, oaep: WrapMechanism
) -> None:
    key = secrets.token_bytes(32)
    people = [TestPerson(name=name) for name in CUSTODIANS[:count]]
    for threshold in range(2, count + 1):
        shared = running.share(a_split(running, key, people, threshold, oaep))
        assert [holder.custodian for holder in shared.share_set.shares] == [person.name for person in people]
        running.expect(shared.share_set)
        for person, envelope in zip(people, shared.envelopes, strict=True):
            running.offer(person.name, person.hand_over(envelope, running.certificate), OfferedAs.SHARE)
        for group in combinations([person.name for person in people], threshold):
            assert module_pair.decrypt(running.join(group, spki(module_pair), oaep), oaep_of(oaep)) == key


def a_split(custody: Custody, key: bytes, people: list[TestPerson], threshold: int, oaep: WrapMechanism) -> Split:
    """As the module wraps a key to the process."""
    recipient = x509.load_der_x509_certificate(custody.certificate).public_key()
    assert isinstance(recipient, rsa.RSAPublicKey)
    return Split(
        wrapped=recipient.encrypt(key, oaep_of(oaep)).hex(),
        oaep=oaep,
        threshold=threshold,
        recipients=[Recipient(custodian=each.name, certificate=each.receiving_certificate.hex()) for each in people],
        ceremony="split-1",
        key="recovery",
        purpose="recovery-command",
        public_key_sha256=sha256(b"public").hexdigest(),
        generation=1,
        blobs=[sha256(b"blob").hexdigest()],
    )


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (0, 3), (4, 3)])
def test_refuses_a_quorum_that_is_none(running: Custody, threshold: int, count: int) -> None:
    people = [TestPerson(name=name) for name in CUSTODIANS[:count]]
    with pytest.raises(ShareUnfit) as refused:
        running.share(a_split(running, secrets.token_bytes(32), people, threshold, SHA256))
    assert refused.value.flaw == ShareFlaw.QUORUM


def test_refuses_to_split_what_is_no_wrapping_key(running: Custody) -> None:
    people = [TestPerson(name=name) for name in CUSTODIANS]
    with pytest.raises(ModuleDisagrees):
        running.share(a_split(running, secrets.token_bytes(16), people, 2, SHA256))
    good = a_split(running, secrets.token_bytes(32), people, 2, SHA256)
    with pytest.raises(ModuleDisagrees):
        running.share(good.model_copy(update={"wrapped": "00" * 384}))


def test_answers_hold_nothing_of_a_share() -> None:
    keeper = Keeper(pair=rsa.generate_private_key(65537, 3072))
    answer_to(keeper, Expect(share_set=SET.octets.hex()).model_dump_json().encode())
    told = repr(keeper)
    for octets, as_what in (
        (encode_share(SHARES[0]), OfferedAs.SHARE),
        (" ".join(SHARES[1].words).encode(), OfferedAs.WORDS),
        (mistyped(SHARES[2].words).encode(), OfferedAs.WORDS),
    ):
        sealed = seal(octets, keeper.certificate, secrets.token_bytes).hex()
        offer = Offer(custodian="ann", offered_as=as_what, sealed=sealed)
        told += answer_to(keeper, offer.model_dump_json().encode()).model_dump_json() + repr(keeper)
    # Words of SLIP-39 stand in sentences too: two in a row are looked for.
    assert not [pair for share in SHARES[:3] for pair in pairwise(share.words) if " ".join(pair) in told]
    assert not [pair for share in SHARES[:3] for pair in pairwise(share.words) if repr(pair)[1:-1] in told]


def test_guards_its_memory_and_tells_how(running: Custody) -> None:
    assert running.guarded.undumpable
    assert running.guarded.no_core
    assert running.guarded.overwritten


def test_one_that_was_killed_has_ended_and_nothing_is_left(module_pair: rsa.RSAPrivateKey) -> None:
    with opened_custody() as custody:
        custody.expect(SET)
        hand_in(custody, SHARES[0])
        os.kill(custody._process.pid, signal.SIGKILL)
        with pytest.raises(ModuleUnavailable):
            custody.join(["ann"], spki(module_pair), SHA256)


def test_it_ends_with_the_ceremony() -> None:
    with opened_custody() as custody:
        process = custody._process
    assert process.returncode == 0


@pytest.mark.parametrize(("environment", "overwrites"), [(ENVIRONMENT, True), ({"PYTHONMALLOC": "malloc"}, False)])
def test_memory_that_is_given_back_is_overwritten_in_its_environment_alone(
    environment: dict[str, str], overwrites: bool
) -> None:
    """With this Python and this C library; the process looks for itself, and tells."""
    program = "from keybroker.ceremony.guarded_memory import overwrites_memory as look; print(look())"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert done.stdout.split() == [str(overwrites)]


def test_refuses_to_print_to_a_file_and_to_nothing(custody: Custody, tmp_path: Path) -> None:
    hand_in(custody, SHARES[0])
    (tmp_path / "file").touch()
    for printer in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(ModuleDisagrees):
            custody.print_share("ann", str(printer))
    assert (tmp_path / "file").read_bytes() == b""


def test_refuses_to_print_what_was_typed_or_not_handed_in(custody: Custody, tmp_path: Path) -> None:
    type_in(custody, SHARES[0])
    with pytest.raises(ModuleDisagrees):
        custody.print_share("ann", str(tmp_path))
    with pytest.raises(ShareUnfit):
        custody.print_share("bob", str(tmp_path))


def test_prints_words_that_are_read_back(custody: Custody, tmp_path: Path) -> None:
    printer, paper = tmp_path / "printer", list[bytes]()
    os.mkfifo(printer)
    reader = threading.Thread(target=lambda: paper.append(printer.read_bytes()))
    reader.start()
    hand_in(custody, SHARES[0])
    custody.print_share("ann", str(printer))
    reader.join()
    page = paper[0].decode()
    assert all(word in page for word in SHARES[0].words)
    custody.check_read_back("ann", " ".join(word[:4] for word in SHARES[0].words))
    with pytest.raises(ShareUnfit) as refused:
        custody.check_read_back("ann", mistyped(SHARES[0].words))
    assert refused.value.places == (7,)


def test_the_share_in_an_envelope_is_the_custodians_own_document(running: Custody) -> None:
    """What ``keybroker custodian check`` reads too."""
    people = [TestPerson(name=name) for name in CUSTODIANS[:3]]
    shared = running.share(a_split(running, secrets.token_bytes(32), people, 2, SHA256))
    share = read_share(people[1].open(shared.envelopes[1]))
    assert (share.custodian, share.index) == ("bob", 2)
    assert isinstance(share.share_set, ShareSet)
    assert share.set_sha256 == shared.share_set.sha256
