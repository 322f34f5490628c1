"""How is the assurance case made? From docs/assurance.toml, docs/section_g.toml and what the tree says of itself."""
