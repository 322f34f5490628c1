"""The Cryptographic Module. An Intent goes in, a Signature comes out; nothing else opens it."""
