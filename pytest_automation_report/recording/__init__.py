"""Turn pytest's reports of one attempt, and the annotations of the test, into one result of the API.

- `recorder` is the first to read. It makes the record of an attempt with `phases`, `comparison`, `results`, `steps`.
- `functions`, `markers` and `hooks` are the ways in for annotations; `collector` stores those of the running attempt,
  `files` finds an address for each file.

Runs in each process that runs tests, and in the sender, which creates the results that no test process could write.
Imports `spool`, `api`, `text` and `unpatched`.
"""
