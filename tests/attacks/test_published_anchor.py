"""A live deployment whose configuration lists the published test PKI's CA as if it were live."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography import x509

from keybroker.policy.certificate_chain import read_chain
from keybroker.policy.certificates import CertificateUnfit
from keybroker.policy.trust import Anchor

ISSUER = x509.Name.from_rfc4514_string("CN=Z1,OU=07")


@pytest.fixture(scope="module")
def published() -> tuple[bytes, bytes]:
    """An organisation's certificate and that of its issuing CA, as the published messages hold them."""
    directory = os.environ.get("KEYBROKER_RTDS")
    if directory is None:
        pytest.skip("KEYBROKER_RTDS is unset: the published certificates are not looked at")
    found: dict[str, bytes] = {}
    for line in (Path(directory) / "rtds.jsonl").read_text().splitlines():
        octets = bytes.fromhex(json.loads(line)["hex"])
        at = octets.find(b"\x30\x82")
        while at >= 0:
            length = int.from_bytes(octets[at + 2 : at + 4], "big") + 4
            try:
                certificate = x509.load_der_x509_certificate(octets[at : at + length])
            except ValueError:
                pass
            else:
                if certificate.subject == ISSUER:
                    found["issuer"] = octets[at : at + length]
                elif certificate.issuer == ISSUER:
                    found["organisation"] = octets[at : at + length]
            at = octets.find(b"\x30\x82", at + 1)
    if len(found) < 2:
        pytest.skip("this part of the published messages holds no certificate of the issuing CA")
    return found["organisation"], found["issuer"]


def test_no_live_chain_ends_at_a_published_test_ca(published: tuple[bytes, bytes]) -> None:
    organisation, issuer = published
    with pytest.raises(CertificateUnfit, match="no published test CA"):
        read_chain([organisation], [Anchor(der=issuer, test=False)], revoked_at=None)
    assert read_chain([organisation], [Anchor(der=issuer, test=True)], revoked_at=None).test_anchor
