"""What a deployment keeps for how long, and the removal of what is older: months of attempts, batches of the log, answers to requests."""
