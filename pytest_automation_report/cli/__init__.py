"""The console command `automation-report`, one module for each command.

Runs in a process of its own. Imports every folder but `session` and `annotations`.
"""
