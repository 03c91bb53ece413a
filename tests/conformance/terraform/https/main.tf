variable "step" {}
variable "zone" {}

# the certificate that is imported serves from the second step on, and is then another one
locals { own = var.step == "second" }

resource "aws_vpc" "v" { cidr_block = "172.30.0.0/16" }

# -- certificates

resource "aws_acm_certificate" "issued" {
  domain_name               = "shop.terraform.test"
  subject_alternative_names = ["*.shop.terraform.test"]
  validation_method         = "DNS"
  key_algorithm             = "RSA_2048"
  tags                      = { own = tostring(local.own) }
  lifecycle { create_before_destroy = true }
}

resource "aws_route53_record" "proof" {
  for_each        = { for option in aws_acm_certificate.issued.domain_validation_options : option.domain_name => option }
  allow_overwrite = true
  zone_id         = var.zone
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 60
}

resource "aws_acm_certificate_validation" "issued" {
  certificate_arn         = aws_acm_certificate.issued.arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}

resource "aws_acm_certificate" "imported" {
  certificate_body = file("${path.root}/${var.step}.pem")
  private_key      = file("${path.root}/${var.step}.key")
}

data "aws_acm_certificate" "found" {
  domain     = "shop.terraform.test"
  types      = ["AMAZON_ISSUED"]
  statuses   = ["ISSUED"]
  depends_on = [aws_acm_certificate_validation.issued]
}

# -- what is served with them

resource "aws_vpclattice_service" "shop" {
  name               = "tf-shop"
  custom_domain_name = "shop.terraform.test"
  certificate_arn    = local.own ? aws_acm_certificate.imported.arn : aws_acm_certificate_validation.issued.certificate_arn
}

resource "aws_vpclattice_target_group" "g" {
  for_each = { HTTP2 = "tf-two", GRPC = "tf-parking" }
  name     = each.value
  type     = "IP"
  config {
    port             = 9090
    protocol         = "HTTP"
    protocol_version = each.key
    vpc_identifier   = aws_vpc.v.id
    health_check {
      enabled          = local.own
      protocol_version = "HTTP2"
      protocol         = "HTTP"
    }
  }
}

resource "aws_vpclattice_listener" "https" {
  name               = "https"
  protocol           = "HTTPS"
  service_identifier = aws_vpclattice_service.shop.id
  default_action {
    forward {
      target_groups { target_group_identifier = aws_vpclattice_target_group.g["HTTP2"].id }
    }
  }
}

resource "aws_vpclattice_listener_rule" "parking" {
  name                = "parking"
  listener_identifier = aws_vpclattice_listener.https.listener_id
  service_identifier  = aws_vpclattice_service.shop.id
  priority            = 1
  match {
    http_match {
      method = "POST"
      path_match {
        case_sensitive = true
        match { prefix = "/api.parking/" }
      }
    }
  }
  action {
    forward {
      target_groups { target_group_identifier = aws_vpclattice_target_group.g["GRPC"].id }
    }
  }
}

output "found" { value = data.aws_acm_certificate.found.arn }
output "issued" { value = aws_acm_certificate.issued.arn }
output "imported" { value = aws_acm_certificate.imported.arn }
output "service" { value = aws_vpclattice_service.shop.id }
output "port" { value = aws_vpclattice_listener.https.port }
