"""One feature each, by real pytest sessions and console commands against a server of ours."""
