"""Programs that the tests of hsm run in processes of their own."""
