"""Has what must happen outside happened? Decision and evidence to Permit, or GateShut."""
