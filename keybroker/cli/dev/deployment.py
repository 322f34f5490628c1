"""What is a development deployment? One directory with a token, two PKIs, keys for every purpose and a keybroker.toml.

    keybroker.toml   softhsm2.conf   tokens/   pin, so-pin (0600)   data/   the broker's
    pki/             root.pem, arl.pem, issuing.pem, crl.pem, root.key, issuing.key (0600), <key>.pem  the test SMKI
                     device-root.pem, device-root.key (0600), device-1-ka.pem, device-1-ka.key (0600), …  test Devices
    evidence/        evidence-officer.pem, .key (0600), administrator-a.pem, …, <party>-check.pem, …  who states what
    tls/             anchors.pem, server.pem, server.key, <caller>.pem, <caller>.key
    deployment.json  what is in it, for ``open_deployment``

Keys are made in the token by a child process (``provision``): a PKCS#11 library reads its environment once per process,
and the caller's process may hold several deployments.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keybroker.cli.dev import device_pki, pki, tls_pki
from keybroker.cli.dev.configuration import LEDGER_ORIGIN, PIN_VARIABLE, Settings, configuration_text
from keybroker.cli.dev.evidence import make_attesters
from keybroker.cli.dev.plan import DEFAULT_KEYS, DEVICES, DevCaller, DevKey, callers_for
from keybroker.cli.dev.statements import ADMINISTRATORS
from keybroker.cli.dev.token import SoftToken, create_token
from keybroker.errors import ConfigurationInvalid
from keybroker.terms import EntityIdentifier, KeyPurpose, KeyUsage

__all__ = ["DEFAULT_KEYS", "Deployment", "DeploymentKey", "DevCaller", "DevKey", "create_deployment", "open_deployment"]

TOKEN_LABEL = "keybroker dev TEST"  # noqa: S105 - a label
_DESCRIPTION = "deployment.json"
_HOST = "127.0.0.1"
_PORTS = range(20000, 32000)


Ended = subprocess.CompletedProcess[bytes]
Child = Callable[[Sequence[str], bytes, Mapping[str, str]], Ended]
"""``python -m`` these words, with this input and this environment: how it ended, and what it said."""


def in_a_process(words: Sequence[str], given: bytes, environment: Mapping[str, str]) -> Ended:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, input=given, env=environment, capture_output=True, check=False)  # noqa: S603 - ours


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentKey:
    """A key that is in the token, active: ``public_point`` is 65 octets (04 || x || y), a symmetric key's CKA_ID 20."""

    label: str
    purpose: str
    party: str
    eui: EntityIdentifier | None
    public_point: bytes

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Raises: ValueError for a symmetric key."""
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.public_point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A development deployment on disk; its broker runs or not. ``callers`` are the names of TLS files."""

    directory: Path
    target: str
    metrics: str
    keys: Mapping[str, DeploymentKey]
    callers: tuple[str, ...]

    @property
    def port(self) -> int:
        return int(self.target.rpartition(":")[2])

    @property
    def config_path(self) -> Path:
        return self.directory / "keybroker.toml"

    @property
    def anchors(self) -> Path:
        return self.directory / "tls" / "anchors.pem"

    def certificate(self, caller: str) -> Path:
        return self.directory / "tls" / f"{caller}.pem"

    def private_key(self, caller: str) -> Path:
        return self.directory / "tls" / f"{caller}.key"

    @property
    def pin(self) -> str:
        return (self.directory / "pin").read_text()

    @property
    def so_pin(self) -> str:
        """Of the token's security officer."""
        return (self.directory / "so-pin").read_text()

    @property
    def broker_environment(self) -> dict[str, str]:
        """What ``keybroker serve`` needs besides the configuration: the PIN."""
        return {PIN_VARIABLE: self.pin}

    @property
    def operator_environment(self) -> dict[str, str]:
        """What an operator's commands read at the machine: the PIN, and the administrator by whose order they act."""
        person = self.directory / "evidence" / ADMINISTRATORS[0]
        return {
            **self.broker_environment,
            "KEYBROKER_PERSON": str(person.with_suffix(".pem")),
            "KEYBROKER_PERSON_KEY": str(person.with_suffix(".key")),
        }

    def client_environment(self, caller: str) -> dict[str, str]:
        """What ``keybroker sign``, ``explain`` and ``keys`` read when they are given no options."""
        return {
            "KEYBROKER_TARGET": self.target,
            "KEYBROKER_CERTIFICATE": str(self.certificate(caller)),
            "KEYBROKER_PRIVATE_KEY": str(self.private_key(caller)),
            "KEYBROKER_ANCHORS": str(self.anchors),
            "KEYBROKER_CONFIG": str(self.config_path),
        }


def create_deployment(
    directory: Path,
    *,
    listen_port: int = 0,
    keys: Sequence[DevKey] = DEFAULT_KEYS,
    fixed_clock: datetime | None = None,
    limits: Mapping[str, int] | None = None,
    anchor_seconds: int = 10,
    origin: str = LEDGER_ORIGIN,
    checkpoints: Mapping[str, str | int | bool] | None = None,
    make_token: Callable[[Path, str], SoftToken] = create_token,
    child: Child = in_a_process,
) -> Deployment:
    """Make a development deployment in ``directory`` (made where it is missing); port 0 picks a free one. Two that meet
    in one ceremony have ledgers of different ``origin``.

    ``checkpoints`` is the table of that name, absent where it is None.

    ``make_token`` makes another token than SoftHSM's, in the directory and under the label that it is given; ``child``
    begins the process that makes the keys.

    Raises: ConfigurationInvalid when the directory holds something already, or SoftHSM2 is missing or refuses.
    """
    directory = directory.resolve()  # one name, however it is written: a running broker is found by it
    # 1. An empty directory of our own.
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ConfigurationInvalid(
            "expected an empty directory, found files in it; choose another, or remove it", where=str(directory)
        )
    directory.chmod(0o700)
    for name in ("pki", "tls", "evidence", "data"):
        (directory / name).mkdir(mode=0o700)
    # 2. The token and its PIN.
    token = make_token(directory, TOKEN_LABEL)
    for name, pin in (("pin", token.pin), ("so-pin", token.so_pin)):
        _write_secret(directory / name, pin.encode())
    # 3. The two PKIs; certificates began 23 hours ago, by the clock that will judge them.
    now = datetime.now(UTC)
    root, smki = pki.create_smki(not_before=_before(fixed_clock or now))
    _write_smki(directory / "pki", root, smki)
    _write_devices(directory / "pki", not_before=_before(fixed_clock or now))
    keys = _with_authorities(_in_order(keys), smki)
    callers = callers_for(keys)
    _write_tls(directory / "tls", callers, not_before=_before(now))
    _write_attesters(directory / "evidence", callers, not_before=_before(fixed_clock or now))
    # 4. The configuration.
    port, metrics_port = _free_ports(2)
    settings = Settings(
        listen=f"{_HOST}:{listen_port or port}",
        metrics=f"{_HOST}:{metrics_port}",
        fixed_clock=fixed_clock,
        limits=limits or {},
        anchor_seconds=anchor_seconds,
        origin=origin,
        checkpoints=checkpoints,
    )
    (directory / "keybroker.toml").write_text(configuration_text(settings, token, callers))
    # 5. The keys, in the token and in the register.
    points = _provision(directory, token.pin, keys, child)
    _describe(directory, settings, keys, points, callers)
    return open_deployment(directory)


def open_deployment(directory: Path) -> Deployment:
    """The deployment that was made in this directory before.

    Raises: ConfigurationInvalid when there is none, or it was not finished.
    """
    directory = directory.resolve()  # one name, however it is written: a running broker is found by it
    try:
        described = json.loads((directory / _DESCRIPTION).read_bytes())
    except FileNotFoundError as error:
        raise ConfigurationInvalid(
            "expected a development deployment, found none; make one with: keybroker dev up", where=str(directory)
        ) from error
    return Deployment(
        directory=directory,
        target=described["target"],
        metrics=described["metrics"],
        keys={key["label"]: _deployment_key(key) for key in described["keys"]},
        callers=tuple(described["callers"]),
    )


def is_deployment(directory: Path) -> bool:
    return (directory / _DESCRIPTION).is_file()


def _before(at: datetime) -> datetime:
    """When certificates begin: within a day, as the OCAs' policies want it, whatever the making takes."""
    return (at - timedelta(hours=23)).replace(microsecond=0)


def is_free(port: int) -> bool:
    """Does nobody listen there? The broker proves it again when it binds."""
    with socket.socket() as tried:
        # Connections that were closed a moment ago do not count.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, below those that outgoing connections take."""
    found: list[int] = []
    while len(found) < count:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        if port not in found and is_free(port):
            found.append(port)
    return found


def _write_secret(path: Path, octets: bytes) -> None:
    """A new file that only its owner may read, from the first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(octets)


def _write_smki(directory: Path, root: x509.Certificate, smki: pki.Smki) -> None:
    (directory / "root.pem").write_bytes(pki.certificate_pem(root))
    (directory / "issuing.pem").write_bytes(pki.certificate_pem(smki.issuing.certificate))
    for name, held in zip(("arl.pem", "crl.pem"), smki.lists, strict=True):
        (directory / name).write_bytes(held.public_bytes(serialization.Encoding.PEM))
    _write_secret(directory / "issuing.key", pki.private_key_pem(smki.issuing.private_key))
    if smki.root is not None:
        _write_secret(directory / "root.key", pki.private_key_pem(smki.root.private_key))


def _write_devices(directory: Path, *, not_before: datetime) -> None:
    authority = device_pki.create_device_authority(not_before=not_before)
    (directory / "device-root.pem").write_bytes(pki.certificate_pem(authority.certificate))
    _write_secret(directory / "device-root.key", pki.private_key_pem(authority.private_key))
    for name, eui in DEVICES.items():
        for suffix, usage in (("ka", KeyUsage.KEY_AGREEMENT), ("ds", KeyUsage.DIGITAL_SIGNATURE)):
            key = pki.new_private_key()
            certificate = device_pki.device_certificate(
                authority, key.public_key(), eui=eui, usage=usage, not_before=not_before
            )
            (directory / f"{name}-{suffix}.pem").write_bytes(pki.certificate_pem(certificate))
            _write_secret(directory / f"{name}-{suffix}.key", pki.private_key_pem(key))


def _in_order(keys: Sequence[DevKey]) -> Sequence[DevKey]:
    """What the Root's certificate holds comes before the Root, and the OCAs before what they certify."""
    first = (
        KeyPurpose.CONTINGENCY_COMMAND,
        KeyPurpose.CONTINGENCY_SYMMETRIC,
        KeyPurpose.ROOT_OCA,
        KeyPurpose.ISSUING_OCA,
    )
    return sorted(keys, key=lambda key: first.index(key.purpose) if key.purpose in first else len(first))


def _with_authorities(keys: Sequence[DevKey], smki: pki.Smki) -> Sequence[DevKey]:
    """The two OCAs' keys are the test SMKI's own, brought into the token: every certificate here stands under them."""
    held = {KeyPurpose.ROOT_OCA: smki.root, KeyPurpose.ISSUING_OCA: smki.issuing}
    return [
        replace(key, private_scalar=pki.private_scalar(authority.private_key))
        if (authority := held.get(key.purpose)) is not None and key.private_scalar is None
        else key
        for key in keys
    ]


def _write_tls(directory: Path, callers: Iterable[DevCaller], *, not_before: datetime) -> None:
    authority = tls_pki.create_tls_authority(not_before=not_before)
    (directory / "anchors.pem").write_bytes(pki.certificate_pem(authority.certificate))
    key = pki.new_private_key()
    server = tls_pki.tls_server_certificate(authority, key.public_key(), not_before=not_before)
    (directory / "server.pem").write_bytes(pki.certificate_pem(server))
    _write_secret(directory / "server.key", pki.private_key_pem(key))
    for caller in callers:
        key = pki.new_private_key()
        client = tls_pki.tls_client_certificate(authority, key.public_key(), uri=caller.uri, not_before=not_before)
        (directory / f"{caller.name}.pem").write_bytes(pki.certificate_pem(client))
        _write_secret(directory / f"{caller.name}.key", pki.private_key_pem(key))


def _write_attesters(directory: Path, callers: Iterable[DevCaller], *, not_before: datetime) -> None:
    parties = dict.fromkeys(caller.party for caller in callers if caller.keys)
    for name, certificate, private_key in make_attesters(parties, not_before=not_before):
        (directory / f"{name}.pem").write_bytes(certificate)
        _write_secret(directory / f"{name}.key", private_key)


def _provision(directory: Path, pin: str, keys: Sequence[DevKey], child: Child) -> Mapping[str, bytes]:
    orders = json.dumps([_key_order(key) for key in keys]).encode()
    done = child(["keybroker.cli.dev.provision", str(directory)], orders, {**os.environ, PIN_VARIABLE: pin})
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigurationInvalid(f"the keys could not be made: {said[-1] if said else 'no reason given'}")
    return {label: base64.b64decode(point) for label, point in json.loads(done.stdout).items()}


def _key_order(key: DevKey) -> dict[str, object]:
    return {
        "label": key.label,
        "purpose": key.purpose.value,
        "party": key.party,
        "eui": str(key.eui) if key.eui else None,
        "role": key.role.value if key.role is not None else None,
        "private_scalar": key.private_scalar.hex() if key.private_scalar else None,
        "authentication": key.authentication.hex() if key.authentication else None,
        "draws_authentication": key.draws_authentication,
    }


def _describe(
    directory: Path,
    settings: Settings,
    keys: Sequence[DevKey],
    points: Mapping[str, bytes],
    callers: Sequence[DevCaller],
) -> None:
    """Written last: a directory with this file is a whole deployment."""
    described = {
        "target": settings.listen,
        "metrics": settings.metrics,
        "keys": [
            {
                "label": key.label,
                "purpose": key.purpose.value,
                "party": key.party,
                "eui": str(key.eui) if key.eui else None,
                "public_point": points[key.label].hex(),
            }
            for key in keys
        ],
        "callers": [caller.name for caller in callers],
    }
    (directory / _DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n")


def _deployment_key(described: Mapping[str, str]) -> DeploymentKey:
    return DeploymentKey(
        label=described["label"],
        purpose=described["purpose"],
        party=described["party"],
        eui=EntityIdentifier.from_text(described["eui"]) if described["eui"] else None,
        public_point=bytes.fromhex(described["public_point"]),
    )
