"""Which certificates does the configuration rely on? Those in the files that it names, read once at the start."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keybroker.config.file import ConfigurationFile
from keybroker.config.sources import Sources
from keybroker.errors import ConfigurationInvalid
from keybroker.policy.trust import Anchor
from keybroker.terms import DeploymentKind


def own_anchors(sources: Sources, file: ConfigurationFile) -> tuple[Anchor, ...]:
    """Of certificates of keys and of others' signatures. Raises: ConfigurationInvalid."""
    listed = [(name, False) for name in file.anchors.certificates] + [
        (name, True) for name in file.anchors.test_certificates
    ]
    return tuple(anchor for name, test in listed for anchor in _read_anchors(sources, name, test=test))


def device_anchors(sources: Sources, file: ConfigurationFile) -> tuple[Anchor, ...]:
    """Of Device Certificates; those of a test deployment are test anchors. Raises: ConfigurationInvalid."""
    test = file.deployment.kind is DeploymentKind.TEST
    listed = file.anchors.device_certificates
    return tuple(anchor for name in listed for anchor in _read_anchors(sources, name, test=test))


def _read_anchors(sources: Sources, name: str, *, test: bool) -> list[Anchor]:
    try:
        certificates = x509.load_pem_x509_certificates(sources.anchors[name])
    except ValueError as error:
        raise ConfigurationInvalid(f"{name} holds no PEM certificate", where="anchors") from error
    return [Anchor(der=certificate.public_bytes(Encoding.DER), test=test) for certificate in certificates]
