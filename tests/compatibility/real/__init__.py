"""Real packages' own tests, with the plugin and without it."""
