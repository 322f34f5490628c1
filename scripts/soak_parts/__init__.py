"""Does the service keep its promises while everything round it breaks? The parts of ``scripts/soak``."""
