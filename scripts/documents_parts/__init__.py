"""How are docs/ built into pages to be read in a browser? By mkdocs.yml, with what stands here."""
