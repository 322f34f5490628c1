"""What does the keybroker.toml of a development deployment say?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from keybroker.cli.dev.plan import DevCaller
from keybroker.cli.dev.token import SoftToken

PIN_VARIABLE = "KEYBROKER_PIN"
LEDGER_ORIGIN = "keybroker.example/dev/TEST"
NODE, SITE = "dev-node", "dev-site"

DEFAULT_LIMITS: Mapping[str, int] = {
    "message_octets": 65536,
    "batch_items": 1024,
    "queued_items": 4096,
    "deadline_seconds": 30,
    "connection_age_seconds": 3600,
    "connection_grace_seconds": 30,
    "drain_seconds": 20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs from one development deployment to another."""

    listen: str
    metrics: str
    fixed_clock: datetime | None
    limits: Mapping[str, int]
    anchor_seconds: int
    origin: str = LEDGER_ORIGIN
    checkpoints: Mapping[str, str | int | bool] | None = None


def configuration_text(settings: Settings, token: SoftToken, callers: Sequence[DevCaller]) -> str:
    """keybroker.toml, whole."""
    clock = f"fixed_clock = {settings.fixed_clock.isoformat()}\n" if settings.fixed_clock else ""
    return f"""\
# A development deployment, made by `keybroker dev up`. Everything in it is TEST.
[deployment]
kind = "test"
system = "user-systems"
part = "dev"
ledger_origin = {_text(settings.origin)}
data_directory = "data"
{clock}
[node]
name = {_text(NODE)}
site = {_text(SITE)}

[people]
cooling_off_days = 180

[server]
listen = {_text(settings.listen)}
metrics = {_text(settings.metrics)}
certificate = "tls/server.pem"
private_key = "tls/server.key"
client_anchors = "tls/anchors.pem"
log = "json"

[limits]
{_limits(settings.limits)}

[module]
profile = {_text(token.profile)}
library = {_text(str(token.library))}
token_label = {_text(token.label)}
token_serial = {_text(token.serial)}
site = {_text(SITE)}
sessions = 1

[module.pin]
environment = {_text(PIN_VARIABLE)}

[module.environment]
{_environment(token)}

[ledger]
url = "sqlite:///ledger.sqlite"
request_ids_kept_days = 30
anchor_seconds = {settings.anchor_seconds}

[anchors]
certificates = []
test_certificates = ["pki/root.pem"]
device_certificates = ["pki/device-root.pem"]
{_checkpoints(settings.checkpoints)}
{"".join(map(_caller, callers))}"""


def _environment(token: SoftToken) -> str:
    return "\n".join(f"{name} = {_text(value)}" for name, value in token.environment.items())


def _checkpoints(table: Mapping[str, str | int | bool] | None) -> str:
    if table is None:
        return ""
    return "\n[checkpoints]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())


def _limits(limits: Mapping[str, int]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in {**DEFAULT_LIMITS, **limits}.items())


def _caller(caller: DevCaller) -> str:
    return f"""\
[[caller]]
identity = {_text(f"uri:{caller.uri}")}
party = {_text(caller.party)}
system = {_text(caller.system)}
kind = {_text(caller.kind)}
user_roles = {_texts(caller.user_roles)}
euis = {_texts(caller.euis)}
operations = {_texts(caller.operations)}
keys = {_texts(caller.keys)}

"""


def _texts(values: Iterable[object]) -> str:
    return f"[{', '.join(_text(str(value)) for value in values)}]"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)
