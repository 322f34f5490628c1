"""Signs as a stranger would: nothing generated, nothing of keybroker imported. See ``scripts/reflect --help``."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

_SERVICE, _METHOD = "keybroker.v1.SigningService", "SignPreCommand"


def main() -> int:
    arguments = _arguments()
    description = arguments.directory / "deployment.json"
    if not description.is_file():
        print(
            f"expected a deployment, found none in {arguments.directory}; make one: keybroker dev up", file=sys.stderr
        )
        return 2
    described = json.loads(description.read_bytes())
    pre_command = bytes.fromhex((arguments.directory / "pre-command.hex").read_text())
    with _channel(arguments.directory / "tls", described["target"]) as channel:
        # 1. What is there, as the server says.
        database = ProtoReflectionDescriptorDatabase(channel)
        services = sorted(database.get_services())
        print("\n".join(services))
        # 2. The method's messages, made from its description.
        method = DescriptorPool(database).FindServiceByName(_SERVICE).FindMethodByName(_METHOD)
        request = message_factory.GetMessageClass(method.input_type)(
            request_id=str(uuid.uuid4()), key="supplier-a", pre_command=pre_command
        )
        answer = _call(channel, request, message_factory.GetMessageClass(method.output_type))
    print(json.dumps({"services": services, "answer": json_format.MessageToDict(answer)}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/reflect", description="Lists the services by reflection and signs the sample that `dev up` wrote."
    )
    parser.add_argument("--directory", type=Path, required=True, help="of a running `keybroker dev up`")
    return parser.parse_args()


def _channel(tls: Path, target: str) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(
        (tls / "anchors.pem").read_bytes(),
        (tls / "supplier-a.key").read_bytes(),
        (tls / "supplier-a.pem").read_bytes(),
    )
    return grpc.secure_channel(target, credentials)


def _call(channel: grpc.Channel, request: Any, answer_class: Any) -> Any:
    call = channel.unary_unary(
        f"/{_SERVICE}/{_METHOD}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer_class.FromString,
    )
    return call(request, timeout=30)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}; does it run? keybroker dev up DIRECTORY", file=sys.stderr)
        sys.exit(3)
