"""How the ledger's tables came to be: Alembic revisions, carried in the wheel and run by ``ledger.store``."""
