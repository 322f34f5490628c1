"""How does the source give a key up, and how does it leave? SEC G2.22G, G2.22I.

First it is suspended for ever, with the destination's offer at hand; only then is it wrapped to that offer, inside the
module. From the suspension on no system may use it, until the destination may.
"""

from __future__ import annotations

from keybroker.ceremony.package import Offered, read_offer
from keybroker.ceremony.performing.carrying import OFFER, carried_name, take, wrapped_name
from keybroker.ceremony.performing.conducted import adapter_of, ask_evidence, check_held, show_commands
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.leaving import check_can_leave, common_oaep, officer_of
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.proof_of_possession import challenge
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.wrapped_key import encode_wrapped_key
from keybroker.hsm.wrapping import wrap_key
from keybroker.keys.acts import Act
from keybroker.keys.life_acts import AddCopy, BeginTransfer, Copy, DistributeKey
from keybroker.ledger.canonical_json import Json
from keybroker.ledger.key_uses import count_uses
from keybroker.policy.model import RegisteredKey
from keybroker.terms import CopyKind, KeyLabel, KeyState

IRREVOCABLE = "From this entry on this system never uses these keys again, whatever becomes of the transfer."


@clause("G2.22G")
def withhold_key(stage: Stage) -> Done:
    """The source's word that it uses the keys no more. Nothing is given up before a good offer is here, and the keys
    are such as can leave for it."""
    adapter, offered = adapter_of(stage), _offered(stage)
    _show_offer(stage, offered)
    keys = _keys(stage)
    for key in keys:
        check_held(stage.hall.token, key.label, key.public_key)
        if not adapter.is_conducted:
            check_can_leave(stage, key, offered.offer)
    told: list[Json] = [
        {"before": key.state.value, "key": key.label, "public_key": key.public_key.hex()} for key in keys
    ]
    to = destination(stage)
    facts: dict[str, Json] = {
        "destination": to,
        "irrevocable": IRREVOCABLE,
        "keys": told,
        "offer": offered.entry_sha256,
    }
    # One that an earlier ceremony suspended for ever is suspended already.
    acts = tuple(BeginTransfer(label=key.label, to=to) for key in keys if key.state is not KeyState.TRANSFERRING)
    return Done(facts=facts, acts=acts)


def destination(stage: Stage) -> str:
    """The system that is to use the keys. Raises: NotPermitted."""
    if stage.plan.transfer is None:
        raise NotPermitted("the plan has no [transfer] table")
    return stage.plan.transfer.destination


def _offered(stage: Stage) -> Offered:
    told = f"The name of a file that came from the destination: {carried_name(stage, OFFER)}."
    plan_file = stage.held.plan_file
    return take(stage, carried_name(stage, OFFER), "The offer?", told, lambda octets: read_offer(octets, plan_file))


def _show_offer(stage: Stage, offered: Offered) -> None:
    """For the custodians, who bring the digest by another way than the file."""
    stage.room.facts(dict(offered.offer.module))
    digest = offered.offer.wrapping_key_sha256
    if digest is not None:
        stage.room.digest("destination's wrapping key", bytes.fromhex(digest))


def _keys(stage: Stage) -> list[RegisteredKey]:
    """The plan's keys, as they stand now."""
    held = stage.hall.line.register.refresh().keys
    return [held[KeyLabel(key.label)] for key in stage.plan.keys]


def wrap_keys(stage: Stage) -> Done:
    """Each key leaves, with what belongs to it and a challenge for whoever says that he holds it."""
    adapter, offered = adapter_of(stage), _offered(stage)
    if stage.held.facts("withhold-key")["offer"] != offered.entry_sha256:
        raise NotPermitted("the offer is another than the one on which the keys were withheld")
    _show_offer(stage, offered)
    if adapter.is_conducted:
        show_commands(stage, adapter)
    moved: list[Json] = []
    acts: list[Act] = []
    keys = _keys(stage)
    for number, key in enumerate(keys, start=1):
        told, done = _moved(stage, key, adapter, offered)
        moved.append(told)
        acts += done
        stage.room.progress("keys wrapped", number, len(keys))
    facts: dict[str, Json] = {
        "keys": moved,
        "mechanism": adapter.value,
        "offer": offered.entry_sha256,
        "serial": stage.hall.token.serial,
        "withheld": stage.held.previous,
    }
    return Done(facts=facts, acts=tuple(acts))


def _moved(
    stage: Stage, key: RegisteredKey, adapter: TransferAdapter, offered: Offered
) -> tuple[dict[str, Json], tuple[Act, ...]]:
    token, policy = stage.hall.token, stage.hall.line.policies[key.purpose]
    check_held(token, key.label, key.public_key)
    asked = challenge(token, key.label, policy)
    told: dict[str, Json] = {
        **_associated(stage, key),
        "answer_sha256": asked.answer_sha256,
        "challenge": asked.octets.hex(),
        "evidence": [],
        "witness": None if asked.witness is None else asked.witness.hex(),
        "wrapped_sha256": None,
    }
    if adapter.is_conducted:
        return {**told, "evidence": [*ask_evidence(stage, key.label)]}, ()
    digest, acts = _wrap(stage, key, offered)
    return {**told, "wrapped_sha256": digest}, acts


def _associated(stage: Stage, key: RegisteredKey) -> dict[str, Json]:
    """SEC G2.22G: "Secret Key Material and other associated information"."""
    certificate = key.certificate
    revoked = None if certificate is None or certificate.revoked_at is None else certificate.revoked_at
    return {
        "activated_at": None if key.activated_at is None else int(key.activated_at.timestamp()),
        "chain": [] if certificate is None else [der.hex() for der in certificate.der],
        "eui": None if key.eui is None else str(key.eui),
        "key": key.label,
        "party": key.party,
        "provenance": key.provenance.value,
        "public_key": key.public_key.hex(),
        "purpose": key.purpose.value,
        "revoked_at": None if revoked is None else int(revoked.timestamp()),
        "uses": key.uses_before + count_uses(stage.hall.book.journal.ledger, key.label),
    }


def _wrap(stage: Stage, key: RegisteredKey, offered: Offered) -> tuple[str, tuple[Act, ...]]:
    """SHA-256 of the file with the wrapped key, and that a copy is there. Wrapped anew after an interruption: what was
    wrapped before was signed for by nobody, and is written over."""
    hall, name = stage.hall, wrapped_name(stage, key.label)
    wrapped = wrap_key(
        hall.token,
        key.label,
        hall.line.policies[key.purpose],
        recipient_spki=bytes.fromhex(offered.offer.wrapping_key or ""),
        officer=officer_of(stage),
        oaep=common_oaep(stage, offered.offer),
    )
    hall.write(name, encode_wrapped_key(wrapped))
    stage.room.digest(f"wrapped key {key.label}", wrapped.sha256)
    copy = Copy(kind=CopyKind.WRAPPED_BLOB, place=f"{hall.site}/{name}", sha256=wrapped.sha256)
    given = DistributeKey(label=key.label, what="wrapped key", to=destination(stage), sha256=wrapped.sha256)
    return wrapped.sha256.hex(), (AddCopy(label=key.label, copy=copy), given)
