"""What a session's end says."""
