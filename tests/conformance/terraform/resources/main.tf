variable "step" {}
variable "database" {}

data "aws_availability_zones" "z" {}

resource "aws_vpc" "v" { cidr_block = "10.66.0.0/16" }
resource "aws_subnet" "s" {
  count             = 2
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.66.${count.index}.0/24"
  availability_zone = data.aws_availability_zones.z.names[count.index]
}
resource "aws_security_group" "g" {
  for_each = toset(["first", "second"])
  name     = each.key
  vpc_id   = aws_vpc.v.id
}

resource "aws_vpclattice_service_network" "n" { name = "tf-resources" }
resource "aws_vpclattice_resource_gateway" "g" {
  name               = "tf-resources"
  vpc_id             = aws_vpc.v.id
  subnet_ids         = aws_subnet.s[*].id
  security_group_ids = [aws_security_group.g[var.step].id]
  ip_address_type    = "IPV4"
}
resource "aws_vpclattice_resource_configuration" "group" {
  name                        = "tf-group"
  type                        = "GROUP"
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  protocol                    = "TCP"
  port_ranges                 = ["9092"]

  allow_association_to_shareable_service_network = true
}
resource "aws_vpclattice_resource_configuration" "child" {
  count                           = var.step == "first" ? 1 : 2
  name                            = "tf-child-${count.index}"
  type                            = "CHILD"
  resource_configuration_group_id = aws_vpclattice_resource_configuration.group.id
  port_ranges                     = var.step == "first" ? ["9092"] : ["9092", "9094-9099"]
  resource_configuration_definition {
    ip_resource { ip_address = "10.66.0.${count.index + 10}" }
  }
}

# made at the same time as the record that it needs
resource "aws_vpclattice_resource_configuration" "named" {
  name                        = "tf-named"
  type                        = "SINGLE"
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  protocol                    = "TCP"
  port_ranges                 = ["5432"]
  resource_configuration_definition {
    dns_resource {
      domain_name     = "db.tf-resources.test"
      ip_address_type = "IPV4"
    }
  }
}
resource "aws_route53_zone" "z" { name = "tf-resources.test" }
resource "aws_route53_record" "db" {
  zone_id = aws_route53_zone.z.zone_id
  name    = "db.tf-resources.test"
  type    = "A"
  ttl     = 60
  records = ["10.66.1.20"]
}

resource "aws_vpclattice_service_network_resource_association" "a" {
  for_each                          = { group = aws_vpclattice_resource_configuration.group.id, named = aws_vpclattice_resource_configuration.named.id }
  resource_configuration_identifier = each.value
  service_network_identifier        = aws_vpclattice_service_network.n.id
  tags                              = each.key == "named" ? { Greeting = var.step } : null # the provider cannot change tags of one without dns_entry
}

resource "aws_db_subnet_group" "d" {
  name        = "tf-resources"
  description = var.step
  subnet_ids  = aws_subnet.s[*].id
}
resource "aws_db_instance" "d" {
  count                = var.database == "" ? 0 : 1
  identifier           = "tf-resources"
  engine               = "postgres"
  instance_class       = "db.t3.micro"
  allocated_storage    = 20
  username             = "clerk"
  db_subnet_group_name = aws_db_subnet_group.d.name
  skip_final_snapshot  = true
}
resource "aws_vpclattice_resource_configuration" "arn" {
  count                       = var.database == "" ? 0 : 1
  name                        = "tf-arn"
  type                        = "ARN"
  resource_gateway_identifier = aws_vpclattice_resource_gateway.g.id
  resource_configuration_definition {
    arn_resource { arn = var.database }
  }
}
resource "aws_vpclattice_service_network_resource_association" "arn" {
  count                             = var.database == "" ? 0 : 1
  resource_configuration_identifier = aws_vpclattice_resource_configuration.arn[0].id
  service_network_identifier        = aws_vpclattice_service_network.n.id
}

output "network" { value = aws_vpclattice_service_network.n.id }
output "identifiers" {
  value = {
    "aws_db_subnet_group.d"                                            = aws_db_subnet_group.d.id
    "aws_vpclattice_resource_gateway.g"                                = aws_vpclattice_resource_gateway.g.id
    "aws_vpclattice_resource_configuration.group"                      = aws_vpclattice_resource_configuration.group.id
    "aws_vpclattice_resource_configuration.child[0]"                   = aws_vpclattice_resource_configuration.child[0].id
    "aws_vpclattice_resource_configuration.named"                      = aws_vpclattice_resource_configuration.named.id
    "aws_vpclattice_service_network_resource_association.a[\"group\"]" = aws_vpclattice_service_network_resource_association.a["group"].id
  }
}
