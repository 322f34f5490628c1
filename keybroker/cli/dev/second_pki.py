"""How does one development deployment come to trust the test SMKI of another? For keys that are transferred to it."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.cli.acting import acting
from keybroker.cli.dev.deployment import Deployment
from keybroker.config import read_configuration
from keybroker.keys.trust import take_in_revocation_list


def trust_the_other(deployment: Deployment, other: Path) -> None:
    """Its Root beside our own, and its revocation lists. Raises: KeybrokerError."""
    root = deployment.directory / "pki" / "root.pem"
    root.write_bytes(root.read_bytes() + (other / "pki" / "root.pem").read_bytes())
    configuration = read_configuration(deployment.config_path)
    anchors, at = configuration.anchors, configuration.clock.now()
    issuing = x509.load_pem_x509_certificate((other / "pki" / "issuing.pem").read_bytes()).public_bytes(Encoding.DER)
    with acting(configuration, "operator") as (journal, actor):
        for name, chain in (("arl.pem", ()), ("crl.pem", (issuing,))):
            der = x509.load_pem_x509_crl((other / "pki" / name).read_bytes()).public_bytes(Encoding.DER)
            take_in_revocation_list(journal, actor, der, anchors, at, chain=chain)
