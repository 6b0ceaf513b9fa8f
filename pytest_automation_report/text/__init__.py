"""Make foreign text short, visible and free of secrets. Runs in every process of ours."""
