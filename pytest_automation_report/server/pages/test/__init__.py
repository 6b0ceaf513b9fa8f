"""The page of a test, in a run and across runs. Runs in the processes of `server.pages`."""
