"""Turn pytest's reports of one attempt into one result of the API.

Runs in each process that runs tests, and in the sender, which creates the results that no test process could write.
Imports `api` and `text`: no clock, file or network.
"""
