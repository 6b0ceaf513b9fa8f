"""The pages of one run in one HTML file. Runs in the embedded server, in the console command and in the sender."""
