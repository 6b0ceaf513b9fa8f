"""The console command `automation-report`, one module for each command.

Runs in a separate process. Imports every folder but `session` and `annotations`.
"""
