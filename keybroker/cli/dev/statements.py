"""What has to be stated so that a development deployment may use its keys? Every kind of standing evidence, for TEST.

Nothing here was checked by anybody: the attesters are made with the deployment, and their statements count in it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from keybroker.cli import stating
from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import Criticality
from keybroker.gates.approvals import fingerprint_of
from keybroker.gates.model import ModuleIdentity, Node
from keybroker.gates.thresholds_content import critical_variants
from keybroker.keys.orders import ADMINISTRATORS as ORDERING
from keybroker.statement.approval import MOST_USES, Approval, ApprovedMessage
from keybroker.statement.kind import LONGEST, STANDING, StatementKind
from keybroker.statement.payloads import (
    Clearance,
    CommitteeOpinion,
    Location,
    ModuleClassification,
    ModuleNames,
    Person,
    Screening,
    SecurityCertificate,
    Threshold,
    ThresholdNotification,
)
from keybroker.statement.said import Said
from keybroker.terms import EntityIdentifier

OFFICER = "evidence-officer"
"""States everything that stands, and vouches for the administrators."""
ADMINISTRATORS = ("administrator-a", "administrator-b")
CHECK = "check"
"""The system of each party that applies Supply Sensitive Checks."""
OPERATOR = "operator"
"""The system as which ``keybroker keys request`` asks, at the machine."""
_COUNTRY, _PEOPLE_SITE = "GB", "dev-office"
_GUIDANCE = "DEV-GUIDANCE-1"
_MANY = 10_000_000
_DAY_SECONDS = 86_400

KINDS: Mapping[str, frozenset[StatementKind]] = {
    OFFICER: STANDING - {StatementKind.VARIANT_NOT_SENSITIVE} | {StatementKind.QUARANTINE_REPORT},
    **dict.fromkeys(
        ADMINISTRATORS,
        frozenset({StatementKind.ORDER, StatementKind.QUARANTINE_ACTION, StatementKind.VARIANT_NOT_SENSITIVE}),
    ),
}
"""What each person of a development deployment may state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is stated about: ``systems`` are the calling systems of each party, ``users`` the User IDs of each."""

    origin: str
    part: str
    module: ModuleIdentity
    node: Node
    systems: Mapping[str, Sequence[str]]
    users: Mapping[str, Sequence[EntityIdentifier]]
    encrypted: Sequence[str]
    """Service Reference Variants whose responses carry encrypted data."""
    at: datetime
    limits: Mapping[str, int] = field(default_factory=dict)
    """Other quarantine thresholds than the large one, by variant."""


def statements(scene: Scene) -> Iterator[Said]:
    """By the officer, in the order in which they are taken in; people last, who may act from then on."""
    yield from _of_module(scene)
    for party in scene.systems:
        yield from _locations(scene, party)
    yield _opinion(scene)
    for users in scene.users.values():
        for user in users:
            yield _notification(scene, user)
    yield _notification(scene, None)
    for name in ADMINISTRATORS:
        yield Location(
            **_common(scene, StatementKind.LOCATION),
            of="person",
            subject=name,
            party="operator",
            country=_COUNTRY,
            site=_PEOPLE_SITE,
            people=[],
        )
        yield _person(scene, name)


def module_names(module: ModuleIdentity) -> ModuleNames:
    """As the module reports itself."""
    return ModuleNames(
        manufacturer=module.manufacturer,
        model=module.model,
        serial=module.serial,
        members=[module.serial],
        firmware_version=module.firmware_version,
        hardware_version=module.hardware_version,
    )


def common(origin: str, at: datetime, kind: StatementKind, *, last: timedelta | None = None) -> stating.Common:
    """What every statement says; it lasts as long as its kind allows unless ``last`` is shorter."""
    return stating.common(origin, at, last or LONGEST[kind])


def _common(scene: Scene, kind: StatementKind) -> stating.Common:
    return common(scene.origin, scene.at, kind)


def decision(origin: str, at: datetime, public_keys: Iterable[bytes], messages: Iterable[ApprovedMessage]) -> Approval:
    """As if of the SMKI PMA: these keys are used for these messages, as often as one approval allows."""
    return Approval(
        **common(origin, at, StatementKind.APPROVAL),
        committee="smki-pma",
        about="combine",
        reference="DEV-PMA-1 TEST",
        keys=[fingerprint_of(public_key) for public_key in public_keys],
        conditions=[],
        messages=list(messages),
        uses=MOST_USES,
    )


def to_devices(codes: Iterable[int], devices: Iterable[EntityIdentifier]) -> list[ApprovedMessage]:
    """Every message of each Message Code to any of these Devices."""
    euis = [str(device) for device in devices]
    return [ApprovedMessage(code=str(MESSAGE_CODES[code]), devices=euis) for code in sorted(codes)]


def _of_module(scene: Scene) -> Iterator[Said]:
    yield ModuleClassification(
        **_common(scene, StatementKind.MODULE_CLASSIFICATION),
        module=module_names(scene.module),
        scheme="DEV-SCHEME TEST",
        classification="TEST",
    )


def _locations(scene: Scene, party: str) -> Iterator[Said]:
    """The module, the node, and every system of the party, its check system included."""
    module, node = scene.module, scene.node
    yield _location(scene, party, "module", module.serial, module.site)
    yield _location(scene, party, "node", node.identity, node.site)
    for system in (*scene.systems[party], CHECK, OPERATOR):
        yield _location(scene, party, "system", f"{party}/{system}", node.site)


def _location(scene: Scene, party: str, of: str, subject: str, site: str) -> Location:
    said: dict[str, object] = {
        **_common(scene, StatementKind.LOCATION),
        "of": of,
        "subject": subject,
        "party": party,
        "country": _COUNTRY,
        "site": site,
        "environment": SecurityCertificate(
            standard="ISO/IEC 27001",
            reference="DEV-27001 TEST",
            expires=int((scene.at + LONGEST[StatementKind.LOCATION]).timestamp()),
        ),
        "people": list(ADMINISTRATORS),
    }
    return Location.model_validate(said)


def _person(scene: Scene, name: str) -> Person:
    at = int(scene.at.timestamp())
    return Person(
        **_common(scene, StatementKind.PERSON),
        person=name,
        party="operator",
        roles=sorted(ORDERING),
        clearance=Clearance(level="DEV-SC TEST", reviewed=at),
        screening=Screening(standard="BS 7858:2019", passed=at),
        security_check=at,
        engagements=[],
    )


def _opinion(scene: Scene) -> CommitteeOpinion:
    return CommitteeOpinion(
        **_common(scene, StatementKind.COMMITTEE_OPINION),
        committee="security-sub-committee",
        about="threshold-consulted",
        subject=scene.part,
        reference=_GUIDANCE,
    )


def _notification(scene: Scene, user: EntityIdentifier | None) -> ThresholdNotification:
    return ThresholdNotification(
        **_common(scene, StatementKind.THRESHOLD_NOTIFICATION),
        user=None if user is None else str(user),
        part=scene.part,
        sequence=1,
        guidance=_GUIDANCE,
        thresholds=[*_counted(scene), *(_of_codes() if user is None else ())],
    )


def _counted(scene: Scene) -> Iterator[Threshold]:
    for measure, variants in (("critical", critical_variants()), ("encrypted", scene.encrypted)):
        for variant in variants:
            yield Threshold.model_validate(
                {"measure": measure, "variant": variant} | _limits(scene.limits.get(variant))
            )


def _of_codes() -> Iterator[Threshold]:
    """Each type of critical Command that belongs to no variant (SEC G6.6(c))."""
    signed = (Criticality.CRITICAL, Criticality.VARIANT)
    for code in MESSAGE_CODES.values():
        if code.is_command and code.criticality in signed and not code.service_reference_variants:
            yield Threshold.model_validate({"measure": "critical", "code": str(code)} | _limits(None))


def _limits(quarantine: int | None) -> dict[str, int]:
    most = _MANY if quarantine is None else quarantine
    return {"period_seconds": _DAY_SECONDS, "warning": most, "quarantine": most}
