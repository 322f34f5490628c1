"""What may stand in keybroker.toml? Read strictly: an unknown, missing or mistyped key refuses and names file and key.

No key that guards has a default. Octets in, ``ConfigurationFile`` out; nothing here opens a file.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from keybroker.config.anomalies_table import SAFE_TABLE, AnomaliesTable
from keybroker.config.checkpoints_table import CheckpointsTable, WitnessesTable
from keybroker.config.table import Count, Name, Seconds, Table, Text
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.strict_toml import read_toml
from keybroker.terms import (
    Caller,
    CallerKind,
    DeploymentKind,
    EntityIdentifier,
    KeyLabel,
    Operation,
    PartyName,
    RelevantSystem,
    SystemName,
    UserRole,
)

_IDENTITY = re.compile(r"uri:[^\s]+|sha256:[0-9a-f]{64}")
_PLACE = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")


class DeploymentTable(Table):
    kind: Annotated[DeploymentKind, Field(strict=False)]
    party: Name | None = None
    system: Annotated[RelevantSystem, Field(strict=False)]
    """What this deployment is: User Systems, or a part of the DCC Live Systems (G2.22A, G2.25)."""
    part: Name
    """The part for which Anomaly Detection Thresholds are notified (G6.6A)."""
    ledger_origin: Text
    data_directory: Text
    fixed_clock: AwareDatetime | None = None

    @model_validator(mode="after")
    def _live_and_test_differ(self) -> Self:
        live = self.kind is DeploymentKind.LIVE
        if live and self.party is None:
            raise ValueError(
                "a live deployment belongs to one party: name it in deployment.party (G2.25, G3.14, G2.20(c))"
            )
        if live and self.fixed_clock is not None:
            raise ValueError("deployment.fixed_clock exists in a test deployment only")
        if not live and self.party is not None:
            raise ValueError("deployment.party exists in a live deployment only: a test deployment may hold several")
        return self


class NodeTable(Table):
    """This machine, as location evidence names it (G3.23)."""

    name: Name
    site: Name


class PeopleTable(Table):
    """What G2.24(b) and G3.13(b) leave to the party: its cooling-off period between the two kinds of system."""

    cooling_off_days: Annotated[int, Field(ge=0, le=3660)]


class ServerTable(Table):
    listen: Annotated[str, Field(pattern=r"^.+:[0-9]{1,5}$")]
    metrics: Annotated[str, Field(pattern=r"^.+:[0-9]{1,5}$")]
    certificate: Text
    private_key: Text
    client_anchors: Text
    log: Literal["json", "console"]


class LimitsTable(Table):
    message_octets: Annotated[int, Field(ge=64, le=1 << 20)]
    batch_items: Annotated[int, Field(ge=1, le=4096)]
    queued_items: Count
    deadline_seconds: Count
    connection_age_seconds: Count
    connection_grace_seconds: Count
    drain_seconds: Count

    @model_validator(mode="after")
    def _queue_holds_a_batch(self) -> Self:
        if self.queued_items < 2 * self.batch_items:
            raise ValueError(
                "limits.queued_items is smaller than twice limits.batch_items: a caller holds at most half of the"
                " queue, and a whole batch could never be queued"
            )
        return self


class PinTable(Table):
    environment: Text | None = None
    file_descriptor: Annotated[int, Field(ge=0)] | None = None
    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    prompt: bool | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in PinTable.model_fields if getattr(self, name) is not None]
        if len(given) != 1 or self.prompt is False:
            raise ValueError(
                "exactly one of environment, file_descriptor, credential, prompt = true says where the PIN is"
            )
        return self


class ModuleTable(Table):
    profile: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    library: Text
    token_label: Text
    token_serial: Text
    site: Name
    sessions: Annotated[int, Field(ge=1, le=256)]
    pin: PinTable
    environment: dict[str, str] = Field(default_factory=dict)


class LedgerTable(Table):
    url: Text
    request_ids_kept_days: Count
    anchor_seconds: Count


class AnchorsTable(Table):
    certificates: list[Text]
    test_certificates: list[Text]
    device_certificates: list[Text] = Field(default_factory=list)
    """Behind Device Certificates; of the deployment's own kind. None: no Device Certificate is relied on."""


class PoliciesTable(Table):
    directory: Text


class TimeTable(Table):
    """SEC G2.46, G2.47. ``source`` is the Independent Time Source where ``network_time`` is compared with it."""

    source: Text
    network_time: Text | None = None
    largest_difference_seconds: Annotated[Seconds, Field(le=60)]
    read_every_seconds: Annotated[Seconds, Field(ge=1, le=3600)]
    reading_counts_seconds: Annotated[Seconds, Field(le=86400)]
    timeout_seconds: Annotated[Seconds, Field(le=5)]

    @field_validator("source", "network_time")
    @classmethod
    def _is_a_place(cls, place: str | None) -> str | None:
        found = None if place is None else _PLACE.fullmatch(place)
        if place is not None and (found is None or not 0 < int(found["port"]) < 1 << 16):
            raise ValueError('expected "host:port", an IPv6 address in brackets')
        return place

    @model_validator(mode="after")
    def _compares_two_things_in_time(self) -> Self:
        if self.network_time is not None and host_of(self.network_time) == host_of(self.source):
            raise ValueError("time.network_time and time.source are one host: it would be compared with itself (G2.46)")
        if self.reading_counts_seconds <= self.read_every_seconds + self.timeout_seconds:
            raise ValueError(
                "time.reading_counts_seconds is not longer than read_every_seconds and timeout_seconds together: the"
                " gates would shut between two readings"
            )
        return self


class CallerTable(Table):
    identity: str
    party: Name
    system: Name
    kind: Annotated[CallerKind, Field(strict=False)]
    user_roles: list[Annotated[UserRole, Field(strict=False)]]
    euis: list[str]
    operations: list[Annotated[Operation, Field(strict=False)]]
    keys: list[Name]

    @field_validator("identity")
    @classmethod
    def _is_an_identity(cls, identity: str) -> str:
        if not _IDENTITY.fullmatch(identity):
            raise ValueError('expected "uri:<a SAN URI>" or "sha256:<64 lower-case hex digits of the certificate>"')
        return identity

    @field_validator("kind")
    @classmethod
    def _comes_over_tls(cls, kind: CallerKind) -> CallerKind:
        if kind is CallerKind.BROKER:
            raise ValueError("the broker itself is no caller")
        return kind

    @field_validator("euis")
    @classmethod
    def _are_euis(cls, euis: list[str]) -> list[str]:
        for eui in euis:
            EntityIdentifier.from_text(eui)
        return euis

    def caller(self) -> Caller:
        return Caller(
            identity=self.identity,
            party=PartyName(self.party),
            system=SystemName(self.system),
            kind=self.kind,
            user_roles=frozenset(self.user_roles),
            euis=frozenset(EntityIdentifier.from_text(eui) for eui in self.euis),
            operations=frozenset(self.operations),
            keys=frozenset(KeyLabel(key) for key in self.keys),
        )


class ConfigurationFile(Table):
    """keybroker.toml, whole."""

    deployment: DeploymentTable
    node: NodeTable
    people: PeopleTable
    server: ServerTable
    limits: LimitsTable
    module: ModuleTable
    ledger: LedgerTable
    anchors: AnchorsTable
    policies: PoliciesTable | None = None
    time: TimeTable | None = None
    anomalies: AnomaliesTable | None = None
    """Absent: safe figures in a live deployment, and no watch in a test deployment."""
    checkpoints: CheckpointsTable | None = None
    """Absent: none are signed, and nobody outside can hold the broker to what it has shown."""
    witnesses: WitnessesTable | None = None
    """Absent: nobody but the module remembers the ledger."""
    caller: list[CallerTable]

    @property
    def watch(self) -> AnomaliesTable | None:
        """How the ledger is watched for Anomalous Events; None: it is not, in a test deployment without the table."""
        return self.anomalies or (SAFE_TABLE if self.deployment.kind is DeploymentKind.LIVE else None)

    @model_validator(mode="after")
    def _anchors_fit_the_deployment(self) -> Self:
        if self.deployment.kind is DeploymentKind.LIVE and self.anchors.test_certificates:
            raise ValueError("anchors.test_certificates: a live deployment takes no test anchor")
        if self.deployment.kind is DeploymentKind.TEST and self.anchors.certificates:
            raise ValueError("anchors.certificates: a test deployment signs only under anchors listed as test")
        return self

    @model_validator(mode="after")
    def _origin_can_name_a_key(self) -> Self:
        if self.checkpoints is not None and "+" in self.deployment.ledger_origin:
            raise ValueError(
                "checkpoints: the key that signs them is named after deployment.ledger_origin, and a key's name holds"
                ' no "+" (C2SP signed-note): such a ledger has no checkpoints'
            )
        return self

    @model_validator(mode="after")
    def _witnesses_are_shown_checkpoints_in_time(self) -> Self:
        witnesses, checkpoints = self.witnesses, self.checkpoints
        if witnesses is None:
            return self
        if checkpoints is None:
            raise ValueError("witnesses: they cosign checkpoints, and none are signed: name a key in [checkpoints]")
        if self.deployment.fixed_clock is not None:
            raise ValueError("witnesses and deployment.fixed_clock: a clock that stands still is compared with nothing")
        behind, every = witnesses.at_most_behind_seconds, checkpoints.every_seconds
        if behind <= every or witnesses.at_most_behind_records <= checkpoints.every_records:
            raise ValueError(
                "witnesses.at_most_behind_seconds and at_most_behind_records are not more than every_seconds and"
                " every_records of [checkpoints]: the gates would shut between two checkpoints"
            )
        return self

    @model_validator(mode="after")
    def _each_identity_once(self) -> Self:
        identities = [caller.identity for caller in self.caller]
        for identity in identities:
            if identities.count(identity) > 1:
                raise ValueError(f"caller: identity {identity} stands twice")
        return self

    @model_validator(mode="after")
    def _clock_is_compared(self) -> Self:
        if self.deployment.kind is DeploymentKind.LIVE and self.time is None:
            raise ValueError(
                "time: a live deployment compares its clock with a source other than the one that disciplines it: name"
                " it in [time] (G2.46-G2.47)"
            )
        if self.deployment.fixed_clock is not None and self.time is not None:
            raise ValueError("deployment.fixed_clock and [time]: a clock that stands still is compared with nothing")
        return self


def host_of(place: str) -> str:
    """The host of ``host:port``, as it is compared: lower case, without brackets and without the dot of the root."""
    return place.rpartition(":")[0].strip("[]").rstrip(".").lower()


def port_of(place: str) -> int:
    return int(place.rpartition(":")[2])


def read_file(octets: bytes, *, name: str) -> ConfigurationFile:
    """Raises: ConfigurationInvalid that names the file and every key that is wrong."""
    try:
        read = read_toml(octets)
    except ValueError as error:
        raise ConfigurationInvalid(f"is not TOML: {error}", where=name) from error
    try:
        return ConfigurationFile.model_validate(read)
    except ValidationError as error:
        raise ConfigurationInvalid(_complaints(error), where=name) from error


_WORDS = {
    "extra_forbidden": "there is no such key; mend its name or take it out",
    "missing": "is demanded and not there; nothing that guards has a default",
}


def _complaints(error: ValidationError) -> str:
    """Each complaint as ``path.of.key: what``, without the values found: one might be a secret in the wrong place."""
    lines = []
    for complaint in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in complaint["loc"])
        what = _WORDS.get(complaint["type"]) or complaint["msg"].replace("Input should be", "expected", 1)
        lines.append(f"{key}: {what}" if key else what)
    return "; ".join(lines)
