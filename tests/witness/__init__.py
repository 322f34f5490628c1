"""The witness: what it reads, how it judges, what it keeps, and how a broker asks it; in processes of its own."""
