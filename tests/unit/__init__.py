"""One folder for each of the package's: each module alone, without processes."""
