"""`paideia replay`: sends a log of real answers through the front door and accounts for every one of them."""
