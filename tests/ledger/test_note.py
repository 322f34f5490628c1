"""Signed notes: the specification's examples and others' notes verify; anything else is refused, octet by octet."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keybroker.errors import ContentMalformed, NoteUnfit
from keybroker.ledger.note import (
    MOST_SIGNATURES,
    Note,
    NoteSignature,
    read_note,
    read_signature_lines,
    write_note,
)
from keybroker.ledger.note_keys import (
    CosignatureKey,
    EcdsaNoteKey,
    Ed25519NoteKey,
    NoteKey,
    check_signed,
    cosigned_message,
    read_vkey,
    write_vkey,
)

# C2SP signed-note, section Verifier keys, Example.
EXAMPLE_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

# C2SP signed-note (its head, a text with an empty line), tlog-cosignature and tlog-witness.
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

# Published logs whose notes are of type 0x02: github.com/transparency-dev/formats, note/note_verifier_test.go.
REKOR_VKEY = (
    "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l"
    "+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="
)
REKOR = (
    "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n— rekor.sigstore.dev "
    "wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+GKVClgqq20uDLet7MCoTURUCRdxwWBHHufk=\n"
).encode()
PIXEL_VKEY = (
    "pixel6_transparency_log+91c16e30+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN+4x0Jk1yTwvLFI9A4NDdGZcX0aiWVdWM5XJVy0M4VW"
    "D3AvyW5Q6Hs9A0mcDkpUoYgn+KKPNzFC0H3nN3q6JQ8="
)
PIXEL = (
    "DEFAULT\n10\nbsWRucJU5xJPHb5eBdOm6+DM+VelCZBuvtI3sHERJ9Y=\n\n— pixel6_transparency_log "
    "kcFuMDBFAiEAhqMAP8P6qf6QxtUJhzMhbN+MbZ9dwfUHzGQJmffJHtoCIGD0cNe47dHWBoPwYdgBCepB06/+g5O1FmYjXl06owL4\n"
).encode()

LINE = "— a AAAAAAA=\n".encode()
REFUSED_NOTES = [
    ("nothing at all", b""),
    ("no empty line", b"text\n" + LINE),
    ("no signature", b"text\n\n"),
    ("no text", b"\n" + LINE),
    ("no last line end", b"text\n\n" + LINE[:-1]),
    ("an empty line behind the signatures", b"text\n\n" + LINE + b"\n"),
    ("text behind the signatures", b"text\n\n" + LINE + b"more\n"),
    ("a hyphen in place of the dash", b"text\n\n- a AAAAAAA=\n"),
    ("no key name", "text\n\n—  AAAAAAA=\n".encode()),
    ("a key name with a plus", "text\n\n— a+b AAAAAAA=\n".encode()),
    ("a key name with a space", "text\n\n— a b AAAAAAA=\n".encode()),
    ("a key name with a no-break space", "text\n\n— a\u00a0b AAAAAAA=\n".encode()),
    ("a key name with U+2028", "text\n\n— a\u2028b AAAAAAA=\n".encode()),
    ("no base64", "text\n\n— a\n".encode()),
    ("a key id alone", "text\n\n— a AAAAAA==\n".encode()),
    ("base64 without padding", "text\n\n— a AAAAAAA\n".encode()),
    ("base64 with other last bits", "text\n\n— a AAAAAAB=\n".encode()),
    ("URL-safe base64", "text\n\n— a AAAAAA-_\n".encode()),
    ("base64 with a letter that is not ASCII", "text\n\n— a AAAAAAÄ=\n".encode()),
    ("carriage returns", b"text\r\n\r\n" + LINE),
    ("a tab in the text", b"te\txt\n\n" + LINE),
    ("a zero octet", b"te\x00xt\n\n" + LINE),
    ("text that is no UTF-8", b"te\xffxt\n\n" + LINE),
    ("too many signatures", b"text\n\n" + LINE * (MOST_SIGNATURES + 1)),
]

REFUSED_VKEYS = [
    ("a control character in the name", EXAMPLE_VKEY.replace("foo", "f\x1b")),
    ("nothing at all", ""),
    ("two parts", "example.com/foo+530d903a"),
    ("no name", EXAMPLE_VKEY.removeprefix("example.com/foo")),
    ("a space in the name", EXAMPLE_VKEY.replace("/", " ")),
    ("another name", EXAMPLE_VKEY.replace("foo", "bar")),
    ("another key id", EXAMPLE_VKEY.replace("530d903a", "530d903b")),
    ("a key id in capitals", EXAMPLE_VKEY.replace("530d903a", "530D903A")),
    ("no base64", EXAMPLE_VKEY[:-1] + "!"),
    ("a type that is not assigned", "a+00000000+" + b64encode(b"\x03" + bytes(32)).decode()),
    ("no type", "a+00000000+"),
    ("an Ed25519 key of 31 octets", "a+00000000+" + b64encode(b"\x01" + bytes(31)).decode()),
    ("a point that is not on P-256", REKOR_VKEY[:-4] + "XLc="),
    ("a lone surrogate in the name", EXAMPLE_VKEY.replace("foo", "f\udcff")),
]

SIGNER = ec.derive_private_key(7, ec.SECP256R1())
POINT = SIGNER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
LOG_KEY = EcdsaNoteKey(name="keybroker.example/ledger", point=POINT)
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS_PUBLIC = WITNESS.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
WITNESS_KEY = CosignatureKey(name="witness.example/w1", public_key=WITNESS_PUBLIC)
BODY = b"keybroker.example/ledger\n2\n" + b64encode(bytes(32)) + b"\n"
AT = 1_700_000_000


def test_the_note_of_these_tests_verifies_under_both_keys() -> None:
    note = read_note(write_note(_signed()))
    check_signed(note, LOG_KEY)
    assert WITNESS_KEY.cosigned_at(note) == AT


@pytest.mark.parametrize("octets", [row[1] for row in REFUSED_NOTES], ids=[row[0] for row in REFUSED_NOTES])
def test_refuses_a_note_with(octets: bytes) -> None:
    with pytest.raises(ContentMalformed) as caught:
        read_note(octets)
    assert 0 <= caught.value.offset <= len(octets)


@pytest.mark.parametrize("text", [row[1] for row in REFUSED_VKEYS], ids=[row[0] for row in REFUSED_VKEYS])
def test_refuses_a_verifier_key_with(text: str) -> None:
    with pytest.raises(ContentMalformed):
        read_vkey(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_refuses_to_write_a_note_that_would_not_read_back(name: str) -> None:
    with pytest.raises(ContentMalformed):
        write_note(Note(body=BODY, signatures=(NoteSignature(name=name, key_id=bytes(4), signature=b"s"),)))


@pytest.mark.parametrize("body", [b"", b"text", b"te\rxt\n"])
def test_refuses_to_write_a_text_that_would_not_read_back(body: bytes) -> None:
    with pytest.raises(ContentMalformed):
        write_note(Note(body=body, signatures=_signed().signatures))


def test_refuses_a_note_without_signature_of_the_key() -> None:
    stranger = EcdsaNoteKey(name=LOG_KEY.name, point=_point_of(8))
    with pytest.raises(NoteUnfit, match="expected one"):
        check_signed(_signed(), stranger)
    with pytest.raises(NoteUnfit, match="expected one"):
        check_signed(_signed(), EcdsaNoteKey(name="another", point=POINT))


def test_refuses_a_note_of_which_one_signature_of_the_key_verifies_and_another_does_not() -> None:
    (good, *_) = _signed().signatures
    bad = NoteSignature(name=good.name, key_id=good.key_id, signature=good.signature[:-1] + b"\x00")
    with pytest.raises(NoteUnfit, match="does not verify"):
        check_signed(Note(body=BODY, signatures=(good, bad)), LOG_KEY)


def test_refuses_a_signature_in_another_encoding_than_its_one() -> None:
    (good, *_) = _signed().signatures
    longer = b"\x30\x81" + good.signature[1:]
    with pytest.raises(NoteUnfit):
        LOG_KEY.verify(BODY, longer)


@pytest.mark.parametrize("timestamp", [0, 2**63, 2**64 - 1])
def test_refuses_a_cosignature_whose_time_may_not_be(timestamp: int) -> None:
    line = WITNESS_KEY.signature(timestamp, WITNESS.sign(cosigned_message(BODY, timestamp)))
    with pytest.raises(NoteUnfit):
        WITNESS_KEY.verify(BODY, line.signature)


def test_refuses_a_witnesss_signature_of_the_text_without_its_time() -> None:
    line = WITNESS_KEY.signature(AT, WITNESS.sign(BODY))
    with pytest.raises(NoteUnfit):
        WITNESS_KEY.verify(BODY, line.signature)


def test_refuses_truncation_of_a_note_at_every_length() -> None:
    octets = write_note(_signed())
    for length in range(len(octets)):
        with pytest.raises((ContentMalformed, NoteUnfit)):
            _check_whole(octets[:length])


def test_refuses_every_note_of_which_one_octet_is_another() -> None:
    """Three other values of each octet: no change to text, names, ids or signatures passes both keys."""
    octets = write_note(_signed())
    for offset in range(len(octets)):
        for change in (0x01, 0x20, 0x80):
            changed = octets[:offset] + bytes([octets[offset] ^ change]) + octets[offset + 1 :]
            with pytest.raises((ContentMalformed, NoteUnfit)):
                _check_whole(changed)


@pytest.mark.parametrize("octets", [EXAMPLE, POEM, COSIGNED, REKOR, PIXEL])
def test_published_notes_are_read_and_written_again_the_same(octets: bytes) -> None:
    assert write_note(read_note(octets)) == octets


@pytest.mark.parametrize(
    ("vkey", "octets"),
    [(EXAMPLE_VKEY, EXAMPLE), (REKOR_VKEY, REKOR), (PIXEL_VKEY, PIXEL)],
    ids=["C2SP", "Rekor", "Pixel"],
)
def test_published_notes_verify_under_their_published_keys(vkey: str, octets: bytes) -> None:
    key = read_vkey(vkey)
    check_signed(read_note(octets), key)
    assert write_vkey(key) == vkey


def test_the_text_ends_at_the_last_empty_line() -> None:
    assert read_note(POEM).body.endswith("sole:\n\ned è subito sera.\n".encode())


def test_unknown_signatures_do_not_matter() -> None:
    strange = NoteSignature(name=LOG_KEY.name, key_id=b"\0\0\0\1", signature=b"nobody's")
    check_signed(Note(body=BODY, signatures=(strange, *_signed().signatures)), LOG_KEY)


def test_a_cosignature_tells_its_time_and_the_latest_counts() -> None:
    later = WITNESS_KEY.signature(AT + 9, WITNESS.sign(cosigned_message(BODY, AT + 9)))
    assert WITNESS_KEY.cosigned_at(Note(body=BODY, signatures=(later, *_signed().signatures))) == AT + 9


def test_what_a_witness_signs_is_what_the_specification_shows() -> None:
    note = read_note(COSIGNED)
    assert cosigned_message(note.body, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + note.body
    assert note.signatures[1].signature[:8] == (1679315147).to_bytes(8, "big")


def test_one_key_has_another_id_as_witness_than_as_signer() -> None:
    signer = Ed25519NoteKey(name=WITNESS_KEY.name, public_key=WITNESS_PUBLIC)
    assert signer.key_id != WITNESS_KEY.key_id


@given(
    st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.just("\n"), max_size=40).map(lambda t: t + "\n"),
    st.lists(
        st.tuples(st.from_regex(r"[a-z0-9./é-]{1,12}", fullmatch=True), st.binary(min_size=5, max_size=90)),
        min_size=1,
        max_size=5,
    ),
)
def test_every_note_that_can_be_written_is_read_back(text: str, lines: list[tuple[str, bytes]]) -> None:
    signatures = tuple(NoteSignature(name=name, key_id=octets[:4], signature=octets[4:]) for name, octets in lines)
    note = Note(body=text.encode(), signatures=signatures)
    assert read_note(write_note(note)) == note
    assert read_signature_lines(b"".join(each.line for each in signatures)) == signatures


@given(st.binary(max_size=120) | st.text(alphabet="— a+=\nA\u00a0", max_size=60).map(str.encode))
def test_whatever_is_read_is_written_again_the_same(octets: bytes) -> None:
    try:
        note = read_note(octets)
    except ContentMalformed:
        return
    assert write_note(note) == octets


@given(st.text(max_size=60))
def test_reading_a_verifier_key_refuses_or_returns(text: str) -> None:
    try:
        key: NoteKey = read_vkey(text)
    except ContentMalformed:
        return
    assert write_vkey(key) == text


def _signed() -> Note:
    r, s = decode_dss_signature(SIGNER.sign(BODY, ec.ECDSA(SHA256())))
    mine = LOG_KEY.signature(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert mine.signature == encode_dss_signature(r, s)
    return Note(body=BODY, signatures=(mine, WITNESS_KEY.signature(AT, WITNESS.sign(cosigned_message(BODY, AT)))))


def _check_whole(octets: bytes) -> None:
    """As a client does that demands the ledger's signature and a witness's."""
    note = read_note(octets)
    check_signed(note, LOG_KEY)
    check_signed(note, WITNESS_KEY)


def _point_of(scalar: int) -> bytes:
    key = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
