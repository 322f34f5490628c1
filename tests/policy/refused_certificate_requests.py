"""Certificates that a rule refuses for the Certificate Signing Request beside them."""

from __future__ import annotations

from tests import certificates as made
from tests.certificates import a_request, compose_info
from tests.policy import chains
from tests.policy.certificate_cases import ACB_SUBJECT, Case, of_oca

REFUSED_REQUESTS = (
    Case(rule="certificate-request-present", request=None, found="none"),
    of_oca("certificate-request-present", "none", request=None),
    Case(
        rule="certificate-request-proves-possession",
        request=a_request(scalar=chains.ISSUING_KEY),
        found="one that does not",
    ),
    Case(
        rule="certificate-request-proves-possession",
        request=a_request(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
        found="one that does not",
    ),
    Case(
        rule="certificate-request-public-key",
        request=a_request(compose_info(spki=made.spki(made.point(5))), 5),
        found=made.point().hex(),
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=ACB_SUBJECT)),
        found="OU=02",
        offset=True,
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=made.name(made.ou("02"), made.uid(bytes(8))))),
        found="OU=02",
        offset=True,
    ),
    Case(
        rule="certificate-request-subject",
        request=a_request(compose_info(subject=made.name(made.cn("A"), made.ou("02"), made.uid()))),
        found="OU=02",
        offset=True,
    ),
    of_oca(
        "certificate-request-subject",
        "OU=07, CN=T1",
        request=a_request(
            compose_info(made.key_usage(made.CERTIFICATE_SIGNING), subject=made.name(made.ou("07"), made.cn("T2")))
        ),
        offset=True,
    ),
    Case(
        rule="certificate-request-key-usage",
        request=a_request(compose_info(made.key_usage(made.KEY_AGREEMENT))),
        found="digitalSignature",
    ),
)
