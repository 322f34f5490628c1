"""Generated from protos/ by scripts/generate_pb; never edited."""
