"""How does a key come to the destination, and from when on may it be used there? SEC G2.22G-G2.22I.

A wrapping pair is made in the module and offered; what comes back is unwrapped inside it and is inert. It is activated
only on the source's signed word that it uses the key no more, which stands in the package.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256

from keybroker.ceremony.package import Packed, read_package, read_wrapped
from keybroker.ceremony.package_form import MovedKey
from keybroker.ceremony.performing.carrying import OFFER, PACKAGE, carried_name, give, take, wrapped_name
from keybroker.ceremony.performing.complying import check_complies, module_evidence
from keybroker.ceremony.performing.conducted import (
    adapter_of,
    ask_evidence,
    check_arrived,
    objects_of,
    show_commands,
)
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.performing.transferring import destination
from keybroker.ceremony.plan import PlannedKey
from keybroker.ceremony.steps import StepName
from keybroker.clause import clause
from keybroker.errors import ModuleDisagrees, NotPermitted
from keybroker.hsm.attributes import key_identifier
from keybroker.hsm.destruction import destroy_key
from keybroker.hsm.generate import IDENTIFIER_OCTETS
from keybroker.hsm.held_keys import authentication_label
from keybroker.hsm.profile_sections import TransferAdapter
from keybroker.hsm.unwrapping import unwrap_key
from keybroker.hsm.wrapped_key import WrappedKey
from keybroker.hsm.wrapping_pair import make_wrapping_pair, wrapping_pair
from keybroker.keys.acts import Act, EnrolCertificate, OrderKey, RevokeCertificate
from keybroker.keys.life_acts import KeyImported
from keybroker.ledger.canonical_json import Json
from keybroker.policy.model import CertificateFacts, RegisteredKey
from keybroker.terms import EntityIdentifier, KeyLabel, KeyState, PartyName

ATTESTED = "Those who sign this entry saw this pair made in this module: its private half unwraps, and never leaves."
NOT_MADE = "none was made: the maker's tool moved the keys"


@clause("G2.22I(b)(ii)")
def offer_wrapping_key(stage: Stage) -> Done:
    """A pair in this module, or the one that stands there already, and what is known of the module.

    Raises: NotPermitted where this system does not comply with what the keys' purposes demand (G2.22I(b)(ii)).
    """
    adapter, token = adapter_of(stage), stage.hall.token
    complies = check_complies(stage)
    spki = None if adapter.is_conducted else _pair(stage)
    if spki is not None:
        stage.room.digest("wrapping key", sha256(spki).digest())
    identity = asdict(token.identity)
    stage.room.facts(identity)
    facts: dict[str, Json] = {
        "attested": ATTESTED if spki is not None else NOT_MADE,
        "complies": [*complies],
        "evidence": [*module_evidence(stage)],
        "keeps_data": token.profile.objects.data,
        "mechanism": adapter.value,
        "module": {name: identity[name] for name in sorted(identity)},
        "oaep": [*token.profile.wrapping.oaep],
        "payloads": [payload.value for payload in token.profile.wrapping.payloads_taken],
        "wrapping_key": None if spki is None else spki.hex(),
        "wrapping_key_sha256": None if spki is None else sha256(spki).hexdigest(),
    }
    return Done(facts=facts)


def _pair(stage: Stage) -> bytes:
    name = stage.plan.name
    return wrapping_pair(stage.hall.token, name) or make_wrapping_pair(stage.hall.token, name)


@clause("G2.22H(a)", "G2.22H(b)")
def import_keys(stage: Stage) -> Done:
    """The keys stand in this module, and may not be used. Their certificates are this system's from now on (G2.22H)."""
    adapter, name = adapter_of(stage), give(stage, OFFER)
    stage.room.tell(f"Carry {name} to the source. Then come back with its package.")
    packed = take_package(stage)
    if adapter.is_conducted:
        show_commands(stage, adapter)
    keys: list[Json] = []
    acts: list[Act] = []
    for number, planned in enumerate(stage.plan.keys, start=1):
        moved = packed.key(planned.label)
        keys.append(
            {"evidence": [*_import(stage, adapter, packed, moved)], "key": moved.key, "public_key": moved.public_key}
        )
        acts += _imported(stage, planned, moved)
        stage.room.progress("keys imported", number, len(stage.plan.keys))
    facts: dict[str, Json] = {
        "certificates": f"treated as issued in respect of {destination(stage)} (G2.22H)",
        "keys": keys,
        "package": packed.sha256,
        "serial": stage.hall.token.serial,
        "withheld": packed.withheld_sha256,
    }
    return Done(facts=facts, acts=tuple(acts))


def take_package(stage: Stage) -> Packed:
    """The source's package, in answer to the offer from here."""
    offered = next(each.entry for each in stage.held.steps if each.entry.step == StepName.OFFER_WRAPPING_KEY.value)
    name, plan_file = carried_name(stage, PACKAGE), stage.held.plan_file
    told = f"The name of a file that came from the source: {name}."
    return take(
        stage, name, "The package?", told, lambda octets: read_package(octets, plan_file, offer_sha256=offered.sha256)
    )


def _import(stage: Stage, adapter: TransferAdapter, packed: Packed, moved: MovedKey) -> list[str]:
    """The key stands in the module as its purpose demands, or nothing of it does. SHA-256 of what shows it."""
    label, public_key = KeyLabel(moved.key), bytes.fromhex(moved.public_key)
    token, policy = stage.hall.token, stage.hall.line.policies[moved.purpose]
    if adapter.is_conducted:
        evidence = ask_evidence(stage, label)
        check_arrived(token, label, policy, public_key)
        return evidence
    wrapped = _wrapped(stage, packed, moved)
    if not _stands(stage, wrapped):
        unwrap_key(token, wrapped, policy, pair=stage.plan.name, label=label)
    return []


def _wrapped(stage: Stage, packed: Packed, moved: MovedKey) -> WrappedKey:
    name, serial = wrapped_name(stage, moved.key), packed.wrapped.serial
    told = f"The name of a file that came from the source: {name}."
    return take(stage, name, f"The wrapped key {moved.key}?", told, lambda octets: read_wrapped(octets, moved, serial))


def _stands(stage: Stage, wrapped: WrappedKey) -> bool:
    """Did this step put the key here before it was interrupted? What is there by half is taken away.

    Raises: ModuleDisagrees for another key under this label, which is left as it is.
    """
    token, label = stage.hall.token, KeyLabel(wrapped.label)
    objects = (*objects_of(token, label), *objects_of(token, authentication_label(label)))
    if not objects:
        return False
    symmetric = len(wrapped.identity) == IDENTIFIER_OCTETS
    own = wrapped.identity if symmetric else key_identifier(wrapped.identity)
    if any(each.label == label and each.identifier != own for each in objects):
        raise ModuleDisagrees(f"another key stands in the module under the label {label}; an operator must look")
    beside = any(each.label == authentication_label(label) for each in objects)
    try:
        check_arrived(token, label, stage.hall.line.policies[wrapped.purpose], wrapped.identity)
        whole = beside or not wrapped.authentication
    except ModuleDisagrees:
        whole = False
    if not whole:
        destroy_key(token, label)
    return whole


@clause("G2.22H(a)", "G2.22H(b)")
def _imported(stage: Stage, planned: PlannedKey, moved: MovedKey) -> list[Act]:
    """What the register then says: ordered and installed, certified by the very chain that came, revoked if it was."""
    label, text = KeyLabel(moved.key), planned.eui or moved.eui
    eui = None if text is None else EntityIdentifier.from_text(text)
    imported = KeyImported(
        label=label,
        public_key=bytes.fromhex(moved.public_key),
        module=stage.hall.token.serial,
        activated_at=None if moved.activated_at is None else datetime.fromtimestamp(moved.activated_at, UTC),
        uses=moved.uses,
    )
    before = stage.hall.line.register.refresh().keys.get(label)
    if before is not None and before.state is KeyState.RENOUNCED:
        # It was ordered when it came for the first time, and is the same still.
        _check_same(before, moved, eui)
        acts: list[Act] = [imported]
    else:
        acts = [OrderKey(label=label, purpose=moved.purpose, party=PartyName(moved.party), eui=eui), imported]
    return acts + _certified(stage, label, moved, None if before is None else before.certificate)


def _check_same(before: RegisteredKey, moved: MovedKey, eui: EntityIdentifier | None) -> None:
    """Raises: NotPermitted for what was renounced here as something else."""
    expected, found = (before.purpose, before.party, before.eui), (moved.purpose, moved.party, eui)
    if expected != found:
        raise NotPermitted(f"{before.label} was renounced here: expected it as it was, {expected}, found {found}")


def _certified(stage: Stage, label: KeyLabel, moved: MovedKey, before: CertificateFacts | None) -> list[Act]:
    """``before``: what it was certified by when it was here for the first time."""
    acts: list[Act] = []
    chain = tuple(bytes.fromhex(each) for each in moved.chain)
    if before is not None and before.revoked_at is not None and before.der == chain:
        # A revocation is not undone, and was recorded.
        return acts
    if chain:
        acts.append(EnrolCertificate(label=label, chain=chain, anchors=stage.hall.line.anchors))
    if moved.revoked_at is not None:
        revoked = datetime.fromtimestamp(moved.revoked_at, UTC)
        acts.append(RevokeCertificate(label=label, revoked_at=revoked, because="so it was at the source"))
    return acts
