"""`tandem serve`: one robot as a service that is commanded in plain words."""
