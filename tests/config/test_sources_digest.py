"""One digest over every file that a reload reads: what an order names is what is taken, to the octet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from keybroker.config.sources import Sources

SOURCES = Sources(
    path=Path("/etc/keybroker/keybroker.toml"),
    octets=b"[deployment]\n",
    policies={"user-xml.toml": b"a = 1\n", "root-oca.toml": b"b = 2\n"},
    anchors={"root.pem": b"PEM"},
)

CHANGED: dict[str, Sources] = {
    "an octet of the file": replace(SOURCES, octets=b"[deployment]\r\n"),
    "an octet of a policy": replace(SOURCES, policies={**SOURCES.policies, "root-oca.toml": b"b = 3\n"}),
    "a policy more": replace(SOURCES, policies={**SOURCES.policies, "c.toml": b""}),
    "a policy less": replace(SOURCES, policies={"user-xml.toml": b"a = 1\n"}),
    "two policies changed round": replace(SOURCES, policies={"user-xml.toml": b"b = 2\n", "root-oca.toml": b"a = 1\n"}),
    "an anchor under another name": replace(SOURCES, anchors={"other.pem": b"PEM"}),
    "an octet of an anchor": replace(SOURCES, anchors={"root.pem": b"PEN"}),
    "a policy that is an anchor": replace(SOURCES, policies={}, anchors={**SOURCES.anchors, **SOURCES.policies}),
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_another_configuration_has_another_digest(changed: Sources) -> None:
    assert changed.digest != SOURCES.digest


def test_the_same_files_elsewhere_and_in_another_order_have_the_same_digest() -> None:
    turned = {name: SOURCES.policies[name] for name in reversed(list(SOURCES.policies))}
    assert replace(SOURCES, path=Path("/srv/k.toml"), policies=turned).digest == SOURCES.digest


def test_a_stranger_computes_the_digest_from_what_is_documented() -> None:
    def sha256(octets: bytes) -> str:
        return hashlib.sha256(octets).hexdigest()

    told = {
        "anchors": {"root.pem": sha256(b"PEM")},
        "configuration": sha256(b"[deployment]\n"),
        "policies": {"root-oca.toml": sha256(b"b = 2\n"), "user-xml.toml": sha256(b"a = 1\n")},
    }
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    assert SOURCES.digest == hashlib.sha256(canonical).digest()
