"""Are enough of them here? Shares one at a time, in any order, and the wrapping key only when the quorum is full. Pure.

SEC G2.44B. Says which are present and how many more, never what they hold. Every way in which a share can be the wrong
one has its own flaw; what is combined is the key that was split, or nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from keybroker.ceremony.part import Part, read_words
from keybroker.ceremony.share import Share, another_set, check_part, old_generation, wrong_custodian
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet, check_value_of
from keybroker.ceremony.split_key import combine
from keybroker.errors import ShareUnfit


def what_stands(proven: int, threshold: int) -> str:
    """What so many proven shares are worth, where ``threshold`` give the key back. Said to people."""
    if proven > threshold:
        return "fine: one more share than are needed, at least, is proven"
    if proven == threshold:
        return "reshare now: exactly as many shares as are needed are proven, and one more lost loses the key"
    return "the key is lost: fewer shares than are needed are proven; make another key"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quorum:
    """Those who handed in their share so far. ``older`` are the sets that this key was split into before: theirs are
    known by it even as mere words.
    """

    share_set: ShareSet
    older: tuple[ShareSet, ...] = ()
    _parts: tuple[Part, ...] = field(default=(), repr=False)

    def offer(self, offered: str | Iterable[str] | Share, *, custodian: str) -> Quorum:
        """With one share more. ``custodian`` is who stands there and hands it in.

        Raises: ShareUnfit with TOO_MANY, ANOTHER_SET, OLD_GENERATION, CHECK_DIFFERS, WRONG_CUSTODIAN, DUPLICATE, or as
        ``read_words`` does; the quorum stands as it was.
        """
        if not self.missing:
            raise ShareUnfit("the quorum is full: keep this share to yourself", flaw=ShareFlaw.TOO_MANY)
        if isinstance(offered, Share):
            self._check_set(offered.share_set)
        part = read_words(offered.words if isinstance(offered, Share) else offered)
        holder = check_part(part, self.share_set, older=self.older)
        if holder.custodian != custodian:
            raise wrong_custodian(holder, custodian)
        if holder.index in self.present:
            raise ShareUnfit(f"share {holder.index} was handed in before", flaw=ShareFlaw.DUPLICATE)
        return replace(self, _parts=(*self._parts, part))

    @property
    def present(self) -> tuple[int, ...]:
        """The indexes of the shares, from 1, in order."""
        return tuple(sorted(part.member_index + 1 for part in self._parts))

    @property
    def custodians(self) -> tuple[str, ...]:
        """Whose they are, in the same order."""
        return tuple(self.share_set.shares[index - 1].custodian for index in self.present)

    @property
    def missing(self) -> int:
        """How many more are needed."""
        return self.share_set.threshold - len(self._parts)

    def wrapping_key(self) -> bytes:
        """What was split. Raises: ShareUnfit with TOO_FEW, or DIGEST or CHECK_DIFFERS where it is not that."""
        if self.missing:
            raise ShareUnfit(f"{self.missing} more shares are needed", flaw=ShareFlaw.TOO_FEW)
        key = combine(self._parts)
        if not hmac.compare_digest(check_value_of(key), self.share_set.check_value):
            raise ShareUnfit("the key's check value is not that of the set", flaw=ShareFlaw.CHECK_DIFFERS)
        return key

    def _check_set(self, other: ShareSet) -> None:
        """Raises: ShareUnfit with OLD_GENERATION or ANOTHER_SET."""
        mine = self.share_set
        if other.sha256 == mine.sha256:
            return
        same_key = (other.key, other.public_key_sha256) == (mine.key, mine.public_key_sha256)
        if same_key and other.generation < mine.generation:
            raise old_generation(other, mine)
        raise another_set(other.told(), mine.told())
