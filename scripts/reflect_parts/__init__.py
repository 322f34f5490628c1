"""What does a client see that has none of our files? Services by gRPC reflection, messages made from what it told."""
