variable "consumer" {}
variable "stranger" {}

# in an account outside of the organization
provider "stranger" {
  skip_region_validation = true
  assume_role { role_arn = "arn:aws:iam::${var.stranger}:role/OrganizationAccountAccessRole" }
}

resource "aws_ram_sharing_with_organization" "all" {}

resource "aws_vpclattice_service_network" "mesh" {
  name      = "mesh"
  auth_type = "NONE"
}

resource "aws_ram_resource_share" "mesh" {
  name                      = "mesh"
  allow_external_principals = true
  permission_arns           = ["arn:aws:ram::aws:permission/AWSRAMPermissionVpcLatticeServiceNetworkReadWrite"]
  tags                      = { team = "core" }
  depends_on                = [aws_ram_sharing_with_organization.all]
}

resource "aws_ram_resource_association" "mesh" {
  resource_arn       = aws_vpclattice_service_network.mesh.arn
  resource_share_arn = aws_ram_resource_share.mesh.arn
}

resource "aws_ram_principal_association" "account" {
  for_each           = toset([var.consumer, var.stranger])
  principal          = each.key
  resource_share_arn = aws_ram_resource_share.mesh.arn
}

resource "aws_ram_resource_share_accepter" "stranger" {
  provider   = stranger
  share_arn  = aws_ram_principal_association.account[var.stranger].resource_share_arn
  depends_on = [aws_ram_resource_association.mesh]
}

resource "aws_vpc" "apps" {
  provider   = stranger
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpclattice_service_network_vpc_association" "apps" {
  provider                   = stranger
  vpc_identifier             = aws_vpc.apps.id
  service_network_identifier = aws_vpclattice_service_network.mesh.arn
  depends_on                 = [aws_ram_resource_share_accepter.stranger]
}

data "aws_ram_resource_share" "mesh" {
  provider       = stranger
  name           = "mesh"
  resource_owner = "OTHER-ACCOUNTS"
  depends_on     = [aws_ram_resource_share_accepter.stranger]
}

resource "aws_vpclattice_service_network" "direct" {
  name      = "direct"
  auth_type = "NONE"
}

resource "aws_vpclattice_resource_policy" "direct" {
  resource_arn = aws_vpclattice_service_network.direct.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${var.stranger}:root" }
      Action    = ["vpc-lattice:CreateServiceNetworkServiceAssociation", "vpc-lattice:GetServiceNetwork"]
      Resource  = aws_vpclattice_service_network.direct.arn
    }]
  })
}

resource "aws_vpclattice_service" "orders" {
  provider = stranger
  name     = "orders"
}

resource "aws_vpclattice_service_network_service_association" "orders" {
  provider                   = stranger
  service_identifier         = aws_vpclattice_service.orders.id
  service_network_identifier = aws_vpclattice_resource_policy.direct.resource_arn
}

output "owner_of_share" { value = data.aws_ram_resource_share.mesh.owning_account_id }
output "accepted" { value = aws_ram_resource_share_accepter.stranger.resources }
output "network" { value = aws_vpclattice_service_network.mesh.arn }
