"""Every setting: the class of them, where values come from, how they are parsed, where the token may be sent.

Runs in pytest and the console command.
"""
