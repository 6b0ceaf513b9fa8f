"""What grows with the size of a suite or store: time, memory, the plans of queries, loaded modules."""
