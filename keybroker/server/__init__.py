"""Who asks, and how do they hear the answer? gRPC in and out; nothing here decides what a key may do."""
