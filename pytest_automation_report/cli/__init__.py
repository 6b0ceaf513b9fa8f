"""The console command `automation-report`: a module for one command, or for those that are read together.

Runs in a separate process.
"""
