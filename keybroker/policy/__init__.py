"""May this key do this, for this caller, now? Content to Decision, with findings by clause. Pure."""
