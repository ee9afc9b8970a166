"""Definition files: TOML in, nouns out, every mistake at once."""
