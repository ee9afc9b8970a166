"""Worker processes and the loops that they run."""
