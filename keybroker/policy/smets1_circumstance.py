"""Must this use of a SMETS1 Symmetric Key be made in a Level 3 module? SEC G2.44(c), G2.44(e), G2.44A.

A DCO's always. A SMETS1 Service Provider's too, unless one of the circumstances of G2.44A is seen: in the octets, in
what the policy file enrols with a date or a statement in force says, or in what the broker itself did (a key that it
made for one TLS session). What the caller says, the Device of the request included, is no circumstance.
Each circumstance is one function; it answers what it rests on, empty where it is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keybroker.clause import clause
from keybroker.content.contents import Content
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.content.xdlms import Service
from keybroker.policy.model import AskedUse, Policy, RegisteredKey, Situation
from keybroker.policy.settings import Smets1Settings
from keybroker.policy.smets1_enrolment import Enrolment
from keybroker.statement.standing import Standing
from keybroker.terms import KeyPurpose

_Smets1 = Smets1Instruction | Smets1Response
_NOTHING_STATED = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDemand:
    """Does G2.44 demand a Level 3 module, and ``because`` of what."""

    level_3: bool
    because: str


# SEC G2.44A(a): "Cryptographic Processing is carried out by a SMETS1 Service Provider to generate a Command to "add
# credit" (as specified in a Version of the ESMETS, the GSMETS or the IHDTS with a Principal Version number of 1) to a
# SMETS1 Device". Read from the octets: the method that is called; which methods add credit the policy file lists.
@clause("G2.44A(a)")
def adds_credit(content: _Smets1, settings: Smets1Settings) -> str:
    if not isinstance(content, Smets1Instruction) or content.request.service is not Service.ACTION:
        return ""
    target = content.request.target
    return f"G2.44A(a): add credit, {target}" if target in settings.add_credit else ""


# SEC G2.44A(b): "a SMETS1 Symmetric Key is used by a SMETS1 Service Provider to generate an Instruction where the
# target Device is identified in the SMETS1 Supporting Requirements as a Category 1 Device for the purposes of this
# paragraph".
@clause("G2.44A(b)")
def instructs_category_1_device(content: _Smets1, enrolled: Enrolment) -> str:
    if not isinstance(content, Smets1Instruction) or not enrolled.is_for(content.device):
        return ""
    because = enrolled.category(1)
    return f"G2.44A(b): {content.device} is a Category 1 Device{because}" if because else ""


# SEC G2.44A(c): "a SMETS1 Symmetric Key is used by a SMETS1 Service Provider where: (i) that Symmetric Key is valid
# only for the duration of a single Application Association; and (ii) the target Device is identified as a Category 2
# Device".
@clause("G2.44A(c)")
def is_for_one_association(content: _Smets1, enrolled: Enrolment) -> str:
    if not enrolled.is_for(content.device):
        return ""
    association, category = enrolled.one_association(), enrolled.category(2)
    if not association or not category:
        return ""
    because = category if association == category else f"{association}{category}"
    return f"G2.44A(c): a key for one Application Association with {content.device}, a Category 2 Device{because}"


# SEC G2.44A(d): "any use of a SMETS1 Symmetric Key by a SMETS1 Service Provider that is: (i) required to establish a
# session for Transport Layer Security with a SMETS1 Device; (ii) generated as part of the establishment of the session;
# and (iii) destroyed at the termination of that same session." The register says of which keys: the broker makes them,
# on the strength of a handshake that it signed itself, and destroys them (keys/session_acts.py). Looked at here: that
# the session lasts, and that it is with this Device.
@clause("G2.44A(d)")
def is_of_a_tls_session(content: _Smets1, key: RegisteredKey, at: datetime) -> str:
    session = key.session
    if session is None or session.device != content.device or not session.made_at <= at < session.until:
        return ""
    return f"G2.44A(d): a key for one TLS session with {session.device}, its handshake record {session.handshake}"


@clause("G2.44(c)", "G2.44(e)")
def module_demand(
    content: _Smets1, key: RegisteredKey, policy: Policy, at: datetime, standing: Standing = _NOTHING_STATED
) -> ModuleDemand:
    """Which circumstance is relied on: the first that is seen. Without a ``[smets1]`` table none is."""
    settings = policy.settings.smets1
    # G2.44(c) knows no exception: it holds for every key but a SMETS1 Service Provider's.
    if key.purpose is not KeyPurpose.S1SP_SMETS1 or settings is None:
        return ModuleDemand(level_3=True, because=f"{policy.use_clause}: Level 3 demanded")
    enrolled = Enrolment(key=key, settings=settings, standing=standing, at=at)
    seen = (
        adds_credit(content, settings)
        or instructs_category_1_device(content, enrolled)
        or is_for_one_association(content, enrolled)
        or is_of_a_tls_session(content, key, at)
    )
    return ModuleDemand(level_3=not seen, because=seen or f"{policy.use_clause}: Level 3 demanded")


@clause("G2.44(c)", "G2.45")
def why_not_demanded(gate: str, use: AskedUse) -> str:
    """For the gates: why the gate of that name has nothing to look at in this use; empty where it has."""
    content: Content = use.content
    if not isinstance(content, Smets1Instruction | Smets1Response) or use.key.purpose is not KeyPurpose.S1SP_SMETS1:
        return ""
    situation = use.situation
    demand = module_demand(content, use.key, use.policy, situation.at, stated(situation))
    match gate:
        case "validated-module" if not demand.level_3:
            return f"not demanded by G2.44(e); {demand.because}"
        case "information-classification-module" if demand.level_3:
            return f"not G2.45 but {demand.because}"
        case _:
            return ""


def stated(situation: Situation) -> Standing:
    """The statements that are held; none where there is no register."""
    return situation.register.standing if situation.register else _NOTHING_STATED
