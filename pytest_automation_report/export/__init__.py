"""A run in the forms of other tools: JUnit XML, CTRF, Markdown, CSV, and the documented JSON.

Runs in the console command, and in the sender for the digest of a session. Its functions take values and return texts.
"""
