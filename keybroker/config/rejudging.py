"""By what is a use judged again? The texts that were in force, as far as they are at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from keybroker.config.file import read_file
from keybroker.config.packaged import packaged_policies
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.file import read_policies, read_policy
from keybroker.policy.model import Policy
from keybroker.terms import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What texts say, by SHA-256 of each (32 octets): a policy, or a configuration's caller table by identity."""

    policies: Mapping[bytes, Policy]
    callers: Mapping[bytes, Mapping[str, Caller]]


def read_texts(texts: Iterable[bytes]) -> Texts:
    """Policies and configurations among these texts, and the policies that travel with this version.

    A text that this version cannot read is not at hand: what it judged is counted as not judged.
    """
    policies = {policy.sha256: policy for policy in read_policies(packaged_policies()).values()}
    callers: dict[bytes, Mapping[str, Caller]] = {}
    for text in texts:
        digest = sha256(text).digest()
        try:
            policies[digest] = read_policy(text, name=digest.hex())
        except ConfigurationInvalid:
            if (table := _callers(text)) is not None:
                callers[digest] = table
    return Texts(policies=policies, callers=callers)


def _callers(text: bytes) -> Mapping[str, Caller] | None:
    """None for what is no configuration that this version reads."""
    try:
        return {entry.identity: entry.caller() for entry in read_file(text, name="in force").caller}
    except ConfigurationInvalid:
        return None
