"""What the machine says: mounts, caches, devices, environment."""
