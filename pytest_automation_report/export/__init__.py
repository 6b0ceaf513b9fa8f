"""A run in the forms of other tools: JUnit XML, CTRF, Markdown, CSV, and the documented JSON.

Runs in the console command, and in the server for the text of one failure. Its functions take values and return texts.
Imports `api`, `findings` (the verdict), `failures` and `text`.
"""
