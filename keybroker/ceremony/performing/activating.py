"""From when on may a transferred key be used at the destination, and what shows that it holds it? SEC G2.22G, G2.22I.

Only on the source's signed word that it uses the key no more, which stands in the package. What was wrapped is then of
no use to anybody: the key that opens it is destroyed.
"""

from __future__ import annotations

from typing import assert_never

from keybroker.ceremony.erasing import erase_file
from keybroker.ceremony.package_form import MovedKey
from keybroker.ceremony.performing import gathering
from keybroker.ceremony.performing.carrying import PROOF, give, wrapped_name
from keybroker.ceremony.performing.certifying import signed
from keybroker.ceremony.performing.conducted import adapter_of
from keybroker.ceremony.performing.done import Done
from keybroker.ceremony.performing.receiving import NOT_MADE, take_package
from keybroker.ceremony.performing.stage import Stage
from keybroker.ceremony.plan import Side
from keybroker.ceremony.proof_of_possession import BY
from keybroker.clause import clause
from keybroker.errors import NotPermitted
from keybroker.hsm.possession import prove_agreement, prove_symmetric
from keybroker.hsm.wrapping_pair import destroy_wrapping_pair
from keybroker.keys.certificate_request import SubjectUnclear, request_info
from keybroker.keys.life_acts import ActivateTransferred
from keybroker.ledger.canonical_json import Json
from keybroker.terms import ContentKind, KeyAlgorithm, KeyLabel, Operation

DESTROYED = "destroyed in the module, and searched for: what was wrapped to it opens nowhere"


@clause("G2.22G")
def activate_transferred(stage: Stage) -> Done:
    """Each key proves that it is here, its wrapping key is destroyed, and from this entry on it is used here alone."""
    packed, conducted = take_package(stage), adapter_of(stage).is_conducted
    keys: list[Json] = [_proof(stage, packed.key(planned.label)) for planned in stage.plan.keys]
    if not conducted:
        destroy_wrapping_pair(stage.hall.token, stage.plan.name)
    for planned in stage.plan.keys:
        erase_file(stage.hall.directory / wrapped_name(stage, planned.label))
    facts: dict[str, Json] = {
        "keys": keys,
        "withheld": packed.withheld_sha256,
        "wrapping_key": NOT_MADE if conducted else DESTROYED,
    }
    suspension = bytes.fromhex(packed.withheld_sha256)
    acts = (ActivateTransferred(label=KeyLabel(key.label), suspension=suspension) for key in stage.plan.keys)
    return Done(facts=facts, acts=tuple(acts))


def _proof(stage: Stage, moved: MovedKey) -> Json:
    label, policy, token = KeyLabel(moved.key), stage.hall.line.policies[moved.purpose], stage.hall.token
    asked = bytes.fromhex(moved.challenge)
    match policy.algorithm:
        case KeyAlgorithm.ECDSA:
            proof = _request(stage, label)
        case KeyAlgorithm.ECDH:
            proof = prove_agreement(token, label, policy, bytes.fromhex(moved.witness or ""), asked)
        case KeyAlgorithm.AES_GCM:
            proof = prove_symmetric(token, label, policy, asked)
        case _:
            assert_never(policy.algorithm)
    return {"by": BY[policy.algorithm], "key": label, "proof": proof.hex()}


@clause("G2.56", "G2.60", "G2.61")
def _request(stage: Stage, label: KeyLabel) -> bytes:
    """A Certificate Signing Request, down the line: one that was signed before an interruption is given again."""
    key = stage.hall.line.register.refresh().keys[label]
    planned = next(each for each in stage.plan.keys if each.label == label)
    try:
        info = request_info(key, stage.hall.line.policies[key.purpose], common_name=planned.common_name or label)
    except SubjectUnclear as unclear:
        raise NotPermitted(f"the register does not say whom {label}'s certificate names: {unclear}") from unclear
    operation = Operation.SIGN_CERTIFICATE_SIGNING_REQUEST
    return signed(stage, key, operation, ContentKind.CERTIFICATE_SIGNING_REQUEST, info)


def close(stage: Stage) -> Done:
    """As every ceremony's; the destination of a transfer gives its proof out before."""
    if stage.hall.side is Side.DESTINATION:
        stage.room.tell(f"Carry {give(stage, PROOF)} to the source.")
    return gathering.close(stage)
