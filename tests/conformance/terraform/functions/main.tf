variable "step" {}

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
  filename         = "${path.cwd}/${var.step}.zip"
  source_code_hash = filebase64sha256("${path.root}/${var.step}.zip")
  timeout          = 5
  memory_size      = var.step == "first" ? 128 : 256
  publish          = true
  environment { variables = { GREETING = var.step } }
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
