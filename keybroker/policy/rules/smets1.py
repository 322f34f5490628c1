"""May this SMETS1 Symmetric Key be used so? SEC G2.44(c), G2.44(e), G2.44A; IEC 62056-5-3 security suite 0."""

from __future__ import annotations

from hashlib import sha256

from keybroker.content.ciphered_apdu import LARGEST_COUNTER
from keybroker.content.smets1_instruction import Smets1Instruction
from keybroker.content.smets1_response import Smets1Response
from keybroker.policy.claim import Allocated, Claim, IncreasingOnSuccess
from keybroker.policy.model import Policy, RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.smets1_circumstance import module_demand, stated
from keybroker.policy.smets1_enrolment import Enrolment
from keybroker.terms import Finding, RuleName

# SEC G2.44(c), (e): what "involves the use of a SMETS1 Symmetric Key". IEC 62056-5-3: the initialisation vector of
# security suite 0 is the originator's system title and its invocation counter. Ours is the EUI that the register has
# for the key, never the caller's to say: an initialisation vector that comes twice discloses both instructions.
SMETS1_KEY_HAS_SYSTEM_TITLE = Rule(
    name=RuleName("smets1-key-has-system-title"),
    clause="IEC 62056-5-3 initialisation vector; G2.25",
    remedy="order the key with the EUI under which its instructions go out",
)


def smets1_key_has_system_title(key: RegisteredKey) -> Finding:
    """The register has an EUI for the key."""
    if key.eui is not None:
        return SMETS1_KEY_HAS_SYSTEM_TITLE.passed
    return SMETS1_KEY_HAS_SYSTEM_TITLE.refused(expected="a key with an EUI", found="none")


# SEC G2.44A speaks of Instructions to "a SMETS1 Device", and G2.44 of its keys. IEC 62056-5-3: what comes under our own
# system title is what we sent. Opened as a Device's answer, an instruction of ours would pass for one (reflection).
SMETS1_NOT_OUR_SYSTEM_TITLE = Rule(
    name=RuleName("smets1-not-our-system-title"),
    clause="IEC 62056-5-3 system title",
    remedy="name the Device; what bears our own system title is not its answer",
)


def smets1_not_our_system_title(content: Smets1Instruction | Smets1Response, key: RegisteredKey) -> Finding:
    """The Device is not we ourselves."""
    if content.device != key.eui:
        return SMETS1_NOT_OUR_SYSTEM_TITLE.passed
    return SMETS1_NOT_OUR_SYSTEM_TITLE.refused(expected="a Device's EUI", found=f"our own, {key.eui}", offset=0)


# SEC G2.44A(b), (c): "the target Device is identified in the SMETS1 Supporting Requirements". The APDU does not name
# its target, so the key does: where the policy or a statement enrols the Device that a key was made for, it is used for
# no other; nor is a key that was made for one session (G2.44A(d)).
SMETS1_DEVICE_IS_KEYS_DEVICE = Rule(
    name=RuleName("smets1-device-is-keys-device"),
    clause="G2.44A(b), G2.44A(c), G2.44A(d)",
    remedy="use the key that was made for this Device",
)


def smets1_device_is_keys_device(
    content: Smets1Instruction | Smets1Response, key: RegisteredKey, policy: Policy, situation: Situation
) -> Finding:
    """The request is for the Device that the key's session is with, or that is enrolled for it, if one is."""
    settings = policy.settings.smets1
    if key.session is not None:
        enrolled = str(key.session.device)
    elif settings is None:
        enrolled = ""
    else:
        enrolled = Enrolment(key=key, settings=settings, standing=stated(situation), at=situation.at).device
    if enrolled in ("", str(content.device)):
        return SMETS1_DEVICE_IS_KEYS_DEVICE.passed
    return SMETS1_DEVICE_IS_KEYS_DEVICE.refused(expected=enrolled, found=str(content.device), offset=0)


# SEC G2.44A(d): "(iii) destroyed at the termination of that same session". A key that was made for a session ends with
# it: here at the latest moment that the session was given when it began, whatever was destroyed by then.
SMETS1_SESSION_LASTS = Rule(
    name=RuleName("smets1-session-lasts"),
    clause="G2.44A(d)",
    remedy="begin another session: its key is made for it",
)


def smets1_session_lasts(key: RegisteredKey, situation: Situation) -> Finding:
    """``at`` lies within the session that the key was made for, if it was made for one."""
    session = key.session
    if session is None:
        return SMETS1_SESSION_LASTS.not_applicable
    if session.made_at <= situation.at < session.until:
        return SMETS1_SESSION_LASTS.passed
    return SMETS1_SESSION_LASTS.refused(
        expected=f"a moment from {session.made_at.isoformat()}, before {session.until.isoformat()}",
        found=situation.at.isoformat(),
    )


# SEC G2.44: "all Cryptographic Processing which: [...] (c) is carried out by a DCO [...] (e) (other than in any of the
# circumstances set out in Section G2.44A) is carried out by a SMETS1 Service Provider and involves the use of a SMETS1
# Symmetric Key [...] is carried out within Cryptographic Modules which are compliant with FIPS 140-2 Level 3". Which
# module it is, is for the gates; here stands on which circumstance this use relies, if on any.
SMETS1_MODULE_DEMAND = Rule(
    name=RuleName("smets1-module-demand"),
    clause="G2.44(c), G2.44(e), G2.44A",
    remedy="have the policy say which methods add credit, and it or a statement which Devices are of which Category",
)


def smets1_module_demand(
    content: Smets1Instruction | Smets1Response, key: RegisteredKey, policy: Policy, situation: Situation
) -> Finding:
    """Says whether Level 3 is demanded, and why; refuses where the policy has nothing to say it by."""
    if policy.settings.smets1 is None:
        return SMETS1_MODULE_DEMAND.refused(expected="a policy with a table [smets1]", found="none")
    return SMETS1_MODULE_DEMAND.passed_with(
        module_demand(content, key, policy, situation.at, stated(situation)).because
    )


_COUNTER_CLAUSE = "IEC 62056-5-3 invocation counter"

RULES: tuple[Rule, ...] = (
    SMETS1_KEY_HAS_SYSTEM_TITLE,
    SMETS1_NOT_OUR_SYSTEM_TITLE,
    SMETS1_DEVICE_IS_KEYS_DEVICE,
    SMETS1_SESSION_LASTS,
    SMETS1_MODULE_DEMAND,
)


def findings(
    content: Smets1Instruction | Smets1Response,
    key: RegisteredKey,
    policy: Policy,
    situation: Situation,
) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        smets1_key_has_system_title(key),
        smets1_not_our_system_title(content, key),
        smets1_device_is_keys_device(content, key, policy, situation),
        smets1_session_lasts(key, situation),
        smets1_module_demand(content, key, policy, situation),
    )


def claims(content: Smets1Instruction | Smets1Response, key: RegisteredKey) -> tuple[Claim, ...]:
    """Protecting takes the key's next invocation counter; opening, the Device's, which only grows."""
    identifier = sha256(key.public_key).digest()
    if isinstance(content, Smets1Instruction):
        return (
            Allocated(
                rule="smets1-invocation-counter",
                clause=_COUNTER_CLAUSE,
                scope="invocation-counter",
                name=identifier,
                told="an invocation counter of this key",
                first=1,
                last=LARGEST_COUNTER,
            ),
        )
    return (
        # On success alone: a forged response with the largest counter must not silence the Device.
        IncreasingOnSuccess(
            rule="smets1-device-counter-increases",
            clause=_COUNTER_CLAUSE,
            scope="device-invocation-counter",
            name=identifier + content.device.octets,
            told="an invocation counter of this Device",
            number=content.apdu.counter,
        ),
    )
