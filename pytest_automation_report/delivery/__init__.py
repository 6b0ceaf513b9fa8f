"""The sender: the process that delivers what pytest's processes spooled (floor 3).

`process` is its main loop, `launch` starts it from pytest; `automation-report send` runs the same `delivery` on a spool
that was left behind.
"""
