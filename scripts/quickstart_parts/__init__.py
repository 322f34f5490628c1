"""What happens to one Pre-Command, from octets to a record, shown step by step?"""
