"""What does keybroker bring with it, under which licences, and is the lock what pyproject.toml asks for?"""
