"""The web pages of the embedded server, rendered on the server.

Runs in `serve`, and in each process that writes a report in one file (`server.pages.report_file`). No other process
loads jinja2.
"""
