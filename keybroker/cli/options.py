"""Which options do several commands share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keybroker.terms import EntityIdentifier

Config = Annotated[
    Path, typer.Option("--config", "-c", envvar="KEYBROKER_CONFIG", help="The broker's keybroker.toml.", dir_okay=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Target = Annotated[str, typer.Option(envvar="KEYBROKER_TARGET", help="The broker, HOST:PORT.")]
Certificate = Annotated[Path, typer.Option(envvar="KEYBROKER_CERTIFICATE", help="Your TLS certificate, PEM.")]
PrivateKey = Annotated[Path, typer.Option(envvar="KEYBROKER_PRIVATE_KEY", help="Its private key, PEM.")]
Anchors = Annotated[
    Path, typer.Option(envvar="KEYBROKER_ANCHORS", help="Authorities of the broker's certificate, PEM.")
]
KeyName = Annotated[str, typer.Option("--key", "-k", help="The key's label in the register.")]
File = Annotated[
    Path,
    typer.Argument(help="What is asked: its octets, or the same as hexadecimal text.", exists=True, dir_okay=False),
]
RequestId = Annotated[str | None, typer.Option(help="Ask again under the same name as before.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write what comes back here.")]
ExplainOnly = Annotated[bool, typer.Option("--explain", help="Show every rule instead; no key is touched.")]
DeviceCertificates = Annotated[
    list[Path],
    typer.Option(
        "--device-certificate",
        help="The Device's Key Agreement certificate, then its issuers; PEM (also several in a file) or DER.",
        dir_okay=False,
        exists=True,
    ),
]
OriginatorCertificates = Annotated[
    list[Path] | None,
    typer.Option(
        "--originator-certificate",
        help="The originator's Digital Signing certificate, then its issuers.",
        dir_okay=False,
        exists=True,
    ),
]


def eui(text: str, option: str) -> EntityIdentifier:
    """Raises: BadParameter for what is no EUI-64."""
    try:
        return EntityIdentifier.from_text(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected 16 hexadecimal digits, found {text}", param_hint=option) from error
