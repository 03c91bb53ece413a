"""EC2 through the real App."""
