"""Which keys are there, whose are they, and in what state of their life?"""
