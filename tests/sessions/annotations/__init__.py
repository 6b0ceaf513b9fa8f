"""What users add to their results, in real sessions."""
