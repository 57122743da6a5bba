from hypothesis import settings

# A busy machine is slow now and then; how long an example takes says nothing about what it shows.
settings.register_profile("paideia", deadline=None)
settings.load_profile("paideia")
