"""What aibench does to the storage, call by call, against what real frameworks do."""
