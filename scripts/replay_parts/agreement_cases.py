"""What is asked of Key Agreement keys: every Command's MAC, every Response's and Alert's, and what is encrypted.

What must come of each is worked out by ``host`` with the published private keys, and from handbook 1.6, 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec

from scripts.replay_parts import host
from scripts.replay_parts.agreement_keys import AgreementKey, AgreementKeys
from scripts.replay_parts.cases import Message
from scripts.replay_parts.slicing import NotSliced, Sliced, slice_message

_MAC = 12
_HAN_ONLY = frozenset({0x0090, 0x009B})
"""Table 2.3, device(HAN): PCS02, PCS01."""
_NEVER_WITH_MAC = frozenset({0x0108, 0x0109})
_EITHER_WAY = frozenset({0x0008, 0x011B})
"""Table 2.2."""
_COMMAND = 1


class Ask(StrEnum):
    """What is asked, as the summary counts it."""

    MAC = "mac"
    CHECK = "check"
    DECIPHER = "decipher"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementCase:
    """Octets sent for a key. ``device`` is the EUI whose certificate goes with them, ``originator`` of whom another.

    ``outputs`` must come back, unless ``reason`` does; ``rule`` is one that must be among those that refused.
    """

    message: Message
    form: str
    ask: Ask
    octets: bytes
    key: AgreementKey
    device: bytes
    number: int = -1
    originator: bytes = b""
    outputs: tuple[bytes, ...] = ()
    reason: str | None = None
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.message.name} ({self.message.kind}, {self.form}) for {self.key.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The cases; ``macs`` counts the MACs of Commands that the published ACB key made, ``response_macs`` those of
    answers to parties whose keys are held; ``elsewhere`` the MACs under keys that are not.
    """

    cases: tuple[AgreementCase, ...]
    macs: int
    response_macs: int
    encrypted: int
    elsewhere: int


def plan_agreement(messages: Iterable[Message], keys: AgreementKeys) -> Planned:
    """Every case, in the order of the messages."""
    found: list[AgreementCase] = []
    elsewhere = 0
    for message in messages:
        try:
            sliced = slice_message(message.octets)
        except NotSliced as error:
            raise SystemExit(f"{message.name}: {error}: the file is not one of GBCS messages") from error
        own = list(_cases(message, sliced, keys, first=len(found)))
        found += own
        elsewhere += sliced.mac_wrapped and not any(_has_mac(each) for each in own)
    return _counted(tuple(found), elsewhere=elsewhere)


def sample(planned: Planned, *, most: int) -> Planned:
    """Of each kind of asking at most so many cases, from the whole of the file, and none that is refused."""
    chosen: list[AgreementCase] = []
    for ask in Ask:
        own = [case for case in planned.cases if case.ask is ask and _made(case)]
        chosen += own[:: max(1, -(-len(own) // most))]
    return _counted(tuple(chosen), elsewhere=0)


def _counted(cases: tuple[AgreementCase, ...], *, elsewhere: int) -> Planned:
    def made(ask: Ask) -> int:
        return sum(_made(each) and each.ask is ask for each in cases)

    return Planned(
        cases=cases,
        macs=made(Ask.MAC),
        response_macs=made(Ask.CHECK),
        encrypted=made(Ask.DECIPHER),
        elsewhere=elsewhere,
    )


def _made(case: AgreementCase) -> bool:
    return case.reason is None


def _has_mac(case: AgreementCase) -> bool:
    return case.ask is not Ask.DECIPHER and _made(case)


def _cases(message: Message, sliced: Sliced, keys: AgreementKeys, *, first: int) -> Iterator[AgreementCase]:
    made = _of_command if sliced.cra == _COMMAND else _of_answer
    for number, case in enumerate(made(message, sliced, keys), first):
        yield replace(case, number=number)


def _of_command(message: Message, sliced: Sliced, keys: AgreementKeys) -> Iterator[AgreementCase]:
    """With the ACB's key, where it is held and the Device is known; nothing of what has no signature field yet."""
    acb, device = keys.access_control_broker, keys.devices.get(sliced.recipient)
    without_mac = sliced.code in _HAN_ONLY or _carries_no_mac(sliced)
    if acb is None or device is None or not (sliced.mac_wrapped or without_mac):
        return
    case = AgreementCase(
        message=message,
        form="its inner part",
        ask=Ask.MAC,
        octets=sliced.inner,
        key=acb,
        device=sliced.recipient,
        originator=sliced.originator if sliced.signature else b"",
        outputs=(message.octets,),
    )
    if without_mac:
        yield _refused(case, "a form without the ACB's MAC", "command-carries-a-mac")
    elif host.mac_of(sliced, acb.private_key, device) == message.octets[-_MAC:]:
        yield case
        yield from _spoilt(case, sliced, keys)


def _carries_no_mac(sliced: Sliced) -> bool:
    """By Recovery and by Contingency; CS02a and CS02f where they are signed (table 2.2)."""
    return sliced.code in _NEVER_WITH_MAC or (sliced.code in _EITHER_WAY and bool(sliced.signature))


def _spoilt(case: AgreementCase, sliced: Sliced, keys: AgreementKeys) -> Iterator[AgreementCase]:
    yield replace(
        case, form="with its MAC already", octets=case.message.octets, outputs=(), reason="CONTENT_MAC_WRAPPED"
    )
    if sliced.signature:
        octets = sliced.inner[:-1] + bytes([sliced.inner[-1] ^ 1])
        yield _refused(replace(case, octets=octets), "signature spoilt", "originator-signature-verifies")
        unsigned = replace(case, octets=sliced.unsigned + b"\0", originator=b"")
        yield _refused(unsigned, "signature left out", "signature-as-message-code-says")
    another = next((eui for eui in keys.devices if eui != sliced.recipient), None)
    if another is not None:
        wrong = replace(case, device=another)
        yield _refused(wrong, "with another Device's certificate", "device-certificate-is-the-devices")


def _refused(case: AgreementCase, form: str, rule: str) -> AgreementCase:
    return replace(case, form=form, outputs=(), reason="NOT_PERMITTED", rule=rule)


def _of_answer(message: Message, sliced: Sliced, keys: AgreementKeys) -> Iterator[AgreementCase]:
    """With the key of the party to which the Device answered, and of the one for which it enciphered."""
    device = keys.devices.get(sliced.originator)
    recipient, party = keys.parties.get(sliced.recipient), keys.parties.get(host.addressee(sliced))
    if device is None:
        return
    if recipient is not None:
        yield from _checks(message, sliced, recipient, device)
    if party is not None:
        yield from _decipherings(message, sliced, party, device)


def _checks(
    message: Message, sliced: Sliced, key: AgreementKey, device: ec.EllipticCurvePublicKey
) -> Iterator[AgreementCase]:
    case = AgreementCase(
        message=message, form="as it is", ask=Ask.CHECK, octets=message.octets, key=key, device=sliced.originator
    )
    if not sliced.mac_wrapped:
        yield replace(case, form="signed, without a MAC", reason="CONTENT_MALFORMED")
    elif host.mac_of(sliced, key.private_key, device) == message.octets[-_MAC:]:
        yield case
        octets = message.octets[:-1] + bytes([message.octets[-1] ^ 1])
        yield replace(case, form="MAC spoilt", octets=octets, reason="PROTECTION_INVALID")
    else:
        yield replace(case, form="with a MAC that is not right", reason="PROTECTION_INVALID")


def _decipherings(
    message: Message, sliced: Sliced, key: AgreementKey, device: ec.EllipticCurvePublicKey
) -> Iterator[AgreementCase]:
    case = AgreementCase(
        message=message,
        form="its encrypted data",
        ask=Ask.DECIPHER,
        octets=message.octets,
        key=key,
        device=sliced.originator,
        outputs=tuple(host.decipher(sliced, key.private_key, device)),
    )
    if case.outputs:
        yield case
    elif not host.has_security_header(sliced):
        yield replace(case, form="nothing encrypted", reason="CONTENT_MALFORMED")
