"""Are the shares still there, and what stands where some are not? Every custodian opens his own, and none is shown.

SEC G2.44B, G5.13(a). What is collected is the custodian's signed statement (``share_proof``), made here or brought from
``keybroker custodian hand-back``; nothing is joined.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from keybroker.ceremony.custody_child import Custody, opened_custody
from keybroker.ceremony.kept_sets import KeptSet
from keybroker.ceremony.performing import by_module_quorum_used
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.handing_in import hand_in, key_of, one_of
from keybroker.ceremony.performing.joining import expect, own_set
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.person_key import PersonPinWrong, in_few_tries
from keybroker.ceremony.plan import Participant, Role
from keybroker.ceremony.quorum import what_stands
from keybroker.ceremony.quorum_sets import newest_quorum
from keybroker.ceremony.room import Answered, Paused
from keybroker.ceremony.share import Share
from keybroker.ceremony.share_proof import check_proof, proof_octets
from keybroker.ceremony.share_set import Holder
from keybroker.errors import CmsUnfit, ModuleFault
from keybroker.ledger.canonical_json import Json
from keybroker.statement.attester import Attester


def prove_shares(stage: Stage) -> Done:
    """Of every holder of every set: proven, with what says so, or lost."""
    told: list[Json] = []
    for key in stage.plan.keys:
        if (held := newest_quorum(stage.hall.book, key.label)) is not None:
            told.append(by_module_quorum_used.shown_cards(stage, key, held))
            continue
        kept = own_set(stage, key.label)
        proven: dict[str, str] = {}
        with opened_custody() as custody:
            expect(stage, custody, kept)
            for holder in kept.share_set.shares:
                if proof := _proof(stage, custody, kept, holder):
                    proven[holder.custodian] = sha256(proof).hexdigest()
                stage.room.progress("holders asked", holder.index, kept.share_set.count)
        told.append(_told(stage, kept, proven))
    return Done(facts={"keys": told})


def _told(stage: Stage, kept: KeptSet, proven: dict[str, str]) -> dict[str, Json]:
    share_set = kept.share_set
    said = what_stands(len(proven), share_set.threshold)
    lost = [holder.custodian for holder in share_set.shares if holder.custodian not in proven]
    stage.room.facts({"key": share_set.key, "proven": len(proven), "needed": share_set.threshold, "stands": said})
    return {
        "key": share_set.key,
        "lost": [*lost],
        "proven": {**proven},
        "set_sha256": share_set.sha256.hex(),
        "stands": said,
        "threshold": share_set.threshold,
    }


def _proof(stage: Stage, custody: Custody, kept: KeptSet, holder: Holder) -> bytes | None:
    """The signed statement of one holder; None where the share is lost. Raises: Paused."""
    present = {person.name: person for person in stage.plan.in_role(Role.CUSTODIAN)}
    person = present.get(holder.custodian)
    proof = _brought(stage, kept, holder) if person is None else _made(stage, custody, kept, person, holder)
    if proof is not None:
        stage.hall.write(f"{kept.share_set.key}.{holder.custodian}.proof.p7s", proof)
    return proof


def _made(stage: Stage, custody: Custody, kept: KeptSet, person: Participant, holder: Holder) -> bytes | None:
    """Opened by whoever is in the room, and signed for."""
    question = f"{person.name}: prove or lost?"
    while stage.room.ask(question, _PROVE, partial(one_of, ("prove", "lost"))) == "prove":
        if hand_in(stage, custody, kept.share_set, person) is not None:
            return _signed(stage, kept, person, holder)
    return None


def _signed(stage: Stage, kept: KeptSet, person: Participant, holder: Holder) -> bytes:
    """Raises: Paused."""
    # Without its words, which a proof has no use for.
    octets = proof_octets(Share(share_set=kept.share_set, index=holder.index, words=()), stage.hall.now())
    key = key_of(stage, person)

    def told(wrong: PersonPinWrong, left: int) -> None:
        stage.room.tell(f"{person.name}: {wrong.sentence}. {left} tries are left here.")

    try:
        return in_few_tries(lambda: key.sign(octets), told)
    except (PersonPinWrong, ModuleFault) as error:
        raise Paused(f"{person.name} did not sign: {error.sentence}.") from error


def _brought(stage: Stage, kept: KeptSet, holder: Holder) -> bytes | None:
    """By another, from a holder who is not in the room."""
    name = holder.custodian
    question = f"{name} is not here: proof or lost?"
    if stage.room.ask(question, _BROUGHT, partial(one_of, ("proof", "lost"))) == "lost":
        return None
    return stage.room.ask_file(f"Proof of {name}?", _FILE, partial(_checked, stage, kept, name))


def _checked(stage: Stage, kept: KeptSet, name: str, octets: bytes) -> bytes:
    """By the very person's certificate. Raises: Answered."""
    attesters = stage.hall.line.register.current().standing.attesters.values()
    found: list[Attester] = [
        each for each in attesters if each.name == name and each.is_person and each.withdrawn_at is None
    ]
    why = "nobody of that name is enrolled"
    for attester in found:
        try:
            proof = check_proof(octets, share_set=kept.share_set, certificate=attester.certificate)
        except CmsUnfit as unfit:
            why = unfit.sentence
            continue
        if proof.custodian != name:
            why = f"it is of the share of {proof.custodian}"
        elif proof.at < stage.plan.valid_from:
            why = f"it was signed before this plan was in force: {proof.at.isoformat()}"
        else:
            return octets
    raise Answered(why)


_PROVE = (
    "prove: the custodian opens his share, which is held against the set and shown to nobody, and signs that he did."
    " lost: he has it no more, or others have seen it."
)
_BROUGHT = "proof: a file that he made with keybroker custodian hand-back. lost: there is none."
_FILE = "The name of the file that keybroker custodian hand-back wrote."
