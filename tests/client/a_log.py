"""A log of a test's own, with its key: it shows what it is told to, the truth or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keybroker.client.answers import InclusionProof, Receipt
from keybroker.content.checkpoint import encode_checkpoint
from keybroker.errors import RequestMalformed
from keybroker.ledger.checkpoint_form import checkpoint_note
from keybroker.ledger.merkle import leaf_hash, node_hash
from keybroker.ledger.note_keys import EcdsaNoteKey, write_vkey
from keybroker.ledger.proofs import consistency_proof, inclusion_proof, root_hash

ORIGIN = "log.example/TEST"


@dataclass
class ALog:
    """``leaves`` are leaf hashes; ``shown`` is the size of the last checkpoint."""

    leaves: list[bytes] = field(default_factory=list)
    shown: int = 0
    origin: str = ORIGIN
    private_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def vkey(self) -> str:
        return write_vkey(EcdsaNoteKey(name=self.origin, point=self._point))

    def append(self, *records: str) -> list[Receipt]:
        """Records, and a checkpoint behind them."""
        receipts = []
        for record in records:
            leaf = leaf_hash(record.encode())
            receipts.append(Receipt(origin=self.origin, leaf_index=len(self.leaves), leaf_hash=leaf))
            self.leaves.append(leaf)
        self.shown = len(self.leaves)
        return receipts

    def note(self, size: int) -> bytes:
        root = root_hash(size, self.subtree)
        text = encode_checkpoint(self.origin, size, root)
        r, s = decode_dss_signature(self.private_key.sign(text, ec.ECDSA(SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return checkpoint_note(self.origin, size, root, public_key=self._point, signature=signature)

    def subtree(self, height: int, place: int) -> bytes:
        if height == 0:
            return self.leaves[place]
        return node_hash(self.subtree(height - 1, 2 * place), self.subtree(height - 1, 2 * place + 1))

    async def get_checkpoint(self, tree_size: int = 0) -> bytes:
        return self.note(tree_size or self.shown)

    async def get_inclusion_proofs(self, leaf_indexes: Sequence[int], tree_size: int) -> list[InclusionProof]:
        return [
            InclusionProof(
                leaf_index=index,
                leaf_hash=self.leaves[index],
                hashes=tuple(inclusion_proof(index, tree_size, self.subtree)),
            )
            for index in leaf_indexes
        ]

    async def get_consistency_proof(self, first_size: int, second_size: int) -> list[bytes]:
        if second_size > len(self.leaves):
            raise RequestMalformed(f"expected at most {len(self.leaves)}, found {second_size}", field="second_size")
        return consistency_proof(first_size, second_size, self.subtree)

    @property
    def _point(self) -> bytes:
        return self.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
