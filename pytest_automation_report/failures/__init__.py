"""Read failures as pytest writes them: tracebacks, compared values, captured output.

Runs in the server and the console command, on texts alone: no files, no clock, no markup.
"""
