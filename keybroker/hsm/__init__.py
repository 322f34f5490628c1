"""The Cryptographic Module. An Intent goes in, what its key made comes out; nothing else opens it."""
