"""How is ``policies/<key-purpose>.toml`` read? Strictly, whole, and held against the clause it stands on.

The data says what and how much. What a clause leaves no choice about (a User's key never leaves its module; SEC
G3.29 is for Users, G2.56 for the DCC) is checked here, so that no file can say otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn, TypeVar

from keybroker.content.message_codes import MESSAGE_CODES
from keybroker.content.model import Criticality
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.conflicts import find_conflicts
from keybroker.policy.file_form import Life, ModuleValidation, PolicyFile, Table
from keybroker.policy.model import GateRequirement, ModuleRequirement, Policy
from keybroker.policy.settings import (
    AnomalyThresholdSettings,
    CertificateSettings,
    DatedStandard,
    EcosSettings,
    LifeSettings,
    ModuleValidationSettings,
    PrepaymentSettings,
    RevocationListSettings,
    ServiceRequestSettings,
    Settings,
    Smets1Settings,
    SupplySensitiveCheckSettings,
)
from keybroker.policy.toml_form import read_form
from keybroker.terms import KeyPurpose, RemotePartyRole

_Item = TypeVar("_Item")


def read_policy(octets: bytes, *, name: str) -> Policy:
    """Read one policy file; ``name`` is how messages call it.

    Raises: ConfigurationInvalid when it is not UTF-8 TOML of exactly the known keys and types, repeats itself, names
    what does not exist, or says what its purpose's clause forbids.
    """
    policy = _policy(read_form(octets, PolicyFile, where=name, of_tuples=False), octets, name)
    for conflict in find_conflicts(policy):
        _invalid(conflict, name)
    return policy


def read_policies(files: Mapping[str, bytes]) -> Mapping[KeyPurpose, Policy]:
    """Read all policies, by file name: every key purpose exactly once, in the file that bears its name.

    Raises: ConfigurationInvalid.
    """
    policies: dict[KeyPurpose, Policy] = {}
    for name, octets in files.items():
        policy = read_policy(octets, name=name)
        if name != f"{policy.purpose}.toml":
            _invalid(f"expected in {policy.purpose}.toml", name)
        policies[policy.purpose] = policy
    missing = [purpose for purpose in KeyPurpose if purpose not in policies]
    if missing:
        _invalid(f"expected a policy for every key purpose, found none for {', '.join(missing)}", "policies")
    return policies


def _policy(file: PolicyFile, octets: bytes, name: str) -> Policy:
    groups = tuple((group, _once(codes, name, group)) for group, codes in file.message_codes.items())
    gates = tuple(GateRequirement(gate=each.gate, clause=each.clause) for each in file.gates)
    _once([each.gate for each in gates], name, "gates")
    return Policy(
        purpose=file.purpose,
        title=file.title,
        clauses=tuple(file.clauses),
        use_clause=file.use_clause,
        effective_from=file.effective_from,
        effective_until=_until(file, name),
        caller_kinds=_once(file.caller_kinds, name, "caller_kinds"),
        operations=_once(file.operations, name, "operations"),
        content_kinds=_once(file.content_kinds, name, "content_kinds"),
        binding=file.binding,
        roles=_once([_role(ou, name) for ou in file.roles], name, "roles"),
        message_codes=_message_codes(groups, name),
        message_code_groups=groups,
        module=ModuleRequirement(requirement=file.module.requirement, clause=file.module.clause),
        location=file.location,
        gates=gates,
        algorithm=file.algorithm,
        key_usage=file.key_usage,
        settings=_settings(file, name),
        export=file.export,
        sha256=hashlib.sha256(octets).digest(),
    )


def _settings(file: PolicyFile, name: str) -> Settings:
    """The tables that the file has. Raises: ConfigurationInvalid where a list repeats itself."""
    return Settings(
        certificates=_table(CertificateSettings, file.certificates, name),
        revocation_lists=_table(RevocationListSettings, file.revocation_lists, name),
        ecos=_table(EcosSettings, file.ecos, name),
        prepayment=_table(PrepaymentSettings, file.prepayment, name),
        smets1=_table(Smets1Settings, file.smets1, name),
        service_requests=_table(ServiceRequestSettings, file.service_requests, name),
        supply_sensitive_check=_table(SupplySensitiveCheckSettings, file.supply_sensitive_check, name),
        anomaly_thresholds=_table(AnomalyThresholdSettings, file.anomaly_thresholds, name),
        module_validation=_module_validation(file.module.validation),
        life=_life(file.life, name),
    )


def _life(table: Life, name: str) -> LifeSettings:
    return LifeSettings(
        cryptoperiod_days=table.cryptoperiod_days,
        uses=table.uses,
        two_people=_once(list[str](table.two_people), name, "two_people"),
        roles={act: _once(roles, name, "roles") for act, roles in table.roles.items()},
        demanded=_once(list[str](table.demanded), name, "demanded"),
    )


def _module_validation(table: ModuleValidation | None) -> ModuleValidationSettings | None:
    if table is None:
        return None
    standards = tuple(DatedStandard(**dict(each)) for each in table.standards)
    return ModuleValidationSettings(standards=standards, historical_accepted_until=table.historical_accepted_until)


def _table(kind: Callable[..., _Item], table: Table | None, name: str) -> _Item | None:
    if table is None:
        return None
    values = {key: _once(value, name, key) if isinstance(value, list) else value for key, value in dict(table).items()}
    return kind(**values)


def _until(file: PolicyFile, name: str) -> datetime | None:
    if file.effective_until is not None and file.effective_until <= file.effective_from:
        _invalid("effective_until: expected later than effective_from", name)
    return file.effective_until


def _role(ou: str, name: str) -> RemotePartyRole:
    try:
        return RemotePartyRole(int(ou, 16))
    except ValueError as error:
        raise ConfigurationInvalid(f"roles: {ou} is no Remote Party Role", where=name) from error


def _message_codes(groups: tuple[tuple[str, frozenset[int]], ...], name: str) -> frozenset[int]:
    """All codes of all groups: each in one group, in the table, and signed (criticality not blank, not MAC-only)."""
    codes = [code for _, group in groups for code in sorted(group)]
    for code in codes:
        known = MESSAGE_CODES.get(code)
        if known is None or not known.is_command:
            _invalid(f"message_codes: 0x{code:04X} is the Message Code of no Command", name)
        if known.criticality not in (Criticality.CRITICAL, Criticality.VARIANT):
            _invalid(f"message_codes: {known} is {known.criticality}, so not signed", name)
    return _once(codes, name, "message_codes")


def _once(items: list[_Item], name: str, key: str) -> frozenset[_Item]:
    once = frozenset(items)
    if len(once) != len(items):
        _invalid(f"{key}: expected each item once", name)
    return once


def _invalid(sentence: str, name: str) -> NoReturn:
    raise ConfigurationInvalid(sentence, where=name)
