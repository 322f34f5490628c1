"""How does a witness check a whole transcript without us? Its parts as files, and the commands to type over them. Pure.

``openssl``, ``sha256sum``, ``grep``, ``cmp`` and the like are enough. Each command is one line, and ends with an error
where something is not as it was: ``sh -e`` runs them all. What they compare with stands in them, and is what was read
aloud in the room; which certificate is whose, and which approval is the committee's, the witness knows from elsewhere.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping
from hashlib import sha256

from asn1crypto import pem
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keybroker.ceremony.entry import NOTHING_BEFORE, Entry
from keybroker.ceremony.signed_data import openssl_commands
from keybroker.ceremony.transcript_form import TranscriptForm, read_form
from keybroker.ceremony.transcript_verifying import Verified, verify_transcript

PLAN = "plan.toml"


def extracted(octets: bytes) -> Mapping[str, bytes]:
    """The files of a transcript by name: what ``witness_commands`` are typed over. Raises: TranscriptUnfit.

    ``plan.toml``; ``NAME.pem`` of each person; of each step ``NN-step.json`` (the entry), ``NN-step.NAME.p7s`` (who
    signed it), ``NN-step.begun.record`` and ``NN-step.concluded.record``; of each approval ``approval_NN.pem``,
    ``approval_NN.signed`` (the JWS signing input), ``approval_NN.sig`` (its signature in DER), ``approval_NN.json``.
    """
    verified, form = verify_transcript(octets), read_form(octets)
    files = {PLAN: form.plan.encode()}
    files |= {f"{each.name}.pem": _pem(each.certificate) for each in form.people}
    for entry, step in zip(verified.entries, form.steps, strict=True):
        stem = stem_of(entry)
        files[f"{stem}.json"] = entry.octets
        files |= {f"{stem}.{name}.p7s": base64.b64decode(signed) for name, signed in step.signatures.items()}
        files[f"{stem}.begun.record"] = base64.b64decode(step.begun.octets)
        files[f"{stem}.concluded.record"] = base64.b64decode(step.concluded.octets)
    for number, approval in enumerate(form.approvals, start=1):
        signed, _, signature = approval.statement.rpartition(".")
        name = _approval_stem(number)
        files[f"{name}.pem"] = _pem(approval.certificate)
        files[f"{name}.signed"] = signed.encode()
        files[f"{name}.sig"] = _der_of(_unpadded(signature))
        files[f"{name}.json"] = _unpadded(signed.partition(".")[2])
    return files


def witness_commands(octets: bytes) -> tuple[str, ...]:
    """What a witness types in the directory of the files that ``extracted`` gives. Raises: TranscriptUnfit."""
    verified, form = verify_transcript(octets), read_form(octets)
    return (
        _digest_is(verified.plan_sha256, PLAN),
        *_of_people(form),
        *(command for entry in verified.entries for command in _of_step(entry, verified)),
        *_of_records(verified, form),
        *(command for number in range(1, len(form.approvals) + 1) for command in _of_approval(number, form)),
    )


def stem_of(entry: Entry) -> str:
    """``03-make-key``: with what the names of a step's files begin."""
    return f"{entry.number:02d}-{entry.step}"


def _of_people(form: TranscriptForm) -> Iterator[str]:
    """Each certificate is that whose digest the plan names."""
    for person in form.people:
        digest = sha256(base64.b64decode(person.certificate)).hexdigest()
        yield _certificate_is(digest, f"{person.name}.pem")
        yield f"grep -F {digest} {PLAN}"


def _of_step(entry: Entry, verified: Verified) -> Iterator[str]:
    """The entry is that of the record and names the one before; everybody signed its very octets."""
    document = f"{stem_of(entry)}.json"
    yield _digest_is(entry.sha256, document)
    # Members are in the order of their names, so that these two stand side by side.
    names = f'"plan_sha256":"{verified.plan_sha256}","previous":"{_previous(entry, verified)}"'
    yield f"grep -F -c {shlex.quote(names)} {document}"
    for name in entry.people:
        signed, out = f"{stem_of(entry)}.{name}.p7s", f"{stem_of(entry)}.{name}.out"
        person = next(each for each in verified.plan.people if each.name == name)
        commands = openssl_commands(
            signed,
            f"{name}.pem",
            out,
            sha256_of_certificate=person.signing_sha256,
            at=verified.signed_at[entry.number, name],
        )
        # The first of them, which shows the certificate's digest, was typed for each person once.
        yield commands[1]
        yield f"cmp {out} {document}"


def _previous(entry: Entry, verified: Verified) -> str:
    return verified.entries[entry.number - 2].sha256 if entry.number > 1 else NOTHING_BEFORE


def _of_records(verified: Verified, form: TranscriptForm) -> Iterator[str]:
    """Each record has the leaf hash that the ledger shows (RFC 9162 section 2.1), and the last names the entry."""
    for entry, step in zip(verified.entries, form.steps, strict=True):
        for what, record in (("begun", step.begun), ("concluded", step.concluded)):
            name = f"{stem_of(entry)}.{what}.record"
            yield f"(printf '\\000'; cat {name}) | sha256sum | grep {record.leaf_hash}"
        digest = shlex.quote(f'"entry_sha256":"{entry.sha256}"')
        yield f"grep -F -c {digest} {stem_of(entry)}.concluded.record"


def _of_approval(number: int, form: TranscriptForm) -> Iterator[str]:
    """Signed by that certificate's key (RFC 7515), what it says beside it, and for this plan where it names one."""
    name = _approval_stem(number)
    yield _certificate_is(sha256(base64.b64decode(form.approvals[number - 1].certificate)).hexdigest(), f"{name}.pem")
    yield f"openssl x509 -in {name}.pem -noout -pubkey > {name}.pub"
    yield f"openssl dgst -sha256 -verify {name}.pub -signature {name}.sig {name}.signed"
    yield f"grep -F -c \".$(openssl base64 -A -in {name}.json | tr '/+' '_-' | tr -d =)\" {name}.signed"
    yield f"cat {name}.json"


def _digest_is(digest: str, name: str) -> str:
    return f"echo '{digest}  {name}' | sha256sum -c"


def _certificate_is(digest: str, name: str) -> str:
    return f"openssl x509 -in {name} -outform DER | openssl dgst -sha256 -r | grep {digest}"


def _approval_stem(number: int) -> str:
    """No person's name has an underscore."""
    return f"approval_{number:02d}"


def _pem(certificate: str) -> bytes:
    armoured: bytes = pem.armor("CERTIFICATE", base64.b64decode(certificate))
    return armoured


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _der_of(signature: bytes) -> bytes:
    """r || s as OpenSSL reads it."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
