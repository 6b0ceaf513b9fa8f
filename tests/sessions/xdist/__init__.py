"""Sessions of several workers and several jobs."""
