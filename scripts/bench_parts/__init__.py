"""How fast is the broker, beside the module alone and beside a server that does nothing but sign?"""
