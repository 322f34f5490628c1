"""What of a split key must stand nowhere but on paper and in envelopes? Its shares, what they are worth, and the PINs.

Words of SLIP-39 are in other texts too ("check" stands in every proof): in files two neighbours are looked for, in
memory, where the whole list of words stands, three.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from keybroker.ceremony.quorum import Quorum
from keybroker.ceremony.share import Share
from keybroker.ceremony.split_key import read_words
from keybroker.cli.dev.deployment import Deployment
from tests.ceremony.at_terminal import share_of
from tests.process_memory import spellings, spellings_of_octets

_BETWEEN = (" ", '","', '", "', "\n", "', '")
"""Typed, in the JSON of a share, on paper, in what Python says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedFor:
    """Of the shares that were given out last in a rehearsal's ``place``, and its token."""

    shares: tuple[Share, ...]
    deployment: Deployment

    @classmethod
    def in_place(cls, place: Path, custodians: Sequence[str], deployment: Deployment) -> LookedFor:
        return cls(shares=tuple(share_of(place, name) for name in custodians), deployment=deployment)

    @property
    def wrapping_key(self) -> bytes:
        """What a quorum puts together."""
        share_set = self.shares[0].share_set
        quorum = Quorum(share_set=share_set)
        for share in self.shares[: share_set.threshold]:
            quorum = quorum.offer(share, custodian=share.custodian)
        return quorum.wrapping_key()

    def values(self) -> set[bytes]:
        """Of the shares and of the key, as octets and as they may be written."""
        whole = [self.wrapping_key, *(read_words(share.words).value for share in self.shares)]
        return {spelled for value in whole for spelled in spellings_of_octets(value)}

    def neighbours(self) -> set[bytes]:
        pairs = [pair for share in self.shares for pair in pairwise(share.words)]
        return {between.join(pair).encode() for pair in pairs for between in _BETWEEN}

    def in_memory(self) -> set[bytes]:
        """Values, and the words of a quorum by three from one end to the other: a part may be overwritten already."""
        quorum = self.shares[: self.shares[0].share_set.threshold]
        triples = [share.words[at : at + 3] for share in quorum for at in range(0, len(share.words) - 2, 3)]
        return self.values() | {between.join(words).encode() for words in triples for between in _BETWEEN[:3]}

    def typed(self, custodian: str) -> set[bytes]:
        """As this custodian types them."""
        (share,) = [share for share in self.shares if share.custodian == custodian]
        return {" ".join(share.words[at : at + 3]).encode() for at in range(0, len(share.words) - 2, 3)}

    def pins(self) -> set[bytes]:
        return {spelled for pin in (self.deployment.pin, self.deployment.so_pin) for spelled in spellings(pin)}

    def told_in(self, directory: Path) -> set[Path]:
        """Every file that tells any of it."""
        looked_for = self.values() | self.neighbours() | self.pins()
        return {file for file, octets in _files(directory) if any(each in octets for each in looked_for)}


def _files(directory: Path) -> Iterator[tuple[Path, bytes]]:
    yield from ((file, file.read_bytes()) for file in sorted(directory.rglob("*")) if file.is_file())
