"""What grows with the size of a suite or store: memory, the plans of queries, loaded modules."""
