variable "step" {}

data "aws_availability_zones" "z" {}
data "aws_ami" "host" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["al2023-ami-2023.*"]
  }
}
resource "aws_vpc" "v" {
  for_each             = { a = "10.1.0.0/16", b = "10.2.0.0/16" }
  cidr_block           = each.value
  enable_dns_hostnames = true
  tags                 = { Name = each.key, Step = var.step }
}
resource "aws_subnet" "s" {
  for_each          = aws_vpc.v
  vpc_id            = each.value.id
  cidr_block        = cidrsubnet(each.value.cidr_block, 8, 1)
  availability_zone = data.aws_availability_zones.z.names[0]
}
resource "aws_internet_gateway" "g" { vpc_id = aws_vpc.v["a"].id }
resource "aws_route_table" "t" {
  for_each = aws_vpc.v
  vpc_id   = each.value.id
  route {
    cidr_block         = "10.0.0.0/8"
    transit_gateway_id = aws_ec2_transit_gateway.t.id
  }
  depends_on = [aws_ec2_transit_gateway_vpc_attachment.a]
}
resource "aws_route" "r" {
  route_table_id         = aws_route_table.t2.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.g.id
}
resource "aws_route_table" "t2" { vpc_id = aws_vpc.v["a"].id }
resource "aws_main_route_table_association" "m" {
  vpc_id         = aws_vpc.v["a"].id
  route_table_id = aws_route_table.t2.id
}
resource "aws_route_table_association" "t" {
  for_each       = aws_vpc.v
  subnet_id      = aws_subnet.s[each.key].id
  route_table_id = aws_route_table.t[each.key].id
}
resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  vpc_id      = aws_vpc.v["a"].id
  ingress {
    from_port       = 80
    to_port         = 81
    protocol        = "tcp"
    cidr_blocks     = ["10.0.0.0/8"]
    prefix_list_ids = [aws_ec2_managed_prefix_list.p.id]
    self            = true
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "db" {
  name_prefix = "db"
  vpc_id      = aws_vpc.v["a"].id
}
resource "aws_vpc_security_group_ingress_rule" "db" {
  security_group_id            = aws_security_group.db.id
  referenced_security_group_id = aws_security_group.web.id
  from_port                    = 5432
  to_port                      = 5432
  ip_protocol                  = "tcp"
  description                  = "from the web"
  tags                         = { a = "b" }
}
resource "aws_security_group_rule" "db" {
  type              = "egress"
  security_group_id = aws_security_group.db.id
  cidr_blocks       = ["0.0.0.0/0"]
  from_port         = 443
  to_port           = 443
  protocol          = "tcp"
}
resource "aws_default_security_group" "d" { vpc_id = aws_vpc.v["b"].id }
data "aws_ec2_managed_prefix_list" "lattice" { name = "com.amazonaws.${data.aws_availability_zones.z.id}.vpc-lattice" }
resource "aws_ec2_managed_prefix_list" "p" {
  name           = "tf-mine"
  address_family = "IPv4"
  max_entries    = 2
  entry { cidr = "10.0.0.0/8" }
}
resource "aws_network_acl" "n" {
  vpc_id     = aws_vpc.v["a"].id
  subnet_ids = [aws_subnet.s["a"].id]
  ingress {
    rule_no    = 100
    protocol   = "tcp"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 65535
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
}
resource "aws_network_acl_rule" "r" {
  network_acl_id = aws_network_acl.n2.id
  rule_number    = 200
  egress         = false
  protocol       = "icmp"
  rule_action    = "deny"
  cidr_block     = "10.9.0.0/16"
  icmp_type      = 8
  icmp_code      = -1
}
resource "aws_network_acl" "n2" { vpc_id = aws_vpc.v["b"].id }
resource "aws_ec2_transit_gateway" "t" {
  description                     = "hub"
  default_route_table_association = "disable"
  default_route_table_propagation = "disable"
  tags                            = { Name = "hub" }
}
resource "aws_ec2_transit_gateway_vpc_attachment" "a" {
  for_each                                        = aws_vpc.v
  transit_gateway_id                              = aws_ec2_transit_gateway.t.id
  vpc_id                                          = each.value.id
  subnet_ids                                      = [aws_subnet.s[each.key].id]
  appliance_mode_support                          = "enable"
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
}
resource "aws_ec2_transit_gateway_route_table" "t" { transit_gateway_id = aws_ec2_transit_gateway.t.id }
resource "aws_ec2_transit_gateway_route_table_association" "a" {
  for_each                       = aws_vpc.v
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.a[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t.id
}
resource "aws_ec2_transit_gateway_route_table_propagation" "a" {
  for_each                       = aws_vpc.v
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.a[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t.id
}
resource "aws_ec2_transit_gateway_route" "r" {
  destination_cidr_block         = "0.0.0.0/0"
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.a["a"].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t.id
}
resource "aws_ec2_transit_gateway_route" "b" {
  destination_cidr_block         = "192.168.0.0/16"
  blackhole                      = true
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.t.id
}
resource "aws_ec2_transit_gateway" "d" {}
resource "aws_ec2_transit_gateway_vpc_attachment" "d" {
  transit_gateway_id                              = aws_ec2_transit_gateway.d.id
  vpc_id                                          = aws_vpc.v["a"].id
  subnet_ids                                      = [aws_subnet.s["a"].id]
  transit_gateway_default_route_table_association = false
}
resource "aws_network_interface" "e" {
  subnet_id       = aws_subnet.s["a"].id
  private_ips     = ["10.1.1.50"]
  security_groups = [aws_security_group.web.id]
}
resource "aws_iam_role" "r" {
  name               = "tf-network"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }] })
}
resource "aws_iam_instance_profile" "p" {
  name = "tf-network"
  role = aws_iam_role.r.name
}
resource "aws_instance" "i" {
  ami           = data.aws_ami.host.id
  instance_type = "t3.micro"
  network_interface {
    device_index         = 0
    network_interface_id = aws_network_interface.e.id
  }
  iam_instance_profile = aws_iam_instance_profile.p.name
  user_data            = "#!/bin/sh\necho hi"
  metadata_options { http_tokens = "optional" }
  tags = { Name = "i" }
}
resource "aws_instance" "j" {
  ami                    = data.aws_ami.host.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.s["b"].id
  private_ip             = "10.2.1.9"
  source_dest_check      = false
  vpc_security_group_ids = [aws_default_security_group.d.id]
}

output "vpcs" { value = { for name, vpc in aws_vpc.v : name => vpc.id } }
output "instance" { value = aws_instance.i.id }

resource "aws_vpc" "six" {
  cidr_block                       = "10.6.0.0/16"
  assign_generated_ipv6_cidr_block = true
}
resource "aws_subnet" "six" {
  vpc_id                                         = aws_vpc.six.id
  ipv6_native                                    = true
  ipv6_cidr_block                                = cidrsubnet(aws_vpc.six.ipv6_cidr_block, 8, 6)
  assign_ipv6_address_on_creation                = true
  enable_resource_name_dns_aaaa_record_on_launch = var.step == "second"
}
resource "aws_instance" "six" {
  ami           = data.aws_ami.host.id
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.six.id
  metadata_options {
    http_protocol_ipv6 = "enabled"
  }
  private_dns_name_options {
    hostname_type                        = "resource-name"
    enable_resource_name_dns_aaaa_record = var.step == "second"
  }
}
resource "aws_vpclattice_resource_gateway" "six" {
  name            = "tf-six"
  vpc_id          = aws_vpc.six.id
  subnet_ids      = [aws_subnet.six.id]
  ip_address_type = "IPV6"
}
