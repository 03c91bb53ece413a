variable "step" {}

resource "aws_vpc" "v" { cidr_block = "172.30.0.0/16" }
resource "aws_subnet" "s" {
  vpc_id     = aws_vpc.v.id
  cidr_block = "172.30.1.0/24"
}
resource "aws_cloudwatch_log_group" "g" { name = "/tf/all" }

resource "aws_vpclattice_service_network" "n" {
  name      = "tf-all"
  auth_type = "AWS_IAM"
}
resource "aws_vpclattice_auth_policy" "n" {
  resource_identifier = aws_vpclattice_service_network.n.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "*", Resource = "*" }]
  })
}
resource "aws_vpclattice_resource_policy" "n" {
  resource_arn = aws_vpclattice_service_network.n.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::444455556666:root" }
      Action    = ["vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:GetServiceNetwork"]
      Resource  = aws_vpclattice_service_network.n.arn
    }]
  })
}
resource "aws_vpclattice_service_network_vpc_association" "v" {
  vpc_identifier             = aws_vpc.v.id
  service_network_identifier = aws_vpclattice_service_network.n.id
  security_group_ids         = [aws_vpc.v.default_security_group_id]
}
resource "aws_vpclattice_target_group" "t" {
  name = "tf-all"
  type = "IP"
  config {
    vpc_identifier   = aws_vpc.v.id
    port             = 80
    protocol         = "HTTP"
    protocol_version = "HTTP1"
    health_check {
      path                          = "/health"
      health_check_interval_seconds = 60
      matcher { value = "200-299" }
    }
  }
}
resource "aws_vpclattice_target_group_attachment" "t" {
  target_group_identifier = aws_vpclattice_target_group.t.id
  target {
    id   = "172.30.1.20"
    port = 8080
  }
  depends_on = [aws_subnet.s]
}
resource "aws_vpclattice_service" "s" {
  name               = "tf-all"
  auth_type          = "NONE"
  custom_domain_name = "all.tf.test"
}
resource "aws_vpclattice_listener" "l" {
  name               = "main"
  protocol           = "HTTP"
  port               = 8080
  service_identifier = aws_vpclattice_service.s.id
  default_action {
    fixed_response { status_code = var.step == "first" ? 404 : 500 }
  }
}
resource "aws_vpclattice_listener_rule" "r" {
  name                = "one"
  listener_identifier = aws_vpclattice_listener.l.listener_id
  service_identifier  = aws_vpclattice_service.s.id
  priority            = 10
  match {
    http_match {
      method = "GET"
      header_matches {
        name           = "x-team"
        case_sensitive = false
        match { prefix = "blue" }
      }
      path_match {
        case_sensitive = true
        match { exact = "/one" }
      }
    }
  }
  action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.t.id
        weight                  = 30
      }
    }
  }
}
resource "aws_vpclattice_service_network_service_association" "s" {
  service_identifier         = aws_vpclattice_service.s.id
  service_network_identifier = aws_vpclattice_service_network.n.id
}
resource "aws_vpclattice_access_log_subscription" "s" {
  resource_identifier = aws_vpclattice_service.s.id
  destination_arn     = aws_cloudwatch_log_group.g.arn
}
resource "aws_vpclattice_resource_gateway" "g" {
  name               = "tf-all"
  vpc_id             = aws_vpc.v.id
  subnet_ids         = [aws_subnet.s.id]
  security_group_ids = [aws_vpc.v.default_security_group_id]
}
resource "aws_vpclattice_resource_configuration" "c" {
  name                        = "tf-all"
  type                        = "SINGLE"
  protocol                    = "TCP"
  port_ranges                 = ["5432", "6000-6010"]
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  # the network can be shared by its resource policy
  allow_association_to_shareable_service_network = true
  resource_configuration_definition {
    ip_resource { ip_address = "172.30.1.30" }
  }
}
resource "aws_vpclattice_service_network_resource_association" "c" {
  resource_configuration_identifier = aws_vpclattice_resource_configuration.c.id
  service_network_identifier        = aws_vpclattice_service_network.n.id
}

data "aws_vpclattice_service" "by_name" { name = aws_vpclattice_service.s.name }
data "aws_vpclattice_service" "by_id" { service_identifier = aws_vpclattice_service.s.id }
data "aws_vpclattice_service_network" "n" { service_network_identifier = aws_vpclattice_service_network.n.id }
data "aws_vpclattice_listener" "l" {
  service_identifier  = aws_vpclattice_service.s.id
  listener_identifier = aws_vpclattice_listener.l.listener_id
}
data "aws_vpclattice_auth_policy" "n" { resource_identifier = aws_vpclattice_auth_policy.n.resource_identifier }
data "aws_vpclattice_resource_policy" "n" { resource_arn = aws_vpclattice_resource_policy.n.resource_arn }

output "seen" {
  value = {
    service         = [data.aws_vpclattice_service.by_name.arn, data.aws_vpclattice_service.by_id.arn, aws_vpclattice_service.s.arn]
    service_network = [data.aws_vpclattice_service_network.n.arn, aws_vpclattice_service_network.n.arn]
    listener        = [data.aws_vpclattice_listener.l.arn, aws_vpclattice_listener.l.arn]
    auth_policy     = [data.aws_vpclattice_auth_policy.n.policy, aws_vpclattice_auth_policy.n.policy]
    resource_policy = [jsonencode(jsondecode(data.aws_vpclattice_resource_policy.n.policy)), aws_vpclattice_resource_policy.n.policy]
  }
}
output "identifiers" {
  value = {
    "aws_vpc.v"                                             = aws_vpc.v.id
    "aws_subnet.s"                                          = aws_subnet.s.id
    "aws_cloudwatch_log_group.g"                            = aws_cloudwatch_log_group.g.name
    "aws_vpclattice_service_network.n"                      = aws_vpclattice_service_network.n.id
    "aws_vpclattice_auth_policy.n"                          = aws_vpclattice_auth_policy.n.id
    "aws_vpclattice_resource_policy.n"                      = aws_vpclattice_resource_policy.n.id
    "aws_vpclattice_service_network_vpc_association.v"      = aws_vpclattice_service_network_vpc_association.v.id
    "aws_vpclattice_target_group.t"                         = aws_vpclattice_target_group.t.id
    "aws_vpclattice_service.s"                              = aws_vpclattice_service.s.id
    "aws_vpclattice_listener.l"                             = aws_vpclattice_listener.l.id
    "aws_vpclattice_listener_rule.r"                        = aws_vpclattice_listener_rule.r.id
    "aws_vpclattice_service_network_service_association.s"  = aws_vpclattice_service_network_service_association.s.id
    "aws_vpclattice_access_log_subscription.s"              = aws_vpclattice_access_log_subscription.s.id
    "aws_vpclattice_resource_gateway.g"                     = aws_vpclattice_resource_gateway.g.id
    "aws_vpclattice_resource_configuration.c"               = aws_vpclattice_resource_configuration.c.id
    "aws_vpclattice_service_network_resource_association.c" = aws_vpclattice_service_network_resource_association.c.id
  }
}
