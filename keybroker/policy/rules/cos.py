"""May the CoS Party put a Supplier's certificates on this Device? SEC G2.22B(a), G2.44(a); GBCS CS02b; DUIS SRV 6.23.

For a change of supplier (0x0107) the incoming Supplier's own signed Service Request says so, and nothing else does.
0x0106 (the CoS Party's own cell) and the signature variants 0x0008 and 0x011B need none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keybroker.clause import clause
from keybroker.content.duis.model import DuisDocument, SupplierCertificates
from keybroker.content.model import GbcsCommand
from keybroker.content.trust_anchor_cells import CellUsage, TrustAnchorCell
from keybroker.policy.certificates import CertificateUnfit, issued_in_name, read_end_entity
from keybroker.policy.claim import Claim, Once
from keybroker.policy.model import Situation
from keybroker.policy.relying import rely_on
from keybroker.policy.rule import Rule
from keybroker.policy.signers import rely_on_user_xml
from keybroker.terms import DeploymentKind, Finding, KeyUsage, RemotePartyRole, RuleName

_SUPPLIER_BY_TRANS_COS = 0x0107
_CHANGE_OF_SUPPLIER = "6.23"
_SCOPE = "service-request-id"
_LONGEST_PATH = 8

_CELLS: Mapping[str, TrustAnchorCell] = {
    "digital_signing": TrustAnchorCell(
        role=RemotePartyRole.SUPPLIER, key_usage=KeyUsage.DIGITAL_SIGNATURE, cell_usage=CellUsage.MANAGEMENT
    ),
    "key_agreement": TrustAnchorCell(
        role=RemotePartyRole.SUPPLIER, key_usage=KeyUsage.KEY_AGREEMENT, cell_usage=CellUsage.MANAGEMENT
    ),
    "key_agreement_top_up": TrustAnchorCell(
        role=RemotePartyRole.SUPPLIER, key_usage=KeyUsage.KEY_AGREEMENT, cell_usage=CellUsage.PREPAYMENT_TOP_UP
    ),
}
"""Which cell each certificate of an Update Security Credentials (CoS) request is for."""


def is_change_of_supplier(command: GbcsCommand) -> bool:
    return command.message_code.value == _SUPPLIER_BY_TRANS_COS


# SEC G2.22B(a): "where a relevant system receives information from, or purporting to be from, the other relevant
# system, the relevant system receiving the information shall, prior to that information being used by any person,
# verify that the information: (i) originated from and was created by the other relevant system". The CoS Party's is one
# of both (G2.22A). Never a name that the caller merely asserts.
CHANGE_OF_SUPPLIER_ASKED_FOR = Rule(
    name=RuleName("change-of-supplier-asked-for"),
    clause="G2.22B(a), G2.44(a)",
    remedy="send the incoming Supplier's signed Service Request 6.23 with the Command",
)


def change_of_supplier_asked_for(command: GbcsCommand) -> Finding:
    """A Service Request 6.23, Update Security Credentials (CoS), came with the Command."""
    request = command.service_request
    if request is not None and request.service_reference_variant == _CHANGE_OF_SUPPLIER and _certificates(request):
        return CHANGE_OF_SUPPLIER_ASKED_FOR.passed
    found = f"{request.service_reference_variant}, {request.body_element[:60]}" if request is not None else "none"
    return CHANGE_OF_SUPPLIER_ASKED_FOR.refused(
        expected="a Service Request 6.23, UpdateSecurityCredentialsCoS", found=found
    )


# SEC G2.22B(a): "verify that the information: (i) originated from and was created by the other relevant system; and
# (ii) has not been modified since it was created by that relevant system". The incoming Supplier's signature proves
# both.
CHANGE_OF_SUPPLIER_SIGNED_BY_SUPPLIER = Rule(
    name=RuleName("change-of-supplier-signed-by-supplier"),
    clause="G2.22B(a), G2.44(a)",
    remedy="send the Service Request as the incoming Supplier signed it, with that certificate and its issuers",
)


def change_of_supplier_signed_by_supplier(command: GbcsCommand, situation: Situation) -> Finding:
    """Its XML signature verifies by a certificate of role 87 of its RequestID's originator that may be relied on."""
    request = command.service_request
    if request is None:
        return CHANGE_OF_SUPPLIER_SIGNED_BY_SUPPLIER.refused(expected="a signed Service Request", found="none")
    try:
        signer = rely_on_user_xml(request, command.signer_certificates, situation)
    except CertificateUnfit as error:
        return CHANGE_OF_SUPPLIER_SIGNED_BY_SUPPLIER.refused(
            expected="a Service Request signed by the incoming Supplier", found=error.sentence
        )
    return CHANGE_OF_SUPPLIER_SIGNED_BY_SUPPLIER.passed_with(
        f"signed by {signer.eui}, certificate serial {signer.serial:x}"
    )


# DUIS RequestID: its target is the Device; GBCS Grouping Header: so is the recipient.
CHANGE_OF_SUPPLIER_DEVICE = Rule(
    name=RuleName("change-of-supplier-device"),
    clause="DUIS RequestID; G2.22B(a)",
    remedy="compose the Command for the Device that the Service Request names",
)


def change_of_supplier_device(command: GbcsCommand) -> Finding:
    """The Command goes to the Device that the Service Request names."""
    request = command.service_request
    target = request.request_identifier.target if request is not None and request.request_identifier else None
    if target == command.recipient:
        return CHANGE_OF_SUPPLIER_DEVICE.passed
    return CHANGE_OF_SUPPLIER_DEVICE.refused(
        expected=str(target or "a Service Request that names it"), found=f"{command.recipient}"
    )


# GBCS CS02b: replacements, each a certificate and its cell; DUIS SupplierReplacementCertificates: the certificates that
# the Supplier wants there. SEC G2.22B(a)(ii): what is used "has not been modified".
CHANGE_OF_SUPPLIER_CERTIFICATES = Rule(
    name=RuleName("change-of-supplier-certificates"),
    clause="GBCS CS02b; G2.22B(a)",
    remedy="compose the Command with the certificates of the Service Request, each for its own cell",
)


def change_of_supplier_certificates(command: GbcsCommand) -> Finding:
    """Every cell gets the certificate that the Service Request has for it, and no cell more."""
    request = command.service_request
    asked = _asked(_certificates(request)) if request is not None else {}
    given = {each.cell: each.certificate for each in command.credentials.replacements} if command.credentials else {}
    if asked and given == asked:
        return CHANGE_OF_SUPPLIER_CERTIFICATES.passed
    other = [str(cell) for cell in {*asked, *given} if asked.get(cell) != given.get(cell)]
    return CHANGE_OF_SUPPLIER_CERTIFICATES.refused(
        expected="the certificates of the Service Request, each in its cell",
        found=f"other for {', '.join(sorted(other))}" if other else "no replacement",
        offset=command.content_offset,
    )


# SEC G2.22B(a)(i): the information "originated from" the Supplier whose cells these become. That it is a Supplier only
# its certificates say, and only what an authority signed says so: anybody can write a certificate of role 02. Whose
# trust anchors are replaced by whose stands in the finding. What the DCC published for tests holds certificates that
# have expired: so a test deployment passes what it cannot rely on, and says so in the finding.
CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR = Rule(
    name=RuleName("change-of-supplier-for-its-originator"),
    clause="G2.22B(a), G2.44(a)",
    remedy="a Supplier asks for its own certificates: have it send the Service Request itself",
)


def change_of_supplier_for_its_originator(command: GbcsCommand, situation: Situation) -> Finding:
    """Each certificate is a Supplier's, fits its cell, is that of the RequestID's originator, and can be relied on."""
    request = command.service_request
    supplier = request.request_identifier.originator if request is not None and request.request_identifier else None
    given = command.credentials.replacements if command.credentials is not None else ()
    serials = []
    for each in given:
        try:
            facts = read_end_entity(each.certificate)
        except CertificateUnfit as error:
            return CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.refused(
                expected=f"a certificate of {supplier}", found=error.sentence
            )
        if (facts.eui, facts.role, facts.usage) != (supplier, each.cell.role, each.cell.key_usage):
            return CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.refused(
                expected=f"for the cell {each.cell} a certificate of {supplier}",
                found=f"{facts.role.name} {facts.usage} of {facts.eui}",
                offset=command.content_offset,
            )
        serials.append(f"{each.cell} by serial {facts.serial:x}")
    if not serials:
        return CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.refused(
            expected=f"certificates of {supplier}", found="no replacement"
        )
    unfit = _why_not_relied_on(command, situation)
    if unfit and situation.deployment is not DeploymentKind.TEST:
        return CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.refused(
            expected="certificates that can be relied on", found=unfit, offset=command.content_offset
        )
    return CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR.passed_with(
        f"on {command.recipient} the trust anchors are replaced by those of {supplier}: {', '.join(serials)}"
        + (f"; not relied on in this test deployment: {unfit}" if unfit else "")
    )


def _why_not_relied_on(command: GbcsCommand, situation: Situation) -> str:
    """Why a certificate, with the Command's certification path above it, cannot be; empty where all can."""
    credentials = command.credentials
    if credentials is None or len(credentials.certification_path) > _LONGEST_PATH:
        return f"no certificates, or more than {_LONGEST_PATH} in the certification path"
    try:
        for each in credentials.replacements:
            rely_on(_chain(each.certificate, credentials.certification_path), situation)
    except CertificateUnfit as error:
        return error.sentence
    return ""


def _chain(certificate: bytes, path: Sequence[bytes]) -> tuple[bytes, ...]:
    """The certificate and its issuers from the path, which holds those of every replacement, in no order that is said.

    Raises: CertificateUnfit for a certificate that cannot be read.
    """
    chain: tuple[bytes, ...] = (certificate,)
    while above := [each for each in path if each not in chain and issued_in_name(chain[-1], each)]:
        chain = (*chain, above[0])
    return chain


RULES: tuple[Rule, ...] = (
    CHANGE_OF_SUPPLIER_ASKED_FOR,
    CHANGE_OF_SUPPLIER_SIGNED_BY_SUPPLIER,
    CHANGE_OF_SUPPLIER_DEVICE,
    CHANGE_OF_SUPPLIER_CERTIFICATES,
    CHANGE_OF_SUPPLIER_FOR_ITS_ORIGINATOR,
)


def findings(command: GbcsCommand, situation: Situation) -> tuple[Finding, ...]:
    """None for another Command than that of a change of supplier."""
    if not is_change_of_supplier(command):
        return ()
    return (
        change_of_supplier_asked_for(command),
        change_of_supplier_signed_by_supplier(command, situation),
        change_of_supplier_device(command),
        change_of_supplier_certificates(command),
        change_of_supplier_for_its_originator(command, situation),
    )


@clause("G2.22B(a)", "G2.44(a)")
def claims(command: GbcsCommand) -> tuple[Claim, ...]:
    """The RequestID of the incoming Supplier's Service Request: it is acted on once."""
    request = command.service_request
    if not is_change_of_supplier(command) or request is None or request.request_identifier is None:
        return ()
    identifier = request.request_identifier
    return (
        Once(
            rule="change-of-supplier-request-used-once",
            clause="G2.22B(a), G2.44(a)",
            scope=_SCOPE,
            name=identifier.octets,
            told=f"RequestID {identifier}",
            value=request.sha256,
        ),
    )


def _certificates(request: DuisDocument) -> SupplierCertificates | None:
    return request.supplier_certificates


def _asked(certificates: SupplierCertificates | None) -> dict[TrustAnchorCell, bytes]:
    if certificates is None:
        return {}
    found = {name: getattr(certificates, name) for name in _CELLS}
    return {_CELLS[name]: certificate for name, certificate in found.items() if certificate is not None}
