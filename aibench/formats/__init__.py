"""How samples and checkpoints lie on disk."""
