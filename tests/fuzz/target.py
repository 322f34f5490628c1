"""What is asked of a decoder, whatever octets come? A value, or its one refusal; and written again, the same octets.

The time and memory of one input are bounded by whoever calls: the fuzzer, and the test of the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from keybroker.content.contents import Content
from keybroker.content.decoding import decode
from keybroker.content.model import Accompanying
from keybroker.errors import ContentMalformed
from keybroker.terms import AccompanyingKind, ContentKind

LONGEST_OCTETS = 1 << 16
"""Of one input: as ``limits.message_octets`` is."""

KINDS = tuple(AccompanyingKind)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``read`` is given the octets; ``again``, where it has one, writes what was read."""

    read: Callable[[bytes], Any]
    refusals: tuple[type[Exception], ...]
    again: Callable[[Any], bytes | None] | None = None

    def try_with(self, octets: bytes) -> bool:
        """Was it read? Raises whatever a decoder must not raise; AssertionError where it reads differently written."""
        try:
            value = self.read(octets)
        except self.refusals as refusal:
            str(refusal)
            return False
        written = octets if self.again is None else self.again(value)
        if written is not None and written != octets:
            raise AssertionError(f"read as a value that is written {written!r}")
        return True


def content_target(kind: ContentKind, again: Callable[[Content], bytes | None] | None = None) -> Target:
    """A decoder of what may come with things beside it."""

    def read(octets: bytes) -> tuple[Content, bytes]:
        accompanying, whole = beside(octets)
        content = decode(kind, whole, accompanying)
        assert content.octets == whole
        return content, whole

    def unchanged(value: tuple[Content, bytes]) -> bytes | None:
        content, whole = value
        written = None if again is None else again(content)
        assert written in (None, whole), f"read as what is written {written!r}"
        return None

    return Target(read=read, refusals=(ContentMalformed,), again=unchanged)


def beside(octets: bytes) -> tuple[tuple[Accompanying, ...], bytes]:
    """How one input holds octets and what comes beside them: a count, each as kind, length (2 octets) and octets."""
    count, rest = octets[:1], octets[1:]
    found = []
    for _ in range(count[0] % 4 if count else 0):
        kind, length = rest[:1], int.from_bytes(rest[1:3], "big")
        found.append(Accompanying(kind=KINDS[(kind or b"\0")[0] % len(KINDS)], octets=rest[3 : 3 + length]))
        rest = rest[3 + length :]
    return tuple(found), rest


def with_beside(octets: bytes, accompanying: tuple[Accompanying, ...] = ()) -> bytes:
    """The input that ``beside`` takes apart."""
    parts = [
        bytes([KINDS.index(each.kind)]) + len(each.octets).to_bytes(2, "big") + each.octets for each in accompanying
    ]
    return bytes([len(parts)]) + b"".join(parts) + octets


Targets = Mapping[str, Target]
