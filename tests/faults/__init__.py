"""Something dies, lies or runs full: real kills, disks and networks."""
