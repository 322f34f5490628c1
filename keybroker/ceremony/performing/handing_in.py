"""How does a custodian hand his share in? Opened by his own key and sealed anew, or typed; judged, and never shown.

Neither way leaves a word of it in this process where that can be had: a custodian's token opens in a process of its own
and seals to the one that holds secrets. What is typed passes this one (``docs/threat-model.md``).
"""

from __future__ import annotations

from functools import partial

from keybroker.ceremony.custody_child import Custody
from keybroker.ceremony.custody_request import OfferedAs
from keybroker.ceremony.kept_sets import envelope_name
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.person_key import PersonKey, PersonPinWrong, in_few_tries
from keybroker.ceremony.plan import Participant, Role
from keybroker.ceremony.room import Answered, Paused
from keybroker.ceremony.share_flaw import ShareFlaw
from keybroker.ceremony.share_set import ShareSet
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ModuleFault, ShareUnfit

WORDS_OF_A_SHARE = 33
"""Of a wrapping key of 32 octets (SLIP-0039)."""

_MISTYPED = frozenset(
    {ShareFlaw.WRONG_WORD, ShareFlaw.LENGTH, ShareFlaw.CHECKSUM, ShareFlaw.PADDING, ShareFlaw.PARAMETERS}
)
"""What the same person types again; the other flaws are of another share."""


def custodians(stage: Stage, share_set: ShareSet) -> tuple[Participant, ...]:
    """Those in the room who hold a share of this set, in the plan's order."""
    holders = {holder.custodian for holder in share_set.shares}
    return tuple(person for person in stage.plan.in_role(Role.CUSTODIAN) if person.name in holders)


def hand_in_envelope(stage: Stage, custody: Custody, share_set: ShareSet, custodian: Participant) -> int:
    """The index of his share, once it is the right one: as it was given out in the ceremony's directory, or from a file
    that he names. Raises: Paused."""
    octets = _given_out(stage, share_set, custodian.name)
    while True:
        if octets is None:
            octets = stage.room.ask_file(f"Envelope of {custodian.name}?", _ENVELOPE, lambda read: read)
        try:
            sealed = _handed_over(stage, custodian, octets, custody.certificate)
            return custody.offer(custodian.name, sealed, OfferedAs.SHARE)
        except (ShareUnfit, CmsUnfit, ConfigurationInvalid) as unfit:
            _refuse(stage, custodian, unfit)
            stage.room.tell(f"{custodian.name}: {unfit.sentence}")
        octets = None


def hand_in_words(stage: Stage, custody: Custody, custodian: Participant) -> int | None:
    """The index of the share that was typed; None where it is another than his, which was told. Raises: Paused."""

    def offered(typed: str) -> int | None:
        try:
            return custody.offer(custodian.name, custody.sealed(typed), OfferedAs.WORDS)
        except ShareUnfit as unfit:
            _refuse(stage, custodian, unfit)
            if unfit.flaw in _MISTYPED:
                raise
            stage.room.tell(f"{custodian.name}: {unfit.sentence}")
            return None

    question = f"{custodian.name} types the words of his share."
    return stage.room.ask_words(question, _WORDS, WORDS_OF_A_SHARE, offered)


def hand_in(stage: Stage, custody: Custody, share_set: ShareSet, custodian: Participant) -> int | None:
    """As he says: his envelope, or words from paper. None where it was not his. Raises: Paused."""
    question = f"{custodian.name}: envelope or words?"
    match stage.room.ask(question, _HOW, partial(one_of, ("envelope", "words"))):
        case "envelope":
            return hand_in_envelope(stage, custody, share_set, custodian)
        case _:
            return hand_in_words(stage, custody, custodian)


def hand_in_quorum(stage: Stage, custody: Custody, share_set: ShareSet) -> tuple[str, ...]:
    """Who handed a share in, as many as it takes, in any order. Raises: Paused."""
    present = {person.name: person for person in custodians(stage, share_set)}
    handed_in: list[str] = []
    while len(handed_in) < share_set.threshold:
        left = tuple(name for name in present if name not in handed_in)
        if not left:
            raise Paused("Too few custodians of this set are in the room.")
        told = f"Any of these, in any order: {', '.join(left)}."
        name = stage.room.ask("Who hands in a share?", told, partial(one_of, tuple(present)))
        if name in handed_in:
            told = f"{name} handed in this share before; another custodian is asked for."
            stage.refuse("share", name, ShareFlaw.DUPLICATE, told)
            stage.room.tell(told)
        elif hand_in(stage, custody, share_set, present[name]) is not None:
            handed_in.append(name)
            stage.room.progress("shares", len(handed_in), share_set.threshold)
    return tuple(handed_in)


def _refuse(stage: Stage, custodian: Participant, unfit: KeybrokerError) -> None:
    stage.refuse("share", custodian.name, unfit.flaw if isinstance(unfit, ShareUnfit) else unfit.reason, unfit.sentence)


def key_of(stage: Stage, person: Participant) -> PersonKey:
    """Raises: Paused where it is not at this machine."""
    key = stage.hall.keys.get(person.name)
    if key is None:
        raise Paused(f"{person.name} has no key at this machine; name it in the people's file, then resume.")
    return key


def one_of(expected: tuple[str, ...], answer: str) -> str:
    """Raises: Answered."""
    typed = answer.strip().lower()
    if typed not in expected:
        raise Answered(f"expected one of: {', '.join(expected)}")
    return typed


def _given_out(stage: Stage, share_set: ShareSet, name: str) -> bytes | None:
    file = stage.hall.directory / envelope_name(share_set, name)
    return file.read_bytes() if file.is_file() else None


def _handed_over(stage: Stage, custodian: Participant, envelope: bytes, certificate: bytes) -> bytes:
    """Raises: Paused where the PIN was wrong too often, or the token is away; CmsUnfit."""
    key = key_of(stage, custodian)

    def told(wrong: PersonPinWrong, left: int) -> None:
        stage.room.tell(f"{custodian.name}: {wrong.sentence}. {left} tries are left here.")

    try:
        return in_few_tries(lambda: key.hand_over(envelope, certificate), told)
    except PersonPinWrong as wrong:
        _refuse(stage, custodian, wrong)
        raise Paused(f"{custodian.name} did not open his envelope: {wrong.sentence}.") from wrong
    except ModuleFault as fault:
        raise Paused(f"{custodian.name} could not open his envelope: {fault.sentence}.") from fault


_ENVELOPE = "The name of the file that the custodian was given. Only his own key opens it, and nothing of it is shown."
_WORDS = "From his paper. Nothing that is typed is shown; what is wrong is told by the numbers of the words."
_HOW = (
    "envelope: the file that the custodian was given, which his own token opens. words: what stands on his paper, typed"
    " and never shown."
)
