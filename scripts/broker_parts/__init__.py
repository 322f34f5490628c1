"""How do the scripts start a development broker of their own, and stop it again?"""
