"""The page of a run, with its views. Runs in the processes of `server.pages`."""
