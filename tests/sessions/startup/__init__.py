"""How sessions begin, on the embedded store and on a server, in poor surroundings."""
