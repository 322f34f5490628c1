"""How does a share look on paper, and is what was typed from it the share? Values in, text out; nothing is kept here.

A page of at most 78 columns and 22 lines for a plain printer, and a QR code of the words in capitals (any reader gives
them back as they are typed). Who reads it back does so in the same step in which it was printed.
"""

from __future__ import annotations

import hmac
from itertools import zip_longest

import segno

from keybroker.ceremony.part import TOLD_BY, read_words, told, words
from keybroker.ceremony.share import Share
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.errors import ShareUnfit

COLUMNS, LINES = 78, 22
"""The most that a page has."""

_ACROSS = 4
_LONGEST_WORD = 8
_QUIET = 4
"""Modules of white around a QR code (ISO/IEC 18004)."""
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
"""Two modules, one above the other, in one character as high as two are wide."""


def page(share: Share) -> str:
    """The share, and what it is one of. Secret."""
    kept = share.share_set
    lines = [
        f"KEY SHARE {share.index} OF {kept.count}: any {kept.threshold} of them give the key back".upper(),
        "=" * COLUMNS,
        f"key          {kept.key}",
        f"purpose      {kept.purpose}",
        f"generation   {kept.generation}",
        f"ceremony     {kept.ceremony}",
        f"custodian    {share.custodian}",
        f"set SHA-256  {kept.sha256.hex()}",
        "-" * COLUMNS,
        *_numbered(share.words),
        "-" * COLUMNS,
        f"Numbers go from left to right. The first {TOLD_BY} letters of each word are enough.",
        "Show it to nobody. Lost or seen by another: tell the ceremony administrator.",
    ]
    return "".join(f"{line}\n" for line in lines)


def qr_text(share: Share) -> str:
    """The QR code as block characters, dark where ink is: at most 65 columns and 33 lines. Secret."""
    modules = [list(row) for row in _qr(share).matrix_iter(border=_QUIET)]
    pairs = zip_longest(modules[::2], modules[1::2], fillvalue=[0] * len(modules[0]))
    rows = (
        "".join(_HALVES[1 if above else 0, 1 if below else 0] for above, below in zip(*pair, strict=True))
        for pair in pairs
    )
    return "".join(f"{row}\n" for row in rows)


def qr_svg(share: Share) -> str:
    """The same as an SVG element, for a page of HTML. Secret."""
    return _qr(share).svg_inline(scale=4, border=_QUIET, light="#fff")


def read_back(text: str) -> tuple[str, ...]:
    """Whole words from what was typed or scanned, with the page's numbers or without.

    Raises: ShareUnfit as ``read_words`` does.
    """
    return words(read_words(_without_numbers(text)))


def check_read_back(text: str, share: Share) -> None:
    """What was typed from the paper is the share. Raises: ShareUnfit with LENGTH, or WRONG_WORD and the numbers."""
    typed = _without_numbers(text)
    if len(typed) != len(share.words):
        raise ShareUnfit(f"expected {len(share.words)} words, found {len(typed)}", flaw=ShareFlaw.LENGTH)
    pairs = zip(typed, share.words, strict=True)
    wrong = tuple(place for place, (found, word) in enumerate(pairs, 1) if not _is_short_for(found, word))
    if wrong:
        raise ShareUnfit(f"not as it is printed: word {told(wrong)}", flaw=ShareFlaw.WRONG_WORD, places=wrong)


def _numbered(said: tuple[str, ...]) -> list[str]:
    """Across and then down, so that whoever copies line by line keeps their order."""
    cells = [f"{place:>3} {word:<{_LONGEST_WORD}}" for place, word in enumerate(said, 1)]
    return ["       ".join(cells[start : start + _ACROSS]).rstrip() for start in range(0, len(cells), _ACROSS)]


def _qr(share: Share) -> segno.QRCode:
    # Capitals and spaces alone are written in the shortest mode there is.
    return segno.make_qr(" ".join(share.words).upper(), error="m", boost_error=False)


def _without_numbers(text: str) -> list[str]:
    """Raises: ShareUnfit with WRONG_WORD where a number is not that of the word that follows."""
    typed: list[str] = []
    for each in text.split():
        number = each.rstrip(".):")
        if not number.isdecimal():
            typed.append(each)
        elif number.lstrip("0") != str(len(typed) + 1):
            place = len(typed) + 1
            raise ShareUnfit(f"expected word {place}, found another number", flaw=ShareFlaw.WRONG_WORD, places=(place,))
    return typed


def _is_short_for(found: str, word: str) -> bool:
    typed = found.lower().encode()
    return len(typed) >= TOLD_BY and hmac.compare_digest(word.encode()[: len(typed)], typed)
