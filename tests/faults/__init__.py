"""Real kills, a bad server, and the sender's own steps: nothing lost, nothing doubled, nothing untold."""
