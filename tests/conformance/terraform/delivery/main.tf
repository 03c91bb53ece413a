variable "step" {}

resource "aws_s3_bucket" "logs" {
  bucket = "tf-logs"
  tags   = { Note = var.step }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = "999988887777" }, Action = "s3:ListBucket", Resource = aws_s3_bucket.logs.arn }]
  })
}

resource "aws_s3_object" "note" {
  bucket  = aws_s3_bucket.logs.id
  key     = "notes/first note.txt"
  content = var.step
}

resource "aws_iam_role" "stream" {
  name = "tf-stream"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "firehose.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_kinesis_firehose_delivery_stream" "logs" {
  name        = "tf-stream"
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn           = aws_iam_role.stream.arn
    bucket_arn         = aws_s3_bucket.logs.arn
    prefix             = "${var.step}/"
    buffering_interval = 60
    buffering_size     = 1
    compression_format = "GZIP"
  }
}

resource "aws_cloudwatch_log_group" "logs" {
  name = "/tf/lattice"
}

resource "aws_vpclattice_service" "api" {
  name = "tf-delivery"
}

resource "aws_vpclattice_access_log_subscription" "logs" {
  for_each = {
    firehose = aws_kinesis_firehose_delivery_stream.logs.arn
    logs     = aws_cloudwatch_log_group.logs.arn
    s3       = aws_s3_bucket.logs.arn
  }
  resource_identifier = aws_vpclattice_service.api.id
  destination_arn     = each.value
}

output "service" { value = aws_vpclattice_service.api.id }
