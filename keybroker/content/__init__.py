"""What are we asked to sign? Octets to typed, immutable Content, or a refusal. Pure."""
