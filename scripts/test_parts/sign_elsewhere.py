"""Signs with an installed keybroker, nothing of the tree: `keybroker dev up`, a Pre-Command, `keybroker dev down`."""

import json
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keybroker.client import Broker


def main() -> int:
    up = json.loads(_keybroker("dev", "up", "dev", "--json"))
    try:
        with open(up["sample"], encoding="ascii") as sample:
            pre_command = bytes.fromhex(sample.read())
        environment = up["environment"]
        with Broker(
            environment["KEYBROKER_TARGET"],
            certificate=environment["KEYBROKER_CERTIFICATE"],
            private_key=environment["KEYBROKER_PRIVATE_KEY"],
            anchors=environment["KEYBROKER_ANCHORS"],
        ) as broker:
            signed = broker.sign_pre_command(key="supplier-a", octets=pre_command)
    finally:
        _keybroker("dev", "down", "dev")
    with open("dev/pki/supplier-a.pem", "rb") as file:
        public_key = x509.load_pem_x509_certificate(file.read()).public_key()
    r, s = int.from_bytes(signed.signature[:32], "big"), int.from_bytes(signed.signature[32:], "big")
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        return 1
    public_key.verify(encode_dss_signature(r, s), pre_command[1:], ec.ECDSA(hashes.SHA256()))
    print(f"signed and verified: {signed.signature.hex()}")
    return 0


def _keybroker(*arguments: str) -> str:
    return subprocess.run(["keybroker", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
