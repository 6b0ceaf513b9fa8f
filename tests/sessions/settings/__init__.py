"""Settings as users write them, and what they read after a mistake."""
