variable "step" {}

data "aws_caller_identity" "me" {}
data "aws_availability_zones" "z" {}
data "aws_ami" "host" {
  most_recent = true
  owners      = ["amazon"]
}

locals {
  vpcs  = { client = "172.28.0.0/16", server = "172.29.0.0/16", wall = "192.168.0.0/18" }
  roles = { home = 1, way = 2 }
  nets  = { for pair in setproduct(keys(local.vpcs), keys(local.roles)) : "${pair[0]}-${pair[1]}" => { vpc = pair[0], number = local.roles[pair[1]] } }
}

# -- networks

resource "aws_vpc" "v" {
  for_each             = local.vpcs
  cidr_block           = each.value
  enable_dns_hostnames = true
  tags                 = { Name = each.key }

  assign_generated_ipv6_cidr_block = each.key == "client"
}
resource "aws_subnet" "s" {
  for_each          = local.nets
  vpc_id            = aws_vpc.v[each.value.vpc].id
  cidr_block        = cidrsubnet(local.vpcs[each.value.vpc], 24 - tonumber(split("/", local.vpcs[each.value.vpc])[1]), each.value.number)
  ipv6_cidr_block   = each.value.vpc == "client" ? cidrsubnet(aws_vpc.v["client"].ipv6_cidr_block, 8, each.value.number) : null
  availability_zone = data.aws_availability_zones.z.names[1]
}
resource "aws_security_group" "open" {
  for_each = aws_vpc.v
  name     = "open"
  vpc_id   = each.value.id
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_vpc_security_group_ingress_rule" "open" {
  for_each          = aws_security_group.open
  security_group_id = each.value.id
  ip_protocol       = "tcp"
  from_port         = 1024
  to_port           = 65535
  cidr_ipv4         = "0.0.0.0/0"
}

# -- transit gateway

resource "aws_ec2_transit_gateway" "hub" {
  default_route_table_association = "disable"
  default_route_table_propagation = "disable"
}
resource "aws_ec2_transit_gateway_vpc_attachment" "a" {
  for_each                                        = aws_vpc.v
  transit_gateway_id                              = aws_ec2_transit_gateway.hub.id
  vpc_id                                          = each.value.id
  subnet_ids                                      = [aws_subnet.s["${each.key}-way"].id]
  appliance_mode_support                          = each.key == "wall" ? "enable" : "disable"
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
}
resource "aws_ec2_transit_gateway_route_table" "t" {
  for_each           = toset(["spoke", "wall"])
  transit_gateway_id = aws_ec2_transit_gateway.hub.id
  tags               = { Name = each.key }
}
resource "aws_ec2_transit_gateway_route_table_association" "a" {
  for_each                       = aws_ec2_transit_gateway_vpc_attachment.a
  transit_gateway_attachment_id  = each.value.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t[each.key == "wall" ? "wall" : "spoke"].id
}
resource "aws_ec2_transit_gateway_route_table_propagation" "p" {
  for_each                       = toset(["client", "server"])
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.a[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t["wall"].id
}
resource "aws_ec2_transit_gateway_route" "out" {
  destination_cidr_block         = "0.0.0.0/0"
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.a["wall"].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t["spoke"].id
}
resource "aws_ec2_transit_gateway_route" "nowhere" {
  destination_cidr_block         = "198.51.100.0/24"
  blackhole                      = true
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t["spoke"].id
}

# -- firewall

resource "aws_networkfirewall_rule_group" "edge" {
  name     = "edge"
  type     = "STATELESS"
  capacity = 20
  rule_group {
    rules_source {
      stateless_rules_and_custom_actions {
        stateless_rule {
          priority = 1
          rule_definition {
            actions = ["aws:drop"]
            match_attributes {
              protocols = [6]
              source { address_definition = "0.0.0.0/0" }
              destination { address_definition = "172.29.0.0/16" }
              destination_port {
                from_port = 9999
                to_port   = 9999
              }
            }
          }
        }
      }
    }
  }
}
resource "aws_networkfirewall_rule_group" "tuples" {
  name     = "tuples"
  type     = "STATEFUL"
  capacity = 20
  rule_group {
    rule_variables {
      ip_sets {
        key = "CLIENTS"
        ip_set { definition = ["172.28.0.0/16"] }
      }
    }
    rules_source {
      stateful_rule {
        action = "PASS"
        header {
          protocol         = "TCP"
          source           = "$CLIENTS"
          source_port      = "ANY"
          direction        = "FORWARD"
          destination      = "172.29.0.0/16"
          destination_port = "7777"
        }
        rule_option {
          keyword  = "sid"
          settings = ["1"]
        }
      }
    }
    stateful_rule_options { rule_order = "STRICT_ORDER" }
  }
}
resource "aws_networkfirewall_rule_group" "names" {
  name     = "names"
  type     = "STATEFUL"
  capacity = 20
  rule_group {
    rules_source {
      rules_source_list {
        generated_rules_type = "ALLOWLIST"
        target_types         = ["HTTP_HOST", "TLS_SNI"]
        targets              = [".allowed.test"]
      }
    }
    stateful_rule_options { rule_order = "STRICT_ORDER" }
  }
}
resource "aws_networkfirewall_firewall_policy" "wall" {
  name = "tf-wall"
  firewall_policy {
    stateless_default_actions          = ["aws:forward_to_sfe"]
    stateless_fragment_default_actions = ["aws:forward_to_sfe"]
    stateful_default_actions           = ["aws:drop_established", "aws:alert_established"]
    stateful_engine_options { rule_order = "STRICT_ORDER" }
    stateless_rule_group_reference {
      priority     = 1
      resource_arn = aws_networkfirewall_rule_group.edge.arn
    }
    stateful_rule_group_reference {
      priority     = 1
      resource_arn = aws_networkfirewall_rule_group.tuples.arn
    }
    stateful_rule_group_reference {
      priority     = 2
      resource_arn = aws_networkfirewall_rule_group.names.arn
    }
  }
}
resource "aws_networkfirewall_firewall" "wall" {
  name                = "tf-wall"
  firewall_policy_arn = aws_networkfirewall_firewall_policy.wall.arn
  vpc_id              = aws_vpc.v["wall"].id
  subnet_mapping { subnet_id = aws_subnet.s["wall-home"].id }
}
resource "aws_cloudwatch_log_group" "g" {
  for_each          = toset(["/tf/alert", "/tf/flow", "/tf/access"])
  name              = each.key
  retention_in_days = 7
}
resource "aws_networkfirewall_logging_configuration" "wall" {
  firewall_arn = aws_networkfirewall_firewall.wall.arn
  logging_configuration {
    dynamic "log_destination_config" {
      for_each = { ALERT = "/tf/alert", FLOW = "/tf/flow" }
      content {
        log_type             = log_destination_config.key
        log_destination_type = "CloudWatchLogs"
        log_destination      = { logGroup = aws_cloudwatch_log_group.g[log_destination_config.value].name }
      }
    }
  }
}

# -- routes

locals {
  endpoint = one([for state in aws_networkfirewall_firewall.wall.firewall_status[0].sync_states : state.attachment[0].endpoint_id])
}
resource "aws_route_table" "t" {
  for_each = aws_subnet.s
  vpc_id   = each.value.vpc_id
}
resource "aws_route_table_association" "t" {
  for_each       = aws_subnet.s
  subnet_id      = each.value.id
  route_table_id = aws_route_table.t[each.key].id
}
resource "aws_route" "hub" {
  for_each               = toset(["client-home", "server-home", "wall-home"])
  route_table_id         = aws_route_table.t[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  transit_gateway_id     = aws_ec2_transit_gateway.hub.id
  depends_on             = [aws_ec2_transit_gateway_vpc_attachment.a]
}
resource "aws_route" "wall" {
  route_table_id         = aws_route_table.t["wall-way"].id
  destination_cidr_block = "0.0.0.0/0"
  vpc_endpoint_id        = local.endpoint
}

# -- instances

resource "aws_iam_role" "client" {
  name = "tf-client"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
resource "aws_iam_role_policy" "client" {
  name = "invoke"
  role = aws_iam_role.client.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "vpc-lattice-svcs:*", Resource = "*" }]
  })
}
resource "aws_iam_instance_profile" "client" {
  name = "tf-client"
  role = aws_iam_role.client.name
}
resource "aws_instance" "server" {
  ami                         = data.aws_ami.host.id
  instance_type               = "t3.micro"
  subnet_id                   = aws_subnet.s["server-home"].id
  private_ip                  = "172.29.1.10"
  vpc_security_group_ids      = [aws_security_group.open["server"].id]
  user_data                   = file("${path.root}/server.py")
  user_data_replace_on_change = true
  tags                        = { Name = "tf-server" }
}
resource "aws_instance" "client" {
  ami                    = data.aws_ami.host.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.s["client-home"].id
  vpc_security_group_ids = [aws_security_group.open["client"].id]
  iam_instance_profile   = aws_iam_instance_profile.client.name
  tags                   = { Name = "tf-client" }
  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }
}

# -- service network

resource "aws_vpclattice_service_network" "n" {
  name      = "tf-network"
  auth_type = "AWS_IAM"
}
resource "aws_vpclattice_auth_policy" "n" {
  resource_identifier = aws_vpclattice_service_network.n.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = data.aws_caller_identity.me.account_id }, Action = "vpc-lattice-svcs:Invoke", Resource = "*" }]
  })
}
resource "aws_vpclattice_service_network_vpc_association" "v" {
  vpc_identifier             = aws_vpc.v["client"].id
  service_network_identifier = aws_vpclattice_service_network.n.id
  security_group_ids         = [aws_security_group.open["client"].id]
}
resource "aws_vpclattice_target_group" "t" {
  name = "tf-targets"
  type = "INSTANCE"
  config {
    vpc_identifier   = aws_vpc.v["server"].id
    port             = 7001
    protocol         = "HTTP"
    protocol_version = "HTTP1"
    health_check { enabled = false }
  }
}
resource "aws_vpclattice_target_group_attachment" "t" {
  target_group_identifier = aws_vpclattice_target_group.t.id
  target {
    id   = aws_instance.server.id
    port = 7001
  }
}
resource "aws_vpclattice_service" "s" {
  name      = "tf-service"
  auth_type = "NONE"
}
resource "aws_vpclattice_listener" "l" {
  name               = "main"
  protocol           = "HTTP"
  port               = 8443
  service_identifier = aws_vpclattice_service.s.id
  default_action {
    forward {
      target_groups {
        target_group_identifier = aws_vpclattice_target_group.t.id
        weight                  = 100
      }
    }
  }
}
resource "aws_vpclattice_listener_rule" "r" {
  name                = "closed"
  listener_identifier = aws_vpclattice_listener.l.listener_id
  service_identifier  = aws_vpclattice_service.s.id
  priority            = 10
  match {
    http_match {
      method = "DELETE"
      path_match {
        case_sensitive = true
        match { prefix = "/${var.step}" }
      }
    }
  }
  action {
    fixed_response { status_code = 404 }
  }
}
resource "aws_vpclattice_service_network_service_association" "s" {
  service_identifier         = aws_vpclattice_service.s.id
  service_network_identifier = aws_vpclattice_service_network.n.id
}
resource "aws_vpclattice_access_log_subscription" "s" {
  resource_identifier = aws_vpclattice_service_network.n.id
  destination_arn     = aws_cloudwatch_log_group.g["/tf/access"].arn
}
resource "aws_vpclattice_resource_gateway" "g" {
  name               = "tf-gateway"
  vpc_id             = aws_vpc.v["server"].id
  subnet_ids         = [aws_subnet.s["server-home"].id]
  security_group_ids = [aws_security_group.open["server"].id]
}
resource "aws_vpclattice_resource_configuration" "lines" {
  name                        = "tf-lines"
  type                        = "SINGLE"
  protocol                    = "TCP"
  port_ranges                 = ["7777-7778"]
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  resource_configuration_definition {
    ip_resource { ip_address = aws_instance.server.private_ip }
  }
}
resource "aws_vpclattice_service_network_resource_association" "lines" {
  resource_configuration_identifier = aws_vpclattice_resource_configuration.lines.id
  service_network_identifier        = aws_vpclattice_service_network.n.id
}
resource "aws_route53_zone" "corp" {
  name = "corp.test"
  vpc { vpc_id = aws_vpc.v["client"].id }
}
resource "aws_route53_record" "corp" {
  for_each = {
    api   = aws_vpclattice_service_network_service_association.s.dns_entry[0].domain_name
    lines = aws_vpclattice_service_network_resource_association.lines.dns_entry[0].domain_name
  }
  zone_id = aws_route53_zone.corp.zone_id
  name    = "${each.key}.corp.test"
  type    = "CNAME"
  ttl     = 5
  records = [each.value]
}

# -- endpoints

resource "aws_vpc_endpoint" "network" {
  vpc_id              = aws_vpc.v["client"].id
  vpc_endpoint_type   = "ServiceNetwork"
  service_network_arn = aws_vpclattice_service_network.n.arn
  subnet_ids          = [aws_subnet.s["client-way"].id]
  security_group_ids  = var.step == "first" ? [aws_security_group.open["client"].id] : null
  ip_address_type     = var.step == "first" ? "ipv4" : "dualstack"
  tags                = { Greeting = var.step }
  dns_options { dns_record_ip_type = var.step == "first" ? "ipv4" : "service-defined" }
}
resource "aws_vpc_endpoint" "lines" {
  vpc_id                     = aws_vpc.v["client"].id
  vpc_endpoint_type          = "Resource"
  resource_configuration_arn = aws_vpclattice_resource_configuration.lines.arn
  subnet_ids                 = [local.lines.id]
  security_group_ids         = [aws_security_group.open["client"].id]
  private_dns_enabled        = true
  ip_address_type            = "dualstack"
  subnet_configuration {
    subnet_id = local.lines.id
    ipv4      = cidrhost(local.lines.cidr_block, 77)
    ipv6      = cidrhost(local.lines.ipv6_cidr_block, 119)
  }
}
locals { lines = aws_subnet.s["client-${var.step == "first" ? "way" : "home"}"] }
data "aws_vpc_endpoint_associations" "lines" { vpc_endpoint_id = aws_vpc_endpoint.lines.id }

output "door" { value = data.aws_vpc_endpoint_associations.lines.associations[0].dns_entry[0].dns_name }
output "client" { value = aws_instance.client.id }
output "service" { value = aws_vpclattice_service_network_service_association.s.dns_entry[0].domain_name }
output "lines" { value = aws_vpclattice_service_network_resource_association.lines.dns_entry[0].domain_name }
