"""How is a ceremony conducted? Step by step: announced, judged again, begun, done, signed by everybody, concluded.

Between ``begin`` and ``conclude`` anything may stop it. Whoever resumes comes back to the very step that was begun, and
what does it looks first what of it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from hashlib import sha256

from keybroker.ceremony.aborting import check_renounced
from keybroker.ceremony.book import Held, Signatures
from keybroker.ceremony.entry import Entry
from keybroker.ceremony.hall import Hall
from keybroker.ceremony.judging import check_plan
from keybroker.ceremony.performing import PERFORMED, PREPARED, Done, Stage
from keybroker.ceremony.performing.carrying import RENUNCIATION
from keybroker.ceremony.person_key import PersonPinWrong, in_few_tries
from keybroker.ceremony.plan import Participant, PlanFile
from keybroker.ceremony.room import Answered, Paused, Room
from keybroker.ceremony.signed_data import verify
from keybroker.ceremony.steps import RENOUNCE, Step, why_not_aborted
from keybroker.ceremony.transcript import make_transcript
from keybroker.clause import clause
from keybroker.errors import CmsUnfit, ConfigurationInvalid, KeybrokerError, ModuleFault, NotPermitted
from keybroker.keys.acts import Act
from keybroker.keys.administration import administer_in
from keybroker.keys.life_acts import CeremonyWord
from keybroker.ledger.canonical_json import Json, text
from keybroker.ledger.ceremony_form import BEGIN, BEGIN_STEP
from keybroker.ledger.turn import Turn

_SHOWN = 500
"""Characters of one fact, on the screen."""


def begin(hall: Hall, room: Room, plan_file: PlanFile) -> None:
    """Open a ceremony and conduct it to its end. Raises: NotPermitted, Paused, Faults."""
    at, told = hall.now(), {"act": BEGIN, "ceremony": plan_file.plan.name}
    findings = hall.book.refusing(told, at, lambda: check_plan(plan_file, hall.scene(at)))
    room.welcome(plan_file, findings)
    room.digest("plan", plan_file.sha256)
    hall.book.open(plan_file, hall.side, at)
    conduct(hall, room, plan_file.plan.name)


def renounce(hall: Hall, room: Room, name: str, because: str) -> None:
    """Abort the destination of a transfer whose offer may be out; where it was begun, or done, go on with it. Raises:
    NotPermitted where the keys may be in use, or another process conducts it; Paused; Faults.
    """
    held = hall.book.get(name)
    if not held.renounced and not held.progress.renounces:
        _begin_renouncing(hall, room, held, because)
    conduct(hall, room, name)
    room.tell(f"Carry {name}.{RENUNCIATION}.json to the source, which may then abort too.")


def _begin_renouncing(hall: Hall, room: Room, held: Held, because: str) -> None:
    name, at = held.plan_file.plan.name, hall.now()
    told = {"act": BEGIN_STEP, "ceremony": name, "step": RENOUNCE.name.value}
    hall.book.refusing(told, at, lambda: check_renounced(held.progress, name))
    hall.book.refusing(told, at, lambda: _check(hall, held, RENOUNCE, at))
    room.consent(RENOUNCE.word, f"{RENOUNCE.told} cannot be undone")
    with closing(hall.book.journal.ledger.hold_ceremony(name)):
        hall.book.renounce(name, because, hall.now())


@clause("G5.13(a)", "G5.24(a)")
def conduct(hall: Hall, room: Room, name: str) -> None:
    """Go on with the next step until there is none. Raises: NotPermitted, also while another process conducts it;
    Paused; Faults.
    """
    hall.book.get(name)
    with closing(hall.book.journal.ledger.hold_ceremony(name)):
        # What a process that was killed left open is closed, so that it can be asked for again.
        hall.book.journal.close_open_intents(hall.now())
        _conduct(hall, room, name)


def _conduct(hall: Hall, room: Room, name: str) -> None:
    while True:
        held = hall.book.get(name)
        step = held.progress.next
        if step is None:
            break
        room.step(held.progress, step)
        _conduct_step(hall, room, held, step)
    write_transcript(hall, name)


def write_transcript(hall: Hall, name: str) -> None:
    """As far as the ceremony is; written anew after each step. One that renounced is to be carried to the source."""
    held = hall.book.get(name)
    transcript = make_transcript(hall.book, held, hall.scene(hall.now()))
    hall.write(f"{name}.transcript.json", transcript)
    if held.renounced:
        hall.write(f"{name}.{RENUNCIATION}.json", transcript)


def _conduct_step(hall: Hall, room: Room, held: Held, step: Step) -> None:
    plan_file, at = held.plan_file, hall.now()
    # 1. Approvals, people and time are judged at each step: what lapsed since the last one stops here.
    told = {"act": BEGIN_STEP, "ceremony": plan_file.plan.name, "step": step.name.value}
    hall.book.refusing(told, at, lambda: _check(hall, held, step, at))
    # 2. Begun, durably, with what must be the same however often it is gone on with.
    given = held.given
    if not held.begun:
        if step.word:
            room.consent(step.word, f"{step.told} cannot be undone")
            # Whoever waits with the word may wait until an approval has ended.
            at = hall.now()
            hall.book.refusing(told, at, lambda: _check(hall, held, step, at))
        given = PREPARED[step.name](hall, held) if step.name in PREPARED else {}
        hall.book.begin(plan_file.plan.name, step, given, at)
    # Whatever the step gives away or destroys, the ledger behind it cannot be put back any more: who was killed before
    # the head was kept comes by here again.
    hall.keep_head(hall.now())
    # 3. Done, or found done.
    done = PERFORMED[step.name](Stage(hall=hall, room=room, held=hall.book.get(plan_file.plan.name)))
    # 4. Signed by everybody, 5. concluded with what changes in the register.
    entry = _entry(hall, held, step, done)
    room.tell("This is what everybody signs:")
    room.facts({"at": f"{entry.at:%Y-%m-%dT%H:%M:%SZ}", **{name: _told(fact) for name, fact in done.facts.items()}})
    signatures = _sign(hall, room, held, step, entry)
    change = partial(
        _change, hall, CeremonyWord(ceremony=plan_file.plan.name, entry=bytes.fromhex(entry.sha256)), done.acts
    )
    receipt = hall.book.conclude(step, entry, signatures, hall.now(), change)
    hall.keep_head(hall.now())
    write_transcript(hall, plan_file.plan.name)
    room.concluded(step, receipt.leaf_index)


def _check(hall: Hall, held: Held, step: Step, at: datetime) -> None:
    """Raises: NotPermitted. By a clock that went back nothing can be judged. What ended since the offer, a plan or an
    approval, does not keep its destination from giving it back."""
    if held.steps and at < held.steps[-1].entry.at:
        before = held.steps[-1].entry.at.isoformat()
        raise NotPermitted(
            f"the clock went back since the last step: expected {before} or later, found {at.isoformat()}; mend it,"
            " then resume"
        )
    no_way_back = step == RENOUNCE or bool(why_not_aborted(held.progress))
    check_plan(held.plan_file, hall.scene(at), no_way_back=no_way_back)


def _told(fact: Json) -> str:
    """A fact as it stands in the entry; of a long one its beginning, and by its digest the whole."""
    whole = fact if isinstance(fact, str) else text(fact)
    if len(whole) <= _SHOWN:
        return whole
    return f"{whole[:_SHOWN]}… ({len(whole)} characters, SHA-256 {sha256(whole.encode()).hexdigest()})"


def _change(hall: Hall, word: CeremonyWord, acts: Sequence[Act], turn: Turn) -> None:
    """The acts of a step, in the transaction that concludes it."""
    journal, actor, policies = hall.book.journal, hall.book.actor, hall.line.policies
    for act in acts:
        administer_in(turn, journal, actor, act, hall.now(), ceremony=word, policies=policies)


def _entry(hall: Hall, held: Held, step: Step, done: Done) -> Entry:
    plan = held.plan_file.plan
    facts: Mapping[str, Json] = done.facts
    return Entry(
        ceremony=plan.name,
        plan_sha256=held.plan_file.sha256.hex(),
        ledger=hall.line.ledger_origin,
        side=hall.side.value,
        number=len(held.steps) + 1,
        step=step.name.value,
        at=hall.now().replace(microsecond=0),
        people=tuple(person.name for person in signers(held, step)),
        facts=facts,
        previous=held.previous,
    )


def signers(held: Held, step: Step) -> tuple[Participant, ...]:
    """Who signs the entry of a step, in the plan's order."""
    return tuple(person for person in held.plan_file.plan.people if person.role in step.signed_by)


def _sign(hall: Hall, room: Room, held: Held, step: Step, entry: Entry) -> Signatures:
    room.digest("entry", bytes.fromhex(entry.sha256))
    people = signers(held, step)
    signatures: dict[str, bytes] = {}
    for number, person in enumerate(people, start=1):
        room.signing(person, bytes.fromhex(entry.sha256))
        signatures[person.name] = _signed(hall, room, entry.ceremony, person, entry.octets)
        room.progress("signed", number, len(people))
    return signatures


def _signed(hall: Hall, room: Room, ceremony: str, person: Participant, octets: bytes) -> bytes:
    """Raises: Paused where the person is not there, or the PIN was wrong too often."""
    key = hall.keys.get(person.name)
    if key is None:
        raise Paused(f"{person.name} has no key at this machine; name it in the people's file, then resume")
    certificate = hall.line.register.current().standing.attesters[person.signing_sha256].certificate
    while True:
        try:
            signed = in_few_tries(lambda: key.sign(octets), partial(_tell_wrong, room, person))
            if verify(signed, certificates=certificate).octets == octets:
                return signed
            why = "it signed something else"
        except PersonPinWrong as wrong:
            _refuse(hall, ceremony, person, wrong)
            raise Paused(
                f"{person.name} did not sign: {wrong.sentence}; nothing is lost, resume when he can"
            ) from wrong
        except (CmsUnfit, ModuleFault, ConfigurationInvalid) as error:
            if not isinstance(error, ModuleFault):
                _refuse(hall, ceremony, person, error)
            why = error.sentence
        room.tell(f"{person.name} could not sign: {why}")
        again = f"{person.name} puts his token in and types again; stop rests the ceremony, and nothing is lost."
        room.ask("again or stop?", again, _again)


def _refuse(hall: Hall, ceremony: str, person: Participant, error: KeybrokerError) -> None:
    hall.book.refuse(ceremony, "signature", person.name, error.reason, error.sentence, hall.now())


def _tell_wrong(room: Room, person: Participant, wrong: PersonPinWrong, left: int) -> None:
    room.tell(f"{person.name}: {wrong.sentence}. {left} tries are left here.")


def _again(answer: str) -> None:
    if answer.strip().lower() != "again":
        raise Answered("expected again, or stop")
