terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "endpoint" {}
variable "region" {}
variable "greeting" { default = "first" }

provider "aws" {
  region                  = var.region
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    iam        = var.endpoint
    lambda     = var.endpoint
    sts        = var.endpoint
    vpclattice = var.endpoint
  }
  default_tags { tags = { Owner = "conformance" } }
}

resource "aws_iam_role" "function" {
  name = "tf-function"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "lambda.amazonaws.com" } }]
  })
}

resource "aws_lambda_function" "greeter" {
  function_name    = "tf-greeter"
  role             = aws_iam_role.function.arn
  runtime          = "python3.12"
  handler          = "index.handler"
  filename         = "${var.greeting}.zip"
  source_code_hash = filebase64sha256("${var.greeting}.zip")
  timeout          = 5
  memory_size      = var.greeting == "first" ? 128 : 256
  publish          = true
  environment { variables = { GREETING = var.greeting } }
  tags = { Name = "greeter" }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.greeter.function_name
  function_version = aws_lambda_function.greeter.version
}

resource "aws_lambda_permission" "lattice" {
  statement_id  = "lattice"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.greeter.function_name
  principal     = "vpc-lattice.amazonaws.com"
  source_arn    = aws_vpclattice_target_group.functions.arn
}

resource "aws_vpclattice_target_group" "functions" {
  name = "tf-functions"
  type = "LAMBDA"
  config { lambda_event_structure_version = "V2" }
}

resource "aws_vpclattice_target_group_attachment" "greeter" {
  target_group_identifier = aws_vpclattice_target_group.functions.id
  target { id = aws_lambda_function.greeter.arn }
  depends_on = [aws_lambda_permission.lattice]
}

data "aws_lambda_function" "greeter" {
  function_name = aws_lambda_function.greeter.function_name
  qualifier     = aws_lambda_alias.live.name
}

output "group" { value = aws_vpclattice_target_group.functions.id }
output "version" { value = data.aws_lambda_function.greeter.version }
