"""How people and programs reach the region: the AWS endpoint over HTTP, and the command line. A face formats; it never decides."""
