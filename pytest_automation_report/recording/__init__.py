"""Turn pytest's reports of one attempt, and the annotations of the test, into one result of the API.

- `recorder` is the first to read. It makes the record of an attempt, with `phases`, `results` and `comparison` unless
  the test passed and has nothing to report.
- `functions` and `hooks` are the ways in for annotations, which `fields` makes fields and artifacts; `collector` keeps
  those of the running test. `user_code` calls users' hooks, and takes their files.

Runs in each process that runs tests, and in the sender, which creates the results that no test process could write.
"""
