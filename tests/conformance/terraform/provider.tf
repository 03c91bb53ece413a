# What every folder's main.tf is used with: the provider as the environment sets it up (AWS_ENDPOINT_URL, AWS_REGION, credentials), which is what `latticewall env` prints.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  skip_region_validation = true
  s3_use_path_style      = true
  default_tags { tags = { Owner = "conformance" } }
}
