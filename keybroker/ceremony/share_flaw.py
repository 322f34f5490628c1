"""What can be wrong with a share, or with one part of a split key? Each flaw has its own stable name."""

from __future__ import annotations

from enum import StrEnum


class ShareFlaw(StrEnum):
    """Stands in ``ShareUnfit.flaw``; what a custodian is told beside it never holds a word of the share."""

    WRONG_WORD = "SHARE_WRONG_WORD"
    """Words that are in no list, or not those that were printed; ``ShareUnfit.places`` are their numbers, from 1."""
    LENGTH = "SHARE_LENGTH"
    """More or fewer words than a share has: one left out, or one twice."""
    CHECKSUM = "SHARE_CHECKSUM"
    """Every word is in the list, and yet they are not a share: mistyped or interchanged."""
    PADDING = "SHARE_PADDING"
    PARAMETERS = "SHARE_PARAMETERS"
    """What the words say of themselves cannot be: a group that is not, more groups needed than there are."""
    SECRET_LENGTH = "SHARE_SECRET_LENGTH"  # noqa: S105 - the name of a flaw
    QUORUM = "SHARE_QUORUM"
    """An M or N with which nothing is split: not 2 <= M <= N <= 16."""
    ANOTHER_SET = "SHARE_OF_ANOTHER_SET"
    OLD_GENERATION = "SHARE_OF_AN_OLD_GENERATION"
    MIXED_THRESHOLDS = "SHARE_MIXED_THRESHOLDS"
    DUPLICATE = "SHARE_DUPLICATE"
    TOO_FEW = "SHARE_TOO_FEW"
    TOO_MANY = "SHARE_TOO_MANY"
    DIGEST = "SHARE_DIGEST"
    """The parts fit together and do not give what was split: at least one was changed."""
    MALFORMED = "SHARE_MALFORMED"
    """A share or a set that is not the canonical JSON it should be."""
    WRONG_CUSTODIAN = "SHARE_OF_ANOTHER_CUSTODIAN"
    CHECK_DIFFERS = "SHARE_CHECK_DIFFERS"
    """It says that it is of this set, and is not what was given out; or the key is not the one that was split."""
