"""May the Access Control Broker put its MAC to this Command? SEC G2.44(b); GBCS.

The ACB never MACs what we can see a Device would reject.
"""

from __future__ import annotations

from hashlib import sha256

from keybroker.content.inner_command import InnerCommand
from keybroker.content.model import Criticality
from keybroker.policy.claim import Bound, Claim
from keybroker.policy.model import RegisteredKey, Situation
from keybroker.policy.rule import Rule
from keybroker.policy.rules import device, originator, supplementary
from keybroker.terms import DeploymentKind, Finding, RuleName

COUNTER_SCOPE = "command-mac-counter"

_NO_MAC = {0x0108: "by Recovery", 0x0109: "by Contingency"}
_SIGNATURE_VARIANTS = frozenset({0x0008, 0x011B})
"""CS02a, CS02f: signed without a MAC, or with a MAC and unsigned."""
_HOME_AREA_NETWORK = frozenset({0x0090, 0x009B, 0x0116, 0x0117, 0x0118, 0x0119})
"""PCS01, PCS02, PECS01-03, HECS01: between Devices, under their own keys."""
_ACB_BY_ACB = 0x0104

# SEC G2.44: "(b) results in the application of a Message Authentication Code to any message in order to create a
# Command to be sent to a SMETS2+ Device". Some Commands carry none: those by Recovery and Contingency, the signed
# variants of CS02a and CS02f, and what one Device sends another (handbook 1.6, 2.2, 2.3).
COMMAND_CARRIES_A_MAC = Rule(
    name=RuleName("command-carries-a-mac"),
    clause="G2.44(b); GBCS Command",
    remedy="send it as it is: a Command of this form goes to the Device without the Access Control Broker's MAC",
)


def command_carries_a_mac(content: InnerCommand) -> Finding:
    """The Message Code is of a Command that goes to a Device with the Access Control Broker's MAC."""
    found = _why_no_mac(content)
    if not found:
        return COMMAND_CARRIES_A_MAC.passed
    return COMMAND_CARRIES_A_MAC.refused(
        expected="a Command that carries the Access Control Broker's MAC",
        found=f"{content.message_code} {content.message_code.use_case}, {found}",
        offset=content.message_code_offset,
    )


def _why_no_mac(content: InnerCommand) -> str:
    code = content.message_code
    if code.value in _NO_MAC:
        return f"{_NO_MAC[code.value]}: signed, and no MAC"
    if code.value in _SIGNATURE_VARIANTS and content.signature:
        return "the signed variant: no MAC"
    if code.value in _HOME_AREA_NETWORK:
        return "between Devices: no key of the Access Control Broker's"
    return "of unknown protection" if code.criticality is Criticality.UNKNOWN else ""


# GBCS: a critical Command carries the originator's Digital Signature and the Access Control Broker's MAC, a
# non-critical one the MAC alone; accessControlBrokerByACB (0x0104) is not signed either (handbook 0, 1.6). A Device
# rejects another form.
SIGNATURE_AS_MESSAGE_CODE_SAYS = Rule(
    name=RuleName("signature-as-message-code-says"),
    clause="GBCS Command; G2.44(b)",
    remedy="have a critical Command signed by its originator first; send a non-critical one unsigned",
)


def signature_as_message_code_says(content: InnerCommand) -> Finding:
    """Critical: there is a signature. Non-critical, and what comes both ways and wants a MAC: there is none."""
    wanted = content.message_code.criticality is Criticality.CRITICAL
    if bool(content.signature) is wanted or content.message_code.criticality is Criticality.UNKNOWN:
        return SIGNATURE_AS_MESSAGE_CODE_SAYS.passed
    return SIGNATURE_AS_MESSAGE_CODE_SAYS.refused(
        expected=f"{'a' if wanted else 'no'} signature for {content.message_code} ({content.message_code.criticality})",
        found="one" if content.signature else "none",
        offset=len(content.message),
    )


# GBCS: where the Access Control Broker itself is the originator (accessControlBrokerByACB; Commands for a party that
# the Device does not know, with supplementary fields), the Device takes its MAC for the originator's own. So it is
# this very key's party that the message names (handbook 1.3, 2.2, 2.3).
ACCESS_CONTROL_BROKER_IS_ORIGINATOR = Rule(
    name=RuleName("access-control-broker-is-originator"),
    clause="GBCS Grouping Header; G2.44(b)",
    remedy="have it composed with the Access Control Broker as originator",
)


def access_control_broker_is_originator(content: InnerCommand, key: RegisteredKey) -> Finding:
    """Of a form that the Access Control Broker alone originates, the originator is the key's own EUI."""
    own = content.supplementary_party is not None or content.message_code.value == _ACB_BY_ACB
    if not own:
        return ACCESS_CONTROL_BROKER_IS_ORIGINATOR.not_applicable
    if key.eui is not None and content.originator == key.eui:
        return ACCESS_CONTROL_BROKER_IS_ORIGINATOR.passed
    return ACCESS_CONTROL_BROKER_IS_ORIGINATOR.refused(
        expected=f"the key's EUI {key.eui}" if key.eui else "a key with an EUI",
        found=str(content.originator),
        offset=originator.OFFSET,
    )


# ``device.RULES`` stand here once; answers and prepayment tokens are judged by them too.
RULES: tuple[Rule, ...] = (
    COMMAND_CARRIES_A_MAC,
    SIGNATURE_AS_MESSAGE_CODE_SAYS,
    *originator.RULES,
    ACCESS_CONTROL_BROKER_IS_ORIGINATOR,
    *supplementary.RULES,
    *device.RULES,
)


def findings(content: InnerCommand, key: RegisteredKey, situation: Situation) -> tuple[Finding, ...]:
    """Every rule of this kind of content, in order."""
    return (
        command_carries_a_mac(content),
        signature_as_message_code_says(content),
        *originator.originator_findings(content, situation),
        access_control_broker_is_originator(content, key),
        *supplementary.supplementary_findings(content, situation),
        *device.device_findings(content.device_chain, content.peer, content.recipient, situation),
    )


# GBCS fixes key and initialisation vector by originator, counter and recipient (handbook 1.8). Two messages under both
# disclose what GMAC's tags are made with (SP 800-38D section 8), and whoever saw the two makes a third. A Device takes
# a counter once (handbook 1.11), so no honest Command needs a second message.
def claims(content: InnerCommand, key: RegisteredKey, situation: Situation) -> tuple[Claim, ...]:
    """The counter, for this very message: the same Command has the same MAC, however often it is asked for, and another
    has none under it. Not in a test deployment: what the DCC published for tests uses counters twice.
    """
    if situation.deployment is DeploymentKind.TEST:
        return ()
    agreed = sha256(key.public_key + content.peer).digest() + content.originator.octets + content.recipient.octets
    return (
        Bound(
            rule="command-mac-counter-used-once",
            clause="GBCS key agreement; G2.44(b)",
            scope=COUNTER_SCOPE,
            name=agreed + content.originator_counter.to_bytes(8, "big"),
            told=f"Originator Counter {content.originator_counter} of {content.originator} for {content.recipient}",
            value=content.sha256,
        ),
    )
