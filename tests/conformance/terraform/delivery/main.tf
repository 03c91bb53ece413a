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
variable "note" { default = "first" }

provider "aws" {
  region                  = var.region
  skip_metadata_api_check = true
  skip_region_validation  = true
  s3_use_path_style       = true
  endpoints {
    s3  = var.endpoint
    sts = var.endpoint
  }
  default_tags { tags = { Owner = "conformance" } }
}

resource "aws_s3_bucket" "logs" {
  bucket = "tf-logs"
  tags   = { Note = var.note }
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
  content = var.note
}
