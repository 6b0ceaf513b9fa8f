"""All that differs between operating systems: POSIX in `posix`, Windows in `windows`, chosen once in `here`.

Runs in every process. Imports `unpatched` alone. What only commands and servers need is in `console`.
"""
