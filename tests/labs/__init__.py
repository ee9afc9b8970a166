"""Real mounts and known limits for tests; each module says what its labs promise."""
