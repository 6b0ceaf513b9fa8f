"""The embedded server as a process, its pages in a browser, its PostgreSQL store."""
