"""How pytest's outcomes become results, in real sessions."""
