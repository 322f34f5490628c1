"""Which words of a share were typed, and which are missing? One at a time or a line of them, in any order by number.

What is wrong is told by numbers; no word is ever said. A word counts from its fourth letter on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from keybroker.ceremony.part import TOLD_BY, read_words, told
from keybroker.ceremony.room import Answered
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.errors import ShareUnfit

WORDS_TOLD = (
    f"One word a line, or as many as you like. The first {TOLD_BY} letters of a word are enough. A word may stand"
    ' behind its number: "7 word" corrects word 7. For the word "helpful" type more than four letters, or its number.'
)


@final
class WordEntry:
    """Changes with each line. Its repr says nothing of the words."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._words: dict[int, str] = {}

    @property
    def missing(self) -> int | None:
        """The number of the first word that is not there yet."""
        return next((place for place in range(1, self._count + 1) if place not in self._words), None)

    @property
    def taken(self) -> int:
        """How many words are there."""
        return len(self._words)

    @property
    def question(self) -> str:
        """What is typed next."""
        if self.missing is None:
            return "A number and its word, or all words again"
        return f"Word {self.missing} of {self._count}"

    def text(self) -> str:
        """All words in order. Secret."""
        return " ".join(self._words[place] for place in sorted(self._words))

    def take(self, line: str) -> None:
        """Words from the first missing one on, or from the number that stands before them; a line that begins without a
        number where nothing is missing, or that has all the words, replaces everything.

        Raises: Answered with the numbers of words that are not in the list; the others were taken.
        """
        typed = line.lower().split()
        if not typed:
            raise Answered("Nothing was typed.")
        anew = len(typed) == self._count or (self.missing is None and not _is_number(typed[0]))
        words = dict(self._placed(typed, 1 if anew else self.missing or 1))
        if not words:
            raise Answered("A number alone: its word follows it on the same line.")
        wrong = tuple(sorted(place for place, word in words.items() if not _is_in_list(word)))
        kept = {} if anew else self._words
        self._words = {place: word for place, word in (kept | words).items() if place not in wrong}
        if wrong:
            raise Answered(
                f"Not in the list of words: word {told(wrong)}. The first {TOLD_BY} letters of a word are enough."
            )

    def forget(self, places: tuple[int, ...] = ()) -> None:
        """These, to be typed again."""
        self._words = {place: word for place, word in self._words.items() if place not in places}

    def _placed(self, typed: list[str], place: int) -> Iterator[tuple[int, str]]:
        """Raises: Answered for a word that has no place."""
        for each in typed:
            if _is_number(each):
                place = int(each.rstrip(".):"))
                continue
            if not 1 <= place <= self._count:
                raise Answered(f"The share has words 1 to {self._count}; nothing of this line was taken.")
            yield place, each
            place += 1


def _is_number(typed: str) -> bool:
    number = typed.rstrip(".):")
    return number.isascii() and number.isdecimal() and len(number) <= TOLD_BY


def _is_in_list(word: str) -> bool:
    """Whoever reads a share says first which words are in no list, and then only that there are too few."""
    try:
        read_words([word])
    except ShareUnfit as unfit:
        return unfit.flaw != ShareFlaw.WRONG_WORD
    return True
