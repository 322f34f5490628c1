"""Certificates that a rule refuses for what stands in them, and Root OCA Certificates for their keys."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from keybroker.terms import Operation
from tests import certificates as made
from tests import lists
from tests.certificates import TRUE, compose
from tests.lists import AT, extension, generalized, utc
from tests.messages import der, der_integer
from tests.policy import chains
from tests.policy.certificate_cases import DAY, ROOT, SECOND, Case, named, of_oca, of_root, stated, valid
from tests.situations import packaged_policies

REFUSED_CERTIFICATES = (
    Case(
        rule="certificate-kind-for-operation",
        situation={"operation": Operation.SIGN_REVOCATION_LIST},
        found="SignRevocationList",
    ),
    of_oca(
        "certificate-kind-for-operation",
        "SignRootCertificate",
        situation={"operation": Operation.SIGN_ROOT_CERTIFICATE},
    ),
    of_root("certificate-kind-for-operation", "SignCertificate", situation={"operation": Operation.SIGN_CERTIFICATE}),
    Case(
        rule="certificate-signature-algorithm",
        octets=compose(algorithm=bytes.fromhex("300c06082a8648ce3d0403020500")),
        found="0500",
    ),
    Case(
        rule="certificate-signature-algorithm",
        octets=compose(algorithm=bytes.fromhex("300a06082a8648ce3d040303")),
        found="040303",
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        octets=compose(issuer=made.name(made.ou("07"), made.cn("T2"))),
        found="OU=07, CN=T2",
        offset=True,
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        octets=compose(issuer=made.name(made.ou("07"), made.cn("T1"))),
        found="OU=07, CN=T1",
        offset=True,
    ),
    Case(
        rule="certificate-issuer-is-signing-key",
        spoilt_key={"certificate": None},
        found="OU=07, CN=T1",
        offset=True,
    ),
    of_root(
        "certificate-issuer-is-signing-key",
        "OU=07, CN=T1",
        made.a_root(issuer=made.ISSUING_OCA),
        offset=True,
    ),
    Case(rule="certificate-authority-key-identifier", octets=stated(aki=b""), found="none"),
    Case(
        rule="certificate-authority-key-identifier",
        octets=stated(aki=lists.authority(lists.identifier(chains.ROOT_KEY))),
        found=lists.identifier(chains.ROOT_KEY).hex(),
    ),
    Case(
        rule="certificate-authority-key-identifier",
        spoilt_key={"certificate": None},
        found=lists.identifier().hex(),
    ),
    of_root(
        "certificate-authority-key-identifier",
        lists.identifier(chains.ROOT_KEY).hex(),
        made.a_root({"aki": lists.authority(lists.identifier(chains.ROOT_KEY))}),
    ),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x01\x00"), found="1 octets, not positive"),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x10\x80" + bytes(15)), found="not positive"),
    Case(rule="certificate-serial", octets=compose(serial=b"\x02\x0f\x7f" + bytes(14)), found="15 octets"),
    Case(rule="certificate-serial", octets=compose(serial=der_integer(1 << 127)), found="17 octets"),
    Case(
        rule="certificate-within-issuers-validity",
        octets=compose(**valid(AT, made.UNTIL + SECOND)),
        found="2035-01-01",
    ),
    Case(
        rule="certificate-within-issuers-validity",
        octets=compose(**valid(chains.FROM - SECOND, made.UNTIL)),
        found="2024-12-31T23:59:59",
    ),
    Case(rule="certificate-within-issuers-validity", spoilt_key={"certificate": None}, found="2026-01-15"),
    Case(rule="certificate-validity-length", octets=compose(**valid(AT, AT)), found="2026-01-15T12:00:00"),
    Case(rule="certificate-validity-length", octets=compose(**valid(AT, AT - DAY)), found="2026-01-14"),
    Case(
        rule="certificate-validity-length",
        octets=compose(**valid(AT, AT + 3653 * DAY + SECOND)),
        found="2036-01-16T12:00:01",
    ),
    of_root(
        "certificate-validity-length",
        "2076-",
        made.a_root(validity=der(0x30, utc(AT), generalized(AT + 18263 * DAY + SECOND))),
    ),
    Case(
        rule="certificate-begins-now",
        octets=compose(**valid(AT - DAY - SECOND, made.UNTIL)),
        found="2026-01-14T11:59:59",
    ),
    Case(
        rule="certificate-begins-now",
        octets=compose(**valid(AT + DAY + SECOND, made.UNTIL)),
        found="2026-01-16T12:00:01",
    ),
    Case(
        rule="certificate-sort-for-key",
        octets=stated(constraints=made.constraints(TRUE, der_integer(0))),
        found="an OCA Certificate",
    ),
    of_oca("certificate-sort-for-key", "an Organisation Certificate", made.an_oca({"constraints": b""})),
    of_oca("certificate-sort-for-key", "an Organisation", made.an_oca({"constraints": made.constraints()})),
    of_root("certificate-sort-for-key", "an Organisation Certificate", made.a_root({"constraints": b""})),
    *(
        Case(rule="certificate-subject", **named(*attributes), found=found, offset=True)
        for attributes, found in (
            ((made.ou("00"), made.uid()), "OU=00"),
            ((made.ou("07"), made.uid()), "OU=07"),
            ((made.ou("09"), made.uid()), "OU=09"),
            ((made.ou("2"), made.uid()), "OU=2"),
            ((made.ou("02"),), "OU=02"),
            ((made.ou("02"), made.uid(bytes(7))), "OU=02"),
            ((made.ou("02"), made.uid(bytes(9))), "OU=02"),
            ((made.uid(), made.ou("02")), "OU=02"),
            ((made.ou("07"), made.cn("T1")), "OU=07, CN=T1"),
            ((), "an empty name"),
        )
    ),
    of_oca("certificate-subject", "OU=00", made.an_oca(subject=made.ROOT_OCA), offset=True),
    of_oca("certificate-subject", "OU=02", made.an_oca(subject=made.SUPPLIER), offset=True),
    of_root(
        "certificate-subject",
        "OU=07",
        made.a_root(subject=made.ISSUING_OCA, issuer=made.ISSUING_OCA),
        offset=True,
    ),
    of_oca(
        "certificate-path-length",
        "no path length",
        made.an_oca({"constraints": made.constraints(TRUE)}),
        offset=True,
    ),
    of_oca(
        "certificate-path-length",
        "path length 1",
        made.an_oca({"constraints": made.constraints(TRUE, der_integer(1))}),
        offset=True,
    ),
    of_root(
        "certificate-path-length",
        "path length 0",
        made.a_root({"constraints": made.constraints(TRUE, der_integer(0))}),
        offset=True,
    ),
    Case(rule="certificate-key-usage", octets=stated(usage=b""), found="none"),
    Case(
        rule="certificate-key-usage",
        octets=stated(usage=made.key_usage(made.BOTH)),
        found="digitalSignature keyAgreement",
        offset=True,
    ),
    Case(
        rule="certificate-key-usage",
        octets=stated(usage=made.key_usage(made.CERTIFICATE_SIGNING)),
        found="cRLSign keyCertSign",
        offset=True,
    ),
    of_oca(
        "certificate-key-usage",
        "digitalSignature",
        made.an_oca({"usage": made.key_usage()}),
        offset=True,
    ),
    of_oca(
        "certificate-key-usage",
        "keyCertSign",
        made.an_oca({"usage": made.key_usage(bytes.fromhex("03020204"))}),
        offset=True,
    ),
    Case(rule="certificate-subject-key-identifier", octets=stated(ski=b""), found="none"),
    Case(
        rule="certificate-subject-key-identifier",
        octets=stated(ski=made.subject_key_identifier(hashlib.sha1(made.point(), usedforsecurity=False).digest())),
        found=hashlib.sha1(made.point(), usedforsecurity=False).hexdigest(),
        offset=True,
    ),
    Case(
        rule="certificate-subject-key-identifier",
        octets=stated(ski=made.subject_key_identifier(lists.identifier())),
        found=lists.identifier().hex(),
        offset=True,
    ),
    Case(rule="certificate-policies", octets=stated(policies=b""), found="none"),
    Case(
        rule="certificate-policies",
        octets=stated(policies=made.policies(bytes.fromhex("06032a0304"))),
        found="1.2.3.4",
        offset=True,
    ),
    Case(
        rule="certificate-policies",
        octets=stated(policies=made.policies(made.POLICY, bytes.fromhex("06032a0304"))),
        found="1.2.3.4",
        offset=True,
    ),
    *(
        Case(rule="certificate-extensions", octets=octets, found=found, offset=True)
        for octets, found in (
            (stated(usage=made.key_usage(critical=b"")), "2.5.29.15 not critical"),
            (stated(constraints=made.constraints(critical=b"")), "2.5.29.19 not critical"),
            (stated(policies=made.policies(made.POLICY, critical=b"")), "2.5.29.32 not critical"),
            (
                stated(ski=made.subject_key_identifier(lists.identifier(made.SUBJECT_KEY), critical=TRUE)),
                "2.5.29.14 critical",
            ),
            (stated(further=extension(made.APEX, made.WRAPPED)), "1.3.6.1.5.5.7.1.20 not critical"),
            (stated(further=extension(bytes.fromhex("06032a0304"), b"\x05\x00", TRUE)), "1.2.3.4 critical"),
            (stated(further=extension(bytes.fromhex("06032a0304"), b"\x05\x00")), "1.2.3.4 not critical"),
        )
    ),
    of_root(
        "certificate-extensions",
        "1.2.3.4",
        made.a_root(
            {"further": extension(made.APEX, made.WRAPPED) + extension(bytes.fromhex("06032a0304"), b"\x05\x00")}
        ),
        offset=True,
    ),
)


REFUSED_ROOTS = (
    of_root("root-certificate-public-key", made.point().hex(), made.a_root(spki=made.spki())),
    of_root("root-certificate-contingency-key", "none", made.a_root({"further": b""})),
    of_root(
        "root-certificate-contingency-key",
        "a critical one",
        made.a_root({"further": extension(made.APEX, made.WRAPPED, TRUE)}),
    ),
    *(
        of_root(
            "root-certificate-contingency-key",
            found,
            made.a_root({"further": extension(made.APEX, value)}),
            offset=True,
        )
        for value, found in (
            (b"\x05\x00", "tag 0x05"),
            (b"\x30\x00", "the end"),
            (der(0x30, der(0x30, bytes.fromhex("06032a0304")), b"\x04\x00"), "nothing"),
            (der(0x30, b"\x30\x00", b"\x04\x01x"), "the end"),
            (made.WRAPPED[:1] + bytes([made.WRAPPED[1] + 2]) + made.WRAPPED[2:] + b"\x05\x00", "tag 0x05"),
        )
    ),
    of_root(
        "root-certificate-contingency-key",
        "none",
        policy={"settings": replace(packaged_policies()[ROOT].settings, certificates=None)},
    ),
)
