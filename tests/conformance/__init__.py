"""Real regions judged from outside: unmodified boto3, AWS CLI and Terraform build, real clients inside instances say what passes."""
