"""A share on paper: it fits, says what it is one of, and what is typed from it is the share or refused by number."""

from __future__ import annotations

import pytest
import segno

from keybroker.ceremony.paper_share import COLUMNS, LINES, check_read_back, page, qr_svg, qr_text, read_back
from keybroker.ceremony.part import words
from keybroker.ceremony.share import Share, make_shares
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import make_share_set
from keybroker.ceremony.split_key import split
from keybroker.errors import ShareUnfit
from tests.ceremony.splitting import WRAPPING_KEY, drawing, some_shares

SHARE = some_shares()[1]
SAID = SHARE.words
TYPED = " ".join(SAID)


def the_widest() -> Share:
    """Every name as long as it may be, as many shares as there may be."""
    parts = split(WRAPPING_KEY, threshold=16, count=16, draw=drawing(b"wide"))
    share_set = make_share_set(
        parts,
        wrapping_key=WRAPPING_KEY,
        custodians=[f"{'c' * 61}{place:02}" for place in range(16)],
        ceremony="c" * 63,
        key="k" * 63,
        purpose="p" * 63,
        public_key_sha256="00" * 32,
        generation=1_000_000,
        blobs=["00" * 32],
    )
    return make_shares(parts, share_set)[15]


def numbered_words(share: Share) -> str:
    """The words as they stand on the page, with their numbers."""
    return page(share).split("-" * COLUMNS)[1]


@pytest.mark.parametrize(
    ("flaw", "places", "typed"),
    [
        (ShareFlaw.LENGTH, (), ""),
        (ShareFlaw.LENGTH, (), " ".join(SAID[1:])),
        (ShareFlaw.LENGTH, (), TYPED + " zero"),
        (ShareFlaw.WRONG_WORD, (1,), "wxyz " + " ".join(SAID[1:])),
        (ShareFlaw.WRONG_WORD, (1, 33), " ".join(["wxyz", *SAID[1:32], "wxyz"])),
        (ShareFlaw.WRONG_WORD, (2,), " ".join([SAID[0], SAID[1][:3], *SAID[2:]])),
        (ShareFlaw.WRONG_WORD, (2,), " ".join([SAID[0], SAID[1] + "s", *SAID[2:]])),
        (ShareFlaw.WRONG_WORD, (5, 6), " ".join([*SAID[:4], SAID[5], SAID[4], *SAID[6:]])),
        (ShareFlaw.WRONG_WORD, (3,), f"1 {SAID[0]} 2. {SAID[1]} 4 {' '.join(SAID[2:])}"),
    ],
)
def test_what_is_typed_otherwise_is_refused_by_number(flaw: ShareFlaw, places: tuple[int, ...], typed: str) -> None:
    with pytest.raises(ShareUnfit) as refused:
        check_read_back(typed, SHARE)
    assert (refused.value.flaw, refused.value.places) == (flaw, places)
    assert not set(SAID) & set(refused.value.sentence.split())


def test_the_share_of_another_custodian_is_not_read_back_as_this_one() -> None:
    with pytest.raises(ShareUnfit):
        check_read_back(" ".join(some_shares()[2].words), SHARE)


@pytest.mark.parametrize("typed", ["9" * 5000, "33 " * 40, "¹ academic"])
def test_numbers_that_mean_nothing_are_refused(typed: str) -> None:
    with pytest.raises(ShareUnfit):
        read_back(typed)


@pytest.mark.parametrize(
    "typed",
    [
        TYPED,
        TYPED.upper(),
        "\n".join(word[:4] for word in SAID),
        numbered_words(SHARE),
        " ".join(f"{place}. {word}" for place, word in enumerate(SAID, 1)),
        " ".join(f"{place:02}) {word}" for place, word in enumerate(SAID, 1)),
    ],
)
def test_words_are_read_back_from_what_was_typed(typed: str) -> None:
    assert read_back(typed) == SAID
    check_read_back(typed, SHARE)


@pytest.mark.parametrize("share", [SHARE, the_widest()], ids=["one", "the widest"])
def test_a_page_fits_a_plain_printer_and_says_what_the_share_is_one_of(share: Share) -> None:
    lines = page(share).splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    assert page(share).isascii()
    kept = share.share_set
    for told in (kept.key, kept.purpose, kept.ceremony, share.custodian, str(kept.generation), kept.sha256.hex()):
        assert any(line.endswith(f" {told}") for line in lines[:8])
    assert f"KEY SHARE {share.index} OF {kept.count}" in lines[0]
    assert read_back(numbered_words(share)) == share.words


def test_the_qr_code_is_that_of_the_words_in_capitals() -> None:
    code = segno.make_qr(TYPED.upper(), error="m", boost_error=False)
    assert code.mode == "alphanumeric"
    upper, lower = {"█": 1, "▀": 1, "▄": 0, " ": 0}, {"█": 1, "▀": 0, "▄": 1, " ": 0}
    rows = [[half[each] for each in line] for line in qr_text(SHARE).splitlines() for half in (upper, lower)]
    drawn = [[1 if module else 0 for module in row] for row in code.matrix_iter(border=4)]
    assert rows[: len(drawn)] == drawn
    assert not any(module for row in rows[len(drawn) :] for module in row)


def test_the_longest_words_make_a_qr_code_that_fits_a_page() -> None:
    longest = segno.make_qr(" ".join(["academic"] * 33).upper(), error="m", boost_error=False)
    assert longest.symbol_size(border=4)[0] <= COLUMNS
    lines = qr_text(SHARE).splitlines()
    assert len(lines) <= 33
    assert max(map(len, lines)) <= 65


def test_the_qr_code_is_an_svg_element_that_holds_no_text() -> None:
    drawn = qr_svg(SHARE)
    assert drawn.startswith("<svg ")
    assert drawn.rstrip().endswith("</svg>")
    assert not {"<text", "<title", "<desc"} & set(drawn.replace(">", " ").split())
    assert not any(TYPED in text for text in (drawn, drawn.lower()))


def test_shorter_keys_are_on_paper_too() -> None:
    parts = split(bytes(16), threshold=2, count=2, draw=drawing(b"short"))
    assert len(read_back(" ".join(words(parts[0])))) == 20
