"""What does a customer type into a meter? The UTRN: the 19 digits of a PPTD and one check digit.

GBCS section 14.8, a modified Verhoeff check: digits are elements of the dihedral group D5; each is permuted once more
than the one before it, the first one four times, and the product of all twenty is the identity. Reproduces the UTRNs
that the DCC published with its tools.
"""

from __future__ import annotations

_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""The Verhoeff permutation, applied once; it is of order eight."""
_ORDER = 8
_FIRST = 4
_IDENTITY = 0


def utrn(pptd: str) -> str:
    """The 20 digits. Raises: ValueError when ``pptd`` is not 19 decimal digits."""
    if len(pptd) != 19 or not (pptd.isascii() and pptd.isdigit()):
        raise ValueError(f"a PPTD has 19 decimal digits, found {len(pptd)} characters")
    return next(pptd + digit for digit in "0123456789" if is_utrn(pptd + digit))


def is_utrn(digits: str) -> bool:
    """Is the last digit the right one? Raises: ValueError when there is something other than decimal digits."""
    product = _IDENTITY
    for place, digit in enumerate(digits):
        product = _multiplied(product, _permuted(int(digit), times=_FIRST + place))
    return product == _IDENTITY


def _permuted(digit: int, *, times: int) -> int:
    for _ in range(times % _ORDER):
        digit = _PERMUTED[digit]
    return digit


def _multiplied(left: int, right: int) -> int:
    """D5: 0 to 4 are rotations, 5 to 9 reflections."""
    if left < 5:
        return (left + right) % 5 + (5 if right >= 5 else 0)
    return (left - right) % 5 + (0 if right >= 5 else 5)
