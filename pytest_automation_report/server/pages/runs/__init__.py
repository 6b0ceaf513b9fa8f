"""The lists of the pages: projects, suites and runs. Runs in the processes of `server.pages`."""
