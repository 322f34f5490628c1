"""How is a digest read aloud? As words of the PGP word list, so that two people compare by ear what is long in hex.

Octets at even offsets have two syllables, those at odd offsets three: a word left out, said twice or interchanged is
heard. A SHA-256 has 32 words, and no share has so many: a digest is not taken for one.
"""

from __future__ import annotations

from importlib.resources import files

_LIST = files("keybroker.ceremony").joinpath("pgp_words.txt").read_text(encoding="ascii")
_WORDS = tuple(tuple(line.split()) for line in _LIST.splitlines() if not line.startswith("#"))
_LONGEST = max(len(word) for pair in _WORDS for word in pair)


def digest_words(digest: bytes) -> tuple[str, ...]:
    """One word an octet."""
    return tuple(_WORDS[octet][offset % 2] for offset, octet in enumerate(digest))


def rows(digest: bytes, columns: int = 4) -> tuple[str, ...]:
    """The same as lines, each of so many words one below the other; four fit in 50 columns. An even number keeps the
    words of two syllables in the same columns.
    """
    said = [word.ljust(_LONGEST) for word in digest_words(digest)]
    return tuple("  ".join(said[start : start + columns]).rstrip() for start in range(0, len(said), columns))
