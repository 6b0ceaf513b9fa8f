"""What the tests share: doubles of the server, projects, real processes, what is read of them."""
