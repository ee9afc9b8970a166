"""aibench as its users meet it: the real command line, on real filesystems."""
