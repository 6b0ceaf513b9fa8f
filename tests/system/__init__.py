"""Sessions on systems that are played."""
