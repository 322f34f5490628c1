"""A key that is split, its set and its shares, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256, shake_256

from keybroker.ceremony.part import Part
from keybroker.ceremony.share import Share, make_shares
from keybroker.ceremony.share_set import ShareSet, make_share_set
from keybroker.ceremony.split_key import split

WRAPPING_KEY = sha256(b"a wrapping key").digest()
CUSTODIANS = ("ann", "bob", "cyn", "dan", "eve")


def drawing(seed: bytes) -> Callable[[int], bytes]:
    """Octets that look random, from a seed: never the same twice, always the same in every run."""
    drawn = 0

    def draw(octets: int) -> bytes:
        nonlocal drawn
        drawn += octets
        return shake_256(seed).digest(drawn)[-octets:]

    return draw


def some_parts(seed: bytes = b"one", *, key: bytes = WRAPPING_KEY, threshold: int = 3) -> tuple[Part, ...]:
    return split(key, threshold=threshold, count=len(CUSTODIANS), draw=drawing(seed))


def a_set(
    parts: Sequence[Part], *, key: bytes = WRAPPING_KEY, generation: int = 2, label: str = "recovery"
) -> ShareSet:
    return make_share_set(
        parts,
        wrapping_key=key,
        custodians=CUSTODIANS,
        ceremony="split-of-recovery",
        key=label,
        purpose="recovery-key",
        public_key_sha256=sha256(label.encode()).hexdigest(),
        generation=generation,
        blobs=[sha256(b"a blob").hexdigest()],
    )


def some_shares(seed: bytes = b"one", *, generation: int = 2, label: str = "recovery") -> tuple[Share, ...]:
    parts = some_parts(seed)
    return make_shares(parts, a_set(parts, generation=generation, label=label))


def mistyped(words: Sequence[str]) -> str:
    """One word is another of the list."""
    return " ".join((*words[:6], "academic" if words[6] != "academic" else "acid", *words[7:]))
