"""How do people speak to a broker, and to the machine it stands on? One file per command; see ``main``."""
