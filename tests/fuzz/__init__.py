"""Every decoder against octets that nobody meant: one value or its one refusal, whatever comes."""
