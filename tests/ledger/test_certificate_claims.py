"""What certificates and requests take from a real ledger: a serial number once, a key for one entity, one request."""

from __future__ import annotations

from keybroker.ledger.journal import Journal
from keybroker.policy.claim import Claim
from keybroker.terms import KeyPurpose
from tests import certificates as made
from tests import messages
from tests.certificates import a_request, compose, compose_info
from tests.ledger.claims import asking, spent, taken
from tests.messages import der_integer
from tests.policy.test_certificate_rules import Case, of_oca
from tests.policy.test_signing_request_rules import Case as RequestCase

ANOTHER_SERIAL = der_integer(made.SERIAL + 1)
ANOTHER_SUBJECT = made.name(made.ou("02"), made.uid(messages.NETWORK_OPERATOR.octets))


def of(case: Case | RequestCase) -> tuple[Claim, ...]:
    return case.decide().claims


def test_refuses_a_serial_number_that_this_issuer_used_before(journal: Journal) -> None:
    taken(journal, asking("first", *of(Case(rule="", found=""))))
    subject = made.name(made.cn("Supplier", 0x0C), made.ou("02"), made.uid())
    again = Case(rule="", found="", octets=compose(subject=subject), request=a_request(compose_info(subject=subject)))
    refusal = spent(journal, asking("second", *of(again)))
    assert refusal.gate == "certificate-serial-never-used"
    assert f"{made.SERIAL:x}" in refusal.sentence


def test_refuses_a_public_key_that_is_certified_for_another_eui(journal: Journal) -> None:
    taken(journal, asking("first", *of(Case(rule="", found=""))))
    another = Case(
        rule="",
        found="",
        octets=compose(subject=ANOTHER_SUBJECT, serial=ANOTHER_SERIAL),
        request=a_request(compose_info(subject=ANOTHER_SUBJECT)),
    )
    assert spent(journal, asking("second", *of(another))).gate == "certified-key-of-one-entity"
    # Nor for an authority.
    oca = of_oca("", "", made.an_oca(serial=ANOTHER_SERIAL))
    assert spent(journal, asking("third", *of(oca))).gate == "certified-key-of-one-entity"


def test_certifies_a_key_again_for_the_same_eui_and_the_same_number_under_another_issuer(journal: Journal) -> None:
    taken(journal, asking("first", *of(Case(rule="", found=""))))
    taken(journal, asking("renewed", *of(Case(rule="", found="", octets=compose(serial=ANOTHER_SERIAL)))))
    point = made.point(5)
    ski = made.subject_key_identifier(made.lists.identifier(5))
    request = compose_info(made.key_usage(made.CERTIFICATE_SIGNING), subject=made.ISSUING_OCA, spki=made.spki(point))
    oca = made.an_oca({"ski": ski}, spki=made.spki(point))
    taken(journal, asking("root's", *of(of_oca("", "", oca, request=a_request(request, 5)))))


def test_refuses_the_second_request_of_a_key_agreement_key_and_no_second_one_of_another(journal: Journal) -> None:
    agreement = RequestCase(rule="", found="", purpose=KeyPurpose.USER_KEY_AGREEMENT)
    taken(journal, asking("first", *of(agreement)))
    refusal = spent(journal, asking("second", *of(agreement)))
    assert refusal.gate == "key-agreement-key-signs-one-request"
    assert of(RequestCase(rule="", found="")) == ()
