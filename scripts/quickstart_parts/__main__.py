"""From nothing to a signed Pre-Command and its record. See ``scripts/quickstart --help``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev.deployment import Deployment, create_deployment, is_deployment, open_deployment
from keybroker.cli.dev.sample import sample_pre_command
from keybroker.client import Broker, SignedMessage
from keybroker.errors import Refusal
from keybroker.terms import ContentKind, EntityIdentifier
from scripts.broker_parts.running import running_broker
from scripts.quickstart_parts.checked import is_signed_when_checked
from scripts.quickstart_parts.checking import is_leaf, is_recorded, is_signed_pre_command
from scripts.quickstart_parts.telling import Telling

_KEY = _CALLER = "supplier-a"
_DEVICE = EntityIdentifier(bytes.fromhex("027E570000D0D0D0"))
_SET_CLOCK = 0x0062
_COUNTER = 1_700_000_000_000
_EXPECTED = ("signed", "verified", "record_verified", "signed_when_checked", "refused")

Told = dict[str, object]


def main() -> int:
    tell = Telling()
    with _directory() as directory:
        tell.step(
            "A development deployment: SoftHSM2 token, test PKI, keys for every purpose, mutual TLS, configuration"
        )
        deployment = open_deployment(directory) if is_deployment(directory) else create_deployment(directory)
        tell.fact("directory", deployment.directory)
        tell.fact("keys in the token", ", ".join(deployment.keys))
        tell.step("The broker: a supervisor and one worker, TLS 1.3 with client certificates")
        with running_broker(deployment, workers=1):
            tell.good(f"serving on {deployment.target}")
            told = _sign_one(deployment, tell)
        tell.step("Stopped")
        tell.good("nothing is left running")
    print(json.dumps(told))
    return 0 if all(told[name] for name in _EXPECTED) else 1


@contextmanager
def _directory() -> Iterator[Path]:
    parser = argparse.ArgumentParser(
        prog="scripts/quickstart",
        description="Installs what is missing, brings up a development broker, signs a Pre-Command, verifies it.",
    )
    parser.add_argument("directory", type=Path, nargs="?", help="keep the deployment here (default: a temporary one)")
    kept: Path | None = parser.parse_args().directory
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="keybroker-quickstart-") as scratch:
        yield Path(scratch) / "dev"


def _sign_one(deployment: Deployment, tell: Telling) -> Told:
    eui = deployment.keys[_KEY].eui
    if eui is None:
        raise SystemExit(f"the key {_KEY} speaks for no EUI")
    with Broker(
        deployment.target,
        certificate=deployment.certificate(_CALLER),
        private_key=deployment.private_key(_CALLER),
        anchors=deployment.anchors,
    ) as broker:
        # 1. What is to be signed, as the DCC would have returned it.
        pre_command = sample_pre_command(eui, _DEVICE, _COUNTER, code=_SET_CLOCK)
        tell.step("A Pre-Command: ECS70 Set Clock on ESME, from the supplier to one Device")
        tell.fact("octets", f"{pre_command[:24].hex()}... ({len(pre_command)})")
        # 2. What the broker thinks of it, before any key is used.
        tell.step("Explain: every rule and gate, by its clause")
        explanation = broker.explain(kind=ContentKind.PRE_COMMAND, key=_KEY, octets=pre_command)
        for finding in explanation.findings:
            note = f": {finding.found}" if finding.passed and finding.found else ""
            (tell.good if finding.passed else tell.refused)(f"{finding.rule:<34} {finding.clause}{note}")
        # 3. Signed, in the token.
        tell.step("SignPreCommand: intent recorded, signed in the token, verified, outcome recorded, released")
        signed = broker.sign_pre_command(key=_KEY, octets=pre_command)
        tell.fact("Signed Pre-Command", f"...40 {signed.signature[:16].hex()}... ({len(signed.octets)} octets)")
        tell.fact("receipt", f"{signed.receipt.origin} leaf {signed.receipt.leaf_index}")
        # 4. Checked by somebody else's code.
        tell.step("Verified independently: `cryptography` over the raw octets, the public key of the certificate")
        verified = is_signed_pre_command(signed.octets, pre_command, _certified_key(deployment))
        (tell.good if verified else tell.refused)("ECDSA P-256 SHA-256 over everything after the 0xDF tag")
        tell.step("Its records: intent and outcome, canonical JSON, leaves of the ledger's Merkle tree")
        record_verified = _is_recorded(broker, signed, tell)
        # 5. And one that must not be signed.
        tell.step("The same Pre-Command in another's name")
        refused = _refused(broker, sample_pre_command(_DEVICE, eui, _COUNTER), tell)
        # 6. One that needs more than its own octets.
        checked = is_signed_when_checked(broker, deployment, _KEY, (eui, _DEVICE), tell)
    return {
        "signed": len(signed.signature) == 64,
        "verified": verified,
        "record_verified": record_verified,
        "refused": refused is not None,
        "refused_with": refused,
        "signed_when_checked": checked,
        "leaf_index": signed.receipt.leaf_index,
        "signature": signed.signature.hex(),
    }


def _is_recorded(broker: Broker, signed: SignedMessage, tell: Telling) -> bool:
    outcome = broker.get_record(signed.receipt.leaf_index)
    intent = broker.get_record(json.loads(outcome.octets)["intent"])
    tell.fact("intent", f"{intent.octets[:90].decode()}...")
    tell.fact("outcome", f"{outcome.octets[:90].decode()}...")
    in_tree = is_leaf(outcome.octets, signed.receipt.leaf_hash) and is_leaf(intent.octets, intent.leaf_hash)
    (tell.good if in_tree else tell.refused)("the RFC 9162 leaf hash is the receipt's")
    held = is_recorded(outcome.octets, intent.octets, signed.octets)
    (tell.good if held else tell.refused)("the intent holds the exact digest, the outcome the signature")
    return in_tree and held


def _certified_key(deployment: Deployment) -> ec.EllipticCurvePublicKey:
    """What a Device would verify with: the public key in the Organisation Certificate."""
    certificate = x509.load_pem_x509_certificate((deployment.directory / "pki" / f"{_KEY}.pem").read_bytes())
    public_key = certificate.public_key()
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise SystemExit("the certificate holds no elliptic curve key")
    return public_key


def _refused(broker: Broker, octets: bytes, tell: Telling) -> str | None:
    """The reason of the refusal, None where it was signed (and should not have been)."""
    try:
        broker.sign_pre_command(key=_KEY, octets=octets)
    except Refusal as refusal:
        tell.refused(str(refusal))
        return refusal.reason
    return None


if __name__ == "__main__":
    sys.exit(main())
