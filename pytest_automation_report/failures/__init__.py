"""Read failures as pytest writes them: tracebacks, compared values, captured output.

Runs in the server, and in the console command. Everything here is a function of texts: no files, no clock, no
markup. It imports nothing but ``text``.
"""
